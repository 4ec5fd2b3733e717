//! Who asked to show whose code, and which codes a scanner has seen.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::visitor::Visitor;
use crate::issuer::reference::schema::{calls, seen_codes};

/// How often one application may ask for the code of one person within a day.
const CALLS_PER_PERSON: i64 = 20;

/// How long a call is good for: the time to make the code that it is for.
const CALL_LIFE: TimeDelta = TimeDelta::minutes(5);

/// How many calls somebody can look back on.
const LISTED_MAX: i64 = 50;

/// One call, as the person reads it.
pub(in crate::issuer::reference) struct Asked {
    /// Which application.
    pub(in crate::issuer::reference) application: String,
    /// What for, in its words.
    pub(in crate::issuer::reference) purpose: String,
    /// When.
    pub(in crate::issuer::reference) called_at: DateTime<Utc>,
}

/// A call that an application makes.
pub(in crate::issuer::reference) struct Call<'a> {
    pub(in crate::issuer::reference) application: &'a str,
    pub(in crate::issuer::reference) visitor: Visitor,
    pub(in crate::issuer::reference) purpose: &'a str,
    /// How many calls the application has within a day.
    pub(in crate::issuer::reference) per_day: i64,
}

impl Store {
    /// Grants a call, or `None` when the application has had its share. Counted and written in one, so that nobody
    /// gets more by asking in many ways at once.
    pub(in crate::issuer::reference) async fn call(
        &self,
        call: &Call<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<(Uuid, DateTime<Utc>)>, StoreError> {
        let mut connection = self.connection().await?;
        let id = Uuid::new_v4();
        let grant = async |c: &mut Object<AsyncPgConnection>| {
            let lock = diesel::sql_query("select pg_advisory_xact_lock(hashtext($1)::bigint)");
            lock.bind::<Text, _>(call.application).execute(c).await?;
            let today = calls::table
                .filter(calls::application.eq(call.application))
                .filter(calls::called_at.gt(now - TimeDelta::days(1)));
            let all: i64 = today.count().get_result(c).await?;
            let of_person = today.filter(calls::visitor.eq(call.visitor.to_uuid()));
            let of_person: i64 = of_person.count().get_result(c).await?;
            if all >= call.per_day || of_person >= CALLS_PER_PERSON {
                return Ok::<_, diesel::result::Error>(None);
            }
            let row = (
                calls::id.eq(id),
                calls::application.eq(call.application),
                calls::visitor.eq(call.visitor.to_uuid()),
                calls::purpose.eq(call.purpose),
                calls::called_at.eq(now),
            );
            diesel::insert_into(calls::table).values(row).execute(c).await?;
            Ok(Some((id, now + CALL_LIFE)))
        };
        Ok(connection.transaction(grant).await?)
    }

    /// Uses up a call of the application, and says whose code may be made; `None` when there is no such call, it is over,
    /// or it was used.
    pub(in crate::issuer::reference) async fn use_call(
        &self,
        id: Uuid,
        application: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Visitor>, StoreError> {
        let mut connection = self.connection().await?;
        let call = calls::table
            .filter(calls::id.eq(id))
            .filter(calls::application.eq(application))
            .filter(calls::called_at.gt(now - CALL_LIFE))
            .filter(calls::made_at.is_null());
        let visitor: Option<Uuid> = diesel::update(call)
            .set(calls::made_at.eq(now))
            .returning(calls::visitor)
            .get_result(&mut connection)
            .await
            .optional()?;
        Ok(visitor.map(Visitor::from_uuid))
    }

    /// Who asked for somebody's code, the latest first.
    pub(in crate::issuer::reference) async fn calls_about(
        &self,
        visitor: Visitor,
    ) -> Result<Vec<Asked>, StoreError> {
        let mut connection = self.connection().await?;
        let rows: Vec<(String, String, DateTime<Utc>)> = calls::table
            .filter(calls::visitor.eq(visitor.to_uuid()))
            .order((calls::called_at.desc(), calls::id))
            .limit(LISTED_MAX)
            .select((calls::application, calls::purpose, calls::called_at))
            .load(&mut connection)
            .await?;
        let asked = |(application, purpose, called_at)| Asked { application, purpose, called_at };
        Ok(rows.into_iter().map(asked).collect())
    }

    /// Notes that a scanner has seen a code; `false` when one had before.
    pub(in crate::issuer::reference) async fn see_code(
        &self,
        nonce: &[u8],
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let row = (seen_codes::nonce.eq(nonce), seen_codes::expires_at.eq(expires_at));
        let new = diesel::insert_into(seen_codes::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(&mut connection)
            .await?;
        Ok(new == 1)
    }
}
