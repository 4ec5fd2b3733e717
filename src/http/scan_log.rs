//! What an operator sees of the scan log: how much waits, and what could not be read.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::Administer;
use super::web::Web;
use super::write::{Reply, Write};
use crate::store::{inbox, scan_log};

/// How many unreadable entries are listed.
const DEAD_MAX: i64 = 100;

/// What waits to be drained, and what cannot be.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScanLog {
    /// The shards of the log.
    pub shards: Vec<Shard>,
    /// How many entries wait in Postgres, from when Redis was away.
    pub inbox_entries: i64,
    /// Entries that could not be read and that nobody has looked at, 100 at most, the oldest first.
    pub dead: Vec<Dead>,
}

/// One shard of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shard {
    /// Its number.
    pub shard: i16,
    /// How many entries wait, of one scan or several; absent while Redis is away.
    pub entries: Option<u64>,
    /// How many bytes they take in Redis; absent while that is away.
    pub bytes: Option<u64>,
    /// How many scans were drained in all.
    pub drained: i64,
    /// When something was drained last; absent when nothing was.
    pub drained_at: Option<DateTime<Utc>>,
}

/// An entry that could not be read. What is in it stays in the database: it may be half a scan.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dead {
    /// Of which shard.
    pub shard: i16,
    /// Where it stood.
    pub position: String,
    /// How many bytes it has.
    pub bytes: i32,
    /// Why it cannot be read.
    pub reason: String,
    /// When it was found.
    pub found_at: DateTime<Utc>,
}

/// Which entry was looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookedAt {
    /// Of which shard.
    pub shard: i16,
    /// Where it stood.
    pub position: String,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Closed {
    /// Whether it was open until now.
    pub closed: bool,
}

/// How much waits to be drained, and what could not be read.
#[utoipa::path(responses((status = 200, body = ScanLog), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[get("/scan-log")]
pub(crate) async fn see_scan_log(
    web: Data<Web>,
    _staff: Staff<Administer>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let positions = scan_log::positions(&mut conn).await?;
    let inbox_entries = inbox::waiting(&mut conn).await?.count;
    let dead = scan_log::dead_entries(&mut conn, DEAD_MAX).await?;
    drop(conn);
    let mut shards = Vec::new();
    for shard in web.app.intake.shards() {
        let position = positions.iter().find(|position| position.shard == shard);
        shards.push(Shard {
            shard,
            entries: web.app.intake.length(shard).await.ok(),
            bytes: web.app.intake.bytes(shard).await.ok(),
            drained: position.map_or(0, |position| position.drained),
            drained_at: position.filter(|position| position.drained > 0).map(|position| position.updated_at),
        });
    }
    let dead = dead.into_iter().map(|entry| Dead {
        shard: entry.shard,
        position: entry.position,
        bytes: entry.bytes,
        reason: entry.reason,
        found_at: entry.found_at,
    });
    Ok(HttpResponse::Ok().json(ScanLog { shards, inbox_entries, dead: dead.collect() }))
}

/// Notes that an entry that could not be read was looked at; it is listed no more, and kept.
#[utoipa::path(request_body = LookedAt, responses((status = 200, body = Closed), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[post("/scan-log/dead")]
pub(crate) async fn close_dead_entry(
    web: Data<Web>,
    staff: Staff<Administer>,
    write: Write<LookedAt>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form: LookedAt| {
        let place = (form.shard, form.position.as_str());
        let closed = scan_log::close_dead_entry(conn, place, &actor.name, web.now()).await?;
        if closed {
            let subject = format!("entry {} of shard {}", form.position, form.shard);
            actor.note(&web, conn, "scan-log.looked-at", subject).await?;
        }
        Ok(Reply::ok(Closed { closed }))
    };
    write.once(&web, &actor.name, work).await
}
