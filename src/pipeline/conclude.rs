//! Facts that arrived, and days that passed → weaker colours and ends, by the end conditions of the packs.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use uuid::Uuid;

use super::post::{Note, post};
use super::rules::Rules;
use super::{ACTOR, Outcome};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::ending::{Fact, Fate, Life, judge};
use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::Colour;
use crate::store::access::division;
use crate::store::assignments::{self, AssignmentRow, Weaker};
use crate::store::health_facts::Heard;
use crate::store::lives::{self, Review};
use crate::store::{audit, cases, grounds, health_facts};

/// How many visitors' facts, and how many assignments that are due, one step judges.
const BATCH: i64 = 500;

/// Judges a batch of visitors of whom something was told, and a batch of what is due by time. Each batch is one
/// transaction, so a worker that dies leaves nothing half done, and two of them take different ones.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    let now = app.clock.now();
    let told = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            let visitors = health_facts::take_waiting(conn, BATCH).await?;
            let open = lives::open_of(conn, &visitors).await?;
            conclude(app, conn, open, now).await?;
            Ok(visitors.len())
        })
        .await?;
    let due = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            let open = lives::to_judge(conn, now, BATCH).await?;
            let count = open.len();
            conclude(app, conn, open, now).await?;
            Ok(count)
        })
        .await?;
    Ok(Outcome::of(told + due))
}

/// Judges assignments that are held by the transaction. First of all those go whose extension was taken back and whose
/// days without it are over.
async fn conclude(
    app: &App,
    conn: &mut AsyncPgConnection,
    open: Vec<AssignmentRow>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if open.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = open.iter().map(|row| row.id).collect();
    let carried = grounds::carried(conn, &ids).await?;
    let carried: BTreeMap<Uuid, DateTime<Utc>> = carried.iter().map(|one| (one.id, one.until)).collect();
    let (over, open): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|row| carried.get(&row.id).is_some_and(|until| *until <= now));
    let over = expire(app, conn, &over, now).await?;
    let (changes, reviews) = judge_all(app, conn, (&open, &carried), now).await?;
    lives::set_reviews(conn, &reviews).await?;
    let changed = assignments::downgrade(conn, &changes, ACTOR, now).await?;
    let told: Vec<&Weaker> = changes.iter().filter(|change| changed.contains(&change.id)).collect();
    let letters = tell(app, conn, &open, &told, now).await?;
    let ended = told.iter().filter(|change| change.colour == Colour::Green).count();
    let act = audit::Act {
        actor: ACTOR,
        action: "assignments.concluded",
        subject: "end conditions".to_owned(),
        detail: serde_json::json!({
            "judged": open.len(), "expired": over, "ended": ended, "downgraded": told.len() - ended, "letters": letters,
        }),
    };
    Ok(audit::append(conn, act, now).await?)
}

/// Ends assignments whose days are over without an extension that was taken back. Returns how many.
async fn expire(
    app: &App,
    conn: &mut AsyncPgConnection,
    over: &[AssignmentRow],
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    const REASON: &str = "its days are over, without what was taken back";
    for row in over {
        let case = cases::find(conn, row.case_id).await?.context("an assignment has its case")?;
        let ended =
            assignments::advance(conn, &[row.id], AssignmentState::Expired, ACTOR, REASON, now).await?;
        let note = Note { kind: LetterKind::Expired, authority: &case.authority, legal_basis: REASON };
        post(app, conn, &ended, &note, now).await?;
    }
    Ok(over.len())
}

/// Writes the letters about what changed: one text for each case, kind and reason. Returns how many.
async fn tell(
    app: &App,
    conn: &mut AsyncPgConnection,
    open: &[AssignmentRow],
    changes: &[&Weaker],
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let cases_of: BTreeMap<Uuid, Uuid> = open.iter().map(|row| (row.id, row.case_id)).collect();
    let mut texts: BTreeMap<(Uuid, bool, &str), Vec<Uuid>> = BTreeMap::new();
    for change in changes {
        let case_id = cases_of.get(&change.id).copied().context("what changed was open")?;
        let ends = change.colour == Colour::Green;
        texts.entry((case_id, ends, &change.reason)).or_default().push(change.id);
    }
    let mut letters = 0;
    for ((case_id, ends, reason), ids) in texts {
        let case = cases::find(conn, case_id).await?.context("an assignment has its case")?;
        let kind = if ends { LetterKind::Ended } else { LetterKind::Downgraded };
        let note = Note { kind, authority: &case.authority, legal_basis: reason };
        letters += post(app, conn, &ids, &note, now).await?;
    }
    Ok(letters)
}

/// What follows for each, and when each is looked at again.
async fn judge_all(
    app: &App,
    conn: &mut AsyncPgConnection,
    (open, carried): (&[AssignmentRow], &BTreeMap<Uuid, DateTime<Utc>>),
    now: DateTime<Utc>,
) -> anyhow::Result<(Vec<Weaker>, Vec<Review>)> {
    let rules = Rules::of(conn, open).await?;
    let ids: Vec<Uuid> = open.iter().map(|row| row.id).collect();
    let shown = lives::shown_at(conn, &ids).await?;
    let mut visitors: Vec<Uuid> = open.iter().map(|row| row.visitor).collect();
    visitors.dedup();
    let mut heard: BTreeMap<Uuid, Vec<Heard>> = BTreeMap::new();
    for one in health_facts::of(conn, &visitors).await? {
        heard.entry(one.told.visitor).or_default().push(one);
    }
    let (mut changes, mut reviews) = (Vec::new(), Vec::new());
    for row in open {
        let facts = facts_for(row, heard.get(&row.visitor))?;
        let shown_at = shown.get(&row.id).copied().unwrap_or(row.proposed_at);
        let until = carried.get(&row.id).copied();
        let life = Rules::life_of(row, shown_at)?;
        let life = Life { expires_at: until.unwrap_or(life.expires_at), ..life };
        let judged = judge(&rules.end_of(row), &life, &facts, now, app.config.local_offset);
        let to = match judged.fate {
            Fate::Stands => None,
            Fate::Weaker(colour, ground) => Some((colour, ground)),
            Fate::Ends(ground) => Some((Colour::Green, ground)),
        };
        changes.extend(to.map(|(colour, ground)| Weaker {
            id: row.id,
            colour,
            reason: ground.reason(),
            fact: ground.fact(),
        }));
        reviews.push(Review {
            id: row.id,
            review_at: judged.review.map(|(at, _)| at),
            awaits: judged.review.map(|(_, kind)| kind.number()),
            judge_at: judged.next_at.into_iter().chain(until).min(),
        });
    }
    Ok((changes, reviews))
}

/// A system's word counts where its letters go: for assignments of the division that it answers for, and no other's.
fn facts_for(row: &AssignmentRow, heard: Option<&Vec<Heard>>) -> anyhow::Result<Vec<Fact>> {
    let of = division(&row.division)?;
    let own = heard.into_iter().flatten().filter(|one| one.division.covers(&of));
    Ok(own.map(|one| one.told.fact).collect())
}
