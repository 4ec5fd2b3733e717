//! Two runs of one case beside each other: counts, and for a purpose the people.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::cases::short;
use super::desk::{Asked, Desk, Sent};
use super::view::go;
use super::words;
use crate::domain::rule_pack::{Class, Colour};
use crate::http::comparisons::{self as shared, Difference, DifferenceList, DifferentPerson};
use crate::http::contacts::PAGE;
use crate::http::error::ApiError;
use crate::http::permissions::{Investigate, SeeCases};
use crate::http::runs::{NewRun, permitted, request};
use crate::http::web::Web;
use crate::http::write::transaction;

/// Under which pack a run is computed again, and what for.
#[derive(Debug, Deserialize)]
struct Other {
    rule_pack: String,
    #[serde(default)]
    purpose: String,
}

/// Asks for a dry run of the same case under another pack, to lay it beside this one.
#[post("/runs/{id}/comparison")]
pub(super) async fn compare(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<Investigate, Other>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    let run = permitted(&web, actor, *id).await?;
    let Other { rule_pack, purpose } = sent.form;
    let form = NewRun { rule_pack, purpose, dry: true, incomplete_ok: false };
    let mut conn = web.app.store.conn().await?;
    let work = async |conn: &mut _| request(&web, conn, actor, run.case_id, form).await;
    let other = transaction(&mut conn, work).await?;
    Ok(go(&format!("/runs/{id}/difference/{}", other.id)))
}

/// How two runs differ.
#[get("/runs/{id}/difference/{other}")]
pub(super) async fn show(
    asked: Asked<SeeCases, DifferenceList>,
    web: Data<Web>,
    path: Path<(Uuid, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let Asked { desk, query: list } = asked;
    let (one, other) = path.into_inner();
    let actor = &desk.signed.actor;
    if permitted(&web, actor, other).await?.computed_at.is_none() {
        // Computed a moment later; the run's own page reloads until then.
        return Ok(go(&format!("/runs/{other}")));
    }
    let found = shared::difference(&web, actor, (one, other), &list).await?;
    let title = desk.say("两次计算的差异", "How two runs differ");
    let body = html! {
        h1 { (title) }
        p {
            a href={ "/runs/" (one) } { (short(one)) } " · " (found.rule_packs.first().map_or("", String::as_str))
            " → "
            a href={ "/runs/" (other) } { (short(other)) } " · " (found.rule_packs.last().map_or("", String::as_str))
        }
        (counts(&desk, &found))
        @match &found.people {
            Some(people) => {
                p.note { (desk.say("本次查看已记录。目的：", "This look was written down. Purpose: ")) strong { (list.purpose.as_deref().unwrap_or_default()) } }
                ul.cards { @for person in people { (card(&desk, person)) } }
                @if people.len() == usize::try_from(PAGE).unwrap_or(0) {
                    p { a.button.quiet href={ "/runs/" (one) "/difference/" (other) "?" (next(&list)) } { (desk.say("下一页", "Next page")) } }
                }
            }
            None => (people_form(&desk, one, other)),
        }
    };
    Ok(desk.wide(title, &body))
}

fn counts(desk: &Desk<SeeCases>, found: &Difference) -> Markup {
    let overview = [
        (found.only_in_first, desk.say("仅在前者", "Only in the first")),
        (found.only_in_second, desk.say("仅在后者", "Only in the second")),
        (found.changed, desk.say("类别或颜色不同", "In another class or colour")),
        (found.same, desk.say("相同", "The same")),
    ];
    html! {
        ul.numbers { @for (count, label) in overview { li { span.number { (count) } span.small { (label) } } } }
        table {
            thead { tr {
                th scope="col" { (desk.say("前者", "First")) } th scope="col" { (desk.say("后者", "Second")) }
                th.right scope="col" { (desk.say("人数", "People")) }
            } }
            tbody { @for cell in &found.matrix { tr {
                td { (class(desk, cell.from_class, cell.from_colour)) }
                td { (class(desk, cell.to_class, cell.to_colour)) }
                td.right { (cell.count) }
            } } }
        }
    }
}

fn class(desk: &Desk<SeeCases>, class: Option<Class>, colour: Option<Colour>) -> Markup {
    html! {
        @match class {
            Some(class) => (words::class(desk.view.lang, class)),
            None => "—",
        }
        @if let Some(colour) = colour { " " (words::colour(desk.view.lang, colour)) }
    }
}

fn card(desk: &Desk<SeeCases>, person: &DifferentPerson) -> Markup {
    let secs =
        |secs: Option<i64>| secs.map_or_else(|| "—".to_owned(), |secs| words::duration(desk.view.lang, secs));
    html! {
        li {
            span.reference { (person.visitor) }
            span { (class(desk, person.from_class, None)) " → " (class(desk, person.to_class, None)) }
            span.small { (secs(person.from_secs)) " → " (secs(person.to_secs)) }
        }
    }
}

fn people_form(desk: &Desk<SeeCases>, one: Uuid, other: Uuid) -> Markup {
    html! {
        section.note {
            h2 { (desk.say("查看有差异的人", "See in whom they differ")) }
            p.small { (desk.say("每次查看都会记录，当事人能看到您的角色、目的和时间。", "Every look is written down; those concerned see your role, purpose and time.")) }
            form method="get" action={ "/runs/" (one) "/difference/" (other) } {
                label for="purpose" { (desk.say("目的", "Purpose")) }
                input #purpose name="purpose" type="text" required minlength="3" maxlength="500" autocomplete="off";
                button.quiet type="submit" { (desk.say("查看", "Show")) }
            }
        }
    }
}

fn next(list: &DifferenceList) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("purpose", list.purpose.as_deref().unwrap_or_default())
        .append_pair("offset", &(list.offset + PAGE).to_string())
        .finish()
}
