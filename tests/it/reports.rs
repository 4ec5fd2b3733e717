//! What a run gives to people and to other systems: every kind in every format, read back.

mod command;
mod formats;
mod interchange;
mod letters;

use std::collections::BTreeMap;

use clap::ValueEnum;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use placecode::domain::access::Role;
use placecode::domain::report::kind::{Format, Kind, Report, name};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::{Place, new_case};

/// Persons 1 and 2 are cases; person 2 was with person 1 for two hours the day before the positive sample. Person 3 met
/// person 1 at the teahouse for long and at the restaurant; person 4 for half an hour, and is left out; person 5 met
/// person 3 afterwards and is a contact of a contact. Nobody met person 1 in the bookshop.
struct Outbreak {
    app: TestApp,
    teahouse: Place,
    investigator: Client,
    login: String,
    case: String,
    other: String,
    run: String,
}

async fn outbreak() -> Outbreak {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let restaurant = app.venue("=外婆家,\"一楼\"", "restaurant").await;
    let bookshop = app.venue("书店", "shop").await;
    for (number, place, minutes_ago) in [
        (1, &teahouse, 1_500),
        (2, &teahouse, 1_495),
        (3, &teahouse, 1_490),
        (4, &teahouse, 1_380),
        (1, &restaurant, 900),
        (3, &restaurant, 890),
        (1, &bookshop, 120),
    ] {
        app.scan(number, place, minutes_ago).await;
    }
    app.settle().await;
    let (id, investigator) = app.member(&[Role::Investigator], "410100").await;
    let login = format!("investigator-{}", &id.simple().to_string()[24..]);
    let case = app.case(&investigator, 1).await;
    let mut report = new_case(&app.visitor(2).to_hex(), app.now());
    report["kind"] = json!("asymptomatic");
    report["onset_at"] = Value::Null;
    let other = investigator.post("/v1/cases", &report).await.expect(201)["id"].as_str().unwrap().to_owned();
    let run = app.run(&investigator, &case).await;
    assert_eq!((&run["state"], &run["summary"]["contacts"]), (&json!("computed"), &json!(3)), "{run}");
    let run = run["id"].as_str().unwrap().to_owned();
    let out = Outbreak { app, teahouse, investigator, login, case, other, run };
    out.leave_out(4, "同住家属，已隔离").await;
    out.meet_a_contact(5, 3).await;
    out
}

impl Outbreak {
    async fn leave_out(&self, number: u32, reason: &str) {
        let body = json!({ "visitor": self.app.visitor(number).to_hex(), "reason": reason });
        self.investigator.post(&format!("/v1/runs/{}/exclusions", self.run), &body).await.expect(200);
    }

    /// What a pack that follows contacts would have kept: somebody who met a contact for twenty minutes.
    async fn meet_a_contact(&self, number: u32, via: u32) {
        let (own, via) = (self.app.visitor(number).to_hex(), self.app.visitor(via).to_hex());
        let (run, point) = (&self.run, self.teahouse.point);
        let met = format!(
            "insert into exposures (run_id, seq, via_visitor, via_point_id, via_from_at, stay_point_id, stay_from_at, visitor,
                                    relation, granularity, from_at, until_at, presence, counted)
             select '{run}', 900, '{via}'::uuid, {point}, '2026-03-15T06:00Z', {point}, '2026-03-15T06:00Z', '{own}'::uuid,
                    0, 1, '2026-03-15T06:00Z', '2026-03-15T06:20Z', 2, true"
        );
        self.app.tamper(&met).await;
        let contact = format!(
            "insert into contacts (run_id, visitor, class, colour, together_secs, meetings, first_at, last_at, depth)
             select '{run}', '{own}'::uuid, 1, 1, 1200, 1, '2026-03-15T06:00Z', '2026-03-15T06:20Z', 1"
        );
        self.app.tamper(&contact).await;
    }

    async fn get(&self, file: &str, more: &str) -> Answer {
        self.investigator.get(&self.path(file, &format!("purpose=review{more}"))).await
    }

    fn path(&self, file: &str, query: &str) -> String {
        format!("/v1/runs/{}/reports/{file}?{query}", self.run)
    }

    async fn text(&self, file: &str, more: &str) -> String {
        let answer = self.get(file, more).await;
        assert_eq!(answer.status, 200, "{file}: {}", answer.text);
        answer.text
    }

    async fn rows(&self, file: &str) -> Vec<BTreeMap<String, String>> {
        table(&self.text(file, "").await)
    }

    fn hex(&self, number: u32) -> String {
        self.app.visitor(number).to_hex()
    }
}

/// A table as a reader of CSV has it, by the names of its columns.
fn table(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let names = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        names.iter().zip(row.iter()).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// What a report needs beside its purpose.
fn needs(kind: Kind) -> &'static str {
    if kind == Kind::Trajectory { "&number=%E7%97%85%E4%BE%8B1" } else { "" }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_meetings_and_divisions_are_counted() {
    let out = outbreak().await;
    let venues = out.rows("venues.csv").await;
    let told: Vec<[&str; 6]> = venues
        .iter()
        .map(|row| {
            ["venue", "contacts", "close", "secondary", "excluded", "met"].map(|name| row[name].as_str())
        })
        .collect();
    assert_eq!(told[0], ["老茶馆", "4", "2", "1", "1", "4"]);
    assert_eq!(told[1], ["'=外婆家,\"一楼\"", "1", "1", "0", "0", "1"]);
    assert_eq!(told[2], ["书店", "0", "0", "0", "0", "0"]);
    assert_eq!(venues[0]["case_slots"], "2026-03-15T11:00:00+08:00/2026-03-15T13:30:00+08:00");
    let map: Value = serde_json::from_str(&out.text("venues.geojson", "").await).unwrap();
    assert_eq!(map["features"][0]["geometry"]["coordinates"], json!([113.6253, 34.7466]));
    assert_eq!(
        (&map["features"][0]["properties"]["contacts"], &map["rule_pack"]),
        (&json!(4), &json!("baseline@1"))
    );
    for number in 1..=5 {
        assert!(!map.to_string().contains(&out.hex(number)), "counts name nobody");
    }
    let divisions = out.rows("divisions.csv").await;
    let told: Vec<[&str; 4]> = divisions
        .iter()
        .map(|row| ["basis", "division", "contacts", "excluded"].map(|name| row[name].as_str()))
        .collect();
    assert_eq!(told, [["venue", "410105", "4", "1"], ["residence", "unknown", "4", "1"]]);
    let meetings = out.rows("exposures.csv").await;
    let of_three = meetings.iter().filter(|row| row["visitor"] == out.hex(3)).count();
    assert_eq!((of_three, meetings.iter().filter(|row| row["via"] == out.hex(3)).count()), (2, 1));
    assert!(meetings.iter().all(|row| row["case_stay_known_by"] == "scan" || !row["via"].is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn triage_begins_with_frequent_and_long_contact_and_leaves_nobody_excluded_in() {
    let out = outbreak().await;
    let rows = out.rows("triage.csv").await;
    let order: Vec<&String> = rows.iter().map(|row| &row["visitor"]).collect();
    assert_eq!(order, [&out.hex(3), &out.hex(2), &out.hex(5)]);
    let score = |at: usize| rows[at]["triage_score"].parse::<f64>().unwrap();
    assert!(score(0) > score(1) && score(1) > 0.0);
    let first = table(&out.text("triage.csv", "&limit=1").await);
    assert_eq!((first.len(), &first[0]["visitor"]), (1, &out.hex(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_list_and_the_chain_link_cases_contacts_and_places() {
    let out = outbreak().await;
    let cases = out.rows("line-list.csv").await;
    let told: Vec<[&str; 4]> = cases
        .iter()
        .map(|row| ["case_no", "link", "upstream_case", "setting"].map(|name| row[name].as_str()))
        .collect();
    assert_eq!(told, [[&*out.case, "index", "", ""], [&*out.other, "contact", &*out.case, "老茶馆"]]);
    assert_eq!((cases[1]["onset_at"].as_str(), cases[1]["infectious_from"].as_str()), ("", ""));
    assert!(!cases[0]["infectious_from"].is_empty());
    let chain: Value = serde_json::from_str(&out.text("chain.json", "").await).unwrap();
    let kinds =
        |kind: &str| chain["nodes"].as_array().unwrap().iter().filter(|node| node["kind"] == kind).count();
    assert_eq!((kinds("case"), kinds("place"), kinds("contact")), (2, 3, 2));
    let place = format!("place:{}", out.teahouse.venue);
    let contact = |number| format!("contact:{}", out.hex(number));
    let has = |from: &str, to: &str| {
        chain["edges"].as_array().unwrap().iter().any(|edge| edge["from"] == from && edge["to"] == to)
    };
    assert!(has(&format!("case:{}", out.case), &place) && has(&place, &format!("case:{}", out.other)));
    assert!(has(&contact(3), &place) && has(&place, &contact(5)));
    let short: Value = serde_json::from_str(&out.text("chain.json", "&limit=1").await).unwrap();
    assert_eq!((&short["contacts"], &short["contacts_shown"]), (&json!(3), &json!(1)));
    assert!(out.text("chain.dot", "").await.contains("老茶馆"));
    // A case of another province that is a contact here is not told of.
    let far = out.app.sql(&format!("update cases set division = '420100' where id = '{}'", out.other)).await;
    assert_eq!(far, Ok(1));
    assert_eq!(out.rows("line-list.csv").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_trajectory_has_places_and_slots_and_nothing_that_names_anybody() {
    let out = outbreak().await;
    let zh = out.text("trajectory.txt", needs(Kind::Trajectory)).await;
    assert!(zh.starts_with("病例1活动轨迹\n3月15日11:00—13:30 老茶馆（郑州市金水区花园路1号）\n"), "{zh}");
    let en = out.text("trajectory.txt", "&number=7&language=en").await;
    assert!(en.starts_with("Places of case 7\n15 March 2026, 11:00 to 13:30: 老茶馆\n"), "{en}");
    for format in ["txt", "json", "geojson"] {
        let text = out.text(&format!("trajectory.{format}"), needs(Kind::Trajectory)).await;
        let secret = [out.case.clone(), out.run.clone(), out.other.clone(), out.case[..8].to_owned()];
        let people = (1..=5).map(|number| out.hex(number));
        for secret in people.chain(secret) {
            assert!(!text.contains(&secret) && !text.contains(&secret.replace('-', "")), "{format}: {text}");
        }
    }
    out.get("trajectory.txt", "").await.problem(422);
    out.get("trajectory.txt", &format!("&number={}", &out.hex(1)[..12])).await.problem(422);
    out.get("trajectory.txt", "&number=").await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_report_is_a_look_that_is_written_down_before_anything_is_shown() {
    let out = outbreak().await;
    let looks = async || {
        let seen = "select count(*) from audit_entries where action = 'persons.seen'";
        let made = "select count(*) from audit_entries where action = 'report.made'";
        let app = &out.app;
        (app.number("select count(*) from looks").await, app.number(seen).await, app.number(made).await)
    };
    for &kind in Kind::value_variants() {
        let file = format!("{}.{}", name(kind), name(kind.formats()[0]));
        for query in ["", "purpose=", "purpose=ab", &format!("purpose={}", "a".repeat(501))] {
            let answer = out.investigator.get(&out.path(&file, &format!("{query}{}", needs(kind)))).await;
            assert!(answer.problem(422).contains("purpose"), "{file}?{query}");
            assert!((1..=5).all(|number| !answer.text.contains(&out.hex(number))));
        }
    }
    assert_eq!(looks().await, (0, 0, 0));
    for (count, &kind) in (1..).zip(Kind::value_variants()) {
        let file = format!("{}.{}", name(kind), name(kind.formats()[0]));
        assert_eq!(out.get(&file, needs(kind)).await.status, 200, "{file}");
        assert_eq!(looks().await, (count, count, count), "{file}");
    }
    let of_file =
        "select count(*) from audit_entries where action = 'report.made' and detail like '%trajectory.txt%'";
    assert_eq!(out.app.number(of_file).await, 1);
    let seen = out.app.person(3).await.get("/v1/me/looks").await.expect(200);
    assert_eq!(seen.as_array().unwrap().len(), Kind::value_variants().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_jurisdiction_another_state_and_other_words_are_refused() {
    let out = outbreak().await;
    let elsewhere = out.app.staff(Role::Investigator, "420000").await;
    let answer = elsewhere.get(&out.path("contacts.csv", "purpose=review")).await;
    answer.problem(403);
    assert_eq!(out.app.number("select count(*) from audit_entries where action = 'access.refused'").await, 1);
    let officer = out.app.staff(Role::ReleasingOfficer, "410100").await;
    assert_eq!(officer.get(&out.path("trajectory.txt", "purpose=review&number=7")).await.status, 200);
    for role in [Role::Inspector, Role::VenueManager, Role::Auditor, Role::Administrator] {
        out.app.staff(role, "410000").await.get(&out.path("venues.csv", "purpose=review")).await.problem(403);
    }
    for (file, more, status) in [
        ("people.csv", "", 404),
        ("contacts", "", 404),
        ("contacts.dot", "", 422),
        ("contacts.csv", "&limit=5", 422),
        ("contacts.csv", "&number=7", 422),
        ("triage.csv", "&limit=0", 422),
        ("triage.csv", "&limit=10001", 422),
        ("letters.csv", "&division=4101", 422),
        ("sormas-contacts.csv", "&disease=corona", 422),
        ("contacts.csv", "&page=2", 422),
    ] {
        out.get(file, more).await.problem(status);
    }
    let queued = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查" });
    let run = out.investigator.post(&format!("/v1/cases/{}/runs", out.case), &queued).await.expect(202);
    let path = format!("/v1/runs/{}/reports/contacts.csv?purpose=review", run["id"].as_str().unwrap());
    out.investigator.get(&path).await.problem(409);
    let withdrawal = json!({ "reason": "实验室误报" });
    out.investigator.post(&format!("/v1/cases/{}/withdrawal", out.case), &withdrawal).await.expect(202);
    out.app.settle().await;
    out.get("contacts.csv", "").await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_many_pages_is_whole_and_in_order() {
    let out = outbreak().await;
    let many = format!(
        "insert into contacts (run_id, visitor, class, colour, together_secs, meetings, first_at, last_at)
         select '{}', gen_random_uuid(), n % 5, 1, n, 1, '2026-03-15T06:00Z', '2026-03-15T07:00Z' from generate_series(1, 9000) n",
        out.run
    );
    out.app.tamper(&many).await;
    let rows = out.rows("contacts.csv").await;
    assert_eq!(rows.len(), 9_004);
    let classes = ["close", "secondary", "same_vehicle", "exposed_place", "companion", "residual"];
    let place = |row: &BTreeMap<String, String>| {
        (classes.iter().position(|class| *class == row["class"]).unwrap(), row["visitor"].clone())
    };
    assert!(rows.iter().map(place).collect::<Vec<_>>().is_sorted());
    assert!(rows.iter().enumerate().all(|(at, row)| row["contact_no"] == (at + 1).to_string()));
    let list = out.rows("epicontacts-linelist.csv").await;
    assert_eq!(
        list.len(),
        2 + 9_004 - 2,
        "two cases, and contacts but for the case among them and the left out"
    );
    let triage = out.rows("triage.csv").await;
    assert_eq!(
        (triage.len(), &triage[0]["visitor"]),
        (1_000, &out.hex(3)),
        "who met nobody that is known does not come first"
    );
}
