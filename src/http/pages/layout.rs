//! What every page has around it: head, header, way around, foot.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use maud::{DOCTYPE, Markup, html};

use super::view::View;
use super::words;
use crate::domain::access::{Permission, Role};
use crate::http::auth::Actor;
use crate::http::permissions as may;

/// What a page with a script may load: that of our own, nothing from elsewhere, nothing inline.
const WITH_SCRIPT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A member of staff who is signed in, with the token that forms carry.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) actor: Actor,
    pub(super) form_token: String,
}

/// How a page is laid out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout<'a> {
    /// Whose page it is, for the header.
    pub(super) signed: Option<&'a Signed>,
    /// After so many seconds the page is asked for again.
    pub(super) reload_secs: Option<u32>,
    /// Another page of ours that is asked for then instead: the answer to a form cannot be asked for again.
    pub(super) reload_to: Option<&'a str>,
    /// Tables need room.
    pub(super) wide: bool,
    /// A script of ours that the page may run; all others run none.
    pub(super) script: Option<&'static str>,
}

/// A page for everybody.
pub(super) fn page(view: &View, status: StatusCode, title: &str, body: &Markup) -> HttpResponse {
    lay(view, Layout::default(), status, title, body)
}

/// A page in a given layout.
pub(super) fn lay(
    view: &View,
    layout: Layout<'_>,
    status: StatusCode,
    title: &str,
    body: &Markup,
) -> HttpResponse {
    let whole = html! {
        (DOCTYPE)
        html lang=(view.lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light";
                @if let Some(secs) = layout.reload_secs {
                    @match layout.reload_to {
                        None => meta http-equiv="refresh" content=(secs);,
                        Some(path) => meta http-equiv="refresh" content={ (secs) ";url=" (path) };,
                    }
                }
                title { (title) " · " (view.say("场所码", "Place code")) }
                link rel="stylesheet" href="/style.css";
                @if let Some(script) = layout.script { script src=(script) defer {} }
            }
            body.wide[layout.wide] {
                (header(view, layout.signed))
                main { (body) }
            }
        }
    };
    let mut response = view.send(status, whole);
    if layout.script.is_some() {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(WITH_SCRIPT));
    }
    response
}

fn header(view: &View, signed: Option<&Signed>) -> Markup {
    let (tag, name) = view.lang.other();
    html! {
        header {
            div.bar {
                a.name href=(if signed.is_some() { "/desk" } else { "/" }) {
                    (mark()) span { (view.say("场所码", "Place code")) }
                }
                @if let Some(address) = view.in_language(tag) {
                    a href=(address) lang=(tag) hreflang=(tag) { (name) }
                }
            }
            @if let Some(signed) = signed {
                div.bar {
                    p.who {
                        strong { (signed.actor.display_name) }
                        span.small {
                            @for (at, role) in signed.actor.roles.iter().enumerate() {
                                @if at > 0 { (view.say("、", ", ")) }
                                (words::role(view.lang, *role))
                            }
                            " · " (signed.actor.division)
                        }
                    }
                    form.inline method="post" action="/logout" {
                        (token(signed))
                        button.quiet type="submit" { (view.say("退出", "Sign out")) }
                    }
                }
                nav aria-label=(view.say("页面", "Pages")) {
                    @for (path, label) in places(view, &signed.actor.roles) { a href=(path) { (label) } }
                }
            }
        }
    }
}

/// The mark of the service: the corner of a code.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            path d="M3 3h8v8H3zM13 3h8v8h-8zM3 13h8v8H3z" fill="none" stroke="currentColor" stroke-width="2.4" {}
            path d="M14 14h3v3h-3zM18 18h3v3h-3z" fill="currentColor" {}
        }
    }
}

/// The field that ties a form to the session.
pub(super) fn token(signed: &Signed) -> Markup {
    html! { input type="hidden" name="form_token" value=(signed.form_token); }
}

/// The pages that somebody with these roles may open.
pub(super) fn places<'a>(view: &'a View, roles: &[Role]) -> Vec<(&'static str, &'a str)> {
    let all = [
        ("/manage", view.say("场所", "Venues"), may::WorkAtVenues::ROLES),
        ("/door", view.say("门口", "Door"), may::StandAtDoors::ROLES),
        ("/inspect", view.say("场所审核", "Review"), may::ReviewVenues::ROLES),
        ("/inspect/poster", view.say("海报核查", "Posters"), may::ReviewVenues::ROLES),
        ("/cases", view.say("病例与流调", "Cases"), may::SeeCases::ROLES),
        ("/release", view.say("放行", "Release"), may::Release::ROLES),
        ("/appeals", view.say("申诉", "Appeals"), may::SeeAppeals::ROLES),
        ("/letters", view.say("发件箱", "Outbox"), may::HoldLetters::ROLES),
        ("/audit", view.say("审计日志", "Audit log"), may::ReadAudit::ROLES),
    ];
    let open = |asked: &[Role]| roles.iter().any(|role| asked.contains(role));
    all.into_iter().filter(|(_, _, asked)| open(asked)).map(|(path, label, _)| (path, label)).collect()
}
