//! The register of contacts: who was exposed, where, how, and what follows.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset, Utc};
use uuid::Uuid;

use super::cell::{Cell, CellKind, Column, Row, column};
use super::measure::{ends_en, over_on, rule_of};
use super::triage::score;
use crate::domain::exposure::Relation;
use crate::domain::rule_pack::{Class, Colour, RulePack};
use crate::domain::scan::Presence;
use crate::domain::venue::Granularity;
use crate::domain::visitor::Visitor;
use crate::domain::words::word;

/// How many venues a row names; the count beside them is whole.
const NAMED_MAX: usize = 8;

/// The meetings of a contact at one venue that are alike: same relation, granularity, presence, and with the same one.
#[derive(Clone, Debug, PartialEq)]
pub struct Met {
    /// Where; unknown when the point is gone from the register.
    pub venue: Option<Uuid>,
    /// Its name.
    pub venue_name: String,
    /// Its category.
    pub category: String,
    /// Its division.
    pub division: String,
    /// How near.
    pub relation: Relation,
    /// How close together people are there.
    pub granularity: Granularity,
    /// What proves the presence of the contact.
    pub presence: Presence,
    /// Seconds, meeting by meeting.
    pub secs: i64,
    /// When the first began.
    pub first_at: DateTime<Utc>,
    /// When the last ended.
    pub last_at: DateTime<Utc>,
    /// The contact who was met instead of the case.
    pub via: Option<Visitor>,
    /// Where the case's stay is known from: 0 scan, 1 interview, 2 camera, 3 payment, 4 ticket; none with `via`.
    pub source: Option<i16>,
}

/// A contact with all that a run knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Who.
    pub visitor: Visitor,
    /// The strongest class that was met.
    pub class: Class,
    /// Which rule of the class.
    pub rule: Option<String>,
    /// The proposed colour.
    pub colour: Colour,
    /// 0: met the case; 1: met a contact of the case.
    pub depth: u8,
    /// Seconds together, no moment counted twice.
    pub together_secs: i64,
    /// How many meetings.
    pub meetings: i32,
    /// When the first began.
    pub first_at: DateTime<Utc>,
    /// When the last ended.
    pub last_at: DateTime<Utc>,
    /// Why the contact is left out.
    pub exclusion_reason: Option<String>,
    /// Where the contact lives (GB/T 2260), where a channel has told it.
    pub residence: Option<String>,
    /// Where and how, the longest first.
    pub met: Vec<Met>,
}

/// What all rows of a report share.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The number of the case.
    pub case_no: &'a str,
    /// Whose case it is.
    pub case_division: &'a str,
    /// By which rules.
    pub pack: &'a RulePack,
    /// How far the local clock is ahead of UTC.
    pub offset: FixedOffset,
}

/// The columns of the register.
pub const COLUMNS: &[Column] = &[
    column("contact_no", CellKind::Int),
    column("case_no", CellKind::Text),
    column("visitor", CellKind::Text),
    column("class", CellKind::Text),
    column("rule", CellKind::Text),
    column("depth", CellKind::Int),
    column("via", CellKind::Text),
    column("relation", CellKind::Text),
    column("first_contact_at", CellKind::Time),
    column("last_contact_at", CellKind::Time),
    column("venues", CellKind::Text),
    column("venue_count", CellKind::Int),
    column("granularity", CellKind::Text),
    column("together_secs", CellKind::Int),
    column("meetings", CellKind::Int),
    column("presence", CellKind::Text),
    column("found_by", CellKind::Text),
    column("rule_pack", CellKind::Text),
    column("colour", CellKind::Text),
    column("days", CellKind::Int),
    column("end_conditions", CellKind::Text),
    column("over_on", CellKind::Text),
    column("residence_division", CellKind::Text),
    column("hand_over_to", CellKind::Text),
    column("triage_score", CellKind::Real),
    column("excluded", CellKind::Flag),
    column("exclusion_reason", CellKind::Text),
];

impl Person {
    /// The nearest relation.
    pub fn relation(&self) -> Option<Relation> {
        self.met.iter().map(|met| met.relation).min()
    }

    /// The closest place.
    pub fn granularity(&self) -> Option<Granularity> {
        let closeness = |granularity: &Granularity| match granularity {
            Granularity::Seat => 0,
            Granularity::Vehicle => 1,
            Granularity::Room => 2,
            Granularity::Floor => 3,
            Granularity::Hall => 4,
            Granularity::OpenAir => 5,
        };
        self.met.iter().map(|met| met.granularity).min_by_key(closeness)
    }

    /// The best proof of having been there.
    pub fn presence(&self) -> Option<Presence> {
        self.met.iter().map(|met| met.presence).max()
    }

    /// The contact through whom this one was exposed for the longest.
    pub fn via(&self) -> Option<Visitor> {
        self.met.iter().find_map(|met| met.via)
    }

    /// How many places, and the names of the first ones.
    pub fn venues(&self) -> (usize, Vec<&str>) {
        let mut seen = BTreeSet::new();
        let mut names = Vec::new();
        for met in &self.met {
            if seen.insert(met.venue) && names.len() < NAMED_MAX {
                names.push(met.venue_name.as_str());
            }
        }
        (seen.len(), names)
    }

    /// Where the case's stays are known from, each once.
    pub fn found_by(&self) -> String {
        let sources: BTreeSet<i16> = self.met.iter().filter_map(|met| met.source).collect();
        sources.into_iter().map(source_word).collect::<Vec<_>>().join("; ")
    }

    /// Who is asked to reach this contact: the division of residence, else that where the contact was exposed for the
    /// longest, else the case's own. Of equal ones the smaller code.
    pub fn receiver<'a>(&'a self, frame: &'a Frame<'_>) -> &'a str {
        let longest = || {
            let mut by_division = std::collections::BTreeMap::<&str, i64>::new();
            for met in self.met.iter().filter(|met| !met.division.is_empty()) {
                *by_division.entry(&met.division).or_default() += met.secs;
            }
            by_division.into_iter().rev().max_by_key(|(_, secs)| *secs).map(|(division, _)| division)
        };
        self.residence.as_deref().or_else(longest).unwrap_or(frame.case_division)
    }

    /// The row of the register; `number` counts from 1 in the order of the file.
    pub fn row(&self, number: i64, frame: &Frame<'_>) -> Row {
        let rule = rule_of(frame.pack, self.class, self.rule.as_deref());
        let (count, names) = self.venues();
        let word_or_empty = |word: Option<String>| word.map_or(Cell::Empty, Cell::text);
        let over = rule.and_then(|rule| over_on(rule, self.last_at, frame.offset));
        vec![
            Cell::Int(number),
            Cell::text(frame.case_no),
            Cell::text(self.visitor.to_hex()),
            Cell::text(word(self.class)),
            Cell::text(self.rule.clone().unwrap_or_default()),
            Cell::Int(self.depth.into()),
            word_or_empty(self.via().map(Visitor::to_hex)),
            word_or_empty(self.relation().map(word)),
            Cell::Time(self.first_at),
            Cell::Time(self.last_at),
            Cell::text(names.join("; ")),
            Cell::Int(i64::try_from(count).unwrap_or(i64::MAX)),
            word_or_empty(self.granularity().map(word)),
            Cell::Int(self.together_secs),
            Cell::Int(self.meetings.into()),
            word_or_empty(self.presence().map(word)),
            Cell::text(self.found_by()),
            Cell::text(frame.pack.name()),
            Cell::text(word(self.colour)),
            rule.map_or(Cell::Empty, |rule| Cell::Int(rule.days.into())),
            rule.map_or(Cell::Empty, |rule| Cell::text(ends_en(rule))),
            word_or_empty(over.map(|day| day.to_string())),
            Cell::text(self.residence.clone().unwrap_or_default()),
            Cell::text(self.receiver(frame)),
            Cell::Real(hundredths(score(self))),
            Cell::Flag(self.exclusion_reason.is_some()),
            Cell::text(self.exclusion_reason.clone().unwrap_or_default()),
        ]
    }
}

/// Where a stay of a trail is known from.
pub fn source_word(source: i16) -> &'static str {
    match source {
        0 => "scan",
        1 => "interview",
        2 => "camera",
        3 => "payment",
        4 => "ticket",
        _ => "other",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a score is far below 2^52")]
fn hundredths(score: u64) -> f64 {
    score as f64 / 100.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An hour of nothing special.
    pub(crate) fn met(venue: u32, secs: i64) -> Met {
        let first_at: DateTime<Utc> = "2026-03-15T02:00:00Z".parse().unwrap();
        Met {
            venue: Some(Uuid::from_u128(venue.into())),
            venue_name: format!("茶馆{venue}"),
            category: "teahouse".to_owned(),
            division: format!("41010{venue}"),
            relation: Relation::SamePoint,
            granularity: Granularity::Room,
            presence: Presence::Plausible,
            secs,
            first_at,
            last_at: first_at + chrono::TimeDelta::seconds(secs.max(1)),
            via: None,
            source: Some(0),
        }
    }

    /// Somebody who met the case for ten minutes.
    pub(crate) fn person(number: u32) -> Person {
        let met = met(1, 600);
        Person {
            visitor: Visitor::from_uuid(Uuid::from_u128(u128::from(number) + 0xA000)),
            class: Class::ExposedPlace,
            rule: None,
            colour: Colour::Yellow,
            depth: 0,
            together_secs: 600,
            meetings: 1,
            first_at: met.first_at,
            last_at: met.last_at,
            exclusion_reason: None,
            residence: None,
            met: vec![met],
        }
    }

    pub(crate) fn pack() -> RulePack {
        RulePack::parse(include_str!("../../../policies/baseline-1.toml")).unwrap()
    }

    pub(crate) fn frame(pack: &RulePack) -> Frame<'_> {
        let offset = FixedOffset::east_opt(8 * 3600).unwrap();
        Frame { case_no: "C-1", case_division: "410100", pack, offset }
    }

    #[test]
    fn a_contact_is_handed_to_where_it_lives_else_to_where_it_was_longest() {
        let pack = pack();
        let frame = frame(&pack);
        let both = Person { met: vec![met(5, 100), met(2, 700), met(5, 600)], ..person(1) };
        assert_eq!(both.receiver(&frame), "410102", "of equal ones the smaller code");
        let more = Person { met: vec![met(5, 100), met(2, 699), met(5, 600)], ..person(1) };
        assert_eq!(more.receiver(&frame), "410105");
        let told = Person { residence: Some("330100".to_owned()), ..more };
        assert_eq!(told.receiver(&frame), "330100");
        assert_eq!(Person { met: vec![], ..person(1) }.receiver(&frame), "410100");
    }

    #[test]
    fn a_row_has_a_cell_for_each_column_and_says_what_it_does_not_know() {
        let pack = pack();
        let frame = frame(&pack);
        let full = person(1).row(1, &frame);
        let bare =
            Person { met: vec![], exclusion_reason: Some("家属".to_owned()), ..person(2) }.row(2, &frame);
        assert_eq!((full.len(), bare.len()), (COLUMNS.len(), COLUMNS.len()));
        let of = |row: &Row, name: &str| {
            row[COLUMNS.iter().position(|column| column.name == name).unwrap()].clone()
        };
        assert_eq!(of(&full, "visitor"), Cell::text("0000000000000000000000000000a001"));
        assert_eq!(of(&full, "over_on"), Cell::text("2026-03-22"));
        assert_eq!((of(&full, "triage_score"), of(&full, "found_by")), (Cell::Real(6.4), Cell::text("scan")));
        assert_eq!((of(&bare, "relation"), of(&bare, "triage_score")), (Cell::Empty, Cell::Real(0.0)));
        assert_eq!(
            (of(&bare, "excluded"), of(&bare, "exclusion_reason")),
            (Cell::Flag(true), Cell::text("家属"))
        );
    }
}
