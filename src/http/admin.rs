//! What an administrator makes known: devices, channels, rule packs.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post, put};
use data_encoding::HEXLOWER;
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::Administer;
use super::scans::place;
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::rule_pack::RulePack;
use crate::domain::venue::Division;
use crate::store::access::{self, ChannelRow, DeviceRow};
use crate::store::runs;

/// A new digital sentinel or gate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// What it is.
    pub name: String,
    /// Place code of the point where it stands.
    pub code: String,
    /// Its Ed25519 public key: 64 hexadecimal digits.
    pub public_key: String,
}

/// Something that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Made {
    /// Its id.
    pub id: String,
}

/// Makes a device known.
#[utoipa::path(request_body = NewDevice, responses((status = 201, body = Made), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[post("/devices")]
pub(crate) async fn add_device(
    web: Data<Web>,
    staff: Staff<Administer>,
    write: Write<NewDevice>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form: NewDevice| {
        let (code, _) = place(&web, &form.code, web.now()).await?;
        let row = DeviceRow {
            id: Uuid::now_v7(),
            name: text("name", &form.name, 1, 100)?,
            point_id: code.point().to_i64(),
            public_key: public_key(&form.public_key)?,
            disabled_at: None,
            created_at: web.now(),
        };
        access::insert_device(conn, &row).await?;
        actor.note(&web, conn, "device.added", format!("device {}", row.id)).await?;
        Ok(Reply::created(Made { id: row.id.to_string() }))
    };
    write.once(&web, &actor.name, work).await
}

/// A client that verifies persons.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// Name to show.
    pub name: String,
    /// Its Ed25519 public key: 64 hexadecimal digits.
    pub public_key: String,
    /// Where a visitor is sent to be verified.
    #[schema(value_type = String)]
    pub page_url: url::Url,
}

/// Makes a channel known, or changes it.
#[utoipa::path(request_body = NewChannel, responses((status = 200, body = Made), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[put("/channels/{id}")]
pub(crate) async fn put_channel(
    web: Data<Web>,
    staff: Staff<Administer>,
    id: Path<String>,
    write: Write<NewChannel>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let id = word(&id)?;
    let work = async |conn: &mut AsyncPgConnection, form: NewChannel| {
        let row = ChannelRow {
            id: id.clone(),
            name: text("name", &form.name, 1, 100)?,
            public_key: public_key(&form.public_key)?,
            page_url: web_address("page_url", &form.page_url)?,
            disabled_at: None,
            created_at: web.now(),
        };
        access::upsert_channel(conn, &row).await?;
        actor.note(&web, conn, "channel.put", format!("channel {id}")).await?;
        Ok(Reply::ok(Made { id }))
    };
    let answer = write.once(&web, &actor.name, work).await;
    web.hear_of_channels().await;
    answer
}

/// The text of a rule pack.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPack {
    /// TOML, as in `policies/`.
    pub text: String,
}

/// Loads a rule pack. A version that is there already is never changed.
#[utoipa::path(request_body = NewPack, responses((status = 201, body = Made), (status = "default", body = super::error::Problem)), tag = "administration", security(("staff" = [])))]
#[post("/rule-packs")]
pub(crate) async fn load_pack(
    web: Data<Web>,
    staff: Staff<Administer>,
    write: Write<NewPack>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let work = async |conn: &mut AsyncPgConnection, form: NewPack| {
        let pack = RulePack::parse(&form.text).map_err(|error| ApiError::invalid("text", error))?;
        if !runs::load_pack(conn, &pack, &form.text, web.now()).await? {
            return Err(ApiError::Conflict("this version is there with another text; raise the version"));
        }
        actor.note(&web, conn, "rule_pack.loaded", pack.name()).await?;
        Ok(Reply::created(Made { id: pack.name() }))
    };
    write.once(&web, &actor.name, work).await
}

/// A division that was written in full.
pub(super) fn division(text: &str) -> Result<String, ApiError> {
    let division: Division = text.parse().map_err(|error| ApiError::invalid("division", error))?;
    Ok(division.to_string())
}

/// The id of a channel or an issuing system.
pub(super) fn word(text: &str) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (2..=32).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid("id", "must be 2 to 32 of a-z 0-9 -"))
    }
}

fn public_key(hex: &str) -> Result<Vec<u8>, ApiError> {
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let key = bytes.filter(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_ok());
    let right = "must be an Ed25519 public key of 64 hexadecimal digits in lower case";
    key.map(|bytes| bytes.to_vec()).ok_or_else(|| ApiError::invalid("public_key", right))
}

/// An address that a program or a browser can be sent to.
pub(super) fn web_address(field: &'static str, url: &url::Url) -> Result<String, ApiError> {
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url.to_string())
    } else {
        Err(ApiError::invalid(field, "must be an http or https address"))
    }
}
