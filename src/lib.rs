//! Venue place codes and contact tracing for a city.
//!
//! The map, in the order of the flow: [`domain`] knows the rules and does no I/O; [`intake`] takes scans
//! into Redis; [`store`] is Postgres; [`posters`] makes what hangs at doors; [`pipeline`] moves what
//! happened one arrow further; [`issuer`] talks to the systems that show colours; [`http`] is what
//! others can ask; [`roles`] are the subcommands of the binary.
//!
//! The dependency rule, which `tests/architecture.rs` enforces:
//! `main, roles → http, pipeline → store, intake, issuer, posters → domain`. `http` names neither
//! `pipeline` nor `issuer`; only `pipeline::dispatch` talks to an issuing system; `domain` names nothing
//! of ours.

pub mod app;
pub mod clock;
pub mod config;
pub mod domain;
pub mod embedded;
pub mod http;
pub mod intake;
pub mod issuer;
pub mod password;
pub mod pipeline;
pub mod posters;
pub mod roles;
pub mod store;
pub mod telemetry;
