//! Contacts → assignments: what an investigator proposed becomes an assignment for each contact.

use anyhow::Context;
use diesel_async::AsyncConnection;

use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{CountedFrom, RulePack};
use crate::store::assignments::{self, ClassDays};
use crate::store::runs::{self, RunState};
use crate::store::{audit, cases};

/// Makes the assignments of the oldest proposed run.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let Some(run) = runs::take(conn, RunState::Proposing, &[]).await? else { return Ok(Outcome::Idle) };
        let case = cases::find(conn, run.case_id).await?.context("a run has its case")?;
        let body =
            runs::pack_body(conn, &run.pack_id, run.pack_version).await?.context("a run has its pack")?;
        let days: Vec<ClassDays> = RulePack::parse(&body)?
            .classes
            .iter()
            .map(|rule| ClassDays {
                class: rule.class.number(),
                days: i32::try_from(rule.days).unwrap_or(i32::MAX),
                from_release: rule.counted_from == CountedFrom::Release,
            })
            .collect();
        let made = assignments::propose(conn, run.id, &case.division, &days, now).await?;
        assignments::note_proposed(conn, &made, ACTOR, now).await?;
        runs::set_state(conn, run.id, RunState::Proposing, RunState::Proposed).await?;
        let act = audit::Act {
            actor: ACTOR,
            action: "run.assignments_proposed",
            subject: format!("run {}", run.id),
            detail: serde_json::json!({ "count": made.len() }),
        };
        audit::append(conn, act, now).await?;
        Ok(Outcome::Worked(1))
    })
    .await
}
