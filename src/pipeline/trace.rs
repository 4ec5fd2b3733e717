//! Case → contacts: a queued run is computed, explained and kept.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chrono::TimeDelta;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::catalogue::LONGEST_STAY;
use crate::domain::exposure::{Exposure, Question, Relation, TrailStay, exposures};
use crate::domain::grading::{Contact, Dwell, grade};
use crate::domain::rule_pack::RulePack;
use crate::intake::log::has_passed;
use crate::store::cases::{self, CaseRow, TrailRow};
use crate::store::findings::{self, Reach, Search};
use crate::store::runs::{self, Computed, RunRow, RunState};
use crate::store::{audit, inbox, scan_log};

/// What the end of the inbox is called among the ends of the shards.
const INBOX: &str = "inbox";

/// No stay lasts longer: a chain of scans is begun afresh each day, and its last scan counts for a day.
pub const STAY_MAX: TimeDelta = TimeDelta::days(2);
const _: () = assert!(LONGEST_STAY.num_seconds() * 2 <= STAY_MAX.num_seconds());

/// Computes the oldest queued run whose scans have all been drained.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut waiting = Vec::new();
    loop {
        let mut conn = app.store.conn().await?;
        let done = conn
            .transaction::<_, anyhow::Error, _>(async |conn| {
                let Some(run) = runs::take(conn, RunState::Queued, &waiting).await? else { return Ok(None) };
                if !drained(app, conn, &run).await? {
                    return Ok(Some((run.id, false)));
                }
                compute(app, conn, &run).await?;
                Ok(Some((run.id, true)))
            })
            .await?;
        match done {
            None => return Ok(Outcome::Idle),
            Some((_, true)) => return Ok(Outcome::Worked(1)),
            Some((id, false)) => waiting.push(id),
        }
    }
}

/// Whether everything that was in the log and in the inbox when the run was first looked at has reached
/// Postgres. The ends are kept with the run: by shard, and of the inbox under its name.
async fn drained(app: &App, conn: &mut AsyncPgConnection, run: &RunRow) -> anyhow::Result<bool> {
    let ends: BTreeMap<String, String> = if let Some(ends) = &run.log_ends {
        serde_json::from_value(ends.clone()).context("log_ends")?
    } else {
        let mut ends = BTreeMap::new();
        for shard in app.intake.shards() {
            ends.insert(shard.to_string(), app.intake.end(shard).await?);
        }
        ends.extend(inbox::waiting(conn).await?.newest.map(|id| (INBOX.to_owned(), id.to_string())));
        runs::set_log_ends(conn, run.id, &serde_json::to_value(&ends)?).await?;
        ends
    };
    if let Some(id) = ends.get(INBOX)
        && inbox::waits_until(conn, id.parse().context("log_ends")?).await?
    {
        return Ok(false);
    }
    let positions: BTreeMap<i16, String> =
        scan_log::positions(conn).await?.into_iter().map(|row| (row.shard, row.position)).collect();
    for shard in app.intake.shards() {
        let end = ends.get(&shard.to_string()).map_or("0-0", String::as_str);
        let has_passed = positions.get(&shard).is_some_and(|position| has_passed(position, end));
        // A log that was lost and begun anew never reaches its old end; then an empty one will do.
        if end != "0-0" && !has_passed && app.intake.length(shard).await? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn compute(app: &App, conn: &mut AsyncPgConnection, run: &RunRow) -> anyhow::Result<()> {
    let now = app.clock.now();
    let case = cases::find(conn, run.case_id).await?.context("a run has its case")?;
    let body = runs::pack_body(conn, &run.pack_id, run.pack_version).await?.context("a run has its pack")?;
    let pack = RulePack::parse(&body)?;
    if let Some(why) = refusal(&case, &pack)? {
        runs::set_failed(conn, run.id, &why).await?;
        return Ok(());
    }
    // The time of the report bounds a period without isolation, so that the same run computed later
    // gives the same result.
    let infectious = case.dates().infectious(pack.before_onset(), pack.before_sample(), run.requested_at);
    cases::pull_trail(conn, &case, infectious, now).await?;
    let trail_rows = cases::trail(conn, case.id).await?;
    let trail = trail_rows.iter().map(TrailRow::read).collect::<Result<Vec<_>, _>>()?;
    let question = Question {
        case: case.visitor(),
        kind: case.kind()?,
        dates: case.dates(),
        infectious,
        trail: &trail,
        pack: &pack,
        offset: app.config.local_offset,
    };
    let candidates = findings::candidates(conn, &searches(&question), STAY_MAX).await?;
    let met = exposures(&question, &candidates);
    let contacts = grade(&question, &met, &Dwell::default());
    let (evidence, counted) = evidence(&met, &contacts);
    findings::insert_exposures(conn, run.id, &evidence, &counted).await?;
    findings::insert_contacts(conn, run.id, &contacts).await?;
    let summary = summary(&trail, &met, &contacts);
    let found = Computed { infectious, digest: digest(&pack, &evidence, &contacts), summary, at: now };
    runs::set_computed(conn, run.id, &found).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "run.computed",
        subject: format!("run {}", run.id),
        detail: serde_json::json!({ "pack": pack.name(), "summary": found.summary }),
    };
    Ok(audit::append(conn, act, now).await?)
}

fn refusal(case: &CaseRow, pack: &RulePack) -> anyhow::Result<Option<String>> {
    Ok(if case.withdrawn_at.is_some() {
        Some("the case was withdrawn".to_owned())
    } else if !pack.index_kinds.contains(&case.kind()?) {
        Some(format!("{} does not count cases of this kind", pack.name()))
    } else {
        None
    })
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

/// The exposures of those who became contacts, and which of them met the rule.
fn evidence(met: &[Exposure], contacts: &[Contact]) -> (Vec<Exposure>, Vec<bool>) {
    let visitors: BTreeSet<_> = contacts.iter().map(|contact| contact.visitor).collect();
    let counted: BTreeSet<usize> =
        contacts.iter().flat_map(|contact| contact.evidence.iter().copied()).collect();
    met.iter()
        .enumerate()
        .filter(|(_, exposure)| visitors.contains(&exposure.visitor))
        .map(|(at, exposure)| (exposure.clone(), counted.contains(&at)))
        .unzip()
}

fn summary(trail: &[TrailStay], met: &[Exposure], contacts: &[Contact]) -> serde_json::Value {
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    let mut colours: BTreeMap<String, usize> = BTreeMap::new();
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    for contact in contacts {
        *classes.entry(word(serde_json::json!(contact.class))).or_default() += 1;
        *colours.entry(word(serde_json::json!(contact.colour))).or_default() += 1;
    }
    serde_json::json!({
        "trail_stays": trail.len(),
        "places": trail.iter().filter_map(|stay| stay.venue).collect::<BTreeSet<Uuid>>().len(),
        "exposures": met.len(),
        "exposed_visitors": met.iter().map(|exposure| exposure.visitor).collect::<BTreeSet<_>>().len(),
        "contacts": contacts.len(),
        "classes": classes,
        "colours": colours,
    })
}

/// A digest of the result: the same input under the same pack gives the same.
fn digest(pack: &RulePack, evidence: &[Exposure], contacts: &[Contact]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(pack.name());
    for exposure in evidence {
        hasher.update(exposure.stay_point.to_bytes());
        hasher.update(exposure.stay_from.timestamp_micros().to_be_bytes());
        hasher.update(exposure.visitor.to_uuid());
        hasher.update(exposure.span.from().timestamp_micros().to_be_bytes());
        hasher.update(exposure.span.until().timestamp_micros().to_be_bytes());
        hasher.update((exposure.relation as i16).to_be_bytes());
    }
    for contact in contacts {
        hasher.update(contact.visitor.to_uuid());
        hasher.update((contact.class as i16).to_be_bytes());
        hasher.update(contact.together_secs.to_be_bytes());
    }
    hasher.finalize().to_vec()
}
