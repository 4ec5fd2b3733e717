//! The server: limits, headers, one log line a request, and a clean end.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Bytes, Data, PathConfig, QueryConfig};
use actix_web::{App as ActixApp, HttpRequest, HttpResponse, HttpServer, Responder, get};
use tokio::sync::watch;
use utoipa_actix_web::AppExt;

use super::bounds::Line;
use super::error::ApiError;
use super::pages::{self, PAGES};
use super::refusals;
use super::routes::{self, API, matches};
use super::shed;
use super::web::Web;

/// How long a client may take to hear that its connection ends: a refusal whose body was not read is still
/// to arrive.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long requests under way may take when the service ends.
const SHUTDOWN_SECS: u64 = 10;

/// What a page may load: nothing from elsewhere, nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A server that listens and has not begun to answer.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context;
    TcpListener::bind(address).with_context(|| format!("--bind {address}: cannot listen there"))
}

/// Serves until `shutdown` turns true, then lets requests under way end.
pub async fn serve(web: Web, listener: TcpListener, shutdown: watch::Receiver<bool>) -> anyhow::Result<()> {
    let register = tokio::spawn(web.clone().follow_register(shutdown.clone()));
    let channels = tokio::spawn(web.clone().follow_channels(shutdown.clone()));
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let fair = web.app.config.fair.clone();
    let connections_max = usize::try_from(fair.connections_max).unwrap_or(usize::MAX);
    let server = HttpServer::new(move || {
        let (app, document) = ActixApp::new()
            .into_utoipa_app()
            .openapi(<routes::Document as utoipa::OpenApi>::openapi())
            .configure(routes::api)
            .split_for_parts();
        app.app_data(Data::new(web.clone()))
            .app_data(Data::new(described(&document)))
            .app_data(PathConfig::default().error_handler(|_, _| ApiError::NotFound("address").into()))
            .app_data(
                QueryConfig::default().error_handler(|error, _| ApiError::invalid("query", error).into()),
            )
            .service(openapi)
            .configure(pages::configure)
            .default_service(actix_web::web::to(nowhere))
            .wrap(from_fn(refusals::note))
            .wrap(from_fn(shed::admit))
            .wrap(from_fn(pages::dress))
            .wrap(from_fn(frame))
    })
    .workers(workers)
    .max_connections(connections_max.div_ceil(workers))
    .keep_alive(fair.keep_alive)
    .client_request_timeout(fair.head_timeout)
    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
    .on_connect(move |connection, data| Line::watch(connection, data, fair.connection_life))
    .shutdown_timeout(SHUTDOWN_SECS)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let mut ended = shutdown;
    let stop = async move {
        // A sender that is gone means the end as well.
        let _closed = ended.wait_for(|ended| *ended).await;
        handle.stop(true).await;
    };
    let (served, ()) = tokio::join!(server, stop);
    register.await?;
    channels.await?;
    Ok(served?)
}

/// The API document.
#[get("/openapi.json")]
async fn openapi(document: Data<Described>) -> impl Responder {
    let Described(text) = document.as_ref();
    HttpResponse::Ok().content_type("application/json").body(text.clone())
}

/// The text of the API document, made once: it is large, and anybody may ask for it.
struct Described(Bytes);

fn described(document: &utoipa::openapi::OpenApi) -> Described {
    Described(serde_json::to_vec(document).unwrap_or_default().into())
}

/// An address that is not there, or a method that it does not take.
async fn nowhere(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let here = |route: &&routes::Route| matches(route.1, request.path());
    let methods: Vec<&str> = API.iter().chain(PAGES).filter(here).map(|route| route.0.as_str()).collect();
    if methods.is_empty() {
        Err(ApiError::NotFound("address"))
    } else {
        Err(ApiError::Method(methods.join(", ")))
    }
}

/// Around every request: security headers, and one log line that names the route but not the address,
/// since an address may hold a code or a visitor.
async fn frame(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let is_old = request.conn_data::<Line>().is_some_and(Line::is_old);
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(error),
    };
    let mut response = response;
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    tracing::debug!(method = method.as_str(), route, status, duration_ms, "answered");
    // What is left of a body that came too slowly belongs to no request.
    if is_old || response.status() == StatusCode::REQUEST_TIMEOUT {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    protect(response.headers_mut());
    Ok(response)
}

/// What browsers may do with an answer, unless it says so itself.
pub fn protect(headers: &mut HeaderMap) {
    let mut put = |name, value| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    put(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::X_FRAME_OPTIONS, "DENY");
    put(header::REFERRER_POLICY, "no-referrer");
    put(header::CACHE_CONTROL, "no-store");
}
