//! A switch of systems changes nobody's colour: in July 2022 people turned red again by one.

use std::collections::BTreeMap;

use placecode::domain::access::Role;
use placecode::domain::visitor::Visitor;
use placecode::domain::webhook::SigningKey;
use serde_json::{Value, json};

use crate::feed::gather;
use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::platforms::Platform;

/// Persons 2 to 4 met one case, persons 6 and 7 another that is taken back, and person 4 both; person 8 met nobody.
struct Story {
    app: TestApp,
    admin: Client,
}

const PEOPLE: [u32; 7] = [2, 3, 4, 5, 6, 7, 8];

async fn released(app: &TestApp, investigator: &Client, person: u32) -> String {
    let case = app.case(investigator, person).await;
    let run = app.run(investigator, &case).await["id"].as_str().unwrap().to_owned();
    app.release(investigator, &run).await;
    case
}

async fn story() -> Story {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let bookshop = app.venue("书店", "shop").await;
    gather(&app, &teahouse).await;
    for person in [5, 6, 7, 4] {
        app.scan(person, &bookshop, 60).await;
    }
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    released(&app, &investigator, 1).await;
    let mistaken = released(&app, &investigator, 5).await;
    let body = json!({ "reason": "检测为假阳性" });
    investigator.post(&format!("/v1/cases/{mistaken}/withdrawal"), &body).await.expect(202);
    app.settle().await;
    assert_eq!(app.number("select count(*) from assignments where state = 2").await, 3);
    assert!(app.number("select count(*) from assignments where state = 4").await >= 2);
    let admin = app.staff(Role::Administrator, "100000").await;
    Story { app, admin }
}

impl Story {
    async fn colours_before(&self) -> BTreeMap<u32, Value> {
        let mut shown = BTreeMap::new();
        for person in PEOPLE {
            shown.insert(person, self.app.colour(person).await["colour"].clone());
        }
        shown
    }

    async fn colours_after(&self, new: &Platform) -> BTreeMap<u32, Value> {
        let mut shown = BTreeMap::new();
        for person in PEOPLE {
            shown.insert(person, new.colour(self.app.visitor(person)).await["colour"].clone());
        }
        shown
    }

    async fn fill(&self) {
        self.admin.post("/v1/issuers/second/replay", &json!({})).await.expect(202);
        self.app.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_switch_of_systems_everybody_has_the_colour_of_before() {
    let story = story().await;
    let app = &story.app;
    let before = story.colours_before().await;
    assert_eq!(before.values().filter(|colour| **colour != "green").count(), 3, "{before:?}");
    let new = app.platform("second", "410000", &json!({})).await;
    app.settle().await;
    let green = story.colours_after(&new).await;
    assert!(green.values().all(|colour| *colour == "green"), "nobody tells it anything by itself: {green:?}");
    // A comparison does not fill it either: it says of how many it was never told.
    story.admin.post("/v1/issuers/second/reconciliations", &json!({})).await.expect(202);
    app.settle().await;
    let results = story.admin.get("/v1/issuers/second/reconciliations").await.expect(200);
    assert_eq!((&results[0]["untold"], &results[0]["drift"]), (&json!(3), &json!(0)), "{results}");

    story.fill().await;
    assert_eq!(story.colours_after(&new).await, before);
    let ids = "select string_agg(id::text, ',' order by id) as ids from assignments where ending = 0";
    assert_eq!(new.database.rows(ids).await, app.issuer_database().rows(ids).await, "under the same ids");
    let counts =
        "select class, colour, count(*) from assignments where ending = 0 group by 1, 2 order by 1, 2";
    assert_eq!(new.database.rows(counts).await, app.issuer_database().rows(counts).await);

    // Again: nothing new, and both sides agree.
    let letters = "select count(*) from letters where issuer_id = 'second'";
    let told = app.number(letters).await;
    story.fill().await;
    assert_eq!(app.number(letters).await, told);
    story.admin.post("/v1/issuers/second/reconciliations", &json!({})).await.expect(202);
    app.settle().await;
    let results = story.admin.get("/v1/issuers/second/reconciliations").await.expect(200);
    assert_eq!((&results[0]["untold"], &results[0]["buckets"]), (&json!(0), &json!(0)), "{results}");
    assert_eq!(results[0]["digest_ours"], results[0]["digest_theirs"]);
    let noted = "select count(*) from audit_entries where action = 'issuer.filled'";
    assert_eq!(app.number(noted).await, 2);
}

/// Every letter that the old system was ever sent, sent to the new one in the right form and with the right key.
async fn send_old_letters(app: &TestApp, new: &Platform) {
    let old = app
        .rows("select body, sequence from letters where issuer_id = 'health-code' order by position")
        .await;
    let letters: Vec<Value> = old
        .iter()
        .map(|row| {
            let mut letter = row["body"].clone();
            letter["sequence"] = json!(row["sequence"].as_i64().unwrap() + 1000);
            letter["id"] = json!(uuid::Uuid::now_v7());
            letter
        })
        .filter(|letter| letter["kind"] == "assigned")
        .collect();
    assert!(letters.len() >= 5);
    let body =
        json!({ "type": "placecode.letters.v1", "timestamp": app.now(), "letters": letters }).to_string();
    let (key, id, at): (SigningKey, _, _) = (new.key(), "msg_old", app.now().timestamp());
    let request = crate::support::client::http()
        .post(new.letters_url())
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", key.sign(id, at, body.as_bytes()))
        .body(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_does_not_come_back_by_a_switch_nor_by_old_letters() {
    let story = story().await;
    let app = &story.app;
    let before = story.colours_before().await;
    let new = app.platform("second", "410000", &json!({})).await;
    story.fill().await;
    assert_eq!(story.colours_after(&new).await, before);
    // Somebody plays everything that the old system was told into the new one, with numbers above all others.
    send_old_letters(app, &new).await;
    assert_eq!(story.colours_after(&new).await, before);
    story.admin.post("/v1/issuers/second/reconciliations", &json!({})).await.expect(202);
    app.settle().await;
    assert_eq!(story.colours_after(&new).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_system_is_told_of_its_own_division_only_and_not_while_letters_are_stopped() {
    let story = story().await;
    let app = &story.app;
    let elsewhere = app.platform("second", "420000", &json!({})).await;
    story.fill().await;
    assert_eq!(app.number("select count(*) from letters where issuer_id = 'second'").await, 0);
    assert_eq!(elsewhere.database.number("select count(*) from visitors").await, 0);
    assert_eq!(app.number("select count(*) from replays where done_at is not null").await, 1);

    let here = app.platform("third", "410100", &json!({})).await;
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.admin.post("/v1/issuers/third/replay", &json!({})).await.expect(202);
    story.admin.post("/v1/issuers/third/replay", &json!({})).await.problem(409);
    app.settle().await;
    assert_eq!(app.number("select count(*) from letters where issuer_id = 'third'").await, 0);
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    app.settle().await;
    assert_eq!(story.colours_after(&here).await, story.colours_before().await);
    story.admin.post("/v1/issuers/nobody/replay", &json!({})).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_alone_come_to_the_colours_that_are_shown() {
    use placecode::domain::life::{Colours, standing};
    use placecode::domain::rule_pack::Colour;
    use placecode::store::histories::{Wanted, page};
    let story = story().await;
    let app = &story.app;
    let mut conn = app.app.store.conn().await.unwrap();
    let wanted = Wanted { runs: Vec::new(), lasting_at: None };
    let lives = page(&mut conn, &wanted, uuid::Uuid::nil(), 1000).await.unwrap();
    let mut colours = Colours::default();
    for life in &lives {
        let told = standing(&life.events).unwrap();
        assert_eq!(told, life.row);
        colours.add(life.visitor, told.shown(app.now()));
    }
    let shown = app
        .issuer_database()
        .rows("select visitor, max(colour) as colour from assignments where ending = 0 group by visitor")
        .await;
    let mut theirs = Colours::default();
    for row in &shown {
        let visitor = Visitor::from_uuid(row["visitor"].as_str().unwrap().parse().unwrap());
        theirs.add(visitor, if row["colour"] == 2 { Some(Colour::Red) } else { Some(Colour::Yellow) });
    }
    assert_eq!(colours.digest(), theirs.digest());
    assert_eq!(shown.len(), 3);
}
