//! Pages: plain HTML that works without scripts, in two languages, for citizens, venues and staff.

mod alarms;
mod appeals;
mod apply;
mod audit;
mod audit_heads;
mod backward;
mod case;
mod case_correct;
mod case_trail;
mod case_trail_form;
mod cases;
mod code;
mod comparison;
mod contacts;
mod counts;
mod desk;
mod door;
mod door_list;
mod door_result;
mod held;
mod home;
mod inspect;
mod inspection;
mod join;
mod layout;
mod letters;
mod manage;
mod me;
mod me_appeal;
mod me_assignments;
mod me_code;
mod minute;
mod organisation;
mod overdue;
mod point_form;
mod poster;
mod receipt;
mod reconciliation;
mod release;
mod run;
mod run_counts;
mod scan;
mod screen;
mod screens;
mod sign_in;
mod ticket;
mod trouble;
mod venue;
mod venue_form;
mod venue_life;
mod venue_staff;
mod view;
mod words;

use actix_web::http::Method;
use actix_web::web::ServiceConfig;

use super::permissions as may;
use super::routes::{Access, Route, matches};
use crate::domain::access::Permission;

pub use self::trouble::{answer_later, dress};

/// The pages and the forms on them. A test asks for each of them in every role and compares.
pub const PAGES: &[Route] = &[
    (Method::GET, "/", Access::Public),
    (Method::GET, "/style.css", Access::Public),
    (Method::GET, "/go", Access::Public),
    (Method::POST, "/identity", Access::Public),
    (Method::GET, "/me", Access::Visitor),
    (Method::POST, "/me/leave", Access::Visitor),
    (Method::GET, "/me/looks", Access::Visitor),
    (Method::GET, "/me/stays.csv", Access::Visitor),
    (Method::POST, "/me/stays/{scan}/correction", Access::Visitor),
    (Method::GET, "/me/assignments", Access::Visitor),
    (Method::GET, "/me/assignments/{id}", Access::Visitor),
    (Method::GET, "/me/appeals/{id}", Access::Visitor),
    (Method::POST, "/me/appeals/{id}", Access::Visitor),
    (Method::GET, "/me/code", Access::Visitor),
    (Method::GET, "/me/card", Access::Visitor),
    (Method::POST, "/me/card", Access::Visitor),
    (Method::POST, "/me/card/end", Access::Visitor),
    (Method::GET, "/receipt", Access::Public),
    (Method::POST, "/receipt", Access::Public),
    (Method::GET, "/door", Access::Roles(may::StandAtDoors::ROLES)),
    (Method::GET, "/door/{id}", Access::Roles(may::StandAtDoors::ROLES)),
    (Method::POST, "/door/{id}", Access::Roles(may::StandAtDoors::ROLES)),
    (Method::POST, "/door/{id}/mistake", Access::Roles(may::StandAtDoors::ROLES)),
    (Method::GET, "/door/{id}/list", Access::Roles(may::StandAtDoors::ROLES)),
    (Method::POST, "/door/{id}/list", Access::Roles(may::StandAtDoors::ROLES)),
    (Method::GET, "/login", Access::Public),
    (Method::POST, "/login", Access::Public),
    (Method::GET, "/apply", Access::Public),
    (Method::POST, "/apply", Access::Public),
    (Method::GET, "/join/{token}", Access::Public),
    (Method::POST, "/join/{token}", Access::Public),
    (Method::POST, "/logout", Access::Roles(may::SignedIn::ROLES)),
    (Method::GET, "/desk", Access::Roles(may::SignedIn::ROLES)),
    (Method::GET, "/manage", Access::Roles(may::WorkAtVenues::ROLES)),
    (Method::POST, "/manage/venues", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/venues/new", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/venues/{id}", Access::Roles(may::SeeVenues::ROLES)),
    (Method::GET, "/manage/venues/{id}/edit", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/venues/{id}/edit", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/venues/{id}/points", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/venues/{id}/staff", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/venues/{id}/staff/remove", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/venues/{id}/invitations", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/venues/{id}/invitations/end", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/organisations/{id}", Access::Roles(may::SeeVenues::ROLES)),
    (Method::GET, "/manage/points/{id}/poster", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/points/{id}/poster.pdf", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/points/{id}/poster.png", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/points/{id}/poster.svg", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/venues/{id}/posters.pdf", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/points/{id}/code", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/points/{id}/code", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/manage/points/{id}/screens", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/points/{id}/screens", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/manage/screens/{id}/end", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/screen", Access::Public),
    (Method::GET, "/screen/enrol/{token}", Access::Public),
    (Method::POST, "/screen/enrol/{token}", Access::Public),
    (Method::GET, "/inspect", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/inspect/poster", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::POST, "/inspect/poster", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::POST, "/inspect/poster/finding", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/inspect/points", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::POST, "/inspect/alarms/{id}", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/position.js", Access::Public),
    (Method::POST, "/inspect/{id}", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/cases", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/cases", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/cases/new", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/cases/{id}", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/cases/{id}/edit", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/cases/{id}/edit", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/cases/{id}/trail", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/cases/{id}/trail", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/cases/{id}/trail/{stay}", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/backward", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/cases/{id}/runs", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/cases/{id}/withdrawal", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/runs/{id}", Access::Roles(may::SeeRuns::ROLES)),
    (Method::GET, "/runs/{id}/contacts", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/runs/{id}/contacts/{visitor}", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/runs/{id}/exclusions", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/runs/{id}/inclusions", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/runs/{id}/reviews", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/runs/{id}/escalations", Access::Roles(may::Escalate::ROLES)),
    (Method::GET, "/runs/{id}/difference/{other}", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/runs/{id}/comparison", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/runs/{id}/cancellation", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/runs/{id}/proposal", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/release", Access::Roles(may::Release::ROLES)),
    (Method::POST, "/runs/{id}/release", Access::Roles(may::Release::ROLES)),
    (Method::POST, "/runs/{id}/lifts", Access::Roles(may::LiftHour::ROLES)),
    (Method::GET, "/appeals", Access::Roles(may::SeeAppeals::ROLES)),
    (Method::GET, "/appeals/{id}", Access::Roles(may::SeeAppeals::ROLES)),
    (Method::GET, "/appeals/{id}/evidence/{file}", Access::Roles(may::SeeAppeals::ROLES)),
    (Method::POST, "/appeals/{id}/decision", Access::Roles(may::DecideAppeals::ROLES)),
    (Method::GET, "/letters", Access::Roles(may::HoldLetters::ROLES)),
    (Method::POST, "/letters/stop", Access::Roles(may::HoldLetters::ROLES)),
    (Method::GET, "/letters/dead", Access::Roles(may::HoldLetters::ROLES)),
    (Method::POST, "/letters/dead/{id}/again", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/letters/again", Access::Roles(may::Administer::ROLES)),
    (Method::GET, "/audit", Access::Roles(may::ReadAudit::ROLES)),
    (Method::GET, "/audit/heads", Access::Public),
    (Method::GET, "/{code}", Access::Public),
    (Method::POST, "/{code}", Access::Visitor),
];

/// Mounts the pages. The place code stands last, since its route has no first part of its own.
pub fn configure(config: &mut ServiceConfig) {
    at_doors(config);
    of_cases(config);
    of_visitors(config);
    config
        .service(home::show)
        .service(home::style)
        .service(home::go_to_code)
        .service(me::identity)
        .service(me::show)
        .service(me::leave)
        .service(sign_in::show)
        .service(sign_in::take)
        .service(sign_in::leave)
        .service(apply::show)
        .service(apply::take)
        .service(join::show)
        .service(join::take)
        .service(sign_in::desk)
        .service(manage::list)
        .service(manage::blank)
        .service(manage::take)
        .service(manage::edit)
        .service(manage::take_correction)
        .service(venue::show)
        .service(venue::add_point)
        .service(venue_staff::show)
        .service(venue_staff::remove_one)
        .service(venue_staff::invite)
        .service(venue_staff::end_one)
        .service(organisation::show)
        .service(poster::show)
        .service(poster::file)
        .service(poster::files_of_venue)
        .service(poster::picture)
        .service(poster::pixels)
        .service(code::show)
        .service(code::change)
        .service(screens::list)
        .service(screens::add)
        .service(screens::end)
        .service(screen::show)
        .service(screen::offer)
        .service(screen::enrol)
        .service(inspect::list)
        .service(inspection::ask)
        .service(inspection::answer)
        .service(inspection::record)
        .service(inspection::odd_points)
        .service(inspection::script)
        .service(alarms::close)
        .service(inspect::decide)
        .service(run::show)
        .service(run::propose)
        .service(run::cancel)
        .service(run::escalate_place)
        .service(comparison::compare)
        .service(comparison::show)
        .service(contacts::list)
        .service(contacts::evidence)
        .service(contacts::exclude)
        .service(contacts::include)
        .service(contacts::review)
        .service(release::list)
        .service(release::give_word)
        .service(release::lift)
        .configure(letters::routes)
        .service(audit::show)
        .service(audit_heads::show)
        .service(scan::show)
        .service(scan::take);
}

/// What visitors see and say of what is kept about them, and who decides on it.
fn of_visitors(config: &mut ServiceConfig) {
    config
        .service(me::all_looks)
        .service(me::stays_file)
        .service(me::correct)
        .service(me_assignments::list)
        .service(me_assignments::show)
        .service(me_appeal::show)
        .service(me_appeal::take)
        .service(appeals::list)
        .service(appeals::show)
        .service(appeals::download)
        .service(appeals::decide);
}

/// Cases and their trails.
fn of_cases(config: &mut ServiceConfig) {
    config
        .service(cases::list)
        .service(cases::blank)
        .service(cases::report)
        .service(case::show)
        .service(case_correct::show)
        .service(case_correct::take)
        .service(case_trail::show)
        .service(case_trail::add)
        .service(case_trail::say)
        .service(backward::show)
        .service(case::compute)
        .service(case::withdraw);
}

/// What visitors show at a door, and what staff do with it.
fn at_doors(config: &mut ServiceConfig) {
    config
        .service(me_code::code)
        .service(me_code::card)
        .service(me_code::make_card)
        .service(me_code::end)
        .service(receipt::ask)
        .service(receipt::check)
        .service(door::choose)
        .service(door::stand)
        .service(door::enter)
        .service(door::mistaken)
        .service(door_list::blank)
        .service(door_list::take);
}

/// Whether a part of a path has the form of a place code, printed or typed with hyphens.
pub fn looks_like_code(part: &str) -> bool {
    (21..=40).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether an address is that of the page behind a place code.
pub fn is_code_page(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(looks_like_code)
}

/// Who may call a page; `None` when there is none at that address.
fn access_of(method: &Method, path: &str) -> Option<Access> {
    PAGES.iter().find(|route| route.0 == *method && matches(route.1, path)).map(|route| route.2)
}

/// Whether an address is one that programs ask, whose errors are never pages.
fn belongs_to_api(path: &str) -> bool {
    path.starts_with("/v1/") || matches!(path, "/livez" | "/readyz" | "/openapi.json")
}
