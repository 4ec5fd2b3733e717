//! Forms for somebody who has no session: tied to the browser that was shown them.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::{HttpRequest, HttpResponse};

use super::view::View;
use crate::domain::token::form_token;
use crate::http::auth::{check_form, new_token};
use crate::http::error::ApiError;
use crate::http::web::Web;

/// How long such a form may stand open.
const FORM_LIFE: time::Duration = time::Duration::hours(1);

/// A kind of form, by the name of the cookie that ties it to a browser.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(pub(super) &'static str);

impl Ticket {
    /// Sends a page, which is made with the token that its form carries.
    pub(super) fn send(
        self,
        view: &View,
        web: &Web,
        page: impl FnOnce(&str) -> HttpResponse,
    ) -> Result<HttpResponse, ApiError> {
        let nonce = new_token();
        let mut response = page(&form_token(web.app.keys.token(), &self.owner(&nonce)));
        let cookie = view.cookie(self.0, nonce, SameSite::Strict, FORM_LIFE);
        response.add_cookie(&cookie).map_err(|error| ApiError::Internal(error.into()))?;
        Ok(response)
    }

    /// Refuses a form that was not shown to the browser that sends it.
    pub(super) fn check(self, request: &HttpRequest, web: &Web, token: &str) -> Result<(), ApiError> {
        let nonce = request.cookie(self.0).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        check_form(web, &self.owner(&nonce), token)
    }

    /// The end of the cookie, once the form has been taken.
    pub(super) fn end(self, view: &View) -> Cookie<'static> {
        view.no_cookie(self.0, SameSite::Strict)
    }

    fn owner(self, nonce: &str) -> String {
        format!("{} {nonce}", self.0)
    }
}
