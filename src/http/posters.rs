//! Posters and symbols as files: one point's, or those of a whole venue.

use actix_web::http::header::{CONTENT_DISPOSITION, ContentType};
use actix_web::web::{Data, Path, Query, block};
use actix_web::{HttpResponse, get};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::error::ApiError;
use super::permissions::RegisterVenues;
use super::venues::{permitted, permitted_point, show_point};
use super::web::Web;
use crate::posters::{PosterError, PosterFacts, Size, qr};
use crate::store::posters;
use crate::store::register::{PointRow, VenueRow};

/// How many posters one request may ask for; a larger venue is printed with `placecode posters`.
const POSTERS_MAX: usize = 1000;

/// How wide a module of a PNG is when nobody says, in pixels.
pub const MODULE_PX: u8 = 16;

/// And at the most.
const MODULE_PX_MAX: u8 = 64;

/// What is printed on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PosterQuery {
    /// The sheet; without it A4. The stickers of one point fill a sheet, those of a venue are one for each point.
    #[param(inline, value_type = Option<Size>)]
    pub size: Option<String>,
}

/// As what the symbol is drawn.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SymbolQuery {
    /// `svg`, which is the default, or `png`.
    pub format: Option<String>,
    /// How many pixels wide a module of a PNG is, from 1 to 64; without it 16.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 64)]
    pub module_px: Option<String>,
}

/// The bytes of a file.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct PosterFile(pub Vec<u8>);

/// The forms of the bare symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Vectors.
    Svg,
    /// Black and white pixels.
    Png {
        /// The width of a module.
        module_px: u8,
    },
}

/// The poster of one point as PDF.
#[utoipa::path(params(PosterQuery), responses((status = 200, content_type = "application/pdf", description = "The poster, or a sheet of stickers", body = PosterFile), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/points/{id}/poster")]
pub(crate) async fn poster(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<i64>,
    query: Query<PosterQuery>,
) -> Result<HttpResponse, ApiError> {
    of_point(&web, &staff.0, *id, &query).await
}

/// The posters of a venue as one PDF, one for each point that is not revoked.
#[utoipa::path(params(PosterQuery), responses((status = 200, content_type = "application/pdf", description = "The posters, or sheets of stickers", body = PosterFile), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/venues/{id}/posters")]
pub(crate) async fn posters_of_venue(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<Uuid>,
    query: Query<PosterQuery>,
) -> Result<HttpResponse, ApiError> {
    of_venue(&web, &staff.0, *id, &query).await
}

/// The bare symbol of a point, with its quiet zone.
#[utoipa::path(params(SymbolQuery), responses((status = 200, description = "The symbol", content((String = "image/svg+xml"), (PosterFile = "image/png"))), (status = "default", body = super::error::Problem)), tag = "venues", security(("staff" = [])))]
#[get("/points/{id}/symbol")]
pub(crate) async fn symbol(
    web: Data<Web>,
    staff: Staff<RegisterVenues>,
    id: Path<i64>,
    query: Query<SymbolQuery>,
) -> Result<HttpResponse, ApiError> {
    let picture = query.read();
    symbol_of(&web, &staff.0, *id, picture?).await
}

impl PosterQuery {
    fn read(&self) -> Result<Size, ApiError> {
        let size = self.size.as_deref().map_or(Ok(Size::A4), str::parse);
        size.map_err(|error| ApiError::invalid("size", error))
    }
}

impl SymbolQuery {
    fn read(&self) -> Result<Picture, ApiError> {
        let module_px = match self.module_px.as_deref().map(str::parse) {
            None => MODULE_PX,
            Some(Ok(module_px)) if (1..=MODULE_PX_MAX).contains(&module_px) => module_px,
            Some(_) => {
                let range = format!("must be a whole number of pixels from 1 to {MODULE_PX_MAX}");
                return Err(ApiError::invalid("module_px", range));
            }
        };
        match self.format.as_deref() {
            None | Some("svg") => Ok(Picture::Svg),
            Some("png") => Ok(Picture::Png { module_px }),
            Some(_) => Err(ApiError::invalid("format", "must be svg or png")),
        }
    }
}

/// The poster of a point, or a sheet full of its stickers, for who may register the venue.
pub async fn of_point(
    web: &Web,
    actor: &Actor,
    id: i64,
    query: &PosterQuery,
) -> Result<HttpResponse, ApiError> {
    let (point, venue) = permitted_point(web, actor, id).await?;
    let size = query.read()?;
    let facts = facts(web, &venue, standing(point)?)?;
    let title = format!("{} · {}", facts.venue, facts.point);
    print(web, size, title, format!("place-code-{id}-{size}"), vec![facts; size.per_sheet()]).await
}

/// The posters of all points of a venue that are not revoked.
pub async fn of_venue(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    query: &PosterQuery,
) -> Result<HttpResponse, ApiError> {
    let venue = permitted(web, actor, id).await?;
    let size = query.read()?;
    let mut conn = web.app.store.conn().await?;
    let points = posters::points(&mut conn, id, None, POSTERS_MAX + 1).await?;
    drop(conn);
    if points.is_empty() {
        return Err(ApiError::Conflict(
            "the venue has no point, or the codes of all its points were revoked",
        ));
    }
    if points.len() > POSTERS_MAX {
        return Err(ApiError::Conflict(
            "the venue has more than 1000 points; print it with `placecode posters`",
        ));
    }
    let all = points.into_iter().map(|point| facts(web, &venue, point)).collect::<Result<Vec<_>, _>>()?;
    print(web, size, venue.name, format!("place-codes-{id}-{size}"), all).await
}

/// The bare symbol of a point, for who may register the venue.
pub async fn symbol_of(
    web: &Web,
    actor: &Actor,
    id: i64,
    picture: Picture,
) -> Result<HttpResponse, ApiError> {
    let (point, _) = permitted_point(web, actor, id).await?;
    let url = show_point(web, standing(point)?)?.url;
    let mut response = HttpResponse::Ok();
    Ok(match picture {
        Picture::Svg => response.content_type("image/svg+xml").body(qr::svg(&url)?),
        Picture::Png { module_px } => {
            response.insert_header(ContentType::png()).body(qr::png(&url, module_px)?)
        }
    })
}

/// What stands on the poster of a point today.
pub fn facts(web: &Web, venue: &VenueRow, point: PointRow) -> Result<PosterFacts, ApiError> {
    let point = show_point(web, point)?;
    let config = &web.app.config;
    Ok(PosterFacts {
        venue: venue.name.clone(),
        point: point.name,
        url: point.url,
        typed: point.typed,
        generation: u8::try_from(point.generation).unwrap_or(u8::MAX),
        issued_on: web.now().with_timezone(&config.local_offset).date_naive(),
        retention_days: config.retention_days,
        host: PosterFacts::host_of(&config.public_url),
    })
}

/// The point, unless its codes were revoked: a poster that answers nobody is not printed.
pub fn standing(point: PointRow) -> Result<PointRow, ApiError> {
    match point.revoked_at {
        None => Ok(point),
        Some(_) => Err(ApiError::Conflict("the codes of this point were revoked")),
    }
}

/// Makes the file on a thread for work that takes its time.
async fn print(
    web: &Web,
    size: Size,
    title: String,
    name: String,
    all: Vec<PosterFacts>,
) -> Result<HttpResponse, ApiError> {
    let printer = web.app.printer.clone();
    let made = block(move || printer.pdf(size, &title, &all)).await;
    let file = made.map_err(|error| ApiError::Internal(error.into()))??;
    let disposition = format!("inline; filename=\"{name}.pdf\"");
    Ok(HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header((CONTENT_DISPOSITION, disposition))
        .body(file))
}

impl From<PosterError> for ApiError {
    fn from(error: PosterError) -> Self {
        match error {
            PosterError::NoGlyph { .. } | PosterError::NeedsShaping { .. } => Self::invalid("name", error),
            PosterError::Address(_) | PosterError::Font(_) | PosterError::Words(_) | PosterError::File(_) => {
                Self::Internal(error.into())
            }
        }
    }
}
