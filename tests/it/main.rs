//! Every test that needs Postgres and Redis, in one binary that starts private ones.
#![expect(unreachable_pub, missing_docs, reason = "a test binary has no users; its names say what they are")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test are tests too; clippy allows this only below #[test]"
)]

mod access;
mod audit;
mod bad_input;
mod browser;
mod drain;
mod flow;
mod laws;
mod migrations;
mod openapi;
mod pages;
mod pages_access;
mod privacy;
mod register;
mod runs;
mod support;
