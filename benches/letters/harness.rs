//! A service with thousands of letters to send, processes that are killed while they send them, and the comparison.
//!
//! Everything that makes letters is real: scans become stays, cases are traced, runs are proposed and let go by two
//! officers over HTTP, cases are withdrawn, and the pipeline writes the letters, with every constraint and trigger.
//! `cargo bench --bench letters` plays it in full size; a test of every day plays a small one with the same code.

pub mod compare;
pub mod gathering;
pub mod office;
pub mod plain;
pub mod trial;

use super::process;
