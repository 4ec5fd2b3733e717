//! How a replica hears what has changed in the register, so that a revoked code answers for no longer than
//! a second: from Postgres, and from Redis, which the replica that makes a change tells before it answers.
//!
//! Two ways, because either may be slow or away for one replica. Nobody goes by what is in memory unless
//! one of them was heard just now. A replica that reaches neither answers 503; without Redis it could not
//! take a scan anyhow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use super::error::ApiError;
use super::web::Web;
use crate::domain::point::PointFacts;
use crate::domain::venue::PointId;
use crate::intake::points::CHANGES_KEPT_MICROS;
use crate::store::{facts, register};

/// How often Postgres is asked what has changed.
const POSTGRES_EVERY: Duration = Duration::from_millis(500);

/// How often Redis is asked.
const REDIS_EVERY: Duration = Duration::from_millis(250);

/// How old the news may be by which a code is judged; when they are older, Redis is asked first. Within
/// the second that a revoked code may answer, this leaves a quarter for the change to be told.
const NEWS_LIFE: Duration = Duration::from_millis(750);

/// How far back Postgres is asked, so that a change whose transaction took its time is not missed.
const POSTGRES_OVERLAP: TimeDelta = TimeDelta::seconds(30);

/// How long Postgres may take to tell what has changed.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(60);

/// How many points are told to Redis at once.
const BLOCK: usize = 1000;

/// What was heard of the register, and when. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    state: Arc<Mutex<State>>,
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// When the last question was asked that was answered.
    at: Option<Instant>,
    /// The same of Redis alone.
    redis_at: Option<Instant>,
    /// When Postgres was asked last, by its own clock.
    postgres_at: Option<DateTime<Utc>>,
    /// By shard, up to where the changes in Redis were read.
    positions: BTreeMap<i16, i64>,
    /// Points that Redis has not been told of yet, with the time of the change that it lacks.
    owed: BTreeMap<PointId, DateTime<Utc>>,
}

impl Heard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_recent(&self) -> bool {
        self.state().at.is_some_and(|at| at.elapsed() < NEWS_LIFE)
    }

    fn owe(&self, facts: &[PointFacts]) {
        self.state().owed.extend(facts.iter().map(|facts| (facts.id, facts.changed_at)));
    }
}

impl Web {
    /// What is known about a point: from memory, else from Postgres, else, while that is away, from
    /// Redis. Points that nobody knows are looked up each time; their codes are signed, so only a
    /// register that lost rows has any.
    pub async fn point(&self, id: PointId) -> Result<Arc<PointFacts>, ApiError> {
        // A replica that has only just begun, and cannot hear from Redis, asks Postgres for this point alone.
        let is_heard = self.heard.is_recent() || self.hear_if_late().await.is_ok();
        if is_heard && let Some(facts) = self.points.get(id) {
            return Ok(facts);
        }
        let found = match self.read(&[id]).await {
            Ok(facts) => {
                self.publish(&facts).await;
                facts.into_iter().next().ok_or(ApiError::NotFound("point"))?
            }
            Err(ApiError::Busy) => self.app.intake.recall_point(id).await?.ok_or(ApiError::Busy)?,
            Err(error) => return Err(error),
        };
        self.points.put(std::slice::from_ref(&found));
        // Somebody may have heard of a change meanwhile.
        Ok(self.points.get(id).unwrap_or_else(|| Arc::new(found)))
    }

    /// Tells this replica and all others, by way of Redis, what has become of points that were just
    /// changed. A failure delays the news and undoes nothing: whoever reads Postgres tells them on.
    pub async fn tell(&self, ids: &[PointId]) {
        match self.read(ids).await {
            Ok(facts) => {
                self.points.put(&facts);
                self.publish(&facts).await;
            }
            Err(error) => tracing::warn!(error = %error, "a change of the register was not told at once"),
        }
    }

    /// The same for all points of a venue.
    pub async fn tell_venue(&self, id: Uuid) {
        let ids = async {
            let mut conn = self.app.store.conn().await?;
            register::points_of_venue(&mut conn, id).await
        };
        match ids.await {
            Ok(rows) => {
                let ids: Vec<PointId> = rows.iter().filter_map(|row| PointId::from_i64(row.id)).collect();
                self.tell(&ids).await;
            }
            Err(error) => tracing::warn!(error = %error, "a change of the register was not told at once"),
        }
    }

    /// Takes over changes of the register until `shutdown` turns true. The two ways do not wait for each
    /// other.
    pub async fn follow_register(self, shutdown: watch::Receiver<bool>) {
        tokio::join!(self.follow_postgres(shutdown.clone()), self.follow_redis(shutdown));
    }

    async fn follow_postgres(&self, mut shutdown: watch::Receiver<bool>) {
        let mut failed = false;
        while !*shutdown.borrow() {
            let answer = tokio::select! {
                answer = self.ask_postgres() => answer,
                _ = shutdown.changed() => return,
            };
            match answer {
                Ok(()) => failed = false,
                Err(error) if !failed => {
                    tracing::warn!(error = %error, "the register cannot be asked; scans go on with what is known");
                    failed = true;
                }
                Err(_) => {}
            }
            rest(POSTGRES_EVERY, &mut shutdown).await;
        }
    }

    async fn follow_redis(&self, mut shutdown: watch::Receiver<bool>) {
        let mut failed = false;
        while !*shutdown.borrow() {
            let heard = tokio::select! {
                heard = self.hear() => heard,
                _ = shutdown.changed() => return,
            };
            if heard.is_ok() {
                self.pay().await;
            } else if !failed {
                tracing::warn!("changes of the register cannot be heard from Redis");
            }
            failed = heard.is_err();
            rest(REDIS_EVERY, &mut shutdown).await;
        }
    }

    /// Asks Redis, and while that is away Postgres, unless the news are recent by the time it is this caller's
    /// turn: when they are late because much is going on, one question serves all who wait.
    async fn hear_if_late(&self) -> Result<(), ApiError> {
        let _one = self.heard.asking.lock().await;
        if self.heard.is_recent() {
            return Ok(());
        }
        match self.hear().await {
            Ok(()) => Ok(()),
            Err(_away) => self.ask_postgres().await,
        }
    }

    /// Asks Redis what the other replicas have told.
    async fn hear(&self) -> Result<(), ApiError> {
        let asked_at = Instant::now();
        for shard in self.app.intake.shards() {
            let since = self.heard.state().positions.get(&shard).copied().unwrap_or_default();
            let changed = self.app.intake.changed_points(shard, since).await;
            let (facts, last) = changed.map_err(|_away| ApiError::Busy)?;
            self.points.put(&facts);
            let mut state = self.heard.state();
            let position = state.positions.entry(shard).or_default();
            *position = (*position).max(last);
        }
        let mut state = self.heard.state();
        // Redis does not tell for ever what has changed.
        let kept = Duration::from_micros(CHANGES_KEPT_MICROS.unsigned_abs());
        if state.redis_at.is_some_and(|at| at.elapsed() > kept / 2) {
            self.points.clear();
        }
        state.redis_at = state.redis_at.max(Some(asked_at));
        state.at = state.at.max(Some(asked_at));
        Ok(())
    }

    /// Asks Postgres what has changed since it was asked last, by its own clock; Redis is told later, since it
    /// may be slow.
    async fn ask_postgres(&self) -> Result<(), ApiError> {
        let asked = Instant::now();
        let since = self.heard.state().postgres_at.map_or(DateTime::UNIX_EPOCH, |at| at - POSTGRES_OVERLAP);
        let answer = async {
            let mut conn = self.app.store.conn().await?;
            facts::facts_changed_since(&mut conn, since).await
        };
        // A whole register is read at the first time, and takes its time.
        let answer = tokio::time::timeout(POSTGRES_PATIENCE, answer).await.map_err(|_late| ApiError::Busy)?;
        let (facts, asked_at) = answer?;
        let is_news = |facts: &PointFacts| self.points.get(facts.id).is_none_or(|known| *known != *facts);
        let news: Vec<PointFacts> = facts.into_iter().filter(is_news).collect();
        self.points.put(&news);
        self.heard.owe(&news);
        let mut state = self.heard.state();
        state.at = state.at.max(Some(asked));
        state.postgres_at = state.postgres_at.max(Some(asked_at));
        Ok(())
    }

    async fn read(&self, ids: &[PointId]) -> Result<Vec<PointFacts>, ApiError> {
        let mut conn = self.app.store.conn().await?;
        Ok(facts::facts(&mut conn, ids).await?)
    }

    /// Tells Redis; what it does not take now, it is told again.
    async fn publish(&self, facts: &[PointFacts]) {
        if self.app.intake.remember_points(facts).await.is_err() {
            self.heard.owe(facts);
        }
    }

    /// Tells Redis all that it has not been told.
    async fn pay(&self) {
        loop {
            let owed: Vec<PointId> = self.heard.state().owed.keys().copied().take(BLOCK).collect();
            if owed.is_empty() {
                return;
            }
            // What is in memory no more is told by whoever looks it up again.
            let facts = owed.iter().filter_map(|id| Some((*self.points.get(*id)?).clone()));
            let facts: Vec<PointFacts> = facts.collect();
            if self.app.intake.remember_points(&facts).await.is_err() {
                return;
            }
            let told: BTreeMap<PointId, DateTime<Utc>> =
                facts.iter().map(|facts| (facts.id, facts.changed_at)).collect();
            let mut state = self.heard.state();
            for id in owed {
                // It may have changed again while Redis was told.
                let is_newer = |owed: &DateTime<Utc>| told.get(&id).is_some_and(|told| told < owed);
                if !state.owed.get(&id).is_some_and(is_newer) {
                    state.owed.remove(&id);
                }
            }
        }
    }
}

async fn rest(time: Duration, shutdown: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        _ = shutdown.changed() => {}
    }
}
