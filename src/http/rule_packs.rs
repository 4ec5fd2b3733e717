//! The rule packs that are loaded: which there are, their text, and what is read from it.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::SeeRulePacks;
use super::web::Web;
use crate::domain::case::CaseKind;
use crate::domain::rule_pack::RulePack;
use crate::store::rule_packs::{self, RulePackRow};

/// How many packs one page of the list holds.
pub const PAGE: i64 = 50;

/// Mounts what this file answers.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(list_packs).service(see_pack);
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PackList {
    /// The name of the last pack of the page before, such as `baseline@1`.
    pub after: Option<String>,
}

/// A loaded pack, in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PackEntry {
    /// Name and version, such as `baseline@1`.
    pub name: String,
    /// Name in Chinese.
    pub title_zh: Option<String>,
    /// Name in English.
    pub title_en: Option<String>,
    /// Whose rules: a division code of GB/T 2260, or a country or region of ISO 3166.
    pub jurisdiction: Option<String>,
    /// The day from which it holds.
    pub effective_from: Option<NaiveDate>,
    /// The first day on which it no longer held.
    pub effective_until: Option<NaiveDate>,
    /// Which cases count.
    pub index_kinds: Vec<CaseKind>,
    /// When it was loaded.
    pub loaded_at: DateTime<Utc>,
    /// Why this release cannot read it; then the fields above are empty.
    pub refused: Option<String>,
}

/// A loaded pack.
#[derive(Debug, Serialize, ToSchema)]
pub struct PackText {
    /// Name and version, such as `baseline@1`.
    pub name: String,
    /// When it was loaded.
    pub loaded_at: DateTime<Utc>,
    /// TOML, as it was loaded.
    pub text: String,
    /// What is read from it, with the defaults of keys that are not written; docs/rule-packs.md describes the keys.
    pub rules: Option<serde_json::Value>,
    /// Why this release cannot read it; then there are no rules.
    pub refused: Option<String>,
}

/// A page of the packs that are loaded, by name; `Link` names the next page.
#[utoipa::path(params(PackList), responses((status = 200, body = [PackEntry]), (status = "default", body = super::error::Problem)), tag = "rule packs", security(("staff" = [])))]
#[get("/rule-packs")]
pub(crate) async fn list_packs(
    web: Data<Web>,
    _staff: Staff<SeeRulePacks>,
    list: Query<PackList>,
) -> Result<HttpResponse, ApiError> {
    let wrong = || ApiError::invalid("after", "must be name and version, such as `baseline@1`");
    let after = list.after.as_deref().map(|name| parts(name).ok_or_else(wrong)).transpose()?;
    let mut conn = web.app.store.conn().await?;
    let rows = rule_packs::page(&mut conn, after, PAGE).await?;
    let entries: Vec<PackEntry> = rows.iter().map(entry).collect();
    let mut response = HttpResponse::Ok();
    if let Some(last) = entries.last().filter(|_| entries.len() == usize::try_from(PAGE).unwrap_or(0)) {
        response.insert_header(("Link", format!("</v1/rule-packs?after={}>; rel=\"next\"", last.name)));
    }
    Ok(response.json(entries))
}

/// One pack: its text as it was loaded, and what is read from it.
#[utoipa::path(responses((status = 200, body = PackText), (status = "default", body = super::error::Problem)), tag = "rule packs", security(("staff" = [])))]
#[get("/rule-packs/{name}")]
pub(crate) async fn see_pack(
    web: Data<Web>,
    _staff: Staff<SeeRulePacks>,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let unknown = || ApiError::NotFound("rule pack");
    let (id, version) = parts(&name).ok_or_else(unknown)?;
    let mut conn = web.app.store.conn().await?;
    let row = rule_packs::find(&mut conn, id, version).await?.ok_or_else(unknown)?;
    let (rules, refused) = match RulePack::parse(&row.body) {
        Ok(pack) => (Some(serde_json::to_value(pack).unwrap_or_default()), None),
        Err(refused) => (None, Some(refused.to_string())),
    };
    let name = format!("{}@{}", row.id, row.version);
    Ok(HttpResponse::Ok().json(PackText { name, loaded_at: row.loaded_at, text: row.body, rules, refused }))
}

/// Name and version of `baseline@1`.
fn parts(name: &str) -> Option<(&str, i32)> {
    let (id, version) = name.split_once('@')?;
    Some((id, version.parse().ok()?))
}

fn entry(row: &RulePackRow) -> PackEntry {
    let (pack, refused) = match RulePack::parse(&row.body) {
        Ok(pack) => (Some(pack), None),
        Err(refused) => (None, Some(refused.to_string())),
    };
    PackEntry {
        name: format!("{}@{}", row.id, row.version),
        title_zh: pack.as_ref().map(|pack| pack.title_zh.clone()),
        title_en: pack.as_ref().map(|pack| pack.title_en.clone()),
        jurisdiction: pack.as_ref().and_then(|pack| pack.jurisdiction.clone()),
        effective_from: pack.as_ref().map(|pack| pack.effective_from),
        effective_until: pack.as_ref().and_then(|pack| pack.effective_until),
        index_kinds: pack.map(|pack| pack.index_kinds).unwrap_or_default(),
        loaded_at: row.loaded_at,
        refused,
    }
}
