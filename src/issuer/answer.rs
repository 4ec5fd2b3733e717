//! What an issuing system answers about each letter of an envelope.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What became of one letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The letter.
    pub id: Uuid,
    /// What became of it.
    pub result: Outcome,
}

/// What became of a letter. Each of them means that it has arrived and need not be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was new, and holds.
    Applied,
    /// It had been applied before.
    Repeated,
    /// It was new, but something newer or final was known about its assignment; nothing changed.
    Stale,
}
