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
}

impl Numbered for AssignmentState {
    const ALL: &'static [Self] =
        &[Self::Proposed, Self::Released, Self::Delivered, Self::Expired, Self::Withdrawn];

    fn number(self) -> i16 {
        self as i16
    }
}

impl AssignmentState {
    /// Whether the visitor's colour rests on it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Released | Self::Delivered => true,
            Self::Proposed | Self::Expired | Self::Withdrawn => false,
        }
    }

    /// Whether this state may be followed by `next`. The database refuses any other step.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Proposed, Self::Released | Self::Withdrawn)
            | (Self::Released, Self::Delivered | Self::Expired | Self::Withdrawn)
            | (Self::Delivered, Self::Expired | Self::Withdrawn) => true,
            (_, Self::Proposed | Self::Released)
            | (Self::Proposed, Self::Delivered | Self::Expired)
            | (Self::Delivered, Self::Delivered)
            | (Self::Expired | Self::Withdrawn, _) => false,
        }
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
        }
        assert!(AssignmentState::Proposed.may_become(AssignmentState::Released));
        assert!(!AssignmentState::Proposed.may_become(AssignmentState::Delivered));
    }
}
