//! Where the numbers of a rule pack come from.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What stands for a source where the rules name no number, and the pack had to choose one.
pub const NOT_PUBLISHED: &str = "not published";

/// A text that rules were taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is called.
    pub title: String,
    /// Where it can be read.
    #[serde(default)]
    pub url: Option<String>,
    /// When it was published.
    #[serde(default)]
    pub date: Option<NaiveDate>,
    /// How far it can be trusted.
    pub grade: Grade,
}

/// How far a source can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// The authority's own text, or a major paper's report of it.
    Official,
    /// A reprint, or secondary press.
    Reprint,
    /// A copy whose city and date cannot be trusted.
    Copy,
    /// The source code of a system.
    Code,
    /// Chosen by this project.
    Design,
}

/// Where the numbers of one part of a pack come from: one text for all, or for each key that part sets the key of
/// a [`Source`], or [`NOT_PUBLISHED`], with what was chosen and why behind a colon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "must be a text, or a table with the name of a source for each key")]
pub enum Provenance {
    /// One for all.
    Whole(String),
    /// By key.
    Each(BTreeMap<String, String>),
}
