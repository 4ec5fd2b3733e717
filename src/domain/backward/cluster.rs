//! Clusters: places and hours that gather more cases than their share of all scans lets expect.
//!
//! The moments at which the cases scanned are taken as given, and so is how many people scanned where. If where a
//! case scanned had nothing to do with the others, each of their scans would fall on a place with the share that the
//! place has of all scans of those hours; how many cases a place then gathers is binomial. Every place with a scan in
//! a slot in which two cases scanned anywhere could have been found, so all of them count as tested.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::{CaseStay, Place};
use crate::domain::chance::{among, expected, ln_tail};
use crate::domain::span::Span;

/// All scans of an hour, wherever they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HourTotal {
    /// How many scans.
    pub scans: u64,
    /// At how many points.
    pub points: u64,
    /// Of how many venues.
    pub venues: u64,
}

/// What was counted, in hours that begin on the hour.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// All scans by hour.
    pub totals: BTreeMap<DateTime<Utc>, HourTotal>,
    /// The scans at the places that cases scanned at, by hour.
    pub places: HashMap<(Place, DateTime<Utc>), u64>,
}

/// Two cases or more that came to one place within one slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Where.
    pub place: Place,
    /// When: whole hours.
    pub slot: Span,
    /// Which cases scanned there then, in the order of their list.
    pub cases: Vec<usize>,
    /// How many scans of cases the slot has, wherever they were; a case counts once at a place.
    pub case_scans: u64,
    /// The scans of everybody at the place in the slot.
    pub scans: u64,
    /// The scans of everybody, wherever they were, in the slot.
    pub all_scans: u64,
    /// How surprising that is; none where the counts are missing, which surprises nobody.
    pub surprise: Option<Surprise>,
}

/// How surprising a cluster is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surprise {
    /// How many cases the place's share of all scans lets expect.
    pub expected: f64,
    /// The natural logarithm of the probability of as many or more, for this place and slot alone.
    pub ln_p: f64,
}

impl Surprise {
    /// The probability that one of so many places and slots gathers as many by chance.
    pub fn among(&self, tested: u64) -> f64 {
        among(self.ln_p, tested)
    }
}

/// What was found, and among how many places and slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    /// The most surprising first; those whose counts are missing last.
    pub found: Vec<Cluster>,
    /// How many places and slots could have been found.
    pub tested: u64,
}

/// When an hour began.
pub fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let past = i64::from(at.minute()) * 60 + i64::from(at.second());
    at - TimeDelta::seconds(past) - TimeDelta::nanoseconds(at.nanosecond().into())
}

/// The hours of which the totals are needed: those in which a case scanned, and the rest of their slots.
pub fn hours_needed(stays: &[CaseStay], slot_hours: u8) -> BTreeSet<DateTime<Utc>> {
    let begun = stays.iter().filter(|stay| stay.is_scanned).map(|stay| hour_of(stay.span.from()));
    begun.flat_map(|hour| (0..i64::from(slot_hours)).map(move |n| hour + TimeDelta::hours(n))).collect()
}

/// The clusters among stays that scans tell. A slot lasts `slot_hours` and begins with each hour in which a case
/// scanned; of slots at one place that overlap, one whose cases a more surprising one has too is left out.
pub fn clusters(stays: &[CaseStay], counts: &Counts, slot_hours: u8) -> Clusters {
    let mut arrivals: BTreeMap<DateTime<Utc>, Vec<&CaseStay>> = BTreeMap::new();
    for stay in stays.iter().filter(|stay| stay.is_scanned) {
        arrivals.entry(hour_of(stay.span.from())).or_default().push(stay);
    }
    let mut all = Clusters::default();
    for begins in arrivals.keys() {
        let Ok(slot) = Span::new(*begins, *begins + TimeDelta::hours(slot_hours.into())) else { continue };
        let within: Vec<&CaseStay> =
            arrivals.range(slot.from()..slot.until()).flat_map(|(_, stays)| stays).copied().collect();
        if within.iter().map(|stay| stay.case).collect::<BTreeSet<_>>().len() < 2 {
            continue;
        }
        all.tested += tested(counts, slot);
        of_slot(slot, &within, counts, &mut all.found);
    }
    all.found.sort_by(|one, other| {
        let ln_p = |cluster: &Cluster| cluster.surprise.map_or(f64::INFINITY, |surprise| surprise.ln_p);
        let first = ln_p(one).total_cmp(&ln_p(other));
        first
            .then(other.cases.len().cmp(&one.cases.len()))
            .then((one.slot, one.place).cmp(&(other.slot, other.place)))
    });
    all.found = without_repeats(all.found);
    all
}

fn tested(counts: &Counts, slot: Span) -> u64 {
    let totals = counts.totals.range(slot.from()..slot.until());
    totals.map(|(_, total)| total.points + total.venues).sum()
}

/// The points of one slot, and the venues at which several points play a part.
fn of_slot(slot: Span, within: &[&CaseStay], counts: &Counts, found: &mut Vec<Cluster>) {
    let mut points: BTreeMap<Place, BTreeSet<usize>> = BTreeMap::new();
    let mut venues: BTreeMap<Place, (BTreeSet<usize>, BTreeSet<Place>)> = BTreeMap::new();
    for stay in within {
        let Some(point) = stay.point.map(Place::Point) else { continue };
        points.entry(point).or_default().insert(stay.case);
        if let Some(venue) = stay.venue {
            let (cases, at) = venues.entry(Place::Venue(venue)).or_default();
            cases.insert(stay.case);
            at.insert(point);
        }
    }
    let count = |cases: &BTreeSet<usize>| u64::try_from(cases.len()).unwrap_or(u64::MAX);
    let at_points: u64 = points.values().map(count).sum();
    let at_venues: u64 = venues.values().map(|(cases, _)| count(cases)).sum();
    let wide = venues.into_iter().filter(|(_, (_, points))| points.len() > 1);
    let wide = wide.map(|(place, (cases, _))| (place, cases, at_venues));
    let narrow = points.into_iter().map(|(place, cases)| (place, cases, at_points));
    for (place, cases, case_scans) in narrow.chain(wide).filter(|(_, cases, _)| cases.len() > 1) {
        let hours = counts.totals.range(slot.from()..slot.until());
        let all_scans = hours.clone().map(|(_, total)| total.scans).sum();
        let scans = hours.filter_map(|(hour, _)| counts.places.get(&(place, *hour))).sum();
        let seen = count(&cases);
        let surprise = (scans >= seen && all_scans >= scans).then(|| Surprise {
            expected: expected(case_scans, scans, all_scans),
            ln_p: ln_tail(seen, case_scans, scans, all_scans),
        });
        let cases = cases.into_iter().collect();
        found.push(Cluster { place, slot, cases, case_scans, scans, all_scans, surprise });
    }
}

fn without_repeats(sorted: Vec<Cluster>) -> Vec<Cluster> {
    let mut kept: Vec<Cluster> = Vec::new();
    let mut at: HashMap<Place, Vec<usize>> = HashMap::new();
    for cluster in sorted {
        let before = at.entry(cluster.place).or_default();
        let repeats = |other: &Cluster| {
            other.slot.overlap(&cluster.slot).is_some()
                && cluster.cases.iter().all(|case| other.cases.contains(case))
        };
        if !before.iter().filter_map(|index| kept.get(*index)).any(repeats) {
            before.push(kept.len());
            kept.push(cluster);
        }
    }
    kept
}
