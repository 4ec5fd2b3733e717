//! What the dispatcher does when all is well, and when it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use placecode::app::App;
use placecode::domain::access::Role;
use placecode::domain::circuit::FAILURES_MAX;
use placecode::pipeline::run::Step;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::receiver::{Received, Receiver};
use super::{BURIED, DELIVERED, Office, WAITING, people, secret, somebody};
use crate::support::until;

fn busy(_: usize, _: &Received) -> (u16, Value) {
    (503, json!({ "detail": "later" }))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_letter_that_is_refused_is_buried_alone_and_every_envelope_is_written_down() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver = Receiver::start();
    office.enter("other", &receiver, json!({})).await;
    let ids = office.write("other", &people(60)).await;
    let bad = ids[37];
    receiver.answer(move |_, received| {
        if received.envelope().letters.iter().any(|letter| letter.id == bad) {
            (422, json!({ "detail": "letter 38: not a visitor of ours" }))
        } else {
            (200, received.all_applied())
        }
    });
    assert!(office.dispatch().await >= 60);
    assert_eq!((office.count("other", DELIVERED).await, office.count("other", BURIED).await), (59, 1));
    let dead = office.app.rows("select id, last_error from letters where state = 2").await;
    assert_eq!(dead[0]["id"], json!(bad));
    assert!(dead[0]["last_error"].as_str().unwrap().contains("422"), "{dead:?}");

    let received = receiver.received();
    assert!(received.len() < 20, "halves, not one by one: {}", received.len());
    let sql = "select detail from audit_entries where action = 'letters.sent' and subject = 'issuer other' order by seq";
    let written: Vec<Value> = office.app.rows(sql).await;
    assert_eq!(written.len(), received.len());
    for (row, received) in written.iter().zip(&received) {
        let detail: Value = serde_json::from_str(row["detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail["letters"], received.envelope().letters.len());
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&received.body));
        assert_eq!(detail["sha256"], hash);
    }
    let all = written.iter().map(Value::to_string).collect::<String>();
    assert!(received[0].envelope().letters.iter().all(|letter| !all.contains(&letter.visitor)));
    assert_eq!(office.dispatch().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_system_is_away_no_letter_uses_up_its_attempts() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    // A wrong key is nothing that a letter could help.
    let receiver = Receiver::answering(|_, _| (401, json!({ "detail": "no signature verifies" })));
    office.enter("other", &receiver, json!({})).await;
    office.write("other", &people(3)).await;
    let officer = office.app.staff(Role::ChiefOfficer, "410000").await;
    let circuit = async || {
        let outbox = officer.get("/v1/letters").await.expect(200);
        let own = outbox["circuits"].as_array().unwrap().iter().find(|row| row["issuer"] == "other").cloned();
        own.unwrap()
    };
    while receiver.received().len() < usize::try_from(FAILURES_MAX).unwrap() {
        office.dispatch().await;
        office.app.clock.advance(TimeDelta::minutes(20));
    }
    let opened = circuit().await;
    assert_eq!(opened["state"], "half_open", "twenty minutes later it may try: {opened}");
    assert!(opened["last_error"].as_str().unwrap().contains("401"), "{opened}");
    let attempts = "select coalesce(sum(attempts), 0) from letters where issuer_id = 'other'";
    let before = office.app.number(attempts).await;
    for _ in 0..12 {
        let seen = receiver.received().len();
        assert_eq!(office.dispatch().await, 1);
        assert_eq!(receiver.received().len(), seen + 1);
        assert_eq!(receiver.received()[seen].envelope().letters.len(), 1, "one letter as a probe");
        assert_eq!(circuit().await["state"], "open");
        assert_eq!(office.dispatch().await, 0, "nothing goes before the next probe");
        office.app.clock.advance(TimeDelta::minutes(20));
    }
    assert_eq!(office.app.number(attempts).await, before);
    assert_eq!(office.count("other", BURIED).await, 0);
    let page = office.app.desk(&officer).get("/letters").await;
    assert!(page.text.contains("平台无应答"), "{}", page.text);

    receiver.applies();
    assert_eq!(office.dispatch().await, 3);
    assert_eq!(office.count("other", DELIVERED).await, 3);
    assert_eq!(circuit().await["state"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_always_fails_is_buried_after_its_last_attempt() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver = Receiver::start();
    office.enter("other", &receiver, json!({ "batch_max": 1 })).await;
    let bad = office.write("other", &[somebody()]).await[0];
    let is_bad = move |received: &Received| received.envelope().letters[0].id == bad;
    receiver.answer(
        move |_, received| {
            if is_bad(received) { (500, json!({})) } else { (200, received.all_applied()) }
        },
    );
    // Others arrive between its attempts, so it is not the system that fails.
    for _ in 0..8 {
        office.dispatch().await;
        office.write("other", &[somebody()]).await;
        office.dispatch().await;
        office.app.clock.advance(TimeDelta::hours(8));
    }
    let tried = receiver.received().iter().filter(|received| is_bad(received)).count();
    assert_eq!(tried, office.dispatcher.config.letter_retries.len() + 1);
    assert_eq!((office.count("other", BURIED).await, office.count("other", DELIVERED).await), (1, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_an_answer_names_has_arrived() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver = Receiver::answering(|_, received| {
        let mut answer = received.all_applied();
        let named = answer.as_array_mut().unwrap();
        named.truncate(4);
        named[1]["result"] = json!("stale");
        named[2]["result"] = json!("repeated");
        named.push(json!({ "id": uuid::Uuid::new_v4(), "result": "applied" }));
        (200, answer)
    });
    office.enter("other", &receiver, json!({})).await;
    office.write("other", &people(10)).await;
    assert_eq!(office.dispatch().await, 10);
    assert_eq!((office.count("other", DELIVERED).await, office.count("other", WAITING).await), (4, 6));
    for unreadable in [json!({}), json!("ok"), json!([{ "id": 7 }]), json!([])] {
        receiver.answer(move |_, _| (200, unreadable.clone()));
        office.app.clock.advance(TimeDelta::hours(1));
        assert_eq!(office.dispatch().await, 6);
    }
    assert_eq!((office.count("other", DELIVERED).await, office.count("other", WAITING).await), (4, 6));
    receiver.applies();
    office.app.clock.advance(TimeDelta::hours(3));
    office.dispatch().await;
    assert_eq!(office.count("other", DELIVERED).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_system_that_hangs_holds_no_other() {
    let patient = |config: &mut placecode::config::Config| {
        config.letter_timeout = Duration::from_secs(60);
        config.letter_lease = Duration::from_secs(180);
    };
    let office = Office::open(&[("slow", &secret()), ("quick", &secret())], patient).await;
    let (slow, quick) = (Receiver::start(), Receiver::start());
    slow.set_open(false);
    office.enter("slow", &slow, json!({})).await;
    office.enter("quick", &quick, json!({})).await;
    office.write("slow", &people(1)).await;
    let dispatcher: App = office.dispatcher.clone();
    let round = tokio::spawn(async move { Step::Dispatch.take(&dispatcher).await.unwrap() });
    until("the slow system is being called", async || slow.letters() == 1).await;
    // Whatever comes while it hangs goes out to the other at once.
    for expected in 1..=3 {
        office.write("quick", &people(1)).await;
        until("the other has its letter", async || office.count("quick", DELIVERED).await == expected).await;
    }
    // A round ends though it hangs, the next one leaves it alone, and the others still get theirs.
    round.await.unwrap();
    office.write("quick", &people(1)).await;
    office.dispatch().await;
    assert_eq!((office.count("quick", DELIVERED).await, office.count("slow", DELIVERED).await), (4, 0));
    assert_eq!(slow.letters(), 1);
    slow.set_open(true);
    until("the slow system has its letter", async || office.count("slow", DELIVERED).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stop_holds_the_very_next_envelope() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver = Receiver::start();
    receiver.set_open(false);
    office.enter("other", &receiver, json!({ "batch_max": 2 })).await;
    office.write("other", &people(6)).await;
    let dispatcher = office.dispatcher.clone();
    let round = tokio::spawn(async move { Step::Dispatch.take(&dispatcher).await.unwrap() });
    until("the first envelope is under way", async || receiver.received().len() == 1).await;
    let officer = office.app.staff(Role::ReleasingOfficer, "410000").await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    receiver.set_open(true);
    round.await.unwrap();
    assert_eq!(receiver.letters(), 2);
    assert_eq!((office.count("other", DELIVERED).await, office.count("other", WAITING).await), (2, 4));
    assert_eq!(office.dispatch().await, 0);
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    assert_eq!(office.dispatch().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_minute_holds_more_letters_than_the_pace_whatever_the_replicas() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver = Receiver::start();
    office.enter("other", &receiver, json!({ "pace_per_min": 7, "batch_max": 2 })).await;
    office.write("other", &people(16)).await;
    let config = (*office.dispatcher.config).clone();
    let replica = App::build(config, office.app.clock.clone()).await.unwrap();
    for at_most in [7, 14, 16] {
        let (one, two) = tokio::join!(Step::Dispatch.take(&office.dispatcher), Step::Dispatch.take(&replica));
        one.unwrap();
        two.unwrap();
        assert_eq!(receiver.letters(), at_most);
        office.app.clock.advance(TimeDelta::seconds(59));
        assert_eq!(office.dispatch().await, 0, "the minute is not over");
        office.app.clock.advance(TimeDelta::seconds(2));
    }
    assert!(receiver.received().iter().all(|received| received.envelope().letters.len() <= 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_letter_never_overtakes_an_earlier_one_that_waits() {
    let office = Office::open(&[("other", &secret())], |_| {}).await;
    let receiver =
        Receiver::answering(
            |nth, received| {
                if nth % 5 == 1 { busy(nth, received) } else { (200, received.all_applied()) }
            },
        );
    office.enter("other", &receiver, json!({ "batch_max": 5 })).await;
    let visitors = people(6);
    for _ in 0..5 {
        office.write("other", &visitors).await;
    }
    for _ in 0..100 {
        office.dispatch().await;
        office.app.clock.advance(TimeDelta::hours(1));
    }
    assert_eq!(office.count("other", DELIVERED).await, 30);
    let mut arrived: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (nth, received) in receiver.received().iter().enumerate() {
        let letters = received.envelope().letters;
        let whom: BTreeSet<&String> = letters.iter().map(|letter| &letter.visitor).collect();
        assert_eq!(whom.len(), letters.len(), "one letter of each visitor");
        for letter in letters.iter().filter(|_| nth % 5 != 1) {
            arrived.entry(letter.visitor.clone()).or_default().push(letter.sequence);
        }
    }
    assert_eq!(arrived.len(), 6);
    assert!(arrived.values().all(|sequences| *sequences == [1, 2, 3, 4, 5]), "{arrived:?}");
}
