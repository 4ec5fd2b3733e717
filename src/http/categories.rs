//! The category catalogue, for client apps and forms.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use super::web::Web;
use crate::domain::catalogue::Listing;

/// All kinds of places: names, usual stay, closing time, whether exits are scanned, duty, and the sources
/// of all that.
#[utoipa::path(responses((status = 200, body = Listing), (status = "default", body = super::error::Problem)), tag = "venues")]
#[get("/categories")]
pub(crate) async fn list_categories(web: Data<Web>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    // It changes with a release only, and every client asks for it.
    response.insert_header((header::CACHE_CONTROL, "public, max-age=3600"));
    response.json(web.app.catalogue.listing())
}
