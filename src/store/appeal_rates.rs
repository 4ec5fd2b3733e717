//! How appeals were decided, by the source of what they were about.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Text, Timestamptz};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::StoreError;
use super::register::division_pattern;
use crate::domain::venue::Division;

/// By what appeals are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The rule pack.
    Pack,
    /// The point where the visitor was.
    Point,
    /// The case.
    Case,
}

/// How appeals against what came of one source were decided.
#[derive(Debug, Clone, QueryableByName)]
pub struct RateRow {
    /// The pack with its version, the id of a point, or the id of a case.
    #[diesel(sql_type = Text)]
    pub source: String,
    /// Assignments that were let go.
    #[diesel(sql_type = BigInt)]
    pub assignments: i64,
    /// Those of them against which an appeal was decided.
    #[diesel(sql_type = BigInt)]
    pub decided: i64,
    /// Those of them that fell by it.
    #[diesel(sql_type = BigInt)]
    pub granted: i64,
}

/// How appeals against the assignments of a division that were let go since `since` were decided, by source, those with the
/// most grants first.
pub async fn rates(
    conn: &mut AsyncPgConnection,
    division: &Division,
    by: By,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<RateRow>, StoreError> {
    let source = match by {
        By::Pack => "array[a.pack_id || '@' || a.pack_version]",
        By::Case => "array[a.case_id::text]",
        By::Point => {
            "array(select distinct e.stay_point_id::text from exposures e
                   where e.run_id = a.run_id and e.visitor = a.visitor and e.counted)"
        }
    };
    let query = format!(
        "select s.source, count(*) as assignments,
                count(*) filter (where exists (
                    select 1 from appeals p where p.assignment_id = a.id and p.verdict in (0, 1))) as decided,
                count(*) filter (where exists (
                    select 1 from appeals p where p.assignment_id = a.id and p.verdict = 1)) as granted
         from assignments a
         join assignment_events r on r.assignment_id = a.id and r.kind = 1 and r.at >= $2
         cross join lateral unnest({source}) as s (source)
         where a.division like $1
         group by s.source having count(*) filter (where exists (
             select 1 from appeals p where p.assignment_id = a.id and p.verdict in (0, 1))) > 0
         order by granted desc, s.source limit $3"
    );
    Ok(sql_query(query)
        .bind::<Text, _>(division_pattern(division))
        .bind::<Timestamptz, _>(since)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?)
}
