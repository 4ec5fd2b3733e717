//! Late scans → runs that follow up those which did not see them, and what they change.

use anyhow::Context;
use chrono::TimeDelta;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use super::{ACTOR, Outcome};
use crate::app::App;
use crate::store::differences::{self, Cell};
use crate::store::results::{self, Computed};
use crate::store::runs::{self, RunRow, RunState};
use crate::store::{audit, late, reviews};

/// How many notes and windows one step removes.
const CLEAN_MAX: i32 = 10_000;

/// Marks the runs that late scans have touched, and queues a run after each. Removes what is not needed any more.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    let followed = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            let touched = late::touched(conn).await?;
            for id in &touched {
                follow(app, conn, *id).await?;
            }
            Ok(touched.len())
        })
        .await?;
    let before = app.clock.now() - TimeDelta::days(app.config.retention_days.into());
    let cleaned = late::clean(&mut conn, before, CLEAN_MAX).await?;
    Ok([followed, cleaned].into_iter().map(Outcome::of).sum())
}

/// Queues a run after one that late scans have touched, unless one waits already. It is compared with what went
/// out: a follow-up that was never proposed is left aside.
async fn follow(app: &App, conn: &mut AsyncPgConnection, id: Uuid) -> anyhow::Result<()> {
    let now = app.clock.now();
    let touched = runs::find(conn, id).await?.context("the run was found a moment ago")?;
    late::mark_stale(conn, id, now).await?;
    let base = match touched.base_run {
        Some(base) if touched.state()? == RunState::Computed => {
            runs::find(conn, base).await?.context("a run has its base")?
        }
        _ => touched,
    };
    if late::is_followed(conn, base.id).await? {
        return Ok(());
    }
    let next = RunRow::following(&base, now);
    runs::insert(conn, &next).await?;
    let act = audit::Act {
        actor: ACTOR,
        action: "run.followed_up",
        subject: format!("run {}", next.id),
        detail: json!({ "base": base.id, "why": "scans came late" }),
    };
    Ok(audit::append(conn, act, now).await?)
}

/// Compares a follow-up with its base: carries over what reviews said, and keeps the counts of what
/// changed. A base that would find the same again is not stale.
pub async fn compare(conn: &mut AsyncPgConnection, run: &RunRow, found: &Computed) -> anyhow::Result<()> {
    let Some(base) = run.base_run else { return Ok(()) };
    reviews::carry(conn, base, run.id).await?;
    let cells = differences::matrix(conn, base, run.id).await?;
    results::set_difference(conn, run.id, &counts(&cells)).await?;
    let base = runs::find(conn, base).await?.context("a run has its base")?;
    if base.result_digest.as_deref() == Some(&found.digest) {
        late::mark_unchanged(conn, base.id).await?;
    }
    Ok(())
}

fn counts(cells: &[Cell]) -> serde_json::Value {
    let (mut added, mut removed, mut changed, mut same) = (0, 0, 0, 0);
    for cell in cells {
        let (from, to) = ((cell.from_class, cell.from_colour), (cell.to_class, cell.to_colour));
        match (cell.from_class, cell.to_class) {
            (None, _) => added += cell.count,
            (_, None) => removed += cell.count,
            _ if from == to => same += cell.count,
            _ => changed += cell.count,
        }
    }
    json!({ "added": added, "removed": removed, "changed": changed, "same": same })
}
