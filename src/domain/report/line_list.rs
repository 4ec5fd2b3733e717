//! The line list: the case of a run, and the cases that it is linked with.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cell::{Cell, CellKind, Column, Row, column};
use crate::domain::case::CaseKind;
use crate::domain::rule_pack::Class;
use crate::domain::visitor::Visitor;
use crate::domain::words::word;

/// How a case stands to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The run was computed for it.
    Index,
    /// It is a contact of the run.
    Contact,
    /// It was at a place of the index case within a day of it.
    SharedPlace,
}

/// A case, without what the service does not have: name, sex, age, occupation, address, telephone, severity.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFacts {
    /// Its id here.
    pub id: Uuid,
    /// Its number as its authority knows it, else its id.
    pub case_no: String,
    /// Who.
    pub visitor: Visitor,
    /// How it stands to the run.
    pub link: Link,
    /// What kind.
    pub kind: CaseKind,
    /// First symptom.
    pub onset_at: Option<DateTime<Utc>>,
    /// First positive sample.
    pub sampled_at: DateTime<Utc>,
    /// Isolation.
    pub isolated_at: Option<DateTime<Utc>>,
    /// Who reported it.
    pub authority: String,
    /// Whose case it is.
    pub division: String,
    /// When it was reported.
    pub reported_at: DateTime<Utc>,
    /// Whether it was taken back.
    pub withdrawn: bool,
    /// As which class it is a contact of the index case.
    pub class: Option<Class>,
    /// When the two last met.
    pub last_contact_at: Option<DateTime<Utc>>,
    /// Where they met for the longest.
    pub setting: String,
}

/// The columns of the line list.
pub const COLUMNS: &[Column] = &[
    column("case_no", CellKind::Text),
    column("case_id", CellKind::Text),
    column("visitor", CellKind::Text),
    column("link", CellKind::Text),
    column("kind", CellKind::Text),
    column("onset_at", CellKind::Time),
    column("first_positive_sample_at", CellKind::Time),
    column("isolated_at", CellKind::Time),
    column("infectious_from", CellKind::Time),
    column("infectious_until", CellKind::Time),
    column("reported_at", CellKind::Time),
    column("authority", CellKind::Text),
    column("division", CellKind::Text),
    column("division_name", CellKind::Text),
    column("upstream_case", CellKind::Text),
    column("contact_class", CellKind::Text),
    column("last_contact_at", CellKind::Time),
    column("setting", CellKind::Text),
    column("withdrawn", CellKind::Flag),
];

impl CaseFacts {
    /// The case that may have infected this one: the index case, where this one met it before its own illness or
    /// sample. A meeting after that infected nobody.
    pub fn upstream<'a>(&self, index_no: &'a str) -> Option<&'a str> {
        let begun = self.onset_at.unwrap_or(self.sampled_at);
        let earlier = self.last_contact_at.is_some_and(|at| at < begun);
        (self.link == Link::Contact && earlier).then_some(index_no)
    }

    /// The row; `infectious` is that of the index case by the pack of the run.
    pub fn row(
        &self,
        index_no: &str,
        infectious: Option<(DateTime<Utc>, DateTime<Utc>)>,
        division_name: &str,
    ) -> Row {
        let own = infectious.filter(|_| self.link == Link::Index);
        vec![
            Cell::text(self.case_no.clone()),
            Cell::text(self.id.to_string()),
            Cell::text(self.visitor.to_hex()),
            Cell::text(word(self.link)),
            Cell::text(word(self.kind)),
            Cell::time(self.onset_at),
            Cell::Time(self.sampled_at),
            Cell::time(self.isolated_at),
            Cell::time(own.map(|(from, _)| from)),
            Cell::time(own.map(|(_, until)| until)),
            Cell::Time(self.reported_at),
            Cell::text(self.authority.clone()),
            Cell::text(self.division.clone()),
            Cell::text(division_name),
            Cell::text(self.upstream(index_no).unwrap_or_default()),
            self.class.map_or(Cell::Empty, |class| Cell::text(word(class))),
            Cell::time(self.last_contact_at),
            Cell::text(self.setting.clone()),
            Cell::Flag(self.withdrawn),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A confirmed case, ill on the morning of 16 March.
    pub(crate) fn case(number: u32, link: Link) -> CaseFacts {
        let at = |text: &str| text.parse().unwrap();
        CaseFacts {
            id: Uuid::from_u128(u128::from(number) + 0xC000),
            case_no: format!("C-{number}"),
            visitor: Visitor::from_uuid(Uuid::from_u128(u128::from(number) + 0xB000)),
            link,
            kind: CaseKind::Confirmed,
            onset_at: Some(at("2026-03-15T22:00:00Z")),
            sampled_at: at("2026-03-16T00:00:00Z"),
            isolated_at: None,
            authority: "郑州市疾病预防控制中心".to_owned(),
            division: "410100".to_owned(),
            reported_at: at("2026-03-16T04:00:00Z"),
            withdrawn: false,
            class: None,
            last_contact_at: None,
            setting: String::new(),
        }
    }

    #[test]
    fn only_a_meeting_before_the_illness_makes_somebody_the_source() {
        let met =
            |at: &str| CaseFacts { last_contact_at: Some(at.parse().unwrap()), ..case(2, Link::Contact) };
        assert_eq!(met("2026-03-14T00:00:00Z").upstream("C-1"), Some("C-1"));
        assert_eq!(met("2026-03-15T22:00:00Z").upstream("C-1"), None);
        assert_eq!(case(1, Link::Index).upstream("C-1"), None);
        let shared = CaseFacts { link: Link::SharedPlace, ..met("2026-03-14T00:00:00Z") };
        assert_eq!(shared.upstream("C-1"), None);
        assert_eq!(case(1, Link::Index).row("C-1", None, "").len(), COLUMNS.len());
    }
}
