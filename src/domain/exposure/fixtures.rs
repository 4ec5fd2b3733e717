//! A small world for tests: four points, a case, others, and packs with one class.

use super::*;
use crate::domain::grading::{Dwell, grade};
use crate::domain::position::Position;
use crate::domain::rule_pack::Class;
use crate::domain::stay::EndedBy;
use chrono::TimeDelta;
use h3o::Resolution;

/// Minutes since 22:00 UTC on 2026-03-02; midnight UTC is minute 120, and midnight of the local clock minute 30.
pub(in crate::domain) fn at(mins: i64) -> DateTime<Utc> {
    "2026-03-02T22:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(mins)
}

pub(in crate::domain) fn local() -> FixedOffset {
    FixedOffset::east_opt(90 * 60).unwrap()
}

/// From one minute until another, a moment where they are the same.
pub(in crate::domain) fn between(from: i64, until: i64) -> Span {
    Span::new(at(from), at(until)).unwrap_or(Span::moment(at(from)))
}

pub(in crate::domain) fn visitor(number: u128) -> Visitor {
    Visitor::from_uuid(Uuid::from_u128(number))
}

/// Points 0 and 1 share a venue; point 2 is a venue some 500 m off; point 3 is in another city.
pub(in crate::domain) fn place(point: u64) -> (PointId, Uuid, CellIndex) {
    let lat = [34.7466, 34.7466, 34.7511, 38.0428];
    let position = Position::new(lat[usize::try_from(point).unwrap()], 113.6253).unwrap();
    let venue = Uuid::from_u128(u128::from(point.max(1)));
    (PointId::new(point).unwrap(), venue, position.cell(Resolution::Eleven))
}

pub(in crate::domain) fn own(id: u128, point: u64, from: i64, until: i64) -> TrailStay {
    let (point, venue, cell) = place(point);
    TrailStay {
        id: Uuid::from_u128(id),
        point: Some(point),
        venue: Some(venue),
        cell,
        granularity: Granularity::Room,
        category: "other".into(),
        row: None,
        span: Span::new(at(from), at(until)).unwrap(),
    }
}

pub(in crate::domain) fn other(who: u128, point: u64, from: i64, until: i64) -> Candidate {
    let (point, venue, cell) = place(point);
    let stay = Stay {
        id: Uuid::from_u128(who << 64 | u128::from((from + 10_000_000).unsigned_abs())),
        visitor: visitor(who),
        point,
        cell,
        span: Span::new(at(from), at(until)).unwrap(),
        ended_by: EndedBy::Left,
        presence: Presence::Plausible,
    };
    Candidate { stay, venue, row: None }
}

/// A class that everybody meets who met the case at all; keys of `class` replace or complete it.
pub(in crate::domain) fn class(name: &str, keys: &str) -> String {
    let mut lines = vec![
        format!("class = \"{name}\""),
        "colour = \"yellow\"".to_owned(),
        "relations = [\"same_point\"]".to_owned(),
        "granularities = [\"seat\", \"room\", \"floor\", \"hall\", \"open_air\", \"vehicle\"]".to_owned(),
        "presence_min = \"unproven\"".to_owned(),
        "together_mins = 0".to_owned(),
        "days = 7".to_owned(),
        "source = \"a test\"".to_owned(),
    ];
    for line in keys.split(';').map(str::trim).filter(|line| !line.is_empty()) {
        let key = line.split('=').next().unwrap();
        lines.retain(|known| known.split('=').next() != Some(key));
        lines.push(line.to_owned());
    }
    format!("[[class]]\n{}\n", lines.join("\n"))
}

/// A pack of these classes; `infectious` and `time` are keys of those tables.
pub(in crate::domain) fn pack(infectious: &str, time: &str, classes: &[String]) -> RulePack {
    let lines = |keys: &str| keys.replace(';', "\n");
    let time = if time.is_empty() {
        String::new()
    } else {
        format!("[time]\nsource = \"a test\"\n{}\n", lines(time))
    };
    let text = format!(
        "id = \"test\"\nversion = 1\ntitle_zh = \"试\"\ntitle_en = \"Test\"\neffective_from = \"2026-01-01\"
         index_kinds = [\"confirmed\", \"suspected\", \"asymptomatic\"]\n[infectious]\nbefore_onset_days = 2
         before_sample_days = 2\nsource = \"a test\"\n{}\n{time}{}",
        lines(infectious),
        classes.join("\n"),
    );
    RulePack::parse(&text).unwrap()
}

/// A case, those around it, and the rules. Visitor 1 is the case, ill since minute 0.
pub(in crate::domain) struct World {
    pub(in crate::domain) pack: RulePack,
    pub(in crate::domain) trail: Vec<TrailStay>,
    pub(in crate::domain) others: Vec<Candidate>,
    pub(in crate::domain) infectious: Span,
    pub(in crate::domain) dates: CaseDates,
}

impl World {
    pub(in crate::domain) fn new(pack: RulePack, trail: Vec<TrailStay>, others: Vec<Candidate>) -> Self {
        let dates = CaseDates { onset_at: Some(at(0)), sampled_at: at(0), isolated_at: None };
        Self { pack, trail, others, infectious: between(-50_000, 50_000), dates }
    }

    pub(in crate::domain) fn question(&self) -> Question<'_> {
        Question {
            case: visitor(1),
            kind: CaseKind::Confirmed,
            dates: self.dates,
            infectious: self.infectious,
            trail: &self.trail,
            pack: &self.pack,
            offset: local(),
        }
    }

    pub(in crate::domain) fn met(&self) -> Vec<Exposure> {
        exposures(&self.question(), &self.others)
    }

    /// Who has which class, and the seconds together.
    pub(in crate::domain) fn graded(&self) -> Vec<(u128, Class, i64)> {
        let contacts = grade(&self.question(), &self.met(), &Dwell::default());
        contacts.iter().map(|c| (c.visitor.to_uuid().as_u128(), c.class, c.together_secs)).collect()
    }
}

/// Who is a contact, in order, where a case was at point 0 and each of the others from and until some minute.
pub(in crate::domain) fn contacts(
    time: &str,
    keys: &str,
    case: (i64, i64),
    others: &[(i64, i64)],
) -> Vec<u128> {
    let pack = pack("", time, &[class("exposed_place", keys)]);
    let others = (2..).zip(others).map(|(who, (from, until))| other(who, 0, *from, *until)).collect();
    let mut found: Vec<u128> = World::new(pack, vec![own(1, 0, case.0, case.1)], others)
        .graded()
        .into_iter()
        .map(|(who, ..)| who)
        .collect();
    found.sort_unstable();
    found
}
