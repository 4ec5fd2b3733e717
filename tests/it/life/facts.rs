//! Facts: signed, bounded, all or none, told once; they begin nothing and make nothing stronger.

use chrono::TimeDelta;
use placecode::domain::ending::FactKind;
use placecode::domain::numbered::Numbered;
use placecode::domain::webhook::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CHECK_INS, TESTS, fact, life};
use crate::support::TestApp;

const PATH: &str = "/v1/issuers/health-code/facts";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_fact_is_told_once_and_another_under_its_number_is_refused() {
    let app = TestApp::start().await;
    let now = app.now();
    let one = fact(&app, 2, "negative_test", now);
    let two = fact(&app, 3, "healthy_check_in", now - TimeDelta::days(2));
    let tell = async |facts: &[&Value]| {
        app.as_issuer(PATH, &json!({ "type": "placecode.facts.v1", "facts": facts })).await
    };
    assert_eq!(tell(&[&one]).await.expect(200), json!({ "accepted": 1, "known": 0 }));
    assert_eq!(tell(&[&one, &two]).await.expect(200), json!({ "accepted": 1, "known": 1 }));
    assert_eq!(tell(&[&two, &one]).await.expect(200), json!({ "accepted": 0, "known": 2 }));
    let mut changed = one.clone();
    changed["kind"] = json!("positive_test");
    let other = fact(&app, 4, "negative_test", now);
    assert!(tell(&[&other, &changed]).await.problem(422).contains("told before"));
    assert!(tell(&[&other, &fact_like(&other, 5, &app)]).await.problem(422).contains("twice"));
    assert_eq!(app.number("select count(*) from health_facts").await, 2);
    // Who told it, of whom, what, when; and it never changes.
    let kept = app.rows("select issuer_id, kind from health_facts order by kind").await;
    assert_eq!(
        kept,
        [json!({ "issuer_id": "health-code", "kind": 0 }), json!({ "issuer_id": "health-code", "kind": 2 })]
    );
    for change in ["update health_facts set kind = 4", "truncate health_facts"] {
        assert!(app.sql(change).await.unwrap_err().contains("append-only"), "{change}");
    }
    // The audit log knows how many, and of nobody.
    let told = app.rows("select subject, detail from audit_entries where action = 'facts.taken'").await;
    assert_eq!((told.len(), &told[0]["subject"]), (2, &json!("issuer health-code")));
    assert!(!format!("{told:?}").contains(&app.visitor(2).to_hex()));
}

fn fact_like(other: &Value, number: u32, app: &TestApp) -> Value {
    let mut like = other.clone();
    like["visitor"] = json!(app.visitor(number).to_hex());
    like
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_nothing_of_it_kept() {
    let app = TestApp::start().await;
    let now = app.now();
    let good = fact(&app, 2, "negative_test", now);
    let with = |name: &str, value: Value| {
        let mut fact = good.clone();
        fact["id"] = json!(Uuid::now_v7());
        fact[name] = value;
        fact
    };
    for (wrong, why) in [
        (with("at", json!(now + TimeDelta::minutes(6))), "number 2: `at` lies in the future"),
        (with("at", json!(now - TimeDelta::days(29))), "number 2: `at` lies before"),
        (with("visitor", json!("0".repeat(31))), "number 2: `visitor`"),
        (with("visitor", json!("A".repeat(32))), "number 2: `visitor`"),
        (with("kind", json!("red")), "unknown variant"),
        (with("colour", json!("red")), "unknown field"),
        (with("id", json!("7")), "body"),
    ] {
        let body = json!({ "type": "placecode.facts.v1", "facts": [good, wrong] });
        let said = app.as_issuer(PATH, &body).await.problem(422);
        assert!(said.contains(why), "{wrong}: {said}");
    }
    let many: Vec<Value> = (0..501).map(|n| with("at", json!(now - TimeDelta::minutes(n)))).collect();
    for (kind, facts, why) in [
        ("placecode.facts.v1", json!([]), "1 to 500"),
        ("placecode.facts.v1", json!(many), "1 to 500"),
        ("placecode.letters.v1", json!([good]), "type: "),
    ] {
        let said = app.as_issuer(PATH, &json!({ "type": kind, "facts": facts })).await.problem(422);
        assert!(said.contains(why), "{said}");
    }
    // Not signed, signed by somebody else, signed by another system's key.
    let body = json!({ "type": "placecode.facts.v1", "facts": [good] });
    app.client(None).post(PATH, &body).await.problem(401);
    let other = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    app.signed(&other, PATH, &body).await.problem(401);
    app.as_issuer("/v1/issuers/nobody/facts", &body).await.problem(401);
    assert_eq!(app.number("select count(*) from health_facts").await, 0);
    assert_eq!(app.number("select count(*) from facts_waiting").await, 0);
    // Five hundred in one request are many enough; more than that of one person are too many.
    let five_hundred = json!({ "type": "placecode.facts.v1", "facts": many[..500] });
    assert_eq!(app.as_issuer(PATH, &five_hundred).await.expect(200)["accepted"], 500);
    assert!(app.as_issuer(PATH, &body).await.problem(422).contains("of one visitor"));
    assert_eq!(app.number("select count(*) from health_facts").await, 500);
}

/// The reason why facts may name visitors in a list: nothing that can be told begins a colour or makes one stronger.
#[tokio::test(flavor = "multi_thread")]
async fn no_fact_whatsoever_begins_a_colour_or_makes_one_stronger() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    story.released().await;
    let letters = app.number("select count(*) from letters").await;
    let before = app.rows("select id, colour, last_exposure_at from assignments order by id").await;
    // Everything, of everybody: the case, the red one, the yellow one, and people of whom nothing is known.
    let mut facts = Vec::new();
    for kind in FactKind::ALL {
        for number in 1..=8 {
            for hours in [1, 30, 60] {
                let mut fact = fact(app, number, "", app.now() - TimeDelta::hours(hours));
                fact["kind"] = serde_json::to_value(kind).unwrap();
                facts.push(fact);
            }
        }
    }
    story.tell(&facts).await.expect(200);
    app.settle().await;
    app.pass(60);
    let positive = |number| fact(app, number, "positive_test", app.now());
    story.tell(&(1..=8).map(positive).collect::<Vec<_>>()).await.expect(200);
    app.settle().await;
    assert_eq!(app.rows("select id, colour, last_exposure_at from assignments order by id").await, before);
    assert_eq!(app.number("select count(*) from assignments where colour_now > colour").await, 0);
    assert_eq!(app.number("select count(*) from letters").await, letters, "nobody is told anything");
    assert_eq!((story.colour(2).await, story.colour(3).await), ("red".to_owned(), "yellow".to_owned()));
    for number in [1, 4, 5, 6, 7, 8] {
        assert_eq!(story.colour(number).await, "green");
    }
    // Not by SQL either, with an event that says so.
    for (colour, kind) in [(2, 4), (2, 2), (2, 3)] {
        let forced = format!(
            "with up as (update assignments set colour_now = {colour} where colour = 1 returning *)
             insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor)
             select id, 4, {kind}, state, {colour}, last_exposure_at, expires_at, now(), 'owner' from up"
        );
        story.refused(&forced, "weaker").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_speaks_for_its_own_people_only_and_facts_are_dropped_with_their_days() {
    let story = life(CHECK_INS, TESTS).await;
    let app = &story.app;
    let admin = app.staff(placecode::domain::access::Role::Administrator, "100000").await;
    let key = SigningKey::parse(&SigningKey::format_ed25519(&[9; 32])).unwrap();
    let url = "http://127.0.0.1:9/v1/letters";
    let public = key.verifying_key().public_text();
    let issuer = json!({ "name": "湖北健康码", "url": url, "division": "420000", "public_key": public });
    admin.put("/v1/issuers/hubei", &issuer).await.expect(200);
    story.released().await;
    app.pass(26 * 60);
    let facts = [25, 0].map(|h| fact(app, 3, "negative_test", app.now() - TimeDelta::hours(h)));
    let body = json!({ "type": "placecode.facts.v1", "facts": facts });
    app.signed(&key, PATH, &body).await.problem(401);
    let taken = app.signed(&key, "/v1/issuers/hubei/facts", &body).await.expect(200);
    assert_eq!(taken, json!({ "accepted": 2, "known": 0 }));
    app.settle().await;
    assert_eq!(story.colour(3).await, "yellow", "they belong to another system");
    story.hears(3, "negative_test", app.now() - TimeDelta::hours(25)).await;
    story.hears(3, "negative_test", app.now()).await;
    assert_eq!(story.colour(3).await, "green");
    // A month later they are gone.
    for _ in 0..31 {
        app.pass(24 * 60);
        app.settle().await;
    }
    assert_eq!(app.number("select count(*) from health_facts").await, 0);
}
