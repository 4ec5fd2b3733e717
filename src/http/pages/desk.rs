//! What stands in the signature of a page: who looks, and what a form sends.

use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use maud::Markup;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::layout::{Layout, Signed, lay};
use super::view::View;
use crate::domain::access::Permission;
use crate::domain::token::form_token;
use crate::http::auth::{Visiting, Vouched, check_form};
use crate::http::error::ApiError;
use crate::http::web::Web;
use crate::http::write::{BODY_MAX, body};

/// The hidden field that ties a form to the session or visitor token.
const FORM_TOKEN: &str = "form_token";

/// A page of a member of staff whose role has the permission `P`.
#[derive(Debug)]
pub(super) struct Desk<P> {
    pub(super) view: View,
    pub(super) signed: Signed,
    pub(super) session: String,
    permission: PhantomData<P>,
}

impl<P> Desk<P> {
    /// The text in the language of the page.
    pub(super) fn say<'a>(&self, chinese: &'a str, english: &'a str) -> &'a str {
        self.view.say(chinese, english)
    }

    /// A page with the header of this member of staff.
    pub(super) fn page(&self, title: &str, body: &Markup) -> HttpResponse {
        self.lay(Layout::default(), StatusCode::OK, title, body)
    }

    /// A page with room for tables.
    pub(super) fn wide(&self, title: &str, body: &Markup) -> HttpResponse {
        self.lay(Layout { wide: true, ..Layout::default() }, StatusCode::OK, title, body)
    }

    /// A page in a given layout.
    pub(super) fn lay(
        &self,
        layout: Layout<'_>,
        status: StatusCode,
        title: &str,
        body: &Markup,
    ) -> HttpResponse {
        lay(&self.view, Layout { signed: Some(&self.signed), ..layout }, status, title, body)
    }
}

impl<P: Permission> FromRequest for Desk<P> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let view = View::of(request);
        let web = web_of(request);
        let visiting = Visiting::<P>::from_request(request, payload);
        Box::pin(async move {
            let (web, visiting) = (web?, visiting.await?);
            let form_token = form_token(web.app.keys.token(), &visiting.session);
            let signed = Signed { actor: visiting.actor, form_token };
            Ok(Self { view, signed, session: visiting.session, permission: PhantomData })
        })
    }
}

/// A page that is asked for with a query. The permission is checked first: whoever may not see the page
/// need not know what it can be asked.
#[derive(Debug)]
pub(super) struct Asked<P, Q> {
    pub(super) desk: Desk<P>,
    pub(super) query: Q,
}

impl<P: Permission, Q: DeserializeOwned + 'static> FromRequest for Asked<P, Q> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let desk = Desk::<P>::from_request(request, payload);
        let query = fields("query", request.query_string());
        Box::pin(async move { Ok(Self { desk: desk.await?, query: query? }) })
    }
}

/// A form that a member of staff with the permission `P` sent from a page of the own session. The
/// permission is checked first, then where the form comes from, and only then what it says.
#[derive(Debug)]
pub(super) struct Sent<P, F> {
    pub(super) desk: Desk<P>,
    pub(super) form: F,
}

impl<P: Permission, F: DeserializeOwned + 'static> FromRequest for Sent<P, F> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let web = web_of(request);
        let desk = Desk::<P>::from_request(request, &mut Payload::None);
        let body = body(payload, BODY_MAX);
        Box::pin(async move {
            let (web, desk) = (web?, desk.await?);
            let text = text(&body.await?)?;
            check_form(&web, &desk.session, &token_in(&text))?;
            Ok(Self { desk, form: fields("form", &text)? })
        })
    }
}

/// A form that a visitor sent from a page that was made for the own visitor token.
#[derive(Debug)]
pub(super) struct SentByVisitor<F> {
    pub(super) view: View,
    pub(super) visitor: Vouched,
    pub(super) form: F,
}

impl<F: DeserializeOwned + 'static> FromRequest for SentByVisitor<F> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let view = View::of(request);
        let web = web_of(request);
        let visitor = Vouched::from_request(request, &mut Payload::None);
        let body = body(payload, BODY_MAX);
        Box::pin(async move {
            let (web, visitor) = (web?, visitor.await?);
            let text = text(&body.await?)?;
            check_form(&web, &visitor.text, &token_in(&text))?;
            Ok(Self { view, visitor, form: fields("form", &text)? })
        })
    }
}

/// A form that anybody may send; whoever takes it checks where it comes from by other means.
#[derive(Debug)]
pub(super) struct SentByAnybody<F> {
    pub(super) form: F,
    pub(super) form_token: String,
}

impl<F: DeserializeOwned + 'static> FromRequest for SentByAnybody<F> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(payload, BODY_MAX);
        Box::pin(async move {
            let text = text(&body.await?)?;
            Ok(Self { form: fields("form", &text)?, form_token: token_in(&text) })
        })
    }
}

/// The token that a form carries; empty when it carries none, which belongs to no session.
fn token_in(text: &str) -> String {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs.find(|(name, _)| name == FORM_TOKEN).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The fields of a form or a query, without those that belong to the page and not to what is asked.
pub(super) fn fields<F: DeserializeOwned>(what: &'static str, text: &str) -> Result<F, ApiError> {
    let pairs = form_urlencoded::parse(text.as_bytes());
    let own = pairs.filter(|(name, _)| name != FORM_TOKEN && name != "lang");
    let own = form_urlencoded::Serializer::new(String::new()).extend_pairs(own).finish();
    let read = Query::<F>::from_query(&own).map_err(|error| ApiError::invalid(what, error))?;
    Ok(read.into_inner())
}

fn text(bytes: &[u8]) -> Result<String, ApiError> {
    let text = std::str::from_utf8(bytes);
    Ok(text.map_err(|error| ApiError::Malformed(format!("the form is not UTF-8: {error}")))?.to_owned())
}

fn web_of(request: &HttpRequest) -> Result<Data<Web>, ApiError> {
    let web = request.app_data::<Data<Web>>().cloned();
    web.ok_or_else(|| ApiError::Internal(anyhow::anyhow!("the handlers' shared state is missing")))
}
