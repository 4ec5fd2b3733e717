//! What every handler shares, and how the facts about a point are found while Postgres is away.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::error::ApiError;
use crate::app::App;
use crate::domain::point::PointFacts;
use crate::domain::venue::PointId;
use crate::intake::appender::Appender;
use crate::intake::points::PointCache;
use crate::store::facts;

/// How often the service asks the register what has changed: a revoked code answers for no longer.
const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// How far back it asks, so that a change whose transaction took its time is not missed.
const REFRESH_OVERLAP: TimeDelta = TimeDelta::seconds(30);

/// What every handler shares.
#[derive(Clone, Debug)]
pub struct Web {
    /// Settings, keys, pools, clock.
    pub app: App,
    /// Group commit of scans.
    pub appender: Appender,
    /// The register in memory.
    pub points: PointCache,
}

impl Web {
    /// Starts the appends on the runtime of the caller.
    pub fn new(app: App) -> Self {
        Self { appender: Appender::start(&app.intake), points: PointCache::default(), app }
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// What is known about a point: from memory, else from Postgres, else, while that is away, from
    /// Redis. Points that nobody knows are looked up each time; their codes are signed, so only a
    /// register that lost rows has any.
    pub async fn point(&self, id: PointId) -> Result<Arc<PointFacts>, ApiError> {
        if let Some(facts) = self.points.get(id) {
            return Ok(facts);
        }
        match self.look_up(id).await {
            Ok(Some(facts)) => {
                self.points.put(std::slice::from_ref(&facts));
                // Only a later start without Postgres needs this copy.
                let _kept = self.app.intake.remember_points(std::slice::from_ref(&facts)).await;
                Ok(Arc::new(facts))
            }
            Ok(None) => Err(ApiError::NotFound("point")),
            Err(ApiError::Busy) => {
                let facts = self.app.intake.recall_point(id).await?.ok_or(ApiError::Busy)?;
                self.points.put(std::slice::from_ref(&facts));
                Ok(Arc::new(facts))
            }
            Err(error) => Err(error),
        }
    }

    async fn look_up(&self, id: PointId) -> Result<Option<PointFacts>, ApiError> {
        let mut conn = self.app.store.conn().await?;
        Ok(facts::facts(&mut conn, &[id]).await?.pop())
    }

    /// Takes over changes of the register until `shutdown` turns true.
    pub async fn follow_register(self, mut shutdown: watch::Receiver<bool>) {
        let mut since = DateTime::<Utc>::UNIX_EPOCH;
        let mut failed = false;
        while !*shutdown.borrow() {
            match self.refresh(since).await {
                Ok(asked_at) => {
                    since = asked_at - REFRESH_OVERLAP;
                    failed = false;
                }
                Err(error) if !failed => {
                    tracing::warn!(error = %error, "the register cannot be asked; scans go on with what is known");
                    failed = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(REFRESH_EVERY) => {}
                _ = shutdown.changed() => {}
            }
        }
    }

    async fn refresh(&self, since: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
        let mut conn = self.app.store.conn().await?;
        let (facts, asked_at) = facts::facts_changed_since(&mut conn, since).await?;
        drop(conn);
        let news: Vec<PointFacts> = facts
            .into_iter()
            .filter(|facts| self.points.get(facts.id).is_none_or(|known| *known != *facts))
            .collect();
        self.points.put(&news);
        for block in news.chunks(1000) {
            // Only a later start without Postgres needs this copy.
            let _kept = self.app.intake.remember_points(block).await;
        }
        Ok(asked_at)
    }
}

/// The `Link` header that names the next page of a list, with all that the list was asked for.
pub fn next_page<const N: usize>(path: &str, query: &[(&str, Option<String>); N]) -> (&'static str, String) {
    let given = query.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    ("Link", format!("<{path}?{query}>; rel=\"next\""))
}
