//! What a look at persons showed, as those whom it concerns are told.

use serde::Serialize;

use super::numbered::Numbered;

/// What somebody looked at, or what was computed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum LookKind {
    /// The trail of a case.
    Trail = 0,
    /// The contacts of a run.
    Contacts = 1,
    /// The meetings of one contact.
    Evidence = 2,
    /// Why somebody is a contact.
    Why = 3,
    /// A report or a file for another system.
    Report = 4,
    /// What differs between two runs.
    Comparison = 5,
    /// How well the places of a run were scanned.
    Coverage = 6,
    /// What cases have in common.
    Backward = 7,
    /// Many cases at once.
    Batch = 8,
    /// One assignment.
    Assignment = 9,
    /// An appeal.
    Appeal = 10,
    /// What the person of a case took back before.
    TakenBack = 11,
}

impl Numbered for LookKind {
    const ALL: &'static [Self] = &[
        Self::Trail,
        Self::Contacts,
        Self::Evidence,
        Self::Why,
        Self::Report,
        Self::Comparison,
        Self::Coverage,
        Self::Backward,
        Self::Batch,
        Self::Assignment,
        Self::Appeal,
        Self::TakenBack,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}
