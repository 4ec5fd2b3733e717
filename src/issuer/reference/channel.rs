//! The way of a citizen: say who you are, see your own colour, and vouch for yourself to the service.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use maud::Markup;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::facts::Fact;
use super::gb38963::make_code;
use super::identity::{Identity, InvalidIdentity};
use super::pages::me::Own;
use super::store::StoreError;
use super::view::{View, go};
use super::{Platform, pages};
use crate::domain::rule_pack::Colour;
use crate::domain::visitor::Visitor;

/// The longest address that is read.
const RETURN_BYTES_MAX: usize = 2048;

/// How long vouching waits for the colour.
const COLOUR_PATIENCE: Duration = Duration::from_secs(1);

/// Where somebody wants to go back to.
#[derive(Deserialize)]
pub(super) struct Back {
    /// An address of the service.
    #[serde(rename = "return")]
    to: Option<String>,
}

/// What the form of the first page sends.
#[derive(Deserialize)]
pub(super) struct Typed {
    kind: u8,
    number: String,
    #[serde(rename = "return")]
    to: Option<String>,
}

/// `GET /`: asks who somebody is.
pub(super) async fn entry(view: View) -> HttpResponse {
    if view.visitor.is_some() {
        return go("/me");
    }
    view.page(StatusCode::OK, pages::entry(&view, None, None))
}

/// `POST /`: takes an identity, keeps its pseudonym in the session, and forgets the identity.
pub(super) async fn sign_in(
    request: HttpRequest,
    view: View,
    typed: Result<web::Form<Typed>, actix_web::Error>,
    platform: web::Data<Platform>,
) -> HttpResponse {
    if is_foreign(&request) {
        return foreign(&view);
    }
    let Ok(web::Form(typed)) = typed else {
        let page = pages::entry(&view, Some(InvalidIdentity::Number), None);
        return view.page(StatusCode::BAD_REQUEST, page);
    };
    let to = typed.to.filter(|to| !to.is_empty());
    match Identity::typed(typed.kind, &typed.number) {
        Ok(identity) => {
            let visitor = platform.visitor(&identity);
            platform.know(&[(visitor, platform.aliases_of(&identity))]).await;
            view.enter(visitor, &platform, &next(to.as_deref()))
        }
        Err(why) => {
            let page = pages::entry(&view, Some(why), to.as_deref());
            view.page(StatusCode::UNPROCESSABLE_ENTITY, page)
        }
    }
}

/// `POST /leave`: ends the session.
pub(super) async fn leave(request: HttpRequest, view: View) -> HttpResponse {
    if is_foreign(&request) { foreign(&view) } else { view.leave("/") }
}

/// `GET /me`: one's own colour, and why.
pub(super) async fn me(view: View, platform: web::Data<Platform>) -> HttpResponse {
    let Some(visitor) = view.visitor else {
        return go("/");
    };
    let now = platform.clock.now();
    match own_page(&view, visitor, &platform, now).await {
        Ok(page) => view.page(StatusCode::OK, page),
        Err(error) => unanswered(&view, &error),
    }
}

async fn own_page(
    view: &View,
    visitor: Visitor,
    platform: &Platform,
    now: DateTime<Utc>,
) -> Result<Markup, StoreError> {
    let code = platform.store.code(visitor, now).await?;
    let mut asked = platform.store.calls_about(visitor).await?;
    for one in &mut asked {
        one.application = platform.applications.name(&one.application);
    }
    let checked_in_at = platform.store.checked_in_at(visitor).await?;
    let own = Own { code: &code, scheme: platform.scheme, asked: &asked, checked_in_at };
    Ok(pages::me::me(view, &own, now))
}

/// `GET /me/code`: one's own code, for a scanner.
pub(super) async fn code(view: View, platform: web::Data<Platform>) -> HttpResponse {
    let Some(visitor) = view.visitor else {
        return go("/");
    };
    match make_code(visitor, &platform).await {
        Ok((text, code)) => match symbol(&text) {
            Some(symbol) => {
                let page = pages::me::code(&view, code.shown, symbol, platform.clock.now());
                view.page(StatusCode::OK, page)
            }
            None => view.page(StatusCode::INTERNAL_SERVER_ERROR, cannot_look_up(&view)),
        },
        Err(error) => unanswered(&view, &error),
    }
}

/// The QR code of a text, with the quiet zone that scanners need.
fn symbol(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let document = code.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(256, 256).build();
    // What stands before the element belongs to a file of its own, not into a page.
    document.find("<svg").and_then(|at| document.get(at..)).map(str::to_owned)
}

/// What the form of the check-in sends.
#[derive(Deserialize)]
pub(super) struct Health {
    health: Feeling,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Feeling {
    Well,
    Symptoms,
}

/// `POST /me/check-in`: somebody says how they are.
pub(super) async fn check_in(
    request: HttpRequest,
    view: View,
    health: Result<web::Form<Health>, actix_web::Error>,
    platform: web::Data<Platform>,
) -> HttpResponse {
    if is_foreign(&request) {
        return foreign(&view);
    }
    let Some(visitor) = view.visitor else {
        return go("/");
    };
    let Ok(web::Form(Health { health })) = health else {
        let page = pages::trouble(&view, "请选择您现在的感觉。", "Please choose how you are.");
        return view.page(StatusCode::UNPROCESSABLE_ENTITY, page);
    };
    let now = platform.clock.now();
    let fact = Fact::check_in(visitor, matches!(health, Feeling::Well), now);
    match platform.store.record_own(&fact, now).await {
        Ok(true) => {
            platform.told.notify_one();
            go("/me")
        }
        Ok(false) => {
            let page = pages::trouble(
                &view,
                "您今天打卡次数已满，请明天再来。",
                "You have checked in often enough for a day. Please come again tomorrow.",
            );
            view.page(StatusCode::TOO_MANY_REQUESTS, page)
        }
        Err(error) => unanswered(&view, &error),
    }
}

fn unanswered(view: &View, error: &StoreError) -> HttpResponse {
    tracing::error!(error = %error, "the database did not answer a page");
    view.page(StatusCode::SERVICE_UNAVAILABLE, cannot_look_up(view))
}

fn cannot_look_up(view: &View) -> Markup {
    pages::trouble(
        view,
        "暂时无法查询，请稍后再试。",
        "Your code cannot be looked up at the moment. Please try again later.",
    )
}

/// `GET /identify?return=`: vouches to the service for who is signed in.
pub(super) async fn identify(
    view: View,
    back: web::Query<Back>,
    platform: web::Data<Platform>,
) -> HttpResponse {
    let to = back.into_inner().to.unwrap_or_else(|| "/".to_owned());
    let Some(return_to) = path_at_service(&to, &platform.service) else {
        let page = pages::trouble(
            &view,
            "返回地址不属于场所码服务，已拒绝。请重新扫描门口的场所码。",
            "The address to return to is not one of the place-code service, so it was refused. \
             Please scan the code at the door again.",
        );
        return view.page(StatusCode::UNPROCESSABLE_ENTITY, page);
    };
    let Some(visitor) = view.visitor else {
        return view.page(StatusCode::OK, pages::entry(&view, None, Some(&to)));
    };
    let aliases = platform.known_aliases(visitor).await;
    let assertion = platform.vouch(visitor, colour_now(&platform, visitor).await, aliases, None);
    let page = pages::confirm(&view, &platform.service, &assertion, &return_to);
    view.page_to_service(page, &platform.service)
}

/// What somebody's code shows now. Nobody is kept from vouching for themselves by a database that is slow or
/// away: the assertion then tells no colour.
async fn colour_now(platform: &Platform, visitor: Visitor) -> Option<Colour> {
    let code = platform.store.code(visitor, platform.clock.now());
    let code = tokio::time::timeout(COLOUR_PATIENCE, code).await.ok()?;
    code.inspect_err(
        |error| tracing::warn!(error = %error, "a colour was not told: the database did not answer"),
    )
    .ok()
    .map(|code| code.colour)
}

/// The page after signing in.
fn next(to: Option<&str>) -> String {
    let identify = |to| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("return", to).finish();
        format!("/identify?{query}")
    };
    to.map_or_else(|| "/me".to_owned(), identify)
}

/// The path and query of `to`, when it is an address of the service: nobody is sent anywhere else.
fn path_at_service(to: &str, service: &Url) -> Option<String> {
    if to.len() > RETURN_BYTES_MAX {
        return None;
    }
    let to = service.join(to).ok()?;
    // The scheme too, since `blob:http://…` has the origin of what follows; and a path that begins with two
    // slashes would name another host once it stands alone.
    let ours = to.scheme() == service.scheme() && to.origin() == service.origin();
    let query = to.query().map_or_else(String::new, |query| format!("?{query}"));
    (ours && !to.path().starts_with("//")).then(|| format!("{}{query}", to.path()))
}

/// Whether a form was sent from somebody else's page, to sign a person in or out behind their back.
/// Browsers say where a form comes from; what says nothing is no browser.
pub(super) fn is_foreign(request: &HttpRequest) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let host = |origin: &str| origin.split_once("://").map(|(_, host)| host.to_owned());
    header(header::ORIGIN.as_str())
        .is_some_and(|origin| host(origin).as_deref() != header(header::HOST.as_str()))
}

fn foreign(view: &View) -> HttpResponse {
    let page = pages::trouble(
        view,
        "该表单来自其他网站，已拒绝。",
        "This form was sent from another site, so it was refused.",
    );
    view.page(StatusCode::FORBIDDEN, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        let service = Url::parse("https://p.example.cn/").unwrap();
        let path = |to: &str| path_at_service(to, &service);
        assert_eq!(path("https://p.example.cn/c/abc").as_deref(), Some("/c/abc"));
        assert_eq!(path("https://p.example.cn:443/c/abc?x=1#y").as_deref(), Some("/c/abc?x=1"));
        assert_eq!(path("/c/abc").as_deref(), Some("/c/abc"));
        assert_eq!(path("/../c").as_deref(), Some("/c"));
        let elsewhere = [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example/",
            "http://p.example.cn/",
            "https://p.example.cn:8443/",
            "https://p.example.cn.evil.example/",
            "https://p.example.cn@evil.example/",
            "https://p.example.cn//evil.example/",
            "https://p.example.cn/\\evil.example",
            "blob:https://p.example.cn/x",
            "javascript:alert(1)",
            "data:text/html,x",
        ];
        for to in elsewhere {
            assert_eq!(path(to), None, "{to}");
        }
        assert_eq!(path(&format!("/{}", "a".repeat(3000))), None);
    }
}
