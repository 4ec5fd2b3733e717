//! Several cases together, for whoever asks them where it began: common places, clusters, likely sources.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::TimeDelta;
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::cases::short;
use super::desk::{Asked, Desk};
use super::view::View;
use super::words;
use crate::domain::coverage::Sentence;
use crate::http::backward::{
    self as shared, Backward, BackwardQuery, Cluster, LookedAt, NamedPlace, SharedPlace, Source,
};
use crate::http::error::ApiError;
use crate::http::permissions::Investigate;
use crate::http::web::Web;

/// What the form asks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Looking {
    purpose: Option<String>,
    /// Cases that began within so many days.
    days: Option<u8>,
}

/// The form; and what the cases have in common, once a purpose is given and written down.
#[get("/backward")]
pub(super) async fn show(
    asked: Asked<Investigate, Looking>,
    web: Data<Web>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query } = asked;
    let days = query.days.unwrap_or(14);
    let found = match &query.purpose {
        None => None,
        Some(purpose) => {
            let asked = BackwardQuery {
                division: None,
                since: Some(web.now() - TimeDelta::days(days.into())),
                until: None,
                purpose: purpose.clone(),
                window_mins: None,
                slot_hours: None,
                lookback_days: None,
            };
            Some((shared::backward(&web, &desk.signed.actor, &asked).await?, purpose))
        }
    };
    let title = desk.say("溯源：多病例比对", "Backward: several cases together");
    let body = html! {
        h1 { (title) }
        @if let Some((found, purpose)) = &found {
            p.note { (desk.say("本次查看已记录。目的：", "This look was written down. Purpose: ")) strong { (purpose) } }
            p { (said(&desk.view, &found.note)) }
            (result(&desk.view, found))
        }
        (form(&desk, days))
        p { a href="/cases" { (desk.say("返回病例", "Back to the cases")) } }
    };
    Ok(desk.page(title, &body))
}

fn form(desk: &Desk<Investigate>, days: u8) -> Markup {
    html! {
        section.note {
            h2 { (desk.say("查看", "Look")) }
            p.small { (desk.say("每个病例的查看都会记录，当事人能看到您的角色、目的和时间。", "The look is written down for each case; those concerned see your role, purpose and time.")) }
            form method="get" action="/backward" {
                label for="days" { (desk.say("近多少天内发病（或采样）的病例", "Cases that began (or were sampled) within so many days")) }
                input #days name="days" type="number" required min="1" max="60" value=(days);
                label for="purpose" { (desk.say("目的", "Purpose")) }
                input #purpose name="purpose" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button.quiet type="submit" { (desk.say("查看", "Show")) }
            }
        }
    }
}

fn result(view: &View, found: &Backward) -> Markup {
    let say = |zh, en| view.say(zh, en);
    html! {
        h2 { (say("聚集", "Clusters")) }
        p.small {
            (say("共检验的场所与时段：", "Places and slots that could have been found: ")) (found.tested) ". "
            (say("概率已按此校正（Bonferroni）。", "The chance allows for that (Bonferroni)."))
        }
        @if found.clusters.is_empty() { p { (say("没有。", "None.")) } }
        ul.cards { @for cluster in &found.clusters { (cluster_card(view, cluster)) } }
        @if found.clusters_left_out > 0 { p.small { (say("另有：", "More: ")) (found.clusters_left_out) } }
        h2 { (say("可能的来源", "Likely sources")) }
        ul.cards { @for case in &found.cases { (case_card(view, case)) } }
        h2 { (say("共同到过的场所", "Common places")) }
        @if found.places.is_empty() { p { (say("没有。", "None.")) } }
        ul.cards { @for place in &found.places { (place_card(view, place)) } }
        @if found.places_left_out > 0 { p.small { (say("另有：", "More: ")) (found.places_left_out) } }
    }
}

fn cluster_card(view: &View, cluster: &Cluster) -> Markup {
    let say = |zh, en| view.say(zh, en);
    html! {
        li {
            (place(&cluster.place))
            span { (view.span(cluster.from, cluster.until)) }
            span { (cases(view, &cluster.cases)) }
            @if let Some((expected, among)) = cluster.expected.zip(cluster.chance_among_all) {
                span.small {
                    (say("预期 ", "expected ")) (format!("{expected:.3}")) " · "
                    (say("偶然出现的概率（校正后）≤ ", "by chance anywhere, at most ")) (format!("{among:.2e}"))
                }
            } @else {
                span.small { (say("扫码计数缺失，无法计算预期", "the counts are missing, so nothing is expected")) }
            }
        }
    }
}

fn case_card(view: &View, case: &LookedAt) -> Markup {
    html! {
        li {
            a href={ "/cases/" (case.case) } { strong { (view.say("病例 ", "Case ")) (short(case.case)) } }
            span.small {
                (words::case_kind(view.lang, case.kind)) " · "
                (view.time(case.onset_at.unwrap_or(case.sampled_at))) " · "
                (view.say("停留：", "stays: ")) (case.stays)
            }
            @if case.sources.is_empty() {
                span.small { (view.say("这些病例中没有可能的来源", "none of these cases can have been its source")) }
            }
            ol { @for source in &case.sources { (source_line(view, source)) } }
        }
    }
}

fn source_line(view: &View, source: &Source) -> Markup {
    html! {
        li {
            a href={ "/cases/" (source.case) } { (view.say("病例 ", "Case ")) (short(source.case)) } " "
            span.small { (said(view, &source.reason)) }
        }
    }
}

fn place_card(view: &View, shared: &SharedPlace) -> Markup {
    let say = |zh, en| view.say(zh, en);
    html! {
        li {
            (place(&shared.place))
            span { (cases(view, &shared.cases)) }
            span.small {
                (say("同时在场 ", "together ")) (shared.together_pairs) (say(" 对，先后 ", " pairs · close in time ")) (shared.near_pairs)
                (say(" 对，不同时 ", " · at other times ")) (shared.apart_pairs) (say(" 对", ""))
            }
            span.small { (view.span(shared.first_at, shared.last_at)) }
        }
    }
}

fn place(place: &NamedPlace) -> Markup {
    html! {
        strong { (place.venue_name) }
        @if let Some(point) = &place.point_name { span.point { (point) } }
        span.small { (place.address) }
    }
}

fn cases(view: &View, ids: &[Uuid]) -> Markup {
    html! {
        (view.say("病例：", "Cases: "))
        @for (at, id) in ids.iter().enumerate() {
            @if at > 0 { ", " }
            a href={ "/cases/" (id) } { (short(*id)) }
        }
    }
}

fn said<'a>(view: &View, sentence: &'a Sentence) -> &'a str {
    view.lang.say(&sentence.zh, &sentence.en)
}
