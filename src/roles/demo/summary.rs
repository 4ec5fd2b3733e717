//! What the demo says at its end, and whether anything fell short.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::play::Seen;
use crate::roles::terminal::say;

/// What Postgres holds when the play is over.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) scans: i64,
    pub(super) stays: i64,
    pub(super) contradicted: i64,
    pub(super) waiting_entries: u64,
    pub(super) letters: i64,
    pub(super) open_colours: BTreeMap<String, i64>,
}

/// Prints the summary and returns what fell short.
pub(super) fn summarise(seen: &Seen, stored: &Stored) -> Vec<String> {
    say("");
    say("What happened");
    row("scans accepted over HTTP", seen.scans);
    row("scans stored in Postgres", stored.scans);
    row("stays computed from them", stored.stays);
    row("stays whose presence is contradicted", stored.contradicted);
    for (number, case) in seen.cases.iter().enumerate() {
        let count = |name: &str| case.get(name).and_then(Value::as_i64).unwrap_or_default();
        let stays = count("trail_stays");
        let (places, exposures, contacts) = (count("places"), count("exposures"), count("contacts"));
        say(format!(
            "  case {}: {stays} stays at {places} places, {exposures} exposures, {contacts} contacts {}",
            number + 1,
            words(case.get("classes"))
        ));
    }
    for (when, shown) in &seen.colours {
        say(format!("  colours {when}: {}", words(shown.get("visitors"))));
    }
    say(format!("  people with the forwarded photo: {:?}", seen.photo_colours));
    row("entries in the audit log, chain verified", seen.audited);
    explain(seen.explained.as_ref());
    say("");
    say("Time of each arrow");
    for (arrow, took) in grouped(&seen.arrows) {
        say(format!("  {arrow:<52} {took}"));
    }
    say("");
    short(seen, stored)
}

fn row(what: &str, count: impl std::fmt::Display) {
    say(format!("  {what:<44} {count:>9}"));
}

fn words(counts: Option<&Value>) -> String {
    let Some(Value::Object(counts)) = counts else { return String::new() };
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    format!("({})", parts.join(", "))
}

fn explain(shown: Option<&Value>) {
    let Some(shown) = shown else { return };
    let part = |path: &str| shown.pointer(path).and_then(Value::as_str).unwrap_or("?");
    say(format!(
        "  why one of them is {}: {} by {}, at {} between {} and {}, decided by {}",
        part("/colour"),
        part("/assignments/0/class"),
        part("/assignments/0/rule_pack"),
        part("/assignments/0/exposures/0/place"),
        part("/assignments/0/exposures/0/from"),
        part("/assignments/0/exposures/0/until"),
        part("/assignments/0/authority"),
    ));
}

/// The arrows by name, each with its count and its median.
fn grouped(arrows: &[(String, Duration)]) -> Vec<(String, String)> {
    let mut by_name: Vec<(&str, Vec<Duration>)> = Vec::new();
    for (name, took) in arrows {
        match by_name.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => all.push(*took),
            None => by_name.push((name, vec![*took])),
        }
    }
    let told = |(name, mut all): (&str, Vec<Duration>)| {
        all.sort_unstable();
        let median = all.get(all.len() / 2).copied().unwrap_or_default();
        let times = if all.len() > 1 { format!(" (median of {})", all.len()) } else { String::new() };
        (name.to_owned(), format!("{:.2} s{times}", median.as_secs_f64()))
    };
    by_name.into_iter().map(told).collect()
}

/// What is not as it must be.
fn short(seen: &Seen, stored: &Stored) -> Vec<String> {
    let mut short = Vec::new();
    let mut must = |fine: bool, what: String| {
        if !fine {
            short.push(what);
        }
    };
    let accepted = i64::try_from(seen.scans).unwrap_or_default();
    must(stored.scans == accepted, format!("{accepted} scans were accepted and {} stored", stored.scans));
    must(stored.waiting_entries == 0, format!("{} log entries are not drained", stored.waiting_entries));
    let contacts =
        seen.cases.iter().filter(|case| case.get("contacts").and_then(Value::as_i64) > Some(0)).count();
    must(contacts == seen.cases.len() && contacts > 0, "a case has no contacts".to_owned());
    let only_green = seen.photo_colours.keys().all(|colour| colour == "green");
    must(only_green && !seen.photo_colours.is_empty(), "a forwarded photo gave a colour".to_owned());
    let last = seen.colours.last().and_then(|(_, shown)| shown.get("visitors"));
    for colour in ["yellow", "red"] {
        let shown = last.and_then(|colours| colours.get(colour)).and_then(Value::as_i64).unwrap_or_default();
        let open = stored.open_colours.get(colour).copied().unwrap_or_default();
        must(shown == open, format!("the issuing system shows {shown} {colour}, and {open} were let go"));
    }
    let applied =
        seen.colours.last().and_then(|(_, shown)| shown.pointer("/letters/applied")).and_then(Value::as_i64);
    must(
        applied == Some(stored.letters),
        format!("{} letters were written, {applied:?} applied", stored.letters),
    );
    short
}
