//! The interfaces of GB/T 38963 for people themselves: declare, itinerary, query, correct.

use chrono::TimeDelta;
use placecode::domain::letter::LetterKind;
use placecode::issuer::reference::gb38963::ReturnCode::{self, Document, Field, Permission};
use serde_json::{Value, json};
use uuid::Uuid;

use super::platform::Platform;

pub(crate) const NUMBER: &str = "11010519491231002X";

/// Who asks: the token of a program, or the session of a person.
#[derive(Clone, Copy)]
pub(crate) enum As<'a> {
    Token(&'a str),
    Session(&'a str),
    Nobody,
}

impl Platform {
    /// One of the seven interfaces: the HTTP status, the return code and the rest.
    pub(crate) async fn gb(&self, who: As<'_>, name: &str, data: &Value) -> (u16, String, Value) {
        let body = json!({ "requestId": "r-1", "bizData": data, "bizExtData": { "from": "a test" } });
        let request = self.http.post(self.at(&format!("gb38963/v1/{name}"))).json(&body);
        let request = match who {
            As::Token(token) => request.bearer_auth(token),
            As::Session(cookie) => request.header("cookie", cookie),
            As::Nobody => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let status = answer.status().as_u16();
        let answer: Value = answer.json().await.unwrap();
        if status == 200 {
            assert_eq!(
                (&answer["requestId"], &answer["bizExtData"]),
                (&json!("r-1"), &json!({ "from": "a test" }))
            );
        }
        (status, answer["code"].as_str().unwrap().to_owned(), answer)
    }

    /// The same, when it must be done.
    pub(crate) async fn gb_done(&self, who: As<'_>, name: &str, data: &Value) -> Value {
        let (status, code, answer) = self.gb(who, name, data).await;
        assert_eq!((status, code.as_str()), (200, "0000"), "{answer}");
        answer["data"].clone()
    }

    /// The return code of what must be refused.
    pub(crate) async fn gb_refused(&self, who: As<'_>, name: &str, data: &Value) -> ReturnCode {
        let (status, code, answer) = self.gb(who, name, data).await;
        let known = ReturnCode::ALL.into_iter().find(|one| one.numbers() == (code.as_str(), status));
        let known = known.unwrap_or_else(|| panic!("{status} {answer}"));
        assert!(known != ReturnCode::Done && !answer["message"].as_str().unwrap().is_empty());
        known
    }
}

/// A person with every field that other systems send.
pub(crate) fn person() -> Value {
    json!({
        "documentType": 10,
        "documentNumber": NUMBER,
        "name": "欧阳测试",
        "sex": "1",
        "nationality": "CHN",
        "householdDivision": "410105",
        "address": "金水区文化路九十九号",
        "phone": "13800138000",
        "medicalHistory": ["罕见病甲"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn people_declare_how_they_are_and_the_service_will_hear_it() {
    let platform = Platform::start().await;
    let cookie = platform.session(NUMBER).await;
    let (own, front) = (As::Session(&cookie), As::Token(platform.keys.api_token()));
    let well = platform.gb_done(own, "declare", &json!({ "symptoms": [], "temperature": 36.5 })).await;
    assert_eq!(well["kind"], "healthy_check_in");
    for (data, kind) in [
        (json!({ "symptoms": [] }), "healthy_check_in"),
        (json!({ "symptoms": [], "temperature": 37.3 }), "symptomatic_check_in"),
        (json!({ "symptoms": ["咳嗽"], "highRiskArea": true }), "symptomatic_check_in"),
        (json!({ "symptoms": [], "highRiskArea": true }), "healthy_check_in"),
    ] {
        let mut data = data;
        data["person"] = person();
        assert_eq!(platform.gb_done(front, "declare", &data).await["kind"], kind, "{data}");
    }
    let facts = platform.rows("select distinct visitor from facts").await;
    assert_eq!(facts, [json!({ "visitor": platform.visitor(NUMBER).to_uuid() })]);
    // Saying how one is colours nobody.
    assert_eq!(platform.code(platform.visitor(NUMBER)).await["colour"], "green");
    let with = |name: &str, value: Value| {
        let mut person = person();
        person[name] = value;
        json!({ "symptoms": [], "person": person })
    };
    for (data, code) in [
        (json!({ "symptoms": [] }), Field),
        (json!({ "person": person() }), Field),
        (json!({ "symptoms": "none", "person": person() }), Field),
        (json!({ "symptoms": [], "temperature": 20, "person": person() }), Field),
        (json!({ "symptoms": [""], "person": person() }), Field),
        (json!({ "symptoms": [], "colour": "red", "person": person() }), Field),
        (with("sex", json!("m")), Field),
        (with("nationality", json!("China")), Field),
        (with("householdDivision", json!("999999")), Field),
        (with("phone", json!("call me")), Field),
        (with("name", json!("")), Field),
        (with("documentType", json!(11)), Document),
        (with("documentNumber", json!("110105194912310021")), Document),
    ] {
        assert_eq!(platform.gb_refused(front, "declare", &data).await, code, "{data}");
    }
    // Who has signed in speaks for nobody else.
    let other = with("documentNumber", json!("440524188001010014"));
    assert_eq!(platform.gb_refused(own, "declare", &other).await, Permission);
    for _ in 0..5 {
        platform.gb_done(own, "declare", &json!({ "symptoms": [] })).await;
    }
    assert_eq!(platform.gb_refused(own, "declare", &json!({ "symptoms": [] })).await, ReturnCode::Share);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_unknown_asks_anything_and_nobody_in_anothers_name() {
    let platform = Platform::start().await;
    let cookie = platform.session(NUMBER).await;
    for name in ["declare", "itinerary", "query", "call", "make", "verify", "correct"] {
        for who in [As::Nobody, As::Token("x"), As::Session("health_code_session=AAAA")] {
            assert_eq!(platform.gb_refused(who, name, &json!({})).await, ReturnCode::Caller, "{name}");
        }
        let url = platform.at(&format!("gb38963/v1/{name}"));
        let request = platform.http.post(url.clone()).header("cookie", &cookie);
        let foreign = request.header("origin", "https://evil.example").body("{}").send().await.unwrap();
        assert_eq!(foreign.status(), 401, "{name}");
        let token = platform.keys.api_token();
        let long = platform.http.post(url.clone()).bearer_auth(token).body("x".repeat(65 * 1024));
        let long: Value = long.send().await.unwrap().json().await.unwrap();
        assert_eq!(long["code"], ReturnCode::Length.numbers().0, "{name}");
        let form = platform.http.post(url).bearer_auth(token).body("{\"bizData\": {}}").send().await.unwrap();
        let form: Value = form.json().await.unwrap();
        assert_eq!(form["code"], ReturnCode::Form.numbers().0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn journeys_are_for_who_declares_them_and_come_near_no_colour() {
    let platform = Platform::start().await;
    let cookie = platform.session(NUMBER).await;
    let (own, front) = (As::Session(&cookie), As::Token(platform.keys.api_token()));
    let now = platform.clock.now();
    let journey = json!({
        "fromDivision": "410105", "toDivision": "330106", "departedAt": now, "vehicle": "G1836 05车"
    });
    let data = json!({ "journeys": [journey] });
    let first = platform.gb_done(own, "itinerary", &data).await;
    let told = platform.gb_done(own, "query", &json!({})).await;
    assert_eq!(told["itineraries"][0]["journeys"], json!([journey]));
    assert_eq!(told["itineraries"][0]["itineraryId"], first["itineraryId"]);
    // Sealed in the database, and told to nobody else, not even to the front-end that knows the person.
    let rows = platform.rows("select encode(sealed, 'escape') as sealed from journeys").await;
    assert!(!rows[0].to_string().contains("410105") && !rows[0].to_string().contains("G1836"));
    let others = platform.gb_done(front, "query", &json!({ "person": person() })).await;
    assert!(others.get("itineraries").is_none());
    assert_eq!(platform.code(platform.visitor(NUMBER)).await["colour"], "green");
    assert!(platform.rows("select * from facts").await.is_empty());
    for bad in [
        json!({}),
        json!({ "journeys": [], "withdraw": null }),
        json!({ "journeys": vec![&journey; 21] }),
        json!({ "journeys": [{ "fromDivision": "41", "toDivision": "330106", "departedAt": now }] }),
    ] {
        assert_eq!(platform.gb_refused(own, "itinerary", &bad).await, ReturnCode::Field, "{bad}");
    }
    // Only who declared it takes it back.
    let withdraw = json!({ "withdraw": first["itineraryId"] });
    let stranger = platform.session("440524188001010014").await;
    assert_eq!(
        platform.gb_refused(As::Session(&stranger), "itinerary", &withdraw).await,
        ReturnCode::Unknown
    );
    platform.gb_done(own, "itinerary", &withdraw).await;
    assert_eq!(platform.gb_done(own, "query", &json!({})).await["itineraries"], json!([]));
    platform.gb_done(own, "itinerary", &data).await;
    platform.clock.advance(TimeDelta::days(28));
    let later = platform.session(NUMBER).await;
    assert_eq!(platform.gb_done(As::Session(&later), "query", &json!({})).await["itineraries"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_tells_the_whole_standing_and_an_objection_is_kept_and_linked() {
    let platform = Platform::start().await;
    let cookie = platform.session(NUMBER).await;
    let (own, visitor) = (As::Session(&cookie), platform.visitor(NUMBER));
    let nothing = platform.gb_done(own, "correct", &json!({})).await;
    assert_eq!(nothing["appeals"], json!([]));
    let (open, past) = (Uuid::now_v7(), Uuid::now_v7());
    let letter = |sequence, kind, assignment: Uuid| {
        let mut letter = platform.letter(visitor, sequence, kind, assignment);
        letter.appeal_url = format!("https://p.example.cn/me/appeals/{assignment}");
        letter
    };
    platform.deliver(&[letter(1, LetterKind::Assigned, open), letter(2, LetterKind::Withdrawn, past)]).await;
    let told = platform.gb_done(own, "query", &json!({})).await;
    assert_eq!((&told["shown"], &told["colour"]), (&json!("yellow"), &json!("yellow")));
    let ground = &told["assignments"][0];
    assert_eq!(ground["places"][0]["place"], "星河商场 · 东门");
    assert_eq!(ground["reason"]["en"], "You were at the same place at the same time as a case");
    assert_eq!(
        (&ground["rulePack"], &ground["history"][0]["kind"]),
        (&json!("baseline@1"), &json!("assigned"))
    );
    assert_eq!((&told["past"][0]["ended"], told["past"][0].get("places")), (&json!("withdrawn"), None));
    assert!(!told.to_string().contains(&visitor.to_hex()));
    // Whoever is coloured is always shown what to appeal against.
    let listed = platform.gb_done(own, "correct", &json!({ "text": "我没有去过那里" })).await;
    let link = |id: Uuid| format!("https://p.example.cn/me/appeals/{id}");
    assert_eq!(
        listed["appeals"],
        json!([
            { "assignmentId": open, "appealUrl": link(open) },
            { "assignmentId": past, "appealUrl": link(past) },
        ])
    );
    assert_eq!(listed["correctionId"], Value::Null);
    let data = json!({ "assignmentId": open, "text": "我没有去过那里" });
    let kept = platform.gb_done(own, "correct", &data).await;
    assert_eq!(kept["appealUrl"], link(open));
    let rows =
        platform.rows("select id, assignment_id, encode(sealed, 'escape') as s from corrections").await;
    assert_eq!((&rows[0]["id"], &rows[0]["assignment_id"]), (&kept["correctionId"], &json!(open)));
    assert!(!rows[0].to_string().contains("没有"));
    assert_eq!(
        platform.gb_done(own, "correct", &json!({ "assignmentId": past })).await["appealUrl"],
        link(past)
    );
    // Nobody objects in another's name, nor against what is not theirs.
    let stranger = platform.session("440524188001010014").await;
    assert_eq!(platform.gb_refused(As::Session(&stranger), "correct", &data).await, ReturnCode::Unknown);
    let long = json!({ "assignmentId": open, "text": "长".repeat(1001) });
    assert_eq!(platform.gb_refused(own, "correct", &long).await, ReturnCode::Field);
    for _ in 0..9 {
        platform.gb_done(own, "correct", &data).await;
    }
    assert_eq!(platform.gb_refused(own, "correct", &data).await, ReturnCode::Share);
    assert_eq!(platform.code(visitor).await["colour"], "yellow", "an objection alone changes nothing");
}

#[test]
fn the_manual_has_every_return_code() {
    let manual = include_str!("../../../docs/issuing-system.md");
    for code in ReturnCode::ALL {
        let (digits, status) = code.numbers();
        assert!(manual.contains(&format!("| {digits} | {status} |")), "{digits}");
    }
}
