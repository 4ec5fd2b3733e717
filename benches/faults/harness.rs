//! A stage whose every part can be killed, a load whose client keeps a ledger, and the comparison of the two.
//!
//! `cargo bench --bench faults` plays the whole matrix; a test of every day plays a few rounds with the same code.

pub mod city;
pub mod compare;
pub mod disk;
pub mod fault;
pub mod ground;
pub mod ledger;
pub mod load;
pub mod process;
pub mod proxy;
pub mod round;
pub mod rows;
pub mod stage;
