//! The category catalogue: kinds of places, how long people stay there, and what applies to them.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::venue::Granularity;

/// The longest stay that any category may name, in minutes; trails and candidate queries rely on it.
pub const LONGEST_MINS_MAX: u32 = 1440;

/// The longest stay of all, as a duration.
pub const LONGEST_STAY: TimeDelta = TimeDelta::minutes(LONGEST_MINS_MAX as i64);

/// How a closing time is written.
const CLOCK: &str = "%H:%M";

const SHIPPED: &str = include_str!("../../venues/categories.toml");

/// All kinds of places, by their word in the register, and where what is said about them comes from.
#[derive(Clone, Debug)]
pub struct Catalogue {
    categories: BTreeMap<String, Category>,
    sources: BTreeMap<String, Source>,
}

/// One kind of place.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its word in the register.
    #[serde(skip_deserializing)]
    pub word: String,
    /// Name in Chinese.
    pub zh: String,
    /// Name in English.
    pub en: String,
    /// How close together people are, unless a point says otherwise.
    #[schema(value_type = String)]
    pub granularity: Granularity,
    /// How long a stay is assumed to last when nothing tells its end.
    pub usual_mins: u32,
    /// How late an exit scan may come.
    pub longest_mins: u32,
    /// The local time at which every stay ends.
    #[serde(default, with = "closing_time")]
    #[schema(value_type = Option<String>)]
    pub closes: Option<NaiveTime>,
    /// Whether visitors are expected to scan on leaving.
    pub exit_scan: bool,
    /// What such a place must do.
    pub duty: Duty,
    /// Where all that comes from.
    pub sources: Basis,
}

/// What a kind of place must do for its visitors to be found later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Hang a code at every entrance.
    Code,
    /// Hang a code or put up a digital sentinel, never both at one point.
    CodeOrSentinel,
    /// Have staff who scan, or check, everybody at the entrance.
    Staffed,
    /// Hang a code, and keep a paper register for who has no phone.
    Register,
    /// Nothing; it may hang a code.
    Voluntary,
}

/// Where what is said about a category comes from: keys of the catalogue's sources.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// That such places are listed.
    pub kind: Vec<String>,
    /// Usual stay, longest stay and closing time.
    pub stay: Vec<String>,
    /// The duty, and whether exit scans are expected.
    pub duty: Vec<String>,
}

/// A rule or report that the catalogue rests on.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// How categories name it.
    #[serde(skip_deserializing)]
    pub key: String,
    /// Its title.
    pub title: String,
    /// When it was published, as exactly as is known: `2022-05-23`, `2022-05`, `undated`.
    pub date: String,
    /// What it says.
    pub says: String,
}

/// The whole catalogue, for client apps and forms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Listing {
    /// Kinds of places in the order of their words.
    pub categories: Vec<Category>,
    /// What they rest on, in the order of the keys.
    pub sources: Vec<Source>,
}

/// The catalogue as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    category: BTreeMap<String, Category>,
    source: BTreeMap<String, Source>,
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
    /// A category rests on nothing, or on what is not there.
    #[error(
        "category `{0}`: sources.{1} must name one [source.KEY] of the catalogue or more, each of them there"
    )]
    Basis(String, &'static str),
    /// Two categories that an import could not tell apart.
    #[error("category `{0}`: its name `{1}` is that of another category")]
    Name(String, String),
}

impl Catalogue {
    /// The catalogue that is shipped with the service.
    pub fn shipped() -> Result<Self, InvalidCatalogue> {
        Self::parse(SHIPPED)
    }

    /// Reads the text of a catalogue file.
    pub fn parse(text: &str) -> Result<Self, InvalidCatalogue> {
        let Written { mut category, mut source } =
            toml::from_str(text).map_err(|error| InvalidCatalogue::Syntax(error.to_string()))?;
        for (key, source) in &mut source {
            source.key.clone_from(key);
        }
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (word, category) in &mut category {
            category.word.clone_from(word);
            category.check(&source)?;
            for name in [word, &category.zh, &category.en] {
                let other = names.insert(name.to_lowercase(), word.clone());
                if other.is_some_and(|other| other != *word) {
                    return Err(InvalidCatalogue::Name(word.clone(), name.clone()));
                }
            }
        }
        Ok(Self { categories: category, sources: source })
    }

    /// The category of that word.
    pub fn get(&self, word: &str) -> Option<&Category> {
        self.categories.get(word)
    }

    /// All words and categories, in the order of the words.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Category)> {
        self.categories.iter().map(|(word, category)| (word.as_str(), category))
    }

    /// Everything, for client apps and forms.
    pub fn listing(&self) -> Listing {
        Listing {
            categories: self.categories.values().cloned().collect(),
            sources: self.sources.values().cloned().collect(),
        }
    }
}

impl Category {
    fn check(&self, sources: &BTreeMap<String, Source>) -> Result<(), InvalidCatalogue> {
        let usual = 1..=self.longest_mins;
        if !usual.contains(&self.usual_mins) || self.longest_mins > LONGEST_MINS_MAX {
            return Err(InvalidCatalogue::Minutes(self.word.clone()));
        }
        let Basis { kind, stay, duty } = &self.sources;
        for (field, keys) in [("kind", kind), ("stay", stay), ("duty", duty)] {
            if keys.is_empty() || !keys.iter().all(|key| sources.contains_key(key)) {
                return Err(InvalidCatalogue::Basis(self.word.clone(), field));
            }
        }
        Ok(())
    }

    /// The closing time as the catalogue writes it.
    pub fn closes_text(&self) -> Option<String> {
        self.closes.map(|time| time.format(CLOCK).to_string())
    }

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

/// A closing time as `HH:MM`.
mod closing_time {
    use chrono::NaiveTime;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::CLOCK;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Option<NaiveTime>, D::Error> {
        let text = String::deserialize(source)?;
        NaiveTime::parse_from_str(&text, CLOCK).map(Some).map_err(serde::de::Error::custom)
    }

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
    pub(super) fn serialize<S: Serializer>(time: &Option<NaiveTime>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.format(CLOCK).to_string()).serialize(to)
    }
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
        let exits: Vec<&str> = catalogue.iter().filter(|(_, c)| c.exit_scan).map(|(word, _)| word).collect();
        assert_eq!(exits, ["bus", "isolation_site", "metro_carriage", "metro_station", "transfer_vehicle"]);
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

    /// A catalogue of one category, with that line changed.
    fn one(line: &str, by: &str) -> Result<Catalogue, InvalidCatalogue> {
        let text = "[source.design]\ntitle='d'\ndate='2026'\nsays='d'\n[category.x]\nzh='x'\nen='x'\n\
            granularity='room'\nusual_mins=20\nlongest_mins=30\nexit_scan=false\nduty='code'\n\
            sources={kind=['design'],stay=['design'],duty=['design']}\n";
        assert!(text.contains(line), "{line}");
        Catalogue::parse(&text.replace(line, by))
    }

    #[test]
    fn what_contradicts_itself_or_rests_on_nothing_is_refused_by_name() {
        assert!(one("usual_mins=20", "usual_mins=30").is_ok());
        let minutes = InvalidCatalogue::Minutes("x".into());
        assert_eq!(one("usual_mins=20", "usual_mins=90").unwrap_err(), minutes);
        assert_eq!(one("longest_mins=30", "longest_mins=1441").unwrap_err(), minutes);
        assert_eq!(
            one("stay=['design']", "stay=[]").unwrap_err(),
            InvalidCatalogue::Basis("x".into(), "stay")
        );
        let unknown = one("duty=['design']", "duty=['hearsay']").unwrap_err();
        assert_eq!(unknown, InvalidCatalogue::Basis("x".into(), "duty"));
        for (line, by) in [
            ("duty='code'", "duty='pray'"),
            ("exit_scan=false\n", ""),
            ("zh='x'", "zh='x'\nword='x'"),
            ("longest_mins=30", "longest_mins=30\ncloses='25:00'"),
        ] {
            assert!(matches!(one(line, by), Err(InvalidCatalogue::Syntax(_))), "{by}");
        }
        let again = "[category.y]\nzh='y'\nen='X'\ngranularity='room'\nusual_mins=1\nlongest_mins=1\nexit_scan=true\n\
            duty='code'\nsources={kind=['design'],stay=['design'],duty=['design']}\n[category.x]";
        let taken = one("[category.x]", again).unwrap_err();
        assert_eq!(taken, InvalidCatalogue::Name("y".into(), "X".into()));
    }

    #[test]
    fn the_listing_says_what_the_file_says() {
        let listing = serde_json::to_value(Catalogue::shipped().unwrap().listing()).unwrap();
        let named = |word: &str| {
            let all = listing["categories"].as_array().unwrap();
            all.iter().find(|category| category["word"] == word).unwrap().clone()
        };
        let (bus, bar) = (named("bus"), named("bar"));
        assert_eq!((&bus["exit_scan"], &bus["granularity"]), (&true.into(), &"vehicle".into()));
        assert_eq!((&bar["closes"], &bar["duty"]), (&"05:00".into(), &"code_or_sentinel".into()));
        assert!(named("other")["closes"].is_null());
        let keys: Vec<&str> =
            listing["sources"].as_array().unwrap().iter().map(|s| s["key"].as_str().unwrap()).collect();
        // No source stands there for nothing.
        for key in &keys {
            let used = |basis: &serde_json::Value| {
                basis
                    .as_object()
                    .unwrap()
                    .values()
                    .any(|list| list.as_array().unwrap().contains(&(*key).into()))
            };
            assert!(listing["categories"].as_array().unwrap().iter().any(|c| used(&c["sources"])), "{key}");
        }
    }
}
