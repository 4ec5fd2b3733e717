//! Fair use: which request counts against which limit, and for whom.
//!
//! Scans pass when they cannot be counted. Everything else is refused with 503 then: whoever could stop the
//! counting could otherwise try passwords, make accounts and read as much as he liked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::Method;

use super::auth::{Actor, bearer};
use super::error::ApiError;
use super::pages::is_code_page;
use super::scan_batches::HandedScan;
use super::scans::{DEVICE_HEADER, header};
use super::web::Web;
use crate::domain::assertion::signer_of;
use crate::domain::visitor::Visitor;
use crate::intake::limits::tally::PerMinute;
use crate::intake::limits::{Counted, Limit};

/// Where a request comes from.
#[derive(Debug, PartialEq, Eq)]
pub struct Client {
    /// The address; of IPv6 only the network, since one household has all the addresses of a /64.
    pub address: Vec<u8>,
    /// Whether it may be a proxy of our own rather than a client: nobody named the client, and the other end
    /// of the connection is this machine or a private network.
    may_be_proxy: bool,
}

/// Where a request comes from: the address that the proxy before the service names, else the other end of
/// the connection.
pub fn client_of(web: &Web, request: &HttpRequest) -> Client {
    let named = web.app.config.client_address_header.as_deref().and_then(|name| {
        let value = header(request, name)?;
        value.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    });
    let peer = || request.peer_addr().map(|peer| peer.ip());
    let may_be_proxy = named.is_none() && peer().is_none_or(is_private);
    let address = match named.or_else(peer).map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().into_iter().take(8).collect(),
        None => Vec::new(),
    };
    Client { address, may_be_proxy }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// How requests count by the address that they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByAddress {
    /// In the process first, and passed when nothing can be counted.
    Scan,
    CodePage,
    /// In Redis, and refused when nothing can be counted.
    Token,
    Receipt,
    SignIn,
    Appeal,
}

/// The limit by address that a route is under. A batch counts its rows, once they are known.
fn by_address_of(method: &Method, path: &str) -> Option<ByAddress> {
    match (method, path) {
        (&Method::POST, "/v1/scans" | "/me/leave") => Some(ByAddress::Scan),
        (&Method::POST, "/v1/visitor-tokens" | "/identity") => Some(ByAddress::Token),
        (&Method::POST, "/v1/receipts/verify") => Some(ByAddress::Receipt),
        (&Method::POST, "/v1/sessions" | "/login") => Some(ByAddress::SignIn),
        (&Method::POST, path) if is_appeal(path) => Some(ByAddress::Appeal),
        (&Method::POST, path) if is_code_page(path) => Some(ByAddress::Scan),
        (&Method::GET, path) if is_code_page(path) => Some(ByAddress::CodePage),
        _ => None,
    }
}

/// Whether a visitor appeals there, or hands in a file for an appeal.
fn is_appeal(path: &str) -> bool {
    let of_api = path.starts_with("/v1/me/assignments/") && path.ends_with("/appeals");
    of_api || is_evidence(path) || path.starts_with("/me/appeals/")
}

/// Whether files for an appeal are handed in there, which are larger than other bodies.
pub fn is_evidence(path: &str) -> bool {
    path.starts_with("/v1/me/appeals/") && path.ends_with("/evidence")
}

impl Web {
    /// Counts a request against an exact limit; refused when it is used up, and when nothing can be counted.
    pub async fn within(&self, limit: Limit, who: &[u8]) -> Result<(), ApiError> {
        let now = self.now();
        let counted = Counted::of(self.app.keys.token(), limit.name, who);
        let allowed = self.app.intake.allow(limit, counted, now).await?;
        if allowed { Ok(()) } else { Err(ApiError::TooMany(limit.left_secs(now))) }
    }

    /// Counts scans against a limit; passed when nothing can be counted.
    fn scans_within(
        &self,
        name: &'static str,
        count_max: u32,
        who: &[u8],
        scans: u32,
    ) -> Result<(), ApiError> {
        let now = self.now();
        if self.tally.take(PerMinute { name, count_max }, who, scans, now) {
            Ok(())
        } else {
            Err(ApiError::TooMany(Limit::of_a_minute(name, count_max).left_secs(now)))
        }
    }
}

/// Counts a request by its address, before anything else is done for it.
pub async fn by_address(web: &Web, request: &HttpRequest) -> Result<(), ApiError> {
    let Some(by) = by_address_of(request.method(), request.path()) else { return Ok(()) };
    let from = client_of(web, request);
    // A whole city would share the limit of a proxy that nobody has told us of.
    if from.may_be_proxy {
        return Ok(());
    }
    let fair = &web.app.config.fair;
    let (name, count_max) = match by {
        ByAddress::Scan => return scans_from(web, &from, 1),
        // Without the page behind a code nobody scans who has no app.
        ByAddress::CodePage => {
            return web.scans_within("code-page", fair.code_pages_per_address, &from.address, 1);
        }
        ByAddress::Token => ("token", fair.tokens_per_address),
        ByAddress::Receipt => ("receipt", fair.receipts_per_address),
        ByAddress::SignIn => ("sign-in", fair.sign_ins_per_address),
        ByAddress::Appeal => ("appeal-address", fair.appeals_per_address),
    };
    web.within(Limit::of_a_minute(name, count_max), &from.address).await
}

fn scans_from(web: &Web, from: &Client, scans: u32) -> Result<(), ApiError> {
    web.scans_within("scan-address", web.app.config.fair.scans_per_address, &from.address, scans)
}

/// Counts a visitor's own scan.
pub fn own_scan(web: &Web, visitor: Visitor) -> Result<(), ApiError> {
    let limit = web.app.config.fair.scans_per_visitor;
    web.scans_within("scan", limit, visitor.to_uuid().as_bytes(), 1)
}

/// Counts scans of visitors whom a channel has vouched for.
pub fn scans_of_channel(web: &Web, channel: &str, scans: u32) -> Result<(), ApiError> {
    web.scans_within("scan-channel", web.app.config.fair.scans_per_channel, channel.as_bytes(), scans)
}

/// Counts the rows of a batch: for who hands them in, who is known by now, for the
/// address, and for the channels. All are taken or none.
pub fn handed_in(web: &Web, request: &HttpRequest, batch: &[HandedScan]) -> Result<(), ApiError> {
    let fair = &web.app.config.fair;
    let rows = u32::try_from(batch.len()).unwrap_or(u32::MAX);
    let device = header(request, DEVICE_HEADER).and_then(|assertion| signer_of(assertion).ok());
    let who = device.or_else(|| bearer(request)).unwrap_or_default();
    web.scans_within("scan-device", fair.scans_per_device, who.as_bytes(), rows)?;
    let from = client_of(web, request);
    if !from.may_be_proxy {
        scans_from(web, &from, rows)?;
    }
    if fair.scans_per_channel == 0 {
        return Ok(());
    }
    // A row names its channel before the signature is verified. Whoever hands in could so use up the limit of
    // another channel, but no more of it than the own limit.
    let mut by_channel: BTreeMap<String, u32> = BTreeMap::new();
    for signer in batch.iter().filter_map(|row| signer_of(row.assertion.as_deref()?).ok()) {
        *by_channel.entry(signer).or_default() += 1;
    }
    by_channel.into_iter().try_for_each(|(channel, rows)| scans_of_channel(web, &channel, rows))
}

/// Counts what a member of staff or a machine reads by the API. What they write needs no limit of its own:
/// it is written down under their name.
pub async fn read_by_staff(web: &Web, request: &HttpRequest, actor: &Actor) -> Result<(), ApiError> {
    if request.method() != Method::GET {
        return Ok(());
    }
    let limit = Limit::of_a_minute("read", web.app.config.fair.reads_per_staff);
    web.within(limit, actor.id.as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_count_by_address_where_nobody_is_known_yet() {
        let code = "/2000E-PYD2M-3VZ8X-YCTFKC";
        for (method, path, by) in [
            (Method::POST, "/v1/scans", Some(ByAddress::Scan)),
            (Method::POST, code, Some(ByAddress::Scan)),
            (Method::GET, code, Some(ByAddress::CodePage)),
            (Method::POST, "/v1/visitor-tokens", Some(ByAddress::Token)),
            (Method::POST, "/identity", Some(ByAddress::Token)),
            (Method::POST, "/v1/receipts/verify", Some(ByAddress::Receipt)),
            (Method::POST, "/v1/sessions", Some(ByAddress::SignIn)),
            (Method::POST, "/v1/me/assignments/7/appeals", Some(ByAddress::Appeal)),
            (Method::POST, "/v1/me/appeals/7/evidence", Some(ByAddress::Appeal)),
            (Method::POST, "/me/appeals/7", Some(ByAddress::Appeal)),
            (Method::GET, "/me/appeals/7", None),
            (Method::GET, "/login", None),
            (Method::GET, "/v1/venues", None),
            (Method::POST, "/v1/scans/batch", None),
        ] {
            assert_eq!(by_address_of(&method, path), by, "{method} {path}");
        }
    }

    #[test]
    fn our_own_networks_may_hold_a_proxy() {
        let private = |text: &str| is_private(text.parse().unwrap());
        for own in ["127.0.0.1", "10.1.2.3", "172.18.0.4", "192.168.1.1", "::1", "fd00::7", "::ffff:10.0.0.1"]
        {
            assert!(private(own), "{own}");
        }
        for foreign in ["203.0.113.7", "2001:db8::1", "100.64.0.1", "::ffff:203.0.113.7"] {
            assert!(!private(foreign), "{foreign}");
        }
    }
}
