//! The page that letters name: how an assignment can be appealed against, and how an appeal stands.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{FromRequest, HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};
use uuid::Uuid;

use super::layout::page;
use super::me_assignments::{explained, identify};
use super::scan::fresh_id;
use super::trouble::detail;
use super::view::{View, go};
use super::words;
use crate::domain::appeal::{AppealReason, FILE_BYTES_MAX, FILES_MAX, TEXT_MAX};
use crate::domain::numbered::Numbered;
use crate::domain::token::form_token;
use crate::http::appeals::{NewAppeal, attach, submit};
use crate::http::auth::{Vouched, check_form};
use crate::http::error::ApiError;
use crate::http::multipart::{Part, parts};
use crate::http::own_assignments::{OwnAssignment, one};
use crate::http::web::Web;
use crate::http::write::{BODY_MAX, body, transaction};

/// The largest form, in bytes: three files and the words.
const FORM_MAX: usize = FILES_MAX * FILE_BYTES_MAX + BODY_MAX;

/// A form with files that a visitor sent: its type and its body.
#[derive(Debug)]
pub(super) struct FormBody {
    kind: String,
    body: Result<Bytes, ApiError>,
}

impl FromRequest for FormBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        // Who is not known sends nothing.
        let known = Vouched::from_request(request, &mut Payload::None).into_inner();
        let body = body(payload, FORM_MAX);
        Box::pin(async move {
            known?;
            Ok(Self { kind, body: body.await })
        })
    }
}

/// What is decided, and the form to appeal against it.
#[get("/me/appeals/{id}")]
pub(super) async fn show(
    view: View,
    web: Data<Web>,
    visitor: Result<Vouched, ApiError>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let title = view.say("申诉", "Appeal");
    let Ok(visitor) = visitor else {
        return identify(&view, &web, title, &format!("/me/appeals/{id}")).await;
    };
    let against = one(&web, &visitor, *id).await?;
    Ok(page(&view, StatusCode::OK, title, &shown(&view, &web, &visitor, &against, None)))
}

/// Takes an appeal with its files; what is not right is shown with the reason.
#[post("/me/appeals/{id}")]
pub(super) async fn take(
    view: View,
    web: Data<Web>,
    visitor: Vouched,
    id: Path<Uuid>,
    sent: FormBody,
) -> Result<HttpResponse, ApiError> {
    let bytes = sent.body?;
    let fields = parts(&sent.kind, &bytes)?;
    check_form(&web, &visitor.text, field(&fields, "form_token")?)?;
    match enter(&web, &visitor, *id, &fields).await {
        Ok(()) => Ok(go(&format!("/me/appeals/{id}"))),
        Err(error @ (ApiError::Invalid { .. } | ApiError::Conflict(_))) => {
            let against = one(&web, &visitor, *id).await?;
            let body = shown(&view, &web, &visitor, &against, Some(&error));
            Ok(page(&view, error_status(&error), view.say("申诉", "Appeal"), &body))
        }
        Err(error) => Err(error),
    }
}

fn error_status(error: &ApiError) -> StatusCode {
    actix_web::ResponseError::status_code(error)
}

/// Appeal and files are one transaction: an appeal whose evidence was not taken is not made.
async fn enter(web: &Web, visitor: &Vouched, assignment: Uuid, fields: &[Part<'_>]) -> Result<(), ApiError> {
    let reason = field(fields, "reason")?;
    let reason = serde_json::from_value(serde_json::json!(reason));
    let reason = reason.map_err(|_unknown| ApiError::invalid("reason", "must be one of the list"))?;
    let id = field(fields, "id")?.parse().map_err(|error| ApiError::invalid("id", error))?;
    let form = NewAppeal { reason, text: field(fields, "text")?.to_owned() };
    let who = visitor.token.visitor;
    let mut conn = web.app.store.conn().await?;
    // The button was pressed twice: what the first press sent is there.
    if crate::store::appeals::of_visitor(&mut conn, id, who).await?.is_some() {
        return Ok(());
    }
    transaction(&mut conn, async |conn| {
        submit(web, conn, who, (assignment, id), &form).await?;
        // A browser sends an empty file where none was chosen.
        let files = fields.iter().filter(|part| part.name == "evidence" && !part.content.is_empty());
        for file in files {
            if file.content.len() > FILE_BYTES_MAX {
                return Err(ApiError::invalid("file", "must have 1 MiB at the most"));
            }
            attach(web, conn, who, id, file.content).await?;
        }
        Ok(())
    })
    .await
}

fn field<'a>(fields: &[Part<'a>], name: &'static str) -> Result<&'a str, ApiError> {
    fields.iter().find(|part| part.name == name).map_or(Ok(""), Part::text)
}

fn shown(
    view: &View,
    web: &Web,
    visitor: &Vouched,
    against: &OwnAssignment,
    error: Option<&ApiError>,
) -> Markup {
    html! {
        h1 { (view.say("申诉", "Appeal")) }
        @if let Some(error) = error { p.wrong { (detail(view, error)) } }
        @match against.no_appeal {
            Some(why) => p.note { (view.say("目前不能再提出申诉：", "No appeal can be made now: ")) (no_appeal(view, why)) },
            None => (form(view, web, visitor, against)),
        }
        (explained(view, against))
        p { a href="/me/assignments" { (view.say("全部赋码决定", "All decisions")) } }
    }
}

fn no_appeal<'a>(view: &'a View, why: &'a str) -> &'a str {
    let chinese = match why {
        "it ended more than 30 days ago" => "结束已超过30天。",
        "it was taken back already" => "该赋码已撤回。",
        "an appeal against it is open" => "已有申诉正在处理，进展见下方。",
        "an appeal against it was granted" => "申诉已成立。",
        "two officers have refused already" => "已由两名人员先后审理。",
        _ => "第二次申诉须在第一次答复后14天内提出。",
    };
    view.say(chinese, why)
}

fn form(view: &View, web: &Web, visitor: &Vouched, against: &OwnAssignment) -> Markup {
    let hours = web.app.config.appeal_deadline.as_secs() / 3600;
    html! {
        p {
            (view.say("由未参与该决定的人员审理，应在 ", "Somebody who had no hand in it decides, within ")) (hours)
            (view.say(" 小时内答复。", " hours."))
        }
        form method="post" action={ "/me/appeals/" (against.id) } enctype="multipart/form-data" {
            input type="hidden" name="form_token" value=(form_token(web.app.keys.token(), &visitor.text));
            input type="hidden" name="id" value=(fresh_id(web.now()));
            label for="reason" { (view.say("理由", "Why")) }
            select #reason name="reason" required {
                @for reason in AppealReason::ALL {
                    option value=(reason_word(*reason)) { (words::appeal_reason(view.lang, *reason)) }
                }
            }
            label for="text" { (view.say("说明", "What you have to say")) }
            textarea #text name="text" rows="5" maxlength=(TEXT_MAX) {}
            label for="evidence" { (view.say("证明材料：最多 3 个 PNG、JPEG 或 PDF 文件，每个不超过 1 MiB", "Evidence: up to 3 files, PNG, JPEG or PDF, of 1 MiB each")) }
            input #evidence name="evidence" type="file" multiple accept="image/png,image/jpeg,application/pdf";
            button type="submit" { (view.say("提交申诉", "Send the appeal")) }
        }
        p.small { (view.say("材料只供审理，决定作出后按期删除。", "Evidence is for the decision alone, and is deleted some time after it.")) }
    }
}

fn reason_word(reason: AppealReason) -> String {
    serde_json::json!(reason).as_str().unwrap_or_default().to_owned()
}
