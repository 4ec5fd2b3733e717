//! Imports of venues and scans, by the real binary on real servers: what is refused, what a second import changes
//! (nothing), and that imported scans become the stays that a naive reckoning expects.

mod house;
mod scans;
mod stays;
mod venues;
