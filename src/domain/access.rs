//! Who may do what: roles, and what each permission asks for.

use serde::{Deserialize, Serialize};

use super::numbered::Numbered;
use super::venue::Division;

/// What a member of staff, or a machine with a token, is there for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
#[repr(i16)]
pub enum Role {
    /// Makes accounts, channels, devices and issuing systems; sees no visitor.
    Administrator = 0,
    /// Answers for venues: registers them and prints their posters; sees counts only.
    VenueManager = 1,
    /// Reviews venues in the field.
    Inspector = 2,
    /// Reports cases, runs traces and proposes.
    Investigator = 3,
    /// Releases what an investigator of the same division has proposed.
    ReleasingOfficer = 4,
    /// Releases also what is larger than the cap.
    ChiefOfficer = 5,
    /// Reads the audit log.
    Auditor = 6,
    /// A machine that hands in scans: a gate system or a bulk importer.
    ScanSource = 7,
    /// Hands in scans at the door of a venue that a manager has named; sees that venue and nothing else.
    DoorStaff = 8,
    /// Escalates a whole place for a run, such as a provincial authority; neither proposes nor releases.
    PlaceAuthority = 9,
}

impl Numbered for Role {
    const ALL: &'static [Self] = &[
        Self::Administrator,
        Self::VenueManager,
        Self::Inspector,
        Self::Investigator,
        Self::ReleasingOfficer,
        Self::ChiefOfficer,
        Self::Auditor,
        Self::ScanSource,
        Self::DoorStaff,
        Self::PlaceAuthority,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}

impl Role {
    /// Whether it is held for single venues, so that a manager may hand it on and it opens nothing else.
    pub fn is_of_a_venue(self) -> bool {
        match self {
            Self::VenueManager | Self::DoorStaff => true,
            Self::Administrator
            | Self::Inspector
            | Self::Investigator
            | Self::ReleasingOfficer
            | Self::ChiefOfficer
            | Self::Auditor
            | Self::ScanSource
            | Self::PlaceAuthority => false,
        }
    }

    /// The role as it is written in tables and URLs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::VenueManager => "venue_manager",
            Self::Inspector => "inspector",
            Self::Investigator => "investigator",
            Self::ReleasingOfficer => "releasing_officer",
            Self::ChiefOfficer => "chief_officer",
            Self::Auditor => "auditor",
            Self::ScanSource => "scan_source",
            Self::DoorStaff => "door_staff",
            Self::PlaceAuthority => "place_authority",
        }
    }
}

/// Something that needs a role. A handler that names a permission in its signature cannot be called
/// without it.
pub trait Permission: 'static {
    /// The roles that have it.
    const ROLES: &'static [Role];
}

/// Whether staff of `own` division may see what belongs to `of`.
pub fn in_jurisdiction(own: &Division, of: &Division) -> bool {
    own.covers(of)
}
