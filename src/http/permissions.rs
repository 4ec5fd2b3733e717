//! The permissions that handlers ask for, and which roles have them.

use crate::domain::access::{Permission, Role};

/// Make accounts, machines, devices, channels, issuing systems and rule packs known.
#[derive(Debug)]
pub struct Administer;

impl Permission for Administer {
    const ROLES: &'static [Role] = &[Role::Administrator];
}

/// Enter venues and points.
#[derive(Debug)]
pub struct RegisterVenues;

impl Permission for RegisterVenues {
    const ROLES: &'static [Role] = &[Role::VenueManager, Role::Inspector];
}

/// Approve, suspend and close venues.
#[derive(Debug)]
pub struct ReviewVenues;

impl Permission for ReviewVenues {
    const ROLES: &'static [Role] = &[Role::Inspector];
}

/// See venues, their points and counts.
#[derive(Debug)]
pub struct SeeVenues;

impl Permission for SeeVenues {
    const ROLES: &'static [Role] =
        &[Role::VenueManager, Role::DoorStaff, Role::Inspector, Role::Investigator];
}

/// Have a page of the venues that one works for or reviews.
#[derive(Debug)]
pub struct WorkAtVenues;

impl Permission for WorkAtVenues {
    const ROLES: &'static [Role] = &[Role::VenueManager, Role::DoorStaff, Role::Inspector];
}

/// Hand in scans of others.
#[derive(Debug)]
pub struct HandInScans;

impl Permission for HandInScans {
    const ROLES: &'static [Role] = &[Role::ScanSource, Role::DoorStaff, Role::VenueManager];
}

/// Stand at the door of the venues that one works at, with the pages for it.
#[derive(Debug)]
pub struct StandAtDoors;

impl Permission for StandAtDoors {
    const ROLES: &'static [Role] = &[Role::VenueManager, Role::DoorStaff];
}

/// Report cases, run traces, exclude and propose.
#[derive(Debug)]
pub struct Investigate;

impl Permission for Investigate {
    const ROLES: &'static [Role] = &[Role::Investigator];
}

/// Try rule packs on stays that are given.
#[derive(Debug)]
pub struct TryPacks;

impl Permission for TryPacks {
    const ROLES: &'static [Role] = &[Role::Investigator, Role::Administrator];
}

/// See cases, runs and contacts.
#[derive(Debug)]
pub struct SeeCases;

impl Permission for SeeCases {
    const ROLES: &'static [Role] = &[Role::Investigator, Role::ReleasingOfficer, Role::ChiefOfficer];
}

/// See how a run and its release stand, in counts.
#[derive(Debug)]
pub struct SeeRuns;

impl Permission for SeeRuns {
    const ROLES: &'static [Role] =
        &[Role::Investigator, Role::ReleasingOfficer, Role::ChiefOfficer, Role::PlaceAuthority];
}

/// Move everybody whom a run found at one place to a stronger class.
#[derive(Debug)]
pub struct Escalate;

impl Permission for Escalate {
    const ROLES: &'static [Role] = &[Role::PlaceAuthority];
}

/// Let a run go beyond what a division releases within an hour.
#[derive(Debug)]
pub struct LiftHour;

impl Permission for LiftHour {
    const ROLES: &'static [Role] = &[Role::ChiefOfficer];
}

/// See how appeals stand, and look at one.
#[derive(Debug)]
pub struct SeeAppeals;

impl Permission for SeeAppeals {
    const ROLES: &'static [Role] = &[Role::Investigator, Role::ReleasingOfficer, Role::ChiefOfficer];
}

/// Decide appeals.
#[derive(Debug)]
pub struct DecideAppeals;

impl Permission for DecideAppeals {
    const ROLES: &'static [Role] = &[Role::ReleasingOfficer, Role::ChiefOfficer];
}

/// See the rule packs that are loaded.
#[derive(Debug)]
pub struct SeeRulePacks;

impl Permission for SeeRulePacks {
    const ROLES: &'static [Role] =
        &[Role::Administrator, Role::Investigator, Role::ReleasingOfficer, Role::ChiefOfficer];
}

/// Let a proposed run go.
#[derive(Debug)]
pub struct Release;

impl Permission for Release {
    const ROLES: &'static [Role] = &[Role::ReleasingOfficer, Role::ChiefOfficer];
}

/// Stop all letters, and see how the outbox stands.
#[derive(Debug)]
pub struct HoldLetters;

impl Permission for HoldLetters {
    const ROLES: &'static [Role] = &[Role::Administrator, Role::ReleasingOfficer, Role::ChiefOfficer];
}

/// Read the audit log.
#[derive(Debug)]
pub struct ReadAudit;

impl Permission for ReadAudit {
    const ROLES: &'static [Role] = &[Role::Auditor];
}

/// Be signed in at all.
#[derive(Debug)]
pub struct SignedIn;

impl Permission for SignedIn {
    const ROLES: &'static [Role] = &[
        Role::Administrator,
        Role::VenueManager,
        Role::Inspector,
        Role::Investigator,
        Role::ReleasingOfficer,
        Role::ChiefOfficer,
        Role::Auditor,
        Role::DoorStaff,
        Role::ScanSource,
        Role::PlaceAuthority,
    ];
}
