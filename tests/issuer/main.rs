//! The reference issuing system, over HTTP and with a real Postgres: letters count once and in any
//! order, what is forged changes nothing, and people see why.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod citizen;
mod letters;
mod platform;
mod postgres;
mod refusals;
mod trusted;
