//! Each way to say where a case was.

use h3o::Resolution;
use placecode::domain::access::Role;
use placecode::domain::position::Position;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Story, story};
use crate::support::people::new_venue;

/// A stay an hour long, at the place that these fields give.
fn told(story: &Story, place: &Value) -> Value {
    let mut stay = json!({ "source": "interview", "reason": "本人陈述" });
    (stay["from"], stay["until"]) = (story.ago(180), story.ago(120));
    for (name, value) in place.as_object().unwrap() {
        stay[name] = value.clone();
    }
    stay
}

/// A cell somewhere in Zhengzhou.
fn cell(resolution: Resolution) -> String {
    Position::new(34.70, 113.60).unwrap().cell(resolution).to_string()
}

/// A bus with a door and one row of its own.
async fn bus(story: &Story) -> Value {
    let inspector = story.app.staff(Role::Inspector, "410000").await;
    let mut bus = new_venue("1路公交车", "bus");
    bus["points"] = json!([{ "name": "前门" }, { "name": "第三排", "row": 3, "seat": "A" }]);
    inspector.post("/v1/venues", &bus).await.expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_taken_as_exactly_as_it_is_known() {
    let story = story().await;
    let bus = bus(&story).await;
    let point = |name: &str| {
        let points = bus["points"].as_array().unwrap();
        points.iter().find(|point| point["name"] == name).unwrap().clone()
    };
    assert_eq!((&point("第三排")["row"], &point("第三排")["seat"]), (&json!(3), &json!("A")));
    let cell8 = &cell(Resolution::Eight);
    let ways = [
        (json!({ "code": story.teahouse.code }), json!(story.teahouse.point), "老茶馆", Value::Null),
        (json!({ "point": story.library.point }), json!(story.library.point), "图书馆", Value::Null),
        (json!({ "venue": story.library.venue }), Value::Null, "图书馆", Value::Null),
        (json!({ "address": "花园路 9 号", "cell": cell8 }), Value::Null, "花园路 9 号", Value::Null),
        (
            json!({ "address": "花园路 10 号", "lat_deg": 34.7466, "lng_deg": 113.6253, "radius_m": 60 }),
            Value::Null,
            "花园路 10 号",
            Value::Null,
        ),
        (json!({ "venue": bus["id"], "row": 7, "seat": "C" }), Value::Null, "1路公交车", json!(7)),
        (
            json!({ "point": point("前门")["id"], "row": 2 }),
            point("前门")["id"].clone(),
            "1路公交车",
            json!(2),
        ),
        (json!({ "point": point("第三排")["id"] }), point("第三排")["id"].clone(), "1路公交车", json!(3)),
    ];
    for (place, point, venue, row) in &ways {
        let stay = story.investigator.post(&story.path("/trail"), &told(&story, place)).await.expect(201);
        assert_eq!((&stay["point_id"], &stay["venue"], &stay["row"]), (point, &json!(venue), row), "{stay}");
    }
    let trail = story.trail().await;
    assert_eq!(trail.len(), ways.len());
    let cell_of = |venue: &str| trail.iter().find(|stay| stay["venue"] == venue).unwrap()["cell"].clone();
    assert_eq!(cell_of("花园路 9 号"), *cell8);
    assert_eq!(
        &cell_of("花园路 10 号").as_str().unwrap()[..2],
        "8a",
        "60 metres are a cell of resolution 10"
    );
    // Each is kept as the first version of its stay, and written down.
    let changes = story.investigator.get(&story.path("/trail/changes?purpose=review")).await.expect(200);
    assert_eq!(changes.as_array().unwrap().len(), ways.len());
    assert!(
        changes.as_array().unwrap().iter().all(|change| change["act"] == "added" && change["was"].is_null())
    );
    let written = "select count(*) from audit_entries where action = 'trail.added'";
    assert_eq!(story.app.number(written).await, i64::try_from(ways.len()).unwrap());
    // A run reads them all, and what is not known grades nobody.
    let run = story.run().await;
    assert_eq!(run["state"], "computed", "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_of_which_only_the_venue_is_known_meets_by_venue_alone() {
    let story = story().await;
    let admin = story.app.staff(Role::Administrator, "410000").await;
    let pack = include_str!("../../../policies/baseline-1.toml")
        .replace("id = \"baseline\"", "id = \"wide\"")
        .replace("relations = [\"same_point\"]", "relations = [\"same_point\", \"same_venue\"]");
    admin.post("/v1/rule-packs", &json!({ "text": pack })).await.expect(201);
    // Somebody else's case, who told of the library and of an address near the teahouse.
    let case = story.app.case(&story.investigator, 9).await;
    let path = format!("/v1/cases/{case}/trail");
    let near = json!({ "address": "花园路 10 号", "lat_deg": 34.7466, "lng_deg": 113.6253, "radius_m": 60 });
    for place in [json!({ "venue": story.library.venue }), near] {
        let mut stay = told(&story, &place);
        (stay["from"], stay["until"]) = (story.ago(95), story.ago(30));
        story.investigator.post(&path, &stay).await.expect(201);
    }
    for (pack, contacts) in [("baseline@1", 0), ("wide@1", 2)] {
        let body = json!({ "rule_pack": pack, "purpose": "流行病学调查" });
        let run =
            story.investigator.post(&format!("/v1/cases/{case}/runs"), &body).await.expect(202)["id"].clone();
        story.app.settle().await;
        let run = story.investigator.get(&format!("/v1/runs/{}", run.as_str().unwrap())).await.expect(200);
        assert_eq!(run["summary"]["contacts"], contacts, "{pack}: {run}");
        if contacts > 0 {
            // The venue is taken for a hall, so nobody there is a close contact, however long.
            assert_eq!(run["summary"]["classes"], json!({ "exposed_place": 2 }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_place_or_no_time_is_refused_and_changes_nothing() {
    let story = story().await;
    let bus = bus(&story).await;
    let third =
        bus["points"].as_array().unwrap().iter().find(|point| point["row"] == 3).unwrap()["id"].clone();
    let code = &story.teahouse.code;
    let unknown = Uuid::now_v7();
    let wrong = [
        (json!({}), "place"),
        (json!({ "code": code, "venue": story.library.venue }), "place"),
        (json!({ "code": "2000E-PYD2M-3VZ8X-YCTFKA" }), "code"),
        (json!({ "point": 7 }), "point"),
        (json!({ "venue": unknown }), "venue"),
        (json!({ "address": "花园路" }), "cell"),
        (json!({ "address": "花园路", "cell": cell(Resolution::Fifteen) }), "cell"),
        (json!({ "address": "花园路", "cell": "here" }), "cell"),
        (json!({ "address": "花园路", "lat_deg": 34.7, "lng_deg": 113.6 }), "cell"),
        (json!({ "address": "花园路", "lat_deg": 34.7, "lng_deg": 113.6, "radius_m": 501 }), "radius_m"),
        (json!({ "address": "花园路", "lat_deg": 95, "lng_deg": 113.6, "radius_m": 50 }), "position"),
        (json!({ "address": " ", "cell": cell(Resolution::Eight) }), "address"),
        (json!({ "code": code, "cell": cell(Resolution::Eight) }), "cell"),
        (json!({ "code": code, "row": 3 }), "row"),
        (json!({ "venue": bus["id"], "row": 1000 }), "row"),
        (json!({ "venue": bus["id"], "seat": "A" }), "row"),
        (json!({ "venue": bus["id"], "row": 3, "seat": "ABCDEFGHI" }), "seat"),
        (json!({ "point": third, "row": 4 }), "row"),
        (json!({ "code": code, "until": story.ago(180) }), "until"),
        (json!({ "code": code, "until": story.ago(200) }), "until"),
        (json!({ "code": code, "until": story.ago(-1) }), "until"),
        (json!({ "code": code, "from": story.ago(180 + 49 * 60) , "until": story.ago(180) }), "until"),
        (json!({ "code": code, "from": "1999-12-31T00:00:00Z", "until": "1999-12-31T01:00:00Z" }), "from"),
        (json!({ "code": code, "from": null }), "body"),
        (json!({ "code": code, "source": "scan" }), "source"),
        (json!({ "code": code, "source": "rumour" }), "body"),
        (json!({ "code": code, "reason": " " }), "reason"),
        (json!({ "code": code, "colour": "red" }), "body"),
    ];
    for (place, field) in wrong {
        let said = story.investigator.post(&story.path("/trail"), &told(&story, &place)).await.problem(422);
        assert!(said.starts_with(&format!("{field}: ")), "{place}: {said}");
    }
    for table in ["trail_stays", "trail_changes"] {
        assert_eq!(story.app.number(&format!("select count(*) from {table}")).await, 0);
    }
    // A row is one of a vehicle at the register too.
    let inspector = story.app.staff(Role::Inspector, "410000").await;
    let points = format!("/v1/venues/{}/points", story.library.venue);
    assert!(
        inspector
            .post(&points, &json!({ "name": "第三排", "row": 3 }))
            .await
            .problem(422)
            .starts_with("row: ")
    );
    let points = format!("/v1/venues/{}/points", bus["id"].as_str().unwrap());
    let made = inspector.post(&points, &json!({ "name": "第四排", "row": 4, "seat": "B" })).await.expect(201);
    assert_eq!((&made["row"], &made["seat"]), (&json!(4), &json!("B")));
}
