//! What trusted programs may ask.

use placecode::domain::assertion::{signer_of, verify_identity};
use placecode::domain::visitor::{IdentityKind, Visitor};
use serde_json::{Value, json};

use super::platform::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_told() {
    let platform = Platform::start().await;
    let visitor = platform.visitor("11010519491231002X").to_hex();
    for path in [format!("v1/colours/{visitor}"), "v1/summary".to_owned()] {
        for token in [None, Some(""), Some("0505"), Some("x")] {
            let request = platform.http.get(platform.at(&path));
            let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401);
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            assert!(!answer.text().await.unwrap().contains(&visitor));
        }
    }
    let request = platform.http.post(platform.at("v1/assertions"));
    let answer = request.json(&json!({ "kind": 10, "number": "1234" })).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let request = platform.http.get(platform.at("v1/colours/xyz")).bearer_auth(platform.keys.api_token());
    assert_eq!(request.send().await.unwrap().status(), 422);
    assert_eq!(platform.http.get(platform.at("livez")).send().await.unwrap().status(), 200);
    assert_eq!(platform.http.get(platform.at("readyz")).send().await.unwrap().status(), 200);
    let nowhere = platform.http.get(platform.at("nowhere")).send().await.unwrap();
    assert_eq!(nowhere.status(), 404);
    assert_eq!(nowhere.headers()["content-type"], "application/problem+json");
}

async fn ask(platform: &Platform, body: &Value) -> (u16, Value) {
    let request = platform.http.post(platform.at("v1/assertions")).bearer_auth(platform.keys.api_token());
    let answer = request.json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_one_that_the_service_accepts() {
    let platform = Platform::start().await;
    let key = platform.keys.channel_public_key();
    let (status, one) = ask(&platform, &json!({ "kind": 10, "number": "11010519491231002x" })).await;
    assert_eq!(status, 200);
    let assertion = one["assertion"].as_str().unwrap();
    assert_eq!(signer_of(assertion).unwrap(), "health-code");
    let visitor = verify_identity(assertion, &key, platform.clock.now()).unwrap().visitor;
    assert_eq!(visitor, platform.visitor("11010519491231002X"));

    let (status, told) =
        ask(&platform, &json!({ "kind": 99, "number": "DEMO-1", "division": "420100" })).await;
    assert_eq!(status, 200);
    let told = verify_identity(told["assertion"].as_str().unwrap(), &key, platform.clock.now()).unwrap();
    assert_eq!(told.residence.unwrap().division, "420100".parse().unwrap());
    let (status, problem) =
        ask(&platform, &json!({ "kind": 99, "number": "DEMO-1", "division": "武汉" })).await;
    assert!(status == 422 && problem["detail"].as_str().unwrap().starts_with("`division`"), "{problem}");

    let crowd: Vec<Value> =
        (0..1000).map(|at| json!({ "kind": 99, "number": format!("DEMO-{at}") })).collect();
    let (status, many) = ask(&platform, &json!({ "identities": crowd })).await;
    assert_eq!((status, many["assertions"].as_array().unwrap().len()), (200, 1000));
    let last = many["assertions"][999].as_str().unwrap();
    let expected = Visitor::of(platform.keys.visitor_key().bytes(), IdentityKind::Other, "DEMO-999");
    assert_eq!(verify_identity(last, &key, platform.clock.now()).unwrap().visitor, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_identity_is_named_by_its_place_and_never_repeated() {
    let platform = Platform::start().await;
    let crowd = json!([{ "kind": 99, "number": "DEMO-1" }, { "kind": 99, "number": "secret@example" }]);
    let (status, problem) = ask(&platform, &json!({ "identities": crowd })).await;
    assert_eq!(status, 422);
    assert!(problem["detail"].as_str().unwrap().starts_with("identity 2: "));
    assert!(!problem.to_string().contains("secret"));
    let too_many = vec![json!({ "kind": 99, "number": "DEMO" }); 1001];
    assert_eq!(ask(&platform, &json!({ "identities": too_many })).await.0, 422);
    assert_eq!(ask(&platform, &json!({ "kind": 11, "number": "DEMO" })).await.0, 422);
    let (status, problem) = ask(&platform, &json!({ "kind": "card", "number": "secret" })).await;
    assert_eq!(status, 400);
    assert!(!problem.to_string().contains("secret"));
    let long = json!({ "kind": 99, "number": "1".repeat(300 * 1024) });
    assert_eq!(ask(&platform, &long).await.0, 413);
}
