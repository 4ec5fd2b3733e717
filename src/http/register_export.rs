//! The register as a file: what the caller may see of it, streamed page by page.

use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpResponse, get};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::SeeVenues;
use super::web::Web;
use super::write::transaction;
use crate::domain::access::Role;
use crate::domain::register_file::Format;
use crate::domain::venue::{Division, VenueState};
use crate::store::register_export::{self, Filter};
use crate::store::{access, audit};

/// Which venues of those that the caller may see.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// Only of this division (GB/T 2260) and all inside it; the caller's own when absent.
    pub division: Option<String>,
    /// Only venues in this state.
    pub state: Option<VenueState>,
    /// Only venues of this imported set.
    pub set: Option<String>,
}

/// The register as CSV in the form that `placecode venues import` reads: an inspector's or investigator's
/// division, a manager's own venues.
#[utoipa::path(params(ExportQuery), responses((status = 200, body = String, content_type = "text/csv"), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues.csv")]
pub(crate) async fn export_csv(
    web: Data<Web>,
    staff: Staff<SeeVenues>,
    query: Query<ExportQuery>,
) -> Result<HttpResponse, ApiError> {
    export(&web, &staff.0, &query, Format::Csv, "venues.csv").await
}

/// The same as one GeoJSON `FeatureCollection`.
#[utoipa::path(params(ExportQuery), responses((status = 200, body = String, content_type = "application/geo+json"), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues.geojson")]
pub(crate) async fn export_geojson(
    web: Data<Web>,
    staff: Staff<SeeVenues>,
    query: Query<ExportQuery>,
) -> Result<HttpResponse, ApiError> {
    export(&web, &staff.0, &query, Format::Geojson, "venues.geojson").await
}

async fn export(
    web: &Web,
    actor: &Actor,
    query: &ExportQuery,
    format: Format,
    name: &str,
) -> Result<HttpResponse, ApiError> {
    let filter = filter(web, actor, query).await?;
    note(web, actor, query, name).await?;
    let file = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name.to_owned())],
    };
    let body = pages(web.clone(), filter, format);
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, format.media_type())).insert_header(file);
    Ok(response.streaming(body))
}

/// What the caller may see of what is asked for. Asking for another jurisdiction is refused and written down.
async fn filter(web: &Web, actor: &Actor, query: &ExportQuery) -> Result<Filter, ApiError> {
    let division = match &query.division {
        Some(text) => text.parse().map_err(|error| ApiError::invalid("division", error))?,
        None => actor.division,
    };
    let name = |set: &String| set.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !query.set.as_ref().is_none_or(name) {
        return Err(ApiError::invalid("set", "has lower-case letters, digits and hyphens only"));
    }
    let only_manager = !actor.is(Role::Inspector) && !actor.is(Role::Investigator);
    let narrower =
        Filter { division: Some(division), set: query.set.clone(), state: query.state, only: None };
    if only_manager {
        let mut conn = web.app.store.conn().await?;
        let own = access::venues_of(&mut conn, actor.id).await?;
        // A manager's venues may lie anywhere.
        let division: Option<Division> = query.division.as_ref().map(|_| division);
        return Ok(Filter { division, only: Some(own), ..narrower });
    }
    actor.within(web, &division, &format!("register of {division}")).await?;
    Ok(narrower)
}

/// The export is written down before anything is shown.
async fn note(web: &Web, actor: &Actor, query: &ExportQuery, name: &str) -> Result<(), ApiError> {
    let act = audit::Act {
        actor: &actor.name,
        action: "register.exported",
        subject: name.to_owned(),
        detail: json!({ "division": query.division, "set": query.set, "state": query.state }),
    };
    let now = web.now();
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| Ok(audit::append(conn, act, now).await?)).await
}

/// What comes next in a body.
enum Next {
    Head,
    Page(Option<Uuid>, bool),
    End,
}

/// One page after the other, each with a connection of its own, so that a slow reader holds none. A failure
/// breaks the body off; the reader sees that it is not whole.
fn pages(web: Web, filter: Filter, format: Format) -> impl Stream<Item = Result<Bytes, ApiError>> {
    try_unfold((web, filter, Next::Head), move |(web, filter, next)| async move {
        let (text, then) = match next {
            Next::End => return Ok(None),
            Next::Head => (format.head(), Next::Page(None, true)),
            Next::Page(after, first) => {
                let mut conn = web.app.store.conn().await?;
                let (records, next) = register_export::page(&mut conn, &filter, after).await?;
                let mut text = String::new();
                for (at, record) in records.iter().enumerate() {
                    format.add(&mut text, record, first && at == 0);
                }
                match next {
                    Some(last) => (text, Next::Page(Some(last), first && records.is_empty())),
                    None => (text + format.tail(), Next::End),
                }
            }
        };
        Ok(Some((Bytes::from(text), (web, filter, then))))
    })
}
