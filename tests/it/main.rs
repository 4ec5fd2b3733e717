//! Every test that needs Postgres and Redis, in one binary that starts private ones.
#![expect(unreachable_pub, reason = "a test binary has no users")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the helpers of a test are tests too; clippy allows this only below #[test]"
)]

mod access;
mod appeals;
mod audit;
mod backward;
mod bad_input;
mod border;
mod browser;
mod cases;
mod cli;
mod codes;
mod conformance;
mod coverage;
mod door;
mod drain;
mod exports;
mod fair;
mod faults;
mod feed;
mod flow;
mod henan;
mod imports;
mod issuer;
mod laws;
mod letters;
mod life;
mod lives;
mod migrations;
mod openapi;
mod own;
mod packed;
mod pages;
mod pages_access;
mod photo;
mod posters;
mod privacy;
mod reconcile;
mod register;
mod release;
mod replay;
mod reports;
mod residences;
mod rule_packs;
mod runs;
mod sentinel;
mod support;
mod usage;
mod ways;
