//! The inspector's pages in the field: a poster beside the register, and posters that call for a look.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::{Asked, Desk, Sent};
use super::layout::{Layout, token};
use super::trouble::detail;
use super::venue_form::field;
use super::view::go;
use super::words::{self, Tone, badge};
use crate::domain::inspection::{Agreement, Finding};
use crate::domain::numbered::Numbered;
use crate::domain::usage::Usage;
use crate::http::error::ApiError;
use crate::http::inspections::{
    NewVisit, OddList, OddPoint, PosterCheck, SeenPoster, UsageView, check, keep, odd,
};
use crate::http::permissions::ReviewVenues;
use crate::http::venues::PAGE;
use crate::http::web::Web;
use crate::http::write::transaction;

/// The script that fills in a position; the only one there is, on this page alone.
const SCRIPT: &str = "/position.js";

/// A code from an address, such as the link on the page of a place code.
#[derive(Debug, Deserialize)]
struct FromCode {
    #[serde(default)]
    code: String,
}

/// What the forms send; all as text, so that it can be shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Filled {
    code: String,
    lat_deg: String,
    lng_deg: String,
    finding: Option<Finding>,
    note: String,
}

/// The empty form.
#[get("/inspect/poster")]
pub(super) async fn ask(asked: Asked<ReviewVenues, FromCode>) -> HttpResponse {
    let filled = Filled { code: asked.query.code, ..Filled::default() };
    form(&asked.desk, &filled, None)
}

/// What the register says about the poster.
#[post("/inspect/poster")]
pub(super) async fn answer(
    web: Data<Web>,
    sent: Sent<ReviewVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let found = async { check(&web, &desk.signed.actor, &filled.seen()?).await };
    match found.await {
        Ok(found) => Ok(desk.page(&found.venue, &result(&desk, &found, &filled))),
        Err(error @ (ApiError::Invalid { .. } | ApiError::NotFound(_))) => {
            Ok(form(&desk, &filled, Some(&error)))
        }
        Err(error) => Err(error),
    }
}

/// Keeps what was found.
#[post("/inspect/poster/finding")]
pub(super) async fn record(
    web: Data<Web>,
    sent: Sent<ReviewVenues, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let seen = filled.seen()?;
    let finding = filled.finding.ok_or_else(|| ApiError::invalid("finding", "must be chosen"))?;
    let SeenPoster { code, lat_deg, lng_deg } = seen;
    let visit = NewVisit { code, lat_deg, lng_deg, finding, note: filled.note };
    let mut conn = web.app.store.conn().await?;
    transaction(&mut conn, async |conn| keep(&web, conn, &desk.signed.actor, visit).await).await?;
    Ok(go("/inspect/poster"))
}

/// Points of the division that call for a look.
#[get("/inspect/points")]
pub(super) async fn odd_points(
    asked: Asked<ReviewVenues, OddList>,
    web: Data<Web>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query } = asked;
    let shown = query.usage.unwrap_or(Usage::Dead);
    let points = odd(&web, &desk.signed.actor, &query).await?;
    let title = desk.say("需要核查的海报", "Posters that call for a look");
    let more = points.last().filter(|_| points.len() == usize::try_from(PAGE).unwrap_or(0));
    let body = html! {
        h1 { (title) }
        p.small { (desk.say("每天把每个点位最近七天的扫码与它自己此前四周相比。", "Once a day each point's last seven days are compared with its own four weeks before.")) }
        nav.tabs aria-label=(desk.say("情况", "Usage")) {
            @for usage in [Usage::Dead, Usage::Moved, Usage::Quiet, Usage::NeverUsed] {
                a href={ "/inspect/points?usage=" (usage_word(usage)) } aria-current=[(usage == shown).then_some("page")] { (usage_name(&desk, usage)) }
            }
        }
        @if points.is_empty() { p { (desk.say("没有。", "None.")) } }
        ul.cards { @for point in &points { (odd_card(&desk, point)) } }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/inspect/points?usage=" (usage_word(shown)) "&after=" (last.point_id) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(title, &body))
}

/// The script that fills in a position.
#[get("/position.js")]
pub(super) async fn script() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type("text/javascript; charset=utf-8");
    response.insert_header(("Cache-Control", "public, max-age=3600"));
    response.body(include_str!("position.js"))
}

impl Filled {
    fn seen(&self) -> Result<SeenPoster, ApiError> {
        let number = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_unread| {
                ApiError::invalid("position", "must be two numbers in degrees, such as 34.7466 and 113.6253")
            }),
        };
        let code = self.code.split_whitespace().collect();
        Ok(SeenPoster { code, lat_deg: number(&self.lat_deg)?, lng_deg: number(&self.lng_deg)? })
    }
}

fn form(desk: &Desk<ReviewVenues>, filled: &Filled, wrong: Option<&ApiError>) -> HttpResponse {
    let title = desk.say("核查海报", "Check a poster");
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let t = |zh, en| desk.say(zh, en);
    let body = html! {
        h1 { (title) }
        p { (t("扫描海报后打开页面底部的“核查”，或在此输入编码。", "Scan the poster and follow “For inspectors” on its page, or type its code here.")) }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (detail(&desk.view, wrong)) } }
        form method="post" action="/inspect/poster" {
            (token(&desk.signed))
            (field("code", t("海报上的编码或网址", "The code or address on the poster"), &filled.code, 200, true))
            (field("lat_deg", t("您所在的纬度（可不填）", "Where you stand: degrees north (optional)"), &filled.lat_deg, 20, false))
            (field("lng_deg", t("您所在的经度（可不填）", "Where you stand: degrees east (optional)"), &filled.lng_deg, 20, false))
            button.quiet #locate type="button" hidden
                data-waiting=(t("正在定位……", "Finding out …"))
                data-done=(t("已填入", "Filled in"))
                data-failed=(t("无法定位，请手动填写", "It cannot be found out; please type it"))
                { (t("填入我的位置", "Fill in where I am")) }
            button type="submit" { (t("核对", "Compare")) }
        }
        p.small { (t("您的位置只用于计算距离；记录核查结果时只保存距离。", "Your position only serves to reckon the distance; a finding keeps the distance alone.")) }
        p { a href="/inspect/points" { (t("需要核查的海报", "Posters that call for a look")) } }
    };
    desk.lay(Layout { script: Some(SCRIPT), ..Layout::default() }, status, title, &body)
}

fn result(desk: &Desk<ReviewVenues>, found: &PosterCheck, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        h1 { (found.venue) }
        p.point { (found.point) }
        p { (words::venue_state(desk.view.lang, found.state)) " " (force(desk, found)) }
        dl {
            dt { (t("登记地址", "Registered address")) }
            dd { (found.address) }
            dt { (t("登记位置", "Registered place")) }
            dd { (words::position(found.lat_deg, found.lng_deg)) }
            dt { (t("与您的位置", "Beside where you stand")) }
            dd #agreement { (agreement(desk, found)) }
            dt { (t("使用情况", "Usage")) }
            dd #usage { (usage(desk, found.usage.as_ref())) }
            dt { (t("今日扫码 / 前四周同一天同一时段", "Scans today / the same hours of this weekday before")) }
            dd { (found.today) " / " (found.same_weekday.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
        }
        (finding_form(desk, filled))
        @if !found.visits.is_empty() {
            h2 { (t("以往核查", "Earlier visits")) }
            ul {
                @for visit in &found.visits {
                    li {
                        (desk.view.time(visit.at)) " · " (finding_name(desk, visit.finding))
                        @if let Some(metres) = visit.distance_m { " · " (metres) " m" }
                        @if !visit.note.is_empty() { " · " (visit.note) }
                    }
                }
            }
        }
        p {
            a.button.quiet href={ "/manage/venues/" (found.venue_id) } { (t("场所详情", "The venue")) }
            " " a.button.quiet href="/inspect/poster" { (t("下一张海报", "Next poster")) }
        }
    }
}

fn finding_form(desk: &Desk<ReviewVenues>, filled: &Filled) -> Markup {
    let t = |zh, en| desk.say(zh, en);
    html! {
        form method="post" action="/inspect/poster/finding" {
            (token(&desk.signed))
            @for (name, value) in [("code", &filled.code), ("lat_deg", &filled.lat_deg), ("lng_deg", &filled.lng_deg)] {
                input type="hidden" name=(name) value=(value);
            }
            label for="finding" { (t("核查结果", "What you found")) }
            select #finding name="finding" required {
                @for finding in Finding::ALL { option value=(finding_word(*finding)) { (finding_name(desk, *finding)) } }
            }
            (field("note", t("备注", "Note"), "", 500, false))
            button type="submit" { (t("记录", "Record")) }
        }
    }
}

fn force(desk: &Desk<ReviewVenues>, found: &PosterCheck) -> Markup {
    match &found.not_in_force {
        None => badge(Tone::Good, desk.say("编码有效", "The code answers")),
        Some(why) => badge(Tone::Stopped, desk.say("编码无效", why)),
    }
}

fn agreement(desk: &Desk<ReviewVenues>, found: &PosterCheck) -> Markup {
    let metres = found.distance_m.map(|metres| format!("{metres} m"));
    let (tone, word) = match found.agreement {
        Agreement::Here => (Tone::Good, desk.say("相符", "Agrees")),
        Agreement::Elsewhere => (Tone::Stopped, desk.say("不符", "Elsewhere")),
        Agreement::Unknown => (Tone::Waiting, desk.say("未知", "Not known")),
    };
    html! { (badge(tone, word)) @if let Some(metres) = metres { " " (metres) } }
}

fn usage(desk: &Desk<ReviewVenues>, usage: Option<&UsageView>) -> Markup {
    let Some(usage) = usage else {
        return badge(Tone::Waiting, desk.say("尚未统计", "Not judged yet"));
    };
    let tone = match usage.usage {
        Usage::InUse => Tone::Good,
        Usage::New => Tone::Waiting,
        Usage::Quiet | Usage::NeverUsed => Tone::Careful,
        Usage::Dead | Usage::Moved => Tone::Stopped,
    };
    html! {
        (badge(tone, usage_name(desk, usage.usage)))
        " " span.small {
            (desk.say("最近七天 ", "last seven days: ")) (usage.week_scans)
            (desk.say("，预期 ", ", expected: ")) (format!("{:.0}", usage.week_expected))
            (desk.say("，位置不符 ", ", phone elsewhere: ")) (usage.week_contradicted)
            @if let Some(last) = usage.last_scan_at {
                (desk.say("，最后扫码 ", ", last scan: ")) (desk.view.time(last))
            }
        }
    }
}

fn odd_card(desk: &Desk<ReviewVenues>, point: &OddPoint) -> Markup {
    html! {
        li {
            a href={ "/manage/venues/" (point.venue_id) } { strong { (point.venue) " · " (point.point) } }
            span { (point.address) }
            (usage(desk, Some(&point.usage)))
        }
    }
}

fn usage_name(desk: &Desk<ReviewVenues>, usage: Usage) -> &str {
    match usage {
        Usage::InUse => desk.say("正常使用", "In use"),
        Usage::New => desk.say("新点位", "New"),
        Usage::Quiet => desk.say("明显偏少", "Quiet"),
        Usage::Dead => desk.say("无人扫码", "Dead"),
        Usage::Moved => desk.say("疑似移走", "Moved"),
        Usage::NeverUsed => desk.say("从未使用", "Never used"),
    }
}

fn usage_word(usage: Usage) -> &'static str {
    match usage {
        Usage::InUse => "in_use",
        Usage::New => "new",
        Usage::Quiet => "quiet",
        Usage::Dead => "dead",
        Usage::Moved => "moved",
        Usage::NeverUsed => "never_used",
    }
}

fn finding_name(desk: &Desk<ReviewVenues>, finding: Finding) -> &str {
    match finding {
        Finding::InOrder => desk.say("正常", "In order"),
        Finding::Elsewhere => desk.say("贴在别处", "Hangs elsewhere"),
        Finding::Missing => desk.say("缺失", "Missing"),
        Finding::Unreadable => desk.say("无法扫描", "Cannot be scanned"),
        Finding::Other => desk.say("其他（请备注）", "Other (say what)"),
    }
}

fn finding_word(finding: Finding) -> &'static str {
    match finding {
        Finding::InOrder => "in_order",
        Finding::Elsewhere => "elsewhere",
        Finding::Missing => "missing",
        Finding::Unreadable => "unreadable",
        Finding::Other => "other",
    }
}
