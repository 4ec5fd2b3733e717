//! Backward: what several cases have in common, for whoever asks them where it began.

mod shown;

use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use self::shown::Shown;
use super::auth::{Actor, Staff};
use super::cases::{Looked, look_at};
use super::error::ApiError;
use super::permissions::Investigate;
use super::venue_forms::text;
use super::web::Web;
use super::write::transaction;
use crate::domain::backward::{CASES_MAX, cluster, common_places};
use crate::domain::case::CaseKind;
use crate::domain::coverage::Sentence;
use crate::domain::looking::LookKind;
use crate::domain::span::Span;
use crate::domain::venue::Division;
use crate::store::backward::{cases_within, counts, gather};
use crate::store::cases::CaseRow;

/// Mounts what stands here.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(see_backward);
}

/// Which cases are looked at together, and how.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BackwardQuery {
    /// Whose cases: GB/T 2260 code; the caller's own division when absent.
    pub division: Option<String>,
    /// Cases that began (by onset, else by sample) from then on; two weeks before `until` when absent.
    pub since: Option<DateTime<Utc>>,
    /// Cases that began before; now when absent.
    pub until: Option<DateTime<Utc>>,
    /// What for; 3 to 500 characters; written down for each of the cases.
    #[serde(default)]
    pub purpose: String,
    /// By how many minutes two may miss each other and still count as near; 0 to 1,440, 60 when absent.
    pub window_mins: Option<u16>,
    /// How many hours a slot has in which cases cluster; 1 to 24, 2 when absent.
    pub slot_hours: Option<u8>,
    /// How many days before its beginning the stays of a case are looked at; 1 to 28, 14 when absent.
    pub lookback_days: Option<u8>,
}

/// The same, checked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose cases.
    pub division: Division,
    /// When they began.
    pub began: Span,
    /// By how much two may miss each other.
    pub window_mins: u16,
    /// How long a slot is.
    pub slot_hours: u8,
    /// How far back.
    pub lookback_days: u8,
}

impl BackwardQuery {
    /// Checks what is asked; `own` is the division that stands in for an absent one.
    pub fn check(&self, own: Division, now: DateTime<Utc>) -> Result<Asked, ApiError> {
        let division = self.division.as_deref().map_or(Ok(own), str::parse);
        let until = self.until.unwrap_or(now);
        let since = self.since.unwrap_or(until - TimeDelta::days(14));
        let window_mins = self.window_mins.unwrap_or(60);
        let slot_hours = self.slot_hours.unwrap_or(2);
        let lookback_days = self.lookback_days.unwrap_or(14);
        if window_mins > 1440 {
            return Err(ApiError::invalid("window_mins", "must lie between 0 and 1,440"));
        }
        if !(1..=24).contains(&slot_hours) {
            return Err(ApiError::invalid("slot_hours", "must lie between 1 and 24"));
        }
        if !(1..=28).contains(&lookback_days) {
            return Err(ApiError::invalid("lookback_days", "must lie between 1 and 28"));
        }
        Ok(Asked {
            division: division.map_err(|error| ApiError::invalid("division", error))?,
            began: Span::new(since, until).map_err(|error| ApiError::invalid("until", error))?,
            window_mins,
            slot_hours,
            lookback_days,
        })
    }
}

/// What several cases have in common.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backward {
    /// The cases, in the order of their beginning.
    pub cases: Vec<LookedAt>,
    /// Places that two or more have been to: together first, then within the window, then at different times.
    pub places: Vec<SharedPlace>,
    /// How many more such places there are.
    pub places_left_out: usize,
    /// How many places and slots could have been found as clusters; `chance_among_all` allows for that.
    pub tested: u64,
    /// Places and slots that gather more cases than their share of all scans of the division lets expect, the most
    /// surprising first.
    pub clusters: Vec<Cluster>,
    /// How many more clusters there are.
    pub clusters_left_out: usize,
    /// How many cases have more stays than are looked at.
    pub cases_cut: usize,
    /// What all this is, and is not.
    pub note: Sentence,
}

/// A case, and where it may have begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookedAt {
    /// Its id.
    pub case: Uuid,
    /// What kind of case.
    pub kind: CaseKind,
    /// First symptom.
    pub onset_at: Option<DateTime<Utc>>,
    /// First positive sample.
    pub sampled_at: DateTime<Utc>,
    /// How many stays are known of it.
    pub stays: usize,
    /// Earlier cases that may have infected it, the likeliest first, five at most.
    pub sources: Vec<Source>,
    /// Clusters that it was part of while it may have been infected, as places in the list of clusters, five at most.
    pub source_clusters: Vec<usize>,
}

/// An earlier case that may have infected another. A hint for the interview.
#[derive(Debug, Serialize, ToSchema)]
pub struct Source {
    /// Which case.
    pub case: Uuid,
    /// By how many days it began earlier.
    pub days_earlier: usize,
    /// Whether one of the two days is that of a sample, because there was no onset.
    pub is_by_sample: bool,
    /// The weight of these days among serial intervals.
    pub serial_weight: f64,
    /// Minutes together while the one could infect and the other be infected.
    pub together_mins: i64,
    /// How many meetings.
    pub meetings: usize,
    /// Where they were together longest.
    pub place: NamedPlace,
    /// What orders the candidates; no probability.
    pub score: f64,
    /// The same in words.
    pub reason: Sentence,
}

/// A place with its names.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NamedPlace {
    /// The venue; absent where it is not known.
    pub venue: Option<Uuid>,
    /// Its name.
    pub venue_name: String,
    /// Its address.
    pub address: String,
    /// The point; absent where the venue as a whole is meant.
    pub point: Option<i64>,
    /// Its name.
    pub point_name: Option<String>,
}

/// A place that two cases or more have been to.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharedPlace {
    /// Where.
    pub place: NamedPlace,
    /// Which cases.
    pub cases: Vec<Uuid>,
    /// Pairs that were there at the same time.
    pub together_pairs: usize,
    /// Pairs that missed each other by no more than the window.
    pub near_pairs: usize,
    /// Pairs that were there at different times only.
    pub apart_pairs: usize,
    /// Minutes that pairs shared, summed.
    pub together_mins: i64,
    /// When the first of them came.
    pub first_at: DateTime<Utc>,
    /// When the last of them left.
    pub last_at: DateTime<Utc>,
}

/// Two cases or more that came to one place within one slot.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cluster {
    /// Where.
    pub place: NamedPlace,
    /// When the slot begins.
    pub from: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
    /// Which cases scanned there then.
    pub cases: Vec<Uuid>,
    /// The scans of everybody there then: a count, and nobody else is told.
    pub scans: u64,
    /// The scans of everybody in the division then.
    pub all_scans: u64,
    /// How many cases are expected by that share; absent where the counts are missing.
    pub expected: Option<f64>,
    /// How many times as many there are.
    pub ratio: Option<f64>,
    /// How probable as many or more are by chance, for this place and slot alone.
    pub chance: Option<f64>,
    /// How probable it is at the most that any of the tested places and slots is as surprising by chance (Bonferroni).
    pub chance_among_all: Option<f64>,
}

/// What the cases of a division have in common: common places, clusters with their expected count, likely sources.
/// The look is written down for each case. 500 cases at the most.
#[utoipa::path(params(BackwardQuery), responses((status = 200, body = Backward), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/backward")]
pub(crate) async fn see_backward(
    web: Data<Web>,
    staff: Staff<Investigate>,
    query: Query<BackwardQuery>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(backward(&web, &staff.0, &query).await?))
}

/// What cases have in common, after the look was written down for each of them.
pub async fn backward(web: &Web, actor: &Actor, query: &BackwardQuery) -> Result<Backward, ApiError> {
    let now = web.now();
    let asked = query.check(actor.division, now)?;
    let purpose = text("purpose", &query.purpose, 3, 500)?;
    actor.within(web, &asked.division, &format!("cases of {}", asked.division)).await?;
    let mut conn = web.app.store.conn().await?;
    // Written down first and by itself: the audit log takes one writer at a time, and reckoning takes a while.
    let cases = transaction(&mut conn, async |conn| {
        let cases = cases_of(conn, &asked).await?;
        for case in &cases {
            let looked = Looked { case: case.id, run: None, visitor: None, kind: LookKind::Backward };
            look_at::<Investigate>(web, conn, actor, looked, &purpose).await?;
        }
        Ok(cases)
    })
    .await?;
    reckon(&mut conn, &cases, &asked, now).await
}

/// The cases that are asked for, when they are not too many to be looked at together.
pub async fn cases_of(conn: &mut AsyncPgConnection, asked: &Asked) -> Result<Vec<CaseRow>, ApiError> {
    let limit = i64::try_from(CASES_MAX).unwrap_or(i64::MAX);
    let cases = cases_within(conn, &asked.division, asked.began, limit + 1).await?;
    if cases.len() > CASES_MAX {
        let why = format!(
            "more than {CASES_MAX} cases began since then; ask for fewer days, or a smaller division"
        );
        return Err(ApiError::invalid("since", why));
    }
    Ok(cases)
}

/// Computes what cases have in common. To be called after the look was written down for each of them.
pub async fn reckon(
    conn: &mut AsyncPgConnection,
    cases: &[CaseRow],
    asked: &Asked,
    now: DateTime<Utc>,
) -> Result<Backward, ApiError> {
    let before = TimeDelta::days(asked.lookback_days.into());
    let gathered = gather(conn, &asked.division, cases, before, now).await?;
    let inside = gathered.inside();
    let counts = counts(conn, &asked.division, &inside, asked.slot_hours).await?;
    let (cases, asked) = (cases.to_vec(), asked.clone());
    let shown = tokio::task::spawn_blocking(move || {
        let places = common_places(&gathered.stays, TimeDelta::minutes(asked.window_mins.into()));
        let clusters = cluster::clusters(&inside, &counts, asked.slot_hours);
        Shown { cases: &cases, gathered: &gathered }.all(&places, &clusters)
    });
    shown.await.map_err(|error| ApiError::Internal(error.into()))?
}
