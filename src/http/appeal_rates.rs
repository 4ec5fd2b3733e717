//! How often appeals were right, by source: what is often wrong is to be looked at. Small counts are hidden.

use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::SeeAppeals;
use super::web::Web;
use crate::domain::small_count::{SHOWN_FROM, Shown};
use crate::store::appeal_rates::{self, By, RateRow};

/// How many sources of each kind are told of.
const SOURCES_MAX: i64 = 50;

/// Over how many days rates are told, where nothing else is asked for.
const RATE_DAYS: i64 = 90;

/// Since when rates are told.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RateQuery {
    /// Of assignments that were let go at or after this; 90 days ago when absent.
    pub since: Option<DateTime<Utc>>,
}

/// How often appeals were right, by source.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rates {
    /// By rule pack.
    pub packs: Vec<Rate>,
    /// By the point where the visitor was.
    pub points: Vec<Rate>,
    /// By case.
    pub cases: Vec<Rate>,
}

/// How often what came of one source was wrong. Small counts are hidden.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rate {
    /// A pack with its version, the id of a point, or the id of a case.
    pub source: String,
    /// Assignments that were let go.
    pub assignments: Shown,
    /// Those of them against which an appeal was decided.
    pub decided: Shown,
    /// Those of them that fell by it.
    pub granted: Shown,
    /// Granted of decided, in percent; absent where a count is hidden.
    pub granted_percent: Option<u64>,
}

/// How many of the decided appeals were granted, by rule pack, by point and by case, in the caller's division.
#[utoipa::path(params(RateQuery), responses((status = 200, body = Rates), (status = "default", body = super::error::Problem)), tag = "appeals", security(("staff" = [])))]
#[get("/appeal-rates")]
pub(crate) async fn see_rates(
    web: Data<Web>,
    staff: Staff<SeeAppeals>,
    query: Query<RateQuery>,
) -> Result<HttpResponse, ApiError> {
    let since = query.since.unwrap_or_else(|| web.now() - TimeDelta::days(RATE_DAYS));
    let division = &staff.0.division;
    let mut conn = web.app.store.conn().await?;
    let mut by = async |by| -> Result<Vec<Rate>, ApiError> {
        let rows = appeal_rates::rates(&mut conn, division, by, since, SOURCES_MAX).await?;
        Ok(rows.into_iter().map(rate).collect())
    };
    let rates =
        Rates { packs: by(By::Pack).await?, points: by(By::Point).await?, cases: by(By::Case).await? };
    Ok(HttpResponse::Ok().json(rates))
}

fn rate(row: RateRow) -> Rate {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let (decided, granted) = (count(row.decided), count(row.granted));
    let told = decided >= SHOWN_FROM && matches!(Shown::of(granted), Shown::Exact(_));
    Rate {
        source: row.source,
        assignments: Shown::of(count(row.assignments)),
        decided: Shown::of(decided),
        granted: Shown::of(granted),
        granted_percent: told.then(|| granted * 100 / decided),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_few_is_not_told() {
        let of = |decided, granted| {
            rate(RateRow { source: "baseline@1".into(), assignments: 100, decided, granted }).granted_percent
        };
        assert_eq!([of(10, 5), of(20, 0), of(10, 2), of(4, 4)], [Some(50), Some(0), None, None]);
    }
}
