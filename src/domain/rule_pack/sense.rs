//! What a rule pack cannot mean: rules that nobody could ever meet, and sources that support nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Datelike;
use serde::Serialize;

use super::check::{check_names, refuse};
use super::{
    Class, ClassRule, Colour, EndConditions, InvalidPack, Provenance, RulePack, Source, Tests, Within,
};
use crate::domain::exposure::Relation;
use crate::domain::venue::{Division, Granularity};

/// Years in which rules may begin and sources may have been published.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;

pub(super) fn check_head(pack: &RulePack) -> Result<(), InvalidPack> {
    for (key, title) in [("title_zh", &pack.title_zh), ("title_en", &pack.title_en)] {
        if title.trim().is_empty() || title.len() > 200 {
            return refuse(key, "must have 1 to 200 bytes");
        }
    }
    let days = [
        Some(("effective_from", pack.effective_from)),
        pack.effective_until.map(|until| ("effective_until", until)),
    ];
    for (key, day) in days.into_iter().flatten() {
        if !YEARS.contains(&day.year()) {
            return refuse(key, "must lie between the years 2000 and 2100");
        }
    }
    if pack.jurisdiction.as_deref().is_some_and(|place| !is_jurisdiction(place)) {
        return refuse(
            "jurisdiction",
            "must be a division code of GB/T 2260, such as `330100`, or a country or region of ISO 3166, such as `NZ` or `AU-NSW`",
        );
    }
    if twice(&pack.index_kinds) {
        return refuse("index_kinds", "must not name a kind of case twice");
    }
    if pack.not_computed.iter().any(|text| text.trim().is_empty()) {
        return refuse("not_computed", "must not hold an empty text");
    }
    Ok(())
}

fn is_jurisdiction(text: &str) -> bool {
    let (country, region) =
        text.split_once('-').map_or((text, None), |(country, region)| (country, Some(region)));
    let letters = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    let region = region.is_none_or(|region| {
        (1..=3).contains(&region.len())
            && region.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    });
    (letters && region) || text.parse::<Division>().is_ok()
}

fn twice<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().any(|(at, one)| list.iter().take(at).any(|other| other == one))
}

pub(super) fn check_class(
    pack: &RulePack,
    class: &ClassRule,
    key: &impl Fn(&str) -> String,
) -> Result<(), InvalidPack> {
    check_lists(pack, class, key)?;
    check_order(pack, class, key)?;
    check_minutes(class, key)?;
    if pack.time.round_meeting_secs > 0 && class.within_hours.is_some() {
        return refuse(&key("within_hours"), "must not stand beside `time.round_meeting_secs`");
    }
    if class.meetings_min == Some(0) {
        return refuse(&key("meetings_min"), "must be 1 or more");
    }
    let in_vehicle = class.granularities.contains(&Granularity::Vehicle)
        && class.relations.iter().any(|near| matches!(near, Relation::SamePoint | Relation::SameVenue));
    if class.rows_apart_max.is_some() && !in_vehicle {
        return refuse(
            &key("rows_apart_max"),
            "needs the granularity `vehicle`, and the relation `same_point` or `same_venue`",
        );
    }
    if let Some(rule) = class.companion {
        if !class.relations.contains(&Relation::NearbyCell) {
            return refuse(&key("companion"), "needs the relation `nearby_cell`");
        }
        if rule.stay_hours >= rule.within_days.saturating_mul(24) {
            return refuse(&key("companion.stay_hours"), "must be fewer than `within_days` have");
        }
    }
    if class.class == Class::Secondary && class.secondary.is_none() {
        return refuse(&key("secondary"), "must say of which classes these are the contacts");
    }
    if let Some(rule) = &class.secondary
        && !rule.of.iter().all(|of| earlier(pack, class).any(|other| other.class == *of))
    {
        return refuse(&key("secondary.of"), "must name classes that stand before this one");
    }
    if class.release.as_ref().is_some_and(|rule| rule.authority.trim().is_empty()) {
        return refuse(&key("release.authority"), "must say who");
    }
    class.end.as_ref().map_or(Ok(()), |end| check_end(class, end, key))
}

/// The classes that stand before one.
fn earlier<'a>(pack: &'a RulePack, class: &'a ClassRule) -> impl Iterator<Item = &'a ClassRule> {
    pack.classes.iter().take_while(move |other| *other != class)
}

/// A visitor gets the first class that is met, so a weaker one before a stronger would hide it.
fn check_order(pack: &RulePack, class: &ClassRule, key: &impl Fn(&str) -> String) -> Result<(), InvalidPack> {
    if earlier(pack, class).map(|other| other.colour).min().is_some_and(|weakest| weakest < class.colour) {
        return refuse(
            &key("colour"),
            "is stronger than that of a class before it; the strongest come first",
        );
    }
    Ok(())
}

fn check_lists(pack: &RulePack, class: &ClassRule, key: &impl Fn(&str) -> String) -> Result<(), InvalidPack> {
    let kinds = class.index_kinds.as_deref();
    if kinds
        .is_some_and(|kinds| kinds.is_empty() || !kinds.iter().all(|kind| pack.index_kinds.contains(kind)))
    {
        return refuse(&key("index_kinds"), "must name some of the kinds that the pack counts");
    }
    if class.categories.as_ref().is_some_and(Vec::is_empty) {
        return refuse(&key("categories"), "must name at least one category, or be left out");
    }
    if class.ended_by.as_ref().is_some_and(Vec::is_empty) {
        return refuse(&key("ended_by"), "must name at least one way, or be left out");
    }
    let doubled = [
        ("index_kinds", kinds.is_some_and(twice)),
        ("relations", twice(&class.relations)),
        ("granularities", twice(&class.granularities)),
        ("categories", class.categories.as_deref().is_some_and(twice)),
        ("ended_by", class.ended_by.as_deref().is_some_and(twice)),
    ];
    match doubled.iter().find(|(_, twice)| *twice) {
        Some((name, _)) => refuse(&key(name), "must not name the same twice"),
        None => Ok(()),
    }
}

/// The minutes that are needed must fit into the time over which they are added up.
fn check_minutes(class: &ClassRule, key: &impl Fn(&str) -> String) -> Result<(), InvalidPack> {
    // A day by the city's clock may have an hour more than others.
    let room = match (class.within_hours, class.within) {
        (Some(hours), _) => hours.saturating_mul(60),
        (None, Some(Within::DayUtc)) => 24 * 60,
        (None, Some(Within::DayLocal)) => 25 * 60,
        (None, _) => 28 * 24 * 60,
    };
    if class.together_mins > room || (class.more_than && class.together_mins == room) {
        return refuse(&key("together_mins"), &format!("can never be met: the time has {room} minutes"));
    }
    Ok(())
}

fn check_end(
    class: &ClassRule,
    end: &EndConditions,
    key: &impl Fn(&str) -> String,
) -> Result<(), InvalidPack> {
    if *end == EndConditions::default() {
        return refuse(&key("end"), "must say what ends it: `tests`, `check_ins`, `steps` or `by_authority`");
    }
    for (name, tests) in end
        .tests
        .iter()
        .map(|tests| ("end.tests", tests))
        .chain(end.or_tests.iter().map(|tests| ("end.or_tests", tests)))
    {
        if !fits(*tests, class.days) {
            return refuse(&key(name), "must be 1 or more tests that fit into `within_days` and `days`");
        }
    }
    if end.tests.is_none() && !end.or_tests.is_empty() {
        return refuse(&key("end.or_tests"), "stands beside `tests`, as another way");
    }
    let mut before = (0, class.colour);
    for rule in &end.check_ins {
        if rule.count <= before.0 || rule.count > class.days || rule.colour >= before.1 {
            return refuse(&key("end.check_ins"), "must rise in count, up to `days`, and fall in colour");
        }
        before = (rule.count, rule.colour);
    }
    let mut before = (0, class.colour);
    for step in &end.steps {
        // Green is what the days themselves end in.
        let ends = step.colour == Colour::Green;
        if step.after_days <= before.0 || step.after_days >= class.days || step.colour >= before.1 || ends {
            return refuse(
                &key("end.steps"),
                "must rise in `after_days`, below `days`, and fall in colour, green not among them",
            );
        }
        before = (step.after_days, step.colour);
    }
    Ok(())
}

fn fits(tests: Tests, days: u32) -> bool {
    let Tests { count, apart_hours, within_days, after_days } = tests;
    let hours = count.saturating_sub(1).saturating_mul(apart_hours);
    let room = within_days.unwrap_or(days);
    count >= 1
        && (1..=days).contains(&room)
        && hours <= room * 24
        && after_days.is_none_or(|after| after < days)
}

/// The sources: each is well formed, and some number rests on each.
pub(super) fn check_sources(pack: &RulePack) -> Result<(), InvalidPack> {
    for (name, source) in &pack.source {
        check_source(source, &|key| format!("source.{name}.{key}"))?;
    }
    check_names(&pack.based_on, &pack.source, "based_on")?;
    let head = serde_json::to_value(pack).unwrap_or_default();
    check_keys(&pack.based_on, &head, "based_on")?;
    let mut used: BTreeSet<&String> = pack.based_on.values().collect();
    used.extend(check_part(&pack.infectious, Some(&pack.infectious.source), "infectious")?);
    used.extend(check_part(&pack.time, pack.time.source.as_ref(), "time")?);
    for (at, class) in pack.classes.iter().enumerate() {
        used.extend(check_part(class, Some(&class.source), &format!("class[{at}]"))?);
    }
    match pack.source.keys().find(|name| !used.contains(name)) {
        // A part whose source is one text may mean any of them.
        Some(name) if !has_whole(pack) => refuse(
            &format!("source.{name}"),
            "is named by no number; name it where it belongs, or leave it out",
        ),
        _ => Ok(()),
    }
}

fn check_source(source: &Source, key: &impl Fn(&str) -> String) -> Result<(), InvalidPack> {
    if source.title.trim().is_empty() {
        return refuse(&key("title"), "must say what the source is called");
    }
    let address = |text: &str| {
        url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    if source.url.as_deref().is_some_and(|text| !address(text)) {
        return refuse(&key("url"), "must be an http or https address, or be left out");
    }
    if source.date.is_some_and(|date| !YEARS.contains(&date.year())) {
        return refuse(&key("date"), "must lie between the years 2000 and 2100");
    }
    Ok(())
}

/// Which sources a part names; each for a key that the part has and that is given.
fn check_part<'a>(
    part: &impl Serialize,
    source: Option<&'a Provenance>,
    key: &str,
) -> Result<Vec<&'a String>, InvalidPack> {
    let Some(Provenance::Each(sources)) = source else { return Ok(Vec::new()) };
    let written = serde_json::to_value(part).unwrap_or_default();
    check_keys(sources, &written, &format!("{key}.source"))?;
    Ok(sources.values().collect())
}

fn check_keys(
    sources: &BTreeMap<String, String>,
    written: &serde_json::Value,
    key: &str,
) -> Result<(), InvalidPack> {
    for name in sources.keys() {
        match written.get(name) {
            None => return refuse(&format!("{key}.{name}"), "is no key that stands beside it"),
            Some(serde_json::Value::Null) => {
                return refuse(&format!("{key}.{name}"), "names a source for a key that is not given");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn has_whole(pack: &RulePack) -> bool {
    let parts = [Some(&pack.infectious.source), pack.time.source.as_ref()].into_iter().flatten();
    parts
        .chain(pack.classes.iter().map(|class| &class.source))
        .any(|part| matches!(part, Provenance::Whole(_)))
}
