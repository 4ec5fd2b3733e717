//! Why a visitor has a colour: the own assignments in plain words, with rule, source and place, and without the case.
//!
//! What is left out is left out on purpose: case, run, minutes, counts and the free words of staff all point to somebody.

use std::collections::{BTreeMap, HashSet};

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::appeals::{OwnAppeal, shown_appeals};
use super::auth::Vouched;
use super::error::ApiError;
use super::own_words::{Because, Words, because, class_words, end_words};
use super::web::{Web, next_page};
use super::why::{NamedNumber, asked_en, asked_zh, named_numbers};
use crate::domain::appeal::{Earlier, NoAppeal, instance};
use crate::domain::assignment::{AssignmentState, EventKind};
use crate::domain::numbered::Numbered;
use crate::domain::own_place::{Told, quarter, told, told_time};
use crate::domain::rule_pack::{Class, Colour, RulePack};
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay_pack::Window;
use crate::domain::visitor::Visitor;
use crate::store::own::{self, EventRow, MeetingRow, OwnRow};
use crate::store::stay_packs::{AtPoint, at_points};
use crate::store::{StoreError, runs, stays};

/// How many assignments one page holds.
pub const PAGE: i64 = 20;

/// How many meetings of one assignment are told.
const MEETINGS_MAX: i64 = 20;

/// Mounts these routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(own_assignments).service(own_assignment);
}

/// An assignment of the visitor, in plain words.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnAssignment {
    /// Its id, which letters name and appeals are against.
    pub id: Uuid,
    /// Where it stands.
    pub state: AssignmentState,
    /// The colour that it shows, while it is open.
    pub colour: Colour,
    /// How the visitor was exposed.
    pub class: Class,
    /// The same in a sentence.
    pub class_words: Words,
    /// Where and when, as exactly as it can be told.
    pub places: Vec<OwnPlace>,
    /// The rules by which it was decided, such as `baseline@1`.
    pub rule_pack: String,
    /// The name of these rules.
    pub rule_pack_words: Words,
    /// Which of the rules of that class, where there are several.
    pub rule: Option<String>,
    /// What the rule asks for.
    pub asks_words: Words,
    /// The numbers of the rule, each with its source.
    pub numbers: Vec<NamedNumber>,
    /// Who answers for the decision.
    pub authority: String,
    /// The jurisdiction that decided, by GB/T 2260.
    pub division: String,
    /// On what legal basis.
    pub legal_basis: String,
    /// When it was let go.
    pub released_at: DateTime<Utc>,
    /// What ends it earlier.
    pub end_words: Words,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When somebody is to look at it again.
    pub review_at: Option<DateTime<Utc>>,
    /// What happened to it, the first first.
    pub events: Vec<OwnEvent>,
    /// The visitor's appeals against it.
    pub appeals: Vec<OwnAppeal>,
    /// Where to appeal.
    pub appeal_url: String,
    /// Why it cannot be appealed against now; absent when it can.
    pub no_appeal: Option<&'static str>,
}

/// Where and when the visitor was exposed.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnPlace {
    /// Venue and point, or the venue alone where only few people were at the point.
    pub place: String,
    /// How exactly it is told.
    pub told: Told,
    /// Begin of the slot.
    pub from: DateTime<Utc>,
    /// End of the slot.
    pub until: DateTime<Utc>,
}

/// Something that happened to an assignment.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnEvent {
    /// What.
    pub kind: EventKind,
    /// When.
    pub at: DateTime<Utc>,
    /// The colour since then.
    pub colour: Colour,
    /// When it ends by itself since then.
    pub expires_at: DateTime<Utc>,
    /// Why, where it was taken back.
    pub because: Option<Because>,
    /// Why, where a fact ended or weakened it, as the service wrote it down.
    pub note: Option<String>,
}

/// Which page of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OwnList {
    /// The id of the last assignment of the page before.
    pub before: Option<Uuid>,
}

/// A page of the visitor's assignments that were let go, open and ended, the newest first; `Link` names the next page.
#[utoipa::path(params(OwnList), responses((status = 200, body = [OwnAssignment]), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/assignments")]
pub(crate) async fn own_assignments(
    web: Data<Web>,
    visitor: Vouched,
    list: Query<OwnList>,
) -> Result<HttpResponse, ApiError> {
    let page = page(&web, &visitor, list.before).await?;
    let mut response = HttpResponse::Ok();
    if let Some(last) = page.last().filter(|_| page.len() == usize::try_from(PAGE).unwrap_or(0)) {
        response.insert_header(next_page("/v1/me/assignments", &[("before", Some(last.id.to_string()))]));
    }
    Ok(response.json(page))
}

/// One of the visitor's assignments.
#[utoipa::path(responses((status = 200, body = OwnAssignment), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/assignments/{id}")]
pub(crate) async fn own_assignment(
    web: Data<Web>,
    visitor: Vouched,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(one(&web, &visitor, *id).await?))
}

/// A page of own assignments, for the API and the page.
pub async fn page(
    web: &Web,
    visitor: &Vouched,
    before: Option<Uuid>,
) -> Result<Vec<OwnAssignment>, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let rows = own::assignments(&mut conn, visitor.token.visitor, before, PAGE).await?;
    shown(web, &mut conn, visitor.token.visitor, rows).await
}

/// One own assignment, for the API and the page.
pub async fn one(web: &Web, visitor: &Vouched, id: Uuid) -> Result<OwnAssignment, ApiError> {
    let mut conn = web.app.store.conn().await?;
    let row = own::assignment(&mut conn, visitor.token.visitor, id).await?;
    let row = row.ok_or(ApiError::NotFound("assignment"))?;
    shown(web, &mut conn, visitor.token.visitor, vec![row])
        .await?
        .pop()
        .ok_or(ApiError::NotFound("assignment"))
}

/// When an assignment ended, by its events.
pub(super) fn ended_at(events: &[EventRow], id: Uuid) -> Option<DateTime<Utc>> {
    let ends = [EventKind::Ended, EventKind::Withdrawn, EventKind::Expired].map(Numbered::number);
    events.iter().find(|event| event.assignment_id == id && ends.contains(&event.kind)).map(|event| event.at)
}

/// Which instance an appeal against an own assignment would be, or why there is none.
pub(super) fn next_instance(
    row: &OwnRow,
    events: &[EventRow],
    earlier: &[Earlier],
    now: DateTime<Utc>,
) -> Result<Result<i16, NoAppeal>, ApiError> {
    let state = known(AssignmentState::from_number(row.state))?;
    Ok(instance(state, ended_at(events, row.id), earlier, now))
}

async fn shown(
    web: &Web,
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    rows: Vec<OwnRow>,
) -> Result<Vec<OwnAssignment>, ApiError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let meetings = own::meetings(conn, &ids, MEETINGS_MAX).await?;
    let mut places = places(web, conn, visitor, &meetings).await?;
    let events = own::events(conn, &ids).await?;
    let mut appeals = shown_appeals(web, conn, &ids).await?;
    let mut packs: BTreeMap<(String, i32), RulePack> = BTreeMap::new();
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let key = (row.pack_id.clone(), row.pack_version);
        if !packs.contains_key(&key) {
            let body = runs::pack_body(conn, &key.0, key.1).await?.ok_or(ApiError::NotFound("rule pack"))?;
            let pack = RulePack::parse(&body).map_err(|error| ApiError::Internal(error.into()))?;
            packs.insert(key.clone(), pack);
        }
        let pack = known(packs.get(&key))?;
        let (places, appeals) = (places.remove(&row.id), appeals.remove(&row.id));
        let known = Known {
            pack,
            events: &events,
            places: places.unwrap_or_default(),
            appeals: appeals.unwrap_or_default(),
        };
        all.push(show(web, row, known)?);
    }
    Ok(all)
}

/// What is known of an assignment beside its row.
struct Known<'a> {
    pack: &'a RulePack,
    events: &'a [EventRow],
    places: Vec<OwnPlace>,
    appeals: Vec<OwnAppeal>,
}

fn show(web: &Web, row: OwnRow, beside: Known<'_>) -> Result<OwnAssignment, ApiError> {
    let class = known(Class::from_number(row.class))?;
    let met = beside.pack.classes.iter().find(|rule| rule.class == class && rule.rule == row.rule);
    let rule = known(met)?;
    let earlier: Vec<Earlier> = beside.appeals.iter().map(OwnAppeal::as_earlier).collect();
    let no_appeal = next_instance(&row, beside.events, &earlier, web.now())?.err().map(NoAppeal::sentence);
    let own = beside.events.iter().filter(|event| event.assignment_id == row.id);
    let appeal_url = web.app.config.public_url.join(&format!("me/appeals/{}", row.id));
    Ok(OwnAssignment {
        id: row.id,
        state: known(AssignmentState::from_number(row.state))?,
        colour: known(Colour::from_number(row.colour_now))?,
        class,
        class_words: class_words(class),
        places: beside.places,
        rule_pack: beside.pack.name(),
        rule_pack_words: Words { en: beside.pack.title_en.clone(), zh: beside.pack.title_zh.clone() },
        rule: row.rule,
        asks_words: Words { en: asked_en(rule), zh: asked_zh(rule) },
        numbers: named_numbers(beside.pack, rule),
        authority: row.authority,
        division: row.division,
        legal_basis: row.legal_basis.unwrap_or_default(),
        released_at: row.released_at,
        end_words: end_words(rule.end.as_ref()),
        expires_at: row.expires_at,
        review_at: row.review_at,
        events: own.map(show_event).collect::<Result<_, _>>()?,
        appeals: beside.appeals,
        appeal_url: appeal_url.map(String::from).unwrap_or_default(),
        no_appeal,
    })
}

fn show_event(event: &EventRow) -> Result<OwnEvent, ApiError> {
    let kind = known(EventKind::from_number(event.kind))?;
    let by_fact = matches!(kind, EventKind::Ended | EventKind::Downgraded);
    let reason = event.reason.clone();
    Ok(OwnEvent {
        kind,
        at: event.at,
        colour: known(Colour::from_number(event.colour))?,
        expires_at: event.expires_at,
        because: (kind == EventKind::Withdrawn).then(|| because(reason.as_deref().unwrap_or_default())),
        note: reason.filter(|_| by_fact),
    })
}

/// Where and when, by assignment; how exactly follows from how many others were there.
async fn places(
    web: &Web,
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    meetings: &[MeetingRow],
) -> Result<BTreeMap<Uuid, Vec<OwnPlace>>, ApiError> {
    let corrupt = || StoreError::Corrupt("exposures");
    let spans: Vec<Span> = meetings
        .iter()
        .map(|meeting| Span::new(meeting.from_at, meeting.until_at).map_err(|_empty| corrupt()))
        .collect::<Result<_, _>>()?;
    let search = |(meeting, span): (&MeetingRow, &Span)| {
        let slot = quarter(span);
        let window = Window { earliest: stays::earliest(&slot), from: slot.from(), until: slot.until() };
        AtPoint { point: meeting.point_id, window }
    };
    let searches: Vec<AtPoint> = meetings.iter().zip(&spans).map(search).collect();
    let mut others: Vec<HashSet<Visitor>> = vec![HashSet::new(); searches.len()];
    at_points(conn, &searches, |found| {
        let counts = found.stay.visitor != visitor && found.stay.presence != Presence::Contradicted;
        if let Some(there) = others.get_mut(found.search).filter(|_| counts) {
            there.insert(found.stay.visitor);
        }
    })
    .await?;
    let mut places: BTreeMap<Uuid, Vec<OwnPlace>> = BTreeMap::new();
    for ((meeting, span), there) in meetings.iter().zip(&spans).zip(&others) {
        let told = told(there.len());
        let (from, until) = told_time(span, told, web.app.config.local_offset);
        let place = match told {
            Told::Quarter => format!("{} · {}", meeting.venue_name, meeting.point_name),
            Told::PartOfDay => meeting.venue_name.clone(),
        };
        let all = places.entry(meeting.assignment_id).or_default();
        // Two meetings of one part of the day are told as one: their number would tell something.
        if !all.iter().any(|one: &OwnPlace| one.place == place && (one.from, one.until) == (from, until)) {
            all.push(OwnPlace { place, told, from, until });
        }
    }
    Ok(places)
}

fn known<T>(value: Option<T>) -> Result<T, ApiError> {
    value
        .ok_or_else(|| ApiError::Internal(anyhow::anyhow!("an assignment holds what its pack does not know")))
}
