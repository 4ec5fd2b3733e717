//! A national platform between two others: it verifies, signs anew and passes on, in one go, and keeps that it did. It
//! holds no key to make a person of an alias, decides nothing, and reads the receipt only to pass it back.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::settings::{Agreed, Ask};
use super::signed;
use crate::domain::hand_over::{HandOver, Receipt};
use crate::issuer::client::peer::{Keys, Told};
use crate::issuer::reference::Platform;
use crate::issuer::reference::problem::Problem;

/// Passes a document on, byte for byte, and its receipt back. When the other side does not answer, neither is there an
/// answer here: the sender comes again, and nothing has to be kept until then.
pub(super) async fn pass_on(
    platform: &web::Data<Platform>,
    document: &HandOver,
    body: Vec<u8>,
    forward: &Ask,
    (message, agreed): (&str, &Agreed),
) -> Result<HttpResponse, Problem> {
    let now = platform.clock.now();
    platform.store.note_passed_on(document, &body, now).await?;
    let keys = Keys { own: &forward.key, peer: &forward.peer };
    let refused = |status, detail: String| Problem::new(status, format!("the other side: {detail}"));
    match platform.border.client.tell(&forward.url, keys, message, body, now).await {
        Told::Answered(answer) => {
            let receipt: Receipt = serde_json::from_slice(&answer)
                .map_err(|_why| refused(StatusCode::BAD_GATEWAY, "the answer is no receipt".to_owned()))?;
            Ok(signed(&receipt, message, &agreed.key, platform.clock.now()))
        }
        Told::Refused(detail) => Err(refused(StatusCode::UNPROCESSABLE_ENTITY, detail)),
        Told::Later(detail) => Err(refused(StatusCode::SERVICE_UNAVAILABLE, detail)),
    }
}
