//! Scans: the visitor's own, and those that devices, staff and machines hand in.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use chrono::{DateTime, TimeDelta, Utc};
use h3o::CellIndex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Vouched;
use super::error::ApiError;
use super::limits;
use super::parties::{CompanionScan, with_companions};
use super::web::Web;
use super::write::Write;
use crate::domain::known_colour::KnownColour;
use crate::domain::minute_word;
use crate::domain::point::{NotInForce, PointFacts};
use crate::domain::position::PHONE_RESOLUTION;
use crate::domain::rotating_code::{InForce, ScannedCode};
use crate::domain::scan::{Direction, LATE_FROM, Method, Presence, Scan, check_time, judge_presence};
use crate::domain::span::Span;
use crate::domain::stay::stays_of;
use crate::domain::token::{OpenedInTime, Receipt, VisitorToken};
use crate::domain::visitor::Visitor;
use crate::intake::log::Accepted;

/// A visitor's own scan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnScan {
    /// Made by the client (a UUID), so that a retry is the same scan. The service makes one when absent.
    pub id: Option<Uuid>,
    /// The text of the QR code, its last part, or what was typed from the poster or the screen.
    pub code: String,
    /// When the visitor was there, up to 72 hours ago. Needed beside an id, or each retry would be a scan
    /// of its own; now when both are absent.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Entry when absent.
    pub direction: Option<Direction>,
    /// In a vehicle, the number of the stop on its line where the visitor got on or off.
    pub stop: Option<i16>,
    /// The phone's H3 cell at resolution 9. It is judged and thrown away.
    pub phone_cell: Option<String>,
    /// Who came along: a channel's assertion for each, valid now, nine at most.
    pub companions: Option<Vec<String>>,
}

/// The answer to an accepted scan.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScanReceipt {
    /// The scan's id.
    pub id: Uuid,
    /// Name of the venue.
    pub venue: String,
    /// Name of the point.
    pub point: String,
    /// When the visitor was there.
    pub occurred_at: DateTime<Utc>,
    /// What proves it.
    pub presence: Presence,
    /// Whether it came more than ten minutes late.
    pub late: bool,
    /// Staff can have this verified for a minute.
    pub receipt: String,
    /// The word of this minute at this point, in Chinese and English: staff see the same.
    pub word: String,
    /// The colour that the channel told, when that was at most an hour before the scan.
    pub colour: Option<KnownColour>,
    /// The scans of who came along.
    pub companions: Vec<CompanionScan>,
}

/// Takes a visitor's own scan. The answer means that it will not be lost.
#[utoipa::path(request_body = OwnScan, responses((status = 201, body = ScanReceipt), (status = "default", body = super::error::Problem)), tag = "scans", security(("visitor" = [])))]
#[post("/scans")]
pub(crate) async fn own_scan(
    web: Data<Web>,
    visitor: Vouched,
    write: Write<OwnScan>,
) -> Result<HttpResponse, ApiError> {
    if visitor.by_cookie {
        return Err(ApiError::Unauthenticated("the API takes the visitor token as a bearer token"));
    }
    limits::scans_of_channel(&web, &visitor.token.channel, 1)?;
    let receipt = take_own(&web, &visitor.token, write.into_body()?, None).await?;
    Ok(HttpResponse::Created().json(receipt))
}

/// The state of a receipt that somebody shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiptState {
    /// Whether it is genuine and has not ended.
    pub valid: bool,
    /// Name of the venue, where it is valid.
    pub venue: Option<String>,
    /// Name of the point, where it is valid.
    pub point: Option<String>,
}

/// A receipt that somebody shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownReceipt {
    /// Its text.
    pub receipt: String,
}

/// Verifies a receipt: a picture of a green page proves nothing, this does.
#[utoipa::path(request_body = ShownReceipt, responses((status = 200, body = ReceiptState), (status = "default", body = super::error::Problem)), tag = "scans")]
#[post("/receipts/verify")]
pub(crate) async fn verify_receipt(
    web: Data<Web>,
    write: Write<ShownReceipt>,
) -> Result<HttpResponse, ApiError> {
    let shown = write.into_body()?;
    let state = match Receipt::open(web.app.keys.token(), &shown.receipt, web.now()) {
        None => ReceiptState { valid: false, venue: None, point: None },
        Some(receipt) => {
            let facts = web.point(receipt.point).await?;
            ReceiptState {
                valid: true,
                venue: Some(facts.venue_name.clone()),
                point: Some(facts.name.clone()),
            }
        }
    };
    Ok(HttpResponse::Ok().json(state))
}

/// Takes a visitor's own scan, from the API or from the page; a page that was opened from the live code of
/// a screen carries `opened`, the proof of that.
pub async fn take_own(
    web: &Web,
    token: &VisitorToken,
    scan: OwnScan,
    opened: Option<&str>,
) -> Result<ScanReceipt, ApiError> {
    let (received_at, visitor) = (web.now(), token.visitor);
    limits::own_scan(web, visitor)?;
    check_own(&scan)?;
    let (code, facts) = place(web, &scan.code, received_at).await?;
    let occurred_at = scan.occurred_at.unwrap_or(received_at);
    let opened = opened.and_then(|text| in_time(web, text, visitor, &code, received_at));
    let in_force = in_force(&code, opened, &facts, occurred_at, received_at);
    let in_force = in_force.map_err(|error| ApiError::invalid("code", error))?;
    let phone = scan.phone_cell.as_deref().map(phone_cell).transpose()?;
    let lead = NewScan {
        id: scan.id.unwrap_or_else(Uuid::now_v7),
        visitor,
        occurred_at,
        direction: scan.direction.unwrap_or(Direction::Entry),
        stop: scan.stop,
        method: Method::Own,
        presence: judge_presence(Method::Own, in_force, &facts.near, phone),
        party: None,
        corrects: None,
    };
    let new = with_companions(web, lead, scan.companions.as_deref().unwrap_or_default()).await?;
    let accepted = new.into_iter().map(|new| accept(web, &facts, in_force, new, received_at));
    let accepted = accepted.collect::<Result<Vec<_>, _>>()?;
    let scans: Vec<Scan> = accepted.iter().map(|one| one.scan.clone()).collect();
    web.appender.append(accepted).await?;
    let (lead, others) = scans.split_first().ok_or(ApiError::Busy)?;
    let companions = others.iter().map(|scan| CompanionScan { id: scan.id }).collect();
    Ok(ScanReceipt { companions, ..receipt(web, lead, &facts, token.colour) })
}

fn check_own(scan: &OwnScan) -> Result<(), ApiError> {
    if scan.id.is_some() && scan.occurred_at.is_none() {
        return Err(ApiError::invalid(
            "occurred_at",
            "is needed beside `id`, so that a retry is the same scan",
        ));
    }
    if scan.direction == Some(Direction::Void) {
        return Err(ApiError::invalid("direction", "must be entry, exit or passing"));
    }
    Ok(())
}

/// Whether a visitor's code answers, and what it proves.
pub fn in_force(
    code: &ScannedCode,
    opened: Option<OpenedInTime>,
    facts: &PointFacts,
    occurred_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
) -> Result<InForce, NotInForce> {
    match opened {
        Some(opened) => opened.check(facts, received_at),
        None => code.check(facts, occurred_at, received_at),
    }
}

/// What a page proves of when it was opened; only screens have codes for which that matters.
pub fn in_time(
    web: &Web,
    text: &str,
    visitor: Visitor,
    code: &ScannedCode,
    now: DateTime<Utc>,
) -> Option<OpenedInTime> {
    match code {
        ScannedCode::Printed(_) => None,
        ScannedCode::Rotating(code) => OpenedInTime::open(web.app.keys.token(), text, visitor, *code, now),
    }
}

/// What is known about a scan before its point is.
#[derive(Debug, Clone, Copy)]
pub struct NewScan {
    /// Its id.
    pub id: Uuid,
    /// Who.
    pub visitor: Visitor,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// In, out or past.
    pub direction: Direction,
    /// At which stop of a vehicle's line.
    pub stop: Option<i16>,
    /// Who scanned.
    pub method: Method,
    /// What proves it.
    pub presence: Presence,
    /// With whom.
    pub party: Option<Uuid>,
    /// Which scan a void takes back.
    pub corrects: Option<Uuid>,
}

/// The code that somebody scanned or typed, and its point. Of an address only the last part counts: a
/// genuine code is genuine wherever it was found, and a forged one is none on our own host.
pub async fn place(
    web: &Web,
    text: &str,
    now: DateTime<Utc>,
) -> Result<(ScannedCode, std::sync::Arc<PointFacts>), ApiError> {
    let symbols = text.rsplit('/').next().unwrap_or(text);
    let code = ScannedCode::parse(symbols, &web.app.keys, now);
    let code = code.map_err(|error| ApiError::invalid("code", error))?;
    Ok((code, web.point(code.point()).await?))
}

/// Checks that the time is one that is taken, and works out the window. That the code was in force, the
/// caller has had checked.
pub fn accept(
    web: &Web,
    facts: &PointFacts,
    _checked: InForce,
    new: NewScan,
    received_at: DateTime<Utc>,
) -> Result<Accepted, ApiError> {
    let occurred_at = to_micros(new.occurred_at);
    check_time(occurred_at, received_at).map_err(|error| ApiError::invalid("occurred_at", error))?;
    let cell = facts.cell_of(new.stop).ok_or_else(|| {
        ApiError::invalid("stop", "must be the number of a stop of this vehicle's line, or be left out")
    })?;
    let scan = Scan {
        id: new.id,
        visitor: new.visitor,
        point: facts.id,
        cell,
        occurred_at,
        received_at,
        direction: new.direction,
        method: new.method,
        presence: new.presence,
        party: new.party,
        corrects: new.corrects,
    };
    let window = window(web, facts, &scan, received_at)?;
    Ok(Accepted { scan, window })
}

/// The window that a scan opens for the counts of the moment: none when it is over already, or when
/// the visitor was not there. An exit leaves a window that has just ended.
fn window(web: &Web, facts: &PointFacts, scan: &Scan, now: DateTime<Utc>) -> Result<Option<Span>, ApiError> {
    if scan.presence == Presence::Contradicted {
        return Ok(None);
    }
    let span = match scan.direction {
        Direction::Void => return Ok(None),
        Direction::Exit => Span::lasting(scan.occurred_at - TimeDelta::seconds(1), 1),
        Direction::Entry | Direction::Passing => {
            let category = web.app.catalogue.get(&facts.category);
            let category = category.ok_or_else(|| ApiError::Internal(anyhow::anyhow!("unknown category")))?;
            let stays = stays_of(vec![(scan.clone(), category)], web.app.config.local_offset);
            match stays.first() {
                Some(stay) => stay.span,
                None => return Ok(None),
            }
        }
    };
    Ok((span.until() > now - TimeDelta::hours(1)).then_some(span))
}

/// What the visitor is shown, or staff who scanned the visitor. A colour that is too old says nothing, and no
/// newer one is asked for: a scan waits for no issuing system.
pub fn receipt(web: &Web, scan: &Scan, facts: &PointFacts, colour: Option<KnownColour>) -> ScanReceipt {
    let key = web.app.keys.token();
    let life = TimeDelta::from_std(web.app.config.receipt_life).unwrap_or(TimeDelta::minutes(1));
    let receipt = Receipt { scan: scan.id, point: scan.point, expires_at: scan.received_at + life };
    ScanReceipt {
        id: scan.id,
        venue: facts.venue_name.clone(),
        point: facts.name.clone(),
        occurred_at: scan.occurred_at,
        presence: scan.presence,
        late: scan.received_at - scan.occurred_at > LATE_FROM,
        receipt: receipt.seal(key),
        word: minute_word::word(key, scan.point, scan.received_at).to_string(),
        colour: colour.filter(|known| known.holds_at(scan.occurred_at)),
        companions: Vec::new(),
    }
}

fn phone_cell(text: &str) -> Result<CellIndex, ApiError> {
    let cell: CellIndex = text
        .parse()
        .map_err(|_unreadable| ApiError::invalid("phone_cell", "must be an H3 index of 15 digits"))?;
    if cell.resolution() == PHONE_RESOLUTION {
        Ok(cell)
    } else {
        Err(ApiError::invalid("phone_cell", "must be of resolution 9: neither finer nor coarser"))
    }
}

/// Postgres keeps microseconds; what is finer would come back as another time.
fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// Which header a device's assertion stands in.
pub const DEVICE_HEADER: &str = "device-assertion";

/// The value of a header, when it is text.
pub fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}
