//! The register as scanning needs it: in memory, with a copy in Redis for a start without Postgres.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use redis::AsyncCommands;

use super::{Intake, IntakeError};
use crate::domain::point::PointFacts;
use crate::domain::venue::PointId;

/// How many points are kept in memory at the most; beyond it they are looked up again.
const POINTS_MAX: usize = 4_000_000;

/// Facts about points, by id. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct PointCache(Arc<RwLock<HashMap<PointId, Arc<PointFacts>>>>);

impl PointCache {
    /// What is known about a point.
    pub fn get(&self, id: PointId) -> Option<Arc<PointFacts>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&id).cloned()
    }

    /// Takes over what the register says now.
    pub fn put(&self, facts: &[PointFacts]) {
        let mut points = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if points.len() + facts.len() > POINTS_MAX {
            points.clear();
        }
        points.extend(facts.iter().map(|one| (one.id, Arc::new(one.clone()))));
    }
}

impl Intake {
    /// Keeps facts about points in Redis, so that a service that starts while Postgres is away knows
    /// the points that were scanned before.
    pub async fn remember_points(&self, facts: &[PointFacts]) -> Result<(), IntakeError> {
        if facts.is_empty() {
            return Ok(());
        }
        let mut conn = self.conn().await?;
        let mut pipeline = redis::pipe();
        for one in facts {
            let text = serde_json::to_string(one).map_err(|error| IntakeError::Busy(error.to_string()))?;
            pipeline.set(self.point_key(one.id), text).ignore();
        }
        Ok(pipeline.query_async(&mut conn).await?)
    }

    /// What Redis remembers about a point.
    pub async fn recall_point(&self, id: PointId) -> Result<Option<PointFacts>, IntakeError> {
        let mut conn = self.conn().await?;
        let text: Option<String> = conn.get(self.point_key(id)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn point_key(&self, id: PointId) -> String {
        self.key(self.shard_of(id.spread()), &format!("point:{id}"))
    }
}
