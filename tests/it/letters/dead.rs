//! Letters that were given up: an operator sees them, sends them again, and what is newer stays.

use placecode::domain::access::Role;
use placecode::pipeline::run::Step;
use serde_json::json;
use uuid::Uuid;

use super::receiver::Receiver;
use super::{BURIED, DELIVERED, Office, people, secret};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_dead_letters_without_visitors_and_sends_them_again() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver = Receiver::answering(|_, _| (422, json!({ "detail": "not here" })));
    office.enter("other", &receiver, json!({})).await;
    let visitors = people(3);
    let mut ids = office.write("other", &visitors).await;
    office.dispatch().await;
    assert_eq!(office.count("other", BURIED).await, 3);

    let admin = office.app.staff(Role::Administrator, "100000").await;
    let listed = admin.get("/v1/letters/dead?issuer=other").await;
    let dead = listed.expect(200);
    assert!(visitors.iter().all(|visitor| !listed.text.contains(&visitor.to_hex())), "{}", listed.text);
    assert_eq!(dead.as_array().unwrap().len(), 3);
    assert_eq!(
        (&dead[0]["kind"], &dead[0]["attempts"], &dead[0]["issuer"], &dead[0]["assignment"]),
        (&json!("assigned"), &json!(1), &json!("other"), &json!(office.assignment))
    );
    assert!(dead[0]["last_error"].as_str().unwrap().contains("not here"));
    ids.sort();
    let rest = admin.get(&format!("/v1/letters/dead?after={}", ids[0])).await.expect(200);
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["id"]), (2, &json!(ids[1])));
    assert_eq!(admin.get("/v1/letters/dead?issuer=health-code").await.expect(200), json!([]));
    for wrong in ["after=x", "issuer=%00", "issuer=A", "visitor=1"] {
        admin.get(&format!("/v1/letters/dead?{wrong}")).await.problem(422);
    }
    admin.get("/v1/issuers?after=%00").await.problem(422);

    receiver.applies();
    let again = format!("/v1/letters/dead/{}/again", ids[0]);
    let officer = office.app.staff(Role::ChiefOfficer, "410000").await;
    officer.post(&again, &json!({})).await.problem(403);
    admin.post(&again, &json!({})).await.expect(202);
    admin.post(&again, &json!({})).await.problem(404);
    admin.post(&format!("/v1/letters/dead/{}/again", Uuid::now_v7()), &json!({})).await.problem(404);
    assert_eq!(office.dispatch().await, 1);
    let page = office.app.desk(&admin).get("/letters/dead").await;
    assert!(page.text.contains("not here") && page.text.contains("/again\""), "{}", page.text);
    let seen = office.app.desk(&officer).get("/letters/dead").await;
    assert!(seen.text.contains("not here") && !seen.text.contains("/again\""), "{}", seen.text);
    assert!(visitors.iter().all(|visitor| !page.text.contains(&visitor.to_hex())));
    let one = format!("/letters/dead/{}/again", ids[1]);
    let sent = office.app.desk(&admin).fill("/letters/dead", &one, &[]).await;
    assert_eq!(sent.leads_to(), "/letters/dead");
    let sent = office.app.desk(&admin).fill("/letters/dead", "/letters/again", &[]).await;
    assert_eq!(sent.leads_to(), "/letters");
    assert_eq!(office.dispatch().await, 2);
    assert_eq!(office.count("other", DELIVERED).await, 3);
    let acts = "select count(*) from audit_entries where action = 'letters.sent_again'";
    assert_eq!(office.app.number(acts).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_comes_after_a_newer_one_changes_nothing() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.settle().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let officer = app.staff(Role::ChiefOfficer, "410000").await;
    let admin = app.staff(Role::Administrator, "100000").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    // Released and not sent: the stop, which holds releases too, comes in between.
    app.give_words(&investigator, run["id"].as_str().unwrap()).await;
    Step::Release.take(&app.app).await.unwrap();
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    app.settle().await;
    // The letter that colours was given up, and the one that takes it back arrived.
    assert_eq!(app.sql("update letters set state = 2").await, Ok(1));
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    let withdrawal = json!({ "reason": "检测结果有误" });
    investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.expect(202);
    app.settle().await;
    assert_eq!(app.number("select count(*) from letters where state = 1").await, 1);
    assert_eq!(app.colour(2).await["colour"], "green");

    admin.post("/v1/letters/health-code/again", &json!({})).await.expect(202);
    app.settle().await;
    assert_eq!(app.number("select count(*) from letters where state = 1").await, 2);
    let colour = app.colour(2).await;
    assert_eq!((&colour["colour"], &colour["sequence"]), (&json!("green"), &json!(2)));
    let stale = "select count(*) from audit_entries where action = 'letters.sent' and detail::jsonb ->> 'stale' = '1'";
    assert_eq!(app.number(stale).await, 1);
}
