//! From an identity as a channel knows it to the pseudonym that the service knows.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::house::House;
use crate::domain::keyring::{Key, parse_key};
use crate::domain::visitor::IdentityKind;
use crate::issuer::reference::IssuerKeys;

/// How identities become pseudonyms.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct IdentityArgs {
    /// What kind of document the identity numbers come from.
    #[arg(long, value_enum, default_value = "resident_card")]
    pub(crate) identity_kind: Kind,

    /// The visitor key of the channel that knows these identities: a file of 64 hexadecimal digits, or the
    /// key file of an issuing system. A private house has one of its own.
    #[arg(long, env)]
    pub(crate) visitor_key_file: Option<PathBuf>,
}

/// The kinds of documents, as they are written on a command line.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
#[value(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Resident identity card.
    ResidentCard,
    /// Permit for residents of Hong Kong and Macau.
    HongKongMacauPermit,
    /// Permit for residents of Taiwan.
    TaiwanPermit,
    /// Passport.
    Passport,
    /// Permanent residence card of a foreigner.
    ResidencePermit,
    /// Anything else, such as a user of another service.
    Other,
}

impl From<Kind> for IdentityKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::ResidentCard => Self::ResidentCard,
            Kind::HongKongMacauPermit => Self::HongKongMacauPermit,
            Kind::TaiwanPermit => Self::TaiwanPermit,
            Kind::Passport => Self::Passport,
            Kind::ResidencePermit => Self::ResidencePermit,
            Kind::Other => Self::Other,
        }
    }
}

/// The key that turns identities into visitors: the given one, else that of the private house.
pub(crate) fn visitor_key(args: &IdentityArgs, house: &House) -> anyhow::Result<Key> {
    let Some(path) = args.visitor_key_file.clone().or_else(|| house.issuer_keys_file()) else {
        bail!(
            "identities need the visitor key of their channel: give --visitor-key-file, or pseudonyms instead of \
             identities"
        );
    };
    let place = || format!("--visitor-key-file {}", path.display());
    let text = fs::read_to_string(&path).with_context(place)?;
    if text.contains('=') {
        return Ok(IssuerKeys::parse(&text).with_context(place)?.visitor_key().clone());
    }
    parse_key("visitor key", &text).with_context(place)
}
