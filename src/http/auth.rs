//! Who asks: extractors. What stands in a handler's signature is its permission.

use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use data_encoding::BASE64URL_NOPAD;
use diesel_async::AsyncPgConnection;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::ApiError;
use super::limits::read_by_staff;
use super::refusals;
use super::web::Web;
use super::write::transaction;
use crate::domain::access::{Permission, Role};
use crate::domain::token::{VisitorToken, form_token_matches};
use crate::domain::venue::Division;
use crate::store::access::{self, MachineRow, StaffRow};
use crate::store::audit;

/// The cookie of a session of staff.
pub const STAFF_COOKIE: &str = "staff";

/// The cookie that holds a visitor token.
pub const VISITOR_COOKIE: &str = "visitor";

/// Who acts, once it is known that they may.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The member of staff, or the machine.
    pub id: Uuid,
    /// Whether it is a person; some acts take one.
    pub is_person: bool,
    /// For the audit log: `staff:li` or `machine:gate-7`.
    pub name: String,
    /// To show.
    pub display_name: String,
    /// What they are there for.
    pub roles: Vec<Role>,
    /// What they may see.
    pub division: Division,
}

impl Actor {
    fn of_staff(row: StaffRow) -> Result<Self, ApiError> {
        Ok(Self {
            id: row.id,
            is_person: true,
            name: format!("staff:{}", row.login),
            display_name: row.display_name,
            roles: access::roles(&row.roles)?,
            division: access::division(&row.division)?,
        })
    }

    fn of_machine(row: MachineRow) -> Result<Self, ApiError> {
        Ok(Self {
            id: row.id,
            is_person: false,
            name: format!("machine:{}", row.name),
            display_name: row.name,
            roles: access::roles(&row.roles)?,
            division: access::division(&row.division)?,
        })
    }

    /// Whether they have the role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The first of their roles that a permission asks for.
    pub fn role_for<P: Permission>(&self) -> Role {
        self.roles.iter().copied().find(|role| P::ROLES.contains(role)).unwrap_or(Role::Auditor)
    }

    /// A person's id; machines are refused.
    pub fn person(&self) -> Result<Uuid, ApiError> {
        if self.is_person { Ok(self.id) } else { Err(ApiError::Forbidden("only a person may do this")) }
    }

    /// Writes down what they did, in the transaction that does it.
    pub async fn note(
        &self,
        web: &Web,
        conn: &mut AsyncPgConnection,
        action: &'static str,
        subject: String,
    ) -> Result<(), ApiError> {
        let act = audit::Act { actor: &self.name, action, subject, detail: serde_json::json!({}) };
        Ok(audit::append(conn, act, web.now()).await?)
    }

    /// Refuses, and writes down, what belongs to another jurisdiction.
    pub async fn within(&self, web: &Web, division: &Division, what: &str) -> Result<(), ApiError> {
        if self.division.covers(division) {
            return Ok(());
        }
        self.refused(web, what).await?;
        Err(ApiError::Refused("this belongs to another jurisdiction"))
    }

    /// Writes down that something was refused.
    pub async fn refused(&self, web: &Web, what: &str) -> Result<(), ApiError> {
        let now = web.now();
        let mut conn = web.app.store.conn().await?;
        let act = audit::Act {
            actor: &self.name,
            action: "access.refused",
            subject: what.to_owned(),
            detail: serde_json::json!({ "division": self.division.as_str() }),
        };
        transaction(&mut conn, async |conn| Ok(audit::append(conn, act, now).await?)).await
    }
}

/// A member of staff or a machine with a bearer token, whose role has the permission `P`.
#[derive(Debug)]
pub struct Staff<P>(pub Actor, PhantomData<P>);

impl<P: Permission> FromRequest for Staff<P> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let web = web_of(&request)?;
            let token = bearer(&request).ok_or(ApiError::Unauthenticated("a bearer token is needed"))?;
            let actor = actor_of(&web, &token).await?;
            let actor = actor.ok_or(ApiError::Unauthenticated("the token is unknown or has ended"))?;
            refusals::asked_by(&request, &actor);
            permit::<P>(&actor)?;
            read_by_staff(&web, &request, &actor).await?;
            Ok(Self(actor, PhantomData))
        })
    }
}

/// A member of staff with a session cookie, on a page.
#[derive(Debug)]
pub struct Visiting<P> {
    /// Who.
    pub actor: Actor,
    /// The session, which forms are tied to.
    pub session: String,
    permission: PhantomData<P>,
}

impl<P> Visiting<P> {
    /// Refuses a form that does not come from a page of this session.
    pub fn check_form(&self, web: &Web, token: &str) -> Result<(), ApiError> {
        check_form(web, &self.session, token)
    }
}

impl<P: Permission> FromRequest for Visiting<P> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let web = web_of(&request)?;
            let cookie = request.cookie(STAFF_COOKIE).ok_or(ApiError::Unauthenticated("please sign in"))?;
            let session = cookie.value().to_owned();
            let actor =
                actor_of(&web, &session).await?.ok_or(ApiError::Unauthenticated("please sign in again"))?;
            refusals::asked_by(&request, &actor);
            permit::<P>(&actor)?;
            Ok(Self { actor, session, permission: PhantomData })
        })
    }
}

/// A visitor whom a channel has vouched for: by bearer token, or on a page by cookie.
#[derive(Debug)]
pub struct Vouched {
    /// Who, and by which channel.
    pub token: VisitorToken,
    /// The token's text, which forms are tied to.
    pub text: String,
    /// Whether it came as a cookie, so that a write needs a form token.
    pub by_cookie: bool,
}

impl FromRequest for Vouched {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(vouched(request))
    }
}

fn vouched(request: &HttpRequest) -> Result<Vouched, ApiError> {
    let web = web_of(request)?;
    let bearer = bearer(request);
    let by_cookie = bearer.is_none();
    let cookie = || request.cookie(VISITOR_COOKIE).map(|cookie| cookie.value().to_owned());
    let text = bearer.or_else(cookie).ok_or(ApiError::Unauthenticated("a visitor token is needed"))?;
    let token = VisitorToken::open(web.app.keys.token(), &text, web.now());
    let token = token.ok_or(ApiError::Unauthenticated("the visitor token is not genuine or has ended"))?;
    Ok(Vouched { token, text, by_cookie })
}

/// Refuses a form that does not belong to the session or visitor token `owner`.
pub fn check_form(web: &Web, owner: &str, token: &str) -> Result<(), ApiError> {
    if form_token_matches(web.app.keys.token(), owner, token) {
        Ok(())
    } else {
        Err(ApiError::Forbidden("this form has expired; open the page again"))
    }
}

/// The SHA-256 that is kept of a session's or machine's token.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// A new token: 32 random bytes as text.
pub fn new_token() -> String {
    BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>())
}

fn permit<P: Permission>(actor: &Actor) -> Result<(), ApiError> {
    let allowed = actor.roles.iter().any(|role| P::ROLES.contains(role));
    if allowed { Ok(()) } else { Err(ApiError::Forbidden("your role may not do this")) }
}

/// Whose token this is: a session of staff, or a machine.
async fn actor_of(web: &Web, token: &str) -> Result<Option<Actor>, ApiError> {
    let hash = token_hash(token);
    let now = web.now();
    let mut conn = web.app.store.conn().await?;
    if let Some(row) = access::staff_by_session(&mut conn, &hash, now).await? {
        return Actor::of_staff(row).map(Some);
    }
    let machine = access::machine_by_token(&mut conn, &hash, now).await?;
    machine.map(Actor::of_machine).transpose()
}

fn web_of(request: &HttpRequest) -> Result<Data<Web>, ApiError> {
    let web = request.app_data::<Data<Web>>().cloned();
    web.ok_or_else(|| ApiError::Internal(anyhow::anyhow!("the handlers' shared state is missing")))
}

/// The bearer token of a request.
pub fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
}
