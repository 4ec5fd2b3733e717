//! A new issuing system is told how things stand: the same assignments under the same ids, nothing else.
//!
//! It is told of what is open, and of what has ended though its days are not over: so that no old letter that reaches
//! it from elsewhere brings that back. What it was told already, it is not told again.

use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::Outcome;
use super::restate::restate;
use crate::app::App;
use crate::store::access::division;
use crate::store::feed::{self, ReplayRow};
use crate::store::{audit, letters, reconcile};

/// How many assignments one transaction looks at.
const CHUNK: i64 = 500;

/// Tells the next assignments to one issuing system that is being filled.
pub(super) async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let Some(row) = feed::next_replay(conn).await? else { return Ok(Outcome::Idle) };
        fill(app, conn, row).await?;
        Ok(Outcome::Worked(1))
    })
    .await
}

async fn fill(app: &App, conn: &mut AsyncPgConnection, mut row: ReplayRow) -> anyhow::Result<()> {
    let now = app.clock.now();
    // One that is out of use is told nothing, and the filling ends.
    let issuer = letters::issuer(conn, &row.issuer_id).await?;
    let (mut told, mut ended) = (0, true);
    if let Some(issuer) = issuer {
        let territory = division(&issuer.division)?;
        let next = feed::to_replay(conn, row.proposed_at.zip(row.after_id), CHUNK, now).await?;
        ended = i64::try_from(next.len())? < CHUNK;
        if let Some(last) = next.last() {
            (row.proposed_at, row.after_id) = (Some(last.proposed_at), Some(last.id));
        }
        let mut ids = Vec::new();
        for one in next {
            if territory.covers(&division(&one.division)?) {
                ids.push(one.id);
            }
        }
        let untold = feed::untold(conn, &issuer.id, &ids).await?;
        let standing = reconcile::present(conn, &issuer.id, &untold).await?;
        let in_order: Vec<_> = untold.iter().filter_map(|id| standing.get(id)).collect();
        told = restate(app, conn, &issuer, &in_order, now).await?;
    }
    row.letters += i64::try_from(told)?;
    feed::note_replay(conn, &row, ended.then_some(now)).await?;
    let detail = serde_json::json!({ "letters": told, "so_far": row.letters, "ended": ended });
    let subject = format!("issuer {}", row.issuer_id);
    let act = audit::Act { actor: &row.asked_by, action: "issuer.filled", subject, detail };
    Ok(audit::append(conn, act, now).await?)
}
