//! A trial: a rule pack tried on stays that are given. It stores nothing and names nobody.

mod form;
mod read;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use h3o::CellIndex;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::form::{
    InvalidTrial, PLACES_MAX, STAYS_MAX, TRAIL_MAX, Trial, TrialCase, TrialPlace, TrialStay, TrialTrailStay,
};

use super::case::infectious;
use super::exposure::{Candidate, Exposure, Question, Relation, TrailStay, With};
use super::grading::Contact;
use super::inquiry::{Place, trace};
use super::position::{POINT_RESOLUTION, Position};
use super::rule_pack::{Class, Colour, RulePack};
use super::scan::Presence;
use super::span::Span;
use super::stay::{EndedBy, Stay};
use super::venue::{Granularity, PointId};
use super::visitor::Visitor;

/// Who was found, by which rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialAnswer {
    /// When the case was infectious.
    pub infectious: TrialSpan,
    /// The contacts, the strongest class first.
    pub contacts: Vec<TrialContact>,
}

/// Time `[from, until)`.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialSpan {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// Somebody who was exposed.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialContact {
    /// The label that was given.
    pub who: String,
    /// The strongest class that is met.
    pub class: Class,
    /// Which of the rules of that class.
    pub rule: Option<String>,
    /// The colour that the pack proposes for it.
    pub colour: Colour,
    /// 0: met the case; 1: met a contact of the case, and so on.
    pub depth: u8,
    /// Seconds together, no moment counted twice.
    pub together_secs: i64,
    /// How many meetings.
    pub meetings: usize,
    /// When the first meeting began.
    pub first_at: DateTime<Utc>,
    /// When the last meeting ended.
    pub last_at: DateTime<Utc>,
    /// What it rests on.
    pub evidence: Vec<TrialMeeting>,
}

/// One meeting.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialMeeting {
    /// The place of the visitor's stay.
    pub place: String,
    /// Since when both were there.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// How near.
    pub relation: Relation,
    /// With whom: the label of the case or of a contact.
    pub with: String,
}

impl Trial {
    /// Who was exposed, by these rules.
    pub fn run(&self, pack: &RulePack) -> Result<TrialAnswer, InvalidTrial> {
        if !pack.index_kinds.contains(&self.case.kind) {
            let reason = format!("{} does not count a case of this kind", pack.name());
            return Err(InvalidTrial::new("case.kind", reason));
        }
        let dates = self.case.dates();
        dates.check(self.case.kind, self.now).map_err(|error| InvalidTrial::new("case", error))?;
        let ground = Ground::of(&self.places)?;
        let trail = ground.trail(self)?;
        let candidates = ground.candidates(self)?;
        let question = Question {
            case: visitor(&self.case.who),
            kind: self.case.kind,
            dates,
            infectious: infectious(&dates, pack, self.now, self.local_offset),
            trail: &trail,
            pack,
            offset: self.local_offset,
        };
        let places = ground.by_id.values().map(|spot| (spot.point, spot.place())).collect();
        let found = trace(&question, &candidates, &places);
        let names = Names::of(self);
        Ok(TrialAnswer {
            infectious: TrialSpan { from: question.infectious.from(), until: question.infectious.until() },
            contacts: found
                .contacts
                .iter()
                .map(|one| names.contact(one, &found.exposures, &ground))
                .collect(),
        })
    }
}

/// A label becomes a visitor that nobody is: no channel makes pseudonyms so.
fn visitor(label: &str) -> Visitor {
    Visitor::from_uuid(id_of("who", label))
}

fn id_of(kind: &str, label: &str) -> Uuid {
    let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(label).finalize();
    let mut half = [0; 16];
    half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    Uuid::from_bytes(half)
}

/// The places of a trial, as the register would know them.
struct Ground<'a> {
    by_id: HashMap<&'a str, Spot>,
    by_venue: HashMap<&'a str, Spot>,
    names: Vec<&'a str>,
}

/// A place as tracing sees it.
#[derive(Clone)]
struct Spot {
    point: PointId,
    venue: Uuid,
    cell: CellIndex,
    granularity: Granularity,
    category: Arc<str>,
    row: Option<u16>,
}

impl<'a> Ground<'a> {
    fn of(places: &'a [TrialPlace]) -> Result<Self, InvalidTrial> {
        let mut ground = Self { by_id: HashMap::new(), by_venue: HashMap::new(), names: Vec::new() };
        let mut remote = HashMap::new();
        for (number, place) in (0u16..).zip(places) {
            let at = |name: &str| format!("places[{number}].{name}");
            let venue = place.venue.as_deref().unwrap_or(&place.id);
            let nowhere = *remote.entry(venue).or_insert(number);
            let spot = Spot {
                point: PointId::new(number.into())
                    .ok_or_else(|| InvalidTrial::new(&at("id"), "is one too many"))?,
                venue: id_of("venue", venue),
                cell: place.cell_or(nowhere)?,
                granularity: place.granularity,
                category: place.category.as_str().into(),
                row: place.row,
            };
            if ground.by_id.insert(&place.id, spot.clone()).is_some() {
                return Err(InvalidTrial::new(&at("id"), "names a place twice"));
            }
            ground.by_venue.entry(venue).or_insert(spot);
            ground.names.push(&place.id);
        }
        Ok(ground)
    }

    fn at(&self, id: &str, path: &str) -> Result<&Spot, InvalidTrial> {
        let unknown = || InvalidTrial::new(path, format!("`{id}` is none of `places`"));
        self.by_id.get(id).ok_or_else(unknown)
    }

    fn name(&self, point: PointId) -> String {
        let at = usize::try_from(point.spread()).unwrap_or(usize::MAX);
        self.names.get(at).map_or_else(String::new, |name| (*name).to_owned())
    }

    fn trail(&self, trial: &Trial) -> Result<Vec<TrailStay>, InvalidTrial> {
        let stay = |(number, stay): (usize, &TrialTrailStay)| {
            let path = |name: &str| format!("trail[{number}].{name}");
            let (spot, point, venue) = match (&stay.place, &stay.venue, stay.cell) {
                (Some(place), None, None) => {
                    let spot = self.at(place, &path("place"))?.clone();
                    let (point, venue) = (spot.point, spot.venue);
                    (spot, Some(point), Some(venue))
                }
                (None, Some(venue), None) => {
                    let unknown = || format!("`{venue}` is the venue of none of `places`");
                    let spot = self.by_venue.get(venue.as_str()).cloned();
                    let spot = spot.ok_or_else(|| InvalidTrial::new(&path("venue"), unknown()))?;
                    let venue = spot.venue;
                    (Spot { row: None, ..spot }, None, Some(venue))
                }
                (None, None, Some(cell)) => (Spot::somewhere(cell), None, None),
                _ => {
                    let right = "must name one of `place`, `venue` and `cell`";
                    return Err(InvalidTrial::new(&format!("trail[{number}]"), right));
                }
            };
            Ok(TrailStay {
                id: Uuid::from_u128(number as u128),
                point,
                venue,
                cell: spot.cell,
                granularity: spot.granularity,
                category: spot.category,
                row: stay.row.or(spot.row),
                span: span(stay.from, stay.until, trial.now, &path("until"))?,
            })
        };
        trial.trail.iter().enumerate().map(stay).collect()
    }

    fn candidates(&self, trial: &Trial) -> Result<Vec<Candidate>, InvalidTrial> {
        let stay = |(number, stay): (usize, &TrialStay)| {
            let path = |name: &str| format!("stays[{number}].{name}");
            let spot = self.at(&stay.place, &path("place"))?;
            Ok(Candidate {
                stay: Stay {
                    id: Uuid::from_u128(number as u128),
                    visitor: visitor(&stay.who),
                    point: spot.point,
                    cell: spot.cell,
                    span: span(stay.from, stay.until, trial.now, &path("until"))?,
                    ended_by: stay.ended_by.unwrap_or(EndedBy::Left),
                    presence: stay.presence.unwrap_or(Presence::Verified),
                },
                venue: spot.venue,
                row: spot.row,
            })
        };
        trial.stays.iter().enumerate().map(stay).collect()
    }
}

impl Spot {
    fn place(&self) -> Place {
        Place { granularity: self.granularity, category: self.category.clone() }
    }

    /// A stay of which no more is known than the cell: nobody meets the case at a point of it.
    fn somewhere(cell: CellIndex) -> Self {
        Self {
            point: PointId::from_bytes([u8::MAX; 5]),
            venue: Uuid::nil(),
            cell,
            granularity: Granularity::Hall,
            category: "other".into(),
            row: None,
        }
    }
}

impl TrialPlace {
    /// The cell of the place. Of one that says nothing of where it is, a cell in the Southern Ocean, so far from
    /// that of every other venue that no grid cell joins them.
    fn cell_or(&self, nowhere: u16) -> Result<CellIndex, InvalidTrial> {
        match self.cell {
            Some(cell) => Ok(cell),
            None => Position::new(-56.0, -150.0 + 0.1 * f64::from(nowhere))
                .map(|position| position.cell(POINT_RESOLUTION))
                .map_err(|error| InvalidTrial::new("places", error)),
        }
    }
}

/// The time of a stay; one without an end lasts until now, and one of no length is a moment.
fn span(
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    path: &str,
) -> Result<Span, InvalidTrial> {
    let until = until.unwrap_or(now);
    if until < from {
        return Err(InvalidTrial::new(path, "lies before `from`"));
    }
    Ok(Span::new(from, until).unwrap_or(Span::moment(from)))
}

/// The labels behind the visitors.
struct Names<'a>(HashMap<Visitor, &'a str>);

impl<'a> Names<'a> {
    fn of(trial: &'a Trial) -> Self {
        let labels = trial.stays.iter().map(|stay| stay.who.as_str()).chain([trial.case.who.as_str()]);
        Self(labels.map(|label| (visitor(label), label)).collect())
    }

    fn label(&self, visitor: Visitor) -> String {
        self.0.get(&visitor).map_or_else(String::new, |label| (*label).to_owned())
    }

    fn contact(&self, contact: &Contact, met: &[Exposure], ground: &Ground<'_>) -> TrialContact {
        let meeting = |exposure: &Exposure| TrialMeeting {
            place: ground.name(exposure.stay_point),
            from: exposure.span.from(),
            until: exposure.span.until(),
            relation: exposure.relation,
            with: match exposure.with {
                With::Case(_) => CASE.to_owned(),
                With::Contact(other, ..) => self.label(other),
            },
        };
        TrialContact {
            who: self.label(contact.visitor),
            class: contact.class,
            rule: contact.rule.clone(),
            colour: contact.colour,
            depth: contact.depth,
            together_secs: contact.together_secs,
            meetings: contact.meetings,
            first_at: contact.first_at,
            last_at: contact.last_at,
            evidence: contact.evidence.iter().filter_map(|at| met.get(*at)).map(meeting).collect(),
        }
    }
}

/// The label of the case, where the trial gives it none.
pub const CASE: &str = "case";

#[cfg(test)]
#[path = "trial/tests.rs"]
mod tests;
