//! Many jurisdictions: who belongs elsewhere is handed over and judged there, on each of the three ways of recognition.

mod agreements;
mod bilateral;
mod controls;
mod national;
mod refusals;
mod relay;
mod stage;
mod wire;
