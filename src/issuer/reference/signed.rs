//! Requests that the service has signed: letters, reconciliation, hand-overs.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};

use super::Platform;
use super::problem::Problem;
use crate::domain::webhook::{Headers, ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// Whether the service has signed `body`, and just now: refused with 401 when not, whatever the body says.
pub(super) fn authenticate(
    request: &HttpRequest,
    body: &[u8],
    platform: &Platform,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let refuse = |detail: String| Problem::new(StatusCode::UNAUTHORIZED, detail);
    let missing = || refuse("webhook-id, webhook-timestamp and webhook-signature are needed".to_owned());
    let id = header(ID_HEADER).ok_or_else(missing)?;
    // Seconds up to the year 2106: what is longer is no time that a clock shows.
    let timestamp: u32 = header(TIMESTAMP_HEADER).and_then(|text| text.parse().ok()).ok_or_else(missing)?;
    let signatures = header(SIGNATURE_HEADER).ok_or_else(missing)?;
    let headers = Headers { id, timestamp: timestamp.into(), signatures };
    let verified = platform.keys.verify(&headers, body, now);
    verified.map_err(|error| refuse(error.to_string()))
}
