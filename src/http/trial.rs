//! Trials: a rule pack on stays that are given, before anybody relies on it. Nothing is stored and nobody named.

use actix_web::web::{Data, Payload};
use actix_web::{HttpResponse, post};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::Staff;
use super::error::ApiError;
use super::permissions::TryPacks;
use super::web::Web;
use super::write::{body, json};
use crate::domain::rule_pack::RulePack;
use crate::domain::trial::{InvalidTrial, Trial, TrialAnswer};
use crate::store::runs;

/// The largest trial, in bytes.
pub const TRIAL_BYTES_MAX: usize = 1024 * 1024;

/// A pack, and what it is tried on. Either `pack` or `rule_pack` is given.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the document of the body, which is read field by field to tell what is wrong by its path"
)]
pub(crate) struct NewTrial {
    /// The text of a pack, as TOML.
    pack: Option<String>,
    /// Name and version of a pack that is loaded, such as `baseline@1`.
    rule_pack: Option<String>,
    /// The case, the places and the stays.
    #[schema(inline)]
    #[serde(flatten)]
    trial: Trial,
}

/// Mounts the trial.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(try_pack);
}

/// Tries a rule pack on stays that are given: who would be exposed, and by which rule. The labels are the caller's
/// own; no stay, no case and no run comes of it.
#[utoipa::path(request_body = NewTrial, responses((status = 200, body = TrialAnswer), (status = "default", body = super::error::Problem)), tag = "rule packs", security(("staff" = [])))]
#[post("/rule-packs/trial")]
pub(crate) async fn try_pack(
    web: Data<Web>,
    _staff: Staff<TryPacks>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let bytes = body(&mut payload.into_inner(), TRIAL_BYTES_MAX).await?;
    let mut form: Map<String, Value> = json(&bytes)?;
    let pack = pack(&web, &mut form).await?;
    let trial = Trial::read(Value::Object(form)).map_err(invalid)?;
    // A large one takes long enough to hold up other requests.
    let tried = tokio::task::spawn_blocking(move || trial.run(&pack)).await;
    let answer = tried.map_err(|error| ApiError::Internal(error.into()))?.map_err(invalid)?;
    Ok(HttpResponse::Ok().json(answer))
}

async fn pack(web: &Web, form: &mut Map<String, Value>) -> Result<RulePack, ApiError> {
    let text = match (form.remove("pack"), form.remove("rule_pack")) {
        (Some(Value::String(text)), None) => text,
        (None, Some(Value::String(name))) => loaded(web, &name).await?,
        _ => {
            return Err(ApiError::invalid("pack", "or `rule_pack`, one of the two, must be given as a text"));
        }
    };
    RulePack::parse(&text).map_err(|error| ApiError::invalid("pack", error))
}

async fn loaded(web: &Web, name: &str) -> Result<String, ApiError> {
    let unknown =
        || ApiError::invalid("rule_pack", "is not loaded; give name and version, such as `baseline@1`");
    let (id, version) = name.split_once('@').ok_or_else(unknown)?;
    let version = version.parse().map_err(|_no_number| unknown())?;
    let mut conn = web.app.store.conn().await?;
    runs::pack_body(&mut conn, id, version).await?.ok_or_else(unknown)
}

fn invalid(error: InvalidTrial) -> ApiError {
    ApiError::invalid("trial", error)
}
