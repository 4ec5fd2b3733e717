//! A hand-over (协查): the facts of somebody's exposures, for the system of the division where that person belongs.
//!
//! [`facts`] makes them, an agreement limits them ([`HandOver::limited_to`]), and [`deciding`] is how a receiver judges
//! them by its own pack. What the sender thinks of them does not travel: the document has no place for it, and one
//! that brings a field it does not know is refused.

pub mod deciding;
pub mod facts;

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::case::CaseKind;
use super::exposure::Relation;
use super::recognition::{Field, Route};
use super::scan::Presence;
use super::stay::EndedBy;
use super::venue::{Division, Granularity};
use super::visitor::Visitor;

/// The only type of document.
pub const HAND_OVER: &str = "placecode.hand-over.v1";

/// The only type of answer.
pub const RECEIPT: &str = "placecode.hand-over-receipt.v1";

/// How many exposures one document holds at the most.
pub const EXPOSURES_MAX: usize = 500;

/// The longest slot: two days, as a stay that was corrected by hand may last.
const SLOT_MAX: TimeDelta = TimeDelta::days(2);

/// How far from the beginning of the illness a meeting may lie, in days.
const INFECTIOUS_DAYS_MAX: i64 = 60;

/// Somebody's exposures on the way to where that person belongs; or, with `withdrawn`, the word that they hold no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// Always [`HAND_OVER`].
    #[serde(rename = "type")]
    pub document: String,
    /// The idempotency key; a withdrawal has that of what it takes back.
    pub id: Uuid,
    /// Under which agreement.
    pub agreement: String,
    /// By which way.
    pub route: Route,
    /// To whom: the division that the agreement is about.
    pub to: String,
    /// The name of the key under which the person is named.
    pub alias_key: String,
    /// The person, under that key: 32 hexadecimal digits.
    pub alias: String,
    /// What kind of case was met; missing in a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infectious_kind: Option<CaseKind>,
    /// The facts; empty in a withdrawal.
    pub exposures: Vec<HandedExposure>,
    /// Who hands over.
    pub sender: Sender,
    /// On what legal basis.
    pub legal_basis: String,
    /// When it was handed over.
    pub sent_at: DateTime<Utc>,
    /// Whether it is taken back.
    pub withdrawn: bool,
}

/// Who hands over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// The division where the exposure was.
    pub division: String,
    /// Its authority.
    pub authority: String,
}

/// One meeting, in as much as the agreement allows. What is missing is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HandedExposure {
    /// How near.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// For `after_case`: whole minutes after the case had left, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_mins: Option<u32>,
    /// Whole minutes together, rounded down; no moment is told twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// The local day on which it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// The quarters of an hour around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// How it lay to the beginning of the illness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infectious_day: Option<InfectiousDay>,
    /// The category of the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How close together people are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Granularity>,
    /// What proves that the visitor was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
    /// How the end of the visitor's stay is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<EndedBy>,
    /// Rows between the two in a vehicle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_apart: Option<u16>,
    /// The name of the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// Whole quarters of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub until: DateTime<Utc>,
}

/// How many local days after onset, or after the sample where there is no onset; before it, less than zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfectiousDay {
    /// Since what.
    pub since: Since,
    /// Days.
    pub days: i64,
}

/// What the days of an illness are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The first symptom.
    Onset,
    /// The first positive sample.
    Sample,
}

/// What a receiver made of a hand-over. It names no colour and no class of either side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Always [`RECEIPT`].
    #[serde(rename = "type")]
    pub document: String,
    /// Which hand-over.
    pub hand_over: Uuid,
    /// What was decided.
    pub decided: Decision,
    /// Until when the measure lasts, or the one that was there.
    pub until: Option<DateTime<Utc>>,
    /// Whose decision it is.
    pub authority: String,
    /// Of which division.
    pub division: String,
    /// In words, for the sender's officers.
    pub note: String,
}

/// What a receiver decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// By its own rules, nothing is to be done.
    NoMeasure,
    /// By its own rules, a measure of its own.
    Measure,
    /// The person is under a measure already that is no weaker, so there is no second one.
    AlreadyControlled,
    /// What it had decided is taken back.
    TakenBack,
}

/// Why a document is refused. No text of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHandOver {
    /// Another type.
    #[error("`type` must be `placecode.hand-over.v1`")]
    Type,
    /// No division.
    #[error("`to` and `sender.division` must be division codes of six digits")]
    Division,
    /// No alias.
    #[error("`alias` must be 32 hexadecimal digits")]
    Alias,
    /// A text that is empty, too long, or not plain.
    #[error("`{0}` must have 1 to 500 characters, none of them a control character")]
    Text(&'static str),
    /// Too many exposures, or none.
    #[error("a hand-over has 1 to 500 exposures and `infectious_kind`; a withdrawal has neither")]
    Exposures,
    /// A time that cannot be.
    #[error(
        "a slot ends after it begins and within two days, in the years 2000 to 2999, and its day is `date`"
    )]
    Slot,
    /// More minutes than there is time.
    #[error("`minutes` must fit into the slot, or into two days")]
    Minutes,
    /// The days of one illness do not agree.
    #[error("`infectious_day` must lead to one day of one illness, within sixty days, for all exposures")]
    Illness,
}

impl HandOver {
    /// The person.
    pub fn person(&self) -> Option<Visitor> {
        Visitor::from_hex(&self.alias)
    }

    /// The same with those facts alone that may travel.
    #[must_use]
    pub fn limited_to(mut self, fields: &BTreeSet<Field>) -> Self {
        self.exposures.iter_mut().for_each(|one| one.limit(fields));
        self
    }

    /// The word that it holds no more; it tells no facts.
    #[must_use]
    pub fn withdrawal(self) -> Self {
        Self { infectious_kind: None, exposures: Vec::new(), withdrawn: true, ..self }
    }

    /// Checks what no type can say. `offset` is the receiver's clock.
    pub fn check(&self, offset: FixedOffset) -> Result<(), InvalidHandOver> {
        if self.document != HAND_OVER {
            return Err(InvalidHandOver::Type);
        }
        if [&self.to, &self.sender.division].into_iter().any(|text| text.parse::<Division>().is_err()) {
            return Err(InvalidHandOver::Division);
        }
        self.person().ok_or(InvalidHandOver::Alias)?;
        let texts = [
            ("agreement", &self.agreement),
            ("alias_key", &self.alias_key),
            ("sender.authority", &self.sender.authority),
            ("legal_basis", &self.legal_basis),
        ];
        for (name, text) in texts {
            if !is_plain(text) {
                return Err(InvalidHandOver::Text(name));
            }
        }
        let filled = (1..=EXPOSURES_MAX).contains(&self.exposures.len()) && self.infectious_kind.is_some();
        let empty = self.exposures.is_empty() && self.infectious_kind.is_none();
        if !(if self.withdrawn { empty } else { filled }) {
            return Err(InvalidHandOver::Exposures);
        }
        self.exposures.iter().try_for_each(|one| one.check(offset))?;
        let mut begins = self.exposures.iter().filter_map(|one| one.illness_began(offset));
        let first = begins.next();
        if begins.all(|other| Some(other) == first) { Ok(()) } else { Err(InvalidHandOver::Illness) }
    }
}

impl HandedExposure {
    fn limit(&mut self, fields: &BTreeSet<Field>) {
        for field in Field::ALL.iter().filter(|field| !fields.contains(field)) {
            match field {
                Field::Relation => (self.relation, self.after_mins) = (None, None),
                Field::Minutes => self.minutes = None,
                Field::Date => self.date = None,
                Field::Slot => self.slot = None,
                Field::InfectiousDay => self.infectious_day = None,
                Field::Category => self.category = None,
                Field::Granularity => self.granularity = None,
                Field::Presence => self.presence = None,
                Field::EndedBy => self.ended_by = None,
                Field::Rows => self.rows_apart = None,
                Field::Place => self.place = None,
            }
        }
    }

    fn check(&self, offset: FixedOffset) -> Result<(), InvalidHandOver> {
        use chrono::Datelike;
        let years = 2000..3000;
        if let Some(Slot { from, until }) = self.slot {
            let on_its_day = self.date.is_none_or(|date| {
                // The slot is wider than the meeting, so it may begin on the evening before.
                [from, from + TimeDelta::minutes(15)].iter().any(|at| local_date(*at, offset) == date)
            });
            let lasts = until - from;
            let fits = TimeDelta::zero() < lasts && lasts <= SLOT_MAX && years.contains(&from.year());
            if !(fits && on_its_day) {
                return Err(InvalidHandOver::Slot);
            }
        }
        if self.date.is_some_and(|date| !years.contains(&date.year())) {
            return Err(InvalidHandOver::Slot);
        }
        let room = self.slot.map_or(SLOT_MAX, |slot| slot.until - slot.from);
        if self.minutes.is_some_and(|minutes| TimeDelta::minutes(minutes.into()) > room) {
            return Err(InvalidHandOver::Minutes);
        }
        if self.infectious_day.is_some_and(|day| day.days.abs() > INFECTIOUS_DAYS_MAX) {
            return Err(InvalidHandOver::Illness);
        }
        if self.place.iter().chain(&self.category).all(|text| is_plain(text)) {
            Ok(())
        } else {
            Err(InvalidHandOver::Text("exposures"))
        }
    }

    /// The local day of the meeting.
    fn day(&self, offset: FixedOffset) -> Option<NaiveDate> {
        self.date.or_else(|| Some(local_date(self.slot?.from, offset)))
    }

    /// The local day on which the illness began, and since what it is counted.
    fn illness_began(&self, offset: FixedOffset) -> Option<(bool, NaiveDate)> {
        let InfectiousDay { since, days } = self.infectious_day?;
        let day = self.day(offset)?.checked_sub_signed(TimeDelta::try_days(days)?)?;
        Some((since == Since::Onset, day))
    }
}

fn is_plain(text: &str) -> bool {
    (1..=500).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn local_date(at: DateTime<Utc>, offset: FixedOffset) -> NaiveDate {
    at.with_timezone(&offset).date_naive()
}

/// Local midnight at the beginning of a day.
fn midnight(date: NaiveDate, offset: FixedOffset) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc() - TimeDelta::seconds(offset.local_minus_utc().into())
}

#[cfg(test)]
#[path = "hand_over/tests.rs"]
mod tests;
