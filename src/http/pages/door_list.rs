//! A paper list that is typed in: one line a person, each answered for by its number.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, NaiveDate, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::desk::Sent;
use super::layout::{Layout, token};
use super::trouble::detail;
use super::view::View;
use super::words::{Tone, badge};
use crate::domain::point::PointFacts;
use crate::domain::scan::Direction;
use crate::http::door::{HandIn, hand_in, own_point, paper_id};
use crate::http::error::ApiError;
use crate::http::permissions::StandAtDoors;
use crate::http::web::Web;

type Desk = super::desk::Desk<StandAtDoors>;

/// How many lines are taken at once.
const LINES_MAX: usize = 200;

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Filled {
    /// The day of the times that name none: a list is often typed in the day after.
    day: String,
    lines: String,
}

/// What became of a line.
struct Answered<'a> {
    number: usize,
    text: &'a str,
    outcome: Result<(DateTime<Utc>, Direction), ApiError>,
}

/// The empty form.
#[get("/door/{id}/list")]
pub(super) async fn blank(desk: Desk, web: Data<Web>, id: Path<i64>) -> Result<HttpResponse, ApiError> {
    let facts = own_point(&web, &desk.signed.actor, *id).await?;
    let filled = Filled { day: today(&web), lines: String::new() };
    Ok(page(&desk, &facts, StatusCode::OK, &filled, &html! {}))
}

/// Takes the good lines; the others come back to be mended. A line that was taken before is the same scan.
#[post("/door/{id}/list")]
pub(super) async fn take(
    web: Data<Web>,
    id: Path<i64>,
    sent: Sent<StandAtDoors, Filled>,
) -> Result<HttpResponse, ApiError> {
    let Sent { desk, form: filled } = sent;
    let facts = own_point(&web, &desk.signed.actor, *id).await?;
    let texts: Vec<&str> = filled.lines.lines().map(str::trim).collect();
    let texts: Vec<(usize, &str)> = (1..).zip(texts).filter(|(_, text)| !text.is_empty()).collect();
    if texts.len() > LINES_MAX {
        let error = ApiError::invalid("lines", format!("at most {LINES_MAX} lines at once"));
        let wrong = html! { p.wrong role="alert" { (detail(&desk.view, &error)) } };
        return Ok(page(&desk, &facts, StatusCode::UNPROCESSABLE_ENTITY, &filled, &wrong));
    }
    let mut answered = Vec::with_capacity(texts.len());
    for (number, text) in texts {
        let outcome = match take_line(&desk, &web, &facts, &filled.day, text).await {
            // What is sent again changes nothing, so a service that fails midway loses no line.
            Err(error @ (ApiError::Busy | ApiError::Internal(_) | ApiError::TooMany(_))) => {
                return Err(error);
            }
            outcome => outcome,
        };
        answered.push(Answered { number, text, outcome });
    }
    let bad: Vec<&str> = answered.iter().filter(|line| line.outcome.is_err()).map(|line| line.text).collect();
    let status = if bad.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let left = Filled { day: filled.day.clone(), lines: bad.join("\n") };
    Ok(page(&desk, &facts, status, &left, &report(&desk, &answered)))
}

async fn take_line(
    desk: &Desk,
    web: &Web,
    facts: &PointFacts,
    day: &str,
    text: &str,
) -> Result<(DateTime<Utc>, Direction), ApiError> {
    let line = read(&desk.view, day, text)?;
    let id = paper_id(facts.id, &line.shown, line.at, line.direction);
    let row = HandIn { id, shown: line.shown, occurred_at: line.at, direction: line.direction, paper: true };
    hand_in(web, &desk.signed.actor, facts, &row).await?;
    Ok((line.at, line.direction))
}

/// One line of a list.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    shown: String,
    at: DateTime<Utc>,
    direction: Direction,
}

/// Reads `card or code, time, in or out`. Commas of both scripts, semicolons and tabs part the fields.
fn read(view: &View, day: &str, text: &str) -> Result<Line, ApiError> {
    let mut fields = text.split([',', '，', ';', '；', '\t']).map(str::trim);
    let shown: String = fields.next().unwrap_or_default().split_whitespace().collect();
    let (at, direction) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    if shown.is_empty() || at.is_empty() || fields.any(|field| !field.is_empty()) {
        return Err(ApiError::invalid("line", "must be: card or code, time, in or out"));
    }
    let direction = match direction.to_lowercase().as_str() {
        "" | "in" | "entry" | "进" | "进入" | "入" => Direction::Entry,
        "out" | "exit" | "出" | "离开" | "离" => Direction::Exit,
        _ => return Err(ApiError::invalid("direction", "must be in or out")),
    };
    Ok(Line { shown, at: moment(view, day, at)?, direction })
}

/// A time of the list's day, or one that names its own day.
fn moment(view: &View, day: &str, text: &str) -> Result<DateTime<Utc>, ApiError> {
    if let Ok(whole) = DateTime::parse_from_rfc3339(text) {
        return Ok(whole.to_utc());
    }
    let text = text.replace('：', ":");
    let whole = if text.contains('-') {
        text.replacen(' ', "T", 1)
    } else {
        let day: NaiveDate =
            day.trim().parse().map_err(|_unread| ApiError::invalid("day", "must be a date: 2026-03-10"))?;
        format!("{day}T{text}")
    };
    let at = view.local_time("time", &whole).ok().flatten();
    at.ok_or_else(|| ApiError::invalid("time", "must be a time: 14:30, or 2026-03-10 14:30"))
}

fn today(web: &Web) -> String {
    web.now().with_timezone(&web.app.config.local_offset).date_naive().to_string()
}

fn page(
    desk: &Desk,
    facts: &PointFacts,
    status: StatusCode,
    filled: &Filled,
    answer: &Markup,
) -> HttpResponse {
    let t = |zh, en| desk.say(zh, en);
    let title = t("补录纸质登记表", "A paper list");
    let id = facts.id.to_i64();
    let body = html! {
        h1 { (title) }
        p.point { (facts.venue_name) " · " (facts.name) }
        (answer)
        form method="post" action={ "/door/" (id) "/list" } {
            (token(&desk.signed))
            label for="day" { (t("登记表的日期", "The day of the list")) }
            input #day name="day" type="date" required value=(filled.day);
            label for="lines" { (t("每行一人：随身卡或出示码，时间，进或出", "One person a line: card or code, time, in or out")) }
            textarea #lines name="lines" rows="10" required maxlength="60000" spellcheck="false" autocapitalize="none"
                placeholder=(t("ABCD-EFGH-JKMN-PQRS, 14:30, 进", "ABCD-EFGH-JKMN-PQRS, 14:30, in")) { "\n" (filled.lines) }
            button type="submit" { (t("补录", "Enter the list")) }
        }
        p.small { (t("最多 200 行，72 小时内有效。重复提交同一行不会重复登记。", "At most 200 lines, of the last 72 hours. A line that is sent twice is one scan.")) }
        p { a href={ "/door/" (id) } { (t("返回门口", "Back to the door")) } }
    };
    desk.lay(Layout::default(), status, title, &body)
}

/// Each line by its number; those that were refused first, since they are what is to be done.
fn report(desk: &Desk, answered: &[Answered<'_>]) -> Markup {
    let good = answered.iter().filter(|line| line.outcome.is_ok()).count();
    let bad = answered.len() - good;
    html! {
        section.note role="status" {
            p {
                (badge(Tone::Good, &format!("{} {good}", desk.say("已登记", "Taken"))))
                " "
                @if bad > 0 { (badge(Tone::Stopped, &format!("{} {bad}", desk.say("未登记", "Not taken")))) }
            }
            @if bad > 0 { p { (desk.say("未登记的行留在下面，改正后再提交。", "The lines that were not taken stand below, to be mended and sent again.")) } }
            ul.lines {
                @for line in answered {
                    li {
                        (desk.say("第 ", "Line ")) (line.number) (desk.say(" 行：", ": "))
                        @match &line.outcome {
                            Ok((at, direction)) => { (taken(desk, *at, *direction)) }
                            Err(error) => { strong { (desk.say("未登记", "not taken")) } " · " (detail(&desk.view, error)) }
                        }
                    }
                }
            }
        }
    }
}

fn taken(desk: &Desk, at: DateTime<Utc>, direction: Direction) -> String {
    let way = match direction {
        Direction::Entry | Direction::Passing | Direction::Void => desk.say("进入", "in"),
        Direction::Exit => desk.say("离开", "out"),
    };
    format!("{} · {way}", desk.view.time(at))
}
