//! The auditor's page: the last entries of the chain.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::DateTime;
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{Asked, Desk};
use crate::domain::audit::Entry;
use crate::http::error::ApiError;
use crate::http::permissions::ReadAudit;
use crate::http::web::Web;
use crate::store::audit;

/// How many entries one page holds.
const PAGE: i64 = 50;

/// Which page: entries up to this number, the last ones when absent.
#[derive(Debug, Deserialize)]
struct LogPage {
    until: Option<i64>,
}

/// The last entries, the newest first.
#[get("/audit")]
pub(super) async fn show(asked: Asked<ReadAudit, LogPage>, web: Data<Web>) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: page } = asked;
    let mut conn = web.app.store.conn().await?;
    let (last, hash) = audit::head(&mut conn).await?;
    let until = page.until.unwrap_or(last).clamp(0, last);
    let after = (until - PAGE).max(0);
    let entries = audit::page(&mut conn, after, until - after).await?;
    drop(conn);
    let title = desk.say("审计日志", "Audit log");
    let body = html! {
        h1 { (title) }
        p.small {
            (desk.say("共 ", "")) (last) (desk.say(" 条；最后一条的哈希：", " entries; hash of the last one: "))
            span.reference { (hash) }
            " · " a href="/audit/heads" { (desk.say("已公布的日志末端", "Published heads")) }
        }
        (table(&desk, &entries))
        div.row {
            @if until < last { a.button.quiet href={ "/audit?until=" (last.min(until + PAGE)) } { (desk.say("较新", "Newer")) } }
            @if after > 0 { a.button.quiet href={ "/audit?until=" (after) } { (desk.say("较旧", "Older")) } }
        }
    };
    Ok(desk.wide(title, &body))
}

fn table(desk: &Desk<ReadAudit>, entries: &[Entry]) -> Markup {
    let time = |micros| DateTime::from_timestamp_micros(micros).map(|at| desk.view.time(at));
    html! {
        table.stacked {
            thead {
                tr {
                    th.right scope="col" { (desk.say("序号", "Number")) }
                    th scope="col" { (desk.say("时间", "Time")) }
                    th scope="col" { (desk.say("操作人", "Actor")) }
                    th scope="col" { (desk.say("操作", "Action")) }
                    th scope="col" { (desk.say("对象", "Subject")) }
                }
            }
            tbody {
                @for entry in entries.iter().rev() {
                    tr {
                        td.right { (entry.seq) }
                        td.time { (time(entry.at_micros).unwrap_or_default()) }
                        td { (entry.actor) }
                        td { (entry.action) }
                        td.reference { (entry.subject) }
                    }
                }
            }
        }
    }
}
