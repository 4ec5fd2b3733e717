//! Case → contacts: a queued run is computed, explained and kept.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use super::find::searches;
use super::find::{Found, find};
use super::progress::{Stopped, Watch};
use super::summary::{bare, summary};
use super::{ACTOR, Outcome, follow_up};
use crate::app::App;
use crate::app::waiting::{Ends, INBOX, Waiting};
use crate::domain::audit::hex;
use crate::domain::case::infectious;
use crate::domain::exposure::{Exposure, Question, TrailStay};
use crate::domain::grading::Contact;
use crate::domain::rule_pack::RulePack;
use crate::intake::log::has_passed;
use crate::store::cases::{self, CaseRow, TrailRow};
use crate::store::results::{self, Computed};
use crate::store::runs::{self, RunRow, RunState};
use crate::store::{audit, coverage, findings, inbox, late, progress, scan_log};

/// A computation that ended before it was done; nothing of it is kept.
#[derive(Debug, thiserror::Error)]
#[error("run {run}: {why}")]
struct StoppedRun {
    run: Uuid,
    why: Stopped,
}

/// Computes the oldest queued run whose scans have all been drained, or that does not wait for them. All in one
/// transaction, which holds the run's row: when a worker dies, the run is queued as before and another takes it.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut waiting = Vec::new();
    loop {
        let mut conn = app.store.conn().await?;
        let done = conn
            .transaction::<_, anyhow::Error, _>(async |conn| {
                let Some(run) = runs::take(conn, RunState::Queued, &waiting).await? else { return Ok(None) };
                let incomplete = match missing(app, conn, &run).await? {
                    Missing::Nothing => None,
                    Missing::Some(waiting) => Some(waiting),
                    Missing::WaitedFor => return Ok(Some((run.id, false))),
                };
                compute(app, conn, &run, incomplete).await?;
                Ok(Some((run.id, true)))
            })
            .await;
        match done {
            Ok(None) => return Ok(Outcome::Idle),
            Ok(Some((_, true))) => return Ok(Outcome::Worked(1)),
            Ok(Some((id, false))) => waiting.push(id),
            Err(error) => {
                let StoppedRun { run, why } = error.downcast()?;
                drop(conn);
                stop(app, run, &why).await?;
                return Ok(Outcome::Worked(1));
            }
        }
    }
}

/// Keeps why a computation ended before it was done.
async fn stop(app: &App, run: Uuid, why: &Stopped) -> anyhow::Result<()> {
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        match why {
            Stopped::TooMany(reason) => fail(conn, run, reason, app.clock.now()).await?,
            Stopped::Cancelled => {
                runs::set_state(conn, run, RunState::Queued, RunState::Cancelled).await?;
            }
        }
        Ok(progress::forget(conn, run).await?)
    })
    .await
}

/// Keeps why a run cannot be computed.
async fn fail(conn: &mut AsyncPgConnection, run: Uuid, why: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
    results::set_failed(conn, run, why).await?;
    let detail = json!({ "why": why });
    let act = audit::Act { actor: ACTOR, action: "run.failed", subject: format!("run {run}"), detail };
    Ok(audit::append(conn, act, now).await?)
}

/// What a run would not see.
enum Missing {
    /// Everything that was in the log and in the inbox when the run was first looked at has reached Postgres.
    Nothing,
    /// This has not, and the run does not wait for it.
    Some(Waiting),
    /// Something has not, and the run waits.
    WaitedFor,
}

async fn missing(app: &App, conn: &mut AsyncPgConnection, run: &RunRow) -> anyhow::Result<Missing> {
    let seen = drained(app, conn, run).await;
    if !run.incomplete_ok {
        return Ok(if seen?.0 { Missing::Nothing } else { Missing::WaitedFor });
    }
    // Redis may be away, and a run that does not wait is computed all the same.
    let ends = match seen {
        Ok((true, _)) => return Ok(Missing::Nothing),
        Ok((false, ends)) => Some(ends),
        Err(_away) => None,
    };
    Ok(Missing::Some(app.waiting(conn, ends.as_ref()).await?))
}

/// Whether everything that was in the log and in the inbox when the run was first looked at has reached
/// Postgres, and where both ended then. The ends are kept with the run: by shard, and of the inbox under its name.
async fn drained(app: &App, conn: &mut AsyncPgConnection, run: &RunRow) -> anyhow::Result<(bool, Ends)> {
    let ends: Ends = if let Some(ends) = &run.log_ends {
        serde_json::from_value(ends.clone()).context("log_ends")?
    } else {
        let mut ends = Ends::new();
        for shard in app.intake.shards() {
            ends.insert(shard.to_string(), app.intake.end(shard).await?);
        }
        ends.extend(inbox::waiting(conn).await?.newest.map(|id| (INBOX.to_owned(), id.to_string())));
        results::set_log_ends(conn, run.id, &serde_json::to_value(&ends)?).await?;
        ends
    };
    if let Some(id) = ends.get(INBOX)
        && inbox::waits_until(conn, id.parse().context("log_ends")?).await?
    {
        return Ok((false, ends));
    }
    let positions: BTreeMap<i16, String> =
        scan_log::positions(conn).await?.into_iter().map(|row| (row.shard, row.position)).collect();
    for shard in app.intake.shards() {
        let end = ends.get(&shard.to_string()).map_or("0-0", String::as_str);
        let is_passed = positions.get(&shard).is_some_and(|position| has_passed(position, end));
        // A log that was lost and begun anew never reaches its old end; then an empty one will do.
        if end != "0-0" && !is_passed && app.intake.length(shard).await? > 0 {
            return Ok((false, ends));
        }
    }
    Ok((true, ends))
}

async fn compute(
    app: &App,
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    incomplete: Option<Waiting>,
) -> anyhow::Result<()> {
    let stopped = |why| StoppedRun { run: run.id, why };
    if progress::find(conn, run.id).await?.is_some_and(|noted| noted.cancelled_at.is_some()) {
        return Err(stopped(Stopped::Cancelled).into());
    }
    // Before anything is read: what is stored from now on counts as not seen.
    let snapshot = late::snapshot(conn).await?;
    let now = app.clock.now();
    let case = cases::find(conn, run.case_id).await?.context("a run has its case")?;
    let body = runs::pack_body(conn, &run.pack_id, run.pack_version).await?.context("a run has its pack")?;
    let pack = RulePack::parse(&body)?;
    if let Some(why) = refusal(&case, &pack)? {
        return fail(conn, run.id, &why, now).await;
    }
    // The time of the report bounds a period without isolation, so that the same run computed later
    // gives the same result.
    let offset = app.config.local_offset;
    let infectious = infectious(&case.dates(), &pack, run.until(), offset);
    cases::pull_trail(conn, &case, infectious, now).await?;
    let rows = cases::trail(conn, case.id).await?;
    let trail = rows.iter().map(TrailRow::read).collect::<Result<Vec<_>, _>>()?;
    let question = Question {
        case: case.visitor(),
        kind: case.kind()?,
        dates: case.dates(),
        infectious,
        trail: &trail,
        pack: &pack,
        offset,
    };
    let found = match find(conn, &question, &mut Watch::of(app, run.id)).await {
        Ok(found) => found,
        Err(error) => return Err(stopped(error.downcast::<Stopped>()?).into()),
    };
    let coverage = coverage::of_trail(conn, &trail, infectious).await?.whole;
    let (evidence, counted) = evidence(&found);
    let computed = Computed {
        infectious,
        digest: digest(&question, &evidence, &found.contacts),
        summary: summary(&question, &rows, &found, &coverage),
        incomplete: incomplete.map(serde_json::to_value).transpose()?,
        case_seen: case_seen(&case, &trail)?,
        snapshot,
        depth: depth(&pack),
        at: now,
    };
    findings::insert_exposures(conn, run.id, &evidence, &counted).await?;
    findings::insert_contacts(conn, run.id, &found.contacts).await?;
    if !run.dry {
        late::keep_windows(conn, run.id, &found.searches).await?;
    }
    follow_up::compare(conn, run, &computed).await?;
    if progress::is_cancelled(conn, run.id).await? {
        return Err(stopped(Stopped::Cancelled).into());
    }
    progress::forget(conn, run.id).await?;
    results::set_computed(conn, run.id, &computed).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "run.computed",
        subject: format!("run {}", run.id),
        detail: json!({ "pack": pack.name(), "dry": run.dry, "summary": bare(&computed.summary) }),
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

/// How many steps from the case a pack goes.
fn depth(pack: &RulePack) -> i16 {
    let steps = pack.classes.iter().filter_map(|class| class.secondary.as_ref()).map(|rule| rule.depth);
    steps.max().unwrap_or(0).into()
}

/// What a run saw of the case, without the person: kind, dates, and a digest of the trail, so that two runs can be
/// told to have asked the same.
fn case_seen(case: &CaseRow, trail: &[TrailStay]) -> anyhow::Result<serde_json::Value> {
    let mut hasher = Sha256::new();
    for stay in trail {
        hasher.update(stay.id);
        hasher.update(stay.span.from().timestamp_micros().to_be_bytes());
        hasher.update(stay.span.until().timestamp_micros().to_be_bytes());
        hasher.update(stay.point.map_or([0; 8], |point| point.to_i64().to_be_bytes()));
    }
    Ok(json!({
        "kind": case.kind()?,
        "onset_at": case.onset_at,
        "sampled_at": case.sampled_at,
        "isolated_at": case.isolated_at,
        "trail_stays": trail.len(),
        "trail_digest": hex(&hasher.finalize()),
    }))
}

/// The exposures of those who became contacts, and which of them met the rule.
fn evidence(found: &Found) -> (Vec<Exposure>, Vec<bool>) {
    let visitors: BTreeSet<_> = found.contacts.iter().map(|contact| contact.visitor).collect();
    let counted: BTreeSet<usize> =
        found.contacts.iter().flat_map(|contact| contact.evidence.iter().copied()).collect();
    found
        .exposures
        .iter()
        .enumerate()
        .filter(|(_, exposure)| visitors.contains(&exposure.visitor))
        .map(|(at, exposure)| (exposure.clone(), counted.contains(&at)))
        .unzip()
}

/// A digest of the result: the same input under the same pack gives the same.
fn digest(question: &Question<'_>, evidence: &[Exposure], contacts: &[Contact]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(question.pack.name());
    for at in [question.infectious.from(), question.infectious.until()] {
        hasher.update(at.timestamp_micros().to_be_bytes());
    }
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
        hasher.update([contact.depth]);
        hasher.update(contact.together_secs.to_be_bytes());
    }
    hasher.finalize().to_vec()
}
