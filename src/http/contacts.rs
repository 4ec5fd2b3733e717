//! The contacts of a run: who was exposed, and by what evidence.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Purpose, look};
use super::error::ApiError;
use super::permissions::{Investigate, SeeCases};
use super::runs::permitted;
use super::web::{Web, next_page};
use super::write::transaction;
use crate::domain::access::Permission;
use crate::domain::exposure::Relation;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::scan::Presence;
use crate::domain::visitor::Visitor;
use crate::store::findings::{self, ContactRow, EvidenceRow};
use crate::store::runs::RunRow;

/// How many contacts one page of a list holds.
pub const PAGE: i64 = 200;

/// Which contacts are asked for, and what for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ContactList {
    /// 3 to 500 characters; written down, and shown to the visitors whom it concerns.
    pub purpose: String,
    /// How many contacts to pass over.
    #[serde(default)]
    pub offset: i64,
}

/// What a run computed of a contact.
#[derive(Debug, Serialize, ToSchema)]
pub struct Computed {
    /// The strongest class that is met.
    pub class: Class,
    /// Which of the rules of that class.
    pub rule: Option<String>,
    /// The colour that the pack gives it.
    pub colour: Colour,
}

/// A contact, with the evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contact {
    /// The pseudonym: 32 hexadecimal digits.
    pub visitor: String,
    /// The class: the strongest that is met, unless a review has moved the contact.
    pub class: Class,
    /// Which of the rules of that class, where the pack has several.
    pub rule: Option<String>,
    /// 0: met the case; 1: met a contact of the case, and so on.
    pub depth: i16,
    /// The proposed colour.
    pub colour: Colour,
    /// What the run computed, which no review changes.
    pub computed: Computed,
    /// Seconds together with the case.
    pub together_secs: i64,
    /// How many meetings.
    pub meetings: i32,
    /// When the first began.
    pub first_at: DateTime<Utc>,
    /// When the last ended.
    pub last_at: DateTime<Utc>,
    /// Why the contact is left out.
    pub exclusion_reason: Option<String>,
}

/// A page of a run's contacts in the order of triage. The look is written down.
#[utoipa::path(params(ContactList), responses((status = 200, body = [Contact]), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/contacts")]
pub(crate) async fn see_contacts(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    id: Path<Uuid>,
    list: Query<ContactList>,
) -> Result<HttpResponse, ApiError> {
    let found = contacts(&web, &staff.0, *id, &list.purpose, list.offset).await?;
    let mut response = HttpResponse::Ok();
    if found.len() == usize::try_from(PAGE).unwrap_or(0) {
        let offset = (list.offset + PAGE).to_string();
        let query = [("offset", Some(offset)), ("purpose", Some(list.purpose.clone()))];
        response.insert_header(next_page(&format!("/v1/runs/{id}/contacts"), &query));
    }
    Ok(response.json(found))
}

/// Why somebody is a contact.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// The case's stay; none where a contact of the case was met.
    pub trail_stay: Option<Uuid>,
    /// Name of the venue.
    pub venue: String,
    /// Name of the point.
    pub point: String,
    /// How near.
    pub relation: Relation,
    /// Since when both were there.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// What proves the contact's presence.
    pub presence: Presence,
    /// Whether it met the rule of the class.
    pub counted: bool,
}

/// Every exposure of one contact. The look is written down.
#[utoipa::path(params(Purpose), responses((status = 200, body = [Evidence]), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/contacts/{visitor}/evidence")]
pub(crate) async fn see_evidence(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    path: Path<(Uuid, String)>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    let (id, visitor) = path.into_inner();
    Ok(HttpResponse::Ok().json(evidence(&web, &staff.0, id, &visitor, &purpose.purpose).await?))
}

/// A page of a run's contacts, after the look was written down.
pub async fn contacts(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    purpose: &str,
    offset: i64,
) -> Result<Vec<Contact>, ApiError> {
    if !(0..=10_000_000).contains(&offset) {
        return Err(ApiError::invalid("offset", "must lie between 0 and 10,000,000"));
    }
    let run = permitted(web, actor, id).await?;
    may_see_persons(actor, &run)?;
    let mut conn = web.app.store.conn().await?;
    let rows = transaction(&mut conn, async |conn| {
        look::<SeeCases>(web, conn, actor, run.case_id, Some(run.id), purpose).await?;
        Ok(findings::contact_page(conn, run.id, offset, PAGE).await?)
    })
    .await?;
    rows.iter().map(show_contact).collect()
}

/// Every exposure of one contact, after the look was written down.
pub async fn evidence(
    web: &Web,
    actor: &Actor,
    id: Uuid,
    visitor: &str,
    purpose: &str,
) -> Result<Vec<Evidence>, ApiError> {
    let visitor = visitor_of(visitor)?;
    let run = permitted(web, actor, id).await?;
    may_see_persons(actor, &run)?;
    let mut conn = web.app.store.conn().await?;
    let rows = transaction(&mut conn, async |conn| {
        let kind = crate::domain::looking::LookKind::Evidence;
        let looked =
            super::cases::Looked { case: run.case_id, run: Some(run.id), visitor: Some(visitor), kind };
        super::cases::look_at::<SeeCases>(web, conn, actor, looked, purpose).await?;
        Ok(findings::evidence(conn, run.id, visitor.to_uuid()).await?)
    })
    .await?;
    if rows.is_empty() {
        return Err(ApiError::NotFound("contact"));
    }
    rows.iter().map(show_evidence).collect()
}

/// The persons of a dry run are nobody's business but the investigator's: nothing will be released of it.
pub(super) fn may_see_persons(actor: &Actor, run: &RunRow) -> Result<(), ApiError> {
    if run.dry && !Investigate::ROLES.iter().any(|role| actor.is(*role)) {
        return Err(ApiError::Forbidden("only an investigator sees the persons of a dry run"));
    }
    Ok(())
}

pub(super) fn show_contact(row: &ContactRow) -> Result<Contact, ApiError> {
    Ok(Contact {
        visitor: Visitor::from_uuid(row.visitor).to_hex(),
        class: Class::from_number(row.class).ok_or_else(broken)?,
        rule: row.rule.clone(),
        depth: row.depth,
        colour: Colour::from_number(row.colour).ok_or_else(broken)?,
        computed: Computed {
            class: Class::from_number(row.computed_class).ok_or_else(broken)?,
            rule: row.computed_rule.clone(),
            colour: Colour::from_number(row.computed_colour).ok_or_else(broken)?,
        },
        together_secs: row.together_secs,
        meetings: row.meetings,
        first_at: row.first_at,
        last_at: row.last_at,
        exclusion_reason: row.exclusion_reason.clone(),
    })
}

pub(super) fn show_evidence(row: &EvidenceRow) -> Result<Evidence, ApiError> {
    Ok(Evidence {
        trail_stay: row.trail_stay_id,
        venue: row.venue_name.clone(),
        point: row.point_name.clone(),
        relation: Relation::from_number(row.relation).ok_or_else(broken)?,
        from: row.from_at,
        until: row.until_at,
        presence: Presence::from_number(row.presence).ok_or_else(broken)?,
        counted: row.counted,
    })
}

pub(super) fn broken() -> ApiError {
    ApiError::Internal(anyhow::anyhow!("a row of a run's result holds a value that cannot be"))
}

pub(super) fn visitor_of(hex: &str) -> Result<Visitor, ApiError> {
    Visitor::from_hex(hex)
        .ok_or_else(|| ApiError::invalid("visitor", "must be 32 hexadecimal digits in lower case"))
}
