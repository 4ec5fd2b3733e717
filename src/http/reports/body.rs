//! The bytes of a report, page by page: each page has a connection of its own, so that a slow reader holds none.

use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;

use super::document;
use super::plan::Plan;
use super::rows::{Pages, sheet};
use crate::domain::report::file::TableFile;
use crate::domain::report::kind::Kind;
use crate::http::error::ApiError;

/// What comes next in a body.
enum Next {
    Whole(Vec<u8>),
    Head,
    Page(Pages),
    End,
}

/// Where a body stands.
struct Writing {
    plan: Plan,
    table: Option<TableFile>,
    next: Next,
}

/// The body of a report. A failure breaks it off; the reader sees that it is not whole.
pub async fn of(plan: Plan) -> Result<impl Stream<Item = Result<Bytes, ApiError>> + use<>, ApiError> {
    let writing = match plan.report.kind {
        Kind::Triage
        | Kind::LineList
        | Kind::Divisions
        | Kind::Chain
        | Kind::Trajectory
        | Kind::SormasCases
        | Kind::GodataCases => whole(plan).await?,
        Kind::Letters if plan.report.format != crate::domain::report::kind::Format::Csv => {
            whole(plan).await?
        }
        Kind::Contacts
        | Kind::Exposures
        | Kind::Venues
        | Kind::Letters
        | Kind::SormasContacts
        | Kind::GodataContacts
        | Kind::GodataContactsOfContacts
        | Kind::EpicontactsLinelist
        | Kind::EpicontactsContacts => {
            let table =
                TableFile::begin(sheet(&plan), plan.report.format, plan.offset()).map_err(unwritten)?;
            Writing { plan, table: Some(table), next: Next::Head }
        }
    };
    Ok(try_unfold(writing, step))
}

/// A report that does not grow with the run is made before the answer begins, so that a failure is told as one.
async fn whole(plan: Plan) -> Result<Writing, ApiError> {
    let bytes = document::of(&plan).await?;
    Ok(Writing { plan, table: None, next: Next::Whole(bytes) })
}

async fn step(writing: Writing) -> Result<Option<(Bytes, Writing)>, ApiError> {
    let Writing { plan, mut table, next } = writing;
    let (bytes, next) = match (next, table.as_mut()) {
        (Next::Whole(bytes), _) => (bytes, Next::End),
        (Next::Head, Some(table)) => (table.head(), Next::Page(Pages::begin(&plan))),
        (Next::Page(mut pages), Some(open)) => {
            let mut conn = plan.app.store.conn().await?;
            if let Some(rows) = pages.next(&plan, &mut conn).await? {
                (open.add(&rows).map_err(unwritten)?, Next::Page(pages))
            } else {
                let bytes = table.take().map_or(Ok(Vec::new()), TableFile::end).map_err(unwritten)?;
                (bytes, Next::End)
            }
        }
        (Next::End | Next::Head | Next::Page(_), _) => return Ok(None),
    };
    Ok(Some((Bytes::from(bytes), Writing { plan, table, next })))
}

/// A table that could not be written.
pub(super) fn unwritten(error: parquet::errors::ParquetError) -> ApiError {
    ApiError::Internal(error.into())
}
