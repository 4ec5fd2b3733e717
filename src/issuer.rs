//! The systems that show colours: how letters reach one, and a reference one to run and to learn from.
//!
//! [`client`] is what the pipeline's dispatcher sends with, [`reconcile`] what is asked of a system once a day.
//! [`reference`] is a small health-code platform in a process and a database of its own; it shares with the service
//! nothing but HTTP and the words of [`crate::domain`]. [`answer`] is what one says to the other about each letter.

pub mod answer;
pub mod client;
pub mod reconcile;
pub mod reference;
