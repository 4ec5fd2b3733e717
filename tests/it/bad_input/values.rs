//! Values that have the right form and cannot be.

use chrono::TimeDelta;
use placecode::http::routes::API;
use reqwest::Method;
use serde_json::{Value, json};

use super::{House, check, house};
use crate::support::people::{new_case, new_venue};

/// A route, a body that it must refuse, and what the refusal must speak of.
type Wrong = (&'static str, Value, &'static str);

/// A good body with one thing changed.
fn but(good: &Value, field: &str, value: Value) -> Value {
    let mut changed = good.clone();
    changed[field] = value;
    changed
}

/// Venues, points and reviews.
fn venues() -> Vec<Wrong> {
    let venue = new_venue("茶馆", "teahouse");
    vec![
        ("/v1/venues", but(&venue, "name", json!("")), "name"),
        ("/v1/venues", but(&venue, "name", json!("a\u{7}b")), "control"),
        ("/v1/venues", but(&venue, "name", json!("长".repeat(201))), "200"),
        ("/v1/venues", but(&venue, "organisation", json!(" ")), "organisation"),
        ("/v1/venues", but(&venue, "category", json!("casino")), "category"),
        ("/v1/venues", but(&venue, "division", json!("4101")), "division"),
        ("/v1/venues", but(&venue, "division", json!("010000")), "division"),
        ("/v1/venues", but(&venue, "division", json!("990101")), "34 provinces"),
        ("/v1/venues", but(&venue, "division", json!("100000")), "division"),
        ("/v1/venues", but(&venue, "lat_deg", json!(90.1)), "position"),
        ("/v1/venues", but(&venue, "lng_deg", json!(-181)), "position"),
        ("/v1/venues", but(&venue, "capacity", json!(0)), "capacity"),
        ("/v1/venues", but(&venue, "capacity", json!(3_000_000_000_i64)), "invalid value"),
        ("/v1/venues", but(&venue, "credit_code", json!("91410100MA45Y1234X")), "credit_code"),
        ("/v1/venues", but(&venue, "contact_phone", json!("call me")), "contact_phone"),
        ("/v1/venues", but(&venue, "points", json!(vec![json!({ "name": "门" }); 201])), "200"),
        ("/v1/venues", but(&venue, "points", json!([{ "name": "门", "granularity": "sofa" }])), "sofa"),
        ("/v1/venues/{id}/points", json!({ "name": "" }), "points.name"),
        (
            "/v1/venues/{id}/points",
            json!({ "name": "门", "lat_deg": 34.8, "lng_deg": 113.7 }),
            "points.position",
        ),
        ("/v1/venues/{id}/invitations", json!({ "role": "administrator" }), "role"),
        ("PUT /v1/venues/{id}", but(&venue, "points", json!([{ "name": "门" }])), "points"),
        ("PUT /v1/venues/{id}", but(&venue, "lat_deg", json!(34.75)), "position"),
        ("PUT /v1/venues/{id}", but(&venue, "division", json!("410104")), "division"),
        ("/v1/venues/{id}/review", json!({ "state": "approved", "reason": "" }), "reason"),
        ("/v1/venues/{id}/review", json!({ "state": "open", "reason": "x" }), "open"),
    ]
}

/// What a register of a city asks beyond that.
fn places() -> Vec<Wrong> {
    let venue = new_venue("茶馆", "teahouse");
    let with = |field: &str, value: Value| ("/v1/venues", but(&venue, field, value));
    let ring = json!([[113.6, 34.7], [113.9, 34.7], [113.9, 34.8], [113.6, 34.8], [113.6, 34.7]]);
    let bow = json!([[113.6, 34.7], [113.63, 34.8], [113.63, 34.7], [113.6, 34.8], [113.6, 34.7]]);
    let polygon = |ring: Value| json!({ "type": "Polygon", "coordinates": [ring] });
    let stop = |number: i64| json!({ "number": number, "name": "站", "lat_deg": 34.7, "lng_deg": 113.6 });
    let point = |lat: f64| json!([{ "name": "门", "lat_deg": lat, "lng_deg": 113.6253 }]);
    let mobile = json!([{ "name": "车", "lat_deg": 34.7466, "lng_deg": 113.6253, "mobile": true }]);
    let small = json!({ "type": "Polygon", "coordinates":
        [[[113.60, 34.70], [113.61, 34.70], [113.61, 34.71], [113.60, 34.70]]] });
    [
        (with("kind", json!("company")), "credit_code"),
        (with("kind", json!("monarchy")), "monarchy"),
        (with("short_name", json!("茶")), "short_name"),
        (with("short_name", json!("一二三四五六七八九")), "short_name"),
        (with("street", json!("长".repeat(101))), "street"),
        (with("superior", json!("长".repeat(201))), "superior"),
        (with("contact_name", json!("长".repeat(101))), "contact_name"),
        (with("address", json!("")), "address"),
        (with("lat_deg", Value::Null), "position"),
        (with("outline", json!("here")), "outline"),
        (with("outline", json!({ "type": "Point", "coordinates": [113.6, 34.7] })), "outline"),
        (with("outline", polygon(bow)), "outline"),
        (with("outline", polygon(ring)), "outline: is larger"),
        (with("outline", small), "position: lies outside"),
        (with("stops", json!((1..=201).map(stop).collect::<Vec<_>>())), "stops"),
        (with("stops", json!([stop(1), stop(1)])), "stops.number"),
        (with("stops", json!([stop(0)])), "stops.number"),
        (with("stops", json!([but(&stop(1), "lat_deg", json!(91))])), "stops.position"),
        (with("stops", json!([but(&stop(1), "name", json!(""))])), "stops.name"),
        (with("points", point(34.7866)), "points.position: lies 4"),
        (with("points", mobile), "points.position"),
        (with("points", json!([{ "name": "门", "lat_deg": 34.7466 }])), "points.position"),
    ]
    .map(|((route, body), about)| (route, body, about))
    .to_vec()
}

/// What somebody without an account may send.
fn applicants() -> Vec<Wrong> {
    let good = json!({ "login": "zhang", "password": "a long password", "display_name": "张", "division": "410105" });
    [
        ("login", json!("Zhang San"), "login"),
        ("password", json!("too short"), "password"),
        ("password", json!("a".repeat(257)), "password"),
        ("display_name", json!(" "), "display_name"),
        ("division", json!("990000"), "division"),
        ("roles", json!(["inspector"]), "roles"),
    ]
    .map(|(field, value, about)| ("/v1/applicants", but(&good, field, value), about))
    .to_vec()
}

/// Cases, trails, runs and exclusions.
fn cases(house: &House) -> Vec<Wrong> {
    let now = house.app.now();
    let hour = |hours: i64| json!(now + TimeDelta::hours(hours));
    let case = new_case(&house.app.visitor(3).to_hex(), now);
    let stay = json!({ "code": house.teahouse.code, "from": hour(-3), "until": hour(-2), "source": "camera", "reason": "监控" });
    let exclusion = json!({ "visitor": "0".repeat(31), "reason": "隔壁包间" });
    let met = json!({ "visitor": house.app.visitor(2).to_hex(), "reason": "隔壁包间" });
    let place = json!({ "venue": house.teahouse.venue, "to": "close", "authority": "省卫健委", "reason": "影响严重" });
    let (trail, runs) = ("/v1/cases/{id}/trail", "/v1/cases/{id}/runs");
    vec![
        ("/v1/cases", but(&case, "visitor", json!("A".repeat(32))), "visitor"),
        ("/v1/cases", but(&case, "visitor", json!(house.app.visitor(3).to_uuid())), "visitor"),
        ("/v1/cases", but(&case, "kind", json!("rumour")), "rumour"),
        ("/v1/cases", but(&case, "kind", json!("asymptomatic")), "onset_at"),
        ("/v1/cases", but(&case, "onset_at", Value::Null), "onset_at"),
        ("/v1/cases", but(&case, "sampled_at", hour(1)), "future"),
        ("/v1/cases", but(&case, "sampled_at", json!("yesterday")), "body"),
        ("/v1/cases", but(&case, "onset_at", hour(-24 * 61)), "60 days"),
        (
            "/v1/cases",
            but(
                &but(&case, "onset_at", json!("-200000-01-01T00:00:00Z")),
                "isolated_at",
                json!("-200000-01-02T00:00:00Z"),
            ),
            "2000",
        ),
        ("/v1/cases", but(&case, "authority", json!("")), "authority"),
        ("/v1/cases", but(&case, "division", json!("x")), "division"),
        (trail, but(&stay, "until", stay["from"].clone()), "until"),
        (trail, but(&stay, "until", hour(1)), "until"),
        (trail, but(&stay, "from", hour(-60)), "48 hours"),
        (
            trail,
            but(
                &but(&stay, "from", json!("-262000-01-01T00:00:00Z")),
                "until",
                json!("-262000-01-01T01:00:00Z"),
            ),
            "2000",
        ),
        (trail, but(&stay, "source", json!("scan")), "source"),
        (trail, but(&stay, "reason", json!("a")), "reason"),
        (trail, but(&stay, "code", json!("0000")), "code"),
        ("/v1/cases/{id}/withdrawal", json!({ "reason": "no" }), "reason"),
        (runs, json!({ "rule_pack": "baseline", "purpose": "流调调查" }), "rule_pack"),
        (runs, json!({ "rule_pack": "baseline@99", "purpose": "流调调查" }), "rule_pack"),
        (runs, json!({ "rule_pack": "baseline@99999999999", "purpose": "流调调查" }), "rule_pack"),
        (runs, json!({ "rule_pack": "baseline@1", "purpose": "x" }), "purpose"),
        ("/v1/runs/{id}/exclusions", exclusion.clone(), "visitor"),
        ("/v1/runs/{id}/inclusions", exclusion, "visitor"),
        ("/v1/runs/{id}/inclusions", but(&met, "reason", json!("a")), "reason"),
        ("/v1/runs/{id}/reviews", but(&met, "to", json!("red")), "to: must be one of"),
        ("/v1/runs/{id}/reviews", but(&but(&met, "to", json!("close")), "reason", json!("a")), "reason"),
        ("/v1/runs/{id}/escalations", but(&place, "to", json!("companion")), "to: must be one of"),
        ("/v1/runs/{id}/escalations", but(&place, "point", json!(7)), "either"),
        ("/v1/runs/{id}/escalations", but(&place, "venue", json!("x")), "body"),
        ("/v1/runs/{id}/escalations", but(&place, "authority", json!("")), "authority"),
        ("/v1/runs/{id}/escalations", but(&place, "reason", json!("a")), "reason"),
    ]
}

/// What only an administrator sends.
fn administration(house: &House) -> Vec<Wrong> {
    let staff = json!({ "login": "li.wei", "display_name": "李", "password": "a long password", "roles": ["auditor"], "division": "410000" });
    let machine = json!({ "name": "闸机", "roles": ["scan_source"], "division": "410000", "days": 7 });
    let channel =
        json!({ "name": "健康码", "public_key": "00".repeat(32), "page_url": "https://code.example.cn/" });
    let issuer = json!({ "name": "健康码", "url": "https://code.example.cn/", "division": "410000" });
    let device = json!({ "name": "哨兵", "code": house.teahouse.code, "public_key": "zz" });
    vec![
        ("/v1/staff", but(&staff, "login", json!("Li Wei")), "login"),
        ("/v1/staff", but(&staff, "password", json!("short")), "password"),
        ("/v1/staff", but(&staff, "password", json!("a".repeat(257))), "password"),
        ("/v1/staff", but(&staff, "roles", json!([])), "roles"),
        ("/v1/staff", but(&staff, "roles", json!(["emperor"])), "emperor"),
        ("/v1/staff", but(&staff, "division", json!("")), "division"),
        ("/v1/machines", but(&machine, "days", json!(0)), "days"),
        ("/v1/machines", but(&machine, "days", json!(401)), "days"),
        ("/v1/machines", but(&machine, "name", json!("")), "name"),
        ("/v1/devices", device, "public_key"),
        ("PUT /v1/channels/{id}", but(&channel, "public_key", json!("ff".repeat(31))), "public_key"),
        ("PUT /v1/channels/{id}", but(&channel, "page_url", json!("javascript:alert(1)")), "page_url"),
        ("PUT /v1/channels/{id}", but(&channel, "page_url", json!("not an address")), "body"),
        ("PUT /v1/issuers/{id}", but(&issuer, "url", json!("ftp://code.example.cn/")), "url"),
        ("PUT /v1/issuers/{id}", but(&issuer, "division", json!("0")), "division"),
        ("/v1/rule-packs", json!({ "text": "id = 5" }), "text"),
        (
            "/v1/rule-packs",
            json!({ "text": include_str!("../../../policies/baseline-1.toml").replace("version = 1", "version = 0") }),
            "version",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn values_out_of_range_are_named() {
    let house = house().await;
    house.app.settle().await;
    let before = house.rows().await;
    for (route, body, about) in
        [venues(), places(), applicants(), cases(&house), administration(&house)].concat()
    {
        let (method, path) = route.split_once(' ').unwrap_or(("POST", route));
        let (_, _, access) = API.iter().find(|known| known.0.as_str() == method && known.1 == path).unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let client = house.caller(*access).await;
        let answer = client.send(method, &house.address(path), Some(body.to_string()), &[]).await;
        check(&answer, 422, about, &format!("{route} {body}"));
    }
    house.app.settle().await;
    assert_eq!(house.rows().await, before);
}
