//! The life of an assignment from its events alone, so that another system that is given the events comes to the same
//! colours. Whatever could not have happened is refused by name.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::assignment::{AssignmentState, EventKind};
use super::rule_pack::{Class, Colour};
use super::visitor::Visitor;

/// One event of an assignment, without who did it and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Counts the events of one assignment, from 1.
    pub seq: i32,
    /// What happened.
    pub kind: EventKind,
    /// The colour after it.
    pub colour: Colour,
    /// When the last exposure ended, after it.
    pub last_exposure_at: DateTime<Utc>,
    /// When the assignment ends by itself, after it.
    pub expires_at: DateTime<Utc>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Where an assignment stands after its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: AssignmentState,
    /// Its colour.
    pub colour: Colour,
    /// When the last exposure ended.
    pub last_exposure_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Why events cannot be the life of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// There are none.
    #[error("it has no events")]
    Silent,
    /// The events are not numbered one by one.
    #[error("event {found} stands where event {expected} should")]
    Gap {
        /// The number that should follow.
        expected: i32,
        /// The number that stands there.
        found: i32,
    },
    /// It begins with something else than its proposal.
    #[error("it begins with {0:?} and not with its proposal")]
    Unproposed(EventKind),
    /// Something happened that cannot happen in that state.
    #[error("event {seq}: what is {state:?} cannot be {kind:?}")]
    Step {
        /// Which event.
        seq: i32,
        /// The state before it.
        state: AssignmentState,
        /// What is said to have happened.
        kind: EventKind,
    },
    /// The colour became stronger.
    #[error("event {0}: the colour became stronger")]
    Stronger(i32),
    /// A colour changed without a downgrade, or a downgrade changed none.
    #[error("event {0}: the colour and what happened do not agree")]
    Colour(i32),
    /// A last exposure or a last day came nearer, though the assignment went on.
    #[error("event {0}: it became shorter")]
    Shorter(i32),
}

/// Where an assignment stands after its events, in their order.
pub fn standing(events: &[Event]) -> Result<Standing, Impossible> {
    let (first, rest) = events.split_first().ok_or(Impossible::Silent)?;
    if first.seq != 1 {
        return Err(Impossible::Gap { expected: 1, found: first.seq });
    }
    if first.kind != EventKind::Proposed {
        return Err(Impossible::Unproposed(first.kind));
    }
    let (state, seq) = (AssignmentState::Proposed, first.seq);
    let begun = Standing {
        state,
        colour: first.colour,
        last_exposure_at: first.last_exposure_at,
        expires_at: first.expires_at,
    };
    rest.iter()
        .try_fold((begun, seq), |(known, seq), event| Ok((after(known, seq, event)?, event.seq)))
        .map(|(standing, _)| standing)
}

fn after(known: Standing, seq: i32, event: &Event) -> Result<Standing, Impossible> {
    let expected = seq.saturating_add(1);
    if event.seq != expected {
        return Err(Impossible::Gap { expected, found: event.seq });
    }
    let step = Impossible::Step { seq: event.seq, state: known.state, kind: event.kind };
    let goes_on = matches!(event.kind, EventKind::Extended | EventKind::Downgraded);
    let state = match event.kind {
        EventKind::Extended | EventKind::Downgraded if known.state.is_open() => known.state,
        EventKind::Extended | EventKind::Downgraded | EventKind::Proposed => return Err(step),
        EventKind::Released => AssignmentState::Released,
        EventKind::Delivered => AssignmentState::Delivered,
        EventKind::Ended => AssignmentState::Ended,
        EventKind::Withdrawn => AssignmentState::Withdrawn,
        EventKind::Expired => AssignmentState::Expired,
    };
    if !goes_on && !known.state.may_become(state) {
        return Err(step);
    }
    if event.colour > known.colour {
        return Err(Impossible::Stronger(event.seq));
    }
    if (event.colour < known.colour) != (event.kind == EventKind::Downgraded) {
        return Err(Impossible::Colour(event.seq));
    }
    let shorter = event.last_exposure_at < known.last_exposure_at
        || (state == known.state && event.expires_at < known.expires_at);
    if shorter {
        return Err(Impossible::Shorter(event.seq));
    }
    let Event { colour, last_exposure_at, expires_at, .. } = *event;
    Ok(Standing { state, colour, last_exposure_at, expires_at })
}

impl Standing {
    /// The colour that it gives its visitor at that time: none unless it is open.
    pub fn shown(&self, now: DateTime<Utc>) -> Option<Colour> {
        (self.state.is_open() && self.expires_at > now).then_some(self.colour)
    }
}

/// The visitors who have a colour, each the strongest of the open assignments.
#[derive(Clone, Debug, Default)]
pub struct Colours(BTreeMap<Uuid, Colour>);

impl Colours {
    /// Counts an assignment of a visitor in.
    pub fn add(&mut self, visitor: Visitor, shown: Option<Colour>) {
        if let Some(colour) = shown.filter(|colour| *colour > Colour::Green) {
            let strongest = self.0.entry(visitor.to_uuid()).or_insert(colour);
            *strongest = colour.max(*strongest);
        }
    }

    /// How many visitors have that colour.
    pub fn count(&self, colour: Colour) -> usize {
        self.0.values().filter(|own| **own == colour).count()
    }

    /// SHA-256 over the sorted lines `visitor colour`, in hexadecimal digits: equal in two systems in which every
    /// visitor has the same colour.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (visitor, colour) in &self.0 {
            let word = match colour {
                Colour::Green => "green",
                Colour::Yellow => "yellow",
                Colour::Red => "red",
            };
            digest.update(format!("{} {word}\n", Visitor::from_uuid(*visitor).to_hex()));
        }
        HEXLOWER.encode(&digest.finalize())
    }
}

/// One assignment of an export: no more than another system needs to come to the same colours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// Its id, which it keeps.
    pub assignment: Uuid,
    /// Whose: 32 hexadecimal digits.
    pub visitor: String,
    /// How the visitor was exposed.
    pub class: Class,
    /// Rule pack and version.
    pub rule_pack: String,
    /// Whose decision.
    pub division: String,
    /// What happened to it.
    pub events: Vec<Event>,
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
