//! (a) The least that the same framework can do with the same request: parse the JSON, answer JSON of the same size.

use std::net::SocketAddr;

use actix_web::web::Json;
use actix_web::{App, HttpResponse, HttpServer, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::house::{House, Process, free_address};
use crate::load::{closed, reserve};
use crate::mix::{Flavour, Mix};
use crate::options::Options;
use crate::processes::{micros_each, ticks};
use crate::tally::Round;

/// A receipt of the service has so many letters.
const RECEIPT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Deserialize)]
struct Scan {
    id: Uuid,
    code: String,
    occurred_at: DateTime<Utc>,
    direction: Option<String>,
    phone_cell: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    id: Uuid,
    venue: &'static str,
    point: &'static str,
    occurred_at: DateTime<Utc>,
    presence: &'static str,
    late: bool,
    receipt: &'static str,
}

#[post("/v1/scans")]
async fn scan(scan: Json<Scan>) -> HttpResponse {
    let near = scan.phone_cell.is_some() && scan.direction.is_none() && !scan.code.is_empty();
    HttpResponse::Created().json(Answer {
        id: scan.id,
        venue: "样例场所1000",
        point: "正门",
        occurred_at: scan.occurred_at,
        presence: if near { "plausible" } else { "unproven" },
        late: false,
        receipt: RECEIPT,
    })
}

/// Answers until it is ended.
pub(crate) fn serve(bind: SocketAddr) {
    let server = || HttpServer::new(|| App::new().service(scan)).workers(workers()).bind(bind);
    actix_web::rt::System::new().block_on(async { server().unwrap().run().await }).unwrap();
}

/// As many as the service has.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Rounds of the closed loop against the echo.
pub(crate) fn measure(house: &House, options: &Options) -> Vec<Round> {
    let flavour = Flavour { scans_per_exchange: None, has_batches: false };
    let round = |_| {
        let bind = free_address();
        let process = Process::own(house, "echo", &["echo", &bind.to_string()]);
        process.wait_until_answers(bind);
        let first = reserve(options.scans());
        let mix = Mix::new(&house.city, flavour, first, options.scans());
        let numbers = first..first + options.scans();
        let used = || [process.pid, std::process::id()].map(ticks);
        let before = used();
        let sent = closed(&mix, bind, options.connections, numbers, options.limit());
        let [server, client] = used();
        let [server_before, client_before] = before;
        let micros = |ticks: u64| micros_each(ticks, sent.tally.accepted());
        let spent = format!(
            "µs a request: server {:.1}, client {:.1}",
            micros(server.saturating_sub(server_before)),
            micros(client.saturating_sub(client_before))
        );
        let mut round = Round::of(sent.tally, sent.took);
        round.answers = format!("{}; {spent}", round.answers);
        round
    };
    (0..options.rounds()).map(round).collect()
}
