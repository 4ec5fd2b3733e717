//! Published heads: one a day, after a pause too, told to everybody, each naming the one before.

use placecode::domain::access::Role;
use placecode::domain::audit_heads::{Head, HeadKeys, key_id, public_key, verify};
use serde_json::json;

use crate::support::TestApp;

async fn published(app: &TestApp) -> Vec<Head> {
    let heads = app.client(None).get("/v1/audit/heads").await.expect(200);
    serde_json::from_value(heads).unwrap()
}

async fn keys(app: &TestApp) -> HeadKeys {
    let keys = app.client(None).get("/v1/audit/keys").await.expect(200);
    let key = |key: &serde_json::Value| public_key(key["public_key"].as_str().unwrap()).unwrap();
    keys.as_array().unwrap().iter().map(key).map(|key| (key_id(&key), key)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_published_for_each_day_also_after_a_pause() {
    let app = TestApp::start().await;
    app.venue("老茶馆", "teahouse").await;
    app.settle().await;
    assert!(published(&app).await.is_empty(), "the day is not over");
    let first = app.number("select seq from audit_head").await;
    app.pass(12 * 60 + 1);
    app.settle().await;
    app.settle().await;
    let heads = published(&app).await;
    assert_eq!((heads.len(), heads[0].seq, heads[0].day.to_string()), (1, first, "2026-03-16".into()));
    // Nobody published for three days; something happened on the second of them.
    app.pass(24 * 60);
    app.venue("书店", "shop").await;
    let second = app.number("select seq from audit_head").await;
    app.pass(48 * 60);
    app.venue("图书馆", "library").await;
    let third = app.number("select seq from audit_head").await;
    app.settle().await;
    let heads = published(&app).await;
    let told: Vec<(String, i64)> = heads.iter().map(|head| (head.day.to_string(), head.seq)).collect();
    assert_eq!(
        told[..3],
        [("2026-03-16", first), ("2026-03-17", first), ("2026-03-18", second)]
            .map(|(day, seq)| (day.to_owned(), seq))
    );
    // The head of yesterday covers what the pipeline itself told since, too.
    assert!(told.len() == 4 && told[3].0 == "2026-03-19" && told[3].1 >= third, "{told:?}");
    verify(&heads, &keys(&app).await, true).unwrap();
    let page = app.client(None).get("/v1/audit/heads?after=1&limit=2").await;
    assert_eq!(page.expect(200).as_array().unwrap().len(), 2);
    assert_eq!(page.headers["link"], "</v1/audit/heads?after=3&limit=2>; rel=\"next\"");
    for wrong in ["limit=0", "limit=1001", "after=-1", "nothing=1"] {
        app.client(None).get(&format!("/v1/audit/heads?{wrong}")).await.problem(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_has_a_head_published_at_once() {
    let app = TestApp::start().await;
    let auditor = app.staff(Role::Auditor, "410000").await;
    let head = auditor.post("/v1/audit/heads", &json!({})).await.expect(201);
    let last = app.number("select seq from audit_head").await;
    assert_eq!((&head["daily"], &head["seq"]), (&json!(false), &json!(last)));
    let asked =
        format!("select count(*) from audit_entries where seq = {last} and action = 'audit.head_published'");
    assert_eq!(app.number(&asked).await, 1, "the head covers that it was asked for");
    app.pass(24 * 60);
    app.settle().await;
    let heads = published(&app).await;
    assert_eq!(heads.iter().map(|head| head.daily).collect::<Vec<_>>(), [false, true]);
    verify(&heads, &keys(&app).await, true).unwrap();
    let page = app.browser().get("/audit/heads").await;
    assert_eq!(page.status, 200);
    for part in [heads[1].short(), heads[1].key_id.clone(), "2026-03-16".to_owned()] {
        assert!(page.text.contains(&part), "{part}: {}", page.text);
    }
    app.staff(Role::Administrator, "410000").await.post("/v1/audit/heads", &json!({})).await.problem(403);
}
