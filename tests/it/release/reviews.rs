//! What an investigator may say of contacts, and that equals stay equal.

use placecode::domain::access::Role;
use serde_json::json;

use super::{held, story};

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_kept_beside_what_was_computed() {
    let story = story(&[], &[(2, 170), (3, 90)]).await;
    let computed = json!({ "class": "exposed_place", "rule": null, "colour": "yellow" });
    assert_eq!(story.contact(3).await["computed"], computed);
    story.review(3, "close").await.expect(200);
    let moved = story.contact(3).await;
    assert_eq!((&moved["class"], &moved["colour"]), (&json!("close"), &json!("red")));
    assert_eq!(moved["computed"], computed);
    story.leave_out(3).await.expect(200);
    assert_eq!(story.contact(3).await["exclusion_reason"], "隔壁包间");
    story.take_back(3).await.expect(200);
    story.review(3, "exposed_place").await.expect(200);
    assert_eq!(story.contact(3).await["class"], "exposed_place");

    let path = story.path(&format!("/contacts/{}/reviews", story.hex(3)));
    story.investigator.get(&path).await.problem(422);
    let before = story.app.number("select count(*) from looks").await;
    let said = story.investigator.get(&format!("{path}?purpose=review")).await.expect(200);
    assert_eq!(story.app.number("select count(*) from looks").await, before + 1);
    let told: Vec<_> = said.as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(told, ["promoted", "left_out", "taken_back", "demoted"]);
    assert_eq!((&said[0]["from"], &said[0]["to"]), (&json!("exposed_place"), &json!("close")));
    assert_eq!(said[0]["reason"], "现场核实：同桌用餐");

    // All of it is in the audit log, and nobody is named there.
    let acts = "select count(*) from audit_entries
                where action in ('contact.promoted', 'contact.excluded', 'contact.included', 'contact.demoted')";
    assert_eq!(story.app.number(acts).await, 4);
    let named = format!("select count(*) from audit_entries where detail like '%{}%'", story.hex(3));
    assert_eq!(story.app.number(&named).await, 0);
    // Why the run found them is told by what it computed.
    let why = story.path(&format!("/contacts/{}/why?purpose=review", story.hex(2)));
    story.review(2, "exposed_place").await.expect(200);
    let why = story.investigator.get(&why).await.expect(200);
    assert!(why["reason_en"].as_str().unwrap().ends_with("for the class close"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_contacts_of_the_run_are_reviewed_within_its_pack_and_before_it_is_proposed() {
    let story = story(&[], &[(2, 170), (3, 90)]).await;
    story.review(4, "close").await.problem(404);
    story.leave_out(4).await.problem(404);
    assert!(story.review(3, "red").await.problem(422).contains("close, same_vehicle, exposed_place"));
    story.review(3, "companion").await.problem(422);
    story.take_back(3).await.problem(409);
    story.leave_out(3).await.expect(200);
    story.leave_out(3).await.problem(409);
    story.review(3, "close").await.problem(409);
    for wrong in [
        json!({ "visitor": story.hex(2), "to": "close", "reason": " " }),
        json!({ "visitor": story.hex(2), "to": "close" }),
        json!({ "visitor": story.hex(2), "colour": "red", "reason": "现场核实" }),
        json!({ "visitor": [story.hex(2), story.hex(3)], "to": "close", "reason": "现场核实" }),
    ] {
        story.investigator.post(&story.path("/reviews"), &wrong).await.problem(422);
    }
    let officer = story.officer(Role::ReleasingOfficer).await;
    let body = json!({ "visitor": story.hex(2), "to": "exposed_place", "reason": "现场核实" });
    officer.post(&story.path("/reviews"), &body).await.problem(403);
    assert_eq!(story.app.number("select count(*) from reviews").await, 1);
    story.propose().await.expect(202);
    story.review(2, "exposed_place").await.problem(409);
    story.take_back(3).await.problem(409);
    assert_eq!(story.app.number("select count(*) from assignments").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_promoted_alone() {
    let story = story(&[], &[(2, 100), (3, 100), (4, 85), (5, 78), (6, 170)]).await;
    story.review(2, "close").await.expect(200);
    // Person 3 sat there as long and person 4 for more than half of it, person 5 for less; person 6 is red by the rules.
    let said = story.propose().await.problem(422);
    assert!(said.starts_with("reviews: 2 contacts"), "{said}");
    assert!([2, 3, 4].iter().all(|number| !said.contains(&story.hex(*number))));
    let force = format!("select run_unequal('{}')", story.run);
    assert_eq!(story.app.number(&force).await, 2);
    assert_eq!(story.see().await["state"], "computed");
    // The same for one, and a word of its own for the other.
    story.review(3, "close").await.expect(200);
    assert!(story.propose().await.problem(422).starts_with("reviews: 1 contacts"));
    story.review(4, "exposed_place").await.expect(200);
    assert_eq!(story.app.number(&force).await, 0);
    story.propose().await.expect(202);
    story.words().await;
    assert_eq!(story.see().await["state"], "released");
    assert_eq!((story.colour(2).await, story.colour(3).await), (json!("red"), json!("red")));
    assert_eq!((story.colour(4).await, story.colour(6).await), (json!("yellow"), json!("red")));
    let record = story.record().await;
    let written = record["reviews"].as_array().unwrap();
    assert_eq!(written.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>(), 3);
    assert_eq!(written[0]["who"], "investigator");
}

#[tokio::test(flavor = "multi_thread")]
async fn companions_are_not_left_green_alone() {
    let story = story(&[], &[(2, 90), (3, 91), (4, 89)]).await;
    story.leave_out(2).await.expect(200);
    assert!(story.propose().await.problem(422).starts_with("reviews: 2 contacts"));
    story.leave_out(3).await.expect(200);
    story.leave_out(4).await.expect(200);
    story.propose().await.expect(202);
    assert_eq!(story.app.number("select count(*) from assignments").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reviewed_gives_no_word_and_much_by_hand_takes_a_chief() {
    let people: Vec<(u32, i64)> = (2..=6).map(|number| (number, 90)).collect();
    let story = story(&[], &people).await;
    let (_, both) = story.app.member(&[Role::Investigator, Role::ReleasingOfficer], "410100").await;
    let body =
        |number| json!({ "visitor": story.hex(number), "to": "close", "reason": "现场核实：同桌用餐" });
    both.post(&story.path("/reviews"), &body(2)).await.expect(200);
    for number in 3..=6 {
        story.review(number, "close").await.expect(200);
    }
    story.propose().await.expect(202);
    assert!(story.word(&both).await.problem(403).contains("reviewed"));
    assert_eq!(held(&story.see().await), ["words", "releasing_officer", "chief"]);
    story.words().await;
    let run = story.see().await;
    assert_eq!(run["held_by"], json!([{ "what": "chief", "because": ["reviews"] }]));
    let chief = story.officer(Role::ChiefOfficer).await;
    story.word(&chief).await.expect(202);
    assert_eq!(story.see().await["state"], "released");
    assert_eq!(story.record().await["held"]["chief_because"], json!(["reviews"]));
    assert_eq!(story.colour(2).await, "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_review_and_show_what_a_release_lacks() {
    let story = story(&[], &[(2, 90), (3, 90)]).await;
    let page = format!("/runs/{}/contacts?purpose=review", story.run);
    let browser = story.app.desk(&story.investigator);
    let shown = browser.get(&page).await.text;
    assert!(shown.contains("排除此人") && shown.contains("调整或维持类别"), "{shown}");
    let token = placecode::domain::token::form_token(story.app.app.keys.token(), story.investigator.token());
    let hex = story.hex(2);
    let fields = |to: &'static str| {
        [
            ("form_token", token.clone()),
            ("visitor", hex.clone()),
            ("to", to.to_owned()),
            ("reason", "现场核实".to_owned()),
            ("purpose", "review".to_owned()),
        ]
    };
    let send = async |path: String, to| {
        let fields = fields(to);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.send_form(&path, &fields).await
    };
    assert_eq!(send(format!("/runs/{}/reviews", story.run), "close").await.leads_to(), page);
    assert!(browser.get(&page).await.text.contains("计算结果"));
    assert_eq!(send(format!("/runs/{}/proposal", story.run), "").await.status, 422);
    assert_eq!(send(format!("/runs/{}/exclusions", story.run), "").await.leads_to(), page);
    assert!(browser.get(&page).await.text.contains("撤销排除"));
    story.leave_out(3).await.expect(200);
    assert_eq!(send(format!("/runs/{}/inclusions", story.run), "").await.leads_to(), page);
    story.take_back(3).await.expect(200);
    story.review(3, "close").await.expect(200);
    story.propose().await.expect(202);
    let officer = story.officer(Role::ReleasingOfficer).await;
    let shown = story.app.desk(&officer).get("/release").await.text;
    for text in ["同意人数不足", "红码须有放行人员同意", "人工核定", "上调"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(browser.get(&format!("/runs/{}", story.run)).await.text.contains("同意人数不足"));
}
