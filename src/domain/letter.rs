//! A letter to an issuing system, and the envelope that carries it; [`super::webhook`] signs it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::numbered::Numbered;
use super::rule_pack::{Class, Colour, EndConditions};
use super::scheme::Shown;

/// What a letter says about an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterKind {
    /// Show this colour.
    Assigned,
    /// A later exposure of the same class: it lasts longer.
    Extended,
    /// An end condition was met in part: show the weaker colour that the letter names.
    Downgraded,
    /// The end condition was met: show it no longer.
    Ended,
    /// What it rested on was taken back: show it no longer.
    Withdrawn,
    /// Its days are over.
    Expired,
}

/// One letter about one assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The idempotency key: the same letter is never applied twice.
    pub id: Uuid,
    /// Counts the letters about one visitor, so that an old one never overrides a newer one.
    pub sequence: i64,
    /// What it says.
    pub kind: LetterKind,
    /// About which assignment.
    pub assignment: Uuid,
    /// Whose code: 32 hexadecimal digits.
    pub visitor: String,
    /// How the visitor was exposed.
    pub class: Class,
    /// Which of the rules of that class, where the pack has several.
    pub rule: Option<String>,
    /// The colour by the rule pack, as it is after this letter.
    pub colour: Colour,
    /// The word for it in the scheme of the receiving system, which may have four colours.
    pub shown: Shown,
    /// Rule pack and version.
    pub rule_pack: String,
    /// The division whose authority decided.
    pub division: String,
    /// Who answers for the decision.
    pub authority: String,
    /// On what legal basis.
    pub legal_basis: String,
    /// Where and when: each meeting, without the case.
    pub exposures: Vec<LetterExposure>,
    /// When the last meeting ended.
    pub last_exposure_at: DateTime<Utc>,
    /// When the assignment ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When somebody is to look at it again, because a fact that would end it is overdue then.
    pub review_at: Option<DateTime<Utc>>,
    /// What ends it earlier, by the rule pack.
    pub end: EndConditions,
    /// Where the visitor can appeal against it.
    pub appeal_url: String,
}

/// One meeting as the visitor may see it: rounded to whole quarters of an hour, so that it does not
/// point to the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterExposure {
    /// Name of the venue and point.
    pub place: String,
    /// Begin of the slot.
    pub from: DateTime<Utc>,
    /// End of the slot.
    pub until: DateTime<Utc>,
}

/// How an issuing system gets its letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Delivery {
    /// The service calls it.
    #[default]
    Push = 0,
    /// It asks the service.
    Pull = 1,
}

impl Numbered for Delivery {
    const ALL: &'static [Self] = &[Self::Push, Self::Pull];

    fn number(self) -> i16 {
        self as i16
    }
}

/// What is sent in one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Always `placecode.letters.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was put together.
    pub timestamp: DateTime<Utc>,
    /// The letters, in the order in which they are to be applied.
    pub letters: Vec<Letter>,
}

/// The only type of envelope.
pub const ENVELOPE: &str = "placecode.letters.v1";

/// How many letters one envelope holds at the most.
pub const ENVELOPE_LETTERS_MAX: usize = 200;

/// The slot that a visitor may see: widened to whole quarters of an hour.
pub fn slot(from: DateTime<Utc>, until: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    const QUARTER_SECS: i64 = 900;
    let floor = from.timestamp().div_euclid(QUARTER_SECS) * QUARTER_SECS;
    let ceil = (until.timestamp() + QUARTER_SECS - 1).div_euclid(QUARTER_SECS) * QUARTER_SECS;
    (DateTime::from_timestamp(floor, 0).unwrap_or(from), DateTime::from_timestamp(ceil, 0).unwrap_or(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    #[test]
    fn a_slot_is_wider_than_the_meeting() {
        assert_eq!(slot(at(1000), at(1900)), (at(900), at(2700)));
        assert_eq!(slot(at(900), at(1800)), (at(900), at(1800)));
    }
}
