//! Runs whose ground was corrected under them: what is to be undone, until the pipeline has done it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;

/// Who asks for runs to be undone, why and when.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub by: Uuid,
    /// Why; it stands in the letters.
    pub reason: &'a str,
    /// When.
    pub at: DateTime<Utc>,
}

/// Has every run of a case undone that has a result. What waits to be computed will be computed by what the case
/// says now. Returns how many there are.
pub async fn ask_for_case(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
    asked: Asked<'_>,
) -> Result<usize, StoreError> {
    let query = sql_query(
        "insert into undoings (run_id, reason, asked_by, asked_at)
         select r.id, $2, $3, $4 from runs r where r.case_id = $1 and r.state not in (0, 2, 6)
         on conflict do nothing",
    );
    let query = query.bind::<SqlUuid, _>(case_id).bind::<Text, _>(asked.reason);
    Ok(query.bind::<SqlUuid, _>(asked.by).bind::<Timestamptz, _>(asked.at).execute(conn).await?)
}

/// Has every run undone whose evidence rests on a stay of the trail. Returns how many there are.
pub async fn ask_for_stay(
    conn: &mut AsyncPgConnection,
    case_id: Uuid,
    trail_stay_id: Uuid,
    asked: Asked<'_>,
) -> Result<usize, StoreError> {
    let query = sql_query(
        "insert into undoings (run_id, reason, asked_by, asked_at)
         select r.id, $3, $4, $5 from runs r
         where r.case_id = $1 and r.state not in (0, 2, 6)
           and exists (select 1 from exposures e where e.run_id = r.id and e.trail_stay_id = $2)
         on conflict do nothing",
    );
    let query = query.bind::<SqlUuid, _>(case_id).bind::<SqlUuid, _>(trail_stay_id);
    let query = query.bind::<Text, _>(asked.reason).bind::<SqlUuid, _>(asked.by);
    Ok(query.bind::<Timestamptz, _>(asked.at).execute(conn).await?)
}

/// A run that is to be undone.
#[derive(Debug, Clone, QueryableByName)]
pub struct Undoing {
    /// Which.
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    /// Of which case.
    #[diesel(sql_type = SqlUuid)]
    pub case_id: Uuid,
    /// Why.
    #[diesel(sql_type = Text)]
    pub reason: String,
}

/// The oldest run that is to be undone. It is held until the transaction ends, so that nobody lets it go meanwhile.
pub async fn next(conn: &mut AsyncPgConnection) -> Result<Option<Undoing>, StoreError> {
    let query = sql_query(
        "select u.run_id, r.case_id, u.reason from undoings u join runs r on r.id = u.run_id
         where u.undone_at is null order by u.asked_at, u.run_id limit 1 for update of u, r skip locked",
    );
    Ok(query.get_result(conn).await.optional()?)
}

/// Notes that a run was undone, and takes it back.
pub async fn done(conn: &mut AsyncPgConnection, run_id: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
    let query = sql_query(
        "with done as (update undoings set undone_at = $2 where run_id = $1)
         update runs set state = 6 where id = $1 and state not in (2, 6)",
    );
    query.bind::<SqlUuid, _>(run_id).bind::<Timestamptz, _>(now).execute(conn).await?;
    Ok(())
}
