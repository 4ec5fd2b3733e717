//! What is forged, late, oversized or malformed is refused as a whole, and changes nothing.

use chrono::TimeDelta;
use placecode::domain::letter::{Letter, LetterKind};
use placecode::domain::visitor::Visitor;
use placecode::domain::webhook::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

use super::platform::Platform;

/// A platform that has not heard of anybody, and the letter that would be the first.
struct Trial {
    platform: Platform,
    visitor: Visitor,
    letter: Letter,
    /// The time of the platform, in seconds.
    now: i64,
}

impl Trial {
    async fn begin() -> Self {
        let platform = Platform::start().await;
        let visitor = Visitor::from_uuid(Uuid::now_v7());
        let letter = platform.letter(visitor, 1, LetterKind::Assigned, Uuid::now_v7());
        let now = platform.clock.now().timestamp();
        Self { platform, visitor, letter, now }
    }

    fn envelope(&self, letters: &Value) -> String {
        let timestamp = self.platform.clock.now();
        json!({ "type": "placecode.letters.v1", "timestamp": timestamp, "letters": letters }).to_string()
    }

    /// An envelope of a good letter and one with a bad value.
    fn spoiled(&self, name: &str, value: Value) -> String {
        let mut bad = json!(self.letter);
        bad[name] = value;
        self.envelope(&json!([self.letter, bad]))
    }

    fn sign(&self, id: &str, at: i64, body: &str) -> String {
        self.platform.letters_key().sign(id, at, body.as_bytes())
    }

    /// The status and the detail of a refusal, which never names the visitor.
    async fn post(&self, body: &str, timestamp: &str, signature: &str) -> (u16, String) {
        let request = self.platform.http.post(self.platform.at("v1/letters")).header("webhook-id", "msg_1");
        let request = request.header("webhook-timestamp", timestamp).header("webhook-signature", signature);
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["status"], status);
        assert!(!problem.to_string().contains(&self.visitor.to_hex()), "{problem}");
        (status, problem["detail"].as_str().unwrap().to_owned())
    }

    async fn post_signed(&self, body: &str, at: i64) -> (u16, String) {
        self.post(body, &at.to_string(), &self.sign("msg_1", at, body)).await
    }

    /// Nothing has changed, and the good letter is still new.
    async fn end(self) {
        assert_eq!(self.platform.code(self.visitor).await["colour"], "green");
        let letters = &self.platform.read("v1/summary").await["letters"];
        assert_eq!(letters, &json!({ "applied": 0, "stale": 0 }));
        let applied = self.platform.deliver(std::slice::from_ref(&self.letter)).await;
        assert_eq!(applied, [placecode::issuer::answer::Outcome::Applied]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_service_can_write_letters_and_only_now() {
    let trial = Trial::begin().await;
    let good = trial.envelope(&json!([trial.letter]));
    let now = trial.now.to_string();
    let other = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let forged = other.sign("msg_1", trial.now, good.as_bytes());
    assert_eq!(trial.post(&good, &now, &forged).await.0, 401);
    let of_another_sending = trial.sign("msg_2", trial.now, &good);
    assert_eq!(trial.post(&good, &now, &of_another_sending).await.0, 401);
    let of_another_body = trial.sign("msg_1", trial.now, "{}");
    assert_eq!(trial.post(&good, &now, &of_another_body).await.0, 401);
    assert_eq!(trial.post(&good, &now, "").await.0, 401);
    assert_eq!(trial.post_signed(&good, trial.now - 301).await.0, 401);
    assert_eq!(trial.post_signed(&good, trial.now + 301).await.0, 401);
    for absurd in ["", "x", "-1", "9223372036854775807", "-9223372036854775808"] {
        assert_eq!(trial.post(&good, absurd, "v1,AAAA").await.0, 401);
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_or_no_envelope_is_refused() {
    let trial = Trial::begin().await;
    let good = trial.envelope(&json!([trial.letter]));
    let long = format!("{good}{}", " ".repeat(1024 * 1024));
    assert_eq!(trial.post_signed(&long, trial.now).await.0, 413);
    assert_eq!(trial.post_signed(good.trim_end_matches('}'), trial.now).await.0, 400);
    assert_eq!(trial.post_signed("", trial.now).await.0, 400);
    let no_envelope = [
        "[]".to_owned(),
        trial.envelope(&json!([])),
        trial.envelope(&json!(vec![&trial.letter; 201])),
        good.replace("letters.v1", "letters.v9"),
        trial.spoiled("colour", json!("blue")),
    ];
    for body in no_envelope {
        assert_eq!(trial.post_signed(&body, trial.now).await.0, 422, "{body:.60}");
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_letter_refuses_the_envelope_and_is_named_by_its_place() {
    let trial = Trial::begin().await;
    let now = trial.platform.clock.now();
    let bad = [
        ("visitor", json!("not a visitor")),
        ("visitor", json!(trial.visitor.to_hex().to_uppercase() + "A")),
        ("sequence", json!(-1)),
        ("expires_at", json!("2026-01-01T00:00:00Z")),
        ("expires_at", json!("2036-01-01T00:00:00Z")),
        ("last_exposure_at", json!("-200000-01-01T00:00:00Z")),
        ("authority", json!("a\0b")),
        ("exposures", json!([{ "place": "x", "from": now, "until": now - TimeDelta::hours(1) }])),
        ("exposures", json!([{ "place": "x\0", "from": now, "until": now }])),
    ];
    for (name, value) in bad {
        let (status, detail) = trial.post_signed(&trial.spoiled(name, value), trial.now).await;
        assert!(status == 422 && detail.starts_with("letter 2: "), "{name}: {status} {detail}");
    }
    trial.end().await;
}
