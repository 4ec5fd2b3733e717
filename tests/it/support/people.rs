//! Staff, visitors, venues, cases: what the stories are told with.

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::access::Role;
use placecode::domain::assertion::{AUDIENCE, IdentityClaims, sign};
use placecode::domain::visitor::{IdentityKind, Visitor};
use placecode::http::auth::{new_token, token_hash};
use placecode::store::access::{self, SessionRow, StaffRow, role_numbers};
use serde_json::{Value, json};
use uuid::Uuid;

use super::TestApp;
use super::client::Client;

/// A venue with its code.
pub struct Place {
    pub venue: String,
    pub point: i64,
    pub code: String,
}

impl TestApp {
    /// A signed-in member of staff.
    pub async fn staff(&self, role: Role, division: &str) -> Client {
        self.member(&[role], division).await.1
    }

    /// A signed-in member of staff with an id. The account cannot be signed into again: it has no password.
    pub async fn member(&self, roles: &[Role], division: &str) -> (Uuid, Client) {
        let (token, now) = (new_token(), self.now());
        let id = Uuid::now_v7();
        let words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
        let row = StaffRow {
            id,
            login: format!("{}-{}", &words[0].replace('_', "-"), &id.simple().to_string()[24..]),
            display_name: words[0].to_owned(),
            password_hash: "none".into(),
            roles: role_numbers(roles),
            division: division.into(),
            disabled_at: None,
            created_at: now,
        };
        let session = SessionRow {
            token_hash: token_hash(&token),
            staff_id: id,
            expires_at: now + TimeDelta::days(60),
            created_at: now,
        };
        let mut conn = self.app.store.conn().await.unwrap();
        access::insert_staff(&mut conn, &row).await.unwrap();
        access::insert_session(&mut conn, &session).await.unwrap();
        (id, self.client(Some(&token)))
    }

    /// The pseudonym of somebody, as the channel makes it.
    pub fn visitor(&self, number: u32) -> Visitor {
        Visitor::of(self.issuer_keys.visitor_key().bytes(), IdentityKind::Other, &format!("person-{number}"))
    }

    /// The channel's word that it has verified somebody at that time.
    pub fn assertion(&self, number: u32, at: DateTime<Utc>) -> String {
        let claims = IdentityClaims {
            sub: self.visitor(number).to_hex(),
            aud: AUDIENCE.into(),
            iat: at.timestamp(),
            exp: at.timestamp() + 300,
            colour: None,
            colour_at: None,
            division: None,
            aliases: std::collections::BTreeMap::new(),
        };
        sign(&claims, self.issuer_keys.channel(), self.issuer_keys.channel_key())
    }

    /// Somebody whom the channel has just verified, with a visitor token.
    pub async fn person(&self, number: u32) -> Client {
        let body = json!({ "assertion": self.assertion(number, self.now()) });
        let answer = self.client(None).post("/v1/visitor-tokens", &body).await.expect(201);
        self.client(answer["token"].as_str())
    }

    /// An approved venue with one point.
    pub async fn venue(&self, name: &str, category: &str) -> Place {
        let manager = self.staff(Role::VenueManager, "410000").await;
        let made = manager.post("/v1/venues", &new_venue(name, category)).await.expect(201);
        let id = made["id"].as_str().unwrap().to_owned();
        let inspector = self.staff(Role::Inspector, "410000").await;
        let review = json!({ "state": "approved", "reason": "在现场核实" });
        inspector.post(&format!("/v1/venues/{id}/review"), &review).await.expect(200);
        let point = &made["points"][0];
        let code = point["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let place = Place { venue: id, point: point["id"].as_i64().unwrap(), code };
        self.answering(&place).await;
        place
    }

    /// Waits until the service has heard that a place takes scans. The scan that asks is refused for its
    /// time, which is looked at after the code.
    pub async fn answering(&self, place: &Place) {
        let somebody = self.person(u32::try_from(place.point & 0xFFFF_FFFF).unwrap()).await;
        let scan = json!({ "code": place.code, "occurred_at": self.now() + TimeDelta::days(1) });
        super::until("the service knows the place", async || {
            somebody.post("/v1/scans", &scan).await.problem(422).starts_with("occurred_at")
        })
        .await;
    }

    /// A scan of somebody some minutes ago, as the visitor's own, near the place.
    pub async fn scan(&self, number: u32, place: &Place, minutes_ago: i64) -> Value {
        self.scan_from(number, place, minutes_ago, Some(near())).await
    }

    /// A scan with what the phone tells of where it is.
    pub async fn scan_from(
        &self,
        number: u32,
        place: &Place,
        minutes_ago: i64,
        cell: Option<String>,
    ) -> Value {
        let body = json!({
            "id": Uuid::now_v7(),
            "code": place.code,
            "occurred_at": self.now() - TimeDelta::minutes(minutes_ago),
            "phone_cell": cell,
        });
        self.person(number).await.post("/v1/scans", &body).await.expect(201)
    }

    /// Reports somebody as a confirmed case of Zhengzhou, ill since this morning.
    pub async fn case(&self, investigator: &Client, number: u32) -> String {
        let body = new_case(&self.visitor(number).to_hex(), self.now());
        let case = investigator.post("/v1/cases", &body).await.expect(201);
        case["id"].as_str().unwrap().to_owned()
    }

    /// Asks for a run and lets the pipeline compute it.
    pub async fn run(&self, investigator: &Client, case: &str) -> Value {
        let body = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查" });
        let run = investigator.post(&format!("/v1/cases/{case}/runs"), &body).await.expect(202);
        self.settle().await;
        investigator.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.expect(200)
    }

    /// Proposes a run and has two officers let it go.
    pub async fn release(&self, investigator: &Client, run: &str) {
        self.give_words(investigator, run).await;
        self.settle().await;
    }

    /// Proposes a run and gives two officers' words, and leaves the rest to the pipeline.
    pub async fn give_words(&self, investigator: &Client, run: &str) {
        investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
        self.settle().await;
        for _ in 0..2 {
            let officer = self.staff(Role::ReleasingOfficer, "410100").await;
            let word = json!({ "legal_basis": "传染病防治法第三十九条" });
            officer.post(&format!("/v1/runs/{run}/release"), &word).await.expect(202);
        }
    }

    /// An approved place in Shijiazhuang, hundreds of kilometres from all others.
    pub async fn place_in_shijiazhuang(&self, name: &str, category: &str) -> Place {
        let mut venue = new_venue(name, category);
        for (key, value) in [
            ("division", json!("130102")),
            ("lat_deg", json!(38.0428)),
            ("lng_deg", json!(114.5149)),
            ("organisation", json!("石家庄某某服务有限公司")),
            ("address", json!("石家庄市长安区中山路1号")),
        ] {
            venue[key] = value;
        }
        let made =
            self.staff(Role::VenueManager, "130000").await.post("/v1/venues", &venue).await.expect(201);
        let id = made["id"].as_str().unwrap().to_owned();
        let review = json!({ "state": "approved", "reason": "在现场核实" });
        let inspector = self.staff(Role::Inspector, "130000").await;
        inspector.post(&format!("/v1/venues/{id}/review"), &review).await.expect(200);
        let point = &made["points"][0];
        let code = point["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let place = Place { venue: id, point: point["id"].as_i64().unwrap(), code };
        self.answering(&place).await;
        place
    }

    /// What the issuing system shows of somebody.
    pub async fn colour(&self, number: u32) -> Value {
        let url = format!("http://{}/v1/colours/{}", self.issuer_address, self.visitor(number).to_hex());
        let answer = self.http.get(url).bearer_auth(self.issuer_keys.api_token()).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

/// An application for a venue in Zhengzhou.
pub fn new_venue(name: &str, category: &str) -> Value {
    json!({
        "organisation": "郑州某某餐饮有限公司",
        "name": name,
        "category": category,
        "division": "410105",
        "address": "郑州市金水区花园路1号",
        "lat_deg": 34.7466,
        "lng_deg": 113.6253,
        "capacity": 80,
    })
}

/// A report of a case.
pub fn new_case(visitor: &str, now: DateTime<Utc>) -> Value {
    json!({
        "visitor": visitor,
        "kind": "confirmed",
        "onset_at": now - TimeDelta::hours(6),
        "sampled_at": now - TimeDelta::hours(4),
        "authority": "郑州市疾病预防控制中心",
        "division": "410100",
    })
}

/// The cell of a phone at the venue.
pub fn near() -> String {
    cell_at(34.7466, 113.6253)
}

/// The cell of a phone in another city.
pub fn far() -> String {
    cell_at(38.0428, 114.5149)
}

fn cell_at(lat: f64, lng: f64) -> String {
    let position = placecode::domain::position::Position::new(lat, lng).unwrap();
    position.cell(placecode::domain::position::PHONE_RESOLUTION).to_string()
}
