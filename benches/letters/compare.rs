//! Both sides, letter by letter and visitor by visitor.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use placecode::domain::audit::Verifier;
use placecode::domain::visitor::Visitor;
use placecode::store::audit;
use serde_json::Value;
use uuid::Uuid;

use super::office::Office;
use super::trial::{Plan, number};

/// How many visitors' codes are looked at over HTTP.
const LOOKED_AT: usize = 100;

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Findings {
    pub letters: usize,
    pub visitors: usize,
    /// Ours that did not arrive.
    pub lost: usize,
    /// Theirs that we did not write.
    pub foreign: usize,
    /// Ours that we do not know to have arrived.
    pub unsettled: usize,
    /// Theirs that found something newer: an order that was not kept.
    pub stale: usize,
    /// Visitors whose newest letter is not the newest there.
    pub behind: usize,
    /// Assignments that are open on one side only.
    pub open_on_one_side: usize,
    /// Assignments that are open on both sides in different colours.
    pub other_colour: usize,
    /// Assignments that say open there by an older letter than ours.
    pub old_letter: usize,
    /// Visitors whose code shows something else than our strongest open assignment, of those looked at.
    pub shown_wrong: usize,
    pub looked_at: usize,
    /// Envelopes in the audit log, and how many of them failed.
    pub envelopes: i64,
    pub failed_envelopes: i64,
    /// Letters that came again, because the first answer got lost.
    pub repeated: i64,
    /// Letters that the audit log knows to have been answered.
    pub answered: i64,
    /// Whether the audit chain is whole.
    pub chain: bool,
}

impl Findings {
    /// Whether every letter arrived and counted once, and nothing else is shown than what we hold.
    pub fn is_good(&self) -> bool {
        let wrong = [
            self.lost,
            self.foreign,
            self.unsettled,
            self.stale,
            self.behind,
            self.open_on_one_side,
            self.other_colour,
            self.old_letter,
            self.shown_wrong,
        ];
        let answered = usize::try_from(self.answered).is_ok_and(|answered| answered >= self.letters);
        wrong.iter().all(|count| *count == 0) && self.chain && answered && self.letters > 0
    }
}

#[derive(QueryableByName)]
struct LetterRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SqlUuid)]
    assignment_id: Uuid,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = SmallInt)]
    state: i16,
}

/// An assignment that is open: its colour, and the letter that says so there.
#[derive(QueryableByName)]
struct OpenRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = Nullable<BigInt>)]
    sequence: Option<i64>,
}

#[derive(QueryableByName)]
struct ArrivedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SmallInt)]
    result: i16,
}

#[derive(QueryableByName)]
struct NewestRow {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
}

/// Compares what the service wrote with what the issuing system holds.
pub async fn compare(office: &Office, plan: &Plan, issuer: SocketAddr) -> anyhow::Result<Findings> {
    let mut ours = office.app.store.conn().await?;
    let mut theirs = AsyncPgConnection::establish(&plan.issuer_database_url).await?;
    let letters: Vec<LetterRow> =
        sql_query("select id, visitor, assignment_id, sequence, state from letters").load(&mut ours).await?;
    let arrived: Vec<ArrivedRow> = sql_query("select id, result from letters").load(&mut theirs).await?;
    let newest: Vec<NewestRow> =
        sql_query("select visitor, sequence from visitors").load(&mut theirs).await?;
    let open_here: Vec<OpenRow> = sql_query(
        "select id, visitor, colour_now as colour, null::bigint as sequence from assignments where state in (1, 2)",
    )
    .load(&mut ours)
    .await?;
    let open_there: Vec<OpenRow> =
        sql_query("select id, visitor, colour, sequence from assignments where ending = 0")
            .load(&mut theirs)
            .await?;

    let (sent, got): (BTreeSet<Uuid>, BTreeSet<Uuid>) =
        (letters.iter().map(|row| row.id).collect(), arrived.iter().map(|row| row.id).collect());
    let (mut last_of, mut last_about) = (BTreeMap::new(), BTreeMap::new());
    for row in &letters {
        let last = last_of.entry(row.visitor).or_insert(row.sequence);
        *last = row.sequence.max(*last);
        let last = last_about.entry(row.assignment_id).or_insert(row.sequence);
        *last = row.sequence.max(*last);
    }
    let there: BTreeMap<Uuid, &OpenRow> = open_there.iter().map(|row| (row.id, row)).collect();
    let here: BTreeMap<Uuid, &OpenRow> = open_here.iter().map(|row| (row.id, row)).collect();
    let both = || here.iter().filter_map(|(id, row)| Some((id, *row, *there.get(id)?)));
    let mut findings = Findings {
        letters: letters.len(),
        visitors: last_of.len(),
        lost: sent.difference(&got).count(),
        foreign: got.difference(&sent).count(),
        unsettled: letters.iter().filter(|row| row.state != 1).count(),
        stale: arrived.iter().filter(|row| row.result != 0).count(),
        behind: last_of.len().abs_diff(newest.len())
            + newest.iter().filter(|row| last_of.get(&row.visitor) != Some(&row.sequence)).count(),
        open_on_one_side: here.keys().filter(|id| !there.contains_key(*id)).count()
            + there.keys().filter(|id| !here.contains_key(*id)).count(),
        other_colour: both().filter(|(_, ours, theirs)| ours.colour != theirs.colour).count(),
        old_letter: both().filter(|(id, _, theirs)| last_about.get(*id).copied() != theirs.sequence).count(),
        ..Findings::default()
    };
    drop(ours);
    look(office, issuer, &open_here, last_of.keys(), &mut findings).await?;
    read_audit(office, &mut findings).await?;
    Ok(findings)
}

/// Looks at some visitors' codes as a trusted program of the platform does.
async fn look(
    office: &Office,
    issuer: SocketAddr,
    open: &[OpenRow],
    visitors: impl Iterator<Item = &Uuid>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut strongest: BTreeMap<Uuid, i16> = BTreeMap::new();
    for row in open {
        let colour = strongest.entry(row.visitor).or_insert(row.colour);
        *colour = row.colour.max(*colour);
    }
    let http = reqwest::Client::builder().no_proxy().build()?;
    for visitor in visitors.take(LOOKED_AT) {
        let url = format!("http://{issuer}/v1/colours/{}", Visitor::from_uuid(*visitor).to_hex());
        let answer = http.get(url).bearer_auth(office.keys.api_token()).send().await?.text().await?;
        let shown: Value = serde_json::from_str(&answer)?;
        let right = match strongest.get(visitor) {
            None => "green",
            Some(1) => "yellow",
            Some(_) => "red",
        };
        findings.looked_at += 1;
        findings.shown_wrong += usize::from(shown.get("colour").and_then(Value::as_str) != Some(right));
    }
    Ok(())
}

/// Walks the audit chain, and counts what it says of envelopes.
async fn read_audit(office: &Office, findings: &mut Findings) -> anyhow::Result<()> {
    let mut conn = office.app.store.conn().await?;
    let (mut verifier, mut after) = (Verifier::default(), 0);
    findings.chain = true;
    loop {
        let page = audit::page(&mut conn, after, 1000).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in &page {
            findings.chain &= verifier.add(entry).is_ok();
        }
    }
    drop(conn);
    let of = |what: &str| format!("select {what} from audit_entries where action = 'letters.sent'");
    let sum = |name: &str| of(&format!("coalesce(sum((detail::jsonb ->> '{name}')::bigint), 0)"));
    findings.envelopes = number(office, &of("count(*)")).await?;
    findings.failed_envelopes =
        number(office, &format!("{} and detail like '%failed%'", of("count(*)"))).await?;
    findings.repeated = number(office, &sum("repeated")).await?;
    findings.answered = number(office, &sum("applied")).await? + findings.repeated;
    Ok(())
}

/// How many letters there are of each kind, in words.
pub async fn kinds(office: &Office) -> anyhow::Result<String> {
    #[derive(QueryableByName)]
    struct Kind {
        #[diesel(sql_type = Text)]
        kind: String,
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut conn = office.app.store.conn().await?;
    let sql = "select body ->> 'kind' as kind, count(*) as count from letters group by 1 order by 1";
    let rows: Vec<Kind> = sql_query(sql).load(&mut conn).await?;
    Ok(rows.iter().map(|row| format!("{} {}", row.count, row.kind)).collect::<Vec<_>>().join(", "))
}
