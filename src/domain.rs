//! What the service knows: no I/O, no async, no clock, no SQL.

pub mod access;
pub mod area;
pub mod assertion;
pub mod assignment;
pub mod audit;
pub mod case;
pub mod catalogue;
pub mod exposure;
pub mod fields;
pub mod grading;
pub mod keyring;
pub mod letter;
pub mod numbered;
pub mod open_window;
pub mod place_code;
pub mod point;
pub mod position;
pub mod rule_pack;
pub mod scan;
pub mod span;
pub mod stay;
pub mod token;
pub mod venue;
pub mod visitor;
pub mod words;
