//! Likely sources: which earlier case best explains a case. A hint for the interview, and never a colour.
//!
//! The weights belong to no rule pack, since nobody is graded by them:
//!
//! - **Days between the two onsets** (the sample's day, where there was no onset): the serial intervals of Nishiura,
//!   Linton and Akhmetzhanov, Int. J. Infect. Dis. 93 (2020) 284: log-normal, mean 4.7 and standard deviation 2.9
//!   days, by whole days up to 14.
//! - **Time together**, from 2 days before the source's onset (WHO) until its isolation, 10 days after onset at the
//!   latest, and 14 days to 1 day before the onset of the other (incubation, ECDC).
//! - **Closeness**: a minute counts fully on a seat, in a room and in a vehicle, half on a floor, a quarter in a hall,
//!   a tenth under the sky and at different points of one venue. Fifteen such minutes count half of what no end of
//!   them could.
//!
//! The score is the product of the first and of the second by the third. It orders candidates; it is no probability.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{CaseStay, Place};
use crate::domain::case::CaseDates;
use crate::domain::span::{Span, union};
use crate::domain::venue::Granularity;

/// The weight of so many days between two onsets. Sums to 0.988: the rest lies beyond.
const SERIAL: [f64; 15] = [
    0.0001, 0.0420, 0.1619, 0.2031, 0.1751, 0.1303, 0.0912, 0.0621, 0.0420, 0.0283, 0.0192, 0.0132, 0.0091,
    0.0063, 0.0044,
];

/// How long before onset somebody infects others.
const INFECTIOUS_BEFORE: TimeDelta = TimeDelta::days(2);

/// How long after onset somebody does who was not isolated.
const INFECTIOUS_AFTER: TimeDelta = TimeDelta::days(10);

/// How long before onset an infection happened at the earliest, and at the latest.
const INCUBATION: (TimeDelta, TimeDelta) = (TimeDelta::days(14), TimeDelta::days(1));

/// So many close minutes count half.
const HALF_MINS: f64 = 15.0;

/// An earlier case that may have infected another.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Which of the cases, by its place in their list.
    pub case: usize,
    /// By how many days its onset was earlier.
    pub days_earlier: usize,
    /// Whether one of the two days is that of a sample, because there was no onset.
    pub is_by_sample: bool,
    /// The weight of these days.
    pub serial: f64,
    /// How long the two were together when it mattered.
    pub together_secs: i64,
    /// The same, weighted by how close together people are there, in minutes.
    pub close_mins: f64,
    /// How many meetings.
    pub meetings: usize,
    /// Where they were together longest.
    pub place: Place,
    /// What orders the candidates.
    pub score: f64,
}

/// When a case's illness is taken to have begun.
pub fn begun(dates: &CaseDates) -> DateTime<Utc> {
    dates.onset_at.unwrap_or(dates.sampled_at)
}

/// When a case may have been infected.
pub fn incubation(dates: &CaseDates) -> Span {
    let (longest, shortest) = INCUBATION;
    let begun = begun(dates);
    Span::new(begun - longest, begun - shortest).unwrap_or(Span::lasting(begun, 1))
}

/// The likely sources of each case, in the order of the cases; for each the best first. Who began later, or too
/// long before, is none, nor is who was not met while it mattered.
pub fn sources(cases: &[CaseDates], stays: &[CaseStay]) -> Vec<Vec<Source>> {
    let mut venues: BTreeMap<Place, Vec<&CaseStay>> = BTreeMap::new();
    for stay in stays {
        let place = stay.venue.map(Place::Venue).or(stay.point.map(Place::Point));
        if let Some(place) = place {
            venues.entry(place).or_default().push(stay);
        }
    }
    let mut met: HashMap<(usize, usize), Vec<Meeting>> = HashMap::new();
    for at in venues.into_values() {
        meetings(cases, at, &mut met);
    }
    let mut found = vec![Vec::new(); cases.len()];
    for ((of, from), meetings) in met {
        if let (Some(list), Some(source)) = (found.get_mut(of), source(cases, (of, from), &meetings)) {
            list.push(source);
        }
    }
    for list in &mut found {
        list.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.case.cmp(&other.case)));
    }
    found
}

/// The time that a case and an earlier one shared at a place.
struct Meeting {
    span: Span,
    place: Place,
    closeness: f64,
}

/// All meetings at one venue, found by going through its stays in the order of time.
fn meetings(cases: &[CaseDates], mut at: Vec<&CaseStay>, met: &mut HashMap<(usize, usize), Vec<Meeting>>) {
    at.sort_by_key(|stay| (stay.span, stay.case));
    let mut present: Vec<&CaseStay> = Vec::new();
    for stay in at {
        present.retain(|other| other.span.until() > stay.span.from());
        for other in present.iter().filter(|other| other.case != stay.case) {
            for (of, from) in [(stay.case, other.case), (other.case, stay.case)] {
                let shared = stay.span.overlap(&other.span);
                let mattering = shared.and_then(|span| mattering(cases, (of, from), span));
                if let (Some(span), Some((place, closeness))) = (mattering, closeness(stay, other)) {
                    met.entry((of, from)).or_default().push(Meeting { span, place, closeness });
                }
            }
        }
        present.push(stay);
    }
}

/// The part of a meeting in which the one could infect and the other be infected.
fn mattering(cases: &[CaseDates], (of, from): (usize, usize), shared: Span) -> Option<Span> {
    let (of, from) = (cases.get(of)?, cases.get(from)?);
    serial(from, of)?;
    let source_begun = begun(from);
    let ends = source_begun + INFECTIOUS_AFTER;
    let ends = from.isolated_at.map_or(ends, |isolated| isolated.min(ends));
    let infectious = Span::new(source_begun - INFECTIOUS_BEFORE, ends).ok()?;
    shared.overlap(&infectious)?.overlap(&incubation(of))
}

/// How close two stays at one venue are, and where they meet.
fn closeness(one: &CaseStay, other: &CaseStay) -> Option<(Place, f64)> {
    if let Some(point) = one.point.filter(|point| other.point == Some(*point)) {
        let weight = match one.granularity {
            Granularity::Seat | Granularity::Room | Granularity::Vehicle => 1.0,
            Granularity::Floor => 0.5,
            Granularity::Hall => 0.25,
            Granularity::OpenAir => 0.1,
        };
        return Some((Place::Point(point), weight));
    }
    one.venue.filter(|venue| other.venue == Some(*venue)).map(|venue| (Place::Venue(venue), 0.1))
}

/// The days from one onset to another, with their weight; none where the first is not earlier.
fn serial(from: &CaseDates, of: &CaseDates) -> Option<(usize, f64)> {
    let apart = begun(of) - begun(from);
    if apart <= TimeDelta::zero() {
        return None;
    }
    let days = usize::try_from((apart + TimeDelta::hours(12)).num_days()).ok()?;
    SERIAL.get(days).map(|weight| (days, *weight))
}

fn source(cases: &[CaseDates], (of, from): (usize, usize), meetings: &[Meeting]) -> Option<Source> {
    let (one, other) = (cases.get(of)?, cases.get(from)?);
    let (days_earlier, serial) = serial(other, one)?;
    let mut places: BTreeMap<Place, (f64, Vec<Span>)> = BTreeMap::new();
    for meeting in meetings {
        let (_, spans) = places.entry(meeting.place).or_insert((meeting.closeness, Vec::new()));
        spans.push(meeting.span);
    }
    let secs = |spans: &[Span]| union(spans.to_vec()).iter().map(Span::secs).sum::<i64>();
    let close_mins = places.values().map(|(weight, spans)| weight * minutes(secs(spans))).sum::<f64>();
    let longest = places.iter().max_by_key(|(place, (_, spans))| (secs(spans), Reverse(*place)))?;
    let place = *longest.0;
    let all: Vec<Span> = meetings.iter().map(|meeting| meeting.span).collect();
    let all = union(all);
    Some(Source {
        case: from,
        days_earlier,
        is_by_sample: one.onset_at.is_none() || other.onset_at.is_none(),
        serial,
        together_secs: all.iter().map(Span::secs).sum(),
        close_mins,
        meetings: all.len(),
        place,
        score: serial * close_mins / (close_mins + HALF_MINS),
    })
}

#[expect(clippy::cast_precision_loss, reason = "the stays of some weeks, far below 2^52 seconds")]
fn minutes(secs: i64) -> f64 {
    secs as f64 / 60.0
}
