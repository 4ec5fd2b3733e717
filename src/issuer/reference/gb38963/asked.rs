//! A request in the common form, and who asks it: a signed-in person, the trusted front-end, or an application.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::person::Person;
use super::refusal::{Refusal, ReturnCode};
use crate::domain::visitor::Visitor;
use crate::issuer::reference::Platform;
use crate::issuer::reference::applications::{Application, Interface};
use crate::issuer::reference::channel::is_foreign;
use crate::issuer::reference::view::session;

/// How long the text of `bizExtData` may be, in bytes.
const EXT_BYTES_MAX: usize = 4096;

/// Who asks.
pub(super) enum Caller {
    /// A person who has signed in here, for themselves alone.
    Own(Visitor),
    /// The front-end that has the platform's own bearer token, and verifies persons.
    Front,
    /// Another system, within what the operator's file grants.
    Application(Arc<Application>),
}

impl Caller {
    /// Whom a request is about. A person speaks for themselves, the front-end for whom it names.
    pub(super) fn person(&self, named: Option<Person>, platform: &Platform) -> Result<Visitor, Refusal> {
        match (self, named) {
            (Self::Own(visitor), None) => Ok(*visitor),
            (Self::Own(_), Some(_)) => Err(Refusal::new(
                ReturnCode::Permission,
                "who has signed in speaks for themselves: leave `person` out",
            )),
            (Self::Front, Some(person)) => person.visitor(platform),
            (Self::Front, None) => Err(Refusal::new(ReturnCode::Field, "`person` is needed")),
            (Self::Application(_), _) => {
                Err(Refusal::new(ReturnCode::Permission, "an application may not use this interface"))
            }
        }
    }

    /// The application that asks, where the operator has granted it this interface.
    pub(super) fn application(&self, interface: Interface) -> Result<&Application, Refusal> {
        match self {
            Self::Application(one) if one.interfaces.contains(&interface) => Ok(one),
            _ => Err(Refusal::new(
                ReturnCode::Permission,
                "only an application to which the operator has granted it may use this interface",
            )),
        }
    }
}

/// A request: who asks and what. The rest comes back in the answer.
pub(super) struct Asked<T> {
    pub(super) caller: Caller,
    pub(super) data: T,
    pub(super) to: Answering,
}

/// What an answer repeats of its request.
pub(super) struct Answering {
    request_id: String,
    ext: Option<Map<String, Value>>,
}

impl Answering {
    /// The answer in the common form.
    pub(super) fn answer(self, done: Result<Value, Refusal>) -> HttpResponse {
        let data = match done {
            Ok(data) => data,
            Err(refusal) => return refusal.to(&self.request_id).error_response(),
        };
        let (code, _) = ReturnCode::Done.numbers();
        let mut body = json!({ "code": code, "message": "ok", "requestId": self.request_id, "data": data });
        if let (Some(body), Some(ext)) = (body.as_object_mut(), self.ext) {
            body.insert("bizExtData".to_owned(), Value::Object(ext));
        }
        HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
    }
}

/// The common form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    request_id: String,
    biz_data: Value,
    #[serde(default)]
    biz_ext_data: Option<Map<String, Value>>,
}

impl<T: DeserializeOwned> FromRequest for Asked<T> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // Whoever may not ask at all is told that before what is wrong with the body.
        let caller = caller(request);
        let body = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let caller = caller?;
            let body = body.await.map_err(|_why| {
                Refusal::new(ReturnCode::Length, "the body is longer than 64 KiB, or cannot be read")
            })?;
            let (data, to) = read(&body)?;
            Ok(Self { caller, data, to })
        })
    }
}

fn caller(request: &HttpRequest) -> Result<Caller, Refusal> {
    let refuse = || {
        Refusal::new(
            ReturnCode::Caller,
            "the bearer token of the front-end or of an application is needed, or the session of who has signed in",
        )
    };
    let platform = request.app_data::<web::Data<Platform>>().ok_or_else(refuse)?;
    let Some(given) = request.headers().get(header::AUTHORIZATION) else {
        // A form on somebody else's page cannot ask in the name of who has signed in.
        let visitor = session(request).filter(|_| !is_foreign(request));
        return visitor.map(Caller::Own).ok_or_else(refuse);
    };
    let token = given.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    let token = token.ok_or_else(refuse)?;
    if platform.keys.trusts(token) {
        return Ok(Caller::Front);
    }
    let application = platform.applications.of(token, platform.clock.now());
    application.map(Caller::Application).ok_or_else(refuse)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<(T, Answering), Refusal> {
    let form: Form = serde_json::from_slice(body).map_err(|error| {
        let form = "the body must be {\"requestId\", \"bizData\", \"bizExtData\"?}";
        Refusal::new(ReturnCode::Form, format!("{form}: {}", wrong(&error)))
    })?;
    let fits =
        (1..=64).contains(&form.request_id.len()) && form.request_id.bytes().all(|b| b.is_ascii_graphic());
    if !fits {
        return Err(Refusal::new(ReturnCode::Form, "`requestId` must be 1 to 64 visible ASCII characters"));
    }
    let ext_bytes = form.biz_ext_data.as_ref().map_or(0, |ext| Value::Object(ext.clone()).to_string().len());
    if ext_bytes > EXT_BYTES_MAX {
        let why = format!("`bizExtData` must be no longer than {EXT_BYTES_MAX} bytes");
        return Err(Refusal::new(ReturnCode::Form, why).to(&form.request_id));
    }
    let data = serde_json::from_value(form.biz_data).map_err(|error| {
        Refusal::new(ReturnCode::Field, format!("`bizData`: {}", wrong(&error))).to(&form.request_id)
    })?;
    Ok((data, Answering { request_id: form.request_id, ext: form.biz_ext_data }))
}

/// What is wrong, without the value that is: the words of the parser repeat it, and it may be a name.
fn wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = if error.line() > 0 {
        format!(" (line {}, column {})", error.line(), error.column())
    } else {
        String::new()
    };
    let text = text.split(" at line ").next().unwrap_or_default();
    if text.starts_with("missing field `") {
        return format!("{text}{place}");
    }
    match text.rsplit_once(", expected ") {
        Some((before, expected)) if before.starts_with("unknown field") => {
            format!("a field is not known, expected {expected}{place}")
        }
        Some((_, expected)) => format!("a value is wrong, expected {expected}{place}"),
        None => format!("a value is wrong{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Data {
        #[expect(dead_code, reason = "only its form is read")]
        number: u8,
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        let wrong_in = |body: &str| read::<Data>(body.as_bytes()).err().unwrap().to_string();
        let with = |data: &str| format!(r#"{{"requestId":"1","bizData":{data}}}"#);
        assert!(wrong_in(&with("{}")).contains("missing field `number`"));
        for secret in [
            r#"{"number":"张三, expected a secret"}"#,
            r#"{"张三":1}"#,
            r#"{"number":1,"张三":1}"#,
            r#""张三""#,
        ] {
            let said = wrong_in(&with(secret));
            assert!(!said.contains("张三") && said.contains("expected"), "{said}");
        }
        assert!(wrong_in("{").contains("line 1"));
        assert!(wrong_in(r#"{"requestId":"","bizData":{"number":1}}"#).contains("requestId"));
        let long = format!(
            r#"{{"requestId":"1","bizData":{{"number":1}},"bizExtData":{{"a":"{}"}}}}"#,
            "x".repeat(5000)
        );
        assert!(wrong_in(&long).contains("bizExtData"));
    }
}
