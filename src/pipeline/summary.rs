//! What a run tells before any person is shown: counts, by class, by place, and with other thresholds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::find::Found;
use crate::domain::coverage::Whole;
use crate::domain::exposure::{Question, With};
use crate::domain::rule_pack::Class;
use crate::store::cases::TrailRow;

/// How many places are listed; the others are counted together.
const PLACES_MAX: usize = 200;

/// A place where contacts met the case.
#[derive(Debug, Serialize)]
struct PlaceCount {
    /// The venue; absent where no more is known than the address.
    venue: Option<Uuid>,
    /// Its name.
    name: String,
    /// How many contacts have counted evidence there.
    contacts: usize,
}

/// The counts of a run, and how complete they can be. `rows` are the trail with its names.
pub fn summary(question: &Question<'_>, rows: &[TrailRow], found: &Found, coverage: &Whole) -> Value {
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    let mut colours: BTreeMap<String, usize> = BTreeMap::new();
    for contact in &found.contacts {
        *classes.entry(word(contact.class)).or_default() += 1;
        *colours.entry(word(contact.colour)).or_default() += 1;
    }
    let mut places = by_place(question, rows, found);
    let left_out = places.len().saturating_sub(PLACES_MAX);
    places.truncate(PLACES_MAX);
    json!({
        "trail_stays": question.trail.len(),
        "places": question.trail.iter().filter_map(|stay| stay.venue).collect::<BTreeSet<Uuid>>().len(),
        "exposures": found.exposures.len(),
        "exposed_visitors": found.exposures.iter().map(|exposure| exposure.visitor).collect::<BTreeSet<_>>().len(),
        "contacts": found.contacts.len(),
        "classes": classes,
        "colours": colours,
        "by_place": places,
        "by_place_left_out": left_out,
        "sensitivity": sensitivity(&found.sensitivity),
        "coverage": coverage,
    })
}

/// The part of a summary that names no place, for the audit log.
pub fn bare(summary: &Value) -> Value {
    let keys = ["trail_stays", "places", "exposures", "exposed_visitors", "contacts", "classes", "colours"];
    keys.iter().map(|key| ((*key).to_owned(), summary.get(key).cloned().unwrap_or_default())).collect()
}

/// At which places of the trail contacts met the case, the most contacts first.
fn by_place(question: &Question<'_>, rows: &[TrailRow], found: &Found) -> Vec<PlaceCount> {
    let venues: HashMap<Uuid, Option<Uuid>> =
        question.trail.iter().map(|stay| (stay.id, stay.venue)).collect();
    let names: HashMap<Uuid, &str> = rows.iter().map(|row| (row.id, row.venue_name.as_str())).collect();
    let mut people: BTreeMap<(Option<Uuid>, &str), BTreeSet<_>> = BTreeMap::new();
    for contact in &found.contacts {
        for exposure in contact.evidence.iter().filter_map(|at| found.exposures.get(*at)) {
            if let With::Case(stay) = exposure.with
                && let Some(name) = names.get(&stay)
            {
                let venue = venues.get(&stay).copied().flatten();
                people.entry((venue, name)).or_default().insert(contact.visitor);
            }
        }
    }
    let mut places: Vec<PlaceCount> = people
        .into_iter()
        .map(|((venue, name), met)| PlaceCount { venue, name: name.to_owned(), contacts: met.len() })
        .collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.contacts));
    places
}

/// By minutes: how many contacts there would be, in all and by class.
fn sensitivity(tried: &[(u32, BTreeMap<Class, usize>)]) -> Value {
    let one = |(mins, classes): &(u32, BTreeMap<Class, usize>)| {
        let by_class: BTreeMap<String, usize> =
            classes.iter().map(|(class, count)| (word(*class), *count)).collect();
        let all: usize = classes.values().sum();
        (mins.to_string(), json!({ "contacts": all, "classes": by_class }))
    };
    tried.iter().map(one).collect()
}

/// The word that a value has in JSON.
pub fn word(value: impl Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}
