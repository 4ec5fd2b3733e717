//! What others can ask: routes on one page, one file per audience, auth as extractors, pages.

pub mod accounts;
pub mod admin;
<<<<<<< HEAD
pub mod appender;
=======
pub mod alarms;
>>>>>>> photo
pub mod applicants;
pub mod audit;
pub mod auth;
pub mod cases;
pub mod categories;
pub mod channels;
pub mod codes;
pub mod contacts;
pub mod door;
pub mod duplicates;
pub mod error;
pub mod follow;
pub mod health;
pub mod identities;
pub mod inspections;
pub mod letters;
pub mod organisations;
pub mod pages;
pub mod parties;
pub mod permissions;
pub mod point_forms;
pub mod posters;
pub mod register_export;
pub mod remembered;
pub mod routes;
pub mod runs;
pub mod scan_batches;
pub mod scan_log;
pub mod scans;
pub mod screens;
pub mod serve;
pub mod sessions;
pub mod trails;
pub mod venue_changes;
pub mod venue_counts;
pub mod venue_forms;
pub mod venue_life;
pub mod venue_staff;
pub mod venues;
pub mod visitor_cards;
pub mod visitors;
pub mod web;
pub mod write;
