//! Who looks at a page, in which language, and how a page is sent.

use std::future::{Ready, ready};

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use maud::Markup;
use url::Url;
use url::form_urlencoded;

use super::Platform;
use super::language::Language;
use crate::domain::token::VisitorToken;
use crate::domain::visitor::Visitor;

/// How long somebody stays signed in.
const SESSION_LIFE: TimeDelta = TimeDelta::hours(12);

/// Cookies do not tell ports apart, so the names must differ from those of a service on the same host.
const SESSION_COOKIE: &str = "health_code_session";
const LANGUAGE_COOKIE: &str = "health_code_language";

/// One look at a page.
pub(super) struct View {
    pub(super) language: Language,
    /// Who is signed in.
    pub(super) visitor: Option<Visitor>,
    /// The language was asked for just now, and is to be remembered.
    chosen: bool,
    /// The path and query of this page, without the language.
    path: String,
    query: Vec<(String, String)>,
    secure: bool,
}

impl FromRequest for View {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        let asked: Vec<(String, String)> =
            form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        let chosen = asked.iter().find(|(name, _)| name == "lang").and_then(|(_, tag)| Language::of_tag(tag));
        let kept = || request.cookie(LANGUAGE_COOKIE).and_then(|cookie| Language::of_tag(cookie.value()));
        let accepted = || {
            let header = request.headers().get(header::ACCEPT_LANGUAGE)?;
            Language::of_header(header.to_str().ok()?)
        };
        let platform = request.app_data::<web::Data<Platform>>();
        ready(Ok(Self {
            language: chosen.or_else(kept).or_else(accepted).unwrap_or(Language::Chinese),
            visitor: session(request),
            chosen: chosen.is_some(),
            path: request.path().to_owned(),
            query: asked.into_iter().filter(|(name, _)| name != "lang").collect(),
            secure: platform.is_some_and(|platform| is_secure(platform)),
        }))
    }
}

/// Who is signed in, by the cookie of the session.
pub(super) fn session(request: &HttpRequest) -> Option<Visitor> {
    let platform = request.app_data::<web::Data<Platform>>()?;
    let cookie = request.cookie(SESSION_COOKIE)?;
    let token = VisitorToken::open(platform.keys.session_key(), cookie.value(), platform.clock.now())?;
    Some(token.visitor)
}

/// Whether cookies travel over TLS only. Where visitors reach the service by TLS, they reach this
/// platform by TLS too.
fn is_secure(platform: &Platform) -> bool {
    platform.service.scheme() == "https"
}

impl View {
    /// The address of this page in another language.
    pub(super) fn in_language(&self, tag: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query).append_pair("lang", tag);
        format!("{}?{}", self.path, query.finish())
    }

    /// A page that may send its forms to this platform only.
    pub(super) fn page(&self, status: StatusCode, page: Markup) -> HttpResponse {
        self.send(status, page, "'self'")
    }

    /// A page that may send its form to the service only.
    pub(super) fn page_to_service(&self, page: Markup, service: &Url) -> HttpResponse {
        self.send(StatusCode::OK, page, &service.origin().ascii_serialization())
    }

    fn send(&self, status: StatusCode, page: Markup, forms: &str) -> HttpResponse {
        let policy = format!(
            "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; \
             frame-ancestors 'none'; form-action {forms}"
        );
        let mut response = HttpResponse::build(status);
        response
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, policy))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_LANGUAGE, self.language.tag()))
            .insert_header((header::VARY, "Accept-Language, Cookie"));
        if self.chosen {
            let year = time::Duration::days(365);
            response.cookie(cookie(LANGUAGE_COOKIE, self.language.tag().to_owned(), year, self.secure));
        }
        response.body(page.into_string())
    }

    /// Remembers who signed in and goes on to `path`.
    pub(super) fn enter(&self, visitor: Visitor, platform: &Platform, path: &str) -> HttpResponse {
        let channel = platform.keys.channel().to_owned();
        let expires_at = platform.clock.now() + SESSION_LIFE;
        let token = VisitorToken { visitor, channel, expires_at, colour: None };
        let life = time::Duration::seconds(SESSION_LIFE.num_seconds());
        let sealed = token.seal(platform.keys.session_key());
        let mut response = go(path);
        // A cookie that cannot be written leaves the person signed out, which the next page shows.
        drop(response.add_cookie(&cookie(SESSION_COOKIE, sealed, life, self.secure)));
        response
    }

    /// Forgets who signed in and goes on to `path`.
    pub(super) fn leave(&self, path: &str) -> HttpResponse {
        let mut response = go(path);
        let ended = cookie(SESSION_COOKIE, String::new(), time::Duration::ZERO, self.secure);
        drop(response.add_cookie(&ended));
        response
    }
}

fn cookie(name: &'static str, value: String, life: time::Duration, secure: bool) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(life)
        .finish()
}

/// Goes on to another page of this platform.
pub(super) fn go(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}
