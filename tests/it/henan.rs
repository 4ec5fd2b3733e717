//! Henan, June 2022: codes were turned red by a list of names. Each way that the story offers is tried against the
//! running service, by everybody who has a role, and as the owner of the tables; it fails, and what was tried is in
//! the audit log.
//!
//! The proportions are those of the story: of 1,317 people 446 were on site and 871 had a picture of the code of
//! 郑州车站西南出口. Companions stayed green, and so did the family of one of them, who had scanned the same picture in
//! the same flat.

mod forgery;
mod list;
mod photo;
mod release;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::process::Command;

use chrono::TimeDelta;
use placecode::domain::access::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::{Place, far};

/// Depositors at the station.
const ON_SITE: RangeInclusive<u32> = 1..=4;
/// Depositors who have the picture: of thirteen depositors nine, as of 1,317 people 871.
const BY_PHOTO: RangeInclusive<u32> = 5..=13;
/// Who came with the depositors, and owns no deposit.
const COMPANIONS: RangeInclusive<u32> = 20..=23;
/// The family in the flat of one who has the picture.
const FAMILY: RangeInclusive<u32> = 30..=31;
/// An official who was at the station that day.
const OFFICIAL: u32 = 40;
/// Whom a laboratory has truly found ill, and who was at the station.
const ILL: u32 = 50;

/// Everybody who was at the station, but for the ill.
fn present() -> BTreeSet<u32> {
    ON_SITE.chain(COMPANIONS).chain([OFFICIAL]).collect()
}

struct Henan {
    app: TestApp,
    station: Place,
    investigator: Client,
    /// A pack that turns everybody red who was there for a minute; an administrator has loaded it.
    pack: &'static str,
}

impl Henan {
    /// The afternoon: those who are there scan, and the picture goes round.
    async fn begin(flags: &[&str]) -> Self {
        let app = TestApp::start_with(flags).await;
        let station = app.venue("郑州车站西南出口", "railway_station").await;
        let home = app.place_in_shijiazhuang("小区门口", "residential").await;
        app.scan(ILL, &station, 20).await;
        for number in present() {
            app.scan(number, &station, 15).await;
        }
        for number in BY_PHOTO.chain(FAMILY) {
            // One phone tells nothing, but has checked in at home minutes before.
            if number == *BY_PHOTO.end() {
                app.scan_from(number, &home, 12, None).await;
            }
            let tells = (number != *BY_PHOTO.end()).then(far);
            app.scan_from(number, &station, 5, tells).await;
        }
        app.settle().await;
        let admin = app.staff(Role::Administrator, "410000").await;
        let text = include_str!("../../policies/baseline-1.toml")
            .replace("id = \"baseline\"", "id = \"harsh\"")
            .replace("granularities = [\"seat\", \"room\"]", "granularities = [\"seat\", \"room\", \"hall\"]")
            .replace("together_mins = 60", "together_mins = 1");
        admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
        let investigator = app.staff(Role::Investigator, "410100").await;
        Self { app, station, investigator, pack: "harsh@1" }
    }

    /// A case of somebody, as reported.
    async fn case_of(&self, number: u32) -> String {
        self.app.case(&self.investigator, number).await
    }

    /// A computed run.
    async fn run(&self, case: &str) -> String {
        let body = json!({ "rule_pack": self.pack, "purpose": "流行病学调查" });
        let path = format!("/v1/cases/{case}/runs");
        let run = self.investigator.post(&path, &body).await.expect(202)["id"].as_str().unwrap().to_owned();
        self.app.settle().await;
        run
    }

    /// Who would get which colour by a run: numbers of people by colour.
    async fn found(&self, run: &str, colour: &str) -> BTreeSet<u32> {
        let contacts = self.contacts(run).await;
        let of = |contact: &Value| {
            (1..=60).find(|number| contact["visitor"] == self.app.visitor(*number).to_hex())
        };
        contacts.iter().filter(|contact| contact["colour"] == colour).filter_map(of).collect()
    }

    async fn contacts(&self, run: &str) -> Vec<Value> {
        let path = format!("/v1/runs/{run}/contacts?purpose=review");
        self.investigator.get(&path).await.expect(200).as_array().unwrap().clone()
    }

    /// Nobody of the story has another colour than green.
    async fn all_are_green(&self) {
        self.app.settle().await;
        for number in present().into_iter().chain(BY_PHOTO).chain(FAMILY) {
            assert_eq!(self.app.colour(number).await["colour"], "green", "person {number}");
        }
        assert_eq!(self.app.number("select count(*) from assignments where state in (1, 2)").await, 0);
    }

    /// How often something stands in the log.
    async fn told(&self, action: &str) -> i64 {
        self.app.number(&format!("select count(*) from audit_entries where action = '{action}'")).await
    }

    /// What `placecode audit verify` says: its exit code, and its words.
    fn verify_audit(&self) -> (i32, String) {
        let config = &self.app.config;
        let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
        command.args(["audit", "verify"]).env("DATABASE_URL", &config.database_url);
        command.env("REDIS_URL", &config.redis_url).env("KEYS_FILE", &config.keys_file);
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    }

    #[track_caller]
    fn the_log_is_whole(&self) {
        let (code, said) = self.verify_audit();
        assert_eq!(code, 0, "{said}");
    }
}
