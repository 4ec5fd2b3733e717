//! What issuing systems hold, compared once a day with what they should → letters that mend the difference.
//!
//! Nothing is changed on the other side directly: what it lacks or has otherwise is told by a new letter. What it holds
//! and we have never heard of is no matter for a letter: it is reported.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::restate::{kind_of, restate};
use super::{ACTOR, Outcome, replay};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;
use crate::domain::reconcile::{
    After, Difference, Drift, Findings, Found, Held, compare, differing, is_due, total, whole,
};
use crate::domain::visitor::Visitor;
use crate::domain::webhook::VerifyingKey;
use crate::issuer::reconcile::{NoAnswer, Other};
use crate::store::access::division;
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::letters::{self, IssuerRow};
use crate::store::reconcile::{Holding, Present, holdings, our_buckets, present, untold};
use crate::store::reconciliations::{self as rows, NewDrift, ReconciliationRow};
use crate::store::{audit, feed};

/// How many assignments one transaction mends.
const CHUNK: usize = 500;

/// After so long somebody else takes up a comparison whose worker has gone.
const LEASE: TimeDelta = TimeDelta::hours(1);

/// How long results are kept.
const KEPT: TimeDelta = TimeDelta::days(92);

const DONE: i16 = 2;
const FAILED: i16 = 3;

/// Fills a new issuing system by some, or compares with one that is due or that somebody has asked for.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let mut conn = app.store.conn().await?;
    if decisions::switch(&mut conn, EMERGENCY_STOP).await? {
        return Ok(Outcome::Idle);
    }
    if let Outcome::Worked(count) = replay::step(app).await? {
        return Ok(Outcome::Worked(count));
    }
    schedule(&mut conn, now).await?;
    let Some(row) = rows::next(&mut conn, now - LEASE, now).await? else { return Ok(Outcome::Idle) };
    let issuer = letters::issuer(&mut conn, &row.issuer_id).await?;
    drop(conn);
    let seen = match (issuer, &row.findings) {
        (None, _) => Err("the issuing system is out of use".to_owned()),
        (Some(issuer), Some(findings)) => told(app, &issuer, findings).await?.map(|seen| (issuer, seen)),
        (Some(issuer), None) => {
            let seen = ask(app, &issuer, row.held_at.unwrap_or(now)).await?;
            seen.map(|seen| (issuer, seen)).map_err(|why| why.to_string())
        }
    };
    match seen {
        Ok((issuer, seen)) => settle(app, &issuer, row, seen).await?,
        Err(why) => fail(app, row, why).await?,
    }
    Ok(Outcome::Worked(1))
}

/// Asks for a comparison with each system whose day is over. One that takes its letters itself compares by itself.
async fn schedule(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    let pulling = feed::pulling(conn).await?;
    for issuer in letters::issuers(conn).await?.iter().filter(|issuer| !pulling.contains(&issuer.id)) {
        if is_due(rows::last(conn, &issuer.id).await?, issuer.created_at, now) {
            rows::ask(conn, Uuid::now_v7(), &issuer.id, ACTOR, None, now).await?;
        }
    }
    Ok(())
}

/// What both sides hold, and where they differ.
struct Seen {
    ours: (u64, String),
    theirs: (u64, String),
    buckets: usize,
    found: Vec<Found>,
}

/// Asks the other side. What changes on ours meanwhile, or is on its way, is no drift.
async fn ask(app: &App, issuer: &IssuerRow, at: DateTime<Utc>) -> anyhow::Result<Result<Seen, NoAnswer>> {
    let Some(key) = app.issuer_keys.get(&issuer.id) else { return Ok(Err(NoAnswer::Away)) };
    let its_key = issuer.public_key.as_deref().and_then(VerifyingKey::parse);
    let other = Other {
        client: &app.client,
        url: issuer.url.parse::<url::Url>()?.join("reconciliation")?,
        key,
        its_key: its_key.unwrap_or_else(|| key.verifying_key()),
    };
    let mut conn = app.store.conn().await?;
    let ours = our_buckets(&mut conn, &issuer.id, at).await?;
    drop(conn);
    let theirs = match other.buckets(at, &ours, app.clock.now()).await {
        Ok(answer) => answer.buckets,
        Err(why) => return Ok(Err(why)),
    };
    let differing = differing(&ours, &theirs);
    let mut found = Vec::new();
    for bucket in &differing {
        let before = of_bucket(app, issuer, *bucket, at).await?;
        let held = match entries(app, &other, *bucket, at).await {
            Ok(held) => held,
            Err(why) => return Ok(Err(why)),
        };
        let after = of_bucket(app, issuer, *bucket, at).await?;
        found.extend(steady(&before, &after, &held));
    }
    let buckets = differing.len();
    let (ours, theirs) = ((total(&ours), whole(&ours)), (total(&theirs), whole(&theirs)));
    Ok(Ok(Seen { ours, theirs, buckets, found }))
}

async fn of_bucket(
    app: &App,
    issuer: &IssuerRow,
    bucket: u8,
    at: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<(Uuid, Uuid), Holding>> {
    let mut conn = app.store.conn().await?;
    let held = holdings(&mut conn, &issuer.id, (bucket, bucket), at).await?;
    Ok(held.into_iter().map(|one| (one.held.key(), one)).collect())
}

async fn entries(app: &App, other: &Other<'_>, bucket: u8, at: DateTime<Utc>) -> Result<Vec<Held>, NoAnswer> {
    let mut held = Vec::new();
    let mut after = None;
    loop {
        let page = other.entries(at, bucket, after.take(), app.clock.now()).await?;
        let entries = page.entries.iter().map(|entry| entry.held().ok_or(NoAnswer::Strange));
        held.extend(entries.collect::<Result<Vec<_>, _>>()?);
        match page.entries.last() {
            Some(last) if page.more => {
                after = Some(After { visitor: last.visitor.clone(), assignment: last.assignment });
            }
            _ => return Ok(held),
        }
    }
}

/// What differs, of what stood the same on our side before and after the other was asked.
fn steady(
    before: &BTreeMap<(Uuid, Uuid), Holding>,
    after: &BTreeMap<(Uuid, Uuid), Holding>,
    theirs: &[Held],
) -> Vec<Found> {
    let moving = |key: &(Uuid, Uuid)| {
        let waits = |one: &Holding| one.waiting;
        before.get(key) != after.get(key) || after.get(key).is_some_and(waits)
    };
    let ours: Vec<Held> = after.values().map(|one| one.held).collect();
    let mut found = compare(&ours, theirs);
    found.retain(|one| !moving(&(one.visitor.to_uuid(), one.assignment)));
    found
}

/// What a system that takes its letters itself came to. Its word is enough: whatever it says, it is told no more than how
/// its assignments stand.
async fn told(
    app: &App,
    issuer: &IssuerRow,
    findings: &serde_json::Value,
) -> anyhow::Result<Result<Seen, String>> {
    let Ok(findings) = serde_json::from_value::<Findings>(findings.clone()) else {
        return Ok(Err("what the issuing system has found cannot be read".to_owned()));
    };
    let mut conn = app.store.conn().await?;
    let ours = our_buckets(&mut conn, &issuer.id, findings.at).await?;
    let ids: Vec<Uuid> = findings.found.iter().map(|one| one.assignment).collect();
    let known = present(&mut conn, &issuer.id, &ids).await?;
    let found = |one: &Difference| Found {
        visitor: Visitor::from_uuid(known.get(&one.assignment).map_or(Uuid::nil(), |own| own.visitor)),
        assignment: one.assignment,
        drift: one.drift,
        open_there: one.drift != Drift::Missing,
    };
    let found = findings.found.iter().map(found).collect();
    let buckets = differing(&ours, &findings.buckets).len();
    let theirs = (total(&findings.buckets), whole(&findings.buckets));
    Ok(Ok(Seen { ours: (total(&ours), whole(&ours)), theirs, buckets, found }))
}

/// Mends what can be mended, and writes down what was found.
async fn settle(app: &App, issuer: &IssuerRow, mut row: ReconciliationRow, seen: Seen) -> anyhow::Result<()> {
    let (mut returned, mut alarming) = (0, 0);
    for chunk in seen.found.chunks(CHUNK) {
        let mut conn = app.store.conn().await?;
        let tally = conn
            .transaction::<_, anyhow::Error, _>(async |conn| mend(app, conn, issuer, &row, chunk).await)
            .await?;
        row.drift += tally.drift;
        row.mended += tally.mended;
        row.reported += tally.drift - tally.mended;
        returned += tally.returned;
        alarming += tally.new_alarms;
    }
    let now = app.clock.now();
    row.state = DONE;
    (row.ours, row.digest_ours) = (i64::try_from(seen.ours.0)?, seen.ours.1);
    (row.theirs, row.digest_theirs) = (i64::try_from(seen.theirs.0)?, seen.theirs.1);
    row.buckets = i32::try_from(seen.buckets)?;
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        row.untold = never_told(conn, issuer, now).await?;
        rows::end(conn, &row, now).await?;
        rows::forget(conn, now - KEPT).await?;
        let detail = serde_json::json!({
            "ours": row.ours, "theirs": row.theirs, "buckets": row.buckets, "drift": row.drift,
            "mended": row.mended, "reported": row.reported, "returned": returned, "untold": row.untold,
        });
        let subject = format!("issuer {}", issuer.id);
        let act = audit::Act { actor: &row.asked_by, action: "issuer.reconciled", subject, detail };
        Ok(audit::append(conn, act, now).await?)
    })
    .await?;
    if alarming > 0 {
        tracing::error!(issuer = issuer.id, count = alarming, "drift came back after it had been mended");
    }
    if row.reported > 0 {
        tracing::error!(
            issuer = issuer.id,
            count = row.reported,
            "an issuing system holds what it was not told"
        );
    }
    Ok(())
}

async fn never_told(
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    now: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let territory = division(&issuer.division)?;
    let mut count = 0;
    for (own, more) in untold(conn, &issuer.id, now).await? {
        if territory.covers(&division(&own)?) {
            count += more;
        }
    }
    Ok(count)
}

#[derive(Default)]
struct Tally {
    drift: i64,
    mended: i64,
    returned: i64,
    new_alarms: i64,
}

/// One chunk in one transaction: the assignments are held, so that what the letters say is still so.
async fn mend(
    app: &App,
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    row: &ReconciliationRow,
    found: &[Found],
) -> anyhow::Result<Tally> {
    let now = app.clock.now();
    let ids: Vec<Uuid> = found.iter().map(|one| one.assignment).collect();
    let standing = present(conn, &issuer.id, &ids).await?;
    let before = rows::mended_before(conn, row, &ids).await?;
    let territory = division(&issuer.division)?;
    let (mut tally, mut drifts, mut letters) = (Tally::default(), Vec::new(), BTreeMap::new());
    for one in found {
        let known = standing.get(&one.assignment).filter(|own| own.visitor == one.visitor.to_uuid());
        let Some(fate) = fate(one, known) else { continue };
        let mended = match known {
            Some(own) if fate == Fate::Told && territory.covers(&division(&own.division)?) => {
                letters.insert(own.id, own);
                true
            }
            _ => false,
        };
        let returned = before.contains_key(&one.assignment);
        tally.drift += 1;
        tally.mended += i64::from(mended);
        tally.returned += i64::from(returned);
        tally.new_alarms += i64::from(before.get(&one.assignment) == Some(&false));
        drifts.push(NewDrift { assignment: one.assignment, kind: one.drift.number(), mended, returned });
    }
    let letters: Vec<&Present> = letters.into_values().collect();
    let count = restate(app, conn, issuer, &letters, now).await?;
    rows::insert_drifts(conn, row.id, &drifts).await?;
    let detail = serde_json::json!({ "reconciliation": row.id, "count": count });
    let subject = format!("issuer {}", issuer.id);
    let act = audit::Act { actor: ACTOR, action: "letters.mended", subject, detail };
    audit::append(conn, act, now).await?;
    Ok(tally)
}

/// What becomes of a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// A letter says how the assignment stands.
    Told,
    /// Somebody must look: no letter could say anything about it.
    Reported,
}

/// `None` where there is no drift after all: a letter is on its way, or it has ended on both sides.
fn fate(found: &Found, known: Option<&Present>) -> Option<Fate> {
    let Some(own) = known else { return Some(Fate::Reported) };
    let kind = AssignmentState::from_number(own.state).and_then(kind_of);
    let over = matches!(kind, Some(LetterKind::Expired | LetterKind::Withdrawn | LetterKind::Ended));
    if own.waiting || (found.drift == Drift::Unknown && over && !found.open_there) {
        return None;
    }
    Some(if kind.is_some() { Fate::Told } else { Fate::Reported })
}

async fn fail(app: &App, mut row: ReconciliationRow, why: String) -> anyhow::Result<()> {
    let now = app.clock.now();
    tracing::warn!(issuer = row.issuer_id, error = why, "a reconciliation failed");
    (row.state, row.error) = (FAILED, Some(why.clone()));
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        rows::end(conn, &row, now).await?;
        let subject = format!("issuer {}", row.issuer_id);
        let detail = serde_json::json!({ "error": why });
        let act = audit::Act { actor: &row.asked_by, action: "reconciliation.failed", subject, detail };
        Ok(audit::append(conn, act, now).await?)
    })
    .await
}
