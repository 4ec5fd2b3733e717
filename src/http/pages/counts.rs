//! Counts of a venue on its page: who is there now, and today by hour and point. Never a visitor.

use chrono::TimeDelta;
use maud::{Markup, html};

use super::desk::Desk;
use super::words;
use crate::domain::small_count::{SHOWN_FROM, Shown};
use crate::http::permissions::SeeVenues;
use crate::http::venue_counts::VenueCounts;

/// How many people are there now, against how many the venue holds.
pub(super) fn here_now(desk: &Desk<SeeVenues>, counts: &VenueCounts) -> Markup {
    html! {
        section.note {
            h2 { (desk.say("此刻在场", "Here now")) }
            p.number {
                (counts.here_now.map_or_else(|| "—".to_owned(), |here| here.to_string()))
                @if let Some(capacity) = counts.capacity { span.small { " / " (capacity) (desk.say(" 人", " people")) } }
            }
            @if counts.full == Some(true) {
                p { (words::badge(words::Tone::Stopped, desk.say("已满", "Full"))) }
            }
            p.small { (hidden(desk)) }
        }
    }
}

/// Today's scans by hour, in all and for each point.
pub(super) fn today(desk: &Desk<SeeVenues>, counts: &VenueCounts) -> Markup {
    let first = counts.hours.iter().position(|count| *count != Shown::Exact(0)).unwrap_or(0);
    html! {
        section {
            h2 { (desk.say("今日扫码", "Scans today")) }
            p { (desk.say("合计 ", "In all: ")) strong { (counts.scans) } }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { (desk.say("点位", "Point")) }
                            th scope="col" { (desk.say("来访人数", "Visitors")) }
                            th scope="col" { (desk.say("扫码", "Scans")) }
                            @for hour in first..counts.hours.len() { th scope="col" { (clock(desk, counts, hour)) } }
                        }
                    }
                    tbody {
                        @for point in &counts.points {
                            tr {
                                th scope="row" {
                                    (point.name)
                                    @if point.alarm {
                                        " " (words::badge(words::Tone::Careful, desk.say("疑似照片外传", "A photo may be going round")))
                                    }
                                }
                                td { (point.visitors) }
                                td { (point.scans) }
                                @for count in point.hours.iter().skip(first) { td { (count) } }
                            }
                        }
                    }
                    @if counts.points.len() > 1 {
                        tfoot {
                            tr {
                                th scope="row" { (desk.say("合计", "All")) }
                                td {}
                                td { (counts.scans) }
                                @for count in counts.hours.iter().skip(first) { td { (count) } }
                            }
                        }
                    }
                }
            }
            p.small { (hidden(desk)) }
        }
    }
}

fn clock(desk: &Desk<SeeVenues>, counts: &VenueCounts, hour: usize) -> String {
    let hours = i64::try_from(hour).unwrap_or(0);
    desk.view.clock(counts.since + TimeDelta::hours(hours))
}

fn hidden(desk: &Desk<SeeVenues>) -> String {
    let chinese = format!("少于 {SHOWN_FROM} 的数字不显示，以免推断出个人；合计中每个隐藏的数字按 1 计。");
    let english = format!(
        "Counts below {SHOWN_FROM} are hidden, since they could tell who was there; a hidden one stands for 1 in a sum."
    );
    desk.say(&chinese, &english).to_owned()
}
