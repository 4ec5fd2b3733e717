//! Imports of venues and scans, by the real binary on real servers: what is refused, what a second import changes
//! (nothing), that imported scans become the stays that a naive reckoning expects, that the contacts of a case
//! among them are those of another one, and that what is exported is what was imported.

mod columns;
mod divisions;
mod geojson;
mod gowalla;
pub(crate) mod house;
mod reckoning;
mod resume;
mod round_trip;
mod scans;
mod stays;
mod update;
mod venues;
