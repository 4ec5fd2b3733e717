//! (b) What one writes first: the same framework verifies code and token the same way, then inserts one row a request
//! into an indexed table through a pool, and Postgres makes each commit durable.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use actix_web::web::{Data, Json};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use placecode::clock::Clock;
use placecode::domain::assertion::verify_identity;
use placecode::domain::keyring::Keyring;
use placecode::domain::rotating_code::ScannedCode;
use placecode::domain::token::{Receipt, VisitorToken};
use placecode::domain::venue::PointId;
use placecode::store::Store;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::city::{CHANNEL, channel};
use crate::echo::workers;
use crate::house::{House, Process, free_address};
use crate::load::{closed, reserve};
use crate::mix::{Flavour, Mix};
use crate::options::Options;
use crate::tally::Round;

/// More than the service has: waiting for the disk together is all that saves this handler.
const CONNECTIONS: u32 = 64;

/// What `scans` has, without partitions.
const TABLE: &str = "create table naive_scans (
    visitor uuid not null, occurred_at timestamptz not null, id uuid not null, point_id bigint not null,
    cell bigint not null, received_at timestamptz not null, direction smallint not null, method smallint not null,
    presence smallint not null, party uuid, primary key (visitor, occurred_at, id));
    create index on naive_scans (point_id, occurred_at)";

diesel::table! {
    naive_scans (visitor, occurred_at, id) {
        visitor -> Uuid,
        occurred_at -> Timestamptz,
        id -> Uuid,
        point_id -> BigInt,
        cell -> BigInt,
        received_at -> Timestamptz,
        direction -> SmallInt,
        method -> SmallInt,
        presence -> SmallInt,
        party -> Nullable<Uuid>,
    }
}

#[derive(Insertable)]
#[diesel(table_name = naive_scans)]
struct Row {
    visitor: Uuid,
    occurred_at: DateTime<Utc>,
    id: Uuid,
    point_id: i64,
    cell: i64,
    received_at: DateTime<Utc>,
    direction: i16,
    method: i16,
    presence: i16,
    party: Option<Uuid>,
}

#[derive(Deserialize)]
struct Scan {
    id: Uuid,
    code: String,
    occurred_at: DateTime<Utc>,
    direction: Option<String>,
    phone_cell: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: Uuid,
    venue: &'a str,
    point: &'a str,
    occurred_at: DateTime<Utc>,
    presence: &'static str,
    late: bool,
    receipt: String,
}

#[derive(Deserialize)]
struct Word {
    assertion: String,
}

struct Shared {
    keys: Keyring,
    store: Store,
    /// Name of the venue and cell of each point, in memory: no query for them.
    points: HashMap<PointId, (String, i64)>,
}

#[post("/v1/visitor-tokens")]
async fn exchange(shared: Data<Shared>, word: Json<Word>) -> HttpResponse {
    let now = Clock::System.now();
    let Ok(identified) = verify_identity(&word.assertion, &channel().verifying_key(), now) else {
        return HttpResponse::Unauthorized().finish();
    };
    let expires_at = now + TimeDelta::hours(12);
    let token =
        VisitorToken { visitor: identified.visitor, channel: CHANNEL.into(), expires_at, colour: None }
            .seal(shared.keys.token());
    HttpResponse::Created().json(serde_json::json!({ "token": token, "expires_at": expires_at }))
}

#[post("/v1/scans")]
async fn scan(shared: Data<Shared>, request: HttpRequest, scan: Json<Scan>) -> HttpResponse {
    let now = Clock::System.now();
    let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token.and_then(|text| VisitorToken::open(shared.keys.token(), text, now)) else {
        return HttpResponse::Unauthorized().finish();
    };
    let Ok(code) = ScannedCode::parse(&scan.code, &shared.keys, now) else {
        return HttpResponse::UnprocessableEntity().finish();
    };
    let Some((venue, cell)) = shared.points.get(&code.point()) else {
        return HttpResponse::NotFound().finish();
    };
    let near = scan.phone_cell.is_some();
    let row = Row {
        visitor: token.visitor.to_uuid(),
        occurred_at: scan.occurred_at,
        id: scan.id,
        point_id: code.point().to_i64(),
        cell: *cell,
        received_at: now,
        direction: i16::from(scan.direction.is_some()),
        method: 0,
        presence: if near { 2 } else { 1 },
        party: None,
    };
    let Ok(mut conn) = shared.store.conn().await else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    if diesel::insert_into(naive_scans::table).values(row).execute(&mut conn).await.is_err() {
        return HttpResponse::InternalServerError().finish();
    }
    let receipt = Receipt { scan: scan.id, point: code.point(), expires_at: now + TimeDelta::minutes(1) };
    HttpResponse::Created().json(Answer {
        id: scan.id,
        venue,
        point: "正门",
        occurred_at: scan.occurred_at,
        presence: if near { "plausible" } else { "unproven" },
        late: false,
        receipt: receipt.seal(shared.keys.token()),
    })
}

/// Answers until it is ended.
pub(crate) fn serve(bind: SocketAddr, database_url: &str, keys_file: &Path, points_file: &Path) {
    let keys = Keyring::parse(&std::fs::read_to_string(keys_file).unwrap()).unwrap();
    let points: Vec<(i64, i64, String)> =
        serde_json::from_slice(&std::fs::read(points_file).unwrap()).unwrap();
    let points =
        points.into_iter().map(|(id, cell, venue)| (PointId::from_i64(id).unwrap(), (venue, cell))).collect();
    actix_web::rt::System::new().block_on(async {
        let shared =
            Data::new(Shared { keys, store: Store::new(database_url, CONNECTIONS).unwrap(), points });
        let app = move || App::new().app_data(shared.clone()).service(scan).service(exchange);
        HttpServer::new(app).workers(workers()).bind(bind).unwrap().run().await.unwrap();
    });
}

/// Rounds of the closed loop against the naive handler; what it answered is in its table, or we end here.
pub(crate) fn measure(house: &House, options: &Options) -> Vec<Round> {
    let flavour = Flavour { scans_per_exchange: Some(options.scans_per_exchange), has_batches: false };
    let round = |number| {
        let db = house.fresh(&format!("naive_{number}"));
        db.run(TABLE);
        let points = db.ask("select p.id, p.cell, v.name from points p join venues v on v.id = p.venue_id");
        let points: Vec<(i64, i64, String)> =
            points.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let points_file = house.servers.folder().join("bench-points.json");
        std::fs::write(&points_file, serde_json::to_vec(&points).unwrap()).unwrap();
        let bind = free_address();
        let args =
            [&bind.to_string(), &db.url, house.keys_file.to_str().unwrap(), points_file.to_str().unwrap()];
        let process = Process::own(house, "naive", &[&["naive"], &args[..]].concat());
        process.wait_until_answers(bind);
        let first = reserve(options.scans());
        let mix = Mix::new(&house.city, flavour, first, options.scans());
        // Slower by an order of magnitude, so it is told by time.
        let limit = options.limit() / 3;
        let sent = closed(&mix, bind, options.connections, first..first + options.scans(), limit);
        assert_eq!(db.count("naive_scans"), sent.tally.accepted(), "what was answered is stored");
        Round::of(sent.tally, sent.took)
    };
    (0..options.rounds()).map(round).collect()
}
