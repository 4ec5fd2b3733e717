//! `POST /v1/hand-overs`: facts about somebody who belongs here, from where that person was exposed.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{authenticate, in_force, read, refuse, relay, signed, unknown};
use crate::domain::hand_over::HandOver;
use crate::domain::venue::Division;
use crate::issuer::reference::Platform;
use crate::issuer::reference::border::settings::Agreed;
use crate::issuer::reference::problem::Problem;

/// Verifies a hand-over by its agreement, and decides about it by this system's own rules, or passes it on. The same
/// hand-over is decided once.
pub(super) async fn receive(
    request: HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
    platform: web::Data<Platform>,
) -> Result<HttpResponse, Problem> {
    let body =
        body.map_err(|error| Problem::of(&error, "the body is longer than 512 KiB, or cannot be read"))?;
    let now = platform.clock.now();
    let document: HandOver = read(&body)?;
    let agreed = platform.border.agreed.get(&document.agreement).ok_or_else(unknown)?;
    let message = authenticate(&request, &body, &agreed.peer, now)?;
    let offset = platform.border.own.as_ref().map_or_else(china, |own| own.offset);
    document.check(offset).map_err(|why| refuse(why.to_string()))?;
    // What takes back is taken also after the end of an agreement.
    if !document.withdrawn {
        in_force(agreed, now)?;
    }
    agrees(&document, agreed)?;
    if let Some(forward) = &agreed.forward {
        return relay::pass_on(&platform, &document, body.to_vec(), forward, (&message, agreed)).await;
    }
    let own = platform.border.own.as_ref().ok_or_else(|| refuse("this system decides about nobody"))?;
    let receipt = platform.store.receive(own, &document, &body, now).await?;
    tracing::info!(count = 1, "a hand-over arrived");
    Ok(signed(&receipt, &message, &agreed.key, now))
}

fn china() -> chrono::FixedOffset {
    const HOURS: i32 = 8;
    chrono::FixedOffset::east_opt(HOURS * 3600).unwrap_or_else(|| chrono::Offset::fix(&chrono::Utc))
}

/// Whether a document is what was agreed: its way, its names, its sides, and not one field more.
fn agrees(document: &HandOver, agreed: &Agreed) -> Result<(), Problem> {
    let agreement = &agreed.agreement;
    if document.route != agreement.route {
        return Err(refuse("`route` is not the one of the agreement"));
    }
    if document.alias_key != agreement.alias_key {
        return Err(refuse("`alias_key` is not the one of the agreement"));
    }
    let from =
        document.sender.division.parse::<Division>().is_ok_and(|division| agreed.from.covers(&division));
    if !from || document.to != agreement.division.to_string() {
        return Err(refuse("`to` and `sender.division` are not those of the agreement"));
    }
    if document.clone().limited_to(&agreement.fields) != *document {
        return Err(refuse("an exposure holds a field that is not agreed"));
    }
    Ok(())
}
