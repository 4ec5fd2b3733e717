//! What a rule pack must keep to, beyond its shape.

use std::collections::BTreeMap;

use super::{ClassRule, InvalidPack, NOT_PUBLISHED, Provenance, RulePack, sense};
use crate::domain::exposure::Relation;
use crate::domain::scan::Presence;

/// The keys of a class whose numbers must name their source.
type Numbers = Vec<&'static str>;

impl RulePack {
    pub(super) fn check(&self) -> Result<(), InvalidPack> {
        self.check_head()?;
        sense::check_head(self)?;
        self.check_infectious()?;
        self.check_time()?;
        if self.classes.is_empty() {
            return refuse("class", "must name at least one class");
        }
        for (at, class) in self.classes.iter().enumerate() {
            let key = |name: &str| format!("class[{at}].{name}");
            check_class(class, &key)?;
            sense::check_class(self, class, &key)?;
            self.check_earlier(at, class, &key)?;
            self.check_source(&class.source, &class_numbers(class), &key("source"))?;
        }
        sense::check_sources(self)
    }

    fn check_head(&self) -> Result<(), InvalidPack> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.id.is_empty() || self.id.len() > 40 || !self.id.chars().all(plain) {
            return refuse("id", "must be 1 to 40 lower-case letters, digits and hyphens");
        }
        if self.version < 1 {
            return refuse("version", "must be 1 or more");
        }
        if self.index_kinds.is_empty() {
            return refuse("index_kinds", "must name at least one kind of case");
        }
        if self.effective_until.is_some_and(|until| until <= self.effective_from) {
            return refuse("effective_until", "must lie after `effective_from`");
        }
        Ok(())
    }

    fn check_infectious(&self) -> Result<(), InvalidPack> {
        let infectious = &self.infectious;
        let back = [
            ("infectious.before_onset_days", infectious.before_onset_days),
            ("infectious.before_sample_days", infectious.before_sample_days),
        ];
        if let Some((key, _)) = back.iter().find(|(_, days)| *days > 28) {
            return refuse(key, "must not look back further than 28 days");
        }
        if infectious.after_days.is_some_and(|days| days > 60) {
            return refuse("infectious.after_days", "must not exceed 60");
        }
        let mut numbers = vec!["before_onset_days", "before_sample_days"];
        numbers.extend(infectious.after_days.map(|_| "after_days"));
        let weights = [
            ("weight_percent", &infectious.weight_percent),
            ("weight_percent_sample", &infectious.weight_percent_sample),
        ];
        for (name, weights) in weights {
            let Some(weights) = weights else { continue };
            numbers.push(name);
            for (day, weight) in weights {
                if day.parse::<i32>().map_or(true, |day| !(-28..=60).contains(&day)) || *weight > 10_000 {
                    let key = format!("infectious.{name}");
                    return refuse(&key, "has days from -28 to 60 and weights up to 10,000");
                }
            }
        }
        self.check_source(&infectious.source, &numbers, "infectious.source")
    }

    fn check_time(&self) -> Result<(), InvalidPack> {
        let time = &self.time;
        for (key, round) in [("time.round_case", time.round_case), ("time.round_visitor", time.round_visitor)]
        {
            if round.is_some_and(|round| !(1..=1440).contains(&round.mins) || 1440 % round.mins != 0) {
                return refuse(key, "must have a step of 1 to 1,440 minutes that divides a day");
            }
        }
        let grace = [
            ("time.grace_before_secs", time.grace_before_secs),
            ("time.grace_after_secs", time.grace_after_secs),
        ];
        if let Some((key, _)) = grace.iter().find(|(_, secs)| *secs > 86_400) {
            return refuse(key, "must not exceed a day");
        }
        if time.round_meeting_secs > 86_400 {
            return refuse("time.round_meeting_secs", "must not exceed a day");
        }
        if time.linger.is_some_and(|linger| linger.max_mins > 1440 || linger.percent > 1000) {
            return refuse("time.linger", "must not exceed 1,440 minutes and 1,000 percent");
        }
        if let Some(sampling) = time.sampling {
            let frames = sampling.every_mins > 0
                && sampling.frame_mins <= 1440
                && sampling.frame_mins.is_multiple_of(sampling.every_mins);
            let samples = sampling.frame_mins.checked_div(sampling.every_mins).unwrap_or(0);
            if !frames || !(1..=samples).contains(&sampling.needed) {
                return refuse(
                    "time.sampling",
                    "must have frames of whole samples, and need 1 sample to all of them",
                );
            }
        }
        match &time.source {
            Some(source) => self.check_source(source, &[], "time.source"),
            None if *time != super::TimeRule::default() => {
                refuse("time.source", "must say where the rule comes from")
            }
            None => Ok(()),
        }
    }

    /// Several rules of a class are told apart by name, and lead to the same.
    fn check_earlier(
        &self,
        at: usize,
        class: &ClassRule,
        key: &impl Fn(&str) -> String,
    ) -> Result<(), InvalidPack> {
        for earlier in self.classes.iter().take(at).filter(|earlier| earlier.class == class.class) {
            if earlier.rule == class.rule {
                return refuse(&key("class"), "stands twice; give each a `rule` of its own");
            }
            if (earlier.colour, earlier.days) != (class.colour, class.days) {
                return refuse(&key("colour"), "and days must be those of the other rules of this class");
            }
        }
        Ok(())
    }

    fn check_source(&self, source: &Provenance, numbers: &[&str], key: &str) -> Result<(), InvalidPack> {
        match source {
            Provenance::Whole(text) if text.trim().is_empty() => {
                refuse(key, "must say where the numbers come from")
            }
            Provenance::Whole(_) => Ok(()),
            Provenance::Each(sources) => {
                for number in numbers {
                    if !sources.contains_key(*number) {
                        return refuse(
                            &format!("{key}.{number}"),
                            "is missing: name a source, or `not published`",
                        );
                    }
                }
                check_names(sources, &self.source, key)
            }
        }
    }
}

pub(super) fn check_names(
    sources: &BTreeMap<String, String>,
    known: &BTreeMap<String, super::Source>,
    key: &str,
) -> Result<(), InvalidPack> {
    for (number, name) in sources {
        let chosen = name.strip_prefix(NOT_PUBLISHED).and_then(|rest| rest.strip_prefix(':'));
        if chosen.is_some_and(|chosen| chosen.trim().is_empty()) {
            return refuse(&format!("{key}.{number}"), "must say behind the colon what was chosen and why");
        }
        if chosen.is_none() && name != NOT_PUBLISHED && !known.contains_key(name) {
            let reason =
                format!("names `{name}`, which is no [source.…] of this pack and not `{NOT_PUBLISHED}`");
            return refuse(&format!("{key}.{number}"), &reason);
        }
    }
    Ok(())
}

fn check_class(class: &ClassRule, key: &impl Fn(&str) -> String) -> Result<(), InvalidPack> {
    if class.relations.is_empty() {
        return refuse(&key("relations"), "must name at least one relation");
    }
    if class.granularities.is_empty() {
        return refuse(&key("granularities"), "must name at least one granularity");
    }
    if class.presence_min == Presence::Contradicted {
        return refuse(&key("presence_min"), "must not admit contradicted presence");
    }
    if class.within_hours.is_some_and(|hours| !(1..=336).contains(&hours)) {
        return refuse(&key("within_hours"), "must lie between 1 and 336");
    }
    if class.within_hours.is_some() && class.within.is_some() {
        return refuse(&key("within"), "must not stand beside `within_hours`");
    }
    if !(1..=60).contains(&class.days) {
        return refuse(&key("days"), "must lie between 1 and 60");
    }
    if class.relations.contains(&Relation::AfterCase) != class.after_case_mins.is_some() {
        return refuse(&key("after_case_mins"), "stands with the relation `after_case`, and only with it");
    }
    if class.after_case_mins.is_some_and(|mins| !(1..=1440).contains(&mins)) {
        return refuse(&key("after_case_mins"), "must lie between 1 and 1,440");
    }
    if class.companion.is_some_and(|rule| !(1..=28).contains(&rule.within_days)) {
        return refuse(&key("companion.within_days"), "must lie between 1 and 28");
    }
    if class.secondary.as_ref().is_some_and(|rule| rule.of.is_empty() || !(1..=3).contains(&rule.depth)) {
        return refuse(&key("secondary"), "names classes, and a depth of 1 to 3");
    }
    if class.rule.as_ref().is_some_and(|rule| rule.is_empty() || rule.len() > 40) {
        return refuse(&key("rule"), "must have 1 to 40 bytes");
    }
    Ok(())
}

fn class_numbers(class: &ClassRule) -> Numbers {
    let mut numbers = vec!["together_mins", "days"];
    numbers.extend(class.within_hours.map(|_| "within_hours"));
    numbers.extend(class.meetings_min.map(|_| "meetings_min"));
    numbers.extend(class.rows_apart_max.map(|_| "rows_apart_max"));
    numbers.extend(class.after_case_mins.map(|_| "after_case_mins"));
    numbers.extend(class.companion.map(|_| "companion"));
    numbers.extend(class.secondary.as_ref().map(|_| "secondary"));
    numbers.extend(class.end.as_ref().map(|_| "end"));
    numbers.extend(class.release.as_ref().map(|_| "release"));
    numbers
}

pub(super) fn refuse<T>(key: &str, reason: &str) -> Result<T, InvalidPack> {
    Err(InvalidPack::value(key, reason))
}
