//! What tracing finds of what happened.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use chrono::TimeDelta;
use h3o::CellIndex;
use placecode::domain::case::{CaseDates, CaseKind, infectious};
use placecode::domain::exposure::{Candidate, Question, Relation, TrailStay, grid_cell, grid_cells};
use placecode::domain::inquiry::{Place as Kind, trace};
use placecode::domain::rule_pack::{Colour, RulePack};
use placecode::domain::span::Span;
use placecode::domain::stay::Stay;
use placecode::domain::venue::PointId;
use placecode::domain::visitor::Visitor;
use uuid::Uuid;

use crate::days::Visit;
use crate::infection::{History, Infection};
use crate::map::{Map, Place};
use crate::scanning::{moment, offset, visitor};

/// What is known of the case's own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trail {
    /// What it scanned.
    Scanned,
    /// All of it, as after a good interview.
    Told,
}

impl Trail {
    fn word(self) -> &'static str {
        match self {
            Self::Scanned => "scanned",
            Self::Told => "told",
        }
    }
}

/// One pack at one scanning rate.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) pack: String,
    pub(crate) percent: u32,
    pub(crate) trail: Trail,
    /// Whom the cases infected at places.
    pub(crate) infected: usize,
    /// Of these, how many got a colour.
    pub(crate) found: usize,
    /// All who got a colour.
    pub(crate) listed: usize,
    /// Of these, how many truly were at a place together with the case.
    pub(crate) met: usize,
    /// Of one case, in the middle.
    pub(crate) listed_median: usize,
}

impl Measured {
    pub(crate) fn recall(&self) -> f64 {
        share(self.found, self.infected)
    }

    pub(crate) fn precision(&self) -> f64 {
        share(self.found, self.listed)
    }

    pub(crate) fn truly_met(&self) -> f64 {
        share(self.met, self.listed)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of people in a small city")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// All stays, by point and by grid cell.
pub(crate) struct Index {
    stays: Vec<Candidate>,
    by_point: HashMap<PointId, Vec<usize>>,
    by_grid: HashMap<CellIndex, Vec<usize>>,
    by_visitor: HashMap<Visitor, Vec<usize>>,
    kinds: HashMap<PointId, Kind>,
}

impl Index {
    pub(crate) fn new(map: &Map, stays: Vec<Stay>) -> Self {
        let venue: HashMap<PointId, Uuid> = map.places.iter().map(|place| (place.id, place.venue)).collect();
        let kind = |place: &Place| {
            (place.id, Kind { granularity: place.granularity, category: place.category.into() })
        };
        let mut index = Self {
            stays: Vec::new(),
            by_point: HashMap::new(),
            by_grid: HashMap::new(),
            by_visitor: HashMap::new(),
            kinds: map.places.iter().map(kind).collect(),
        };
        for (at, stay) in stays.into_iter().enumerate() {
            index.by_point.entry(stay.point).or_default().push(at);
            index.by_visitor.entry(stay.visitor).or_default().push(at);
            if let Some(cell) = grid_cell(stay.cell) {
                index.by_grid.entry(cell).or_default().push(at);
            }
            index.stays.push(Candidate { venue: venue[&stay.point], row: None, stay });
        }
        index
    }

    /// All who may have met the trail, and for contacts of contacts all stays of the days in question.
    fn candidates(&self, trail: &[TrailStay], infectious: Span, pack: &RulePack) -> Vec<Candidate> {
        if pack.classes.iter().any(|class| class.secondary.is_some()) {
            let near =
                Span::new(infectious.from() - TimeDelta::days(1), infectious.until() + TimeDelta::days(1));
            let near = near.unwrap();
            return self.stays.iter().filter(|one| one.stay.span.overlap(&near).is_some()).cloned().collect();
        }
        let wide = pack
            .relations()
            .iter()
            .any(|relation| matches!(relation, Relation::NearbyCell | Relation::SameVenue));
        let mut found = HashSet::new();
        for stay in trail {
            let points = stay.point.and_then(|point| self.by_point.get(&point));
            found.extend(points.into_iter().flatten().copied());
            if wide {
                let cells = grid_cells(stay.cell).into_iter().filter_map(|cell| self.by_grid.get(&cell));
                found.extend(cells.flatten().copied());
            }
        }
        let mut found: Vec<usize> = found.into_iter().collect();
        found.sort_unstable();
        found.into_iter().map(|at| self.stays[at].clone()).collect()
    }
}

/// One case, and what truly came of it.
pub(crate) struct Known {
    case: Infection,
    visits: Vec<Visit>,
    infected: Vec<u32>,
    met: HashSet<u32>,
}

impl Known {
    /// All that the history tells of a case.
    pub(crate) fn of(history: &History, case: Infection) -> Self {
        let own = |visit: &&Visit| visit.person == case.person;
        let visits: Vec<Visit> = history.visits.iter().filter(own).copied().collect();
        let met = truly_met(history, &case, &visits);
        Self { case, infected: history.infected_by(case.person).collect(), met, visits }
    }
}

/// Traces every case under one pack.
pub(crate) fn measure(
    map: &Map,
    cases: &[Known],
    index: &Index,
    pack: &RulePack,
    trail: Trail,
    percent: u32,
) -> Measured {
    let mut row = Measured {
        pack: pack.name(),
        percent,
        trail,
        infected: 0,
        found: 0,
        listed: 0,
        met: 0,
        listed_median: 0,
    };
    let mut sizes = Vec::new();
    for known in cases {
        let listed = listed(map, known, index, pack, trail);
        row.infected += known.infected.len();
        row.found += known.infected.iter().filter(|person| listed.contains(&visitor(**person))).count();
        row.met += known.met.iter().filter(|person| listed.contains(&visitor(**person))).count();
        row.listed += listed.len();
        sizes.push(listed.len());
    }
    sizes.sort_unstable();
    row.listed_median = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    row
}

type Listed = HashSet<Visitor>;

/// Who gets a colour because of a case.
fn listed(map: &Map, known: &Known, index: &Index, pack: &RulePack, trail: Trail) -> Listed {
    let case = &known.case;
    let kind = pack.index_kinds.first().copied().unwrap();
    let onset = moment(case.onset_day * 1440);
    let isolated_at = Some(moment(case.isolated_day * 1440));
    let dates = CaseDates {
        onset_at: (kind != CaseKind::Asymptomatic).then_some(onset),
        sampled_at: onset + TimeDelta::days(1),
        isolated_at,
    };
    let now = moment((case.isolated_day + 1) * 1440);
    let infectious = infectious(&dates, pack, now, offset());
    let own: Vec<TrailStay> = match trail {
        Trail::Told => known.visits.iter().map(|visit| told(map, visit)).collect(),
        Trail::Scanned => {
            let stays = index.by_visitor.get(&visitor(case.person)).map_or(&[][..], Vec::as_slice);
            stays.iter().map(|at| scanned(map, &index.stays[*at].stay)).collect()
        }
    };
    let own: Vec<TrailStay> =
        own.into_iter().filter(|stay| stay.span.overlap(&infectious).is_some()).collect();
    let candidates = index.candidates(&own, infectious, pack);
    let case = visitor(case.person);
    let question = Question { case, kind, dates, infectious, trail: &own, pack, offset: offset() };
    let contacts = trace(&question, &candidates, &index.kinds).contacts;
    contacts
        .into_iter()
        .filter(|contact| contact.colour > Colour::Green)
        .map(|contact| contact.visitor)
        .collect()
}

fn told(map: &Map, visit: &Visit) -> TrailStay {
    let span = Span::new(moment(visit.from), moment(visit.until)).unwrap();
    at_place(&map.places[visit.place as usize], Uuid::from_u128(u128::from(visit.from) << 32 | 1), span)
}

fn scanned(map: &Map, stay: &Stay) -> TrailStay {
    let number = usize::try_from(stay.point.to_i64()).unwrap();
    at_place(&map.places[number - 1], stay.id, stay.span)
}

fn at_place(place: &Place, id: Uuid, span: Span) -> TrailStay {
    TrailStay {
        id,
        point: Some(place.id),
        venue: Some(place.venue),
        cell: place.cell,
        granularity: place.granularity,
        category: place.category.into(),
        row: None,
        span,
    }
}

/// Who truly was at a place together with the case while it was infectious by the simulation.
fn truly_met(history: &History, case: &Infection, visits: &[Visit]) -> HashSet<u32> {
    let from = case.onset_day.saturating_sub(2) * 1440;
    let mut by_place: HashMap<u32, Vec<&Visit>> = HashMap::new();
    for visit in visits.iter().filter(|visit| visit.until > from) {
        by_place.entry(visit.place).or_default().push(visit);
    }
    let met = |other: &&Visit| {
        let own = by_place.get(&other.place).map_or(&[][..], Vec::as_slice);
        other.person != case.person && own.iter().any(|own| own.from < other.until && other.from < own.until)
    };
    history.visits.iter().filter(met).map(|visit| visit.person).collect()
}

/// The table as CSV.
pub(crate) fn write(measured: &[Measured], file: &Path) {
    let mut out = csv::Writer::from_path(file).unwrap();
    let head = [
        "pack",
        "scanned_percent",
        "trail",
        "infected",
        "found",
        "recall",
        "listed",
        "precision",
        "truly_met_share",
        "listed_a_case_median",
    ];
    out.write_record(head).unwrap();
    for row in measured {
        out.write_record([
            row.pack.clone(),
            row.percent.to_string(),
            row.trail.word().to_owned(),
            row.infected.to_string(),
            row.found.to_string(),
            format!("{:.3}", row.recall()),
            row.listed.to_string(),
            format!("{:.5}", row.precision()),
            format!("{:.3}", row.truly_met()),
            row.listed_median.to_string(),
        ])
        .unwrap();
    }
    out.flush().unwrap();
}
