//! Scans that are refused: by their code, their time, their phone, their assertion.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::domain::assertion::{AUDIENCE, DeviceClaims, IdentityClaims, sign};
use placecode::domain::audit::hex;
use placecode::domain::keyring::Keyring;
use placecode::domain::place_code::PlaceCode;
use placecode::domain::position::Position;
use placecode::domain::venue::PointId;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{House, check, house};
use crate::support::client::Answer;
use crate::support::until;

fn signed(keys: &Keyring, point: i64, generation: u8) -> String {
    let code = PlaceCode { point: PointId::from_i64(point).unwrap(), generation };
    code.sign(keys).unwrap().to_string()
}

async fn scan(house: &House, body: Value) -> Answer {
    house.app.person(9).await.post("/v1/scans", &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_code_is_refused_with_its_reason() {
    let house = house().await;
    let before = house.rows().await;
    let good = &house.teahouse.code;
    let keys = &house.app.app.keys;
    let mut wrong = good.clone();
    let last_but_one = if good.as_bytes()[19] == b'7' { "8" } else { "7" };
    wrong.replace_range(19..20, last_but_one);
    for (code, about) in [
        (String::new(), "21 symbols"),
        (good[..20].to_owned(), "21 symbols"),
        (format!("{good}0"), "21 symbols"),
        (wrong, "does not check"),
        (good.replacen('0', "!", 1).replacen('2', "!", 1), "cannot stand"),
        (format!("F{}", &good[1..]), "version"),
        (signed(&Keyring::new([1; 32], [3; 32]), house.teahouse.point, 1), "does not check"),
        (signed(keys, house.teahouse.point, 2), "never printed"),
        (signed(keys, house.teahouse.point, 0), "never printed"),
        ("https://example.com/".to_owned(), "21 symbols"),
        ("长".repeat(21), "cannot stand"),
    ] {
        check(&scan(&house, json!({ "code": code })).await, 422, about, &code);
    }
    let nowhere = signed(keys, house.teahouse.point ^ 1, 1);
    check(&scan(&house, json!({ "code": nowhere })).await, 404, "point", "a point that nobody knows");
    let text = format!("HTTPS://P.EXAMPLE.CN/{}", good.to_lowercase());
    assert_eq!(scan(&house, json!({ "code": text })).await.status, 201, "a code may be typed in lower case");
    house.app.settle().await;
    let mut after = house.rows().await;
    for table in ["scans", "stays", "point_hours"] {
        *after.get_mut(table).unwrap() -= 1;
    }
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_or_a_phone_that_cannot_be_is_refused() {
    let house = house().await;
    let before = house.rows().await;
    let at = |minutes: i64| json!(house.app.now() + TimeDelta::minutes(minutes));
    let cell = |resolution| Position::new(34.7466, 113.6253).unwrap().cell(resolution).to_string();
    let wrong = [
        ("occurred_at", at(11), "future"),
        ("occurred_at", at(-72 * 60 - 1), "72 hours"),
        ("occurred_at", json!("+262142-12-31T23:59:59Z"), "future"),
        ("occurred_at", json!("-262143-01-01T00:00:00Z"), "72 hours"),
        ("occurred_at", json!("2026-02-30T00:00:00Z"), "body"),
        ("occurred_at", json!(1_773_633_600), "body"),
        ("phone_cell", json!(cell(h3o::Resolution::Eight)), "resolution 9"),
        ("phone_cell", json!(cell(h3o::Resolution::Eleven)), "resolution 9"),
        ("phone_cell", json!("ffffffffffffffff"), "phone_cell"),
        ("phone_cell", json!(""), "phone_cell"),
        ("direction", json!("up"), "up"),
        ("id", json!("7"), "body"),
        ("id", json!(Uuid::nil()), "occurred_at"),
    ];
    for (field, value, about) in wrong {
        let mut body = json!({ "code": house.teahouse.code });
        body[field] = value;
        check(&scan(&house, body.clone()).await, 422, about, &body.to_string());
    }
    let cookie = format!("visitor={}", house.app.person(9).await.token.unwrap());
    let body = json!({ "code": house.teahouse.code }).to_string();
    let by_cookie =
        house.app.client(None).send(Method::POST, "/v1/scans", Some(body), &[("cookie", &cookie)]).await;
    check(&by_cookie, 401, "bearer", "a form of another site could send the cookie");
    house.app.settle().await;
    assert_eq!(house.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_revoked_or_suspended_code_is_refused() {
    let house = house().await;
    let inspector = house.app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/points/{}/code", house.teahouse.point);
    inspector.post(&path, &json!({})).await.expect(200);
    house.app.pass(73 * 60);
    house.app.settle().await;
    let before = house.rows().await;
    let body = json!({ "code": house.teahouse.code });
    // The service hears of a change in its own time; what it took until then is a scan.
    let refused = async |about: &str| {
        until(about, async || {
            let answer = scan(
                &house,
                json!({ "code": house.teahouse.code, "occurred_at": house.app.now() + TimeDelta::days(1) }),
            )
            .await;
            answer.problem(422).contains(about)
        })
        .await;
        check(&scan(&house, body.clone()).await, 422, about, about);
    };
    refused("replaced").await;
    inspector.post(&path, &json!({ "revoke": true })).await.expect(200);
    house.app.pass(1);
    refused("revoked").await;
    let review = format!("/v1/venues/{}/review", house.teahouse.venue);
    inspector.post(&review, &json!({ "state": "suspended", "reason": "整改" })).await.expect(200);
    house.app.pass(1);
    refused("does not take scans").await;
    house.app.settle().await;
    let after = house.rows().await;
    assert_eq!((after["scans"], after["stays"]), (before["scans"], before["stays"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_that_is_forged_stale_or_meant_for_others_opens_nothing() {
    let house = house().await;
    let before = house.rows().await;
    let keys = &house.app.issuer_keys;
    let now = house.app.now().timestamp();
    let good = || IdentityClaims {
        sub: house.app.visitor(9).to_hex(),
        aud: AUDIENCE.into(),
        iat: now,
        exp: now + 300,
        colour: None,
        colour_at: None,
        division: None,
        aliases: std::collections::BTreeMap::new(),
    };
    let own = |claims: &IdentityClaims| sign(claims, keys.channel(), keys.channel_key());
    let other = ed25519_dalek::SigningKey::from_bytes(&[77; 32]);
    let text = own(&good());
    let (head, rest) = text.split_once('.').unwrap();
    let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"health-code"}"#);
    let assertions = [
        sign(&good(), keys.channel(), &other),
        sign(&good(), "nobody", keys.channel_key()),
        own(&IdentityClaims { aud: "elsewhere".into(), ..good() }),
        own(&IdentityClaims { iat: now - 1000, exp: now - 700, ..good() }),
        own(&IdentityClaims { iat: now + 100, exp: now + 400, ..good() }),
        own(&IdentityClaims { exp: now + 3600, ..good() }),
        own(&IdentityClaims { iat: i64::MIN, exp: i64::MAX, ..good() }),
        own(&IdentityClaims { sub: "somebody".into(), ..good() }),
        format!("{none}.{rest}"),
        format!("{head}.{head}"),
        String::new(),
        "a".repeat(3000),
    ];
    let source = house.app.staff(Role::ScanSource, "410000").await;
    for assertion in &assertions {
        let body = json!({ "assertion": assertion });
        check(&house.app.client(None).post("/v1/visitor-tokens", &body).await, 401, "", assertion);
        let row = json!({ "id": Uuid::now_v7(), "code": house.teahouse.code, "assertion": assertion, "occurred_at": house.app.now() });
        let answer = source.post("/v1/scans/batch", &json!({ "scans": [row] })).await.expect(200);
        assert_eq!(
            (&answer["accepted"], &answer["refused"][0]["index"]),
            (&json!(0), &json!(0)),
            "{assertion}"
        );
    }
    // A good assertion is good only for its own time.
    for at in ["+262142-12-31T23:59:59Z", "2026-03-16T05:00:00Z", "2026-03-16T03:00:00Z"] {
        let row = json!({ "id": Uuid::now_v7(), "code": house.teahouse.code, "assertion": text, "occurred_at": at });
        let answer = source.post("/v1/scans/batch", &json!({ "scans": [row] })).await.expect(200);
        assert!(answer["refused"][0]["reason"].as_str().unwrap().contains("assertion"), "{answer}");
    }
    house.app.settle().await;
    assert_eq!(house.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_speaks_for_its_own_point_and_its_own_request_only() {
    let house = house().await;
    let library = house.app.venue("图书馆", "library").await;
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let admin = house.app.staff(Role::Administrator, "410000").await;
    let new = json!({ "name": "哨兵", "code": house.teahouse.code, "public_key": hex(key.verifying_key().as_bytes()) });
    let device: Uuid =
        admin.post("/v1/devices", &new).await.expect(201)["id"].as_str().unwrap().parse().unwrap();
    let before = house.rows().await;
    let row = |code: Option<&str>| json!({ "id": Uuid::now_v7(), "code": code, "assertion": house.app.assertion(9, house.app.now()), "occurred_at": house.app.now() });
    let body = json!({ "scans": [row(Some(&library.code)), row(None)] }).to_string();
    let claims = |body: &str, sub: Uuid| {
        let now = house.app.now().timestamp();
        DeviceClaims { sub, aud: AUDIENCE.into(), iat: now, exp: now + 60, body: hex(&Sha256::digest(body)) }
    };
    let send = async |assertion: String, body: &str| {
        let headers = [("device-assertion", assertion.as_str())];
        house.app.client(None).send(Method::POST, "/v1/scans/batch", Some(body.to_owned()), &headers).await
    };
    let id = device.to_string();
    let other = ed25519_dalek::SigningKey::from_bytes(&[6; 32]);
    for (assertion, what) in [
        (sign(&claims(&body, device), &id, &other), "another key"),
        (sign(&claims("{}", device), &id, &key), "another body"),
        (sign(&claims(&body, Uuid::nil()), &id, &key), "another device"),
        (sign(&claims(&body, device), &Uuid::nil().to_string(), &key), "an unknown device"),
        ("x".to_owned(), "no assertion at all"),
    ] {
        check(&send(assertion, &body).await, 401, "device", what);
    }
    assert_eq!(house.rows().await, before);
    let answer = send(sign(&claims(&body, device), &id, &key), &body).await.expect(200);
    assert_eq!((&answer["accepted"], &answer["refused"][0]["index"]), (&json!(1), &json!(0)), "{answer}");
    house.app.settle().await;
    let verified = "select count(*) from scans where method = 2 and presence = 3";
    assert_eq!(house.app.number(verified).await, 1);
    // Somebody at another door cannot hand in scans for this one.
    let manager = house.app.staff(Role::VenueManager, "410000").await;
    let rows = json!({ "scans": [row(Some(&library.code)), row(None)] });
    let answer = manager.post("/v1/scans/batch", &rows).await.expect(200);
    assert_eq!((&answer["accepted"], answer["refused"].as_array().unwrap().len()), (&json!(0), 2));
}
