//! Files for WHO Go.Data. The columns are the names of its fields and the values the ids of its reference data, which
//! its import recognises by themselves in every language.

use chrono::{DateTime, FixedOffset, Utc};

use super::cell::{Cell, CellKind, Column, Row, column};
use super::contact::Person;
use super::line_list::CaseFacts;
use crate::domain::case::CaseKind;
use crate::domain::rule_pack::Colour;
use crate::domain::scan::Presence;
use crate::domain::visitor::Visitor;
use crate::domain::words::word;

/// The columns of cases.
pub const CASES: &[Column] = &[
    column("id", CellKind::Text),
    column("firstName", CellKind::Text),
    column("lastName", CellKind::Text),
    column("dateOfReporting", CellKind::Text),
    column("dateOfOnset", CellKind::Text),
    column("classification", CellKind::Text),
];

/// The columns of contacts, and of contacts of contacts: the person, then the relationship with whom was met.
pub const CONTACTS: &[Column] = &[
    column("id", CellKind::Text),
    column("firstName", CellKind::Text),
    column("lastName", CellKind::Text),
    column("dateOfReporting", CellKind::Text),
    column("riskLevel", CellKind::Text),
    column("riskReason", CellKind::Text),
    column("persons[].id", CellKind::Text),
    column("dateOfFirstContact", CellKind::Text),
    column("contactDate", CellKind::Text),
    column("contactDateEstimated", CellKind::Flag),
    column("certaintyLevelId", CellKind::Text),
    column("exposureTypeId", CellKind::Text),
    column("exposureFrequencyId", CellKind::Text),
    column("exposureDurationId", CellKind::Text),
    column("comment", CellKind::Text),
];

/// The family name of everybody: the service knows nobody's.
pub const LAST_NAME: &str = "placecode";

fn reference(category: &str, value: &str) -> Cell {
    Cell::Text(format!("LNG_REFERENCE_DATA_CATEGORY_{category}_{value}"))
}

fn day(at: DateTime<Utc>, offset: FixedOffset) -> Cell {
    Cell::Text(at.with_timezone(&offset).date_naive().to_string())
}

/// A case. Its id is its pseudonym, so that its contacts find it whatever mask the outbreak has for visible ids.
pub fn case_row(case: &CaseFacts, offset: FixedOffset) -> Row {
    let hex = case.visitor.to_hex();
    let classification = match case.kind {
        CaseKind::Confirmed | CaseKind::Asymptomatic => "CONFIRMED",
        CaseKind::Suspected => "SUSPECT",
    };
    vec![
        Cell::text(hex.clone()),
        Cell::text(hex),
        Cell::text(LAST_NAME),
        day(case.reported_at, offset),
        case.onset_at.map_or(Cell::Empty, |at| day(at, offset)),
        reference("CASE_CLASSIFICATION", classification),
    ]
}

/// A contact with its relationship to `with`: the case, or the contact through whom it was exposed.
pub fn contact_row(person: &Person, with: Visitor, reported_at: DateTime<Utc>, offset: FixedOffset) -> Row {
    let hex = person.visitor.to_hex();
    let risk = match person.colour {
        Colour::Red => "3_HIGH",
        Colour::Yellow => "2_MEDIUM",
        Colour::Green => "1_LOW",
    };
    let certainty = match person.presence() {
        Some(Presence::Verified) => "3_HIGH",
        Some(Presence::Plausible) => "2_MEDIUM",
        Some(Presence::Unproven | Presence::Contradicted) | None => "1_LOW",
    };
    let frequency = match person.meetings {
        ..1 => "UNKNOWN",
        1..=5 => "1_5_TIMES",
        6..=10 => "6_10_TIMES",
        11..=20 => "11_20_TIMES",
        21.. => "OVER_21_TIMES",
    };
    let duration = match person.together_secs {
        ..60 => "VERY_SHORT_SECONDS",
        60..3_600 => "SHORT_MINUTES",
        3_600..86_400 => "MEDIUM_HOURS",
        86_400.. => "LONG_DAYS",
    };
    let relation = person.relation().map(word).unwrap_or_default();
    let granularity = person.granularity().map(word).unwrap_or_default();
    let comment = format!(
        "place codes: {relation} ({granularity}), {} min, {}",
        person.together_secs / 60,
        person.venues().1.join("; ")
    );
    vec![
        Cell::text(hex.clone()),
        Cell::text(hex),
        Cell::text(LAST_NAME),
        day(reported_at, offset),
        reference("RISK_LEVEL", risk),
        Cell::text(word(person.class)),
        Cell::text(with.to_hex()),
        day(person.first_at, offset),
        day(person.last_at, offset),
        Cell::Flag(false),
        reference("CERTAINTY_LEVEL", certainty),
        // A scan tells that two were at one place, never that they touched.
        reference("EXPOSURE_TYPE", "OTHER_PLEASE_SPECIFY_IN_COMMENT_FIELD"),
        reference("EXPOSURE_FREQUENCY", frequency),
        reference("EXPOSURE_DURATION", duration),
        Cell::text(comment),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::contact::tests::person;
    use super::*;

    #[test]
    fn what_is_not_known_is_never_the_higher_value() {
        let offset = FixedOffset::east_opt(0).unwrap();
        let bare = Person { met: vec![], together_secs: 0, meetings: 0, colour: Colour::Green, ..person(1) };
        let row = contact_row(&bare, person(2).visitor, bare.last_at, offset);
        assert_eq!(row.len(), CONTACTS.len());
        let text = |at: usize| match &row[at] {
            Cell::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert!(text(4).ends_with("RISK_LEVEL_1_LOW") && text(10).ends_with("CERTAINTY_LEVEL_1_LOW"));
        assert!(text(12).ends_with("FREQUENCY_UNKNOWN") && text(13).ends_with("VERY_SHORT_SECONDS"));
    }

    #[test]
    fn times_and_lengths_fall_into_their_steps() {
        let offset = FixedOffset::east_opt(0).unwrap();
        let of = |meetings, together_secs| {
            let row = contact_row(
                &Person { together_secs, meetings, ..person(1) },
                person(2).visitor,
                person(1).last_at,
                offset,
            );
            [12, 13].map(|at| match &row[at] {
                Cell::Text(text) => text.rsplit("EXPOSURE_").next().unwrap().to_owned(),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(of(5, 59), ["FREQUENCY_1_5_TIMES", "DURATION_VERY_SHORT_SECONDS"]);
        assert_eq!(of(6, 60), ["FREQUENCY_6_10_TIMES", "DURATION_SHORT_MINUTES"]);
        assert_eq!(of(11, 3_600), ["FREQUENCY_11_20_TIMES", "DURATION_MEDIUM_HOURS"]);
        assert_eq!(of(21, 86_400), ["FREQUENCY_OVER_21_TIMES", "DURATION_LONG_DAYS"]);
    }
}
