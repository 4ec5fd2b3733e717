//! Agreements are data: what they say holds at once, what they said is kept, and without one nobody is handed over.

use placecode::domain::access::Role;
use serde_json::json;

use super::bilateral::{hubei, released_only};
use super::stage::{FIELDS, Side, Story};
use super::wire::Wire;
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn without_an_agreement_or_a_name_the_division_of_the_exposure_decides() {
    // Their channel names them under a key that no agreement knows.
    let story = Story::begin("another-key").await;
    let unreachable = "http://127.0.0.1:9/v1/hand-overs";
    story.release().await;
    for (number, colour) in [(2, "red"), (3, "yellow"), (4, "red")] {
        assert_eq!(story.app.colour(number).await["colour"], colour);
    }
    story.withdraw().await;
    story.agree("henan-hubei", &story.agreed(unreachable, "bilateral", "420000")).await;
    let other = TestApp::start().await;
    assert_eq!(other.number("select count(*) from agreements").await, 0);
    assert_eq!(story.app.number("select count(*) from hand_overs").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_dropped_stops_at_once_and_so_does_all_when_it_ends() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    let wire = Wire::to(hubei.address);
    let mut agreed = story.agreed(&wire.url("/v1/hand-overs"), "bilateral", "420000");
    story.agree("henan-hubei", &agreed).await;
    let run = story.app.run(&story.investigator, &story.case).await["id"].as_str().unwrap().to_owned();
    released_only(&story, &run).await;

    // It was decided under the first version, and is sent under the second.
    let fewer: Vec<&str> =
        FIELDS.iter().copied().filter(|field| !matches!(*field, "place" | "slot")).collect();
    agreed["fields"] = json!(fewer);
    story.agree("henan-hubei", &agreed).await;
    story.app.settle().await;
    let sent = wire.carried();
    let told = sent.iter().find(|text| text.contains("\"same_point\"")).unwrap();
    assert!(!told.contains("老茶馆") && !told.contains("slot") && told.contains("minutes"), "{told}");
    hubei.meets(2).await;
    assert_eq!(hubei.shows(2).await["colour"], "yellow", "what is told is enough by itself");

    // A new case's people are not handed over once it has ended, whatever was decided before.
    let ends = story.app.now() + chrono::TimeDelta::minutes(5);
    agreed["valid_until"] = json!(ends);
    story.agree("henan-hubei", &agreed).await;
    let before = wire.carried().len();
    let waits = "update hand_overs set state = 0, attempts = 0, delivered_at = null, due_at = created_at";
    assert_eq!(story.app.sql(waits).await, Ok(2));
    story.app.pass(6);
    story.app.settle().await;
    let kept = story.hand_over(2).await;
    assert_eq!(
        (&kept["state"], &kept["last_error"]),
        (&json!("buried"), &json!("the agreement is not in force"))
    );
    assert_eq!(wire.carried().len(), before);
    // Renewed, and sent again.
    agreed["valid_until"] = json!(story.app.now() + chrono::TimeDelta::days(1));
    story.agree("henan-hubei", &agreed).await;
    let admin = story.app.staff(Role::Administrator, "100000").await;
    let again = admin.post("/v1/agreements/henan-hubei/again", &json!({})).await.expect(202);
    assert_eq!(again["count"], 2);
    story.app.settle().await;
    assert_eq!(story.hand_over(2).await["state"], "delivered");
    let versions = admin.get("/v1/agreements/henan-hubei").await.expect(200);
    assert_eq!((versions["versions"].as_array().unwrap().len(), &versions["in_force"]), (4, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_kept_by_the_database_and_written_down() {
    let story = Story::begin("henan-hubei").await;
    let admin = story.app.staff(Role::Administrator, "100000").await;
    admin.get("/v1/agreements/henan-hubei").await.problem(404);
    let good = story.agreed("https://hubei.example.cn/v1/hand-overs", "bilateral", "420000");
    for version in 1..=2 {
        let put = admin.put("/v1/agreements/henan-hubei", &good).await.expect(200);
        assert_eq!(put["versions"][0]["version"], version);
    }
    let written = "select count(*) from audit_entries where action = 'agreement.put'";
    assert_eq!(story.app.number(written).await, 2);
    for sql in [
        "update agreements set valid_until = valid_until + interval '1 day'",
        "delete from agreements",
        "truncate agreements cascade",
    ] {
        assert!(story.app.sql(sql).await.unwrap_err().contains("append-only"), "{sql}");
    }
    let coloured =
        "insert into agreements select id, 9, own_division, division, url, secret, public_key, route,
        fields || '{colour}', alias_key, valid_from, valid_until, legal_basis, entered_by, entered_at
        from agreements where version = 1";
    assert!(story.app.sql(coloured).await.unwrap_err().contains("agreements_fields_check"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_agreement_is_told_and_changes_nothing() {
    let story = Story::begin("henan-hubei").await;
    let admin = story.app.staff(Role::Administrator, "100000").await;
    let good = story.agreed("https://hubei.example.cn/v1/hand-overs", "bilateral", "420000");
    for (field, value) in [
        ("fields", json!(["relation", "colour"])),
        ("fields", json!(["class"])),
        ("division", json!("420")),
        ("division", json!("410000")),
        ("secret", json!("nobody")),
        ("url", json!("ftp://hubei.example.cn/")),
        ("route", json!("letter")),
        ("public_key", json!("whpk_AAAA")),
        ("alias_key", json!("A b")),
        ("valid_until", good["valid_from"].clone()),
        ("valid_until", json!("2036-01-01T00:00:00Z")),
        ("legal_basis", json!("")),
    ] {
        let mut bad = good.clone();
        bad[field] = value.clone();
        let detail = admin.put("/v1/agreements/henan-hubei", &bad).await.problem(422);
        assert!(detail.len() > 10, "{field} {value}: {detail}");
    }
    admin.put("/v1/agreements/Hubei", &good).await.problem(422);
    admin.post("/v1/agreements/%00/again", &json!({})).await.problem(404);
    let officer = story.app.staff(Role::ReleasingOfficer, "410000").await;
    officer.put("/v1/agreements/henan-hubei", &good).await.problem(403);
    assert_eq!(story.app.number("select count(*) from agreements").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_can_write_sql_cannot_hand_over_who_is_coloured_here_nor_bring_one_back() {
    let story = Story::begin("henan-hubei").await;
    let hubei = Side::start(&story.app, "second", &hubei());
    let url = format!("http://{}/v1/hand-overs", hubei.address);
    story.agree("henan-hubei", &story.agreed(&url, "bilateral", "420000")).await;
    story.release().await;
    let forged = "insert into hand_overs select gen_random_uuid(), (select id from assignments where state in (1, 2) limit 1),
        agreement_id, agreement_version, division, alias_key, alias, own_division, authority, legal_basis, infectious_kind,
        facts, 0, 0, due_at, null, created_at, null, null, null from hand_overs limit 1";
    assert!(story.app.sql(forged).await.unwrap_err().contains("must be withdrawn"));
    for change in [
        "alias = gen_random_uuid()",
        "facts = '[{\"minutes\": 900}]'",
        "infectious_kind = 2",
        "division = '430000'",
    ] {
        let sql = format!("update hand_overs set {change}");
        assert!(story.app.sql(&sql).await.unwrap_err().contains("does not change"), "{change}");
    }
    story.withdraw().await;
    let back = "update hand_overs set withdrawn_at = null";
    assert!(story.app.sql(back).await.unwrap_err().contains("stays so"));
}
