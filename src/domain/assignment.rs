//! The life of an assignment: which state may follow which.

use serde::{Deserialize, Serialize};

use super::numbered::Numbered;

/// Where an assignment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum AssignmentState {
    /// A run and an investigator propose it; nobody outside knows.
    Proposed = 0,
    /// Two officers let it go; its letter is on the way.
    Released = 1,
    /// The issuing system has confirmed it.
    Delivered = 2,
    /// Its days are over.
    Expired = 3,
    /// What it rested on was taken back. It never returns.
    Withdrawn = 4,
    /// Its end condition was met before its days were over.
    Ended = 5,
}

impl Numbered for AssignmentState {
    const ALL: &'static [Self] =
        &[Self::Proposed, Self::Released, Self::Delivered, Self::Expired, Self::Withdrawn, Self::Ended];

    fn number(self) -> i16 {
        self as i16
    }
}

impl AssignmentState {
    /// Whether the visitor's colour rests on it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Released | Self::Delivered => true,
            Self::Proposed | Self::Expired | Self::Withdrawn | Self::Ended => false,
        }
    }

    /// Whether this state may be followed by `next`. The database refuses any other step.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Proposed, Self::Released | Self::Withdrawn)
            | (Self::Released, Self::Delivered | Self::Expired | Self::Withdrawn | Self::Ended)
            | (Self::Delivered, Self::Expired | Self::Withdrawn | Self::Ended) => true,
            (_, Self::Proposed | Self::Released)
            | (Self::Proposed, Self::Delivered | Self::Expired | Self::Ended)
            | (Self::Delivered, Self::Delivered)
            | (Self::Expired | Self::Withdrawn | Self::Ended, _) => false,
        }
    }

    /// The event that leads to it.
    pub fn event(self) -> EventKind {
        match self {
            Self::Proposed => EventKind::Proposed,
            Self::Released => EventKind::Released,
            Self::Delivered => EventKind::Delivered,
            Self::Expired => EventKind::Expired,
            Self::Withdrawn => EventKind::Withdrawn,
            Self::Ended => EventKind::Ended,
        }
    }
}

/// What happens to an assignment. Events are never changed; together they are its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum EventKind {
    /// A run and an investigator proposed it.
    Proposed = 0,
    /// Officers let it go.
    Released = 1,
    /// The issuing system confirmed it.
    Delivered = 2,
    /// A later exposure of the same class makes it last longer.
    Extended = 3,
    /// An end condition was met in part: the colour became weaker.
    Downgraded = 4,
    /// An end condition was met.
    Ended = 5,
    /// What it rested on was taken back.
    Withdrawn = 6,
    /// Its days were over.
    Expired = 7,
}

impl Numbered for EventKind {
    const ALL: &'static [Self] = &[
        Self::Proposed,
        Self::Released,
        Self::Delivered,
        Self::Extended,
        Self::Downgraded,
        Self::Ended,
        Self::Withdrawn,
        Self::Expired,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_never_returns() {
        for &next in AssignmentState::ALL {
            assert!(!AssignmentState::Withdrawn.may_become(next));
            assert!(!AssignmentState::Expired.may_become(next));
            assert!(!AssignmentState::Ended.may_become(next));
        }
        assert!(AssignmentState::Proposed.may_become(AssignmentState::Released));
        assert!(!AssignmentState::Proposed.may_become(AssignmentState::Delivered));
    }
}
