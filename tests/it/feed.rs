//! The pull feed: a system that cannot be called takes its letters by position, each at least once, in order.

use placecode::domain::access::Role;
use placecode::domain::webhook::{Headers, ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::people::Place;

const FEED: &str = "/v1/issuers/health-code/feed";

/// Person 1 is a case and was at the teahouse with persons 2 to 4; nobody sends the issuing system anything.
struct Pulling {
    app: TestApp,
    investigator: Client,
    case: String,
}

async fn pulling() -> Pulling {
    let app = TestApp::start().await;
    assert_eq!(app.sql("update issuers set delivery = 1").await, Ok(1));
    let teahouse = app.venue("老茶馆", "teahouse").await;
    gather(&app, &teahouse).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    app.release(&investigator, &run).await;
    Pulling { app, investigator, case }
}

/// Persons 1 to 4 are at a place together.
pub(crate) async fn gather(app: &TestApp, place: &Place) {
    for person in 1..=4 {
        app.scan(person, place, 170).await;
    }
    app.settle().await;
}

fn ask(after: i64, limit: i64) -> Value {
    json!({ "type": "placecode.feed.v1", "after": after, "limit": limit })
}

async fn pull(app: &TestApp, after: i64, limit: i64) -> Value {
    app.as_issuer(FEED, &ask(after, limit)).await.expect(200)
}

fn ids(page: &Value) -> Vec<String> {
    let letters = page["letters"].as_array().unwrap();
    letters.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

async fn states(app: &TestApp) -> (i64, i64, i64) {
    let letters = |state| format!("select count(*) from letters where state = {state}");
    let delivered = "select count(*) from assignments where state = 2";
    (app.number(&letters(0)).await, app.number(&letters(1)).await, app.number(delivered).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_system_says_that_it_has_is_delivered_and_nothing_else() {
    let Pulling { app, investigator, case } = pulling().await;
    assert_eq!(states(&app).await, (3, 0, 0), "nobody has called it");
    let first = pull(&app, 0, 2).await;
    assert_eq!((ids(&first).len(), &first["next"], &first["more"]), (2, &json!(2), &json!(true)));
    assert_eq!(first["stopped"], false);
    assert_eq!(first["letters"][0]["kind"], "assigned");
    assert_eq!(first["letters"][0]["sequence"], 1);
    // Given is not delivered: an answer may be lost on its way.
    assert_eq!(states(&app).await, (3, 0, 0));
    assert_eq!(pull(&app, 0, 2).await, first);

    let second = pull(&app, 2, 1000).await;
    assert_eq!((ids(&second).len(), &second["next"], &second["more"]), (1, &json!(3), &json!(false)));
    assert_eq!(states(&app).await, (1, 2, 2));
    let last = pull(&app, 3, 1000).await;
    assert_eq!((ids(&last).len(), &last["next"]), (0, &json!(3)));
    assert_eq!(states(&app).await, (0, 3, 3));
    let events = "select count(*) from assignment_events where kind = 2 and actor = 'issuer:health-code'";
    assert_eq!(app.number(events).await, 3);

    // Said twice, or a smaller number: nothing becomes undelivered, and the letters are there again.
    assert_eq!(ids(&pull(&app, 0, 1000).await), [ids(&first), ids(&second)].concat());
    pull(&app, 1, 1).await;
    assert_eq!(states(&app).await, (0, 3, 3));
    let taken =
        "select detail::jsonb as detail from audit_entries where action = 'letters.taken' order by seq";
    let taken: Vec<Value> = app.rows(taken).await.into_iter().map(|row| row["detail"].clone()).collect();
    assert_eq!(
        taken,
        [json!({ "after": 0, "until": 2, "count": 2 }), json!({ "after": 2, "until": 3, "count": 1 })]
    );

    let body = json!({ "reason": "检测为假阳性" });
    investigator.post(&format!("/v1/cases/{case}/withdrawal"), &body).await.expect(202);
    app.settle().await;
    let undone = pull(&app, 3, 1000).await;
    let kinds: Vec<&str> =
        undone["letters"].as_array().unwrap().iter().map(|l| l["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds, &undone["next"]), (vec!["withdrawn"; 3], &json!(6)));
    assert!(undone["letters"].as_array().unwrap().iter().all(|letter| letter["sequence"] == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_was_never_given_is_refused_and_settles_nothing() {
    let Pulling { app, .. } = pulling().await;
    let refused = |answer: Answer| answer.problem(422);
    assert!(refused(app.as_issuer(FEED, &ask(1, 10)).await).contains("beyond 0"));
    pull(&app, 0, 2).await;
    assert!(refused(app.as_issuer(FEED, &ask(3, 10)).await).contains("beyond 2"));
    refused(app.as_issuer(FEED, &ask(-1, 10)).await);
    refused(app.as_issuer(FEED, &ask(i64::MAX, 10)).await);
    for limit in [0, 1001, -1, i64::MAX] {
        assert!(refused(app.as_issuer(FEED, &ask(0, limit)).await).contains("limit"));
    }
    let other = json!({ "type": "placecode.feed.v2", "after": 0, "limit": 1 });
    assert!(refused(app.as_issuer(FEED, &other).await).contains("type"));
    assert_eq!(states(&app).await, (3, 0, 0));
    assert_eq!(app.number("select taken from feeds").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_system_itself_takes_its_letters_and_the_answer_proves_who_gave_them() {
    let Pulling { app, .. } = pulling().await;
    let other = SigningKey::parse(&format!("whsec_{}", "A".repeat(44))).unwrap();
    app.signed(&other, FEED, &ask(0, 10)).await.problem(401);
    app.client(None).post(FEED, &ask(0, 10)).await.problem(401);
    // The secret of one system opens no other's letters.
    let second = app.spawn_platform("second");
    second.asks(&app, FEED, &ask(0, 10)).await.problem(401);

    let answer = app.as_issuer(FEED, &ask(0, 10)).await;
    answer.expect(200);
    let header = |name: &str| answer.headers[name].to_str().unwrap();
    let key = SigningKey::parse(app.issuer_keys.letters_secret_text()).unwrap().verifying_key();
    let timestamp = header(TIMESTAMP_HEADER).parse().unwrap();
    let headers = Headers { id: header(ID_HEADER), timestamp, signatures: header(SIGNATURE_HEADER) };
    assert_eq!(key.verify(&headers, answer.text.as_bytes(), app.now()), Ok(()));
    assert!(
        key.verify(&headers, answer.text.replace("assigned", "withdrawn").as_bytes(), app.now()).is_err()
    );
    assert!(Uuid::parse_str(headers.id).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emergency_stop_holds_the_feed() {
    let Pulling { app, .. } = pulling().await;
    pull(&app, 0, 2).await;
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    let held = pull(&app, 2, 10).await;
    assert_eq!(held, json!({ "letters": [], "next": 2, "more": false, "stopped": true }));
    // What it had already is known to be there.
    assert_eq!(states(&app).await, (1, 2, 2));
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    assert_eq!(ids(&pull(&app, 2, 10).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_called_takes_no_letters_itself() {
    let Pulling { app, .. } = pulling().await;
    assert_eq!(app.sql("update issuers set delivery = 0").await, Ok(1));
    app.as_issuer(FEED, &ask(0, 10)).await.problem(409);
    app.settle().await;
    assert_eq!(states(&app).await, (0, 3, 3), "it is called");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_bounded_by_bytes_and_always_goes_on() {
    let Pulling { app, .. } = pulling().await;
    let fat = "update letters set body = jsonb_set(body, '{legal_basis}', to_jsonb(repeat('律', 200000)))";
    assert_eq!(app.sql(fat).await, Ok(3));
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = pull(&app, after, 1000).await;
        assert_eq!(ids(&page).len(), 1, "two of 600 kB are more than 1 MiB");
        seen.extend(ids(&page));
        after = page["next"].as_i64().unwrap();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!((seen.len(), after), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_have_no_gap_and_follow_each_other_as_transactions_end() {
    use chrono::Utc;
    use diesel_async::AsyncConnection;
    use placecode::store::letters::{NewLetter, enqueue};
    let Pulling { app, .. } = pulling().await;
    let rows = app.rows("select assignment_id, visitor, body from letters order by position limit 1").await;
    let id = |name: &str| Uuid::parse_str(rows[0][name].as_str().unwrap()).unwrap();
    let (assignment_id, visitor) = (id("assignment_id"), id("visitor"));
    // Many writers at once, a third of which think better of it, while a reader follows.
    let writers = (0..12).map(|nth| {
        let store = app.app.store.clone();
        tokio::spawn(async move {
            let mut conn = store.conn().await.unwrap();
            let letters: Vec<NewLetter> = (0..20)
                .map(|_| NewLetter {
                    id: Uuid::now_v7(),
                    assignment_id,
                    visitor,
                    body: json!({ "id": Uuid::now_v7() }),
                })
                .collect();
            let now: chrono::DateTime<Utc> = "2026-03-16T04:00:00Z".parse().unwrap();
            let done = conn
                .transaction::<_, anyhow::Error, _>(async |conn| {
                    enqueue(conn, "health-code", &letters, now).await?;
                    anyhow::ensure!(nth % 3 != 0, "it thinks better of it");
                    Ok(())
                })
                .await;
            assert_eq!(done.is_ok(), nth % 3 != 0);
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut after, mut seen) = (0, Vec::new());
    while seen.len() < 3 + 8 * 20 {
        let page = pull(&app, after, 7).await;
        let next = page["next"].as_i64().unwrap();
        assert_eq!(next - after, i64::try_from(ids(&page).len()).unwrap(), "no position is skipped");
        seen.extend(ids(&page));
        after = next;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(after, 163);
    let unlike: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(unlike.len(), seen.len());
    let disorder = "select count(*) from letters a join letters b using (issuer_id, visitor)
                    where a.position < b.position and a.sequence > b.sequence";
    assert_eq!(app.number(disorder).await, 0);
    // Somebody who writes SQL cannot put one between others.
    let twice = app.sql("update letters set position = 1 where position = 2").await.unwrap_err();
    assert!(twice.contains("letters_by_position"), "{twice}");
}
