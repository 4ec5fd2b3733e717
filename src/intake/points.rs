//! The register as scanning needs it: in memory, with a copy in Redis that also tells what has changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use redis::AsyncCommands;

use super::{Intake, IntakeError};
use crate::domain::point::PointFacts;
use crate::domain::venue::PointId;

/// How many points are kept in memory at the most; beyond it they are looked up again.
const POINTS_MAX: usize = 4_000_000;

/// How long Redis tells that a point has changed, in microseconds: an hour.
pub const CHANGES_KEPT_MICROS: i64 = 3_600_000_000;

/// How many changes of one shard Redis tells at the most.
const CHANGES_MAX: i64 = 100_000;

/// How many points are written or read at once.
const BLOCK: usize = 1000;

/// Facts about points, by id. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct PointCache(Arc<RwLock<HashMap<PointId, Arc<PointFacts>>>>);

impl PointCache {
    /// What is known about a point.
    pub fn get(&self, id: PointId) -> Option<Arc<PointFacts>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&id).cloned()
    }

    /// Takes over what the register says. What was read before a change may arrive after it, and is left.
    pub fn put(&self, facts: &[PointFacts]) {
        let mut points = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if points.len() + facts.len() > POINTS_MAX {
            points.clear();
        }
        for one in facts {
            if points.get(&one.id).is_none_or(|known| known.changed_at <= one.changed_at) {
                points.insert(one.id, Arc::new(one.clone()));
            }
        }
    }

    /// Forgets everything, so that each point is looked up again.
    pub fn clear(&self) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}

/// Keeps facts that are newer than those that are kept, and notes when by the one clock that all replicas
/// share, that of Redis; should it be set back, the notes still go forward. Each has a microsecond of its own, so
/// that whoever asks what came after the last is told of that one again and no others.
const REMEMBER: &str = r"
local time = redis.call('time')
local now = time[1] * 1000000 + time[2]
local last = redis.call('zrevrange', KEYS[1], 0, 0, 'withscores')[2]
if last and tonumber(last) >= now then now = tonumber(last) + 1 end
for at = 2, #KEYS do
    local version, id, facts = ARGV[3 * at - 3], ARGV[3 * at - 2], ARGV[3 * at - 1]
    local known = redis.call('hget', KEYS[at], 'version')
    if not known or tonumber(known) < tonumber(version) then
        redis.call('hset', KEYS[at], 'version', version, 'facts', facts)
        redis.call('zadd', KEYS[1], string.format('%.0f', now), id)
        now = now + 1
    end
end
redis.call('zremrangebyscore', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[1])))
redis.call('zremrangebyrank', KEYS[1], 0, -1 - tonumber(ARGV[2]))";

impl Intake {
    /// Keeps facts about points in Redis: for a service that starts while Postgres is away, and for
    /// replicas that ask Redis what has changed. Facts that are older than those kept are passed over.
    pub async fn remember_points(&self, facts: &[PointFacts]) -> Result<(), IntakeError> {
        let mut by_shard: BTreeMap<i16, Vec<&PointFacts>> = BTreeMap::new();
        for one in facts {
            by_shard.entry(self.shard_of(one.id.spread())).or_default().push(one);
        }
        let script = redis::Script::new(REMEMBER);
        let mut conn = self.conn().await?;
        for (shard, own) in by_shard {
            for block in own.chunks(BLOCK) {
                let mut call = script.key(self.changes_key(shard));
                call.arg(CHANGES_KEPT_MICROS).arg(CHANGES_MAX);
                for one in block {
                    let text = serde_json::to_string(one);
                    let text = text.map_err(|error| IntakeError::Busy(error.to_string()))?;
                    call.key(self.point_key(one.id));
                    call.arg(one.changed_at.timestamp_micros()).arg(one.id.to_i64()).arg(text);
                }
                call.invoke_async::<()>(&mut conn).await?;
            }
        }
        Ok(())
    }

    /// What Redis remembers about a point.
    pub async fn recall_point(&self, id: PointId) -> Result<Option<PointFacts>, IntakeError> {
        let mut conn = self.conn().await?;
        let text: Option<String> = conn.hget(self.point_key(id), "facts").await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// What was remembered anew in a shard at or after `since` (0 for all that is known), and the position
    /// to ask from next.
    pub async fn changed_points(
        &self,
        shard: i16,
        since: i64,
    ) -> Result<(Vec<PointFacts>, i64), IntakeError> {
        let mut conn = self.conn().await?;
        // What was written in the same microsecond as the last that was seen is read again.
        let key = self.changes_key(shard);
        let changed = conn.zrangebyscore_withscores(key, since, "+inf").await;
        let changed: Vec<(i64, i64)> = changed.inspect_err(|_error| self.server.suspect())?;
        let last = changed.iter().map(|(_, at)| *at).fold(since, i64::max);
        let ids: Vec<PointId> = changed.iter().filter_map(|(id, _)| PointId::from_i64(*id)).collect();
        let mut facts = Vec::new();
        for block in ids.chunks(BLOCK) {
            let mut pipeline = redis::pipe();
            for id in block {
                pipeline.hget(self.point_key(*id), "facts");
            }
            let texts: Vec<Option<String>> = pipeline.query_async(&mut conn).await?;
            facts.extend(texts.iter().flatten().filter_map(|text| serde_json::from_str(text).ok()));
        }
        Ok((facts, last))
    }

    fn point_key(&self, id: PointId) -> String {
        self.key(self.shard_of(id.spread()), &format!("facts:{id}"))
    }

    fn changes_key(&self, shard: i16) -> String {
        self.key(shard, "facts-changed")
    }
}
