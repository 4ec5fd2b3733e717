//! What client apps and staff take out of the register: the category catalogue, and venues as files.

use std::process::Command;

use placecode::domain::access::Role;
use placecode::domain::catalogue::Catalogue;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::people::new_venue;

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_read_the_category_catalogue() {
    let app = TestApp::start().await;
    let answer = app.client(None).get("/v1/categories").await;
    let told = answer.expect(200);
    assert_eq!(told, json!(Catalogue::shipped().unwrap().listing()));
    assert_eq!(answer.headers["cache-control"], "public, max-age=3600");
    let all = told["categories"].as_array().unwrap();
    let restaurant = all.iter().find(|category| category["word"] == "restaurant").unwrap();
    assert_eq!((&restaurant["zh"], &restaurant["duty"]), (&json!("餐饮店"), &json!("code_or_sentinel")));
    assert!(told["sources"].as_array().unwrap().iter().any(|source| source["key"] == "design"));
}

#[test]
fn the_command_line_prints_the_catalogue_in_three_forms() {
    let print = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
        let output = command.args(["categories", "--format", format]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let catalogue = Catalogue::shipped().unwrap();
    let count = catalogue.iter().count();
    let table = print("table");
    assert_eq!(table.lines().count(), count + 1);
    let bus = table.lines().find(|line| line.starts_with("bus ")).unwrap();
    assert!(bus.contains("vehicle") && bus.contains("yes") && bus.ends_with("公交车"), "{bus}");
    let csv = print("csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), count);
    let bar = rows.iter().find(|row| &row[0] == "bar").unwrap();
    let of = |name: &str| &bar[header.iter().position(|own| own == name).unwrap()];
    assert_eq!([of("closes"), of("duty"), of("stay_sources")], ["05:00", "code_or_sentinel", "design"]);
    assert_eq!(serde_json::from_str::<Value>(&print("json")).unwrap(), json!(catalogue.listing()));
}

/// The ids in the second column of an export.
fn names(text: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    assert_eq!(&reader.headers().unwrap()[1], "name");
    reader.records().map(|row| row.unwrap()[1].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_export_what_they_may_see_and_it_is_written_down() {
    let app = TestApp::start().await;
    app.venue("老茶馆", "teahouse").await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let mut far = new_venue("书店", "shop");
    far["division"] = json!("410202");
    manager.post("/v1/venues", &far).await.expect(201);
    let inspector = app.staff(Role::Inspector, "410000").await;
    let city = app.staff(Role::Investigator, "410100").await;
    let elsewhere = app.staff(Role::Inspector, "420000").await;

    let answer = inspector.get("/v1/venues.csv").await;
    assert_eq!((answer.status, names(&answer.text)), (200, vec!["老茶馆".to_owned(), "书店".to_owned()]));
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"venues.csv\"");
    let of = async |client: &crate::support::client::Client, query: &str| {
        let answer = client.get(&format!("/v1/venues.csv{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        names(&answer.text)
    };
    assert_eq!(of(&city, "").await, ["老茶馆"]);
    assert_eq!(of(&manager, "").await, ["书店"]);
    assert_eq!(of(&manager, "?division=410100").await, [""; 0]);
    assert_eq!(of(&inspector, "?state=submitted&division=410200").await, ["书店"]);
    assert_eq!(of(&inspector, "?set=gowalla").await, [""; 0]);
    assert_eq!(of(&elsewhere, "").await, [""; 0]);
    let map = inspector.get("/v1/venues.geojson?state=approved").await;
    assert_eq!(map.headers["content-type"], "application/geo+json");
    let features = &map.expect(200)["features"];
    assert_eq!(features[0]["geometry"]["coordinates"], json!([113.6253, 34.7466]));
    assert_eq!(
        (features[0]["properties"]["state"].as_str(), features.as_array().unwrap().len()),
        (Some("approved"), 1)
    );
    let exported = "select count(*) from audit_entries where action = 'register.exported'";
    assert_eq!(app.number(exported).await, 8);

    elsewhere.get("/v1/venues.csv?division=410100").await.problem(403);
    city.get("/v1/venues.geojson?division=410000").await.problem(403);
    assert_eq!(app.number("select count(*) from audit_entries where action = 'access.refused'").await, 2);
    for wrong in ["?division=4101", "?state=open", "?set=%25", "?page=2"] {
        inspector.get(&format!("/v1/venues.csv{wrong}")).await.problem(422);
    }
    assert_eq!(app.number(exported).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_many_pages_is_whole_and_names_no_visitor() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 0).await;
    app.settle().await;
    let more = "insert into venues (id, organisation_id, name, category, division, address, lat_deg, lng_deg, cell, state, created_at)
        select gen_random_uuid(), organisation_id, 'v' || n, category, division, address, lat_deg, lng_deg, cell, 1, created_at
        from venues, generate_series(1, 450) n where name = '老茶馆'";
    assert_eq!(app.sql(more).await, Ok(450));
    let inspector = app.staff(Role::Inspector, "410000").await;
    let table = inspector.get("/v1/venues.csv").await;
    let mut found = names(&table.text);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 451);
    let map = inspector.get("/v1/venues.geojson").await;
    assert_eq!(map.expect(200)["features"].as_array().unwrap().len(), 451);
    let visitor = app.visitor(1).to_hex();
    assert!(!table.text.contains(&visitor) && !map.text.contains(&visitor));
}
