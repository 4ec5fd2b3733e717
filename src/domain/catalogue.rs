//! The category catalogue: kinds of places and how long people stay there.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;

use super::venue::Granularity;

/// The longest stay that any category may name, in minutes; trails and candidate queries rely on it.
pub const LONGEST_MINS_MAX: u32 = 1440;

/// The longest stay of all, as a duration.
pub const LONGEST_STAY: TimeDelta = TimeDelta::minutes(LONGEST_MINS_MAX as i64);

const SHIPPED: &str = include_str!("../../venues/categories.toml");

/// All kinds of places, by their word in the register.
#[derive(Clone, Debug)]
pub struct Catalogue(BTreeMap<String, Category>);

/// One kind of place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Name in Chinese.
    pub zh: String,
    /// Name in English.
    pub en: String,
    /// How close together people are, unless a point says otherwise.
    pub granularity: Granularity,
    /// How long a stay is assumed to last when nothing tells its end.
    pub usual_mins: u32,
    /// How late an exit scan may come.
    pub longest_mins: u32,
    /// The local time at which every stay ends.
    #[serde(default, deserialize_with = "closing_time")]
    pub closes: Option<NaiveTime>,
}

/// Why a catalogue cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCatalogue {
    /// Not TOML of the expected shape.
    #[error("the category catalogue cannot be read: {0}")]
    Syntax(String),
    /// The minutes of a category contradict each other or the bound.
    #[error("category `{0}`: usual_mins must lie between 1 and longest_mins, and longest_mins below {max}", max = LONGEST_MINS_MAX + 1)]
    Minutes(String),
}

impl Catalogue {
    /// The catalogue that is shipped with the service.
    pub fn shipped() -> Result<Self, InvalidCatalogue> {
        Self::parse(SHIPPED)
    }

    /// Reads the text of a catalogue file.
    pub fn parse(text: &str) -> Result<Self, InvalidCatalogue> {
        let categories: BTreeMap<String, Category> =
            toml::from_str(text).map_err(|error| InvalidCatalogue::Syntax(error.to_string()))?;
        for (word, category) in &categories {
            let usual = 1..=category.longest_mins;
            if !usual.contains(&category.usual_mins) || category.longest_mins > LONGEST_MINS_MAX {
                return Err(InvalidCatalogue::Minutes(word.clone()));
            }
        }
        Ok(Self(categories))
    }

    /// The category of that word.
    pub fn get(&self, word: &str) -> Option<&Category> {
        self.0.get(word)
    }

    /// All words and categories, in the order of the words.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Category)> {
        self.0.iter().map(|(word, category)| (word.as_str(), category))
    }
}

impl Category {
    /// The first closing time after `at`, for a place whose clock shows `offset`.
    pub fn next_closing(&self, at: DateTime<Utc>, offset: FixedOffset) -> Option<DateTime<Utc>> {
        self.closes.map(|closes| next_local_time(at, closes, offset))
    }
}

/// The first instant after `at` at which a clock of that offset shows `time`.
pub fn next_local_time(at: DateTime<Utc>, time: NaiveTime, offset: FixedOffset) -> DateTime<Utc> {
    let local = at.with_timezone(&offset);
    let today =
        local.date_naive().and_time(time).and_utc() - TimeDelta::seconds(offset.local_minus_utc().into());
    if today > at { today } else { today + TimeDelta::days(1) }
}

fn closing_time<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<NaiveTime>, D::Error> {
    let text = String::deserialize(source)?;
    NaiveTime::parse_from_str(&text, "%H:%M").map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_shipped_catalogue_is_sound() {
        let catalogue = Catalogue::shipped().unwrap();
        assert!(catalogue.iter().count() >= 40);
        assert!(catalogue.get("other").is_some());
    }

    #[test]
    fn a_bar_closes_in_the_morning_of_its_own_clock() {
        let catalogue = Catalogue::shipped().unwrap();
        let china = FixedOffset::east_opt(8 * 3600).unwrap();
        let bar = catalogue.get("bar").unwrap();
        // 23:00 in China is 15:00 UTC; the bar closes at 05:00, which is 21:00 UTC of the same day.
        assert_eq!(bar.next_closing(at("2026-03-01T15:00:00Z"), china), Some(at("2026-03-01T21:00:00Z")));
        assert_eq!(bar.next_closing(at("2026-03-01T21:00:00Z"), china), Some(at("2026-03-02T21:00:00Z")));
    }

    #[test]
    fn contradictory_minutes_are_refused_by_name() {
        let text = "[x]\nzh='x'\nen='x'\ngranularity='room'\nusual_mins=90\nlongest_mins=30\n";
        assert_eq!(Catalogue::parse(text).unwrap_err(), InvalidCatalogue::Minutes("x".into()));
    }
}
