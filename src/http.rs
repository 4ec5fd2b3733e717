//! What others can ask: routes on one page, one file per audience, auth as extractors, pages.

pub mod accounts;
pub mod admin;
pub mod audit;
pub mod auth;
pub mod cases;
pub mod categories;
pub mod channels;
pub mod contacts;
pub mod error;
pub mod health;
pub mod letters;
pub mod pages;
pub mod permissions;
pub mod register_export;
pub mod routes;
pub mod runs;
pub mod scan_batches;
pub mod scans;
pub mod serve;
pub mod sessions;
pub mod trails;
pub mod venue_forms;
pub mod venues;
pub mod visitors;
pub mod web;
pub mod write;
