//! A run as lines for a person: counts by class, colour and place, and with other thresholds.

use anyhow::Context;
use serde_json::Value;

use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Class;
use crate::store::differences::Cell;
use crate::store::runs::RunRow;

/// How many places are printed.
const PLACES: usize = 20;

/// What a run says of itself and what it found.
pub(crate) fn run_lines(run: &RunRow) -> anyhow::Result<Vec<String>> {
    let dry = if run.dry { ", dry: it is never proposed" } else { "" };
    let mut lines = vec![
        line("run", format!("{}{dry}", run.id)),
        line("pack", format!("{}@{}", run.pack_id, run.pack_version)),
        line("state", serde_json::json!(run.state()?).as_str().unwrap_or_default()),
    ];
    if let (Some(from), Some(until)) = (run.infectious_from, run.infectious_until) {
        lines.push(line("infectious", format!("{from} to {until}")));
    }
    if let Some(missing) = &run.incomplete {
        let more = if missing.get("at_least") == Some(&Value::Bool(true)) { " at least" } else { "" };
        let waited = format!(
            "{} scans in {} entries were not stored when it was computed{more}",
            number(missing, "scans"),
            number(missing, "entries")
        );
        lines.push(line("INCOMPLETE", waited));
    }
    if let Some(found) = &run.summary {
        summary_lines(found, &mut lines);
    }
    if let Some(digest) = run.result_digest.as_deref() {
        lines.push(line("digest", crate::domain::audit::hex(digest)));
    }
    Ok(lines)
}

fn summary_lines(found: &Value, lines: &mut Vec<String>) {
    let places = format!("{} stays at {} venues", number(found, "trail_stays"), number(found, "places"));
    lines.push(line("trail", places));
    let met = format!("{} people, {} times", number(found, "exposed_visitors"), number(found, "exposures"));
    lines.push(line("met", met));
    lines.push(line("contacts", number(found, "contacts").to_string()));
    for (word, count) in counts(found.get("classes")) {
        lines.push(line(&format!("  {word}"), count.to_string()));
    }
    for (word, count) in counts(found.get("colours")) {
        lines.push(line(&format!("  {word}"), count.to_string()));
    }
    let tried = found.get("sensitivity").and_then(Value::as_object);
    let mut tried: Vec<_> = tried.into_iter().flatten().collect();
    tried.sort_by_key(|(mins, _)| mins.parse::<u32>().unwrap_or(0));
    for (mins, with) in tried {
        let by_class: Vec<String> =
            counts(with.get("classes")).iter().map(|(word, count)| format!("{word} {count}")).collect();
        let text = format!("{} contacts  {}", number(with, "contacts"), by_class.join(", "));
        lines.push(line(&format!("at {mins} min"), text.trim_end()));
    }
    let places = found.get("by_place").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for place in places.iter().take(PLACES) {
        let name = place.get("name").and_then(Value::as_str).unwrap_or_default();
        lines.push(line("place", format!("{} contacts at {name}", number(place, "contacts"))));
    }
    let others = places.len().saturating_sub(PLACES);
    if others > 0 {
        lines.push(line("place", format!("and {others} others")));
    }
}

/// How the contacts of two runs differ.
pub(crate) fn difference_lines(cells: &[Cell]) -> anyhow::Result<Vec<String>> {
    let word = |class: Option<i16>| -> anyhow::Result<String> {
        let Some(class) = class else { return Ok("nobody".to_owned()) };
        let class = Class::from_number(class).context("a contact holds a class that cannot be")?;
        Ok(serde_json::json!(class).as_str().unwrap_or_default().to_owned())
    };
    let mut lines = vec![line("difference", "class under the first pack -> under the second")];
    for cell in cells {
        let same = (cell.from_class, cell.from_colour) == (cell.to_class, cell.to_colour);
        let mark = if same { "" } else { "  *" };
        let text = format!("{} -> {}{mark}", word(cell.from_class)?, word(cell.to_class)?);
        lines.push(line(&format!("  {}", cell.count), text));
    }
    Ok(lines)
}

fn line(name: &str, text: impl AsRef<str>) -> String {
    format!("{name:<16}{}", text.as_ref())
}

fn number(of: &Value, key: &str) -> i64 {
    of.get(key).and_then(Value::as_i64).unwrap_or(0)
}

fn counts(of: Option<&Value>) -> Vec<(&str, i64)> {
    let pairs = of.and_then(Value::as_object);
    pairs.into_iter().flatten().map(|(word, count)| (word.as_str(), count.as_i64().unwrap_or(0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_line_by_line() {
        let found = serde_json::json!({
            "trail_stays": 3, "places": 2, "exposures": 9, "exposed_visitors": 5, "contacts": 4,
            "classes": { "close": 1, "exposed_place": 3 }, "colours": { "red": 1, "yellow": 3 },
            "sensitivity": { "30": { "contacts": 2, "classes": { "close": 2 } }, "10": { "contacts": 5, "classes": {} } },
            "by_place": [{ "venue": null, "name": "老茶馆", "contacts": 4 }],
        });
        let mut lines = Vec::new();
        summary_lines(&found, &mut lines);
        let expected = [
            "trail           3 stays at 2 venues",
            "met             5 people, 9 times",
            "contacts        4",
            "  close         1",
            "  exposed_place 3",
            "  red           1",
            "  yellow        3",
            "at 10 min       5 contacts",
            "at 30 min       2 contacts  close 2",
            "place           4 contacts at 老茶馆",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_difference_marks_what_is_not_the_same() {
        let cell = |from, to, count| Cell {
            from_class: from,
            from_colour: from.map(|_| 1),
            to_class: to,
            to_colour: to.map(|_| 1),
            count,
        };
        let lines = difference_lines(&[cell(Some(3), Some(3), 7), cell(None, Some(0), 2)]).unwrap();
        assert_eq!(
            lines[1..],
            ["  7             exposed_place -> exposed_place", "  2             nobody -> close  *"]
        );
    }
}
