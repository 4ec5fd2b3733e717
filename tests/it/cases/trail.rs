//! The investigator's word on a trail: kept beside what the scans say, and never overwritten by it.

use placecode::domain::access::Role;
use serde_json::{Value, json};

use super::{Story, story};

fn word(from: Option<Value>, until: Option<Value>) -> Value {
    let mut word = json!({ "source": "camera", "reason": "监控显示提前离开" });
    if let Some(from) = from {
        word["from"] = from;
    }
    if let Some(until) = until {
        word["until"] = until;
    }
    word
}

async fn contacts(story: &Story) -> Value {
    story.run().await["summary"]["contacts"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_holds_whatever_the_scans_say_later() {
    let story = story().await;
    assert_eq!(contacts(&story).await, 3);
    let scanned = story.stay("老茶馆").await;
    assert_eq!((&scanned["from"], &scanned["until"]), (&scanned["scanned_from"], &scanned["scanned_until"]));
    assert!(scanned["confirmed_at"].is_null());

    let confirmed = story.edit(&scanned, word(None, None)).await.expect(200);
    assert!(confirmed["confirmed_at"].is_string() && confirmed["edited_at"].is_null(), "{confirmed}");
    // A camera saw the person leave before person 3 came.
    let cut = story.edit(&scanned, word(None, Some(story.ago(170)))).await.expect(200);
    assert_eq!(cut["scanned_until"], scanned["until"]);
    assert!(cut["edited_at"].is_string());
    assert_eq!(contacts(&story).await, 2);
    assert_eq!(story.stay("老茶馆").await["until"], cut["until"], "the run has pulled the trail again");

    // An exit that comes late changes what the scans say, and not the word.
    let mut exit = json!({ "id": uuid::Uuid::now_v7(), "code": story.teahouse.code, "direction": "exit" });
    exit["occurred_at"] = story.ago(110);
    story.app.person(1).await.post("/v1/scans", &exit).await.expect(201);
    story.app.settle().await;
    assert_eq!(contacts(&story).await, 2);
    let late = story.stay("老茶馆").await;
    assert_eq!((&late["until"], &late["scanned_until"]), (&cut["until"], &exit["occurred_at"]));

    let page = story.investigator.get(&story.path("/trail/changes?purpose=review")).await.expect(200);
    let acts: Vec<&Value> = page.as_array().unwrap().iter().map(|change| &change["act"]).collect();
    assert_eq!(acts, ["edited", "confirmed"]);
    let edit = &page[0];
    assert_eq!((&edit["seq"], &edit["stay"], &edit["source"]), (&json!(2), &scanned["id"], &json!("camera")));
    assert_eq!((&edit["was"]["until"], &edit["became"]["until"]), (&scanned["until"], &cut["until"]));
    assert!(edit["by"].as_str().unwrap().starts_with("investigator-"), "{edit}");
    let older =
        story.investigator.get(&story.path("/trail/changes?purpose=review&before=2")).await.expect(200);
    assert_eq!(older.as_array().unwrap().len(), 1);
    assert!(
        story.app.sql("update trail_changes set reason = 'none'").await.unwrap_err().contains("append-only")
    );
    assert!(story.app.sql("delete from trail_changes").await.unwrap_err().contains("append-only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_that_was_removed_stays_out_until_it_is_put_back() {
    let story = story().await;
    assert_eq!(contacts(&story).await, 3);
    let stay = story.stay("老茶馆").await;
    story.remove(&stay).await.expect(200);
    story.remove(&stay).await.problem(409);
    story.edit(&stay, word(None, None)).await.problem(409);
    assert_eq!(contacts(&story).await, 1);
    assert!(story.stay("老茶馆").await["removed_at"].is_string());
    let kept = story.investigator.get(&story.path("/trail?purpose=review")).await.expect(200);
    assert_eq!(kept.as_array().unwrap().len(), 1, "the trail that counts does not show it");

    // A scan that comes late lets the stay begin earlier, under another name; it is the same stay, and stays out.
    let mut entry = json!({ "id": uuid::Uuid::now_v7(), "code": story.teahouse.code });
    entry["occurred_at"] = story.ago(250);
    story.app.person(1).await.post("/v1/scans", &entry).await.expect(201);
    story.app.settle().await;
    assert_eq!(contacts(&story).await, 1);
    assert_eq!(story.trail().await.len(), 2);

    story.act(&stay, "return").await.expect(200);
    story.act(&stay, "return").await.problem(409);
    assert_eq!(contacts(&story).await, 3);
    let changes = story.investigator.get(&story.path("/trail/changes?purpose=review")).await.expect(200);
    assert_eq!(changes[0]["act"], "put_back");
    assert_eq!(
        (&changes[1]["was"]["removed"], &changes[1]["became"]["removed"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_taken_back_ends_its_stay_unless_somebody_confirmed_it() {
    let story = story().await;
    assert_eq!(contacts(&story).await, 3);
    let library = story.stay("图书馆").await;
    story.edit(&library, word(None, None)).await.expect(200);
    // As if both scans of the case had been a mistake.
    let stays = format!("delete from stays where visitor = '{}'", story.app.visitor(1).to_uuid());
    assert_eq!(story.app.sql(&stays).await, Ok(2));
    assert_eq!(contacts(&story).await, 1);
    assert!(story.stay("老茶馆").await["removed_at"].is_string());
    assert!(story.stay("图书馆").await["removed_at"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_stay_can_be_is_refused_and_changes_nothing() {
    let story = story().await;
    contacts(&story).await;
    let stay = story.stay("老茶馆").await;
    let wrong = [
        (word(None, Some(stay["from"].clone())), "until"),
        (word(None, Some(story.ago(300))), "until"),
        (word(None, Some(story.ago(-10))), "until"),
        (word(Some(story.ago(49 * 60 + 120)), Some(story.ago(120))), "until"),
        (json!({ "source": "scan", "reason": "扫码记录" }), "source"),
        (json!({ "reason": "监控核实" }), "body"),
        (json!({ "source": "camera", "reason": "x" }), "reason"),
        (json!({ "source": "ticket", "reason": "车票核实", "row": 3 }), "row"),
        (json!({ "source": "camera", "reason": "监控", "point": 3 }), "body"),
    ];
    for (change, field) in wrong {
        let said = story.edit(&stay, change.clone()).await.problem(422);
        assert!(said.starts_with(&format!("{field}: ")), "{change}: {said}");
    }
    let unknown = json!({ "id": uuid::Uuid::now_v7() });
    story.edit(&unknown, word(None, None)).await.problem(404);
    story.remove(&unknown).await.problem(404);
    assert_eq!(story.stay("老茶馆").await, stay);
    assert_eq!(story.app.number("select count(*) from trail_changes").await, 0);

    // The stay of one case is none of another's.
    let other = story.app.case(&story.investigator, 2).await;
    let path = format!("/v1/cases/{other}/trail/{}", stay["id"].as_str().unwrap());
    story.investigator.put(&path, &word(None, None)).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_investigators_of_the_jurisdiction_may_touch_a_trail_and_only_of_an_open_case() {
    let story = story().await;
    contacts(&story).await;
    let stay = story.stay("老茶馆").await;
    let id = stay["id"].as_str().unwrap();
    let ground = json!({ "source": "interview", "reason": "本人陈述" });
    let mut added = ground.clone();
    (added["code"], added["from"], added["until"]) =
        (json!(story.teahouse.code), story.ago(60), story.ago(30));
    let correction = json!({
        "kind": "asymptomatic", "sampled_at": story.ago(240), "authority": "疾控", "reason": "更正资料",
    });
    let elsewhere = story.app.staff(Role::Investigator, "420100").await;
    let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
    let machine = {
        let admin = story.app.staff(Role::Administrator, "100000").await;
        let new = json!({ "name": "接口", "roles": ["investigator"], "division": "410100", "days": 7 });
        let made = admin.post("/v1/machines", &new).await.expect(201);
        story.app.client(made["token"].as_str())
    };
    for who in [&elsewhere, &officer, &machine] {
        for answer in [
            who.post(&story.path("/trail"), &added).await,
            who.put(&story.path(&format!("/trail/{id}")), &word(None, Some(story.ago(200)))).await,
            who.post(&story.path(&format!("/trail/{id}/removal")), &ground).await,
            who.put(&story.path(""), &correction).await,
        ] {
            answer.problem(403);
        }
    }
    elsewhere.get(&story.path("/trail/changes?purpose=review")).await.problem(403);
    elsewhere.get(&story.path("/changes")).await.problem(403);
    assert!(
        story.investigator.get(&story.path("/trail/changes")).await.status >= 400,
        "no look without a purpose"
    );
    assert_eq!(story.stay("老茶馆").await, stay);
    assert_eq!(story.app.number("select count(*) from undoings").await, 0);

    let withdrawal = json!({ "reason": "实验室误报" });
    story.investigator.post(&story.path("/withdrawal"), &withdrawal).await.expect(202);
    story.investigator.post(&story.path("/trail"), &added).await.problem(409);
    story.edit(&stay, word(None, None)).await.problem(409);
    story.remove(&stay).await.problem(409);
    story.investigator.put(&story.path(""), &correction).await.problem(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_at_a_trail_and_its_history_is_written_down() {
    let story = story().await;
    contacts(&story).await;
    story.trail().await;
    story.investigator.get(&story.path("/trail/changes?purpose=review")).await.expect(200);
    assert_eq!(story.app.number("select count(*) from looks").await, 2);
    assert_eq!(story.app.number("select count(*) from audit_entries where action = 'persons.seen'").await, 2);
}
