//! What a visitor can be scanned by: a code on the phone for some minutes, a card in the pocket for months.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Vouched;
use super::error::ApiError;
use super::runs::Nothing;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::token::{SHOWN_LIFE, ShownVisitor, VisitorToken};
use crate::domain::visitor_card::{LIFE, OPEN_MAX, VisitorCard};
use crate::intake::limits::Limit;
use crate::store::cards::{self, CardRow};

/// Cards that one visitor asks for in a day: more is somebody who prints them for others.
const NEW_CARDS: Limit = Limit { name: "card", count_max: 20, period_secs: 86_400 };

/// A code that a visitor shows to be scanned.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownCode {
    /// What stands in the symbol.
    pub text: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// A card, told this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewCard {
    /// 16 symbols in groups of four.
    pub card: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Makes a code that the visitor shows to staff or to a device. It lasts five minutes and is kept nowhere.
#[utoipa::path(request_body = Nothing, responses((status = 201, body = ShownCode), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[post("/visitor-codes")]
pub(crate) async fn show_code(
    web: Data<Web>,
    visitor: Vouched,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let visitor = by_bearer(visitor)?;
    let Nothing {} = write.into_body()?;
    Ok(HttpResponse::Created().json(shown_code(&web, &visitor)))
}

/// Issues a card for somebody without a phone, good for 180 days; three may be in use. Its text is told this
/// once.
#[utoipa::path(request_body = Nothing, responses((status = 201, body = NewCard), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[post("/visitor-cards")]
pub(crate) async fn issue_card(
    web: Data<Web>,
    visitor: Vouched,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let visitor = by_bearer(visitor)?;
    let work = async |conn: &mut AsyncPgConnection, Nothing {}: Nothing| {
        Ok(Reply::created(issue(&web, conn, &visitor).await?))
    };
    write.unkept(&web, work).await
}

/// Ends all of the visitor's cards at once.
#[utoipa::path(responses((status = 204), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[delete("/visitor-cards")]
pub(crate) async fn end_cards(web: Data<Web>, visitor: Vouched) -> Result<HttpResponse, ApiError> {
    end_own_cards(&web, &by_bearer(visitor)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A code that a visitor shows, for the API and the page.
pub fn shown_code(web: &Web, visitor: &VisitorToken) -> ShownCode {
    let expires_at = web.now() + SHOWN_LIFE;
    let shown = ShownVisitor { visitor: visitor.visitor, expires_at, colour: visitor.colour };
    ShownCode { text: shown.seal(web.app.keys.token()), expires_at }
}

/// Issues a card, for the page.
pub async fn new_card(web: &Web, visitor: &VisitorToken) -> Result<NewCard, ApiError> {
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| issue(web, conn, visitor).await).await
}

async fn issue(web: &Web, conn: &mut AsyncPgConnection, visitor: &VisitorToken) -> Result<NewCard, ApiError> {
    let issued_at = web.now();
    let who = visitor.visitor.to_uuid();
    web.within(NEW_CARDS, who.as_bytes()).await?;
    let card = VisitorCard::new(rand::random());
    let expires_at = issued_at + LIFE;
    let row = CardRow {
        card_hash: card.hash(web.app.keys.token()).to_vec(),
        visitor: who,
        channel: visitor.channel.clone(),
        issued_at,
        expires_at,
        revoked_at: None,
    };
    if cards::insert(conn, &row, OPEN_MAX).await? {
        Ok(NewCard { card: card.typed(), expires_at })
    } else {
        Err(ApiError::Conflict("three cards are in use already; end them first"))
    }
}

/// Ends all of a visitor's cards, for the API and the page; returns how many were in use.
pub async fn end_own_cards(web: &Web, visitor: &VisitorToken) -> Result<usize, ApiError> {
    let mut conn = web.app.store.conn().await?;
    Ok(cards::end_all(&mut conn, visitor.visitor.to_uuid(), web.now()).await?)
}

/// A browser sends its cookie along with forms of others, which carry no form token here.
pub(super) fn by_bearer(visitor: Vouched) -> Result<VisitorToken, ApiError> {
    if visitor.by_cookie {
        Err(ApiError::Unauthenticated("the API takes the visitor token as a bearer token"))
    } else {
        Ok(visitor.token)
    }
}
