//! Outbox of hand-overs → other systems, with what they answer.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncConnection;

use super::super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::case::CaseKind;
use crate::domain::hand_over::{HAND_OVER, HandOver, RECEIPT, Receipt, Sender};
use crate::domain::numbered::Numbered;
use crate::domain::visitor::Visitor;
use crate::domain::webhook::VerifyingKey;
use crate::issuer::client::peer::{Keys, Told};
use crate::store::agreements::{self, AgreementRow};
use crate::store::audit;
use crate::store::decisions::{self, EMERGENCY_STOP};
use crate::store::hand_overs::{self, HandOverRow};

/// How many are sent in one step.
const BATCH: i64 = 50;

/// What came of one.
enum Result {
    Delivered(serde_json::Value),
    /// It never left.
    Kept(&'static str),
    Buried(String),
    Later(String),
}

/// Sends hand-overs that are due, each signed for its own agreement, and keeps what was answered.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    if decisions::switch(&mut conn, EMERGENCY_STOP).await? {
        return Ok(Outcome::Idle);
    }
    let now = app.clock.now();
    // One after the other, each within its time.
    let patience = app.config.letter_timeout * u32::try_from(BATCH)?;
    let lease_until = now + TimeDelta::from_std(app.config.letter_lease + patience)?;
    let due = hand_overs::lease(&mut conn, lease_until, BATCH, now).await?;
    if due.is_empty() {
        return Ok(Outcome::Idle);
    }
    let by_id = |row: AgreementRow| (row.id.clone(), row);
    let agreed: BTreeMap<String, AgreementRow> =
        agreements::all(&mut conn).await?.into_iter().map(by_id).collect();
    drop(conn);
    let mut results = Vec::with_capacity(due.len());
    for row in &due {
        results.push(match agreed.get(&row.agreement_id) {
            Some(agreement) => send(app, row, agreement, now).await?,
            None => Result::Kept("there is no such agreement"),
        });
    }
    record(app, &due, results).await?;
    Ok(Outcome::of(due.len()))
}

async fn send(
    app: &App,
    row: &HandOverRow,
    agreement: &AgreementRow,
    now: DateTime<Utc>,
) -> anyhow::Result<Result> {
    let agreed = agreement.read()?;
    // What takes back always goes, or somebody would stay under a measure because two authorities have parted.
    if row.withdrawn_at.is_none() && !agreed.in_force(now) {
        return Ok(Result::Kept("the agreement is not in force"));
    }
    let Some(own) = app.issuer_keys.get(&agreement.secret) else {
        return Ok(Result::Kept("there is no secret for this agreement"));
    };
    let peer = agreement.public_key.as_deref().and_then(VerifyingKey::parse);
    let peer = peer.unwrap_or_else(|| own.verifying_key());
    let document = document(row, agreed.route)?.limited_to(&agreed.fields);
    let message = if document.withdrawn { format!("{}.withdrawn", row.id) } else { row.id.to_string() };
    let url = agreement.url.parse().context("agreements.url")?;
    let keys = Keys { own, peer: &peer };
    let body = serde_json::to_vec(&document)?;
    Ok(match app.client.tell(&url, keys, &message, body, app.clock.now()).await {
        Told::Answered(body) => match serde_json::from_slice::<Receipt>(&body) {
            Ok(receipt) if receipt.document == RECEIPT && receipt.hand_over == row.id => {
                Result::Delivered(serde_json::to_value(receipt)?)
            }
            _ => Result::Later("the answer is no receipt for this hand-over".to_owned()),
        },
        Told::Refused(detail) => Result::Buried(detail),
        Told::Later(detail) => Result::Later(detail),
    })
}

fn document(row: &HandOverRow, route: crate::domain::recognition::Route) -> anyhow::Result<HandOver> {
    let document = HandOver {
        document: HAND_OVER.to_owned(),
        id: row.id,
        agreement: row.agreement_id.clone(),
        route,
        to: row.division.clone(),
        alias_key: row.alias_key.clone(),
        alias: Visitor::from_uuid(row.alias).to_hex(),
        infectious_kind: CaseKind::from_number(row.infectious_kind),
        exposures: serde_json::from_value(row.facts.clone()).context("hand_overs.facts")?,
        sender: Sender { division: row.own_division.clone(), authority: row.authority.clone() },
        legal_basis: row.legal_basis.clone(),
        sent_at: row.created_at,
        withdrawn: false,
    };
    Ok(if row.withdrawn_at.is_some() { document.withdrawal() } else { document })
}

async fn record(app: &App, sent: &[HandOverRow], results: Vec<Result>) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        for (row, result) in sent.iter().zip(&results) {
            let tried = usize::try_from(row.attempts - 1)?;
            let became = match result {
                Result::Delivered(receipt) => {
                    hand_overs::settle(conn, row, receipt, now).await?;
                    if row.withdrawn_at.is_some() { "taken_back" } else { "delivered" }
                }
                Result::Kept(why) => {
                    tracing::error!(error = why, "a hand-over cannot leave");
                    hand_overs::put_off(conn, row, None, false, why).await?;
                    "buried"
                }
                Result::Buried(why) => {
                    tracing::error!(error = why, "a hand-over is buried");
                    hand_overs::put_off(conn, row, None, true, why).await?;
                    "buried"
                }
                Result::Later(why) => {
                    tracing::warn!(error = why, "a hand-over is put off");
                    let wait = app.config.letter_retries.get(tried);
                    let due_at =
                        wait.map(|wait| TimeDelta::from_std(wait.mul_f64(rand::random_range(0.8..1.2))));
                    let due_at = due_at.transpose()?.map(|wait| now + wait);
                    hand_overs::put_off(conn, row, due_at, true, why).await?;
                    if due_at.is_some() { "put_off" } else { "buried" }
                }
            };
            *counts.entry(&row.agreement_id).or_default().entry(became).or_default() += 1;
        }
        let detail = serde_json::json!({ "agreements": counts });
        let act =
            audit::Act { actor: ACTOR, action: "hand_overs.sent", subject: "hand-overs".to_owned(), detail };
        Ok(audit::append(conn, act, now).await?)
    })
    .await
}
