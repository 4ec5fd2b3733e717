//! The rows of reports that grow with the run, a page at a time.

use std::collections::BTreeSet;

use diesel_async::AsyncPgConnection;

use super::plan::Plan;
use crate::domain::numbered::Numbered;
use crate::domain::report::cell::{Column, Row};
use crate::domain::report::contact::Person;
use crate::domain::report::file::Sheet;
use crate::domain::report::kind::Kind;
use crate::domain::report::line_list::Link;
use crate::domain::report::{contact, epicontacts, godata, letter, line_list, place, sormas};
use crate::domain::visitor::Visitor;
use crate::http::error::ApiError;
use crate::store::reports::{self, After, AfterPlace};

/// What the table of a report is like.
pub(super) fn sheet(plan: &Plan) -> Sheet {
    let kind = plan.report.kind;
    let above = match kind {
        Kind::SormasCases => Some(sormas::CASE_ENTITY),
        Kind::SormasContacts => Some(sormas::CONTACT_ENTITY),
        _ => None,
    };
    Sheet { columns: columns(kind).to_vec(), above, marked: !kind.is_for_a_program(), about: plan.about() }
}

fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Contacts | Kind::Triage => contact::COLUMNS,
        Kind::LineList => line_list::COLUMNS,
        Kind::Exposures => place::MEETING_COLUMNS,
        Kind::Venues => place::PLACE_COLUMNS,
        Kind::Divisions => place::DIVISION_COLUMNS,
        Kind::Letters => letter::COLUMNS,
        Kind::SormasCases => sormas::CASES,
        Kind::SormasContacts => sormas::CONTACTS,
        Kind::GodataCases => godata::CASES,
        Kind::GodataContacts | Kind::GodataContactsOfContacts => godata::CONTACTS,
        Kind::EpicontactsLinelist => epicontacts::LINELIST,
        Kind::EpicontactsContacts => epicontacts::CONTACTS,
        Kind::Chain | Kind::Trajectory => &[],
    }
}

/// How far the rows are.
pub(super) enum Pages {
    /// Rows that come before all others.
    First(Vec<Row>),
    /// Contacts, after so many.
    People(Option<After>, i64),
    /// Meetings, after that number.
    Meetings(i32),
    /// Places.
    Places(Option<AfterPlace>),
    /// No more.
    Done,
}

impl Pages {
    /// Before the first row.
    pub(super) fn begin(plan: &Plan) -> Self {
        match plan.report.kind {
            Kind::Exposures => Self::Meetings(-1),
            Kind::Venues => Self::Places(None),
            Kind::EpicontactsLinelist => {
                let row = |case| epicontacts::case_row(case, plan.offset());
                Self::First(plan.cases.iter().map(row).collect())
            }
            _ => Self::People(None, 0),
        }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(
        &mut self,
        plan: &Plan,
        conn: &mut AsyncPgConnection,
    ) -> Result<Option<Vec<Row>>, ApiError> {
        let (rows, then) = match std::mem::replace(self, Self::Done) {
            Self::Done => return Ok(None),
            Self::First(rows) => (rows, Self::People(None, 0)),
            Self::People(after, count) => {
                let people = reports::people(conn, plan.run.id, after).await?;
                let last = people.last().map(|person| (person.class.number(), person.visitor));
                let more = full(people.len()).then_some(last).flatten();
                let seen = count + i64::try_from(people.len()).unwrap_or(0);
                let then = more.map_or(Self::Done, |last| Self::People(Some(last), seen));
                (rows_of(plan, &people, count), then)
            }
            Self::Meetings(after) => {
                let meetings = reports::meetings(conn, plan.run.id, after).await?;
                let last = meetings.last().filter(|_| full(meetings.len())).map(|meeting| meeting.seq);
                let rows = meetings.iter().map(|meeting| meeting.row(plan.case_no())).collect();
                (rows, last.map_or(Self::Done, Self::Meetings))
            }
            Self::Places(after) => {
                let places = reports::places(conn, plan.run.id, after).await?;
                let last = places.last().filter(|_| full(places.len()));
                let last = last.map(|place| (place.contacts.iter().sum(), place.met, place.venue));
                let row =
                    |place: &place::PlaceFacts| place.row(plan.division_name(&place.division), plan.offset());
                (places.iter().map(row).collect(), last.map_or(Self::Done, |last| Self::Places(Some(last))))
            }
        };
        *self = then;
        Ok(Some(rows))
    }
}

fn full(rows: usize) -> bool {
    i64::try_from(rows).is_ok_and(|rows| rows >= reports::PAGE)
}

/// The rows of a page of contacts; `count` came before it.
pub(super) fn rows_of(plan: &Plan, people: &[Person], count: i64) -> Vec<Row> {
    let frame = plan.frame();
    let index = plan.case.visitor();
    let cases: BTreeSet<Visitor> = plan.cases.iter().map(|case| case.visitor).collect();
    let other_case = |person: &Person| {
        plan.cases.iter().any(|case| case.link != Link::Index && case.visitor == person.visitor)
    };
    let offset = plan.offset();
    let reported_at = plan.run.computed_at.unwrap_or(plan.made_at);
    let settings = plan.sormas();
    let row = |(number, person): (i64, &Person)| {
        let goes_on = person.exclusion_reason.is_none();
        match plan.report.kind {
            Kind::Letters => {
                let (division, row) = letter::row(person, &frame, plan.run.id)?;
                let asked = plan.options.division.as_ref().is_none_or(|own| own.as_str() == division);
                asked.then_some(row)
            }
            Kind::SormasContacts => goes_on.then(|| {
                let (region, district) = plan.region_and_district(person.receiver(&frame));
                sormas::contact_row(person, &frame, reported_at, (&region, &district), &settings)
            }),
            // A person is one thing in Go.Data: who is a case there is no contact.
            Kind::GodataContacts => (goes_on && person.depth == 0 && !other_case(person))
                .then(|| godata::contact_row(person, index, reported_at, offset)),
            Kind::GodataContactsOfContacts => {
                let via = person.via().filter(|_| goes_on && person.depth == 1 && !other_case(person))?;
                Some(godata::contact_row(person, via, reported_at, offset))
            }
            Kind::EpicontactsLinelist => {
                (goes_on && !cases.contains(&person.visitor)).then(|| epicontacts::contact_row(person))
            }
            Kind::EpicontactsContacts => goes_on.then(|| epicontacts::pair_row(person, index, offset)),
            _ => Some(person.row(number, &frame)),
        }
    };
    (count + 1..).zip(people).filter_map(row).collect()
}
