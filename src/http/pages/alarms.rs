//! Alarms on the inspector's page: what was counted, what it means, and the two things to do about it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use maud::{Markup, html};
use uuid::Uuid;

use super::desk::{Desk, Sent};
use super::layout::token;
use super::view::go;
use super::words::{Tone, badge};
use crate::domain::burst::Sign;
use crate::http::alarms::{self, Alarm, Decision, permitted};
use crate::http::codes::told;
use crate::http::error::ApiError;
use crate::http::permissions::ReviewVenues;
use crate::http::web::Web;
use crate::http::write::transaction;

/// Replaces the code or dismisses the alarm.
#[post("/inspect/alarms/{id}")]
pub(super) async fn close(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<ReviewVenues, Decision>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let point = permitted(&web, actor, *id).await?.point_id;
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| alarms::close(&web, conn, actor, *id, sent.form).await).await?;
    told(&web, point).await;
    Ok(go("/inspect"))
}

/// The open alarms of the division; nothing when there are none.
pub(super) fn section(desk: &Desk<ReviewVenues>, alarms: &[Alarm]) -> Markup {
    if alarms.is_empty() {
        return html! {};
    }
    html! {
        section #alarms {
            h2 { (badge(Tone::Careful, desk.say("疑似照片外传", "Photos that may be going round"))) }
            p.small {
                (desk.say(
                    "无法证明到场的扫码远多于平时：可能有人把场所码的照片发给了不在现场的人。请先了解原因，再决定。",
                    "Far more scans than usual that nothing proves: somebody may have sent a photo of the code to people who are not there. Find out why, then decide.",
                ))
            }
            ul.cards { @for alarm in alarms { (card(desk, alarm)) } }
        }
    }
}

fn card(desk: &Desk<ReviewVenues>, alarm: &Alarm) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    let usual = |of: fn(&crate::http::alarms::Expected) -> f64| {
        alarm.usual.as_ref().map_or_else(|| "—".to_owned(), |usual| format!("{:.1}", of(usual)))
    };
    let counted = &alarm.counted;
    let rows = [
        (t("扫码", "Scans"), counted.scans, usual(|usual| usual.scans)),
        (t("没有任何证明", "Without any proof"), counted.unproven, usual(|usual| usual.unproven)),
        (t("手机在别处", "Phone elsewhere"), counted.contradicted, usual(|usual| usual.contradicted)),
    ];
    html! {
        li {
            a href={ "/manage/venues/" (alarm.venue_id) } { strong { (alarm.venue) " · " (alarm.point) } }
            span.small { (alarm.address) " · " (desk.view.time(alarm.raised_at)) }
            p { (meaning(desk, alarm.sign)) }
            table {
                thead {
                    tr {
                        td {}
                        th scope="col" { (t("这两小时", "These two hours")) }
                        th scope="col" { (t("平时同一时段", "Usual at this time")) }
                    }
                }
                tbody {
                    @for (name, count, usual) in rows {
                        tr { th scope="row" { (name) } td { (count) } td { (usual) } }
                    }
                }
            }
            (forms(desk, alarm))
        }
    }
}

fn meaning(desk: &Desk<ReviewVenues>, sign: Sign) -> &'static str {
    let (zh, en) = match sign {
        Sign::Elsewhere => (
            "许多扫码的手机在别处。这些扫码不会导致赋码，但照片很可能已经外传，其他没有位置的扫码也不可信。",
            "Many of the phones were elsewhere. Their scans lead to no colour, but the photo is out, and scans without a position are not to be trusted either.",
        ),
        Sign::Unproven => (
            "没有位置的扫码突然增多。可能是照片外传，也可能是团队或活动。",
            "Suddenly many scans without a position: a photo that goes round, or a group or an event.",
        ),
    };
    desk.view.say(zh, en)
}

fn forms(desk: &Desk<ReviewVenues>, alarm: &Alarm) -> Markup {
    let action = format!("/inspect/alarms/{}", alarm.id);
    let reason = format!("alarm-reason-{}", alarm.id);
    html! {
        form method="post" action=(action) {
            (token(&desk.signed))
            p.small {
                (desk.say(
                    "更换后旧海报和照片立即失效，请通知场所张贴新海报。",
                    "Replacing ends the poster that hangs, and every photo of it, at once: the venue has to hang a new one.",
                ))
            }
            button name="act" value="rotate" type="submit" { (desk.say("立即更换场所码", "Replace the code at once")) }
        }
        form method="post" action=(action) {
            (token(&desk.signed))
            label for=(reason) { (desk.say("不处理的理由", "Why it may stay")) }
            input id=(reason) name="reason" type="text" required maxlength="500" autocomplete="off";
            button.quiet name="act" value="dismiss" type="submit" { (desk.say("忽略此警报", "Dismiss the alarm")) }
        }
    }
}
