//! Names, numbers, addresses and symptoms come as far as the border and no further: the database and the log are searched
//! for everything that was sent.

use serde_json::{Value, json};
use uuid::Uuid;

use super::interfaces::{As, NUMBER, person};
use super::platform::Platform;
use crate::privacy;

/// What only the requests of this test hold.
const SENT: [&str; 9] = [
    NUMBER,
    "欧阳测试",
    "金水区文化路九十九号",
    "13800138000",
    "罕见病甲",
    "嗅觉减退甲乙",
    "G1836-05-07F",
    "我在家里没有出门",
    "PERSON-SECRET-1",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_kept_or_logged() {
    privacy::listen();
    let platform = Platform::start().await;
    let front = As::Token(platform.keys.api_token());
    let assignment = Uuid::now_v7();
    let letter = platform.letter(
        platform.visitor(NUMBER),
        1,
        placecode::domain::letter::LetterKind::Assigned,
        assignment,
    );
    platform.deliver(&[letter]).await;
    let with = |data: Value| {
        let mut data = data;
        data["person"] = person();
        data
    };
    let journey = json!({
        "fromDivision": "410105", "toDivision": "330106", "departedAt": platform.clock.now(), "vehicle": SENT[6]
    });
    let mut answers = Vec::new();
    for (name, data) in [
        ("declare", json!({ "symptoms": [SENT[5]], "temperature": 38.1 })),
        ("itinerary", json!({ "journeys": [journey] })),
        ("query", json!({})),
        ("make", json!({})),
        ("correct", json!({ "assignmentId": assignment, "text": SENT[7] })),
    ] {
        answers.push(platform.gb_done(front, name, &with(data)).await.to_string());
    }
    let test = json!({
        "id": Uuid::now_v7(), "kind": 99, "number": SENT[8], "result": "positive", "at": platform.clock.now()
    });
    let request = platform.http.post(platform.at("v1/tests")).bearer_auth(platform.keys.api_token());
    let answer = request.json(&json!({ "tests": [test] })).send().await.unwrap();
    answers.push(answer.text().await.unwrap());
    // What is refused is said without the value.
    for (name, value) in [("sex", "欧阳测试"), ("documentType", "13800138000"), ("欧阳测试", "x")] {
        let mut person = person();
        person[name] = json!(value);
        let (_, _, answer) = platform.gb(front, "query", &json!({ "person": person })).await;
        answers.push(answer.to_string());
    }
    for answer in &answers {
        let told: Vec<_> = SENT.iter().filter(|secret| answer.contains(**secret)).collect();
        assert!(told.is_empty(), "{told:?} in {answer}");
    }
    let tables = "select table_name as t from information_schema.tables where table_schema = 'public'";
    let mut searched = 0;
    for table in platform.rows(tables).await {
        let table = table["t"].as_str().unwrap();
        let rows = platform.rows(&format!("select q::text as row from {table} as q")).await;
        searched += rows.len();
        // Bytes stand there as hexadecimal digits.
        let text = format!("{rows:?}");
        for secret in SENT {
            let hex = data_encoding::HEXLOWER.encode(secret.as_bytes());
            assert!(!text.contains(secret) && !text.contains(&hex), "{secret} is kept in {table}");
        }
    }
    assert!(searched > 5, "there was something to search");
    let log = String::from_utf8(privacy::log().clone()).unwrap();
    assert!(log.contains("facts arrived") && log.contains("letters arrived"), "the log was heard");
    for line in log.lines() {
        let told: Vec<_> = SENT.iter().filter(|secret| line.contains(**secret)).collect();
        assert!(told.is_empty(), "a log line tells {told:?}: {line}");
    }
}
