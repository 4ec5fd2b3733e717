//! One look at a page: its language, its address, and how a page is sent.

use std::future::{Ready, ready};

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeZone, Utc};
use maud::Markup;
use url::form_urlencoded;

use crate::http::error::ApiError;
use crate::http::web::Web;

/// Remembers the language that somebody chose.
const LANGUAGE_COOKIE: &str = "language";

/// The longest own path that is gone back to.
const PATH_BYTES_MAX: usize = 2048;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lang {
    Chinese,
    English,
}

impl Lang {
    /// The text in this language.
    pub(super) fn say<'a>(self, chinese: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }

    /// The tag of the language.
    pub(super) fn tag(self) -> &'static str {
        self.say("zh-CN", "en")
    }

    /// The tag of the other language, and its own name.
    pub(super) fn other(self) -> (&'static str, &'static str) {
        match self {
            Self::Chinese => ("en", "English"),
            Self::English => ("zh-CN", "中文"),
        }
    }

    /// The language that a tag such as `zh-CN` or `en` begins with.
    fn of_tag(tag: &str) -> Option<Self> {
        match tag.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The first language of `Accept-Language` that there is; browsers list them by preference.
    fn of_header(accept: &str) -> Option<Self> {
        accept.split(',').take(20).find_map(Self::of_tag)
    }
}

/// One look at a page.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// In which language.
    pub(super) lang: Lang,
    /// The language was asked for just now, and is to be remembered.
    chosen: bool,
    /// Path and query without the language; `None` when the page is the answer to a form, which
    /// cannot be asked for again in another language.
    address: Option<(String, Vec<(String, String)>)>,
    secure: bool,
    offset: FixedOffset,
}

impl View {
    /// How somebody looks at a page.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let asked: Vec<(String, String)> =
            form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        let chosen = asked.iter().find(|(name, _)| name == "lang").and_then(|(_, tag)| Lang::of_tag(tag));
        let kept = || request.cookie(LANGUAGE_COOKIE).and_then(|cookie| Lang::of_tag(cookie.value()));
        let accepted = || Lang::of_header(request.headers().get(header::ACCEPT_LANGUAGE)?.to_str().ok()?);
        let config = request.app_data::<Data<Web>>().map(|web| web.app.config.clone());
        let query = asked.into_iter().filter(|(name, _)| name != "lang").collect();
        let repeatable = request.method().is_safe();
        Self {
            lang: chosen.or_else(kept).or_else(accepted).unwrap_or(Lang::Chinese),
            chosen: chosen.is_some(),
            address: repeatable.then(|| (request.path().to_owned(), query)),
            secure: config.as_ref().is_none_or(|config| config.secure_cookies),
            offset: config.map_or_else(|| Utc.fix(), |config| config.local_offset),
        }
    }

    /// The text in the language of the page.
    pub(super) fn say<'a>(&self, chinese: &'a str, english: &'a str) -> &'a str {
        self.lang.say(chinese, english)
    }

    /// The address of this page in another language.
    pub(super) fn in_language(&self, tag: &str) -> Option<String> {
        let (path, query) = self.address.as_ref()?;
        let mut serializer = form_urlencoded::Serializer::new(String::new());
        serializer.extend_pairs(query).append_pair("lang", tag);
        Some(format!("{path}?{}", serializer.finish()))
    }

    /// A time as the local clock shows it.
    pub(super) fn time(&self, at: DateTime<Utc>) -> String {
        let form = self.say("%Y年%-m月%-d日 %H:%M", "%-d %b %Y, %H:%M");
        at.with_timezone(&self.offset).format(form).to_string()
    }

    /// A time as a field for local date and time holds it.
    pub(super) fn field_time(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.offset).format("%Y-%m-%dT%H:%M").to_string()
    }

    /// The day of a time as the local calendar shows it, in a form that is read in either language.
    pub(super) fn date(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.offset).date_naive().to_string()
    }

    /// A span of time; the second day stands there only when it is another one.
    pub(super) fn span(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> String {
        let (a, b) = (from.with_timezone(&self.offset), until.with_timezone(&self.offset));
        if a.date_naive() == b.date_naive() {
            format!("{}–{}", self.time(from), b.format("%H:%M"))
        } else {
            format!("{} – {}", self.time(from), self.time(until))
        }
    }

    /// The hour and minute that the local clock shows.
    pub(super) fn clock(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.offset).format("%H:%M").to_string()
    }

    /// What a field for local date and time sends; `None` when it was left empty.
    pub(super) fn local_time(
        &self,
        field: &'static str,
        text: &str,
    ) -> Result<Option<DateTime<Utc>>, ApiError> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let read = |form| NaiveDateTime::parse_from_str(text.trim(), form).ok();
        let local = read("%Y-%m-%dT%H:%M").or_else(|| read("%Y-%m-%dT%H:%M:%S"));
        let local = local.and_then(|local| self.offset.from_local_datetime(&local).single());
        let local =
            local.ok_or_else(|| ApiError::invalid(field, "must be a date and time: 2026-03-10T14:30"))?;
        Ok(Some(local.with_timezone(&Utc)))
    }

    /// A page, in a language that caches must not mix up.
    pub(super) fn send(&self, status: StatusCode, page: Markup) -> HttpResponse {
        let mut response = HttpResponse::build(status);
        response
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_LANGUAGE, self.lang.tag()))
            .insert_header((header::VARY, "Accept-Language, Cookie"));
        if self.chosen {
            let year = time::Duration::days(365);
            let tag = self.lang.tag().to_owned();
            response.cookie(self.cookie(LANGUAGE_COOKIE, tag, SameSite::Lax, year));
        }
        response.body(page.into_string())
    }

    /// A cookie that scripts cannot read.
    pub(super) fn cookie(
        &self,
        name: &'static str,
        value: String,
        same_site: SameSite,
        life: time::Duration,
    ) -> Cookie<'static> {
        let cookie = Cookie::build(name, value).path("/").http_only(true).secure(self.secure);
        cookie.same_site(same_site).max_age(life).finish()
    }

    /// The end of a cookie.
    pub(super) fn no_cookie(&self, name: &'static str, same_site: SameSite) -> Cookie<'static> {
        self.cookie(name, String::new(), same_site, time::Duration::ZERO)
    }
}

impl FromRequest for View {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Goes on to another page of ours. Callers give own paths, or what [`own_path`] let through.
pub(super) fn go(path: &str) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, path)).insert_header((header::CACHE_CONTROL, "no-store"));
    response.finish()
}

/// The path, when it is one of ours: browsers read `//host` and `/\host` as the address of somebody else.
pub(super) fn own_path(text: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
    let ours = text.starts_with('/') && !text.starts_with("//");
    (ours && text.len() <= PATH_BYTES_MAX && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(own_path("/cases?before=1"), Some("/cases?before=1"));
        for bad in ["//evil.example", "/\\evil.example", "https://evil.example", "", "cases", "/a\r\nb", "/ä"]
        {
            assert_eq!(own_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_known_language_counts() {
        assert_eq!(Lang::of_header("fr-CH, en;q=0.9, zh;q=0.8"), Some(Lang::English));
        assert_eq!(Lang::of_header("ZH-Hans-CN"), Some(Lang::Chinese));
        assert_eq!(Lang::of_header("de, *"), None);
    }

    #[test]
    fn local_times_are_read_and_shown_by_the_same_clock() {
        let view = View {
            lang: Lang::English,
            chosen: false,
            address: None,
            secure: false,
            offset: FixedOffset::east_opt(8 * 3600).unwrap(),
        };
        let at = view.local_time("at", "2026-03-10T04:30").unwrap().unwrap();
        assert_eq!(at.to_rfc3339(), "2026-03-09T20:30:00+00:00");
        assert_eq!(view.time(at), "10 Mar 2026, 04:30");
        assert_eq!(view.local_time("at", "").unwrap(), None);
        assert!(view.local_time("at", "tomorrow").is_err());
    }
}
