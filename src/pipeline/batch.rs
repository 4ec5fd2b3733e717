//! Many cases → the contacts of each, in one go: what several of them ask for is read and unpacked once.
//!
//! Cases are taken in groups, which bounds the memory however many there are and however many contacts they have. While
//! one group is joined and graded, the next is read.

use std::sync::Arc;

use chrono::FixedOffset;
use diesel_async::AsyncPgConnection;
use tokio::task::{JoinHandle, spawn_blocking};

use super::find::{STAY_MAX, searches};
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::exposure::{Candidate, Question, TrailStay, exposures};
use crate::domain::grading::{Contact, Dwell, grade};
use crate::domain::rule_pack::RulePack;
use crate::domain::span::Span;
use crate::domain::visitor::Visitor;
use crate::store::findings::{self, Place};
use crate::store::stay_packs::{self, AtPoint, Found};

/// How many cases are read together. A case has some ten thousand candidates of a hundred bytes.
const GROUP: usize = 48;

/// How many windows are asked for in one statement.
const WINDOWS: usize = 1_000;

/// A case of a batch.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who is the case.
    pub case: Visitor,
    /// What kind of case.
    pub kind: CaseKind,
    /// Its dates.
    pub dates: CaseDates,
    /// When it was infectious.
    pub infectious: Span,
    /// Where it was.
    pub trail: Vec<TrailStay>,
}

/// By what a batch is traced.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The rule pack.
    pub pack: Arc<RulePack>,
    /// How far the local clock is ahead of UTC.
    pub offset: FixedOffset,
}

impl Rules {
    fn question<'a>(&'a self, asked: &'a Asked) -> Question<'a> {
        Question {
            case: asked.case,
            kind: asked.kind,
            dates: asked.dates,
            infectious: asked.infectious,
            trail: &asked.trail,
            pack: &self.pack,
            offset: self.offset,
        }
    }
}

/// Why a pack is not for batches; `None` when it is. Contacts of contacts, and who was in a cell for how many hours, need more
/// than the stays that met the case.
pub fn refusal(pack: &RulePack) -> Option<String> {
    let class = pack.classes.iter().find(|class| class.secondary.is_some() || class.companion.is_some())?;
    Some(format!(
        "{}: the class {:?} asks for more than who met the case; trace each case",
        pack.name(),
        class.class
    ))
}

/// Traces all the cases, and gives each case's number and contacts to `found`, in order. The contacts are those of single runs.
pub async fn trace(
    conn: &mut AsyncPgConnection,
    rules: &Rules,
    asked: &[Asked],
    mut found: impl FnMut(usize, Vec<Contact>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut give = |(first, results): (usize, Vec<Vec<Contact>>)| {
        (first..).zip(results).try_for_each(|(nth, contacts)| found(nth, contacts))
    };
    let mut joining: Option<JoinHandle<(usize, Vec<Vec<Contact>>)>> = None;
    for (nth, group) in asked.chunks(GROUP).enumerate() {
        let candidates = read(conn, rules, group).await?;
        if let Some(done) = joining.take() {
            give(done.await?)?;
        }
        let (rules, group) = (rules.clone(), group.to_vec());
        joining = Some(spawn_blocking(move || (nth * GROUP, join(&rules, &group, candidates))));
    }
    if let Some(done) = joining {
        give(done.await?)?;
    }
    Ok(())
}

fn join(rules: &Rules, group: &[Asked], candidates: Vec<Vec<Candidate>>) -> Vec<Vec<Contact>> {
    let contacts = |(asked, candidates): (&Asked, Vec<Candidate>)| {
        let question = rules.question(asked);
        let met = exposures(&question, &candidates);
        drop(candidates);
        grade(&question, &met, &Dwell::default())
    };
    group.iter().zip(candidates).map(contacts).collect()
}

/// The candidates of each case of a group.
async fn read(
    conn: &mut AsyncPgConnection,
    rules: &Rules,
    group: &[Asked],
) -> anyhow::Result<Vec<Vec<Candidate>>> {
    let (mut wanted, mut cases) = (Vec::new(), Vec::new());
    for (case, asked) in group.iter().enumerate() {
        let own = searches(&rules.question(asked));
        cases.extend(std::iter::repeat_n(case, own.len()));
        wanted.extend(own);
    }
    let places = findings::places(conn, &wanted).await?;
    let windows = findings::windows(&places, STAY_MAX);
    let shares = Shares::new(&windows, &places, &cases);
    let mut candidates: Vec<Vec<Candidate>> = vec![Vec::new(); group.len()];
    let mut of = Vec::new();
    for (block, some) in windows.chunks(WINDOWS).enumerate() {
        stay_packs::at_points(conn, some, |found| {
            shares.cases(block * WINDOWS + found.search, &found, &mut of);
            let candidate = Candidate { stay: found.stay, venue: found.venue, row: found.row };
            for case in &of {
                if let Some(own) = candidates.get_mut(*case) {
                    own.push(candidate.clone());
                }
            }
        })
        .await?;
    }
    Ok(candidates)
}

/// Which cases asked for which part of each window.
struct Shares<'a> {
    windows: &'a [AtPoint],
    parts: Vec<Vec<(Span, usize)>>,
}

impl<'a> Shares<'a> {
    /// `cases` are those of the searches. Each place lies within one window, as windows are joined places.
    fn new(windows: &'a [AtPoint], places: &[Place], cases: &[usize]) -> Self {
        let mut parts = vec![Vec::new(); windows.len()];
        for place in places {
            let key = (place.point, place.span.from());
            let after = windows.partition_point(|at| (at.point, at.window.from) <= key);
            let part = after.checked_sub(1).and_then(|nth| parts.get_mut(nth));
            if let (Some(part), Some(case)) = (part, cases.get(place.search)) {
                part.push((place.span, *case));
            }
        }
        Self { windows, parts }
    }

    /// The cases that a stay is a candidate of. It is found once, in the first window that it reaches, and may reach
    /// into those that follow.
    fn cases(&self, window: usize, found: &Found, of: &mut Vec<usize>) {
        of.clear();
        let reached = self.windows.iter().zip(&self.parts).skip(window).take_while(|(at, _)| {
            at.point == found.stay.point.to_i64() && at.window.from < found.stay.span.until()
        });
        for (span, case) in reached.flat_map(|(_, parts)| parts) {
            if span.overlap(&found.stay.span).is_some() {
                of.push(*case);
            }
        }
        of.sort_unstable();
        of.dedup();
    }
}
