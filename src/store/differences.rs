//! How two runs of one case differ, and what a follow-up changes of what went out before.

use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::StoreError;

/// How many visitors are in one class in a run and in one class in another.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Cell {
    /// Number of the class in the first run; absent where it does not find them.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub from_class: Option<i16>,
    /// Number of the colour in the first run.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub from_colour: Option<i16>,
    /// Number of the class in the second run; absent where it does not find them.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub to_class: Option<i16>,
    /// Number of the colour in the second run.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub to_colour: Option<i16>,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}

/// The contacts of two runs by class and colour in the one and in the other, as they were computed.
pub async fn matrix(conn: &mut AsyncPgConnection, one: Uuid, other: Uuid) -> Result<Vec<Cell>, StoreError> {
    Ok(sql_query(
        "select a.class as from_class, a.colour as from_colour, b.class as to_class, b.colour as to_colour,
                count(*) as count
         from (select visitor, computed_class as class, computed_colour as colour from contacts where run_id = $1) a
         full join (select visitor, computed_class as class, computed_colour as colour from contacts where run_id = $2) b
              on b.visitor = a.visitor
         group by 1, 2, 3, 4 order by 1, 3, 2, 4",
    )
    .bind::<SqlUuid, _>(one)
    .bind::<SqlUuid, _>(other)
    .load(conn)
    .await?)
}

/// Somebody whom only one of two runs finds, or each in another class.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Person {
    /// Who.
    #[diesel(sql_type = SqlUuid)]
    pub visitor: Uuid,
    /// Number of the class in the first run.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub from_class: Option<i16>,
    /// Number of the colour in the first run.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub from_colour: Option<i16>,
    /// Number of the class in the second run.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub to_class: Option<i16>,
    /// Number of the colour in the second run.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub to_colour: Option<i16>,
    /// Seconds together in the first run.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub from_secs: Option<i64>,
    /// Seconds together in the second run.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub to_secs: Option<i64>,
}

/// A page of those in whom two runs differ.
pub async fn people(
    conn: &mut AsyncPgConnection,
    (one, other): (Uuid, Uuid),
    offset: i64,
    limit: i64,
) -> Result<Vec<Person>, StoreError> {
    Ok(sql_query(
        "select coalesce(a.visitor, b.visitor) as visitor, a.class as from_class, a.colour as from_colour,
                b.class as to_class, b.colour as to_colour, a.together_secs as from_secs, b.together_secs as to_secs
         from (select visitor, computed_class as class, computed_colour as colour, together_secs
               from contacts where run_id = $1) a
         full join (select visitor, computed_class as class, computed_colour as colour, together_secs
                    from contacts where run_id = $2) b on b.visitor = a.visitor
         where (a.class, a.colour) is distinct from (b.class, b.colour)
         order by b.class, a.class, 1 offset $3 limit $4",
    )
    .bind::<SqlUuid, _>(one)
    .bind::<SqlUuid, _>(other)
    .bind::<BigInt, _>(offset)
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

/// The living assignments of the runs that a run follows up, whose visitors it does not find any more, or finds in
/// another class. One that a released run beside this line demands as well stays.
pub async fn no_longer_met(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<Fallen>, StoreError> {
    Ok(sql_query(
        "with recursive line as (
             select id, base_run, case_id from runs where id = $1
             union all
             select r.id, r.base_run, r.case_id from runs r join line l on r.id = l.base_run
         )
         select a.id, a.state in (1, 2) as is_open
         from assignments a
         where a.run_id in (select id from line where id <> $1) and a.state in (0, 1, 2)
           and not exists (
               select 1 from contacts c where c.run_id = $1 and c.visitor = a.visitor and c.class = a.class
                  and c.colour = a.colour and c.excluded_at is null)
           and not exists (
               select 1 from runs r join contacts c on c.run_id = r.id
               where r.case_id = a.case_id and r.state = 5 and r.id not in (select id from line)
                 and c.visitor = a.visitor and c.class = a.class and c.colour = a.colour and c.excluded_at is null)",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?)
}

/// An assignment that rests on nothing any more.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Fallen {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Whether it has gone out.
    #[diesel(sql_type = Bool)]
    pub is_open: bool,
}
