//! Every way in which a request can fail, as RFC 9457 `application/problem+json`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::intake::IntakeError;
use crate::store::StoreError;

/// When to send a scan again that could not be kept, in seconds: servers take a few to come back.
const NOT_KEPT_RETRY_SECS: &str = "5";

/// The variant decides the status. The text of `Internal` is logged once, here, and never answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400: the request cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// 401: no token, or one that has ended.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// 403: the token is good, but not for this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 403, like `Forbidden`, where that was written down already with what it was about.
    #[error("{0}")]
    Refused(&'static str),
    /// 404.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// 405.
    #[error("this address does not take that method")]
    Method(String),
    /// 409: not in this state.
    #[error("{0}")]
    Conflict(&'static str),
    /// 413.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// 408: the body did not come in time.
    #[error("the body came too slowly")]
    TooSlow,
    /// 422: readable, but not right.
    #[error("{field}: {reason}")]
    Invalid {
        /// What.
        field: &'static str,
        /// Why, and what would be right.
        reason: String,
    },
    /// 429.
    #[error("too many requests; wait {0} seconds")]
    TooMany(i64),
    /// 503, worth another try.
    #[error("the service is busy; try again in a moment")]
    Busy,
    /// 503: a scan cannot be kept now. Whether any of it was is not known, and sending it again doubles nothing.
    #[error("{0}; keep the scan and send it again with the same id")]
    NotKept(&'static str),
    /// 500.
    #[error("something went wrong on our side")]
    Internal(#[source] anyhow::Error),
}

/// The body of every failure.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What, where, and what would be right.
    pub detail: String,
}

impl ApiError {
    /// A value that is not right.
    pub fn invalid(field: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { field, reason: format!("{reason}") }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Internal(error) = self {
            tracing::error!(error = format!("{error:#}"), "request failed");
        }
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        match self {
            Self::Busy => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            Self::NotKept(_) => {
                response.insert_header((header::RETRY_AFTER, NOT_KEPT_RETRY_SECS));
            }
            Self::TooMany(secs) => {
                response.insert_header((header::RETRY_AFTER, secs.to_string()));
            }
            Self::Method(allow) => {
                response.insert_header((header::ALLOW, allow.as_str()));
            }
            Self::Unauthenticated(_) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            _ => {}
        }
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
        };
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        response.content_type("application/problem+json");
        response.body(serde_json::to_string(&problem).unwrap_or_default())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(_) => Self::Busy,
            StoreError::Query(error) => error.into(),
            StoreError::Corrupt(_) => Self::Internal(error.into()),
        }
    }
}

/// What a transaction itself may fail with. A key that is there already is the client's conflict, a
/// lost connection is worth another try, and everything else is ours.
impl From<diesel::result::Error> for ApiError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match &error {
            Error::DatabaseError(Kind::UniqueViolation, _) => Self::Conflict("this is there already"),
            Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _)
            | Error::BrokenTransactionManager => Self::Busy,
            // Diesel has no kind for a server that is being stopped or started.
            Error::DatabaseError(Kind::Unknown, info)
                if ["terminating connection", "the database system is"]
                    .iter()
                    .any(|word| info.message().starts_with(word)) =>
            {
                Self::Busy
            }
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        tracing::warn!(error = %error, "intake refused");
        match error {
            IntakeError::Busy(_) => Self::Busy,
            IntakeError::Full => Self::NotKept("too many scans wait to be stored"),
            IntakeError::Away => Self::NotKept("scans cannot be kept at the moment"),
        }
    }
}
