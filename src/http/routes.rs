//! Every route of the service on one page, and who may call it.

use actix_web::http::Method;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_actix_web::service_config::ServiceConfig;

use super::permissions as may;
use super::{
    accounts, admin, agreements, alarms, appeal_desk, appeal_rates, appeals, applicants, assignments, audit,
    backward, cases, categories, channels, codes, comparisons, contacts, coverage, duplicates, escalations,
    facts, feed, hand_overs, health, inspections, issuers, letters, organisations, own_assignments,
    own_stays, posters, reconciliation, register_export, releases, reports, reviews, rule_packs, runs,
    scan_batches, scan_log, scans, screens, sessions, trial, venue_counts, venue_life, venue_staff, venues,
    visitor_cards, visitors, why,
};
use crate::domain::access::{Permission, Role};
use crate::domain::webhook::SIGNATURE_HEADER;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// A visitor whom a channel has vouched for.
    Visitor,
    /// A device by its own key, or these roles.
    DeviceOr(&'static [Role]),
    /// An issuing system that signs its request.
    Issuer,
    /// These roles.
    Roles(&'static [Role]),
}

/// One route: method, path as in the API document, who may call it.
pub type Route = (Method, &'static str, Access);

/// The routes of the API. A test calls each of them in every role and compares, and another checks that
/// none is missing from the API document.
pub const API: &[Route] = &[
    (Method::GET, "/livez", Access::Public),
    (Method::GET, "/readyz", Access::Public),
    (Method::POST, "/v1/sessions", Access::Public),
    (Method::DELETE, "/v1/sessions", Access::Roles(may::SignedIn::ROLES)),
    (Method::POST, "/v1/applicants", Access::Public),
    (Method::POST, "/v1/visitor-tokens", Access::Public),
    (Method::POST, "/v1/scans", Access::Visitor),
    (Method::POST, "/v1/scans/batch", Access::DeviceOr(may::HandInScans::ROLES)),
    (Method::POST, "/v1/receipts/verify", Access::Public),
    (Method::POST, "/v1/visitor-codes", Access::Visitor),
    (Method::POST, "/v1/visitor-cards", Access::Visitor),
    (Method::DELETE, "/v1/visitor-cards", Access::Visitor),
    (Method::GET, "/v1/me/stays", Access::Visitor),
    (Method::GET, "/v1/me/stays.csv", Access::Visitor),
    (Method::GET, "/v1/me/stays.json", Access::Visitor),
    (Method::POST, "/v1/me/stays/{scan}/correction", Access::Visitor),
    (Method::GET, "/v1/me/looks", Access::Visitor),
    (Method::GET, "/v1/me/assignments", Access::Visitor),
    (Method::GET, "/v1/me/assignments/{id}", Access::Visitor),
    (Method::POST, "/v1/me/assignments/{id}/appeals", Access::Visitor),
    (Method::GET, "/v1/me/appeals/{id}", Access::Visitor),
    (Method::POST, "/v1/me/appeals/{id}/evidence", Access::Visitor),
    (Method::GET, "/v1/appeals", Access::Roles(may::SeeAppeals::ROLES)),
    (Method::GET, "/v1/appeals/{id}", Access::Roles(may::SeeAppeals::ROLES)),
    (Method::GET, "/v1/appeals/{id}/evidence/{file}", Access::Roles(may::SeeAppeals::ROLES)),
    (Method::POST, "/v1/appeals/{id}/decision", Access::Roles(may::DecideAppeals::ROLES)),
    (Method::GET, "/v1/appeal-rates", Access::Roles(may::SeeAppeals::ROLES)),
    (Method::GET, "/v1/cases/{id}/taken-back", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/categories", Access::Public),
    (Method::POST, "/v1/venues", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/v1/venues", Access::Roles(may::SeeVenues::ROLES)),
    (Method::GET, "/v1/venues.csv", Access::Roles(may::SeeVenues::ROLES)),
    (Method::GET, "/v1/venues.geojson", Access::Roles(may::SeeVenues::ROLES)),
    (Method::GET, "/v1/venues/{id}", Access::Roles(may::SeeVenues::ROLES)),
    (Method::GET, "/v1/venues/{id}/counts", Access::Roles(may::SeeVenues::ROLES)),
    (Method::PUT, "/v1/venues/{id}", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/v1/venues/{id}/steps", Access::Roles(may::SeeVenues::ROLES)),
    (Method::GET, "/v1/venues/{id}/duplicates", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/v1/venues/{id}/staff", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::DELETE, "/v1/venues/{id}/staff/{member}", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/v1/venues/{id}/invitations", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::DELETE, "/v1/venues/{id}/invitations/{invitation}", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/v1/organisations/{id}", Access::Roles(may::SeeVenues::ROLES)),
    (Method::POST, "/v1/venues/{id}/points", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/v1/venues/{id}/review", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::POST, "/v1/points/{id}/code", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/v1/inspections", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::POST, "/v1/inspections/check", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/v1/inspections/points", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/v1/alarms", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::POST, "/v1/alarms/{id}", Access::Roles(may::ReviewVenues::ROLES)),
    (Method::GET, "/v1/points/{id}/poster", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/v1/points/{id}/symbol", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/v1/venues/{id}/posters", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/v1/points/{id}/screens", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::GET, "/v1/points/{id}/screens", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::DELETE, "/v1/screens/{id}", Access::Roles(may::RegisterVenues::ROLES)),
    (Method::POST, "/v1/cases", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/cases", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/v1/cases/import", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/cases/{id}", Access::Roles(may::SeeCases::ROLES)),
    (Method::PUT, "/v1/cases/{id}", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/cases/{id}/changes", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/v1/cases/{id}/trail", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/cases/{id}/trail", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/cases/{id}/trail/changes", Access::Roles(may::Investigate::ROLES)),
    (Method::PUT, "/v1/cases/{id}/trail/{stay}", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/cases/{id}/trail/{stay}/removal", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/cases/{id}/trail/{stay}/return", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/backward", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/cases/{id}/withdrawal", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/cases/{id}/runs", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/cases/{id}/comparisons", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/runs/{id}/difference/{other}", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/v1/runs/{id}/cancellation", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/runs/{id}", Access::Roles(may::SeeRuns::ROLES)),
    (Method::GET, "/v1/runs/{id}/coverage", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/v1/runs/{id}/contacts", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/v1/runs/{id}/contacts/{visitor}/evidence", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/v1/runs/{id}/contacts/{visitor}/why", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/v1/runs/{id}/reports/{file}", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/v1/runs/{id}/exclusions", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/runs/{id}/inclusions", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/runs/{id}/reviews", Access::Roles(may::Investigate::ROLES)),
    (Method::GET, "/v1/runs/{id}/contacts/{visitor}/reviews", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/v1/runs/{id}/escalations", Access::Roles(may::Escalate::ROLES)),
    (Method::POST, "/v1/runs/{id}/proposal", Access::Roles(may::Investigate::ROLES)),
    (Method::POST, "/v1/runs/{id}/release", Access::Roles(may::Release::ROLES)),
    (Method::GET, "/v1/assignments/overdue", Access::Roles(may::SeeCases::ROLES)),
    (Method::GET, "/v1/assignments/{id}", Access::Roles(may::SeeCases::ROLES)),
    (Method::POST, "/v1/issuers/{issuer}/facts", Access::Issuer),
    (Method::GET, "/v1/runs/{id}/release", Access::Roles(may::SeeRuns::ROLES)),
    (Method::POST, "/v1/runs/{id}/lifts", Access::Roles(may::LiftHour::ROLES)),
    (Method::GET, "/v1/rule-packs", Access::Roles(may::SeeRulePacks::ROLES)),
    (Method::GET, "/v1/rule-packs/{name}", Access::Roles(may::SeeRulePacks::ROLES)),
    (Method::GET, "/v1/letters", Access::Roles(may::HoldLetters::ROLES)),
    (Method::PUT, "/v1/letters/stop", Access::Roles(may::HoldLetters::ROLES)),
    (Method::GET, "/v1/letters/keys", Access::Public),
    (Method::GET, "/v1/letters/dead", Access::Roles(may::HoldLetters::ROLES)),
    (Method::POST, "/v1/letters/dead/{id}/again", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/letters/{issuer}/again", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/issuers/{issuer}/feed", Access::Issuer),
    (Method::POST, "/v1/issuers/{issuer}/reconciliation", Access::Issuer),
    (Method::GET, "/v1/issuers/{id}/reconciliations", Access::Roles(may::HoldLetters::ROLES)),
    (Method::POST, "/v1/issuers/{id}/reconciliations", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/issuers/{id}/replay", Access::Roles(may::Administer::ROLES)),
    (Method::GET, "/v1/scan-log", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/scan-log/dead", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/staff", Access::Roles(may::Administer::ROLES)),
    (Method::GET, "/v1/staff", Access::Roles(may::Administer::ROLES)),
    (Method::DELETE, "/v1/staff/{id}", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/machines", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/devices", Access::Roles(may::Administer::ROLES)),
    (Method::PUT, "/v1/channels/{id}", Access::Roles(may::Administer::ROLES)),
    (Method::GET, "/v1/issuers", Access::Roles(may::Administer::ROLES)),
    (Method::PUT, "/v1/issuers/{id}", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/issuers/{id}/disabling", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/issuers/{id}/enabling", Access::Roles(may::Administer::ROLES)),
    (Method::PUT, "/v1/agreements/{id}", Access::Roles(may::Administer::ROLES)),
    (Method::GET, "/v1/agreements/{id}", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/agreements/{id}/again", Access::Roles(may::Administer::ROLES)),
    (Method::GET, "/v1/hand-overs", Access::Roles(may::HoldLetters::ROLES)),
    (Method::POST, "/v1/issuers/{issuer}/controls", Access::Issuer),
    (Method::POST, "/v1/rule-packs", Access::Roles(may::Administer::ROLES)),
    (Method::POST, "/v1/rule-packs/trial", Access::Roles(may::TryPacks::ROLES)),
    (Method::GET, "/v1/audit", Access::Roles(may::ReadAudit::ROLES)),
    (Method::GET, "/v1/audit/heads", Access::Public),
    (Method::POST, "/v1/audit/heads", Access::Roles(may::ReadAudit::ROLES)),
    (Method::GET, "/v1/audit/keys", Access::Public),
];

/// Whether a path is one of a route's. A part in braces may be anything, except that a place code has
/// the form of one, since its route stands at the root.
pub fn matches(route: &str, path: &str) -> bool {
    let same = |(route, part): (&str, &str)| match route {
        "{code}" => super::pages::looks_like_code(part),
        _ => route.starts_with('{') || route == part,
    };
    route.split('/').count() == path.split('/').count() && route.split('/').zip(path.split('/')).all(same)
}

/// Mounts the API.
pub fn api(config: &mut ServiceConfig) {
    config.service(health::livez).service(health::readyz).service(
        utoipa_actix_web::scope("/v1")
            .service(sessions::sign_in)
            .service(sessions::sign_out)
            .service(applicants::apply)
            .service(channels::issue_visitor_token)
            .service(scans::own_scan)
            .service(scan_batches::hand_in)
            .service(scans::verify_receipt)
            .service(visitor_cards::show_code)
            .service(visitor_cards::issue_card)
            .service(visitor_cards::end_cards)
            .service(visitors::own_stays)
            .service(visitors::own_looks)
            .configure(own_stays::routes)
            .configure(own_assignments::routes)
            .configure(appeals::routes)
            .configure(appeal_desk::routes)
            .service(appeal_rates::see_rates)
            .service(categories::list_categories)
            .service(venues::register_venue)
            .service(venues::list_venues)
            .service(register_export::export_csv)
            .service(register_export::export_geojson)
            .service(venues::see_venue)
            .service(venues::add_point)
            .service(venue_life::correct_venue)
            .service(venue_life::see_steps)
            .service(venue_life::review_venue)
            .service(duplicates::see_duplicates)
            .service(venue_staff::see_venue_staff)
            .service(venue_staff::remove_venue_staff)
            .service(venue_staff::invite)
            .service(venue_staff::end_invitation)
            .service(organisations::see_organisation)
            .service(venue_counts::see_counts)
            .service(inspections::record_visit)
            .service(inspections::check_poster)
            .service(inspections::odd_points)
            .service(alarms::list_alarms)
            .service(alarms::close_alarm)
            .service(posters::poster)
            .service(posters::symbol)
            .service(posters::posters_of_venue)
            .service(codes::rotate_code)
            .service(screens::add_screen)
            .service(screens::list_screens)
            .service(screens::end_screen)
            .configure(cases::routes)
            .service(runs::request_run)
            .service(runs::see_run)
            .configure(comparisons::routes)
            .service(contacts::see_contacts)
            .service(contacts::see_evidence)
            .configure(decisions)
            .configure(rule_packs::routes)
            .configure(why::routes)
            .configure(backward::routes)
            .configure(coverage::routes)
            .configure(reports::routes)
            .configure(administration)
            .configure(trial::routes)
            .service(audit::read_audit)
            .configure(audit::routes),
    );
}

/// From proposals to letters, and what other systems ask.
fn decisions(config: &mut ServiceConfig) {
    config
        .configure(reviews::routes)
        .configure(escalations::routes)
        .service(runs::propose_run)
        .configure(assignments::routes)
        .configure(facts::routes)
        .configure(releases::routes)
        .configure(letters::routes)
        .configure(feed::routes)
        .configure(reconciliation::routes)
        .configure(agreements::routes)
        .configure(hand_overs::routes);
}

/// What administrators and operators do.
fn administration(config: &mut ServiceConfig) {
    config
        .service(scan_log::see_scan_log)
        .service(scan_log::close_dead_entry)
        .service(accounts::add_staff)
        .service(accounts::list_staff)
        .service(accounts::close_account)
        .service(accounts::add_machine)
        .service(admin::add_device)
        .service(admin::put_channel)
        .configure(issuers::routes)
        .service(admin::load_pack);
}

/// The frame of the API document; its paths come from [`api`].
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "placecode", description = "Venue place codes and contact tracing", license(name = "Apache-2.0")),
    modifiers(&Schemes)
)]
pub struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |text: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build();
            SecurityScheme::Http(scheme)
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("staff", bearer("The token of a session of staff, or of a machine"));
        components
            .add_security_scheme("visitor", bearer("The token of a visitor whom a channel has vouched for"));
        let device = ApiKeyValue::with_description(
            scans::DEVICE_HEADER,
            "What a device signs over the body of its request",
        );
        let signature = ApiKeyValue::with_description(
            SIGNATURE_HEADER,
            "What an issuing system signs over `webhook-id`, `webhook-timestamp` and the body (Standard Webhooks)",
        );
        components.add_security_scheme("issuer", SecurityScheme::ApiKey(ApiKey::Header(signature)));
        components.add_security_scheme("device", SecurityScheme::ApiKey(ApiKey::Header(device)));
    }
}

/// The API document.
pub fn document() -> utoipa::openapi::OpenApi {
    use utoipa_actix_web::AppExt;
    let (_, document) =
        actix_web::App::new().into_utoipa_app().openapi(Document::openapi()).configure(api).split_for_parts();
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_its_route_only() {
        assert!(matches("/v1/runs/{id}", "/v1/runs/7"));
        assert!(!matches("/v1/runs/{id}", "/v1/runs/7/contacts"));
        assert!(!matches("/v1/runs/{id}", "/v1/cases/7"));
        assert!(matches("/{code}", "/2000E-PYD2M-3VZ8X-YCTFKC"));
        assert!(!matches("/{code}", "/robots.txt"));
    }
}
