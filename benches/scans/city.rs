//! The synthetic city: points with their codes, visitors with their tokens, a channel and its key.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use placecode::domain::assertion::{AUDIENCE, IdentityClaims, sign};
use placecode::domain::keyring::Keyring;
use placecode::domain::place_code::PlaceCode;
use placecode::domain::position::{PHONE_RESOLUTION, Position};
use placecode::domain::token::VisitorToken;
use placecode::domain::venue::PointId;
use placecode::domain::visitor::Visitor;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// How many points the city has, one in each venue.
pub(crate) const POINTS: usize = 2_000;
/// How many digital sentinels stand at its busiest points.
pub(crate) const SENTINELS: usize = 20;
/// The channel's id.
pub(crate) const CHANNEL: &str = "bench";
/// How long a channel's assertion lives; the service takes none that live longer.
const ASSERTION_SECS: i64 = 600;

/// Who and what takes part.
pub(crate) struct City {
    pub(crate) keys: Keyring,
    pub(crate) channel: SigningKey,
    pub(crate) sentinel: SigningKey,
    pub(crate) points: Vec<Place>,
    pub(crate) visitors: Vec<Person>,
}

/// A point with what a visitor in front of it sends.
pub(crate) struct Place {
    pub(crate) id: PointId,
    /// The text of the printed code.
    pub(crate) code: String,
    /// The cell of a phone there.
    pub(crate) phone_cell: String,
}

/// Somebody with a token from earlier in the day.
pub(crate) struct Person {
    pub(crate) visitor: Visitor,
    pub(crate) token: String,
}

impl City {
    /// A city whose points the register has given; visitors exchanged their assertions a while before `now`.
    pub(crate) fn new(points: &[(i64, f64, f64)], visitors: usize, now: DateTime<Utc>) -> Self {
        let keys = keys();
        let place = |&(id, lat_deg, lng_deg): &(i64, f64, f64)| {
            let id = PointId::from_i64(id).unwrap();
            Place {
                id,
                code: PlaceCode { point: id, generation: 1 }.sign(&keys).unwrap().to_string(),
                phone_cell: Position::new(lat_deg, lng_deg).unwrap().cell(PHONE_RESOLUTION).to_string(),
            }
        };
        let points = points.iter().map(place).collect();
        let mut rng = StdRng::seed_from_u64(7);
        let expires_at = now + TimeDelta::hours(6);
        let person = |visitor: Visitor| Person {
            visitor,
            token: VisitorToken { visitor, channel: CHANNEL.into(), expires_at, colour: None }
                .seal(keys.token()),
        };
        let visitors =
            (0..visitors).map(|_| person(Visitor::from_uuid(Uuid::from_u128(rng.random())))).collect();
        Self { points, visitors, channel: channel(), sentinel: sentinel(), keys }
    }

    /// The channel's word that it has just verified somebody.
    pub(crate) fn assertion(&self, visitor: Visitor, now: DateTime<Utc>) -> String {
        let claims = IdentityClaims {
            sub: visitor.to_hex(),
            aud: AUDIENCE.into(),
            iat: now.timestamp(),
            exp: now.timestamp() + ASSERTION_SECS,
            colour: None,
            colour_at: None,
            division: None,
            aliases: std::collections::BTreeMap::new(),
        };
        sign(&claims, CHANNEL, &self.channel)
    }
}

/// The service's keys.
pub(crate) fn keys() -> Keyring {
    Keyring::new([1; 32], [2; 32])
}

/// The channel's key.
pub(crate) fn channel() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

/// The key of all sentinels.
pub(crate) fn sentinel() -> SigningKey {
    SigningKey::from_bytes(&[4; 32])
}

/// The id of the sentinel at the point of that rank.
pub(crate) fn sentinel_id(rank: usize) -> Uuid {
    Uuid::from_u128(1_000 + rank as u128)
}

/// The venues of the city as a file that an import reads.
pub(crate) fn venues() -> String {
    let mut rng = StdRng::seed_from_u64(11);
    let kinds = ["restaurant", "shop", "office", "pharmacy", "school", "bus", "wet_market", "bank"];
    let mut text = "id,name,lat,lng,category,address,organisation,point\n".to_owned();
    for id in 0..POINTS {
        let (lat, lng) = (rng.random_range(34.6..34.9), rng.random_range(113.4..113.9));
        let kind = kinds.get(id % kinds.len()).copied().unwrap_or("other");
        let house = id % 997 + 1;
        writeln!(text, "{id},样例场所{id},{lat:.6},{lng:.6},{kind},样例路{house}号,样例公司{id},正门")
            .unwrap();
    }
    text
}
