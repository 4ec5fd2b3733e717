//! Bounds in time: for a body to come, for an answer, and for a connection, so that a slow client holds
//! nothing up.

use std::any::Any;
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::error::{InternalError, PayloadError};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures_util::Stream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep};

use super::error::ApiError;
use super::limits::is_evidence;
use super::pages::answer_later;
use super::serve::protect;
use super::shed::Class;
use crate::config::FairConfig;

/// How long the two parts of a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For the body to come.
    body: Duration,
    /// For the answer, once it has come.
    answer: Duration,
}

impl Times {
    /// The times of a request.
    pub fn of(fair: &FairConfig, class: Class, path: &str) -> Self {
        let is_batch = path == "/v1/scans/batch";
        Self {
            body: if is_batch || is_evidence(path) || path.starts_with("/me/appeals/") {
                fair.batch_timeout
            } else {
                fair.body_timeout
            },
            answer: match class {
                // A sentinel or a machine waits for a thousand rows; nobody stands at a door for them.
                Class::Scan if !is_batch => fair.scan_timeout,
                Class::Page | Class::Read | Class::Scan => fair.answer_timeout,
            },
        }
    }
}

/// Has a request answered within its times. A body that comes too slowly ends in an error that
/// [`super::write::body`] turns into 408; work that takes too long is given up for 503.
pub async fn within(
    times: Times,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let has_come = Rc::new(Cell::new(true));
    let mut end = pin!(sleep(times.answer));
    let payload = request.take_payload();
    if matches!(payload, Payload::None) {
        request.set_payload(payload);
    } else {
        has_come.set(false);
        end.as_mut().reset(Instant::now() + times.body + times.answer);
        let body = Body { inner: payload, has_come: has_come.clone(), late: Box::pin(sleep(times.body)) };
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
    }
    let late = answer_later(request.request());
    let mut waits_for_body = !has_come.get();
    let mut answer = pin!(next.call(request));
    let in_time = poll_fn(|context| {
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        // The body is read by whoever answers, so it has come during the poll above.
        if waits_for_body && has_come.get() {
            waits_for_body = false;
            end.as_mut().reset(Instant::now() + times.answer);
        }
        end.as_mut().poll(context).map(|()| None)
    });
    if let Some(answer) = in_time.await {
        return Ok(answer?.map_into_boxed_body());
    }
    tracing::warn!("a request was given up because its answer took too long");
    let mut response = late(&ApiError::Busy);
    protect(response.headers_mut());
    Err(InternalError::from_response(ApiError::Busy, response).into())
}

/// A body that is to come in time.
struct Body {
    inner: Payload,
    has_come: Rc<Cell<bool>>,
    late: Pin<Box<Sleep>>,
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.inner).poll_next(context) {
            Poll::Pending => {
                let late = self.late.as_mut().poll(context);
                late.map(|()| Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))))
            }
            Poll::Ready(None) => {
                self.has_come.set(true);
                Poll::Ready(None)
            }
            some @ Poll::Ready(Some(_)) => some,
        }
    }
}

/// A connection. It ends when its time is over, whatever its client does: one that never reads its answer
/// would hold it for ever. In the second half of its time it is closed after the next answer, so that nobody
/// who behaves is cut off.
#[derive(Debug)]
pub struct Line {
    closes_from: Instant,
    watch: JoinHandle<()>,
}

impl Line {
    /// Watches a new connection.
    pub fn watch(connection: &dyn Any, data: &mut Extensions, life: Duration) {
        let Some(connection) = connection.downcast_ref::<TcpStream>() else { return };
        // The server has the connection; a second handle is the way to end it from outside.
        let Ok(handle) = connection.as_fd().try_clone_to_owned() else { return };
        let handle = std::net::TcpStream::from(handle);
        let watch = actix_web::rt::spawn(async move {
            sleep(life).await;
            // One that is closed already needs no closing.
            let _closed = handle.shutdown(Shutdown::Both);
        });
        data.insert(Self { closes_from: Instant::now() + life / 2, watch });
    }

    /// Whether the connection is to be closed after the answer.
    pub fn is_old(&self) -> bool {
        Instant::now() >= self.closes_from
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
