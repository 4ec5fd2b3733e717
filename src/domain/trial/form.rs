//! What a trial is given: a case, places, the case's trail, and the stays of others.

use chrono::{DateTime, FixedOffset, Utc};
use h3o::CellIndex;
use utoipa::ToSchema;

use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::scan::Presence;
use crate::domain::stay::EndedBy;
use crate::domain::venue::Granularity;

/// The most places of a trial.
pub const PLACES_MAX: usize = 1000;

/// The most stays of a trial's case.
pub const TRAIL_MAX: usize = 200;

/// The most stays of others.
pub const STAYS_MAX: usize = 5000;

/// Stays that are given, and a case among them.
#[derive(Clone, Debug, ToSchema)]
pub struct Trial {
    /// When it is asked: a case that is not isolated was infectious until then, and a stay without an end lasts so long.
    pub now: DateTime<Utc>,
    /// How far the local clock is ahead of UTC, such as `+08:00`, which it is when absent.
    #[schema(value_type = Option<String>)]
    pub local_offset: FixedOffset,
    /// The case.
    pub case: TrialCase,
    /// The places, 1,000 at most.
    pub places: Vec<TrialPlace>,
    /// Where the case was, 200 stays at most.
    pub trail: Vec<TrialTrailStay>,
    /// Where others were, 5,000 stays at most.
    pub stays: Vec<TrialStay>,
}

/// The case of a trial.
#[derive(Clone, Debug, ToSchema)]
pub struct TrialCase {
    /// Its label; `case` when absent. A stay of the same label among `stays` is the case's own and meets nobody.
    #[schema(value_type = Option<String>)]
    pub who: String,
    /// What kind of case.
    pub kind: CaseKind,
    /// First symptom; an asymptomatic case has none.
    pub onset_at: Option<DateTime<Utc>>,
    /// First positive sample.
    pub sampled_at: DateTime<Utc>,
    /// When the person was isolated.
    pub isolated_at: Option<DateTime<Utc>>,
}

/// A point of a venue.
#[derive(Clone, Debug, ToSchema)]
pub struct TrialPlace {
    /// Its label.
    pub id: String,
    /// The label of its venue; a venue of its own when absent.
    pub venue: Option<String>,
    /// Where it is, as an H3 cell. It may be told by `lat_deg` and `lng_deg` instead; without both it is far from
    /// all other venues.
    #[schema(value_type = Option<String>)]
    pub cell: Option<CellIndex>,
    /// How close together people are there; `room` when absent.
    #[schema(value_type = Option<String>)]
    pub granularity: Granularity,
    /// The category of the venue; `other` when absent.
    #[schema(value_type = Option<String>)]
    pub category: String,
    /// The row in a vehicle.
    pub row: Option<u16>,
}

/// A stay of the case. It names one of `place`, `venue` and `cell`.
#[derive(Clone, Debug, ToSchema)]
pub struct TrialTrailStay {
    /// At which place.
    pub place: Option<String>,
    /// At which venue, where the point is not known.
    pub venue: Option<String>,
    /// In which H3 cell, where no more is known.
    #[schema(value_type = Option<String>)]
    pub cell: Option<CellIndex>,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when; `now` when absent.
    pub until: Option<DateTime<Utc>>,
    /// The row in a vehicle; that of the place when absent.
    pub row: Option<u16>,
}

/// A stay of somebody else.
#[derive(Clone, Debug, ToSchema)]
pub struct TrialStay {
    /// Any label; the same label is the same person.
    pub who: String,
    /// At which place.
    pub place: String,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when; `now` when absent.
    pub until: Option<DateTime<Utc>>,
    /// What proves the presence; `verified` when absent.
    pub presence: Option<Presence>,
    /// How the end is known; `left` when absent.
    pub ended_by: Option<EndedBy>,
}

/// What is wrong with a trial, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct InvalidTrial {
    /// Where, such as `stays[3].until`.
    pub path: String,
    /// Why, and what would be right.
    pub reason: String,
}

impl InvalidTrial {
    /// Something that is wrong at a path.
    pub fn new(path: &str, reason: impl std::fmt::Display) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl TrialCase {
    /// Its dates.
    pub fn dates(&self) -> CaseDates {
        CaseDates { onset_at: self.onset_at, sampled_at: self.sampled_at, isolated_at: self.isolated_at }
    }
}
