//! What a kept run gives to people and to other systems: lists, letters, chains, tables. Pure shaping.

pub mod cell;
pub mod chain;
pub mod contact;
pub mod epicontacts;
pub mod file;
pub mod godata;
pub mod kind;
pub mod letter;
pub mod line_list;
pub mod measure;
pub mod parquet;
pub mod place;
pub mod sormas;
pub mod trajectory;
pub mod triage;

/// What every file says of the people in it.
pub const DESCRIPTION: &str = "Visitors are keyed pseudonyms of 32 hexadecimal digits. The service has no names, numbers, \
    telephones or addresses of persons; only the health-code platform can turn a pseudonym into a person. \
    Contacts are a lower bound: who scanned nothing is not here.";
