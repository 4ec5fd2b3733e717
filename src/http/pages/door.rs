//! The page at a door: the word of the minute, and one field for whatever a visitor shows or carries.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::{Asked, Sent};
use super::door_result::{Outcome, direction_word, mistake_button, show_outcome};
use super::layout::{Layout, token};
use super::minute;
use super::receipt::SHOWN_MAX;
use super::scan::{fresh_id, in_steps};
use super::view::go;
use crate::domain::point::PointFacts;
use crate::domain::scan::Direction;
use crate::http::door::{Doors, HandIn, doors, hand_in, own_point, read_receipt, take_back};
use crate::http::error::ApiError;
use crate::http::permissions::StandAtDoors;
use crate::http::venues::PAGE;
use crate::http::web::Web;

type Desk = super::desk::Desk<StandAtDoors>;

/// For how many seconds an answer stands there at the least, even when the minute turns before.
const ANSWER_SECS: u32 = 15;

/// In steps of how long a scan's time follows its page: what is pressed twice in a row is one scan. Not
/// longer than the minute by which clocks may differ, since a visitor may have got the code only after
/// staff got the page.
const ENTERED_STEP: TimeDelta = TimeDelta::minutes(1);

/// Which page of the list of doors.
#[derive(Debug, Deserialize)]
struct ListPage {
    after: Option<Uuid>,
}

/// How the page at a door stands; its address remembers it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Standing {
    /// Which way people go.
    direction: Option<Direction>,
    /// Present when the page stays as it is, for who types with the fingers.
    still: Option<u8>,
}

impl Standing {
    /// In, unless out was said.
    fn way(self) -> Direction {
        self.direction.filter(|way| *way == Direction::Exit).unwrap_or(Direction::Entry)
    }
}

/// What is entered at a door.
#[derive(Deserialize)]
struct Entered {
    /// Made with the page, so that Enter pressed twice is one scan.
    id: Uuid,
    shown: String,
    direction: Direction,
    still: Option<u8>,
}

/// The button beside an answer that takes the scan back.
#[derive(Deserialize)]
struct TakenBack {
    scan: Uuid,
    shown: String,
    occurred_at: DateTime<Utc>,
    direction: Direction,
    still: Option<u8>,
}

/// The points of one's venues; whoever has only one stands there.
#[get("/door")]
pub(super) async fn choose(
    asked: Asked<StandAtDoors, ListPage>,
    web: Data<Web>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: list } = asked;
    let doors = doors(&web, &desk.signed.actor, list.after).await?;
    if let ([Doors { points, .. }], None) = (doors.as_slice(), list.after)
        && let [only] = points.as_slice()
    {
        return Ok(go(&format!("/door/{}", only.id)));
    }
    let title = desk.say("门口登记", "At the door");
    let more = doors.last().filter(|_| doors.len() == usize::try_from(PAGE).unwrap_or(0));
    let body = html! {
        h1 { (title) }
        @if doors.is_empty() { p { (desk.say("您还没有已通过审核的场所。", "None of your venues is approved yet.")) } }
        ul.cards {
            @for door in &doors {
                li {
                    strong { (door.venue.name) }
                    @for point in &door.points { a.button.quiet href={ "/door/" (point.id) } { (point.name) } }
                }
            }
        }
        @if let Some(last) = more {
            p { a.button.quiet href={ "/door?after=" (last.venue.id) } { (desk.say("下一页", "Next page")) } }
        }
    };
    Ok(desk.page(title, &body))
}

/// The page at a door.
#[get("/door/{id}")]
pub(super) async fn stand(
    asked: Asked<StandAtDoors, Standing>,
    web: Data<Web>,
    id: Path<i64>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: standing } = asked;
    let facts = own_point(&web, &desk.signed.actor, *id).await?;
    Ok(Door { desk, web, facts }.page(standing, None))
}

/// Takes what was entered: a receipt is checked, and anything else is handed in as a scan.
#[post("/door/{id}")]
pub(super) async fn enter(
    web: Data<Web>,
    id: Path<i64>,
    sent: Sent<StandAtDoors, Entered>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form } = sent;
    let facts = own_point(&web, &desk.signed.actor, *id).await?;
    let standing = Standing { direction: Some(form.direction), still: form.still };
    let shown: String = form.shown.split_whitespace().collect();
    let outcome = if let Some(receipt) = read_receipt(&web, &shown).await? {
        Outcome::Checked(receipt)
    } else {
        let occurred_at = in_steps(form.id, web.now(), ENTERED_STEP);
        let row = HandIn { id: form.id, shown, occurred_at, direction: form.direction, paper: false };
        match hand_in(&web, &desk.signed.actor, &facts, &row).await {
            Ok(receipt) => Outcome::Accepted(receipt, row),
            Err(error) => Outcome::refused(error, row.shown)?,
        }
    };
    Ok(Door { desk, web, facts }.page(standing, Some(&outcome)))
}

/// Takes back the scan that was handed in last.
#[post("/door/{id}/mistake")]
pub(super) async fn mistaken(
    web: Data<Web>,
    id: Path<i64>,
    sent: Sent<StandAtDoors, TakenBack>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form } = sent;
    let facts = own_point(&web, &desk.signed.actor, *id).await?;
    let TakenBack { scan, shown, occurred_at, direction, still } = form;
    let standing = Standing { direction: Some(direction), still };
    let mistake = HandIn { id: scan, shown, occurred_at, direction, paper: false };
    let outcome = match take_back(&web, &desk.signed.actor, &facts, &mistake).await {
        Ok(receipt) => Outcome::TakenBack(receipt),
        Err(error) => Outcome::refused(error, String::new())?,
    };
    Ok(Door { desk, web, facts }.page(standing, Some(&outcome)))
}

/// Somebody at a door.
struct Door {
    desk: Desk,
    web: Data<Web>,
    facts: Arc<PointFacts>,
}

impl Door {
    fn say<'a>(&self, chinese: &'a str, english: &'a str) -> &'a str {
        self.desk.say(chinese, english)
    }

    fn page(&self, standing: Standing, outcome: Option<&Outcome>) -> HttpResponse {
        let (facts, now) = (&self.facts, self.web.now());
        let status = outcome.map_or(StatusCode::OK, Outcome::status);
        let word = minute::to_compare(&self.desk.view, &self.web, facts.id, now);
        let body = html! {
            h1 { (facts.venue_name) }
            p.point { (facts.name) }
            @if facts.check_open(now).is_err() {
                p.wrong role="alert" { (self.say("此处暂不接受扫码。", "No scans are taken here at present.")) }
            }
            // The answer stands right above the field that has the focus, so that a small screen shows both.
            @match outcome {
                None => { (word) (self.field(standing, None)) }
                Some(outcome) => {
                    (show_outcome(&self.desk.view, &self.web, facts, outcome))
                    (self.field(standing, Some(outcome)))
                    (mistake_button(&self.desk, facts, outcome, standing.still))
                    (word)
                }
            }
            (self.ways_on(standing))
        };
        let turn = minute::left_secs(now);
        let reload_secs = match (standing.still, outcome) {
            (Some(_), _) => None,
            (None, None) => Some(turn),
            (None, Some(_)) => Some(turn.max(ANSWER_SECS)),
        };
        let next = format!("/door/{}?direction={}", facts.id.to_i64(), direction_word(standing.way()));
        let layout = Layout { reload_secs, reload_to: Some(&next), ..Layout::default() };
        self.desk.lay(layout, status, &facts.venue_name, &body)
    }

    /// The field, with a new id, so that the next one is another scan.
    fn field(&self, standing: Standing, outcome: Option<&Outcome>) -> Markup {
        let chosen = standing.way();
        // A scanner would add to what stands there; a person mends it.
        let again = outcome.and_then(Outcome::to_mend).filter(|_| standing.still.is_some());
        html! {
            form #enter method="post" action={ "/door/" (self.facts.id.to_i64()) } {
                (token(&self.desk.signed))
                input type="hidden" name="id" value=(fresh_id(self.web.now()));
                @if standing.still.is_some() { input type="hidden" name="still" value="1"; }
                label for="shown" { (self.say("扫描或输入：访客出示的码、随身卡或凭证", "Scan or type what the visitor shows: a code, a card, a receipt")) }
                input #shown name="shown" type="text" required maxlength=(SHOWN_MAX) value=[again] autofocus
                    autocomplete="off" autocapitalize="none" spellcheck="false";
                fieldset.choices {
                    @for (way, label) in
                        [(Direction::Entry, self.say("进入", "In")), (Direction::Exit, self.say("离开", "Out"))]
                    {
                        label { input type="radio" name="direction" value=(direction_word(way)) checked[way == chosen]; (label) }
                    }
                }
                button type="submit" { (self.say("登记", "Enter")) }
            }
        }
    }

    fn ways_on(&self, standing: Standing) -> Markup {
        let id = self.facts.id.to_i64();
        html! {
            @if standing.still.is_some() {
                p.small { (self.say("本页不会自动刷新，暗语只在所写的一分钟内有效。", "This page stays as it is; its word holds for the minute that stands beside it.")) }
                p { a href={ "/door/" (id) } { (self.say("使用扫码枪（每分钟刷新）", "Back to the page for a scanner, renewed each minute")) } }
            } @else {
                p { a href={ "/door/" (id) "?still=1" } { (self.say("逐字输入？打开不刷新的页面", "Typing by hand? The page that stays as it is")) } }
            }
            p { a href={ "/door/" (id) "/list" } { (self.say("补录纸质登记表", "Type in a paper list")) } }
            p { a href="/door" { (self.say("换一个点位", "Another point")) } }
        }
    }
}
