//! The published heads of the audit log: a page for everybody, short enough to be printed.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use maud::{Markup, html};

use super::layout::page;
use super::view::View;
use crate::domain::audit_heads::Head;
use crate::http::audit::{AuditKey, keys};
use crate::http::error::ApiError;
use crate::http::web::Web;
use crate::store::audit_heads;

/// How many heads the page shows: a month of them.
const SHOWN: i64 = 31;

/// The last heads, the newest first, and the keys that verify them.
#[get("/audit/heads")]
pub(super) async fn show(view: View, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let heads = audit_heads::newest(&mut *web.app.store.conn().await?, SHOWN).await?;
    let title = view.say("审计日志公告", "Heads of the audit log");
    let body = html! {
        h1 { (title) }
        p {
            (view.say(
                "本服务的每一次操作和查看都写入审计日志，每条记录都含有前一条的哈希。下表每日公布日志的末端并签名；谁改动了日志，就会与公告不符。",
                "Every act and every look of this service is written to a log in which each entry holds the hash of the \
                 one before. Each day its end is signed and published here: whoever changes the log contradicts it."
            ))
        }
        @if heads.is_empty() { p { (view.say("还没有公告。", "None was published yet.")) } }
        @for head in &heads { (notice(&view, head)) }
        h2 { (view.say("公钥（Ed25519）", "Public keys (Ed25519)")) }
        @for key in keys(&web) { (told(&view, &key)) }
        p.small { (view.say("机器可读：", "For programs: ")) a href="/v1/audit/heads" { "/v1/audit/heads" } " · " a href="/v1/audit/keys" { "/v1/audit/keys" } }
    };
    Ok(page(&view, StatusCode::OK, title, &body))
}

/// One head in a few lines, as a newspaper would print it.
fn notice(view: &View, head: &Head) -> Markup {
    let hash = head.hash.as_bytes().chunks(8).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    html! {
        section {
            p {
                strong { (head.day) }
                " · " (view.say("第", "No. ")) (head.number) (view.say("号", ""))
                " · " (head.seq) (view.say(" 条记录", " entries"))
                @if !head.daily { " · " (view.say("应要求", "asked for")) }
            }
            p.reference { (hash) }
            p.small { (view.say("本公告校验码 ", "Check of this notice ")) span.reference { (head.short()) } }
        }
    }
}

fn told(view: &View, key: &AuditKey) -> Markup {
    html! {
        p.reference {
            (key.id) ": " (key.public_key)
            @if key.current { " (" (view.say("现用", "in use")) ")" }
        }
    }
}
