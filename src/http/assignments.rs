//! The life of an assignment for those who answer for it, and what waits for a fact that is overdue.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Days, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Looked, Purpose, look_at};
use super::error::ApiError;
use super::permissions::SeeCases;
use super::web::{Web, next_page};
use super::write::transaction;
use crate::domain::assignment::{AssignmentState, EventKind};
use crate::domain::ending::FactKind;
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;
use crate::store::assignments::{self, AssignmentRow};
use crate::store::lives::{self, EventRow, OverduePage, OverdueRow};
use crate::store::{StoreError, access, cases, decisions};

/// How many cases one page of what is overdue holds.
const PAGE: i64 = 50;

/// Mounts what is seen of assignments.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(see_overdue).service(see_assignment);
}

/// Assignments of one case and class that wait for a fact which is overdue, or whose days were over without it. Counts
/// alone, of nobody.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Overdue {
    /// Of which case.
    pub case_id: Uuid,
    /// How they were exposed.
    pub class: Class,
    /// Which fact is awaited.
    pub awaits: FactKind,
    /// `true`: they ended by their days and the fact never came; `false`: they are open.
    pub expired: bool,
    /// How many.
    pub count: i64,
    /// How many of them for longer than a day.
    pub over_a_day: i64,
    /// For how many whole hours the longest.
    pub longest_hours: i32,
}

/// Which page of what is overdue.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OverdueList {
    /// The last case of the page before.
    pub before: Option<Uuid>,
}

/// What waits for a fact that is overdue in the caller's division, the newest cases first; `Link` names the next page.
#[utoipa::path(params(OverdueList), responses((status = 200, body = [Overdue]), (status = "default", body = super::error::Problem)), tag = "assignments", security(("staff" = [])))]
#[get("/assignments/overdue")]
pub(crate) async fn see_overdue(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    list: Query<OverdueList>,
) -> Result<HttpResponse, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let (rows, next) = overdue(&web, &mut conn, &staff.0.division, list.before).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = next {
        let query = [("before", Some(last.to_string()))];
        response.insert_header(next_page("/v1/assignments/overdue", &query));
    }
    Ok(response.json(rows))
}

/// A page of what is overdue in a division, and the case after which the next page begins.
pub async fn overdue(
    web: &Web,
    conn: &mut AsyncPgConnection,
    division: &Division,
    before: Option<Uuid>,
) -> Result<(Vec<Overdue>, Option<Uuid>), ApiError> {
    let now = web.now();
    let expired_since = now - Days::new(web.app.config.retention_days.into());
    let page = OverduePage { division, before, cases: PAGE, expired_since };
    let rows = lives::overdue(conn, &page, now).await?;
    let rows = rows.iter().map(show_overdue).collect::<Result<Vec<_>, _>>()?;
    let mut of: Vec<Uuid> = rows.iter().map(|row| row.case_id).collect();
    of.dedup();
    let full = of.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
    Ok((rows, of.last().copied().filter(|_| full)))
}

fn show_overdue(row: &OverdueRow) -> Result<Overdue, StoreError> {
    Ok(Overdue {
        case_id: row.case_id,
        class: read(row.class)?,
        awaits: read(row.awaits)?,
        expired: row.expired,
        count: row.count,
        over_a_day: row.over_a_day,
        longest_hours: row.longest_hours,
    })
}

/// The life of one assignment: what was decided, by whom, on what basis, and everything that happened since.
#[derive(Debug, Serialize, ToSchema)]
pub struct Assignment {
    /// Id.
    pub id: Uuid,
    /// The case that it rests on.
    pub case_id: Uuid,
    /// The run that proposed it.
    pub run_id: Uuid,
    /// How the visitor was exposed.
    pub class: Class,
    /// Which rule of the class was met, where the pack has several.
    pub rule: Option<String>,
    /// By which pack and version.
    pub rule_pack: String,
    /// Whose decision.
    pub division: String,
    /// Who answers for it.
    pub authority: String,
    /// The colour that was decided.
    pub colour: Colour,
    /// The colour that is shown while it is open.
    pub colour_now: Colour,
    /// Where it stands.
    pub state: AssignmentState,
    /// When the last exposure ended.
    pub last_exposure_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When the fact that is awaited is overdue.
    pub review_at: Option<DateTime<Utc>>,
    /// Which fact is awaited.
    pub awaits: Option<FactKind>,
    /// The officers' words that let it go.
    pub releases: Vec<OfficersWord>,
    /// What happened, the first first.
    pub events: Vec<Event>,
}

/// One officer's word.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfficersWord {
    /// Whose.
    pub officer: String,
    /// On what legal basis.
    pub legal_basis: String,
    /// Whether a chief officer gave it.
    pub chief: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// One event, and how the assignment stood after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    /// Counts them from 1.
    pub seq: i32,
    /// What happened.
    pub kind: EventKind,
    /// Where it stood then.
    pub state: AssignmentState,
    /// The colour then.
    pub colour: Colour,
    /// The last exposure then.
    pub last_exposure_at: DateTime<Utc>,
    /// When it would end by itself then.
    pub expires_at: DateTime<Utc>,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The run that gave the ground of an extension.
    pub run_id: Option<Uuid>,
    /// The fact that decided, by the number that its system gave it.
    pub fact_id: Option<Uuid>,
}

/// The life of an assignment. The look is written down, with its purpose.
#[utoipa::path(params(Purpose), responses((status = 200, body = Assignment), (status = "default", body = super::error::Problem)), tag = "assignments", security(("staff" = [])))]
#[get("/assignments/{id}")]
pub(crate) async fn see_assignment(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    id: Path<Uuid>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let mut conn = web.app.store.conn().await?;
    let found = assignments::by_ids(&mut conn, &[*id]).await?;
    drop(conn);
    let row = found.first().ok_or(ApiError::NotFound("assignment"))?;
    actor.within(&web, &access::division(&row.division)?, &format!("assignment {id}")).await?;
    let mut conn = web.app.store.conn().await?;
    let life = transaction(&mut conn, async |conn| life(&web, conn, &actor, row, &purpose.purpose).await);
    Ok(HttpResponse::Ok().json(life.await?))
}

async fn life(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    row: &AssignmentRow,
    purpose: &str,
) -> Result<Assignment, ApiError> {
    let looked = Looked {
        case: row.case_id,
        run: Some(row.run_id),
        visitor: Some(Visitor::from_uuid(row.visitor)),
        kind: LookKind::Assignment,
    };
    look_at::<SeeCases>(web, conn, actor, looked, purpose).await?;
    let case = cases::find(conn, row.case_id).await?.ok_or(ApiError::NotFound("case"))?;
    let words = decisions::releases(conn, row.run_id).await?;
    let officers: Vec<Uuid> = words.iter().map(|word| word.officer_id).collect();
    let staff = access::staff_by_ids(conn, &officers).await?;
    let name = |id: Uuid| staff.iter().find(|one| one.id == id).map(|one| one.display_name.clone());
    let releases = words.into_iter().map(|word| OfficersWord {
        officer: name(word.officer_id).unwrap_or_default(),
        legal_basis: word.legal_basis,
        chief: word.chief,
        at: word.at,
    });
    let events = lives::events(conn, row.id).await?;
    Ok(Assignment {
        id: row.id,
        case_id: row.case_id,
        run_id: row.run_id,
        class: read(row.class)?,
        rule: row.rule.clone(),
        rule_pack: format!("{}@{}", row.pack_id, row.pack_version),
        division: row.division.clone(),
        authority: case.authority,
        colour: read(row.colour)?,
        colour_now: read(row.colour_now)?,
        state: read(row.state)?,
        last_exposure_at: row.last_exposure_at,
        expires_at: row.expires_at,
        review_at: row.review_at,
        awaits: row.awaits.map(read).transpose()?,
        releases: releases.collect(),
        events: events.into_iter().map(show_event).collect::<Result<_, _>>()?,
    })
}

fn show_event(row: EventRow) -> Result<Event, StoreError> {
    Ok(Event {
        seq: row.seq,
        kind: read(row.kind)?,
        state: read(row.state)?,
        colour: read(row.colour)?,
        last_exposure_at: row.last_exposure_at,
        expires_at: row.expires_at,
        at: row.at,
        actor: row.actor,
        reason: row.reason,
        run_id: row.run_id,
        fact_id: row.fact_id,
    })
}

fn read<T: Numbered>(number: i16) -> Result<T, StoreError> {
    T::from_number(number).ok_or(StoreError::Corrupt("assignments"))
}
