//! Imports of venues and scans, by the real binary on real servers: what is refused, what a second import changes
//! (nothing), and that imported scans become the stays that a naive reckoning expects.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of a test are tests too; clippy allows this only below #[test]"
)]

mod scans;
mod stays;
mod support;
mod venues;
