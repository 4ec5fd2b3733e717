//! A class of a rule pack: when it is met, which colour it proposes, and what ends it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Provenance;
use crate::domain::case::CaseKind;
use crate::domain::exposure::Relation;
use crate::domain::numbered::Numbered;
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::Granularity;

/// How somebody was exposed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Class {
    /// Near contact that an investigator counts as close.
    Close = 0,
    /// Contact of a contact.
    Secondary = 1,
    /// In the same vehicle.
    SameVehicle = 2,
    /// At the same place at the same time.
    ExposedPlace = 3,
    /// In the same grid cell for long.
    Companion = 4,
    /// There soon after the case had left.
    Residual = 5,
}

impl Numbered for Class {
    const ALL: &'static [Self] = &[
        Self::Close,
        Self::Secondary,
        Self::SameVehicle,
        Self::ExposedPlace,
        Self::Companion,
        Self::Residual,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}

/// The colour that a health code shows. Ordered by strength.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Colour {
    /// Nothing is known; a class of this colour is listed and changes nobody's code.
    Green = 0,
    /// Exposed.
    Yellow = 1,
    /// Under control.
    Red = 2,
}

impl Numbered for Colour {
    const ALL: &'static [Self] = &[Self::Green, Self::Yellow, Self::Red];

    fn number(self) -> i16 {
        self as i16
    }
}

/// When a class is met, and what follows. Several rules may lead to one class; all name the same colour and days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// Which class.
    pub class: Class,
    /// What tells this rule from another of the same class, such as `sealed-coach`; stands in every result.
    #[serde(default)]
    pub rule: Option<String>,
    /// The proposed colour.
    pub colour: Colour,
    /// Cases of these kinds only; without it, those of the pack.
    #[serde(default)]
    pub index_kinds: Option<Vec<CaseKind>>,
    /// Which relations count.
    pub relations: Vec<Relation>,
    /// At points of which granularity.
    pub granularities: Vec<Granularity>,
    /// At venues of these categories only.
    #[serde(default)]
    pub categories: Option<Vec<String>>,
    /// The weakest presence that counts.
    pub presence_min: Presence,
    /// Only stays whose end is known in one of these ways.
    #[serde(default)]
    pub ended_by: Option<Vec<EndedBy>>,
    /// Minutes together that are needed; 0 means any.
    pub together_mins: u32,
    /// Whether it takes more than `together_mins`; else just as many will do.
    #[serde(default)]
    pub more_than: bool,
    /// Minutes are added up over a sliding window of so many hours.
    #[serde(default)]
    pub within_hours: Option<u32>,
    /// Over what minutes are added up, where that is no window of hours; without both, one meeting must reach them.
    #[serde(default)]
    pub within: Option<Within>,
    /// Whether meetings that touch or overlap are one, so that no moment counts twice; else each counts by itself.
    #[serde(default = "joined")]
    pub joined: bool,
    /// In how many different stays of the visitor the case was met, at the least.
    #[serde(default)]
    pub meetings_min: Option<u32>,
    /// For `same_point` and `same_venue` in a vehicle: rows between the two, at the most. Who has no row does not count.
    #[serde(default)]
    pub rows_apart_max: Option<u16>,
    /// For `after_case`: only the time until so many minutes after the case left.
    #[serde(default)]
    pub after_case_mins: Option<u32>,
    /// For `nearby_cell`: how long one of the two must have been in the grid.
    #[serde(default)]
    pub companion: Option<Companion>,
    /// For contacts of contacts.
    #[serde(default)]
    pub secondary: Option<Secondary>,
    /// Days after which the assignment expires.
    pub days: u32,
    /// From when the days count.
    #[serde(default)]
    pub counted_from: CountedFrom,
    /// What ends it earlier.
    #[serde(default)]
    pub end: Option<EndConditions>,
    /// Who must let it go, beyond the two officers that each release takes.
    #[serde(default)]
    pub release: Option<ReleaseRule>,
    /// Where the numbers come from.
    pub source: Provenance,
}

fn joined() -> bool {
    true
}

/// Over what the minutes of several meetings are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// One meeting must reach them.
    Meeting,
    /// A day by universal time.
    DayUtc,
    /// A day by the city's clock.
    DayLocal,
    /// The whole infectious period.
    Period,
}

/// The companion rule of the telecom grid: either of the two was there for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// More hours than this in the grid cell, of either the case or the visitor.
    pub stay_hours: u32,
    /// Within so many days before the end of the meeting.
    pub within_days: u32,
}

impl Companion {
    /// When one of the two must have been in the grid for a meeting to count.
    pub fn before(&self, meeting: &Span) -> Span {
        let from = meeting.until() - TimeDelta::days(self.within_days.into());
        Span::new(from, meeting.until()).unwrap_or(*meeting)
    }
}

/// Contacts of contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secondary {
    /// Of contacts of these classes.
    pub of: Vec<Class>,
    /// How many steps from the case's contacts, 3 at the most.
    pub depth: u8,
}

/// From when the days of an assignment count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedFrom {
    /// The last exposure.
    #[default]
    LastExposure,
    /// The release.
    Release,
}

/// What ends or weakens an assignment before its days are over. Judged by the service from the facts that issuing
/// systems tell it, and by whoever gets the letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndConditions {
    /// Negative tests.
    pub tests: Option<Tests>,
    /// Other ways by tests, each as good as the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub or_tests: Vec<Tests>,
    /// Daily declarations of health, each with the colour that follows.
    pub check_ins: Vec<CheckIns>,
    /// Colours that follow with time alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<TimeStep>,
    /// Only an authority's word ends it, such as a certificate of discharge.
    pub by_authority: bool,
}

/// Negative tests that end an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// How many.
    pub count: u32,
    /// Hours between two of them, at the least.
    #[serde(default)]
    pub apart_hours: u32,
    /// All within so many days.
    #[serde(default)]
    pub within_days: Option<u32>,
    /// Not before so many days have passed.
    #[serde(default)]
    pub after_days: Option<u32>,
}

/// Daily declarations of health that change a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckIns {
    /// How many, day by day without a gap.
    pub count: u32,
    /// What follows.
    pub colour: Colour,
}

/// A colour that weakens with time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeStep {
    /// Once so many days have passed, counted as the days of the class are.
    pub after_days: u32,
    /// What follows.
    pub colour: Colour,
}

/// Who must let an assignment of a class go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRule {
    /// An officer above must be among them.
    #[serde(default)]
    pub chief: bool,
    /// Who, in the words of the rules.
    pub authority: String,
}
