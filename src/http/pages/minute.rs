//! The word of the minute, as pages show it: to visitors, at the door and beside a receipt.

use chrono::{DateTime, DurationRound, Utc};
use maud::{Markup, html};

use super::view::View;
use crate::domain::minute_word::{LASTS, Word, word, word_before};
use crate::domain::venue::PointId;
use crate::http::web::Web;

/// When the minute of `at` begins.
fn begins(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(LASTS).unwrap_or(at)
}

/// How long the minute goes on, in whole seconds and rounded up, so that what is asked for then is of the next.
pub(super) fn left_secs(now: DateTime<Utc>) -> u32 {
    let millis = (begins(now) + LASTS - now).num_milliseconds();
    u32::try_from((millis + 999) / 1000).unwrap_or(1).clamp(1, 60)
}

/// The word alone, in both languages, whichever the page is in: two people compare two pages.
pub(super) fn both(web: &Web, point: PointId, at: DateTime<Utc>) -> Markup {
    spans(word(web.app.keys.token(), point, at))
}

fn spans(word: Word) -> Markup {
    html! { span lang="zh-CN" { (word.chinese) } " " span lang="en" { (word.english) } }
}

/// The word in large type, with the minute that it is of.
pub(super) fn large(view: &View, web: &Web, point: PointId, at: DateTime<Utc>) -> Markup {
    html! {
        p.small { (view.say("本分钟暗语", "Word of the minute")) " · " (from_until(view, at)) }
        p.word { (both(web, point, at)) }
    }
}

/// What staff compare with: the word large, and below it that of the minute before, which somebody who
/// scanned just before the turn still shows.
pub(super) fn to_compare(view: &View, web: &Web, point: PointId, now: DateTime<Utc>) -> Markup {
    let before = word_before(web.app.keys.token(), point, now);
    html! {
        section.minute #word {
            (large(view, web, point, now))
            p.small { (view.say("上一分钟：", "the minute before: ")) (spans(before)) }
        }
    }
}

/// From when to when a word holds.
fn from_until(view: &View, at: DateTime<Utc>) -> String {
    let begun = begins(at);
    format!("{}–{}", view.clock(begun), view.clock(begun + LASTS))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_page_is_asked_for_again_when_the_minute_is_over() {
        let begun: DateTime<Utc> = "2026-03-16T04:00:00Z".parse().unwrap();
        let left = |millis| left_secs(begun + TimeDelta::milliseconds(millis));
        assert_eq!([left(0), left(1), left(1000), left(59_001), left(59_999)], [60, 60, 59, 1, 1]);
        assert_eq!(begins(begun + TimeDelta::milliseconds(59_999)), begun);
    }
}
