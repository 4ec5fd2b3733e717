//! Places and divisions with counts, and the meetings one by one.

use chrono::{DateTime, FixedOffset, Utc};
use uuid::Uuid;

use super::cell::{Cell, CellKind, Column, Row, column, moment};
use super::contact::source_word;
use super::file::{LAT, LNG};
use crate::domain::exposure::Relation;
use crate::domain::scan::Presence;
use crate::domain::stay::EndedBy;
use crate::domain::venue::Granularity;
use crate::domain::visitor::Visitor;
use crate::domain::words::word;

/// How many people of a class, in the order of the classes' numbers.
pub type ByClass = [i64; 6];

/// A venue of a run: when the case was there and who was exposed.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceFacts {
    /// Its id.
    pub venue: Uuid,
    /// Its name.
    pub name: String,
    /// Its category.
    pub category: String,
    /// Its division.
    pub division: String,
    /// Its address.
    pub address: String,
    /// Degrees north.
    pub lat_deg: f64,
    /// Degrees east.
    pub lng_deg: f64,
    /// Whom to call about it.
    pub contact_phone: String,
    /// When the case was there.
    pub slots: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Everybody whose stay met, also those who met no rule.
    pub met: i64,
    /// Contacts by class.
    pub contacts: ByClass,
    /// Of these, left out.
    pub excluded: i64,
    /// Seconds of all meetings that counted.
    pub meeting_secs: i64,
    /// When the first that counted began.
    pub first_at: Option<DateTime<Utc>>,
    /// When the last that counted ended.
    pub last_at: Option<DateTime<Utc>>,
}

/// The columns of the list of places.
pub const PLACE_COLUMNS: &[Column] = &[
    column("venue_id", CellKind::Text),
    column("venue", CellKind::Text),
    column("category", CellKind::Text),
    column("division", CellKind::Text),
    column("division_name", CellKind::Text),
    column("address", CellKind::Text),
    column(LAT, CellKind::Real),
    column(LNG, CellKind::Real),
    column("contact_phone", CellKind::Text),
    column("case_slots", CellKind::Text),
    column("met", CellKind::Int),
    column("contacts", CellKind::Int),
    column("close", CellKind::Int),
    column("secondary", CellKind::Int),
    column("same_vehicle", CellKind::Int),
    column("exposed_place", CellKind::Int),
    column("companion", CellKind::Int),
    column("residual", CellKind::Int),
    column("excluded", CellKind::Int),
    column("meeting_secs", CellKind::Int),
    column("first_contact_at", CellKind::Time),
    column("last_contact_at", CellKind::Time),
];

impl PlaceFacts {
    /// The row.
    pub fn row(&self, division_name: &str, offset: FixedOffset) -> Row {
        let slot = |(from, until): &(DateTime<Utc>, DateTime<Utc>)| {
            format!("{}/{}", moment(*from, offset), moment(*until, offset))
        };
        let mut row = vec![
            Cell::text(self.venue.to_string()),
            Cell::text(self.name.clone()),
            Cell::text(self.category.clone()),
            Cell::text(self.division.clone()),
            Cell::text(division_name),
            Cell::text(self.address.clone()),
            Cell::Real(self.lat_deg),
            Cell::Real(self.lng_deg),
            Cell::text(self.contact_phone.clone()),
            Cell::text(self.slots.iter().map(slot).collect::<Vec<_>>().join("; ")),
            Cell::Int(self.met),
        ];
        row.extend(counts(&self.contacts, self.excluded));
        row.extend([Cell::Int(self.meeting_secs), Cell::time(self.first_at), Cell::time(self.last_at)]);
        row
    }
}

/// All, by class, and left out.
fn counts(contacts: &ByClass, excluded: i64) -> Vec<Cell> {
    let all = [contacts.iter().sum()].into_iter();
    all.chain(contacts.iter().copied()).chain([excluded]).map(Cell::Int).collect()
}

/// The contacts of a division.
#[derive(Clone, Debug, PartialEq)]
pub struct DivisionFacts {
    /// `venue`: where they were exposed; `residence`: where they live.
    pub basis: &'static str,
    /// The division; `unknown` where nobody has told it.
    pub division: String,
    /// Contacts by class.
    pub contacts: ByClass,
    /// Of these, left out.
    pub excluded: i64,
}

/// The columns of the list by division.
pub const DIVISION_COLUMNS: &[Column] = &[
    column("basis", CellKind::Text),
    column("division", CellKind::Text),
    column("division_name", CellKind::Text),
    column("contacts", CellKind::Int),
    column("close", CellKind::Int),
    column("secondary", CellKind::Int),
    column("same_vehicle", CellKind::Int),
    column("exposed_place", CellKind::Int),
    column("companion", CellKind::Int),
    column("residual", CellKind::Int),
    column("excluded", CellKind::Int),
];

impl DivisionFacts {
    /// The row.
    pub fn row(&self, division_name: &str) -> Row {
        let mut row =
            vec![Cell::text(self.basis), Cell::text(self.division.clone()), Cell::text(division_name)];
        row.extend(counts(&self.contacts, self.excluded));
        row
    }
}

/// One meeting of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct MeetingFacts {
    /// Its number in the run.
    pub seq: i32,
    /// Who was exposed.
    pub visitor: Visitor,
    /// The contact who was met instead of the case.
    pub via: Option<Visitor>,
    /// The venue of the visitor's stay.
    pub venue: Option<Uuid>,
    /// Its name.
    pub venue_name: String,
    /// Its division.
    pub division: String,
    /// The point of the visitor's stay.
    pub point_name: String,
    /// How near.
    pub relation: Relation,
    /// How close together people are there.
    pub granularity: Granularity,
    /// Rows between the two.
    pub rows_apart: Option<i16>,
    /// Since when both were there.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
    /// How the end of the visitor's stay is known.
    pub ended_by: EndedBy,
    /// What proves the visitor's presence.
    pub presence: Presence,
    /// Whether it met the rule of the visitor's class.
    pub counted: bool,
    /// Where the case's stay is known from.
    pub source: Option<i16>,
}

/// The columns of the list of meetings.
pub const MEETING_COLUMNS: &[Column] = &[
    column("seq", CellKind::Int),
    column("case_no", CellKind::Text),
    column("visitor", CellKind::Text),
    column("via", CellKind::Text),
    column("venue_id", CellKind::Text),
    column("venue", CellKind::Text),
    column("division", CellKind::Text),
    column("point", CellKind::Text),
    column("relation", CellKind::Text),
    column("granularity", CellKind::Text),
    column("rows_apart", CellKind::Int),
    column("from", CellKind::Time),
    column("until", CellKind::Time),
    column("secs", CellKind::Int),
    column("ended_by", CellKind::Text),
    column("presence", CellKind::Text),
    column("counted", CellKind::Flag),
    column("case_stay_known_by", CellKind::Text),
];

impl MeetingFacts {
    /// The row.
    pub fn row(&self, case_no: &str) -> Row {
        vec![
            Cell::Int(self.seq.into()),
            Cell::text(case_no),
            Cell::text(self.visitor.to_hex()),
            Cell::text(self.via.map(Visitor::to_hex).unwrap_or_default()),
            Cell::text(self.venue.map(|venue| venue.to_string()).unwrap_or_default()),
            Cell::text(self.venue_name.clone()),
            Cell::text(self.division.clone()),
            Cell::text(self.point_name.clone()),
            Cell::text(word(self.relation)),
            Cell::text(word(self.granularity)),
            self.rows_apart.map_or(Cell::Empty, |rows| Cell::Int(rows.into())),
            Cell::Time(self.from_at),
            Cell::Time(self.until_at),
            Cell::Int((self.until_at - self.from_at).num_seconds()),
            Cell::text(word(self.ended_by)),
            Cell::text(word(self.presence)),
            Cell::Flag(self.counted),
            Cell::text(self.source.map(source_word).unwrap_or_default()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::numbered::Numbered;

    #[test]
    fn the_counts_of_a_division_stand_under_their_classes() {
        let facts = DivisionFacts {
            basis: "residence",
            division: "unknown".to_owned(),
            contacts: [1, 2, 3, 4, 5, 6],
            excluded: 2,
        };
        let row = facts.row("");
        assert_eq!(row.len(), DIVISION_COLUMNS.len());
        assert_eq!(
            (&row[3], &row[4], &row[9], &row[10]),
            (&Cell::Int(21), &Cell::Int(1), &Cell::Int(6), &Cell::Int(2))
        );
        for class in crate::domain::rule_pack::Class::ALL {
            let at = 4 + usize::try_from(class.number()).unwrap();
            assert_eq!(
                DIVISION_COLUMNS[at].name,
                word(*class),
                "a number of a class is the place of its count"
            );
        }
    }
}
