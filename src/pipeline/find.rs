//! Case, trail and pack → who met the case, and in which class. Reads alone; nothing is kept.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use super::progress::{Stopped, Watch};
use crate::domain::catalogue::LONGEST_STAY;
use crate::domain::exposure::{Candidate, Exposure, Question, Relation};
use crate::domain::grading::{Contact, Dwell};
use crate::domain::inquiry::{ContactStay, Places, Traced, Tracing};
use crate::domain::rule_pack::Class;
use crate::domain::span::{Span, union};
use crate::domain::visitor::Visitor;
use crate::store::findings::{self, Reach, Search};
use crate::store::progress::{Progress, Stage};
use crate::store::whereabouts;

/// The most people whom one run may look at.
pub const PEOPLE_MAX: usize = 500_000;

/// How many minutes together a run tries beside those of its pack.
pub const SENSITIVITY_MINS: [u32; 3] = [10, 15, 30];

/// No stay lasts longer: a chain of scans is begun afresh each day, and its last scan counts for a day.
pub const STAY_MAX: TimeDelta = TimeDelta::days(2);
const _: () = assert!(LONGEST_STAY.num_seconds() * 2 <= STAY_MAX.num_seconds());

/// How many places and times one query searches, and of how many visitors one asks.
const BLOCK: usize = 512;

/// What a question finds.
#[derive(Debug)]
pub struct Found {
    /// All meetings, with the case first, then with its contacts.
    pub exposures: Vec<Exposure>,
    /// Who became a contact by them, in the order of triage.
    pub contacts: Vec<Contact>,
    /// Where and when others were looked for.
    pub searches: Vec<Search>,
    /// How many contacts of each class there would be with so many minutes instead.
    pub sensitivity: Vec<(u32, BTreeMap<Class, usize>)>,
}

/// Finds everybody who met the case, then the companions and the contacts of contacts where the pack asks for them.
/// Fails with [`Stopped`] when there are too many people, or when whoever watches wants it to end.
pub async fn find(
    conn: &mut AsyncPgConnection,
    question: &Question<'_>,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Found> {
    let mut seeker = Seeker { conn, watch, at: Progress::default(), people: HashSet::new() };
    let mut windows = joined(searches(question));
    let candidates = seeker.seek(Stage::Searching, &windows).await?;
    let mut tracing = Tracing::new(question, &candidates);
    drop(candidates);
    seeker.enter(Stage::Grading, 0).await?;
    let wanted = tracing.dwell_wanted();
    if !wanted.is_empty() {
        windows.extend(dwell_windows(question));
    }
    tracing.grade(seeker.dwell(&wanted).await?);
    loop {
        let wanted = tracing.secondary_wanted();
        if wanted.is_empty() {
            break;
        }
        let (stays, places) = seeker.whereabouts(Stage::Secondary, &wanted).await?;
        let trail = tracing.secondary_trail(&stays, &places);
        let around = around(question, &trail);
        let candidates = seeker.seek(Stage::Secondary, &around).await?;
        windows.extend(around);
        tracing.meet(&trail, &candidates);
    }
    let sensitivity = tracing.sensitivity(&SENSITIVITY_MINS);
    let Traced { exposures, contacts } = tracing.done();
    Ok(Found { exposures, contacts, searches: joined(windows), sensitivity })
}

/// Where candidates are looked for: around each stay of the trail, as far as the relations reach.
pub fn searches(question: &Question<'_>) -> Vec<Search> {
    let mut searches = Vec::new();
    let (before, after) = question.pack.slack();
    for stay in question.trail {
        let Some(span) = stay.span.overlap(&question.infectious) else { continue };
        let (from, until) = (span.from() - before, span.until() + after);
        let mut add = |reach| searches.push(Search { reach, from, until });
        for relation in question.pack.relations() {
            match relation {
                Relation::SamePoint | Relation::AfterCase => {
                    stay.point.map(|point| Reach::Point(point.to_i64())).into_iter().for_each(&mut add);
                }
                Relation::SameVenue => stay.venue.map(Reach::Venue).into_iter().for_each(&mut add),
                Relation::NearbyCell => {
                    findings::grid_numbers(stay.cell).into_iter().map(Reach::Cell).for_each(&mut add);
                }
            }
        }
    }
    searches
}

/// Searches around the stays of contacts.
fn around(question: &Question<'_>, trail: &[ContactStay]) -> Vec<Search> {
    let at: Vec<_> = trail.iter().map(|stay| stay.at.clone()).collect();
    joined(searches(&Question { trail: &at, ..*question }))
}

/// Where a companion rule looks back: in the cells of the trail, for so many days before. Only told, so that what
/// comes late there is noticed; the stays themselves are asked for by visitor.
fn dwell_windows(question: &Question<'_>) -> Vec<Search> {
    let days = question.pack.classes.iter().filter_map(|class| class.companion).map(|rule| rule.within_days);
    let Some(days) = days.max() else { return Vec::new() };
    let mut windows = Vec::new();
    for stay in question.trail {
        let Some(span) = stay.span.overlap(&question.infectious) else { continue };
        let (from, until) = (span.from() - TimeDelta::days(days.into()), span.until());
        let cells = findings::grid_numbers(stay.cell).into_iter().map(Reach::Cell);
        windows.extend(cells.map(|reach| Search { reach, from, until }));
    }
    windows
}

/// Each place once, with the times that touch or overlap joined: contacts of one case were at the same places.
fn joined(searches: Vec<Search>) -> Vec<Search> {
    let key = |reach: &Reach| match reach {
        Reach::Point(point) => (0, u128::from(point.cast_unsigned())),
        Reach::Venue(venue) => (1, venue.as_u128()),
        Reach::Cell(cell) => (2, u128::from(cell.cast_unsigned())),
    };
    let mut by_reach: BTreeMap<(u8, u128), (Reach, Vec<Span>)> = BTreeMap::new();
    for Search { reach, from, until } in searches {
        if let Ok(span) = Span::new(from, until) {
            by_reach.entry(key(&reach)).or_insert_with(|| (reach, Vec::new())).1.push(span);
        }
    }
    let one = |(reach, spans): (Reach, Vec<Span>)| {
        let search = move |span: Span| Search { reach, from: span.from(), until: span.until() };
        union(spans).into_iter().map(search)
    };
    by_reach.into_values().flat_map(one).collect()
}

/// Asks the database block by block, counts people, and tells how far it is.
struct Seeker<'a, 'w> {
    conn: &'a mut AsyncPgConnection,
    watch: &'a mut Watch<'w>,
    at: Progress,
    people: HashSet<Visitor>,
}

impl Seeker<'_, '_> {
    async fn enter(&mut self, stage: Stage, searches: usize) -> Result<(), Stopped> {
        self.at.stage = stage;
        (self.at.searches, self.at.searched) = (i64::try_from(searches).unwrap_or(i64::MAX), 0);
        self.watch.note(self.at).await
    }

    async fn advance(&mut self, searched: usize) -> Result<(), Stopped> {
        self.at.searched += i64::try_from(searched).unwrap_or(0);
        self.at.people = i64::try_from(self.people.len()).unwrap_or(i64::MAX);
        if self.people.len() > PEOPLE_MAX {
            return Err(too_many(self.at.stage));
        }
        self.watch.note(self.at).await
    }

    /// The stays at some places in some times, each once.
    async fn seek(&mut self, stage: Stage, windows: &[Search]) -> anyhow::Result<Vec<Candidate>> {
        self.enter(stage, windows.len()).await?;
        let mut found: Vec<Candidate> = Vec::new();
        for block in windows.chunks(BLOCK) {
            let candidates = findings::candidates(self.conn, block, STAY_MAX).await?;
            self.people.extend(candidates.iter().map(|candidate| candidate.stay.visitor));
            found.extend(candidates);
            self.advance(block.len()).await?;
        }
        if windows.len() > BLOCK {
            let key = |at: &Candidate| (at.stay.point, at.stay.span.from(), at.stay.visitor, at.stay.id);
            found.sort_unstable_by_key(key);
            found.dedup_by_key(|at| key(at));
        }
        Ok(found)
    }

    /// The stays of some visitors, each within a span, and the places where they were.
    async fn whereabouts(
        &mut self,
        stage: Stage,
        wanted: &[(Visitor, Span)],
    ) -> anyhow::Result<(Vec<Candidate>, Places)> {
        self.enter(stage, wanted.len()).await?;
        let (mut stays, mut places) = (Vec::new(), Places::new());
        for block in wanted.chunks(BLOCK) {
            let (found, known) = whereabouts::of_visitors(self.conn, block).await?;
            stays.extend(found);
            places.extend(known);
            self.advance(block.len()).await?;
        }
        Ok((stays, places))
    }

    /// Where those were whom a companion rule asks about.
    async fn dwell(&mut self, wanted: &[(Visitor, Span)]) -> anyhow::Result<Dwell> {
        let (found, _) = self.whereabouts(Stage::Grading, wanted).await?;
        let mut stays: HashMap<Visitor, Vec<_>> = HashMap::new();
        for Candidate { stay, .. } in found {
            if stay.presence != crate::domain::scan::Presence::Contradicted {
                stays.entry(stay.visitor).or_default().push((stay.cell, stay.span));
            }
        }
        Ok(Dwell { stays })
    }
}

fn too_many(stage: Stage) -> Stopped {
    let narrow = if stage == Stage::Secondary {
        "take a pack without contacts of contacts, or of fewer steps"
    } else {
        "shorten the stays of the trail, remove those at crowded places, or take a pack that looks at the point alone"
    };
    Stopped::TooMany(format!("more than {PEOPLE_MAX} people were where this run looks; {narrow}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn search(reach: Reach, from: i64, until: i64) -> Search {
        let at = |secs| DateTime::from_timestamp(secs, 0).unwrap();
        Search { reach, from: at(from), until: at(until) }
    }

    #[test]
    fn searches_at_one_place_are_joined_and_others_stay_apart() {
        let venue = Reach::Venue(uuid::Uuid::from_u128(7));
        let found = joined(vec![
            search(Reach::Point(7), 10, 20),
            search(venue, 0, 5),
            search(Reach::Point(7), 0, 10),
            search(Reach::Cell(7), 3, 4),
            search(Reach::Point(7), 30, 40),
            search(Reach::Point(8), 12, 14),
            search(Reach::Point(9), 5, 5),
        ]);
        let told: Vec<_> = found
            .iter()
            .map(|search| (search.reach, search.from.timestamp(), search.until.timestamp()))
            .collect();
        assert_eq!(
            told,
            [
                (Reach::Point(7), 0, 20),
                (Reach::Point(7), 30, 40),
                (Reach::Point(8), 12, 14),
                (venue, 0, 5),
                (Reach::Cell(7), 3, 4)
            ]
        );
    }

    #[test]
    fn a_run_that_finds_too_many_says_what_to_narrow() {
        assert!(too_many(Stage::Searching).to_string().contains("trail"));
        assert!(too_many(Stage::Secondary).to_string().contains("contacts of contacts"));
    }
}
