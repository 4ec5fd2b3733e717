//! The visitor's own page: own stays, and who looked at them. And the door through which channels send.

use actix_web::cookie::{SameSite, time};
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::desk::{SentByAnybody, SentByVisitor};
use super::home::kept_for;
use super::layout::page;
use super::scan::{Pressed, channels, fresh_id, scan};
use super::view::{View, go, own_path};
use super::words;
use crate::domain::place_code::PlaceCode;
use crate::domain::scan::{Direction, Presence};
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::token::form_token;
use crate::http::auth::{VISITOR_COOKIE, Vouched};
use crate::http::channels::vouch;
use crate::http::error::ApiError;
use crate::http::visitors::{OwnLook, OwnStay, looks_at, stays};
use crate::http::web::Web;
use crate::store::stays;

/// What a channel's page sends.
#[derive(Debug, Deserialize)]
struct FromChannel {
    #[serde(default)]
    assertion: String,
    #[serde(default)]
    return_to: String,
}

/// What the button sends.
#[derive(Debug, Deserialize)]
struct Leaving {
    id: Uuid,
    code: String,
}

/// Takes a channel's word, remembers the visitor, and goes back to where the visitor came from.
#[post("/identity")]
pub(super) async fn identity(
    request: HttpRequest,
    view: View,
    web: Data<Web>,
    sent: SentByAnybody<FromChannel>,
) -> Result<HttpResponse, ApiError> {
    check_origin(&request, &web).await?;
    let path = own_path(&sent.form.return_to);
    let path = path.ok_or_else(|| ApiError::invalid("return_to", "must be a path of this service"))?;
    let token = vouch(&web, &sent.form.assertion).await?;
    let life = time::Duration::seconds((token.expires_at - web.now()).num_seconds());
    let sealed = token.seal(web.app.keys.token());
    let mut response = go(path);
    // Lax, since a visitor arrives from the channel's page.
    let cookie = view.cookie(VISITOR_COOKIE, sealed, SameSite::Lax, life);
    response.add_cookie(&cookie).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(response)
}

/// The visitor's own stays, and who looked at them.
#[get("/me")]
pub(super) async fn show(
    view: View,
    web: Data<Web>,
    visitor: Result<Vouched, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let title = view.say("我的记录", "My records");
    let Ok(visitor) = visitor else {
        let body = html! { h1 { (title) } (channels(&view, &web, "/me").await?) };
        return Ok(page(&view, StatusCode::UNAUTHORIZED, title, &body));
    };
    let stays = stays(&web, &visitor).await?;
    let looks = looks_at(&web, &visitor).await?;
    let here = here_now(&web, &visitor).await?;
    let body = html! {
        h1 { (title) }
        @if let Some((name, code)) = &here {
            section.note {
                h2 { (view.say("您现在在", "You are now at")) }
                p { strong { (name) } }
                form method="post" action="/me/leave" {
                    input type="hidden" name="form_token" value=(form_token(web.app.keys.token(), &visitor.text));
                    input type="hidden" name="id" value=(fresh_id(web.now()));
                    input type="hidden" name="code" value=(code);
                    button type="submit" { (view.say("登记离开", "I am leaving")) }
                }
            }
        }
        p.row {
            a.button.quiet href="/me/code" { (view.say("我的出示码", "My code")) }
            a.button.quiet href="/me/card" { (view.say("随身卡", "Card")) }
        }
        (own_stays(&view, &web, &stays))
        (own_looks(&view, &looks))
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// Ends the stay that goes on.
#[post("/me/leave")]
pub(super) async fn leave(web: Data<Web>, sent: SentByVisitor<Leaving>) -> Result<HttpResponse, ApiError> {
    let form = sent.form;
    let pressed = Pressed { id: form.id, direction: Direction::Exit, opened: None };
    scan(&web, &sent.visitor, form.code, &pressed).await?;
    Ok(go("/me"))
}

/// Browsers say from which site a form comes. Only the page of a channel, or one of our own, may set
/// who the visitor is: else any site could make a visitor scan as somebody else.
async fn check_origin(request: &HttpRequest, web: &Web) -> Result<(), ApiError> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let channels = web.channels(&[]).await?;
    let pages = channels.rows.iter().filter_map(|row| row.page_url.parse().ok());
    let mut known = pages.chain([web.app.config.public_url.clone()]);
    if known.any(|page: Url| page.origin().ascii_serialization() == origin) {
        Ok(())
    } else {
        Err(ApiError::Forbidden("this form was sent from another site"))
    }
}

/// Where the visitor is at this moment, with a code of that point.
async fn here_now(web: &Web, visitor: &Vouched) -> Result<Option<(String, String)>, ApiError> {
    let now = web.now();
    let moment = Span::lasting(now, 1);
    let mut conn = web.app.store.conn().await?;
    let found = stays::of_visitor(&mut conn, visitor.token.visitor, moment, 20).await?;
    drop(conn);
    let goes_on = |placed: &&stays::PlacedStay| {
        placed.stay.presence != Presence::Contradicted && placed.stay.ended_by != EndedBy::Left
    };
    let Some(placed) = found.iter().find(goes_on) else { return Ok(None) };
    let facts = web.point(placed.stay.point).await?;
    let code = PlaceCode { point: facts.id, generation: facts.generation };
    let name = format!("{} · {}", placed.venue_name, placed.point_name);
    Ok(code.sign(&web.app.keys).map(|signed| (name, signed.to_string())))
}

fn own_stays(view: &View, web: &Web, stays: &[OwnStay]) -> Markup {
    html! {
        h2 { (view.say("到过的地方", "Where you were")) }
        p.small { (kept_for(view, web)) }
        @if stays.is_empty() { p { (view.say("还没有记录。", "Nothing yet.")) } }
        ul.cards {
            @for stay in stays {
                li {
                    strong { (stay.venue) } span.point { (stay.point) }
                    span { (view.span(stay.from, stay.until)) }
                    span.small {
                        (words::presence(view.lang, stay.presence)) " · "
                        (view.say("结束：", "end: ")) (words::ended_by(view.lang, stay.ended_by))
                    }
                }
            }
        }
    }
}

fn own_looks(view: &View, looks: &[OwnLook]) -> Markup {
    html! {
        h2 { (view.say("谁查看过", "Who looked")) }
        @if looks.is_empty() { p { (view.say("没有人查看过您的记录。", "Nobody has looked at your records.")) } }
        ul.cards {
            @for look in looks {
                li {
                    strong { (words::role(view.lang, look.role)) }
                    span { (view.say("目的：", "Purpose: ")) (look.purpose) }
                    span.small { (view.time(look.at)) }
                }
            }
        }
    }
}
