//! The reference issuing system, over HTTP and with a real Postgres: letters count once and in any order, what is forged
//! changes nothing, people see why, and what they tell reaches the service.

mod calls;
mod citizen;
mod facts;
mod grounds;
mod interfaces;
mod letters;
mod platform;
mod pull;
mod receiver;
mod refusals;
mod secrecy;
mod tables;
mod trusted;
