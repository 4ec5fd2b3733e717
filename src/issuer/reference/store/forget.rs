//! What ended long ago goes.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError};
use crate::issuer::reference::schema::assignments;

/// How long an assignment is kept after its last day: longer than any letter about it is on its way.
const KEPT_AFTER: TimeDelta = TimeDelta::days(30);

impl Store {
    /// Deletes what ended long ago, with its letters, and visitors of whom nothing is left. Answers how
    /// many assignments went.
    pub(in crate::issuer::reference) async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut connection = self.connection().await?;
        let gone = diesel::delete(assignments::table.filter(assignments::expires_at.lt(now - KEPT_AFTER)))
            .execute(&mut connection)
            .await?;
        // Should a letter about such a visitor arrive just now, the foreign key refuses the deletion.
        let bare = "delete from visitors as v
            where not exists (select from assignments as a where a.visitor = v.visitor)";
        diesel::sql_query(bare).execute(&mut connection).await?;
        crate::issuer::reference::border::forget(&mut connection, now).await?;
        Ok(gone)
    }
}
