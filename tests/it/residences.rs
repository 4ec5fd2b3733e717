//! Where visitors live: told by their channel, kept as six digits, and never in the way of a token.

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::assertion::{AUDIENCE, IdentityClaims, sign};
use placecode::domain::visitor::Visitor;
use placecode::pipeline::run::Step;
use placecode::store::residences;
use serde_json::json;

use crate::fair::away::shut;
use crate::support::{TestApp, until};

/// The channel's word that it has verified somebody who lives there.
fn assertion(app: &TestApp, number: u32, division: Option<&str>, at: DateTime<Utc>) -> String {
    let claims = IdentityClaims {
        sub: app.visitor(number).to_hex(),
        aud: AUDIENCE.into(),
        iat: at.timestamp(),
        exp: at.timestamp() + 300,
        colour: None,
        colour_at: None,
        division: division.map(str::to_owned),
        aliases: std::collections::BTreeMap::new(),
    };
    sign(&claims, app.issuer_keys.channel(), app.issuer_keys.channel_key())
}

async fn exchange(app: &TestApp, number: u32, division: Option<&str>) {
    let body = json!({ "assertion": assertion(app, number, division, app.now()) });
    app.client(None).post("/v1/visitor-tokens", &body).await.expect(201);
}

/// Where these people live, as far as it is known.
async fn known(app: &TestApp, people: &[u32]) -> Vec<Option<String>> {
    let visitors: Vec<Visitor> = people.iter().map(|number| app.visitor(*number)).collect();
    let mut conn = app.app.store.conn().await.unwrap();
    let found = residences::of(&mut conn, &visitors).await.unwrap();
    visitors.iter().map(|visitor| found.get(visitor).map(ToString::to_string)).collect()
}

async fn until_known(app: &TestApp, number: u32, division: &str) {
    until("the residence is written", async || known(app, &[number]).await == [Some(division.to_owned())])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_residence_comes_with_the_token_and_the_later_word_holds() {
    let app = TestApp::start().await;
    exchange(&app, 1, None).await;
    for odd in ["41010", "410105001", "990000", "100000", "郑州市金水区"] {
        exchange(&app, 2, Some(odd)).await;
    }
    exchange(&app, 3, Some("410105")).await;
    // One task writes them in their order, so that what was told before is written or never will be.
    until_known(&app, 3, "410105").await;
    assert_eq!(known(&app, &[1, 2, 3]).await, [None, None, Some("410105".to_owned())]);
    let kept = app.rows("select channel, told_at from residences").await;
    assert_eq!((kept.len(), &kept[0]["channel"]), (1, &json!(app.issuer_keys.channel())));

    // An assertion that was made earlier and comes later changes nothing; one that is newer does.
    let earlier = assertion(&app, 3, Some("410102"), app.now() - TimeDelta::minutes(2));
    app.client(None).post("/v1/visitor-tokens", &json!({ "assertion": earlier })).await.expect(201);
    exchange(&app, 4, Some("420106")).await;
    until_known(&app, 4, "420106").await;
    assert_eq!(known(&app, &[3]).await, [Some("410105".to_owned())]);
    app.pass(1);
    exchange(&app, 3, Some("330106")).await;
    until_known(&app, 3, "330106").await;
    // A forged word tells nothing.
    let forged = json!({ "assertion": format!("{}x", assertion(&app, 5, Some("410105"), app.now())) });
    app.client(None).post("/v1/visitor-tokens", &forged).await.problem(401);
    exchange(&app, 6, Some("410105")).await;
    until_known(&app, 6, "410105").await;
    assert_eq!(known(&app, &[5]).await, [None]);
    let wrong = "insert into residences values (gen_random_uuid(), '41010', 'x', now())";
    assert!(app.sql(wrong).await.unwrap_err().contains("residences_division_check"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_issued_while_postgres_is_away_and_the_residence_follows() {
    let app = TestApp::start().await;
    exchange(&app, 1, Some("410105")).await;
    until_known(&app, 1, "410105").await;
    shut(&app, true).await;
    until("Postgres is away", async || {
        app.client(None).get("/readyz").await.expect(200) == json!({ "postgres": false, "redis": true })
    })
    .await;
    for number in 2..30 {
        exchange(&app, number, Some("410102")).await;
    }
    shut(&app, false).await;
    until("Postgres is back", async || {
        app.client(None).get("/readyz").await.expect(200)["postgres"] == json!(true)
    })
    .await;
    until_known(&app, 29, "410102").await;
    assert_eq!(app.number("select count(*) from residences").await, 29);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_residence_that_nobody_tells_any_more_ends_with_retention() {
    let app = TestApp::start().await;
    for number in [1, 2] {
        exchange(&app, number, Some("410105")).await;
        until_known(&app, number, "410105").await;
    }
    for day in 0..29 {
        app.pass(24 * 60);
        Step::Expire.take(&app.app).await.unwrap();
        if day == 14 {
            exchange(&app, 1, Some("410105")).await;
            let told = format!("select count(*) from residences where told_at = '{}'", app.now());
            until("it is told again", async || app.number(&told).await == 1).await;
        }
    }
    assert_eq!(known(&app, &[1, 2]).await, [Some("410105".to_owned()), None]);
}
