//! What became of what was entered at a door, in words and a shape that are read in passing.

use actix_web::ResponseError;
use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::desk::Desk;
use super::layout::token;
use super::receipt::{status, verdict};
use super::trouble::detail;
use super::view::View;
use super::words::{self, Tone};
use crate::domain::point::PointFacts;
use crate::domain::scan::Direction;
use crate::http::door::{GenuineReceipt, HandIn};
use crate::http::error::ApiError;
use crate::http::scans::ScanReceipt;
use crate::http::web::Web;

/// What became of it.
pub(super) enum Outcome {
    /// A scan was taken, and how it is taken back.
    Accepted(ScanReceipt, HandIn),
    /// It was a receipt.
    Checked(GenuineReceipt),
    /// A scan was taken back.
    TakenBack(ScanReceipt),
    /// Nothing was taken, with the text that was entered.
    Refused(ApiError, String),
}

impl Outcome {
    /// What the visitor can mend stands on the page; that the service fails does not.
    pub(super) fn refused(error: ApiError, shown: String) -> Result<Self, ApiError> {
        match error {
            ApiError::Busy
            | ApiError::Internal(_)
            | ApiError::TooMany(_)
            | ApiError::Forbidden(_)
            | ApiError::Refused(_) => Err(error),
            other => Ok(Self::Refused(other, shown)),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Accepted(..) | Self::Checked(_) | Self::TakenBack(_) => StatusCode::OK,
            Self::Refused(error, _) => match error.status_code() {
                // Nobody is asked to sign in because a visitor's proof is stale.
                StatusCode::UNAUTHORIZED => StatusCode::UNPROCESSABLE_ENTITY,
                status => status,
            },
        }
    }

    /// What was refused, for who typed it with the fingers.
    pub(super) fn to_mend(&self) -> Option<&str> {
        match self {
            Self::Accepted(..) | Self::Checked(_) | Self::TakenBack(_) => None,
            Self::Refused(_, shown) => Some(shown),
        }
    }
}

/// The outcome; announced, so that whoever does not look hears it.
pub(super) fn show_outcome(view: &View, web: &Web, here: &PointFacts, outcome: &Outcome) -> Markup {
    match outcome {
        Outcome::Checked(receipt) => verdict(view, web, Some(receipt), Some(here)),
        Outcome::Accepted(receipt, row) => accepted(view, receipt, row.direction),
        Outcome::TakenBack(receipt) => status(
            Tone::Over,
            view.say("已撤回", "Taken back"),
            &html! {
                p.venue { (receipt.venue) }
                p.point { (receipt.point) }
                p.when { (view.time(receipt.occurred_at)) }
            },
        ),
        Outcome::Refused(error, _) => status(
            Tone::Stopped,
            view.say("未登记", "Not taken"),
            &html! {
                p { (detail(view, error)) }
                p.small { (view.say(
                    "可以出示：手机“我的出示码”（未过期）、随身卡的 16 位编码，或刚刚登记的凭证。都没有的，请写入纸质登记表。",
                    "What can be shown: the code of the page “My code” before it ends, the 16 symbols of a card, or a fresh receipt. \
                     Who has none of these goes on the paper list.")) }
            },
        ),
    }
}

/// The button that takes back what was just handed in.
pub(super) fn mistake_button<P>(
    desk: &Desk<P>,
    here: &PointFacts,
    outcome: &Outcome,
    still: Option<u8>,
) -> Markup {
    let Outcome::Accepted(_, row) = outcome else { return html! {} };
    html! {
        form method="post" action={ "/door/" (here.id.to_i64()) "/mistake" } {
            (token(&desk.signed))
            input type="hidden" name="scan" value=(row.id);
            input type="hidden" name="shown" value=(row.shown);
            input type="hidden" name="occurred_at" value=(row.occurred_at.to_rfc3339());
            input type="hidden" name="direction" value=(direction_word(row.direction));
            @if still.is_some() { input type="hidden" name="still" value="1"; }
            button.quiet type="submit" { (desk.say("弄错了，撤回这一条", "This was a mistake: take it back")) }
        }
    }
}

fn accepted(view: &View, receipt: &ScanReceipt, direction: Direction) -> Markup {
    let title = match direction {
        Direction::Entry | Direction::Passing | Direction::Void => view.say("已登记进入", "In: taken"),
        Direction::Exit => view.say("已登记离开", "Out: taken"),
    };
    status(
        Tone::Good,
        title,
        &html! {
            p.venue { (receipt.venue) }
            p.point { (receipt.point) }
            (facts_of(view, receipt))
        },
    )
}

/// Time, lateness, presence and colour, as they stand on every page with a scan's result.
pub(super) fn facts_of(view: &View, receipt: &ScanReceipt) -> Markup {
    html! {
        p.when { (view.time(receipt.occurred_at)) }
        p.small {
            (words::presence(view.lang, receipt.presence))
            @if receipt.late { " · " (view.say("补登（晚于 10 分钟）", "late, by more than ten minutes")) }
        }
        @if let Some(known) = &receipt.colour {
            p {
                (words::colour(view.lang, known.colour)) " "
                span.small { (view.say("截至 ", "as of ")) (view.clock(known.as_of)) }
            }
        }
    }
}

pub(super) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Entry => "entry",
        Direction::Exit => "exit",
        Direction::Passing => "passing",
        Direction::Void => "void",
    }
}
