//! The visitor's own page: own stays, and who looked at them. And the door through which channels send.

use actix_web::cookie::{SameSite, time};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::desk::{SentByAnybody, SentByVisitor, fields};
use super::home::kept_for;
use super::layout::page;
use super::scan::{Pressed, channels, fresh_id, scan};
use super::view::{View, go, own_path};
use super::words;
use crate::domain::own_correction::Said;
use crate::domain::place_code::PlaceCode;
use crate::domain::scan::{Direction, Presence};
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::token::form_token;
use crate::http::auth::{VISITOR_COOKIE, Vouched};
use crate::http::channels::vouch;
use crate::http::error::ApiError;
use crate::http::own_stays::{NewCorrection, attached, csv, record};
use crate::http::visitors::{LooksPage, OwnCorrection, OwnLook, OwnStay, last_of_full, looks_at, stays};
use crate::http::web::Web;
use crate::http::write::transaction;
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
    let looks = looks_at(&web, &visitor, None).await?;
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
            a.button.quiet href="/me/assignments" { (view.say("我为什么被赋码", "Why my colour")) }
            a.button.quiet href="/me/code" { (view.say("我的出示码", "My code")) }
            a.button.quiet href="/me/card" { (view.say("随身卡", "Card")) }
        }
        (own_stays(&view, &web, &visitor, &stays))
        h2 { (view.say("谁查看过", "Who looked")) }
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

fn own_stays(view: &View, web: &Web, visitor: &Vouched, stays: &[OwnStay]) -> Markup {
    html! {
        h2 { (view.say("到过的地方", "Where you were")) }
        p.small { (kept_for(view, web)) }
        p.small {
            a href="/me/stays.csv" { (view.say("下载全部记录（CSV）", "All of it as a file (CSV)")) }
        }
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
                    @match &stay.correction {
                        Some(said) => span.small { (said_of(view, said)) },
                        None => (correct_form(view, web, visitor, stay)),
                    }
                }
            }
        }
    }
}

/// What the visitor has said of a stay.
fn said_of(view: &View, said: &OwnCorrection) -> String {
    let what = match (said.said, said.left_at) {
        (Said::LeftEarlier, Some(left_at)) => {
            format!(
                "{}{}",
                view.say("您说明已于此时离开：", "You said that you left at "),
                view.time(left_at)
            )
        }
        _ => view.say("您说明当时不在此处", "You said that you were not there").to_owned(),
    };
    format!("{what} · {}", view.time(said.at))
}

fn correct_form(view: &View, web: &Web, visitor: &Vouched, stay: &OwnStay) -> Markup {
    let id = format!("left-{}", stay.id.simple());
    html! {
        details {
            summary { (view.say("更正", "Correct")) }
            form method="post" action={ "/me/stays/" (stay.id) "/correction" } {
                input type="hidden" name="form_token" value=(form_token(web.app.keys.token(), &visitor.text));
                button.quiet type="submit" name="said" value="not_there" { (view.say("我当时不在此处", "I was not there")) }
                label for=(id) { (view.say("或提前离开的时间", "Or when you left, if earlier")) }
                input id=(id) name="left_at" type="datetime-local" min=(view.field_time(stay.from)) max=(view.field_time(stay.until));
                button.quiet type="submit" name="said" value="left_earlier" { (view.say("我提前离开了", "I left earlier")) }
            }
        }
    }
}

/// What the buttons beside a stay send.
#[derive(Debug, Deserialize)]
struct Correcting {
    said: Said,
    #[serde(default)]
    left_at: String,
}

/// Corrects an own stay.
#[post("/me/stays/{scan}/correction")]
pub(super) async fn correct(
    web: Data<Web>,
    scan: Path<Uuid>,
    sent: SentByVisitor<Correcting>,
) -> Result<HttpResponse, ApiError> {
    let SentByVisitor { view, visitor, form } = sent;
    let left_at = match form.said {
        Said::NotThere => None,
        Said::LeftEarlier => view.local_time("left_at", &form.left_at)?,
    };
    let new = NewCorrection { said: form.said, left_at };
    let mut conn = web.app.store.conn().await?;
    let who = visitor.token.visitor;
    let recorded = transaction(&mut conn, async |conn| record(&web, conn, who, *scan, &new).await).await?;
    let title = view.say("已登记", "Recorded");
    let body = html! {
        h1 { (title) }
        p { (view.say(recorded.then_zh, recorded.then_en)) }
        p { a.button href="/me" { (view.say("我的记录", "My records")) } }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// All own stays as a file.
#[get("/me/stays.csv")]
pub(super) async fn stays_file(web: Data<Web>, visitor: Vouched) -> Result<HttpResponse, ApiError> {
    let text = csv(&web, &visitor).await?;
    Ok(attached("stays.csv").insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8")).body(text))
}

/// A page of who looked.
#[get("/me/looks")]
pub(super) async fn all_looks(
    view: View,
    web: Data<Web>,
    visitor: Result<Vouched, ApiError>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked: LooksPage = fields("query", request.query_string())?;
    let title = view.say("谁查看过", "Who looked");
    let Ok(visitor) = visitor else {
        let body = html! { h1 { (title) } (channels(&view, &web, "/me/looks").await?) };
        return Ok(page(&view, StatusCode::UNAUTHORIZED, title, &body));
    };
    let looks = looks_at(&web, &visitor, asked.before).await?;
    let body = html! {
        h1 { (title) }
        (own_looks(&view, &looks))
        p { a href="/me" { (view.say("我的记录", "My records")) } }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

fn own_looks(view: &View, looks: &[OwnLook]) -> Markup {
    html! {
        @if looks.is_empty() { p { (view.say("没有人查看过您的记录。", "Nobody has looked at your records.")) } }
        ul.cards {
            @for look in looks {
                li {
                    strong { (words::role(view.lang, look.role)) }
                    span { (words::look_kind(view.lang, look.kind)) }
                    span { (view.say("目的：", "Purpose: ")) (look.purpose) }
                    span.small {
                        (look.authority)
                        @if let Some(division) = &look.division { " · " (view.say("辖区 ", "division ")) (division) }
                        " · " (view.time(look.at))
                    }
                }
            }
        }
        @if let Some(last) = last_of_full(looks) {
            p { a.button.quiet href={ "/me/looks?before=" (last) } { (view.say("更早的", "Earlier ones")) } }
        }
    }
}
