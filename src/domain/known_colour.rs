//! The colour of a visitor's health code as the channel told it, with the moment at which it was so.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::rule_pack::Colour;

/// How old a colour may be when it is shown beside a scan. A colour that changed is letters away within
/// minutes; an hour is a visit to a market without asking the channel again, and staff at the door would
/// take an older one for today's. It is never asked for anew: a scan waits for no other system.
pub const COLOUR_AGE_MAX: TimeDelta = TimeDelta::hours(1);

/// How far the channel's clock may run ahead of ours.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// A colour and when it was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KnownColour {
    /// What the health code showed.
    pub colour: Colour,
    /// When.
    pub as_of: DateTime<Utc>,
}

impl KnownColour {
    /// Whether it says something of that moment.
    pub fn holds_at(&self, at: DateTime<Utc>) -> bool {
        self.as_of <= at + SKEW && at - self.as_of <= COLOUR_AGE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_holds_for_an_hour_and_not_for_the_past() {
        let at = |mins: i64| DateTime::from_timestamp(1_700_000_000 + 60 * mins, 0).unwrap();
        let known = KnownColour { colour: Colour::Yellow, as_of: at(0) };
        assert!(known.holds_at(at(0)) && known.holds_at(at(60)) && known.holds_at(at(-1)));
        assert!(!known.holds_at(at(61)) && !known.holds_at(at(-2)));
    }
}
