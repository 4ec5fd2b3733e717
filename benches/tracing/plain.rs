//! The best plain SQL plan: daily partitions, a covering index, a prepared statement, and the longest stay known.

use std::fmt::Write;
use std::time::{Duration, Instant};

use placecode::domain::visitor::Visitor;
use tokio_postgres::Statement;
use uuid::Uuid;

use crate::city::{City, DAYS, LONGEST, Visit, at, person, point, visitor};
use crate::floor::{Sums, TOGETHER};
use crate::house::Db;
use crate::ours::day_of;

/// Contacts with count, total, first and last, the longest first.
const FETCHED: &str = "
    select uuid_send(g.visitor), meetings, date_part('epoch', secs)::bigint,
           date_part('epoch', first)::bigint, date_part('epoch', last)::bigint from (
        select s.visitor, count(*) as meetings, sum(least(s.until_at, w.until_at) - greatest(s.from_at, w.from_at)) as secs,
               min(greatest(s.from_at, w.from_at)) as first, max(least(s.until_at, w.until_at)) as last,
               max(least(s.until_at, w.until_at) - greatest(s.from_at, w.from_at)) as longest
        WHERE group by s.visitor
    ) g where longest >= interval 'TOGETHER seconds' order by secs desc, visitor";

/// Which stays met which of the case. The windows are bounded by the longest stay.
const WHERE: &str = "
        from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as t (point_id, from_s, until_s)
        cross join lateral (select to_timestamp(t.from_s) as from_at, to_timestamp(t.until_s) as until_at) w
        join plain s on s.point_id = t.point_id and s.until_at > w.from_at and s.from_at < w.until_at
             and s.from_at > to_timestamp(t.from_s - LONGEST) and s.visitor <> ($4::text)::uuid";

pub(crate) struct Plain<'a> {
    db: &'a Db,
    statement: Statement,
}

impl<'a> Plain<'a> {
    /// Makes and fills the table.
    pub(crate) async fn load(db: &'a Db, city: &City) -> Self {
        let mut sql = "create table plain (point_id bigint not null, from_at timestamptz not null,
            until_at timestamptz not null, visitor uuid not null) partition by range (from_at);"
            .to_owned();
        for day in 0..DAYS {
            let (from, until) = (day_of(day), day_of(day + 1));
            write!(sql, "create table plain_{day} partition of plain for values from ('{from} 00:00Z') to ('{until} 00:00Z');").unwrap();
        }
        db.run(&sql).await;
        for day in 0..DAYS {
            let own = city.visits.iter().filter(|visit| visit.from / 86_400 == day);
            db.copy(&format!("plain_{day}"), own, |row, visit: &Visit| {
                row.long(point(visit.point).to_i64());
                row.time(at(visit.from));
                row.time(at(visit.until));
                row.uuid(visitor(visit.person).to_uuid());
            })
            .await;
        }
        db.run("create index on plain (point_id, from_at) include (until_at, visitor)").await;
        db.run("vacuum analyze plain").await;
        let sql = FETCHED.replace("WHERE", WHERE);
        let sql = sql.replace("LONGEST", &LONGEST.to_string()).replace("TOGETHER", &TOGETHER.to_string());
        let statement = db.client.prepare(&sql).await.unwrap();
        Self { db, statement }
    }

    /// One case.
    pub(crate) async fn one(&self, trail: &[Visit]) -> (Sums, Duration) {
        let secs = |secs: u32| at(secs).timestamp();
        let points: Vec<i64> = trail.iter().map(|visit| point(visit.point).to_i64()).collect();
        let from: Vec<i64> = trail.iter().map(|visit| secs(visit.from)).collect();
        let until: Vec<i64> = trail.iter().map(|visit| secs(visit.until)).collect();
        let own = visitor(trail[0].person).to_uuid().to_string();
        let began = Instant::now();
        let rows = self.db.client.query(&self.statement, &[&points, &from, &until, &own]).await.unwrap();
        let took = began.elapsed();
        let mut sums = [0; 6];
        let begin = at(0).timestamp();
        for row in rows {
            let number = |column: usize| i128::from(row.get::<_, i64>(column));
            let id = Uuid::from_slice(row.get(0)).unwrap();
            let (first, last) = (number(3) - i128::from(begin), number(4) - i128::from(begin));
            let parts = [1, number(1), number(2), first, last, person(Visitor::from_uuid(id))];
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        (sums, took)
    }
}
