//! Rule packs: a jurisdiction's rules as data, with the source of every number.

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use super::case::CaseKind;
use super::exposure::Relation;
use super::numbered::Numbered;
use super::scan::Presence;
use super::venue::Granularity;

/// How somebody was exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Class {
    /// Near contact that an investigator counts as close.
    Close = 0,
    /// Contact of a contact.
    Secondary = 1,
    /// In the same vehicle.
    SameVehicle = 2,
    /// At the same place at the same time.
    ExposedPlace = 3,
    /// In the same grid cell for long.
    Companion = 4,
    /// There soon after the case had left.
    Residual = 5,
}

impl Numbered for Class {
    const ALL: &'static [Self] = &[
        Self::Close,
        Self::Secondary,
        Self::SameVehicle,
        Self::ExposedPlace,
        Self::Companion,
        Self::Residual,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}

/// The colour that a health code shows. Ordered by strength.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Colour {
    /// Nothing is known.
    Green = 0,
    /// Exposed.
    Yellow = 1,
    /// Under control.
    Red = 2,
}

impl Numbered for Colour {
    const ALL: &'static [Self] = &[Self::Green, Self::Yellow, Self::Red];

    fn number(self) -> i16 {
        self as i16
    }
}

/// One version of a jurisdiction's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulePack {
    /// Its name, such as `baseline`.
    pub id: String,
    /// Counts its versions; a version that was used is never changed.
    pub version: i32,
    /// Name in Chinese.
    pub title_zh: String,
    /// Name in English.
    pub title_en: String,
    /// The day from which it holds.
    pub effective_from: NaiveDate,
    /// Which cases count.
    pub index_kinds: Vec<CaseKind>,
    /// When a case is infectious.
    pub infectious: Infectious,
    /// The classes, the strongest first; a visitor gets the first that is met.
    #[serde(rename = "class")]
    pub classes: Vec<ClassRule>,
}

/// When a case is infectious.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Infectious {
    /// Days before onset.
    pub before_onset_days: u32,
    /// Days before the first positive sample, where there is no onset.
    pub before_sample_days: u32,
    /// Where the numbers come from.
    pub source: String,
}

/// When a class is met, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// Which class.
    pub class: Class,
    /// The proposed colour.
    pub colour: Colour,
    /// Which relations count.
    pub relations: Vec<Relation>,
    /// At points of which granularity.
    pub granularities: Vec<Granularity>,
    /// The weakest presence that counts.
    pub presence_min: Presence,
    /// Minutes together that are needed; 0 means any.
    pub together_mins: u32,
    /// Minutes are added up over a sliding window of so many hours; without it one meeting must reach them.
    #[serde(default)]
    pub within_hours: Option<u32>,
    /// Days after the last exposure at which the assignment expires.
    pub days: u32,
    /// Where the numbers come from.
    pub source: String,
}

/// Why a rule pack is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPack {
    /// Not TOML of the expected shape; the text names line and key.
    #[error("{0}")]
    Syntax(String),
    /// A value that cannot be meant.
    #[error("`{key}` {reason}")]
    Value {
        /// Which key.
        key: String,
        /// What would be right.
        reason: &'static str,
    },
}

impl RulePack {
    /// Reads the text of a pack.
    pub fn parse(text: &str) -> Result<Self, InvalidPack> {
        let pack: Self = toml::from_str(text).map_err(|error| InvalidPack::Syntax(error.to_string()))?;
        pack.check()?;
        Ok(pack)
    }

    /// Name and version, as every result carries them: `baseline@1`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }

    /// How long before onset a case is infectious.
    pub fn before_onset(&self) -> TimeDelta {
        TimeDelta::days(self.infectious.before_onset_days.into())
    }

    /// How long before the sample a case without onset is infectious.
    pub fn before_sample(&self) -> TimeDelta {
        TimeDelta::days(self.infectious.before_sample_days.into())
    }

    /// All relations that some class asks for.
    pub fn relations(&self) -> Vec<Relation> {
        let asked =
            |relation: &&Relation| self.classes.iter().any(|class| class.relations.contains(relation));
        Relation::ALL.iter().filter(asked).copied().collect()
    }

    fn check(&self) -> Result<(), InvalidPack> {
        let refuse = |key: String, reason| Err(InvalidPack::Value { key, reason });
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.id.is_empty() || self.id.len() > 40 || !self.id.chars().all(plain) {
            return refuse("id".into(), "must be 1 to 40 lower-case letters, digits and hyphens");
        }
        if self.version < 1 {
            return refuse("version".into(), "must be 1 or more");
        }
        if self.index_kinds.is_empty() {
            return refuse("index_kinds".into(), "must name at least one kind of case");
        }
        if self.infectious.before_onset_days > 28 || self.infectious.before_sample_days > 28 {
            return refuse("infectious".into(), "must not look back further than 28 days");
        }
        if self.classes.is_empty() {
            return refuse("class".into(), "must name at least one class");
        }
        for (at, class) in self.classes.iter().enumerate() {
            let key = |name: &str| format!("class[{at}].{name}");
            if self.classes.iter().take(at).any(|earlier| earlier.class == class.class) {
                return refuse(key("class"), "stands twice");
            }
            if class.relations.is_empty() {
                return refuse(key("relations"), "must name at least one relation");
            }
            if class.granularities.is_empty() {
                return refuse(key("granularities"), "must name at least one granularity");
            }
            if class.presence_min == Presence::Contradicted {
                return refuse(key("presence_min"), "must not admit contradicted presence");
            }
            if class.within_hours.is_some_and(|hours| !(1..=336).contains(&hours)) {
                return refuse(key("within_hours"), "must lie between 1 and 336");
            }
            if !(1..=60).contains(&class.days) {
                return refuse(key("days"), "must lie between 1 and 60");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASELINE: &str = include_str!("../../policies/baseline-1.toml");

    #[test]
    fn the_shipped_baseline_is_sound() {
        let pack = RulePack::parse(BASELINE).unwrap();
        assert_eq!(pack.name(), "baseline@1");
        assert_eq!(pack.relations(), [Relation::SamePoint]);
    }

    #[test]
    fn a_bad_pack_is_refused_by_line_or_key() {
        let text = BASELINE.replace("presence_min = \"unproven\"", "presence_min = \"contradicted\"");
        let error = RulePack::parse(&text).unwrap_err().to_string();
        assert!(error.contains("presence_min") && error.contains("contradicted"), "{error}");
        let text = BASELINE.replace("version = 1", "version = \"one\"");
        let error = RulePack::parse(&text).unwrap_err().to_string();
        assert!(error.contains("line") && error.contains("version"), "{error}");
        let text = BASELINE.replace("days = 10", "days = 0");
        assert!(RulePack::parse(&text).unwrap_err().to_string().contains("days"));
    }
}
