//! The interfaces of GB/T 38963 between systems: call, make and verify a code.

use chrono::TimeDelta;
use data_encoding::HEXLOWER;
use placecode::domain::letter::LetterKind;
use placecode::issuer::reference::gb38963::ReturnCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::interfaces::{As, NUMBER, person};
use super::platform::Platform;

const BUS: As<'static> = As::Token("the-token-of-the-bus-card-application");
const DOOR: As<'static> = As::Token("the-token-of-the-door-application");

/// A platform that has granted two applications something: the bus card shows codes, the door checks them.
async fn granted() -> Platform {
    let application = |id: &str, name: &str, interfaces: &str, calls: u32| {
        let digest = HEXLOWER.encode(&Sha256::digest(format!("the-token-of-the-{id}-application")));
        format!(
            "[[application]]\nid = \"{id}\"\nname = \"{name}\"\ntoken_sha256 = \"{digest}\"\ninterfaces = {interfaces}\n\
             calls_per_day = {calls}\nuntil = \"2026-03-20T00:00:00Z\"\n"
        )
    };
    let file = std::env::temp_dir().join(format!("applications-{}.toml", Uuid::now_v7()));
    let text = application("bus-card", "市民公交卡", r#"["call", "make"]"#, 25)
        + &application("door", "闸机", r#"["verify"]"#, 0);
    std::fs::write(&file, text).unwrap();
    let platform = Platform::start_with(|config| config.applications_file = Some(file.clone())).await;
    std::fs::remove_file(file).unwrap();
    platform
}

fn call_for(number: &str) -> Value {
    json!({ "person": { "documentType": 10, "documentNumber": number, "name": "欧阳测试" }, "purpose": "乘坐 B1 路公交" })
}

#[tokio::test(flavor = "multi_thread")]
async fn another_system_shows_a_code_within_what_it_was_granted_and_the_person_sees_it() {
    let platform = granted().await;
    let call = platform.gb_done(BUS, "call", &call_for(NUMBER)).await;
    let make = json!({ "callId": call["callId"] });
    let made = platform.gb_done(BUS, "make", &make).await;
    assert_eq!((&made["shown"], &made["validSecs"]), (&json!("green"), &json!(90)));
    // One call, one code.
    assert_eq!(platform.gb_refused(BUS, "make", &make).await, ReturnCode::NoCall);
    let verified = platform.gb_done(DOOR, "verify", &json!({ "code": made["code"] })).await;
    assert_eq!((&verified["genuine"], &verified["shown"]), (&json!(true), &json!("green")));
    assert!(!verified.to_string().contains(&platform.visitor(NUMBER).to_hex()));
    let (_, page) = platform.page("me", &platform.session(NUMBER).await).await;
    assert!(
        page.contains("谁申请调用过您的健康码")
            && page.contains("市民公交卡")
            && page.contains("乘坐 B1 路公交")
    );
    // Each within what it was granted.
    for (who, name, data) in [
        (DOOR, "call", call_for(NUMBER)),
        (DOOR, "make", json!({ "callId": Uuid::now_v7() })),
        (BUS, "verify", json!({ "code": made["code"] })),
        (BUS, "query", json!({ "person": person() })),
        (BUS, "declare", json!({ "person": person(), "symptoms": [] })),
        (BUS, "correct", json!({ "person": person() })),
        (BUS, "itinerary", json!({ "person": person(), "withdraw": Uuid::now_v7() })),
    ] {
        assert_eq!(platform.gb_refused(who, name, &data).await, ReturnCode::Permission, "{name}");
    }
    // No code without a call, of nobody else's call, and not for a person by name.
    assert_eq!(platform.gb_refused(BUS, "make", &json!({ "person": person() })).await, ReturnCode::NoCall);
    assert_eq!(
        platform.gb_refused(BUS, "make", &json!({ "callId": Uuid::now_v7() })).await,
        ReturnCode::NoCall
    );
    let late = platform.gb_done(BUS, "call", &call_for(NUMBER)).await;
    platform.clock.advance(TimeDelta::minutes(5));
    let late = json!({ "callId": late["callId"] });
    assert_eq!(platform.gb_refused(BUS, "make", &late).await, ReturnCode::NoCall);
    let mut silent = call_for(NUMBER);
    silent["purpose"] = json!(" ");
    assert_eq!(platform.gb_refused(BUS, "call", &silent).await, ReturnCode::Field);
    // The permission ends.
    platform.clock.advance(TimeDelta::days(10));
    assert_eq!(platform.gb_refused(BUS, "call", &call_for(NUMBER)).await, ReturnCode::Caller);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_by_person_and_by_day_also_when_they_come_at_once() {
    let platform = granted().await;
    let call = call_for(NUMBER);
    let calls = (0..24).map(|_| platform.gb(BUS, "call", &call));
    let codes = futures_util::future::join_all(calls).await;
    assert_eq!(codes.iter().filter(|(status, ..)| *status == 200).count(), 20, "of one person");
    for nth in 0..5 {
        let other = json!({ "documentType": 20, "documentNumber": format!("E1234567{nth}") });
        platform.gb_done(BUS, "call", &json!({ "person": other, "purpose": "乘车" })).await;
    }
    let one_more = json!({ "documentType": 20, "documentNumber": "E12345678" });
    let one_more = json!({ "person": one_more, "purpose": "乘车" });
    assert_eq!(platform.gb_refused(BUS, "call", &one_more).await, ReturnCode::Share);
    platform.clock.advance(TimeDelta::days(1) + TimeDelta::seconds(1));
    platform.gb_done(BUS, "call", &call).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_for_a_short_time_and_only_from_here() {
    let platform = granted().await;
    let cookie = platform.session(NUMBER).await;
    let own = As::Session(&cookie);
    let make = async || platform.gb_done(own, "make", &json!({})).await["code"].as_str().unwrap().to_owned();
    let verify = async |code: &str| platform.gb_refused(DOOR, "verify", &json!({ "code": code })).await;
    let code = make().await;
    // Many scanners at once: one of them gets the answer.
    let data = json!({ "code": code });
    let scans = (0..8).map(|_| platform.gb(DOOR, "verify", &data));
    let seen = futures_util::future::join_all(scans).await;
    assert_eq!(seen.iter().filter(|(_, code, _)| code == "0000").count(), 1);
    assert_eq!(verify(&code).await, ReturnCode::Seen);
    let code = make().await;
    let mut forged = code.clone().into_bytes();
    forged[6] = if forged[6] == b'A' { b'B' } else { b'A' };
    assert_eq!(verify(&String::from_utf8(forged).unwrap()).await, ReturnCode::Forged);
    let elsewhere = Platform::start_as(
        placecode::issuer::reference::IssuerKeys::generate([[6; 32], [2; 32], [3; 32], [4; 32], [5; 32]]),
        |_config| {},
    )
    .await;
    let session = elsewhere.session(NUMBER).await;
    let other = elsewhere.gb_done(As::Session(&session), "make", &json!({})).await;
    assert_eq!(verify(other["code"].as_str().unwrap()).await, ReturnCode::Forged);
    for text in ["", "HC1.", "https://evil.example", &"x".repeat(5000)] {
        assert_eq!(verify(text).await, ReturnCode::NoCode);
    }
    // A letter that comes between showing and scanning counts.
    let visitor = platform.visitor(NUMBER);
    platform.deliver(&[platform.letter(visitor, 1, LetterKind::Assigned, Uuid::now_v7())]).await;
    let verified = platform.gb_done(DOOR, "verify", &json!({ "code": code })).await;
    assert_eq!((&verified["shown"], &verified["shownInCode"]), (&json!("yellow"), &json!("green")));
    let code = make().await;
    platform.clock.advance(TimeDelta::seconds(90));
    assert_eq!(verify(&code).await, ReturnCode::Expired);
}

/// What the page draws is what a scanner reads.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_draws_a_code_that_a_scanner_accepts() {
    let platform = granted().await;
    assert_eq!(platform.page("me/code", "").await.0, 303);
    let cookie = platform.session(NUMBER).await;
    let (status, page) = platform.page("me/code", &cookie).await;
    assert!(status == 200 && page.contains("绿码") && page.contains("90"));
    let text = scan(&page);
    let verified = platform.gb_done(DOOR, "verify", &json!({ "code": text })).await;
    assert_eq!(verified["shown"], "green");
    assert_ne!(scan(&platform.page("me/code", &cookie).await.1), text);
}

/// Reads the QR code that a page draws: dark modules are the rectangles of one path.
fn scan(page: &str) -> String {
    let (_, rest) = page.split_once("<div class=\"code\"").unwrap();
    let (_, rest) = rest.split_once("<path").unwrap();
    let (_, rest) = rest.split_once(" d=\"").unwrap();
    let path = rest.split('"').next().unwrap();
    let squares: Vec<(usize, usize, usize)> = path
        .split('M')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let numbers: Vec<usize> = part
                .split(|c: char| !c.is_ascii_digit())
                .filter(|word| !word.is_empty())
                .map(|word| word.parse().unwrap())
                .collect();
            (numbers[0], numbers[1], numbers[2])
        })
        .collect();
    let side = squares.iter().map(|(x, y, size)| x.max(y) + size).max().unwrap() + 40;
    let is_dark = |x: usize, y: usize| {
        squares
            .iter()
            .any(|(left, top, size)| (*left..left + size).contains(&x) && (*top..top + size).contains(&y))
    };
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if is_dark(x, y) { 0 } else { 255 });
    image.detect_grids()[0].decode().unwrap().1
}
