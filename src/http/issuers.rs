//! Issuing systems: how each wants its letters, whether it is in use, and how it stands.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post, put};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::admin::{Made, division, web_address, word};
use super::auth::Staff;
use super::error::ApiError;
use super::letters::CircuitState;
use super::permissions::Administer;
use super::runs::Nothing;
use super::venue_forms::text;
use super::web::{Web, next_page};
use super::write::{Reply, Write};
use crate::domain::letter::{Delivery, ENVELOPE_LETTERS_MAX};
use crate::domain::numbered::Numbered;
use crate::domain::scheme::Scheme;
use crate::domain::webhook::VerifyingKey;
use crate::store::circuits::{self, Standing};
use crate::store::letters::{self, IssuerRow};
use crate::store::{StoreError, audit};

/// How many issuing systems one page lists.
const PAGE: i64 = 100;

/// The fastest pace that can be set; without one there is no bound.
const PACE_MAX: i32 = 1_000_000;

/// An issuing system.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIssuer {
    /// Name to show.
    pub name: String,
    /// Where letters go.
    #[schema(value_type = String)]
    pub url: url::Url,
    /// Whose people it colours.
    pub division: String,
    /// What it signs its own requests with, as `whpk_…`; without it, the secret that it shares with us.
    #[serde(default)]
    pub public_key: Option<String>,
    /// How many colours it has.
    #[serde(default)]
    pub scheme: Scheme,
    /// How many letters one envelope holds at the most: 1 to 200.
    #[serde(default = "batch_max")]
    pub batch_max: i32,
    /// How many letters it takes in any minute, whatever the replicas; without it, as many as there are.
    #[serde(default)]
    pub pace_per_min: Option<i32>,
    /// Whether the service calls it, or it asks the service.
    #[serde(default)]
    pub delivery: Delivery,
}

fn batch_max() -> i32 {
    i32::try_from(ENVELOPE_LETTERS_MAX).unwrap_or(i32::MAX)
}

/// An issuing system, its settings and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Issuer {
    /// Id.
    pub id: String,
    /// Name to show.
    pub name: String,
    /// Where letters go.
    pub url: String,
    /// Whose people it colours.
    pub division: String,
    /// What it signs its own requests with.
    pub public_key: Option<String>,
    /// How many colours it has.
    pub scheme: Scheme,
    /// How many letters one envelope holds at the most.
    pub batch_max: i32,
    /// How many letters it takes in any minute.
    pub pace_per_min: Option<i32>,
    /// Whether the service calls it, or it asks the service.
    pub delivery: Delivery,
    /// Since when it is out of use.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Whether there is a key to sign its letters with; without one nothing is sent.
    pub has_key: bool,
    /// Letters that wait.
    pub waiting: i64,
    /// When the oldest of them was written.
    pub waiting_since: Option<DateTime<Utc>>,
    /// Letters that arrived.
    pub delivered: i64,
    /// Letters that were given up.
    pub buried: i64,
    /// Whether it answers; absent before the first letter.
    pub circuit: Option<CircuitState>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct IssuerPage {
    /// The last id of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// Mounts what is here.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(list_issuers).service(put_issuer).service(disable_issuer).service(enable_issuer);
}

/// The issuing systems, disabled ones among them, 100 a page.
#[utoipa::path(params(IssuerPage), responses((status = 200, body = Vec<Issuer>), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[get("/issuers")]
pub(crate) async fn list_issuers(
    web: Data<Web>,
    _staff: Staff<Administer>,
    page: Query<IssuerPage>,
) -> Result<HttpResponse, ApiError> {
    let after = page.into_inner().after.map(|after| word(&after)).transpose()?.unwrap_or_default();
    let mut conn = web.app.store.conn().await?;
    let rows = circuits::issuers_page(&mut conn, &after, PAGE).await?;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let standings = circuits::standing(&mut conn, &ids).await?;
    let circuits = circuits::all(&mut conn).await?;
    drop(conn);
    let mut answer = HttpResponse::Ok();
    if let (Some(last), true) = (rows.last(), i64::try_from(rows.len()) == Ok(PAGE)) {
        answer.insert_header(next_page("/v1/issuers", &[("after", Some(last.id.clone()))]));
    }
    let shown = rows.into_iter().map(|row| {
        let standing = standings.iter().find(|standing| standing.issuer_id == row.id);
        let circuit = circuits.iter().find(|circuit| circuit.issuer_id == row.id);
        show(&web, row, standing, circuit.map(|row| CircuitState::of(row, web.now())))
    });
    Ok(answer.json(shown.collect::<Result<Vec<_>, ApiError>>()?))
}

/// Makes an issuing system known, or changes it. Its secret stands in the secrets file under its id.
#[utoipa::path(request_body = NewIssuer, responses((status = 200, body = Made), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[put("/issuers/{id}")]
pub(crate) async fn put_issuer(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<NewIssuer>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let id = word(&id)?;
    let work = async |conn: &mut AsyncPgConnection, form: NewIssuer| {
        let row = IssuerRow {
            id: id.clone(),
            name: text("name", &form.name, 1, 100)?,
            url: web_address("url", &form.url)?,
            division: division(&form.division)?,
            disabled_at: None,
            created_at: web.now(),
            public_key: form.public_key.map(|text| webhook_key(&text)).transpose()?,
            scheme: form.scheme.number(),
            batch_max: within("batch_max", form.batch_max, batch_max())?,
            pace_per_min: form.pace_per_min.map(|pace| within("pace_per_min", pace, PACE_MAX)).transpose()?,
            delivery: form.delivery.number(),
        };
        letters::upsert_issuer(conn, &row).await?;
        let detail = serde_json::json!({
            // The rest of an address may hold what is nobody's business.
            "origin": form.url.origin().ascii_serialization(), "division": row.division, "public_key": row.public_key, "scheme": form.scheme,
            "batch_max": row.batch_max, "pace_per_min": row.pace_per_min, "delivery": form.delivery,
        });
        let subject = format!("issuer {id}");
        let act = audit::Act { actor: &actor.name, action: "issuer.put", subject, detail };
        audit::append(conn, act, web.now()).await?;
        Ok(Reply::ok(Made { id }))
    };
    write.once(&web, &actor.name, work).await
}

/// Takes an issuing system out of use: nothing is written or sent to it, and it may ask nothing. What waits is kept.
#[utoipa::path(request_body = Nothing, responses((status = 200, body = Made), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[post("/issuers/{id}/disabling")]
pub(crate) async fn disable_issuer(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    set_disabled(&web, staff, &id, write, true).await
}

/// Takes an issuing system into use again.
#[utoipa::path(request_body = Nothing, responses((status = 200, body = Made), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[post("/issuers/{id}/enabling")]
pub(crate) async fn enable_issuer(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    set_disabled(&web, staff, &id, write, false).await
}

async fn set_disabled(
    web: &Web,
    staff: Staff<Administer>,
    id: &str,
    write: Write<Nothing>,
    is_disabled: bool,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let action = if is_disabled { "issuer.disabled" } else { "issuer.enabled" };
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        // No id of one holds such a character, and Postgres takes none.
        let is_id = !id.contains('\0');
        if !(is_id && circuits::set_disabled(conn, id, is_disabled.then(|| web.now())).await?) {
            return Err(ApiError::NotFound("issuing system"));
        }
        actor.note(web, conn, action, format!("issuer {id}")).await?;
        Ok(Reply::ok(Made { id: id.to_owned() }))
    };
    write.once(web, &actor.name, work).await
}

fn show(
    web: &Web,
    row: IssuerRow,
    standing: Option<&Standing>,
    circuit: Option<CircuitState>,
) -> Result<Issuer, ApiError> {
    let corrupt = || ApiError::from(StoreError::Corrupt("issuers"));
    Ok(Issuer {
        has_key: web.app.issuer_keys.contains_key(&row.id),
        scheme: Scheme::from_number(row.scheme).ok_or_else(corrupt)?,
        delivery: Delivery::from_number(row.delivery).ok_or_else(corrupt)?,
        id: row.id,
        name: row.name,
        url: row.url,
        division: row.division,
        public_key: row.public_key,
        batch_max: row.batch_max,
        pace_per_min: row.pace_per_min,
        disabled_at: row.disabled_at,
        waiting: standing.map_or(0, |standing| standing.waiting),
        waiting_since: standing.and_then(|standing| standing.waiting_since),
        delivered: standing.map_or(0, |standing| standing.delivered),
        buried: standing.map_or(0, |standing| standing.buried),
        circuit,
    })
}

fn within(field: &'static str, number: i32, max: i32) -> Result<i32, ApiError> {
    let right = || ApiError::invalid(field, format!("must be 1 to {max}"));
    if (1..=max).contains(&number) { Ok(number) } else { Err(right()) }
}

fn webhook_key(text: &str) -> Result<String, ApiError> {
    let key = VerifyingKey::parse(text).and_then(|key| key.public_text());
    key.ok_or_else(|| {
        ApiError::invalid("public_key", "must be `whpk_` and the base 64 of an Ed25519 public key")
    })
}
