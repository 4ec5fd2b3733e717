//! Agreements of mutual recognition, as an administrator enters them. Every version is kept.

use std::collections::BTreeSet;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, put};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::Administer;
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::numbered::Numbered;
use crate::domain::recognition::{Field, Route};
use crate::domain::venue::Division;
use crate::domain::webhook::VerifyingKey;
use crate::store::agreements::{self, AgreementRow};
use crate::store::audit;

/// How many versions of an agreement are shown, the newest.
const VERSIONS_MAX: i64 = 100;

/// The longest that an agreement holds; then it is made anew.
const LIFE_MAX: TimeDelta = TimeDelta::days(3 * 366);

/// Mounts what this file answers.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(put_agreement).service(see_agreement);
}

/// What is agreed with another side.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgreement {
    /// Our side: a division code.
    pub own_division: String,
    /// For whose people: the division where they live.
    pub division: String,
    /// Where hand-overs go.
    #[schema(value_type = String)]
    pub url: url::Url,
    /// The name of what we sign with, in the file of secrets.
    pub secret: String,
    /// What the other side signs its receipts with, as `whpk_…`; without it, the same secret.
    #[serde(default)]
    pub public_key: Option<String>,
    /// By which way.
    pub route: Route,
    /// What may be told; nothing else of a person's exposures travels.
    pub fields: BTreeSet<Field>,
    /// The name of the key that persons are named under; the channels of both sides hold the key.
    pub alias_key: String,
    /// The first moment at which it is in force.
    pub valid_from: DateTime<Utc>,
    /// The first at which it is not any more.
    pub valid_until: DateTime<Utc>,
    /// On what legal basis it was made.
    pub legal_basis: String,
}

/// One version of an agreement.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgreementVersion {
    /// Counts the versions; the highest holds.
    pub version: i32,
    /// Our side.
    pub own_division: String,
    /// For whose people.
    pub division: String,
    /// Where hand-overs go.
    pub url: String,
    /// The name of what we sign with.
    pub secret: String,
    /// What the other side signs its receipts with.
    pub public_key: Option<String>,
    /// By which way.
    pub route: Route,
    /// What may be told.
    pub fields: BTreeSet<Field>,
    /// The name of the key that persons are named under.
    pub alias_key: String,
    /// Since when.
    pub valid_from: DateTime<Utc>,
    /// Until when.
    pub valid_until: DateTime<Utc>,
    /// On what legal basis it was made.
    pub legal_basis: String,
    /// Who entered this version.
    pub entered_by: String,
    /// When.
    pub entered_at: DateTime<Utc>,
}

/// An agreement with all that it was.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agreement {
    /// Its id, which both sides know.
    pub id: String,
    /// Whether it is in force.
    pub in_force: bool,
    /// Its versions, the newest first.
    pub versions: Vec<AgreementVersion>,
}

/// Enters an agreement, or a new version of it, which holds at once. One that is to end gets an earlier `valid_until`.
#[utoipa::path(request_body = NewAgreement, responses((status = 200, body = Agreement), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[put("/agreements/{id}")]
pub(crate) async fn put_agreement(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<NewAgreement>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let id = word("id", &id)?;
    let work = async |conn: &mut AsyncPgConnection, form: NewAgreement| {
        let version = agreements::newest(conn, &id).await?.map_or(1, |row| row.version + 1);
        let row = form.row(&web, id.clone(), version, &actor.name)?;
        agreements::insert(conn, &row).await?;
        let shown = show(&web, conn, &id).await?;
        let detail = serde_json::json!({
            "version": version, "division": row.division, "route": row.route, "fields": row.fields,
            "valid_from": row.valid_from, "valid_until": row.valid_until,
        });
        let act = audit::Act {
            actor: &actor.name,
            action: "agreement.put",
            subject: format!("agreement {id}"),
            detail,
        };
        audit::append(conn, act, web.now()).await?;
        Ok(Reply::ok(shown))
    };
    write.once(&web, &actor.name, work).await
}

/// An agreement with its versions.
#[utoipa::path(responses((status = 200, body = Agreement), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[get("/agreements/{id}")]
pub(crate) async fn see_agreement(
    web: Data<Web>,
    _staff: Staff<Administer>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = word("id", &id).map_err(|_why| ApiError::NotFound("agreement"))?;
    let mut conn = web.app.store.conn().await?;
    Ok(HttpResponse::Ok().json(show(&web, &mut conn, &id).await?))
}

impl NewAgreement {
    fn row(self, web: &Web, id: String, version: i32, by: &str) -> Result<AgreementRow, ApiError> {
        let division = |field: &'static str, text: &str| {
            let division: Result<Division, _> = text.parse();
            division.map(|it| it.to_string()).map_err(|error| ApiError::invalid(field, error))
        };
        if self.valid_until <= self.valid_from || self.valid_until - self.valid_from > LIFE_MAX {
            return Err(ApiError::invalid("valid_until", "must lie after `valid_from`, three years at most"));
        }
        let own_division = division("own_division", &self.own_division)?;
        let other = division("division", &self.division)?;
        if own_division == other {
            return Err(ApiError::invalid("division", "must be another than `own_division`"));
        }
        if !web.app.issuer_keys.contains_key(&self.secret) {
            return Err(ApiError::invalid("secret", "must be the name of a line of the file of secrets"));
        }
        if !(matches!(self.url.scheme(), "http" | "https") && self.url.has_host()) {
            return Err(ApiError::invalid("url", "must be an http or https address"));
        }
        let whpk = "must be `whpk_` and the base 64 of an Ed25519 public key";
        let public = |text: String| {
            let key = VerifyingKey::parse(&text).and_then(|key| key.public_text());
            key.ok_or_else(|| ApiError::invalid("public_key", whpk))
        };
        Ok(AgreementRow {
            id,
            version,
            own_division,
            division: other,
            url: self.url.to_string(),
            secret: self.secret,
            public_key: self.public_key.map(public).transpose()?,
            route: self.route.number(),
            fields: self.fields.into_iter().map(|field| field.word().to_owned()).collect(),
            alias_key: word("alias_key", &self.alias_key)?,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            legal_basis: text("legal_basis", &self.legal_basis, 3, 500)?,
            entered_by: by.to_owned(),
            entered_at: web.now(),
        })
    }
}

async fn show(web: &Web, conn: &mut AsyncPgConnection, id: &str) -> Result<Agreement, ApiError> {
    let rows = agreements::versions(conn, id, VERSIONS_MAX).await?;
    let newest = rows.first().ok_or(ApiError::NotFound("agreement"))?.read()?;
    let versions = rows.into_iter().map(version).collect::<Result<_, _>>()?;
    Ok(Agreement { id: newest.id.clone(), in_force: newest.in_force(web.now()), versions })
}

fn version(row: AgreementRow) -> Result<AgreementVersion, ApiError> {
    let agreed = row.read()?;
    Ok(AgreementVersion {
        version: row.version,
        own_division: row.own_division,
        division: row.division,
        url: row.url,
        secret: row.secret,
        public_key: row.public_key,
        route: agreed.route,
        fields: agreed.fields,
        alias_key: row.alias_key,
        valid_from: row.valid_from,
        valid_until: row.valid_until,
        legal_basis: row.legal_basis,
        entered_by: row.entered_by,
        entered_at: row.entered_at,
    })
}

/// A short name that systems call something by.
pub(super) fn word(field: &'static str, text: &str) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (2..=32).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid(field, "must be 2 to 32 of a-z 0-9 -"))
    }
}
