//! Who scans, and where: places with signed codes, visitors with tokens, a digital sentinel with its key.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use ed25519_dalek::SigningKey;
use placecode::domain::assertion::{AUDIENCE, DeviceClaims, IdentityClaims, sign};
use placecode::domain::keyring::Keyring;
use placecode::domain::place_code::PlaceCode;
use placecode::domain::position::{PHONE_RESOLUTION, Position};
use placecode::domain::token::VisitorToken;
use placecode::domain::venue::PointId;
use placecode::domain::visitor::Visitor;
use placecode::store::access::{self, ChannelRow, DeviceRow};
use placecode::store::register;
use placecode::store::retention::{self, Sighting};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::rows;

/// So many that nobody comes near the sixty scans a minute that one visitor may send.
const VISITORS: u64 = 1200;
const KINDS: [&str; 4] = ["teahouse", "school", "metro_station", "ktv"];
const POINTS_EACH: i64 = 10;
const CHANNEL: &str = "health-code";
const DEVICE: Uuid = Uuid::from_u128(77);
/// Longer than any jump of a clock, so that a service whose clock is wrong looks at the scan itself.
const TOKEN_DAYS: i64 = 90;

/// A place to scan.
pub struct Place {
    pub point: i64,
    /// The text of its poster.
    pub code: String,
    /// The cell of a phone that is there.
    pub near: String,
}

/// Somebody who scans.
pub struct Person {
    pub visitor: Visitor,
    pub token: String,
}

pub struct City {
    pub keyring: Keyring,
    pub places: Vec<Place>,
    pub people: Vec<Person>,
    channel: SigningKey,
    device: SigningKey,
}

fn position() -> Position {
    Position::new(34.7466, 113.6253).expect("a place on earth")
}

impl City {
    pub fn new(now: DateTime<Utc>) -> Self {
        let keyring = Keyring::new([1; 32], [2; 32]);
        let near = position().cell(PHONE_RESOLUTION).to_string();
        let count = i64::try_from(KINDS.len()).expect("few") * POINTS_EACH;
        let place = |number: i64| {
            let point = PointId::from_i64(1000 + number).expect("a small number");
            let code = PlaceCode { point, generation: 1 }.sign(&keyring).expect("the ring has a key");
            Place { point: point.to_i64(), code: code.to_string(), near: near.clone() }
        };
        let person = |number: u64| {
            let visitor =
                Visitor::from_uuid(Uuid::from_u64_pair(number.wrapping_mul(0x9E37_79B9_7F4A_7C15), 1));
            let expires_at = now + TimeDelta::days(TOKEN_DAYS);
            let token = VisitorToken { visitor, channel: CHANNEL.to_owned(), expires_at, colour: None };
            Person { visitor, token: token.seal(keyring.token()) }
        };
        Self {
            places: (0..count).map(place).collect(),
            people: (1..=VISITORS).map(person).collect(),
            keyring,
            channel: SigningKey::from_bytes(&[7; 32]),
            device: SigningKey::from_bytes(&[8; 32]),
        }
    }

    /// Enters the register, the channel and the sentinel.
    pub async fn enter(&self, conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
        register::insert_organisation(conn, &rows::organisation(now)).await?;
        let mut places = self.places.iter();
        for (number, kind) in KINDS.iter().enumerate() {
            let id = Uuid::from_u128(100 + number as u128);
            register::insert_venues(conn, &[rows::venue(id, kind, position(), now)]).await?;
            let own = places.by_ref().take(usize::try_from(POINTS_EACH)?);
            let points: Vec<_> = own.map(|place| rows::point(place.point, id, position(), now)).collect();
            register::insert_points(conn, &points).await?;
        }
        let channel = ChannelRow {
            id: CHANNEL.to_owned(),
            name: "健康码".to_owned(),
            public_key: self.channel.verifying_key().to_bytes().to_vec(),
            page_url: "http://127.0.0.1/identify".to_owned(),
            disabled_at: None,
            created_at: now,
        };
        access::upsert_channel(conn, &channel).await?;
        // As if the pipeline had run for weeks; a new one drops no day before it has seen its clock for one.
        let steady = Sighting { seen_at: now, steady_since: now - TimeDelta::days(20) };
        retention::note_sighting(conn, steady).await?;
        let device = DeviceRow {
            id: DEVICE,
            name: "sentinel".to_owned(),
            point_id: self.sentinel_point(),
            public_key: self.device.verifying_key().to_bytes().to_vec(),
            disabled_at: None,
            created_at: now,
        };
        Ok(access::insert_device(conn, &device).await?)
    }

    /// Where the sentinel stands.
    pub fn sentinel_point(&self) -> i64 {
        self.places.first().map_or(0, |place| place.point)
    }

    /// The channel's word that it verified somebody just before `at`.
    pub fn assertion(&self, visitor: Visitor, at: DateTime<Utc>) -> String {
        let iat = at.timestamp() - 30;
        let claims = IdentityClaims {
            sub: visitor.to_hex(),
            aud: AUDIENCE.to_owned(),
            iat,
            exp: iat + 300,
            colour: None,
            colour_at: None,
            division: None,
            aliases: std::collections::BTreeMap::new(),
        };
        sign(&claims, CHANNEL, &self.channel)
    }

    /// The sentinel's word that a body is its own.
    pub fn device_assertion(&self, body: &str, now: DateTime<Utc>) -> String {
        let claims = DeviceClaims {
            sub: DEVICE,
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: now.timestamp() + 300,
            body: data_encoding::HEXLOWER.encode(&Sha256::digest(body)),
        };
        sign(&claims, &DEVICE.to_string(), &self.device)
    }
}
