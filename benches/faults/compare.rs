//! The ledger against Postgres: nothing that was promised is missing, and nothing is there twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, BigInt, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use placecode::app::App;
use placecode::clock::Clock;
use placecode::domain::scan::Scan;
use placecode::domain::span::Span;
use placecode::domain::stay::{Stay, stays_of};
use placecode::domain::venue::PointId;
use placecode::domain::visitor::Visitor;
use placecode::store::scans::{self, KnownScan};
use uuid::Uuid;

use super::ledger::Entry;

/// How many visitors' stays are computed anew.
const SAMPLE: usize = 60;

/// What the comparison found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Scans that were acknowledged.
    pub acknowledged: usize,
    /// Scans of this round that are stored.
    pub stored: usize,
    /// Acknowledged, and not stored.
    pub lost: usize,
    /// Stored more than once.
    pub doubled: usize,
    /// Stored with another visitor, point or time than was sent.
    pub altered: usize,
    /// Stored although every answer was a refusal for good, or it was never sent.
    pub stray: usize,
    /// Not acknowledged, with an answer that leaves it open.
    pub unknown: usize,
    /// Visitors whose stays do not follow from their scans.
    pub wrong_stays: usize,
    /// Entries of the log that could not be read.
    pub dead: i64,
    /// By how much the counts by hour differ from the scans.
    pub miscounted: i64,
    /// Scans of earlier rounds that are gone.
    pub gone: i64,
    /// Some of what was lost, doubled or altered.
    pub examples: Vec<Uuid>,
}

impl Findings {
    /// Whether every promise was kept.
    pub fn are_good(&self) -> bool {
        self.lost + self.doubled + self.altered + self.stray + self.wrong_stays == 0
            && self.dead == 0
            && self.miscounted == 0
            && self.gone <= 0
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = BigInt)]
    point_id: i64,
    #[diesel(sql_type = Timestamptz)]
    occurred_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The one number that a query gives.
pub async fn number(conn: &mut AsyncPgConnection, sql: &str) -> anyhow::Result<i64> {
    let query = sql_query(format!("select ({sql})::bigint as number"));
    Ok(query.get_result::<Number>(conn).await?.number)
}

/// How much waits to be stored: entries of the log, and rows of the inbox.
pub async fn backlog(app: &App) -> anyhow::Result<u64> {
    let mut conn = app.store.conn().await?;
    let mut waiting = u64::try_from(number(&mut conn, "select count(*) from inbox").await?)?;
    for shard in app.intake.shards() {
        waiting += app.intake.length(shard).await?;
    }
    Ok(waiting)
}

/// Compares one round. `before` is how many scans there were when it began.
pub async fn compare(app: &App, entries: &HashMap<Uuid, Entry>, before: i64) -> anyhow::Result<Findings> {
    let mut conn = app.store.conn().await?;
    let mut findings = Findings::default();
    let ids: Vec<Uuid> = entries.keys().copied().collect();
    let rows: Vec<Row> = sql_query("select id, visitor, point_id, occurred_at from scans where id = any($1)")
        .bind::<Array<SqlUuid>, _>(ids)
        .load(&mut conn)
        .await?;
    let mut stored: HashMap<Uuid, Vec<Row>> = HashMap::new();
    for row in rows {
        stored.entry(row.id).or_default().push(row);
    }
    for (id, entry) in entries {
        let own = stored.get(id).map_or(&[][..], Vec::as_slice);
        if !findings.judge(entry, own) {
            findings.examples.push(*id);
        }
    }
    findings.examples.truncate(5);
    let all = number(&mut conn, "select count(*) from scans").await?;
    findings.gone = before + i64::try_from(stored.len())? - all;
    findings.dead = number(&mut conn, "select count(*) from dead_entries").await?;
    let counted = number(&mut conn, "select coalesce(sum(scans), 0) from point_hours").await?;
    findings.miscounted =
        counted - number(&mut conn, "select count(*) from scans where direction <> 3").await?;
    let visitors: BTreeSet<Visitor> = entries.values().map(|entry| entry.visitor).collect();
    let sample: Vec<Visitor> = visitors.into_iter().take(SAMPLE).collect();
    findings.wrong_stays = wrong_stays(app, &mut conn, &sample).await?;
    Ok(findings)
}

impl Findings {
    /// Counts one scan; false when something is wrong with it.
    fn judge(&mut self, entry: &Entry, rows: &[Row]) -> bool {
        let altered = |row: &Row| {
            row.visitor != entry.visitor.to_uuid()
                || row.point_id != entry.point
                || row.occurred_at != micros(entry.occurred_at)
        };
        let lost = entry.acknowledged && rows.is_empty();
        let stray = !entry.acknowledged && !entry.open && !rows.is_empty();
        let (doubled, altered) = (rows.len() > 1, rows.iter().any(altered));
        self.acknowledged += usize::from(entry.acknowledged);
        self.unknown += usize::from(!entry.acknowledged && entry.open);
        self.stored += usize::from(!rows.is_empty());
        self.lost += usize::from(lost);
        self.stray += usize::from(stray);
        self.doubled += usize::from(doubled);
        self.altered += usize::from(altered);
        !(lost || stray || doubled || altered)
    }
}

fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// How many of these visitors have other stays than follow from their scans.
async fn wrong_stays(app: &App, conn: &mut AsyncPgConnection, sample: &[Visitor]) -> anyhow::Result<usize> {
    let now = Clock::System.now();
    let whole = Span::new(now - TimeDelta::days(5), now + TimeDelta::days(5))?;
    let wanted: Vec<(Visitor, Span)> = sample.iter().map(|visitor| (*visitor, whole)).collect();
    let known = scans::within(conn, &wanted).await?;
    let points: BTreeSet<PointId> = known.iter().map(|known| known.scan.point).collect();
    let points: Vec<PointId> = points.into_iter().collect();
    let categories: BTreeMap<PointId, String> = scans::categories(conn, &points).await?.into_iter().collect();
    let mut by_visitor: BTreeMap<Visitor, Vec<Scan>> = BTreeMap::new();
    let mut stored: BTreeMap<Visitor, Vec<Stay>> = BTreeMap::new();
    for KnownScan { scan, stay } in known {
        stored.entry(scan.visitor).or_default().extend(stay);
        by_visitor.entry(scan.visitor).or_default().push(scan);
    }
    let mut wrong = 0;
    for visitor in sample {
        let own = by_visitor.remove(visitor).unwrap_or_default();
        let category = |scan: &Scan| app.catalogue.get(categories.get(&scan.point)?);
        let known =
            own.into_iter().filter_map(|scan| Some((category(&scan)?, scan)).map(|(c, scan)| (scan, c)));
        let expected = stays_of(known.collect(), app.config.local_offset);
        let mut present = stored.remove(visitor).unwrap_or_default();
        present.sort_by_key(|stay| (stay.span.from(), stay.id));
        wrong += usize::from(present != expected);
    }
    Ok(wrong)
}
