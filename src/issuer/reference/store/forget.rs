//! What ended long ago goes.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError};
use crate::issuer::reference::schema::{assignments, calls, facts, journeys, seen_codes};

/// How long an assignment is kept after its last day: longer than any letter about it is on its way.
const KEPT_AFTER: TimeDelta = TimeDelta::days(30);

/// How long a fact is kept once the service has it, and who asked for a code.
const TOLD_KEPT: TimeDelta = TimeDelta::days(28);

impl Store {
    /// Deletes what ended long ago, with its letters, and visitors of whom nothing is left. Answers how many assignments
    /// went. Places go with the last day of what they were the reason for.
    pub(in crate::issuer::reference) async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut connection = self.connection().await?;
        let c = &mut connection;
        let over = assignments::table.filter(assignments::expires_at.lt(now - KEPT_AFTER));
        let gone = diesel::delete(over).execute(c).await?;
        let places = "update assignments set letter = jsonb_set(letter, '{exposures}', '[]')
            where expires_at < $1 and ending = 0 and letter -> 'exposures' <> '[]'::jsonb";
        diesel::sql_query(places).bind::<Timestamptz, _>(now).execute(c).await?;
        // Should a letter about such a visitor arrive just now, the foreign key refuses the deletion.
        let bare = "delete from visitors as v
            where not exists (select from assignments as a where a.visitor = v.visitor)";
        diesel::sql_query(bare).execute(c).await?;
        let told = facts::table.filter(facts::state.ne(0)).filter(facts::recorded_at.lt(now - TOLD_KEPT));
        diesel::delete(told).execute(c).await?;
        diesel::delete(journeys::table.filter(journeys::expires_at.le(now))).execute(c).await?;
        diesel::delete(calls::table.filter(calls::called_at.lt(now - TOLD_KEPT))).execute(c).await?;
        diesel::delete(seen_codes::table.filter(seen_codes::expires_at.le(now))).execute(c).await?;
        crate::issuer::reference::border::forget(c, now).await?;
        Ok(gone)
    }
}
