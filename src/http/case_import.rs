//! Line lists of cases over HTTP: all of a list or nothing, with every wrong row named.
//!
//! A list says who is a case, by an authority's number and dates; it colours nobody. Whoever met those persons is found
//! by runs, from evidence, as for a case that is reported alone.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{FromRequest, HttpRequest, HttpResponse, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::Investigate;
use super::venue_forms::text;
use super::web::Web;
use super::write::{body, transaction};
use crate::domain::audit::hex;
use crate::domain::line_list::{self, Fault, LineRow, Terms};
use crate::store::audit;
use crate::store::case_lists::{self, Changed, Entering, Imported};

/// The largest list, in bytes: some ten thousand cases.
pub const LIST_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How a list is read.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct ImportQuery {
    /// Only tells what would be done.
    pub check: bool,
    /// The authority of a list that has no such column.
    pub authority: Option<String>,
    /// The division of a list that has no such column.
    pub division: Option<String>,
}

/// What a list came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedCases {
    /// How many cases it holds.
    pub read: usize,
    /// How many are new.
    pub added: usize,
    /// How many are there already, just as the list says.
    pub known: usize,
    /// Those that are there and say something else. None of them was changed: a case is corrected by `PUT /v1/cases/{id}`.
    pub changed: Vec<ChangedCase>,
}

/// A case of which a list says something else than what is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedCase {
    /// In which line.
    pub line: u64,
    /// The authority's number.
    pub case_no: String,
    /// The case that is there.
    pub case: Uuid,
    /// The columns that differ.
    pub columns: Vec<&'static str>,
}

/// What is wrong with a list: a problem with all its faults. Nothing of the list was entered.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListProblem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// How many faults there are, and the first of them.
    pub detail: String,
    /// All of them; where there are very many, the first thousand.
    pub faults: Vec<Fault>,
}

/// The text of a list. What is wrong with it is told only when it is used: whoever may not ask is told that first.
pub(crate) struct ListBody(Result<Bytes, ApiError>);

impl FromRequest for ListBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(payload, LIST_BYTES_MAX);
        Box::pin(async move { Ok(Self(body.await)) })
    }
}

/// Enters the cases of a line list (CSV; docs/cases.md has the columns): all or none. The same list again changes nothing.
#[utoipa::path(params(ImportQuery), request_body(content = String, content_type = "text/csv"), responses((status = 200, body = ImportedCases), (status = 422, body = ListProblem, content_type = "application/problem+json"), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[post("/cases/import")]
pub(crate) async fn import_cases(
    web: Data<Web>,
    staff: Staff<Investigate>,
    query: Query<ImportQuery>,
    list: ListBody,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let bytes = list.0?;
    match read(&web, &actor, &query, &bytes)? {
        Ok(rows) => Ok(HttpResponse::Ok().json(enter(&web, &actor, &rows, &bytes, query.check).await?)),
        Err(faults) => Ok(refuse(faults)),
    }
}

fn read(
    web: &Web,
    actor: &Actor,
    query: &ImportQuery,
    bytes: &[u8],
) -> Result<Result<Vec<LineRow>, Vec<Fault>>, ApiError> {
    let authority =
        query.authority.as_deref().map(|authority| text("authority", authority, 1, 200)).transpose()?;
    let division = query.division.as_deref().map(str::parse).transpose();
    let terms = Terms {
        who: None,
        map: &[],
        authority: authority.as_deref(),
        division: division.map_err(|error| ApiError::invalid("division", error))?,
        within: actor.division,
        offset: web.app.config.local_offset,
        now: web.now(),
    };
    Ok(line_list::read(bytes, &terms))
}

async fn enter(
    web: &Web,
    actor: &Actor,
    rows: &[LineRow],
    bytes: &[u8],
    check: bool,
) -> Result<ImportedCases, ApiError> {
    let entering = Entering { by: actor.person()?, at: web.now(), check };
    let mut conn = web.app.store.conn().await?;
    let imported = transaction(&mut conn, async |conn| {
        let imported = case_lists::import(conn, rows, entering, |_| ()).await?;
        if !check {
            audit::append(conn, act(&actor.name, bytes, rows.len(), &imported), entering.at).await?;
        }
        Ok(imported)
    })
    .await?;
    Ok(ImportedCases {
        read: rows.len(),
        added: imported.added,
        known: imported.known,
        changed: imported.changed.into_iter().map(show).collect(),
    })
}

/// What is written down of a list: its digest, so that it can be recognised, and what it came to.
pub fn act<'a>(actor: &'a str, bytes: &[u8], read: usize, imported: &Imported) -> audit::Act<'a> {
    use sha2::{Digest, Sha256};
    audit::Act {
        actor,
        action: "cases.imported",
        subject: format!("list {}", hex(&Sha256::digest(bytes))),
        detail: json!({
            "read": read, "added": imported.added, "known": imported.known, "changed": imported.changed.len(),
        }),
    }
}

fn show(changed: Changed) -> ChangedCase {
    let Changed { line, case_no, case, columns } = changed;
    ChangedCase { line, case_no, case, columns }
}

fn refuse(faults: Vec<Fault>) -> HttpResponse {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    let problem = ListProblem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: format!("nothing was entered; {} faults; {first}", faults.len()),
        faults,
    };
    HttpResponse::build(status)
        .content_type("application/problem+json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(problem)
}
