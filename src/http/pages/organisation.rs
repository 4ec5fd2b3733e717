//! An organisation and the venues of its chain.

use actix_web::HttpResponse;
use actix_web::get;
use actix_web::web::{Data, Path};
use maud::html;
use serde::Deserialize;
use uuid::Uuid;

use super::desk::Asked;
use super::manage::card;
use super::words;
use crate::http::error::ApiError;
use crate::http::organisations::chain;
use crate::http::permissions::SeeVenues;
use crate::http::venues::PAGE;
use crate::http::web::Web;

/// Which page of the venues.
#[derive(Debug, Deserialize)]
struct ChainPage {
    after: Option<Uuid>,
}

/// The organisation with a page of its venues, each with its state.
#[get("/manage/organisations/{id}")]
pub(super) async fn show(
    asked: Asked<SeeVenues, ChainPage>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query } = asked;
    let (organisation, rows) = chain(&web, &desk.signed.actor, *id, query.after).await?;
    let more = rows.last().filter(|_| rows.len() == usize::try_from(PAGE).unwrap_or(0));
    let code = organisation.credit_code.as_deref();
    let body = html! {
        h1 { (organisation.name) }
        p.small {
            (words::organisation_kind(desk.view.lang, organisation.kind)) " · "
            (code.unwrap_or(desk.say("没有登记统一社会信用代码", "no credit code registered")))
        }
        h2 { (desk.say("名下场所", "Its venues")) }
        @if rows.is_empty() { p { (desk.say("没有场所。", "No venue here.")) } }
        ul.cards { @for row in &rows { (card(&desk.view, row)?) } }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/manage/organisations/" (id) "?after=" (last.id) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(&organisation.name, &body))
}
