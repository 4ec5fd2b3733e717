//! Who a row that was handed in is about: told by a channel's assertion, by a code that the visitor showed,
//! or by the visitor's card.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use ed25519_dalek::VerifyingKey;

use super::error::ApiError;
use super::known::Channels;
use super::scan_batches::HandedScan;
use super::web::Web;
use crate::domain::assertion::{Identified, SKEW, signer_of, verify_identity};
use crate::domain::token::ShownVisitor;
use crate::domain::visitor::Visitor;
use crate::domain::visitor_card::VisitorCard;
use crate::store::cards::{self, CardRow};

/// What is shorter is a card, with room for the ways in which people write one; what is longer is a code.
const CARD_LENGTH_MAX: usize = 48;

/// The longest code that is read, in bytes.
const CODE_LENGTH_MAX: usize = 256;

/// What a row names its visitor by.
enum Named<'a> {
    Assertion(&'a str),
    Code(&'a str),
    Card(VisitorCard),
}

fn named(row: &HandedScan) -> Result<Named<'_>, ApiError> {
    match (row.assertion.as_deref(), row.shown.as_deref().map(str::trim)) {
        (Some(assertion), None) => Ok(Named::Assertion(assertion)),
        (None, Some(code)) if code.len() > CODE_LENGTH_MAX => Err(no_code()),
        (None, Some(code)) if code.len() > CARD_LENGTH_MAX => Ok(Named::Code(code)),
        (None, Some(card)) => {
            VisitorCard::parse(card).map(Named::Card).map_err(|error| ApiError::invalid("shown", error))
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(ApiError::invalid("assertion", "exactly one of `assertion` and `shown` is needed"))
        }
    }
}

/// The channels and cards that rows name, asked for once for all of them.
pub struct Identities {
    channels: Option<Arc<Channels>>,
    cards: HashMap<[u8; 32], CardRow>,
}

impl Identities {
    /// Asks for what these rows need. A card that nobody has asked for lately cannot be told from an unknown
    /// one while Postgres is away, so that is another try and no refusal.
    pub async fn of(web: &Web, rows: &[HandedScan]) -> Result<Self, ApiError> {
        let mut hashes = Vec::new();
        let mut signers = Vec::new();
        for row in rows {
            match named(row) {
                Ok(Named::Card(card)) => hashes.push(card.hash(web.app.keys.token())),
                Ok(Named::Assertion(assertion)) => signers.extend(signer_of(assertion).ok()),
                Ok(Named::Code(_)) | Err(_) => {}
            }
        }
        let cards = known_cards(web, &hashes).await?;
        signers.extend(cards.values().map(|card| card.channel.clone()));
        signers.sort();
        signers.dedup();
        let channels = if signers.is_empty() { None } else { Some(web.channels(&signers).await?) };
        Ok(Self { channels, cards })
    }

    /// Who a row is about, when that was so at `occurred_at`.
    pub fn identify(&self, web: &Web, row: &HandedScan) -> Result<Identified, ApiError> {
        let at = row.occurred_at;
        match named(row)? {
            Named::Assertion(text) => by_assertion(self.keys(), "assertion", text, at),
            Named::Code(text) => {
                let shown = ShownVisitor::open(web.app.keys.token(), text, at).ok_or_else(no_code)?;
                Ok(Identified { visitor: shown.visitor, colour: shown.colour, residence: None })
            }
            Named::Card(card) => self.by_card(&card.hash(web.app.keys.token()), at),
        }
    }

    fn keys(&self) -> &HashMap<String, VerifyingKey> {
        static NONE: LazyLock<HashMap<String, VerifyingKey>> = LazyLock::new(HashMap::new);
        self.channels.as_ref().map_or(&NONE, |channels| &channels.keys)
    }

    fn by_card(&self, hash: &[u8; 32], at: DateTime<Utc>) -> Result<Identified, ApiError> {
        let good = |card: &&CardRow| {
            card.issued_at <= at + SKEW
                && at < card.expires_at
                && card.revoked_at.is_none_or(|revoked| at < revoked)
                && self.keys().contains_key(&card.channel)
        };
        let card = self.cards.get(hash).filter(good);
        let card = card.ok_or_else(|| ApiError::invalid("shown", "the card is not known, or has ended"))?;
        // A card says who, never what colour nor where that person lives.
        Ok(Identified { visitor: Visitor::from_uuid(card.visitor), colour: None, residence: None })
    }
}

/// Who a channel's assertion is about, when it was good at `at`.
pub(super) fn by_assertion(
    channels: &HashMap<String, VerifyingKey>,
    field: &'static str,
    text: &str,
    at: DateTime<Utc>,
) -> Result<Identified, ApiError> {
    let signer = signer_of(text).map_err(|error| ApiError::invalid(field, error))?;
    let key = channels.get(&signer).ok_or_else(|| ApiError::invalid(field, "the channel is not known"))?;
    verify_identity(text, key, at).map_err(|error| ApiError::invalid(field, error))
}

fn no_code() -> ApiError {
    ApiError::invalid("shown", "the visitor's code is not genuine, or was not good at `occurred_at`")
}

async fn known_cards(web: &Web, hashes: &[[u8; 32]]) -> Result<HashMap<[u8; 32], CardRow>, ApiError> {
    if hashes.is_empty() {
        return Ok(HashMap::new());
    }
    let now = web.now();
    let asked = async {
        let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
        let mut conn = web.app.store.conn().await?;
        Ok(cards::find(&mut conn, &hashes).await?)
    };
    match asked.await {
        Ok(rows) => {
            let keyed = |row: CardRow| Some((<[u8; 32]>::try_from(row.card_hash.as_slice()).ok()?, row));
            let found: HashMap<_, _> = rows.into_iter().filter_map(keyed).collect();
            for (hash, row) in &found {
                web.cards.keep(*hash, row.clone(), now);
            }
            Ok(found)
        }
        Err(ApiError::Busy) => {
            let recalled = |hash: &[u8; 32]| Some((*hash, web.cards.recall(hash, now)?));
            let each = hashes.iter().map(|hash| recalled(hash).ok_or(ApiError::Busy));
            each.collect()
        }
        Err(error) => Err(error),
    }
}
