//! Granted appeals → withdrawn assignments; corrections of own stays → scans that say so; what is over is forgotten.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Days, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::settle_stays::{Changes, Rules, store};
use super::{ACTOR, Outcome, day_of};
use crate::app::App;
use crate::domain::appeal::GRANTED;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;
use crate::domain::own_correction::{Correction, Said, scans_of};
use crate::domain::scan::Scan;
use crate::domain::span::Span;
use crate::domain::stay::{EndedBy, Stay};
use crate::domain::venue::{Division, PointId};
use crate::domain::visitor::Visitor;
use crate::store::assignments::AssignmentRow;
use crate::store::stay_corrections::{self, CorrectionRow};
use crate::store::{StoreError, appeals, assignments, audit, cases, partitions, scans};

/// How many appeals one step carries out.
const APPEALS_MAX: i64 = 500;

/// How many rows one step forgets.
const FORGOTTEN_MAX: i64 = 1000;

/// Why an appeal is closed that nobody needs to decide any more.
const SETTLED: &str = "what it was about was taken back meanwhile";

/// Carries out what was granted, closes what fell by itself, settles one correction, and forgets what is over.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    let granted = conn.transaction::<_, anyhow::Error, _>(async |conn| carry_out(app, conn).await).await?;
    let corrected = conn.transaction::<_, anyhow::Error, _>(async |conn| correct(app, conn).await).await?;
    let now = app.clock.now();
    let settled = conn.transaction::<_, anyhow::Error, _>(async |conn| settle(conn, now).await).await?;
    tell_overdue(&mut conn, now).await?;
    let kept = TimeDelta::from_std(app.config.appeal_evidence_life)?;
    let forgotten = appeals::forget(&mut conn, now - kept, FORGOTTEN_MAX).await?;
    let kept_from = now - Days::new(app.config.retention_days.into());
    let expired = stay_corrections::expire(&mut conn, kept_from).await?;
    Ok([granted, corrected, settled, forgotten, expired].into_iter().map(Outcome::of).sum())
}

/// Says once a minute how many appeals are overdue, for whoever watches the log.
async fn tell_overdue(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    static TOLD_IN: AtomicI64 = AtomicI64::new(0);
    let minute = now.timestamp() / 60;
    if TOLD_IN.swap(minute, Ordering::Relaxed) == minute {
        return Ok(());
    }
    let count = appeals::counts(conn, &Division::COUNTRY, now).await?.overdue;
    if count > 0 {
        tracing::warn!(count, "appeals are overdue");
    }
    Ok(())
}

async fn carry_out(app: &App, conn: &mut AsyncPgConnection) -> anyhow::Result<usize> {
    let now = app.clock.now();
    let granted = appeals::granted(conn, APPEALS_MAX).await?;
    if granted.is_empty() {
        return Ok(0);
    }
    let ids: Vec<Uuid> = granted.iter().map(|appeal| appeal.assignment_id).collect();
    let rows = assignments::by_ids(conn, &ids).await?;
    // What has ended meanwhile cannot be withdrawn; that it was granted stays on record.
    let withdrawn = assignments::advance(conn, &ids, AssignmentState::Withdrawn, ACTOR, GRANTED, now).await?;
    let mut by_case: BTreeMap<Uuid, Vec<&AssignmentRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| withdrawn.contains(&row.id)) {
        by_case.entry(row.case_id).or_default().push(row);
    }
    let mut letters = 0;
    for (case, rows) in by_case {
        let authority = cases::find(conn, case).await?.map(|case| case.authority).unwrap_or_default();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let note = Note { kind: LetterKind::Withdrawn, authority: &authority, legal_basis: GRANTED };
        letters += post(app, conn, &ids, &note, now).await?;
    }
    let done: Vec<Uuid> = granted.iter().map(|appeal| appeal.id).collect();
    appeals::carried_out(conn, &done, now).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "appeals.carried_out",
        subject: format!("{} appeals", done.len()),
        detail: serde_json::json!({ "appeals": done, "withdrawn": withdrawn, "letters": letters }),
    };
    audit::append(conn, act, now).await?;
    Ok(done.len())
}

async fn settle(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<usize> {
    let count = appeals::settle(conn, SETTLED, now, APPEALS_MAX).await?;
    if count > 0 {
        let detail = serde_json::json!({ "reason": SETTLED });
        let subject = format!("{count} appeals");
        audit::append(conn, audit::Act { actor: ACTOR, action: "appeals.settled", subject, detail }, now)
            .await?;
    }
    Ok(count)
}

/// Settles the oldest correction: in time, it becomes scans, from which the stays follow; too late, the stay stays as it
/// was. Either is written down under the correction's id, which names nobody.
async fn correct(app: &App, conn: &mut AsyncPgConnection) -> anyhow::Result<usize> {
    let now = app.clock.now();
    let Some(row) = stay_corrections::next(conn).await? else { return Ok(0) };
    let in_time = !stay_corrections::is_late(conn, &row).await?;
    if in_time {
        let words = words(conn, &row, now).await?;
        let days = words.iter().map(|scan| day_of(scan.occurred_at));
        if let Some((first, last)) = days.clone().min().zip(days.max()) {
            partitions::ensure(conn, first, last).await?;
        }
        let rules = Rules { catalogue: &app.catalogue, offset: app.config.local_offset };
        store(conn, rules, &words, Changes::Traced).await?;
    }
    stay_corrections::settle(conn, row.id, in_time, now).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "stay.correction_settled",
        subject: format!("correction {}", row.id),
        detail: serde_json::json!({ "in_time": in_time }),
    };
    audit::append(conn, act, now).await?;
    Ok(1)
}

/// The scans that a correction comes to.
async fn words(
    conn: &mut AsyncPgConnection,
    row: &CorrectionRow,
    now: DateTime<Utc>,
) -> Result<Vec<Scan>, StoreError> {
    let corrupt = || StoreError::Corrupt("stay_corrections");
    let visitor = Visitor::from_uuid(row.visitor);
    let span = Span::new(row.from_at, row.until_at).map_err(|_empty| corrupt())?;
    let whole =
        Span::new(span.from(), span.until() + TimeDelta::microseconds(1)).map_err(|_empty| corrupt())?;
    let known = scans::within(conn, &[(visitor, whole)]).await?;
    let scans: Vec<Scan> = known.into_iter().map(|known| known.scan).collect();
    let Some(opened) = scans.iter().find(|scan| scan.id == row.scan_id) else { return Ok(Vec::new()) };
    let stay = Stay {
        id: row.scan_id,
        visitor,
        point: PointId::from_i64(row.point_id).ok_or_else(corrupt)?,
        cell: opened.cell,
        span,
        ended_by: EndedBy::from_number(row.ended_by).ok_or_else(corrupt)?,
        presence: opened.presence,
    };
    let said = Said::from_number(row.said).ok_or_else(corrupt)?;
    let correction = match (said, row.left_at) {
        (Said::LeftEarlier, Some(left_at)) => Correction::LeftEarlier(left_at),
        _ => Correction::NotThere,
    };
    Ok(scans_of(correction, &stay, &scans, now, Uuid::now_v7))
}
