//! Imports of venues and scans, by the real binary on real servers: what is refused, what a second import changes
//! (nothing), that imported scans become the stays that a naive reckoning expects, and that the contacts of a case
//! among them are those of another one.

mod gowalla;
pub(crate) mod house;
mod reckoning;
mod scans;
mod stays;
mod venues;
