//! Trials: what is wrong is told by its path, and what is right is computed.

use super::*;
use serde_json::{Value, json};

fn baseline() -> RulePack {
    RulePack::parse(include_str!("../../../policies/baseline-1.toml")).unwrap()
}

fn trial() -> Value {
    json!({
        "now": "2026-03-16T12:00:00Z",
        "case": { "kind": "confirmed", "onset_at": "2026-03-16T00:00:00Z", "sampled_at": "2026-03-16T06:00:00Z" },
        "places": [{ "id": "tea", "granularity": "room" }],
        "trail": [{ "place": "tea", "from": "2026-03-16T08:00:00Z", "until": "2026-03-16T10:00:00Z" }],
        "stays": [
            { "who": "a", "place": "tea", "from": "2026-03-16T08:30:00Z", "until": "2026-03-16T10:30:00Z" },
            { "who": "b", "place": "tea", "from": "2026-03-16T10:00:00Z" },
            { "who": "case", "place": "tea", "from": "2026-03-16T08:00:00Z" },
        ],
    })
}

fn tried(value: Value) -> Result<TrialAnswer, InvalidTrial> {
    Trial::read(value)?.run(&baseline())
}

#[test]
fn a_trial_tells_who_was_exposed_by_the_labels_that_it_was_given() {
    let answer = serde_json::to_value(tried(trial()).unwrap()).unwrap();
    assert_eq!(
        answer["infectious"],
        json!({ "from": "2026-03-14T00:00:00Z", "until": "2026-03-16T12:00:00Z" })
    );
    let contacts = answer["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 1);
    let contact = &contacts[0];
    assert_eq!(
        (&contact["who"], &contact["class"], &contact["together_secs"]),
        (&json!("a"), &json!("close"), &json!(5400))
    );
    assert_eq!(
        contact["evidence"],
        json!([{
            "place": "tea", "relation": "same_point", "with": "case",
            "from": "2026-03-16T08:30:00Z", "until": "2026-03-16T10:00:00Z",
        }])
    );
}

#[test]
fn what_is_wrong_is_told_by_its_path() {
    let wrong = [
        ("/now", json!("yesterday"), "now"),
        ("/local_offset", json!("east"), "local_offset"),
        ("/case/kind", json!("ill"), "case.kind"),
        ("/case/onset_at", Value::Null, "case"),
        ("/case/colour", json!("red"), "case.colour"),
        ("/places/0/id", json!(""), "places[0].id"),
        ("/places/0/granularity", json!("town"), "places[0].granularity"),
        ("/places/0/lat_deg", json!(34.7), "places[0].lat_deg"),
        ("/places/0/cell", json!("8f2830828052d25"), "places[0].cell"),
        ("/places/0/row", json!(-1), "places[0].row"),
        ("/trail/0/place", json!("elsewhere"), "trail[0].place"),
        ("/trail/0/venue", json!("tea"), "trail[0]"),
        ("/trail/0/until", json!("2026-03-16T07:59:59Z"), "trail[0].until"),
        ("/stays/1/until", json!("2026-03-16T09:00:00Z"), "stays[1].until"),
        ("/stays/1/presence", json!("sure"), "stays[1].presence"),
        ("/stays/2", json!(7), "stays[2]"),
        ("/visitors", json!([]), "visitors"),
    ];
    for (pointer, value, path) in wrong {
        let mut trial = trial();
        if let Some(field) = trial.pointer_mut(pointer) {
            *field = value;
        } else {
            let (object, name) = pointer.rsplit_once('/').unwrap();
            trial.pointer_mut(object).unwrap()[name] = value;
        }
        assert_eq!(tried(trial).unwrap_err().path, path, "{pointer}");
    }
    let mut twice = trial();
    twice["places"] = json!([{ "id": "tea" }, { "id": "tea" }]);
    assert_eq!(tried(twice).unwrap_err().path, "places[1].id");
    let mut many = trial();
    many["stays"] = Value::Array(vec![trial()["stays"][0].clone(); STAYS_MAX + 1]);
    assert_eq!(tried(many).unwrap_err().path, "stays");
}

#[test]
fn a_place_of_which_nothing_is_known_is_near_no_other() {
    let place = |n: usize| json!({ "id": format!("p{n}") });
    let mut wide = trial();
    wide["places"] = Value::Array((0..PLACES_MAX).map(place).collect());
    wide["trail"][0]["place"] = json!("p0");
    wide["stays"] = json!([]);
    let wide = Trial::read(wide).unwrap();
    let ground = Ground::of(&wide.places).unwrap();
    let mut seen: Vec<_> =
        ground.by_id.values().map(|spot| super::super::exposure::grid_cell(spot.cell)).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), PLACES_MAX);
}
