//! The reference issuing system, over HTTP and with a real Postgres: letters count once and in any
//! order, what is forged changes nothing, and people see why.

mod citizen;
mod letters;
mod platform;
mod refusals;
mod trusted;
