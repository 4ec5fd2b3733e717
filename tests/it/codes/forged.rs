//! Forged, mistyped and replayed codes, by every way in: none of them is taken, and no row is stored.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::domain::keyring::Keyring;
use placecode::domain::place_code::PlaceCode;
use placecode::domain::venue::PointId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use uuid::Uuid;

use super::{ask, shown};
use crate::support::people::Place;
use crate::support::{TestApp, until};

const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many scans a visitor may ask for within a minute.
const PATIENCE: usize = 60;

struct House {
    app: TestApp,
    place: Place,
    asked: std::cell::Cell<u32>,
}

impl House {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let place = app.venue("老茶馆", "teahouse").await;
        Self { app, place, asked: std::cell::Cell::new(0) }
    }

    /// What the API says to a visitor's own scan; another visitor asks when one has asked too often.
    async fn own(&self, codes: &[String]) -> Vec<(u16, String)> {
        let mut answers = Vec::new();
        for some in codes.chunks(PATIENCE) {
            self.asked.set(self.asked.get() + 1);
            let visitor = self.app.person(1000 + self.asked.get()).await;
            for code in some {
                let answer = visitor.post("/v1/scans", &json!({ "code": code })).await;
                answers.push((answer.status, answer.text));
            }
        }
        answers
    }

    /// Every code is refused by the API, and by the page where it can stand in an address.
    async fn refused(&self, codes: &[String], about: &str) {
        for (code, (status, text)) in codes.iter().zip(self.own(codes).await) {
            assert_eq!(status, 422, "{about}: {code}: {text}");
            assert!(text.contains("code: "), "{about}: {code}: {text}");
        }
        let phone = self.app.phone(1).await;
        for code in codes {
            let path: String = url::form_urlencoded::byte_serialize(code.as_bytes()).collect();
            let page = phone.get(&format!("/{path}")).await;
            assert!(matches!(page.status, 404 | 410), "{about}: {code}: {} {}", page.status, page.text);
            let sent = phone.send_form(&format!("/{path}"), &[]).await;
            assert!((400..500).contains(&sent.status), "{about}: {code}: {} {}", sent.status, sent.text);
        }
        self.handed(codes, about).await;
    }

    /// Every code is refused in a list that a machine hands in.
    async fn handed(&self, codes: &[String], about: &str) {
        let (now, source) = (self.app.now(), self.app.staff(Role::ScanSource, "410000").await);
        let assertion = self.app.assertion(1, now);
        let row = |code: &String| json!({ "id": Uuid::now_v7(), "code": code, "assertion": assertion, "occurred_at": now });
        for some in codes.chunks(1000) {
            let rows: Vec<_> = some.iter().map(row).collect();
            let answer = source.post("/v1/scans/batch", &json!({ "scans": rows })).await.expect(200);
            assert_eq!(answer["accepted"], 0, "{about}");
            for refused in answer["refused"].as_array().unwrap() {
                assert!(refused["reason"].as_str().unwrap().starts_with("code: "), "{about}: {refused}");
            }
            assert_eq!(answer["refused"].as_array().unwrap().len(), some.len(), "{about}");
        }
    }

    async fn stored(&self) -> i64 {
        self.app.settle().await;
        self.app.number("select count(*) from scans").await
    }

    /// A printed and a rotating code that are genuine now.
    fn genuine(&self) -> [String; 2] {
        [self.place.code.clone(), shown(&self.app, &self.place, self.app.now())]
    }

    fn printed(&self, keys: &Keyring, generation: u8) -> String {
        let point = PointId::from_i64(self.place.point).unwrap();
        PlaceCode { point, generation }.sign(keys).unwrap().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_of_other_keys_slots_and_versions_and_cut_ones_are_refused() {
    let house = House::new().await;
    let foreign = Keyring::new([1; 32], [3; 32]);
    let other_slot = Keyring::new([1; 32], [2; 32]).rotated([2; 32]).unwrap();
    let rotating = |keys: &Keyring| {
        let point = PointId::from_i64(house.place.point).unwrap();
        let step = placecode::domain::rotating_code::Step::of(house.app.now());
        placecode::domain::rotating_code::RotatingCode { point, step }.sign(keys).unwrap().to_string()
    };
    let keys = [
        house.printed(&foreign, 1),
        rotating(&foreign),
        house.printed(&other_slot, 1),
        rotating(&other_slot),
    ];
    house.refused(&keys, "wrong key or unknown slot").await;
    for good in house.genuine() {
        // The first symbol holds the version and the highest bit of the slot.
        let versions = (0..16)
            .filter(|version| !matches!(version, 1 | 2))
            .map(|version: usize| format!("{}{}", char::from(ALPHABET[version << 1]), &good[1..]));
        house.refused(&versions.collect::<Vec<_>>(), "wrong version").await;
        let swapped = format!("{}{}", if good.starts_with('2') { '4' } else { '2' }, &good[1..]);
        house.refused(&[swapped], "the other version").await;
        let cut: Vec<String> = (0..good.len()).map(|length| good[..length].to_owned()).collect();
        house.refused(&cut[1..], "cut").await;
        let beheaded: Vec<String> = (1..good.len()).map(|start| good[start..].to_owned()).collect();
        house.refused(&beheaded, "cut at the front").await;
    }
    assert_eq!(house.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_altered_or_two_swapped_symbols_are_caught_everywhere() {
    let house = House::new().await;
    for good in house.genuine() {
        let with = |at: usize, symbol: u8| {
            let mut code = good.clone().into_bytes();
            code[at] = symbol;
            String::from_utf8(code).unwrap()
        };
        let mut all = Vec::new();
        let mut some = Vec::new();
        for at in 0..good.len() {
            let others: Vec<String> = ALPHABET
                .iter()
                .filter(|symbol| **symbol != good.as_bytes()[at])
                .map(|symbol| with(at, *symbol))
                .collect();
            assert_eq!(others.len(), 31);
            some.push(others[at].clone());
            all.extend(others);
        }
        house.handed(&all, "altered").await;
        house.refused(&some, "altered").await;
        let swapped = (1..good.len()).map(|at| {
            let mut code = good.clone().into_bytes();
            code.swap(at - 1, at);
            String::from_utf8(code).unwrap()
        });
        let swapped: Vec<String> = swapped.filter(|code| *code != good).collect();
        assert!(swapped.len() > 10);
        house.refused(&swapped, "swapped").await;
    }
    assert_eq!(house.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn look_alikes_and_junk_are_refused_and_what_people_type_is_taken() {
    let house = House::new().await;
    let mut taken = 0;
    for good in house.genuine() {
        // Full-width forms, Cyrillic and Greek letters, and digits of other scripts that look the same.
        let wide = |c: char| char::from_u32(u32::from(c) + 0xFEE0).unwrap();
        let mut alike: Vec<String> = (0..good.len())
            .map(|at| {
                let one = char::from(good.as_bytes()[at]);
                format!("{}{}{}", &good[..at], wide(one), &good[at + 1..])
            })
            .collect();
        for (ours, theirs) in [
            ('0', 'О'),
            ('0', 'Ο'),
            ('A', 'А'),
            ('E', 'Ε'),
            ('C', 'С'),
            ('1', 'І'),
            ('1', '١'),
            ('2', '２'),
            ('4', '４'),
        ] {
            alike.push(good.replacen(ours, &theirs.to_string(), 1));
        }
        alike.retain(|code| *code != good);
        assert!(alike.len() > 22);
        house.refused(&alike, "look-alikes").await;
        let spaced = |at: usize, between: &str| format!("{}{between}{}", &good[..at], &good[at..]);
        let junk = [
            format!("{good}0"),
            format!("0{good}"),
            format!("{good}."),
            format!("{good}?from=1"),
            format!("{good}#top"),
            format!("{good}/"),
            format!("{good}/x"),
            format!("{good}\u{200b}"),
            format!("{good}\u{0}"),
            format!("{good} {good}"),
            format!("{good};drop table scans"),
            spaced(5, "  "),
            spaced(5, "\t"),
            spaced(5, "\u{a0}"),
            spaced(3, " "),
            spaced(5, "_"),
        ];
        let about = "junk";
        for (code, (status, text)) in junk.iter().zip(house.own(&junk).await) {
            assert_eq!(status, 422, "{about}: {code}: {text}");
        }
        let base = house.app.config.public_url.as_str();
        let typed = [
            good.to_lowercase(),
            format!(" {good}\r\n"),
            [&good[..5], &good[5..10], &good[10..15], &good[15..]].join("-"),
            [&good[..5], &good[5..10], &good[10..15], &good[15..]].join(" "),
            good.replace('0', "o").replace('1', "l"),
            good.replace('0', "O").replace('1', "I"),
            format!("{base}{good}"),
            format!("HTTPS://P.EXAMPLE.CN/{}", good.to_lowercase()),
            // Only the code decides: a genuine one on a foreign host names the same point.
            format!("https://evil.example/login/{good}"),
        ];
        for (code, (status, text)) in typed.iter().zip(house.own(&typed).await) {
            assert_eq!(status, 201, "{code}: {text}");
        }
        taken += typed.len();
        // And a forged one on our own host names none.
        let forged = format!("{base}{}", house.printed(&Keyring::new([1; 32], [3; 32]), 1));
        assert_eq!(house.own(&[forged]).await[0].0, 422);
    }
    assert_eq!(house.stored().await, i64::try_from(taken).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_cannot_be_replayed() {
    let house = House::new().await;
    let app = &house.app;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let path = format!("/v1/points/{}/code", house.place.point);
    let [printed, rotating] = house.genuine();
    app.clock.advance(TimeDelta::seconds(60));
    house.refused(std::slice::from_ref(&rotating), "a screen's code of a minute ago").await;
    let unprinted = [house.printed(&app.app.keys, 0), house.printed(&app.app.keys, 2)];
    house.refused(&unprinted, "generations that were never printed").await;
    // The replica that makes a change goes by it when it answers.
    let turned = inspector.post(&path, &json!({})).await.expect(200);
    let new = turned["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert!(ask(&app.person(1).await, &new, app).await.contains("future"));
    app.pass(72 * 60);
    house.refused(std::slice::from_ref(&printed), "replaced").await;
    inspector.post(&path, &json!({ "revoke": true })).await.expect(200);
    let live = shown(app, &house.place, app.now());
    house.refused(&[printed, new.clone(), live.clone()], "revoked").await;
    let suspended = app.venue("新茶馆", "teahouse").await;
    let review = format!("/v1/venues/{}/review", suspended.venue);
    inspector.post(&review, &json!({ "state": "suspended", "reason": "整改" })).await.expect(200);
    let visitor = app.person(1).await;
    for code in [suspended.code.clone(), shown(app, &suspended, app.now())] {
        until("it is suspended", async || ask(&visitor, &code, app).await.contains("does not take scans"))
            .await;
    }
    assert_eq!(house.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_guesses_are_refused_and_leave_no_row() {
    let house = House::new().await;
    let mut random = StdRng::seed_from_u64(2026);
    // Half of them name a version that there is, with the key slot that there is.
    let mut guess = |number: usize| {
        let symbols = (0..21).map(|_| char::from(ALPHABET[random.random_range(0..32)]));
        let mut code: String = symbols.collect();
        if number.is_multiple_of(2) {
            let slot = ["200", "400"][number / 2 % 2];
            code.replace_range(..3, slot);
        }
        code
    };
    let guesses: Vec<String> = (0..10_000).map(&mut guess).collect();
    house.handed(&guesses[..9_000], "guesses").await;
    for (code, (status, text)) in guesses[9_000..9_600].iter().zip(house.own(&guesses[9_000..9_600]).await) {
        assert_eq!(status, 422, "{code}: {text}");
    }
    let phone = house.app.phone(1).await;
    for code in &guesses[9_600..] {
        assert_eq!(phone.get(&format!("/{code}")).await.status, 404, "{code}");
    }
    // Whoever guesses more often than people scan is told to wait.
    let visitor = house.app.person(1).await;
    for code in &guesses[..PATIENCE] {
        visitor.post("/v1/scans", &json!({ "code": code })).await.problem(422);
    }
    visitor.post("/v1/scans", &json!({ "code": house.place.code })).await.problem(429);
    assert_eq!(house.stored().await, 0);
    assert_eq!(house.app.number("select count(*) from stays").await, 0);
}
