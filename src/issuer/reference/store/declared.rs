//! What people declare for themselves: journeys, and requests to correct what their code says. Sealed before it comes here.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::facts::lock;
use super::{Store, StoreError};
use crate::domain::visitor::Visitor;
use crate::issuer::reference::schema::{assignments, corrections, journeys};

/// How many declarations of journeys are kept of one person.
const JOURNEYS_MAX: i64 = 100;

/// How many requests somebody may make against one assignment.
const CORRECTIONS_MAX: i64 = 10;

/// Journeys that somebody declared at once.
#[derive(Queryable, Insertable)]
#[diesel(table_name = journeys)]
pub(in crate::issuer::reference) struct Journeys {
    pub(in crate::issuer::reference) id: Uuid,
    pub(in crate::issuer::reference) visitor: Uuid,
    pub(in crate::issuer::reference) declared_at: DateTime<Utc>,
    pub(in crate::issuer::reference) expires_at: DateTime<Utc>,
    pub(in crate::issuer::reference) sealed: Vec<u8>,
}

/// A request to correct what a code says.
#[derive(Insertable)]
#[diesel(table_name = corrections)]
pub(in crate::issuer::reference) struct Correction {
    pub(in crate::issuer::reference) id: Uuid,
    pub(in crate::issuer::reference) visitor: Uuid,
    pub(in crate::issuer::reference) assignment_id: Uuid,
    pub(in crate::issuer::reference) asked_at: DateTime<Utc>,
    pub(in crate::issuer::reference) sealed: Vec<u8>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::issuer::reference) enum Kept {
    Yes,
    /// There is no such assignment about this person.
    Unknown,
    /// They have asked often enough.
    Enough,
}

impl Store {
    /// Keeps journeys; `false` when the person has declared as many as are kept.
    pub(in crate::issuer::reference) async fn keep_journeys(
        &self,
        row: &Journeys,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let keep = async |c: &mut Object<AsyncPgConnection>| {
            lock(c, row.visitor).await?;
            let own = journeys::table.filter(journeys::visitor.eq(row.visitor));
            let count: i64 =
                own.filter(journeys::expires_at.gt(row.declared_at)).count().get_result(c).await?;
            if count >= JOURNEYS_MAX {
                return Ok::<_, diesel::result::Error>(false);
            }
            diesel::insert_into(journeys::table).values(row).execute(c).await?;
            Ok(true)
        };
        Ok(connection.transaction(keep).await?)
    }

    /// What somebody has declared and is still kept, the latest first.
    pub(in crate::issuer::reference) async fn journeys_of(
        &self,
        visitor: Visitor,
        now: DateTime<Utc>,
    ) -> Result<Vec<Journeys>, StoreError> {
        let mut connection = self.connection().await?;
        let rows = journeys::table
            .filter(journeys::visitor.eq(visitor.to_uuid()))
            .filter(journeys::expires_at.gt(now))
            .order((journeys::declared_at.desc(), journeys::id))
            .limit(JOURNEYS_MAX);
        Ok(rows.load(&mut connection).await?)
    }

    /// Takes back a declaration of one's own; `false` when there is none of this id.
    pub(in crate::issuer::reference) async fn drop_journeys(
        &self,
        visitor: Visitor,
        id: Uuid,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let own = journeys::table.filter(journeys::visitor.eq(visitor.to_uuid())).filter(journeys::id.eq(id));
        Ok(diesel::delete(own).execute(&mut connection).await? == 1)
    }

    /// Keeps a request against one of the person's own assignments, whether it still holds or not.
    pub(in crate::issuer::reference) async fn keep_correction(
        &self,
        row: &Correction,
    ) -> Result<Kept, StoreError> {
        let mut connection = self.connection().await?;
        let keep = async |c: &mut Object<AsyncPgConnection>| {
            lock(c, row.visitor).await?;
            let about = (row.visitor, row.assignment_id);
            let known = assignments::table.find(about).select(assignments::id).for_key_share();
            if known.first::<Uuid>(c).await.optional()?.is_none() {
                return Ok::<_, diesel::result::Error>(Kept::Unknown);
            }
            let before = corrections::table
                .filter(corrections::visitor.eq(row.visitor))
                .filter(corrections::assignment_id.eq(row.assignment_id));
            if before.count().get_result::<i64>(c).await? >= CORRECTIONS_MAX {
                return Ok(Kept::Enough);
            }
            diesel::insert_into(corrections::table).values(row).execute(c).await?;
            Ok(Kept::Yes)
        };
        Ok(connection.transaction(keep).await?)
    }
}
