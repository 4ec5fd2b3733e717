//! Files for SORMAS: its import of cases and of contacts, with a line above that names the entity of each column.

use chrono::{DateTime, FixedOffset, Utc};

use super::cell::{Cell, CellKind, Column, Row, column};
use super::contact::{Frame, Person};
use super::line_list::CaseFacts;
use crate::domain::case::CaseKind;
use crate::domain::exposure::Relation;
use crate::domain::venue::Granularity;
use crate::domain::words::word;

/// The word above each column of cases.
pub const CASE_ENTITY: &str = "CaseData";

/// The word above each column of contacts.
pub const CONTACT_ENTITY: &str = "Contact";

/// The family name of everybody: the service knows nobody's, and SORMAS wants one.
pub const LAST_NAME: &str = "placecode";

/// The columns of cases. SORMAS reads them from left to right: a region before its district.
pub const CASES: &[Column] = &[
    column("disease", CellKind::Text),
    column("person.firstName", CellKind::Text),
    column("person.lastName", CellKind::Text),
    column("person.sex", CellKind::Text),
    column("reportDate", CellKind::Text),
    column("caseClassification", CellKind::Text),
    column("caseOrigin", CellKind::Text),
    column("responsibleRegion", CellKind::Text),
    column("responsibleDistrict", CellKind::Text),
    column("healthFacility", CellKind::Text),
    column("symptoms.onsetDate", CellKind::Text),
    column("externalID", CellKind::Text),
    column("additionalDetails", CellKind::Text),
];

/// The columns of contacts.
pub const CONTACTS: &[Column] = &[
    column("caseIdExternalSystem", CellKind::Text),
    column("caseOrEventInformation", CellKind::Text),
    column("disease", CellKind::Text),
    column("reportDateTime", CellKind::Text),
    column("region", CellKind::Text),
    column("district", CellKind::Text),
    column("multiDayContact", CellKind::Flag),
    column("firstContactDate", CellKind::Text),
    column("lastContactDate", CellKind::Text),
    column("contactIdentificationSource", CellKind::Text),
    column("contactIdentificationSourceDetails", CellKind::Text),
    column("contactProximity", CellKind::Text),
    column("contactProximityDetails", CellKind::Text),
    column("contactClassification", CellKind::Text),
    column("contactStatus", CellKind::Text),
    column("relationToCase", CellKind::Text),
    column("relationDescription", CellKind::Text),
    column("description", CellKind::Text),
    column("externalID", CellKind::Text),
    column("person.firstName", CellKind::Text),
    column("person.lastName", CellKind::Text),
    column("person.sex", CellKind::Text),
];

/// What its import needs to be told that a run does not say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The disease by SORMAS's word.
    pub disease: String,
    /// Whether dates have the day first, as the language of the importing user has it: `16/03/2026`, else `03/16/2026`.
    pub day_first: bool,
    /// How far the local clock is ahead of UTC.
    pub offset: FixedOffset,
}

impl Settings {
    fn day(&self, at: DateTime<Utc>) -> Cell {
        let form = if self.day_first { "%d/%m/%Y" } else { "%m/%d/%Y" };
        Cell::Text(at.with_timezone(&self.offset).format(form).to_string())
    }
}

/// Whether a word may name a disease of SORMAS.
pub fn is_disease(word: &str) -> bool {
    (2..=60).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// How close SORMAS may call a contact: only what being at one point proves. Everything wider has no proximity.
pub fn proximity(person: &Person) -> Option<&'static str> {
    let at_point = person.met.iter().filter(|met| met.relation == Relation::SamePoint);
    let of = |granularity| match granularity {
        Granularity::Seat => Some("CLOSE_CONTACT"),
        Granularity::Room | Granularity::Vehicle => Some("SAME_ROOM"),
        Granularity::Floor | Granularity::Hall | Granularity::OpenAir => None,
    };
    // In the order of the alphabet the closer one is the first.
    at_point.filter_map(|met| of(met.granularity)).min()
}

/// A case. `region` and `district` are names that SORMAS knows.
pub fn case_row(case: &CaseFacts, region: &str, district: &str, settings: &Settings) -> Row {
    let classification = match case.kind {
        CaseKind::Confirmed => "CONFIRMED",
        CaseKind::Suspected => "SUSPECT",
        CaseKind::Asymptomatic => "CONFIRMED_NO_SYMPTOMS",
    };
    vec![
        Cell::text(settings.disease.clone()),
        Cell::text(case.visitor.to_hex()),
        Cell::text(LAST_NAME),
        Cell::text("UNKNOWN"),
        settings.day(case.reported_at),
        Cell::text(classification),
        Cell::text("IN_COUNTRY"),
        Cell::text(region),
        Cell::text(district),
        // A case in the country needs a facility; this is SORMAS's own word for none.
        Cell::text("NO_FACILITY"),
        case.onset_at.map_or(Cell::Empty, |at| settings.day(at)),
        Cell::text(case.case_no.clone()),
        Cell::text(format!("Reported by {}. The name is a pseudonym.", case.authority)),
    ]
}

/// A contact of the case of `frame`.
pub fn contact_row(
    person: &Person,
    frame: &Frame<'_>,
    reported_at: DateTime<Utc>,
    place: (&str, &str),
    settings: &Settings,
) -> Row {
    let (region, district) = place;
    let day = |at: DateTime<Utc>| at.with_timezone(&settings.offset).date_naive();
    let days = (day(person.first_at), day(person.last_at));
    let via = person.via().map(|via| format!(", through contact {}", via.to_hex())).unwrap_or_default();
    let nearness = [person.relation().map(word), person.granularity().map(word)];
    let nearness = nearness.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let description = format!(
        "{} by {}: {} min in {} meetings{via}",
        word(person.class),
        frame.pack.name(),
        person.together_secs / 60,
        person.meetings
    );
    vec![
        Cell::text(frame.case_no),
        Cell::text(format!("placecode case {}", frame.case_no)),
        Cell::text(settings.disease.clone()),
        settings.day(reported_at),
        Cell::text(region),
        Cell::text(district),
        Cell::Flag(days.0 != days.1),
        if days.0 == days.1 { Cell::Empty } else { settings.day(person.first_at) },
        settings.day(person.last_at),
        Cell::text("OTHER"),
        Cell::text("place codes"),
        Cell::text(proximity(person).unwrap_or_default()),
        Cell::text(nearness),
        Cell::text("UNCONFIRMED"),
        Cell::text("ACTIVE"),
        Cell::text("SAME_ENVIRONMENT"),
        Cell::text(shortened(&person.venues().1.join("; "), 512)),
        Cell::text(description),
        Cell::text(person.visitor.to_hex()),
        Cell::text(person.visitor.to_hex()),
        Cell::text(LAST_NAME),
        Cell::text("UNKNOWN"),
    ]
}

/// The longest text that a field of SORMAS takes.
fn shortened(text: &str, letters: usize) -> String {
    text.chars().take(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::super::contact::Met;
    use super::super::contact::tests::{frame, met, pack, person};
    use super::*;

    #[test]
    fn only_what_being_at_one_point_proves_is_called_close() {
        let of = |relation, granularity| {
            proximity(&Person { met: vec![Met { relation, granularity, ..met(1, 60) }], ..person(1) })
        };
        assert_eq!(of(Relation::SamePoint, Granularity::Seat), Some("CLOSE_CONTACT"));
        assert_eq!(of(Relation::SamePoint, Granularity::Vehicle), Some("SAME_ROOM"));
        assert_eq!(of(Relation::SamePoint, Granularity::Hall), None);
        assert_eq!(of(Relation::SameVenue, Granularity::Seat), None);
        assert_eq!(of(Relation::NearbyCell, Granularity::Room), None);
        assert_eq!(proximity(&Person { met: vec![], ..person(1) }), None);
        let both = vec![met(1, 60), Met { granularity: Granularity::Seat, ..met(1, 60) }];
        assert_eq!(proximity(&Person { met: both, ..person(1) }), Some("CLOSE_CONTACT"));
    }

    #[test]
    fn a_contact_of_several_days_names_the_first_and_dates_have_the_order_that_is_asked_for() {
        let pack = pack();
        let frame = frame(&pack);
        let mut settings =
            Settings { disease: "CORONAVIRUS".to_owned(), day_first: false, offset: frame.offset };
        let one = contact_row(&person(1), &frame, person(1).last_at, ("r", "d"), &settings);
        assert_eq!(
            (one.len(), &one[6], &one[7], &one[8]),
            (CONTACTS.len(), &Cell::Flag(false), &Cell::Empty, &Cell::text("03/15/2026"))
        );
        settings.day_first = true;
        let later = Person { last_at: person(1).last_at + chrono::TimeDelta::days(1), ..person(1) };
        let two = contact_row(&later, &frame, later.last_at, ("r", "d"), &settings);
        assert_eq!(
            (&two[6], &two[7], &two[8]),
            (&Cell::Flag(true), &Cell::text("15/03/2026"), &Cell::text("16/03/2026"))
        );
        assert!(is_disease("CORONAVIRUS") && !is_disease("corona") && !is_disease("A;B") && !is_disease(""));
    }
}
