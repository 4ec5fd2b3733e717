//! The return codes, and refusals that carry one.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::issuer::reference::store::StoreError;

/// What became of a request. The numbers are ours: those of the standard's annex B are not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnCode {
    /// Done.
    Done,
    /// The body is no JSON of the common form.
    Form,
    /// A field is missing or wrong.
    Field,
    /// The kind or number of a document is wrong.
    Document,
    /// The body is too long.
    Length,
    /// Nobody known asks.
    Caller,
    /// Whoever asks may not use this interface, or not for this person.
    Permission,
    /// The share of a day is used up.
    Share,
    /// No call was granted, it is over, or its code was made.
    NoCall,
    /// What was scanned is no code of this kind.
    NoCode,
    /// The code is forged: this platform has not signed it.
    Forged,
    /// The code is genuine, and its time is over.
    Expired,
    /// The code is genuine, and a scanner has seen it before.
    Seen,
    /// There is nothing of this id about this person.
    Unknown,
    /// The database does not answer: ask again later.
    Away,
}

impl ReturnCode {
    /// Every code.
    pub const ALL: [Self; 15] = [
        Self::Done,
        Self::Form,
        Self::Field,
        Self::Document,
        Self::Length,
        Self::Caller,
        Self::Permission,
        Self::Share,
        Self::NoCall,
        Self::NoCode,
        Self::Forged,
        Self::Expired,
        Self::Seen,
        Self::Unknown,
        Self::Away,
    ];

    /// The four digits in the answer, and its HTTP status.
    pub fn numbers(self) -> (&'static str, u16) {
        match self {
            Self::Done => ("0000", 200),
            Self::Form => ("1001", 400),
            Self::Field => ("1002", 422),
            Self::Document => ("1003", 422),
            Self::Length => ("1004", 413),
            Self::Caller => ("2001", 401),
            Self::Permission => ("2002", 403),
            Self::Share => ("2003", 429),
            Self::NoCall => ("2004", 403),
            Self::NoCode => ("3001", 422),
            Self::Forged => ("3002", 422),
            Self::Expired => ("3003", 422),
            Self::Seen => ("3004", 409),
            Self::Unknown => ("4001", 404),
            Self::Away => ("5001", 503),
        }
    }
}

/// A refusal: a code and one sentence that helps the caller, and repeats nothing of what was sent.
#[derive(Debug)]
pub(super) struct Refusal {
    code: ReturnCode,
    message: String,
    request_id: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: ReturnCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), request_id: None }
    }

    /// The same, as the answer to a request whose id is known.
    pub(super) fn to(self, request_id: &str) -> Self {
        Self { request_id: Some(request_id.to_owned()), ..self }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "the database did not answer a request");
        Self::new(ReturnCode::Away, "the database does not answer; ask again later")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.numbers().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let (code, _) = self.code.numbers();
        let mut response = HttpResponse::build(self.status_code());
        if self.code == ReturnCode::Caller {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        response.insert_header(("Cache-Control", "no-store")).json(json!({
            "code": code,
            "message": self.message,
            "requestId": self.request_id,
            "data": Value::Null,
        }))
    }
}
