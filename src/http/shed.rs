//! Shedding load: when too much is under way, pages are refused first, then reads and other writes, and scans
//! last, before any work is done for them.
//!
//! What is counted is requests under way in this process, whatever they wait for. So a slow Redis or Postgres
//! counts by itself: scans that wait for the log stay under way, and everything that matters less is refused
//! until they are answered. Whoever is refused is told to come back in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::bounds;
use super::error::ApiError;
use super::limits::by_address;
use super::pages::is_code_page;
use super::web::Web;
use crate::config::FairConfig;

/// What a request is for, in the order in which they are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A page of staff, of a venue, of a visitor's records.
    Page,
    /// What the API reads, and what it writes but for scans.
    Read,
    /// A scan, and what a citizen or a door needs for one: the visitor token, the page behind a place code,
    /// the screen that shows it, the style of both.
    Scan,
}

impl Class {
    /// The class of a request. Questions after the health of the service have none: whoever asks would take
    /// a busy service for a dead one, and start it anew.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/livez" | "/readyz" => None,
            "/v1/visitor-tokens" | "/identity" | "/me/leave" | "/go" | "/screen" | "/style.css" => {
                Some(Self::Scan)
            }
            _ if path.starts_with("/v1/scans") || is_code_page(path) => Some(Self::Scan),
            _ if path.starts_with("/v1/") || path == "/openapi.json" => Some(Self::Read),
            _ => Some(Self::Page),
        }
    }

    /// With more requests than this under way, this class is refused.
    fn mark(self, fair: &FairConfig) -> u32 {
        match self {
            Self::Page => fair.shed_pages_above,
            Self::Read => fair.shed_reads_above,
            Self::Scan => fair.shed_scans_above,
        }
    }
}

/// How many requests are under way. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Load(Arc<AtomicU32>);

impl Load {
    /// A place among the requests under way, unless more than `mark` would be.
    fn enter(&self, mark: u32) -> Option<Place> {
        let place = Place(self.clone());
        (self.0.fetch_add(1, Ordering::Relaxed) < mark).then_some(place)
    }
}

/// A place that is given back when it is dropped, also by a request that is given up midway.
#[derive(Debug)]
struct Place(Load);

impl Drop for Place {
    fn drop(&mut self) {
        let Self(Load(under_way)) = self;
        under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Around every request, before anything is done for it: refuses what is too much, and bounds the time of
/// the rest.
pub async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let web = request.app_data::<Data<Web>>().cloned();
    let Some((class, web)) = Class::of(request.path()).zip(web) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let fair = &web.app.config.fair;
    let Some(_place) = web.load.enter(class.mark(fair)) else {
        return Ok(request.error_response(ApiError::Busy));
    };
    if let Err(refused) = by_address(&web, request.request()).await {
        return Ok(request.error_response(refused));
    }
    bounds::within(bounds::Times::of(fair, class, request.path()), request, next).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::PAGES;
    use crate::http::routes::API;

    #[test]
    fn whatever_a_citizen_needs_to_scan_is_refused_last() {
        let code = "2000E-PYD2M-3VZ8X-YCTFKC";
        let of = |path: &str| Class::of(&path.replace("{code}", code));
        let scans: Vec<&str> = API
            .iter()
            .chain(PAGES)
            .map(|route| route.1)
            .filter(|path| of(path) == Some(Class::Scan))
            .collect();
        for path in ["/v1/scans", "/v1/scans/batch", "/v1/visitor-tokens", "/{code}", "/screen", "/identity"]
        {
            assert!(scans.contains(&path), "{path}");
        }
        for (path, class) in [
            ("/livez", None),
            ("/readyz", None),
            ("/v1/cases", Some(Class::Read)),
            ("/v1/sessions", Some(Class::Read)),
            ("/", Some(Class::Page)),
            ("/manage/venues/new", Some(Class::Page)),
            ("/nowhere", Some(Class::Page)),
        ] {
            assert_eq!(of(path), class, "{path}");
        }
    }

    #[test]
    fn a_place_is_given_back_also_by_who_was_refused() {
        let load = Load::default();
        let places: Vec<Option<Place>> = (0..3).map(|_| load.enter(2)).collect();
        assert_eq!(places.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(load.0.load(Ordering::Relaxed), 2);
        drop(places);
        assert_eq!(load.0.load(Ordering::Relaxed), 0);
    }
}
