//! How far the service's feed has been read.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::apply::{Addressed, apply_all};
use super::{Store, StoreError};
use crate::issuer::reference::schema::feed;

impl Store {
    /// The position up to which every letter of the feed was applied; 0 before the first.
    pub(in crate::issuer::reference) async fn position(&self) -> Result<i64, StoreError> {
        let mut connection = self.connection().await?;
        let position = feed::table.select(feed::position).first(&mut connection).await.optional()?;
        Ok(position.unwrap_or(0))
    }

    /// Applies a page of the feed and moves on, both or neither; `false` when the position is no longer `after`.
    pub(in crate::issuer::reference) async fn apply_page(
        &self,
        addressed: &[Addressed],
        after: i64,
        next: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let apply = async |c: &mut Object<AsyncPgConnection>| {
            let start = (feed::position.eq(0), feed::pulled_at.eq(now));
            diesel::insert_into(feed::table).values(start).on_conflict_do_nothing().execute(c).await?;
            let here: i64 = feed::table.select(feed::position).for_update().first(c).await?;
            if here != after {
                return Ok::<_, diesel::result::Error>(false);
            }
            if !addressed.is_empty() {
                apply_all(c, addressed, now).await?;
            }
            let moved = (feed::position.eq(next), feed::pulled_at.eq(now));
            diesel::update(feed::table).set(moved).execute(c).await?;
            Ok(true)
        };
        Ok(connection.transaction(apply).await?)
    }
}
