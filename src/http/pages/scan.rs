//! The page behind a place code: one press, and the result to show at the door.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use url::Url;
use uuid::{NoContext, Timestamp, Uuid};

use super::desk::SentByVisitor;
use super::door_result::facts_of;
use super::home::kept_for;
use super::layout::page;
use super::me_code::symbol;
use super::minute;
use super::trouble::refuse;
use super::view::{Lang, View};
use super::words::{Tone, shape};
use crate::domain::place_code::SignedCode;
use crate::domain::point::{NotInForce, PointFacts};
use crate::domain::rotating_code::ScannedCode;
use crate::domain::scan::Direction;
use crate::domain::stay::SAME_SCAN;
use crate::domain::token::{OPENED_LIFE, OpenedInTime, form_token};
use crate::http::auth::Vouched;
use crate::http::door::{GenuineReceipt, read_receipt};
use crate::http::error::ApiError;
use crate::http::limits::scans_of_channel;
use crate::http::scans::{OwnScan, ScanReceipt, in_force, in_time, place, take_own};
use crate::http::web::Web;

/// What the buttons send.
#[derive(Debug, Deserialize)]
pub(super) struct Pressed {
    pub(super) id: Uuid,
    pub(super) direction: Direction,
    /// That the page was opened from the live code of a screen.
    pub(super) opened: Option<String>,
}

/// A genuine code with its point.
struct Place {
    code: ScannedCode,
    facts: std::sync::Arc<PointFacts>,
}

impl Place {
    /// The code as it stands in addresses, signed with the current key.
    fn signed(&self, web: &Web) -> Result<SignedCode, ApiError> {
        let signed = match &self.code {
            ScannedCode::Printed(code) => code.sign(&web.app.keys),
            ScannedCode::Rotating(code) => code.sign(&web.app.keys),
        };
        signed.ok_or(ApiError::NotFound("code"))
    }
}

/// Shows where a code hangs, what is recorded, and one big button.
#[get("/{code:[0-9A-Za-z-]{21,40}}")]
pub(super) async fn show(
    view: View,
    web: Data<Web>,
    code: Path<String>,
    visitor: Result<Vouched, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let now = web.now();
    let place = match find(&view, &web, &code, now).await? {
        Ok(place) => place,
        Err(refusal) => return Ok(refusal),
    };
    if let Err(why) = place.code.check(&place.facts, now, now) {
        return Ok(not_in_force(&view, why, &code));
    }
    let way_on = match &visitor {
        Ok(visitor) => buttons(&view, &web, &place, visitor)?,
        Err(_) => channels(&view, &web, &format!("/{}", place.signed(&web)?)).await?,
    };
    let body = html! {
        (heading(&place.facts))
        (way_on)
        section.note {
            h2 { (view.say("记录什么", "What is recorded")) }
            p { (view.say("场所、点位、时间和您的代号，不含姓名、证件号码和手机号。", "Venue, point, time and your pseudonym; no name, number or phone. ")) (kept_for(&view, &web)) }
        }
        (for_inspectors(&view, &code))
    };
    Ok(page(&view, StatusCode::OK, &place.facts.venue_name, &body))
}

/// Takes the scan and shows the result.
#[post("/{code:[0-9A-Za-z-]{21,40}}")]
pub(super) async fn take(
    web: Data<Web>,
    code: Path<String>,
    sent: SentByVisitor<Pressed>,
) -> Result<HttpResponse, ApiError> {
    let SentByVisitor { view, visitor, form } = sent;
    let now = web.now();
    let place = match find(&view, &web, &code, now).await? {
        Ok(place) => place,
        Err(refusal) => return Ok(refusal),
    };
    let opened = form.opened.as_deref();
    let opened = opened.and_then(|text| in_time(&web, text, visitor.token.visitor, &place.code, now));
    if let Err(why) = in_force(&place.code, opened, &place.facts, pressed_at(form.id, now), now) {
        return Ok(not_in_force(&view, why, &code));
    }
    let receipt = scan(&web, &visitor, code.into_inner(), &form).await?;
    let read = read_receipt(&web, &receipt.receipt).await?;
    let body = result(&view, &web, &receipt, read.as_ref(), form.direction)?;
    Ok(page(&view, StatusCode::OK, done(&view, form.direction), &body))
}

/// Takes a scan from a page. The id was made when the page was, so that a button pressed twice is one scan.
pub(super) async fn scan(
    web: &Web,
    visitor: &Vouched,
    code: String,
    pressed: &Pressed,
) -> Result<ScanReceipt, ApiError> {
    let scan = OwnScan {
        id: Some(pressed.id),
        code,
        occurred_at: Some(pressed_at(pressed.id, web.now())),
        direction: Some(pressed.direction),
        stop: None,
        phone_cell: None,
        companions: None,
    };
    scans_of_channel(web, &visitor.token.channel, 1)?;
    take_own(web, &visitor.token, scan, pressed.opened.as_deref()).await
}

/// When a button was pressed, in steps of two minutes from when its page was made: two presses in a row
/// must not be two times, and two minutes are one stay anyhow.
fn pressed_at(id: Uuid, now: DateTime<Utc>) -> DateTime<Utc> {
    in_steps(id, now, SAME_SCAN)
}

/// The last of the moments, one `step` apart and the first of them when the page of `id` was made, that is
/// not after `now`.
pub(super) fn in_steps(id: Uuid, now: DateTime<Utc>, step: TimeDelta) -> DateTime<Utc> {
    let made = id.get_timestamp().map(|stamp| stamp.to_unix());
    let made = made.and_then(|(secs, nanos)| DateTime::from_timestamp(i64::try_from(secs).ok()?, nanos));
    let Some(made) = made.filter(|made| *made <= now) else { return now };
    let steps = (now - made).num_seconds() / step.num_seconds();
    made + TimeDelta::seconds(steps * step.num_seconds())
}

/// An id that carries the time, for the hidden field of a button.
pub(super) fn fresh_id(now: DateTime<Utc>) -> Uuid {
    let secs = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, secs, now.timestamp_subsec_nanos()))
}

/// One button for each channel; whoever comes back from there is sent on to `path`.
pub(super) async fn channels(view: &View, web: &Web, path: &str) -> Result<Markup, ApiError> {
    let known = web.channels(&[]).await?;
    let address = |page_url: &str| {
        let mut url: Url = page_url.parse().ok()?;
        let back = web.app.config.public_url.join(path).ok()?;
        url.query_pairs_mut().append_pair("return", back.as_str());
        Some(url)
    };
    Ok(html! {
        p { (view.say("第一次使用，请先通过以下平台确认身份，之后自动返回。", "Please confirm who you are on one of these platforms first; you come back by yourself.")) }
        @for channel in &known.rows {
            @if let Some(url) = address(&channel.page_url) {
                p { a.button.big href=(url) rel="noreferrer" { (view.say("前往确认：", "Confirm with ")) (channel.name) } }
            }
        }
        @if known.rows.is_empty() {
            p.wrong { (view.say("暂无可用的身份平台，请联系工作人员登记。", "No platform is available. Please ask the staff to register you.")) }
        }
    })
}

/// The place of a code, or the page that says that there is none.
async fn find(
    view: &View,
    web: &Web,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Result<Place, HttpResponse>, ApiError> {
    let forged = || {
        refuse(
            view,
            StatusCode::NOT_FOUND,
            Tone::Stopped,
            (
                "这不是有效的场所码",
                "编码不正确，或海报不是由本服务发放的。请不要在来路不明的页面填写个人信息，并告知店内工作人员。",
            ),
            (
                "This is not a genuine place code",
                "The code does not check, or the poster is not one of ours. Do not enter anything on pages you do not know, and please tell the staff.",
            ),
            None,
        )
    };
    match place(web, text, now).await {
        Err(ApiError::NotFound(_) | ApiError::Invalid { .. }) => Ok(Err(forged())),
        Err(error) => Err(error),
        Ok((code, facts)) => Ok(Ok(Place { code, facts })),
    }
}

/// The way to the inspector's page about this poster. The code has the form of one, so it can stand in an address.
fn for_inspectors(view: &View, code: &str) -> Markup {
    html! {
        p.small { a href={ "/inspect/poster?code=" (code) } rel="nofollow" { (view.say("核查人员入口", "For inspectors")) } }
    }
}

fn not_in_force(view: &View, why: NotInForce, code: &str) -> HttpResponse {
    let further = for_inspectors(view, code);
    let refuse =
        |status, chinese, english| refuse(view, status, Tone::Stopped, chinese, english, Some(&further));
    match why {
        NotInForce::Venue => refuse(
            StatusCode::CONFLICT,
            ("该场所暂不接受扫码", "场所尚未通过审核，或已暂停、关闭。您无需登记，请告知店内工作人员。"),
            (
                "This venue does not take scans at present",
                "It is not approved yet, suspended or closed. You need not do anything; please tell the staff.",
            ),
        ),
        NotInForce::Revoked | NotInForce::Expired => refuse(
            StatusCode::GONE,
            ("这张场所码已作废", "请找找附近的新海报，或请工作人员协助登记。"),
            (
                "This place code was revoked",
                "Look for a newer poster nearby, or ask the staff to register you.",
            ),
        ),
        NotInForce::Changed => refuse(
            StatusCode::GONE,
            ("屏幕上的码已更新", "屏幕上的场所码每半分钟更换一次，请再扫一次屏幕。"),
            (
                "This code has changed",
                "The code of a screen changes every half minute; please scan the screen again.",
            ),
        ),
        NotInForce::Replaced | NotInForce::Unprinted => refuse(
            StatusCode::GONE,
            ("这张海报已经更换", "请扫描门口的新海报，或请工作人员协助登记。"),
            (
                "This poster was replaced",
                "Please scan the newer poster at the door, or ask the staff to register you.",
            ),
        ),
    }
}

fn heading(facts: &PointFacts) -> Markup {
    html! { div.place { h1 { (facts.venue_name) } p.point { (facts.name) } } }
}

fn buttons(view: &View, web: &Web, place: &Place, visitor: &Vouched) -> Result<Markup, ApiError> {
    let token = form_token(web.app.keys.token(), &visitor.text);
    let (code, now) = (place.signed(web)?, web.now());
    let opened = match place.code {
        ScannedCode::Printed(_) => None,
        ScannedCode::Rotating(code) => {
            let visitor = visitor.token.visitor;
            Some(OpenedInTime { visitor, code, expires_at: now + OPENED_LIFE }.seal(web.app.keys.token()))
        }
    };
    // Each button has an id of its own: in and out are two scans, pressed from one page.
    let button = |direction: &str, class: &str, label: &str| {
        html! {
            form method="post" action={ "/" (code) } {
                input type="hidden" name="form_token" value=(token);
                input type="hidden" name="id" value=(fresh_id(now));
                input type="hidden" name="direction" value=(direction);
                @if let Some(opened) = &opened { input type="hidden" name="opened" value=(opened); }
                button class=(class) type="submit" { (label) }
            }
        }
    };
    Ok(html! {
        (button("entry", "big", view.say("确认进入", "I am here")))
        (button("exit", "quiet", view.say("离开此处", "I am leaving")))
        @if opened.is_some() {
            p.small { (view.say("请在三分钟内确认，否则需重新扫描屏幕。", "Please confirm within three minutes, or scan the screen again.")) }
        }
    })
}

fn done(view: &View, direction: Direction) -> &str {
    match direction {
        Direction::Entry | Direction::Passing | Direction::Void => view.say("登记成功", "You are checked in"),
        Direction::Exit => view.say("已登记离开", "You have checked out"),
    }
}

fn result(
    view: &View,
    web: &Web,
    receipt: &ScanReceipt,
    read: Option<&GenuineReceipt>,
    direction: Direction,
) -> Result<Markup, ApiError> {
    Ok(html! {
        section.status.good aria-labelledby="done" {
            (shape(Tone::Good))
            h1 #done { (done(view, direction)) }
            p.venue { (receipt.venue) }
            p.point { (receipt.point) }
            (facts_of(view, receipt))
            // The word of when the scan was taken, which staff see at the door; not of when this is read.
            @if let Some(read) = read { (minute::large(view, web, read.facts.id, read.taken_at)) }
        }
        section.note {
            h2 { (view.say("凭证（供工作人员核验）", "Receipt, for the staff to verify")) }
            div.symbol role="img" aria-label="QR" { (symbol(&receipt.receipt)?) }
            p.reference { (receipt.receipt) }
            p.small { (valid_for(view, web.app.config.receipt_life.as_secs())) }
        }
        p { a.button.quiet href="/me" { (view.say("我的记录", "My records")) } }
    })
}

fn valid_for(view: &View, secs: u64) -> String {
    match view.lang {
        Lang::Chinese => format!("{secs} 秒内有效。截图不能作为凭证。"),
        Lang::English => format!("Valid for {secs} seconds. A screenshot proves nothing."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presses_in_a_row_are_one_moment_however_long_the_page_was_open() {
        let made: DateTime<Utc> = "2026-03-16T04:00:00.123Z".parse().unwrap();
        let id = fresh_id(made);
        let pressed = |secs| pressed_at(id, made + TimeDelta::seconds(secs)) - made;
        assert_eq!(pressed(0), TimeDelta::zero());
        assert_eq!(pressed(119), TimeDelta::zero());
        assert_eq!(pressed(601), TimeDelta::minutes(10));
        assert_eq!(pressed(607), TimeDelta::minutes(10));
        let micros_later = made + TimeDelta::seconds(607) + TimeDelta::microseconds(77);
        assert_eq!(pressed_at(id, micros_later) - made, TimeDelta::minutes(10));
        let ahead = made - TimeDelta::hours(1);
        assert_eq!(pressed_at(id, ahead), ahead, "an id from the future says nothing");
        assert_eq!(pressed_at(Uuid::nil(), made), made);
    }
}
