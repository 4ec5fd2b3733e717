//! Where venues are: inside their division, as wide as they are, or moving along a line.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::domain::position::{PHONE_RESOLUTION, POINT_RESOLUTION, Position};
use serde_json::{Value, json};
use uuid::Uuid;

use super::code_of;
use crate::support::TestApp;
use crate::support::people::{Place, new_case, new_venue};

/// Enters a venue and has it approved.
async fn open(app: &TestApp, form: &Value) -> (Value, Place) {
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let made = manager.post("/v1/venues", form).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let approval = json!({ "state": "approved", "reason": "核实" });
    inspector.post(&format!("/v1/venues/{id}/review"), &approval).await.expect(200);
    let point = &made["points"][0];
    let place = Place { venue: id, point: point["id"].as_i64().unwrap(), code: code_of(point) };
    app.answering(&place).await;
    (made, place)
}

fn cell(lat: f64, lng: f64) -> String {
    Position::new(lat, lng).unwrap().cell(PHONE_RESOLUTION).to_string()
}

fn square(west: f64, south: f64, side: f64) -> Value {
    let (east, north) = (west + side, south + side);
    json!({ "type": "Polygon", "coordinates":
        [[[west, south], [east, south], [east, north], [west, north], [west, south]]] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_outside_its_division_is_refused_with_the_bounds() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let load = |code: &str, name: &str, south: f64, north: f64| {
        format!(
            "insert into divisions (code, name, south_deg, west_deg, north_deg, east_deg)
             values ('{code}', '{name}', {south}, 110, {north}, 117)"
        )
    };
    // Without bounds every place is taken.
    let venue = new_venue("茶馆", "teahouse");
    manager.post("/v1/venues", &venue).await.expect(201);
    app.sql(&load("410000", "河南省", 31.4, 36.4)).await.unwrap();
    manager.post("/v1/venues", &venue).await.expect(201);
    // The smaller division decides.
    app.sql(&load("410100", "郑州市", 35.0, 36.0)).await.unwrap();
    let refused = manager.post("/v1/venues", &venue).await.problem(422);
    for part in ["position", "郑州市", "410100", "35 to 36 degrees north", "110 to 117 east"] {
        assert!(refused.contains(part), "{refused}");
    }
    app.sql(&load("410105", "金水区", 34.7, 34.8)).await.unwrap();
    manager.post("/v1/venues", &venue).await.expect(201);
    assert_eq!(app.number("select count(*) from venues").await, 3);
    // A correction is measured as well, and the reviewer is told how far what stands there is outside.
    app.sql("update divisions set south_deg = 34.75 where code = '410105'").await.unwrap();
    let listed = manager.get("/v1/venues").await.expect(200);
    let path = format!("/v1/venues/{}", listed[0]["id"].as_str().unwrap());
    assert!(manager.put(&path, &venue).await.problem(422).starts_with("position"));
    let inspector = app.staff(Role::Inspector, "410000").await;
    let page = app.desk(&inspector).get("/inspect?lang=en").await;
    assert!(page.text.contains("Outside the bounds of 金水区, by 0.4 km"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_far_from_the_gate_but_inside_the_park_is_plausible() {
    let app = TestApp::start().await;
    let gate = (34.7401, 113.6201);
    let mut park = new_venue("人民公园", "park");
    (park["lat_deg"], park["lng_deg"]) = (json!(gate.0), json!(gate.1));
    let (_, door) = open(&app, &park).await;
    park["outline"] = square(113.62, 34.74, 0.01);
    let (made, wide) = open(&app, &park).await;
    assert_eq!(made["outline"]["type"], "MultiPolygon");
    let across = cell(34.7499, 113.6299);
    for (number, place, presence) in [(1, &door, "contradicted"), (2, &wide, "plausible")] {
        let receipt = app.scan_from(number, place, 5, Some(across.clone())).await;
        assert_eq!(receipt["presence"], presence, "{receipt}");
    }
    let elsewhere = app.scan_from(3, &wide, 5, Some(cell(34.80, 113.70))).await;
    assert_eq!(elsewhere["presence"], "contradicted");
    // Without a position of its own it is in the middle.
    park.as_object_mut().unwrap().retain(|field, _| !matches!(field.as_str(), "lat_deg" | "lng_deg"));
    let (made, _) = open(&app, &park).await;
    assert!((made["lat_deg"].as_f64().unwrap() - 34.745).abs() < 0.001, "{made}");
    // A gate of its own lies in the park, and its scans there.
    let manager = app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/venues/{}/points", wide.venue);
    let far_gate = json!({ "name": "北门", "lat_deg": 34.7499, "lng_deg": 113.6250 });
    let made = manager.post(&path, &far_gate).await.expect(201);
    assert_eq!((&made["lat_deg"], &made["mobile"]), (&json!(34.7499), &json!(false)));
    let own = Position::new(34.7499, 113.6250).unwrap().cell(POINT_RESOLUTION);
    let kept = format!("select cell as number from points where id = {}", made["id"]);
    assert_eq!(app.number(&kept).await, u64::from(own).cast_signed());
    let outside = json!({ "name": "南门", "lat_deg": 34.7399, "lng_deg": 113.6250 });
    assert!(manager.post(&path, &outside).await.problem(422).contains("outside the outline"));
}

/// A bus line whose garage lies far from its stops.
fn line() -> Value {
    let mut bus = new_venue("1路公交车", "bus");
    (bus["lat_deg"], bus["lng_deg"]) = (json!(34.80), json!(113.50));
    bus["stops"] = json!([
        { "number": 1, "name": "火车站", "lat_deg": 34.7466, "lng_deg": 113.6253 },
        { "number": 2, "name": "北站", "lat_deg": 34.7700, "lng_deg": 113.6600 },
    ]);
    bus["points"] = json!([{ "name": "豫A·00001" }]);
    bus
}

/// A scan on a vehicle that says at which stop.
async fn board(app: &TestApp, number: u32, place: &Place, minutes_ago: i64, stop: Option<i16>) {
    let body = json!({
        "id": Uuid::now_v7(), "code": place.code, "stop": stop,
        "occurred_at": app.now() - TimeDelta::minutes(minutes_ago),
    });
    app.person(number).await.post("/v1/scans", &body).await.expect(201);
}

/// Whom a run under rules for the neighbourhood finds around a case.
async fn neighbours(app: &TestApp, number: u32) -> Vec<Value> {
    let investigator = app.staff(Role::Investigator, "410100").await;
    let body = new_case(&app.visitor(number).to_hex(), app.now());
    let case = investigator.post("/v1/cases", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let body = json!({ "rule_pack": "near@1", "purpose": "流行病学调查" });
    let run = investigator.post(&format!("/v1/cases/{case}/runs"), &body).await.expect(202);
    app.settle().await;
    let run = run["id"].as_str().unwrap();
    let found = format!("select distinct visitor from exposures where run_id = '{run}' order by visitor");
    app.rows(&found).await.into_iter().map(|row| row["visitor"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_on_a_bus_is_at_its_stop_and_not_at_the_garage() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "410000").await;
    let text = include_str!("../../../policies/baseline-1.toml")
        .replace("id = \"baseline\"", "id = \"near\"")
        .replace("relations = [\"same_point\"]", "relations = [\"nearby_cell\"]");
    admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
    let (made, bus) = open(&app, &line()).await;
    assert_eq!((&made["points"][0]["mobile"], &made["stops"][1]["name"]), (&json!(true), &json!("北站")));
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let mut shop = new_venue("车场小店", "shop");
    (shop["lat_deg"], shop["lng_deg"]) = (json!(34.80), json!(113.50));
    let (_, garage_shop) = open(&app, &shop).await;

    // 1 is at the station, 5 beside the garage; 2 gets on at the station, 3 at the far stop, 4 says nowhere.
    app.scan_from(1, &teahouse, 180, None).await;
    app.scan_from(5, &garage_shop, 180, None).await;
    board(&app, 2, &bus, 179, Some(1)).await;
    board(&app, 3, &bus, 179, Some(2)).await;
    board(&app, 4, &bus, 179, None).await;
    let visitor = |number: u32| json!(app.visitor(number).to_uuid());
    assert_eq!(neighbours(&app, 1).await, [visitor(2)], "only who got on at the station met the case there");
    assert_eq!(neighbours(&app, 5).await, [visitor(4)], "without a stop the line's own cell counts");
    assert_eq!(neighbours(&app, 2).await, [visitor(1)], "and the case on the bus met the teahouse");

    let unknown = json!({ "code": bus.code, "stop": 9 });
    let refused = app.person(6).await.post("/v1/scans", &unknown).await.problem(422);
    assert!(refused.starts_with("stop"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_in_use_gets_further_stops_and_keeps_its_own() {
    let app = TestApp::start().await;
    let (made, bus) = open(&app, &line()).await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/venues/{}", made["id"].as_str().unwrap());
    let mut longer = line();
    longer["points"] = json!([]);
    let more = json!({ "number": 3, "name": "大学城", "lat_deg": 34.81, "lng_deg": 113.55 });
    longer["stops"].as_array_mut().unwrap().push(more);
    let changed = inspector.put(&path, &longer).await.expect(200);
    assert_eq!(changed["stops"].as_array().unwrap().len(), 3);
    let mut moved = longer.clone();
    moved["stops"][0]["lat_deg"] = json!(34.75);
    assert!(inspector.put(&path, &moved).await.problem(422).starts_with("stops"));
    moved["stops"].as_array_mut().unwrap().remove(0);
    assert!(inspector.put(&path, &moved).await.problem(422).starts_with("stops"));
    // The service hears of it.
    crate::support::until("the new stop is known", async || {
        let scan = json!({ "code": bus.code, "stop": 3 });
        app.person(1).await.post("/v1/scans", &scan).await.status == 201
    })
    .await;
}
