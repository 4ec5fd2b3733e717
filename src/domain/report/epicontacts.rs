//! The two tables of the R package epicontacts: `make_epicontacts(linelist, contacts, directed = TRUE)`.

use chrono::{DateTime, FixedOffset, Utc};

use super::cell::{Cell, CellKind, Column, Row, column};
use super::contact::Person;
use super::line_list::CaseFacts;
use crate::domain::visitor::Visitor;
use crate::domain::words::word;

/// The columns of the line list: `id` first, as `make_epicontacts` takes it.
pub const LINELIST: &[Column] = &[
    column("id", CellKind::Text),
    column("status", CellKind::Text),
    column("kind", CellKind::Text),
    column("date_onset", CellKind::Text),
    column("date_sample", CellKind::Text),
    column("date_isolation", CellKind::Text),
    column("class", CellKind::Text),
    column("colour", CellKind::Text),
    column("depth", CellKind::Int),
    column("division", CellKind::Text),
];

/// The columns of the contacts: `from` and `to` first, as `make_epicontacts` takes them.
pub const CONTACTS: &[Column] = &[
    column("from", CellKind::Text),
    column("to", CellKind::Text),
    column("date_first", CellKind::Text),
    column("date_last", CellKind::Text),
    column("minutes", CellKind::Int),
    column("meetings", CellKind::Int),
    column("class", CellKind::Text),
    column("relation", CellKind::Text),
    column("place", CellKind::Text),
];

/// A pseudonym behind a letter, so that R takes no column of them for numbers.
fn id(visitor: Visitor) -> Cell {
    Cell::Text(format!("v{}", visitor.to_hex()))
}

fn day(at: DateTime<Utc>, offset: FixedOffset) -> Cell {
    Cell::Text(at.with_timezone(&offset).date_naive().to_string())
}

/// A case in the line list.
pub fn case_row(case: &CaseFacts, offset: FixedOffset) -> Row {
    vec![
        id(case.visitor),
        Cell::text("case"),
        Cell::text(word(case.kind)),
        case.onset_at.map_or(Cell::Empty, |at| day(at, offset)),
        day(case.sampled_at, offset),
        case.isolated_at.map_or(Cell::Empty, |at| day(at, offset)),
        case.class.map_or(Cell::Empty, |class| Cell::text(word(class))),
        Cell::Empty,
        Cell::Empty,
        Cell::text(case.division.clone()),
    ]
}

/// A contact who is no case, in the line list.
pub fn contact_row(person: &Person) -> Row {
    let mut row = vec![id(person.visitor), Cell::text("contact")];
    row.extend([Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty]);
    row.extend([
        Cell::text(word(person.class)),
        Cell::text(word(person.colour)),
        Cell::Int(person.depth.into()),
        Cell::text(person.residence.clone().unwrap_or_default()),
    ]);
    row
}

/// Whom a contact met: the case, or the contact of it.
pub fn pair_row(person: &Person, index: Visitor, offset: FixedOffset) -> Row {
    vec![
        id(person.via().unwrap_or(index)),
        id(person.visitor),
        day(person.first_at, offset),
        day(person.last_at, offset),
        Cell::Int(person.together_secs / 60),
        Cell::Int(person.meetings.into()),
        Cell::text(word(person.class)),
        person.relation().map_or(Cell::Empty, |relation| Cell::text(word(relation))),
        Cell::text(person.venues().1.first().copied().unwrap_or_default()),
    ]
}
