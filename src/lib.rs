//! Venue place codes and contact tracing for a city.

pub mod domain;
pub mod embedded;
