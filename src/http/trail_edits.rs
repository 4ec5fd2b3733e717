//! An investigator's word on a stay of a trail: confirmed, edited, removed, put back; each act is kept.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post, put};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::permitted;
use super::error::ApiError;
use super::permissions::Investigate;
use super::point_forms::row_and_seat;
use super::trail_forms::{Ground, Source, span};
use super::trails::{TrailStay, open, show_stay};
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::numbered::Numbered;
use crate::store::audit;
use crate::store::trails::{self, NewTrailChange, TrailRow, Word};
use crate::store::undoings::{self, Asked};

/// What the letters say when a run falls with a stay. The investigator's reason tells of the case, and stays here.
const TRAIL_CORRECTED: &str = "the trail of the case was corrected";

/// What an investigator did to a stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Act {
    /// Added it.
    Added = 0,
    /// Said that it is so.
    Confirmed = 1,
    /// Changed its times, row or seat.
    Edited = 2,
    /// Took it out: the person was not there.
    Removed = 3,
    /// Took that back.
    PutBack = 4,
}

impl Numbered for Act {
    const ALL: &'static [Self] = &[Self::Added, Self::Confirmed, Self::Edited, Self::Removed, Self::PutBack];

    fn number(self) -> i16 {
        self as i16
    }
}

impl Act {
    /// What it is called in the audit log.
    fn action(self) -> &'static str {
        match self {
            Self::Added => "trail.added",
            Self::Confirmed => "trail.confirmed",
            Self::Edited => "trail.edited",
            Self::Removed => "trail.removed",
            Self::PutBack => "trail.put_back",
        }
    }
}

/// What a stay really was. What is left out stays as it is; with neither times nor seat the stay is confirmed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailEdit {
    /// Since when.
    pub from: Option<DateTime<Utc>>,
    /// Until when, 48 hours later at the most.
    pub until: Option<DateTime<Utc>>,
    /// The row in a vehicle.
    pub row: Option<i16>,
    /// The seat in that row.
    pub seat: Option<String>,
    /// What says so; not a scan.
    pub source: Source,
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// Why a stay is taken out, or put back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailGround {
    /// What says so; not a scan.
    pub source: Source,
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// Confirms or edits a stay of a trail. What takes away from it has every run undone whose evidence rests on it.
#[utoipa::path(request_body = TrailEdit, responses((status = 200, body = TrailStay), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[put("/cases/{id}/trail/{stay}")]
pub(crate) async fn edit_trail_stay(
    web: Data<Web>,
    staff: Staff<Investigate>,
    path: Path<(Uuid, Uuid)>,
    write: Write<TrailEdit>,
) -> Result<HttpResponse, ApiError> {
    let (actor, (id, stay)) = (staff.0, *path);
    permitted(&web, &actor, id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::ok(edit(&web, conn, &actor, (id, stay), form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Takes a stay out of a trail, and has every run undone whose evidence rests on it.
#[utoipa::path(request_body = TrailGround, responses((status = 200, body = TrailStay), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[post("/cases/{id}/trail/{stay}/removal")]
pub(crate) async fn remove_trail_stay(
    web: Data<Web>,
    staff: Staff<Investigate>,
    path: Path<(Uuid, Uuid)>,
    write: Write<TrailGround>,
) -> Result<HttpResponse, ApiError> {
    let (actor, (id, stay)) = (staff.0, *path);
    permitted(&web, &actor, id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::ok(remove(&web, conn, &actor, (id, stay), form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Puts a stay back that was taken out of a trail.
#[utoipa::path(request_body = TrailGround, responses((status = 200, body = TrailStay), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[post("/cases/{id}/trail/{stay}/return")]
pub(crate) async fn put_trail_stay_back(
    web: Data<Web>,
    staff: Staff<Investigate>,
    path: Path<(Uuid, Uuid)>,
    write: Write<TrailGround>,
) -> Result<HttpResponse, ApiError> {
    let (actor, (id, stay)) = (staff.0, *path);
    permitted(&web, &actor, id).await?;
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::ok(put_back(&web, conn, &actor, (id, stay), form).await?))
    };
    write.once(&web, &actor.name, work).await
}

/// Confirms or edits a stay: of which case, which.
pub async fn edit(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (case_id, id): (Uuid, Uuid),
    form: TrailEdit,
) -> Result<TrailStay, ApiError> {
    let now = web.now();
    let ground = Ground::read(form.source, &form.reason)?;
    let before = held(conn, case_id, id).await?;
    if before.removed_at.is_some() {
        return Err(ApiError::Conflict("the stay was removed; put it back first"));
    }
    let mut word = word(&before, now);
    let is_timed = form.from.is_some() || form.until.is_some();
    if is_timed {
        let (from, until) = (form.from.unwrap_or(before.from_at), form.until.unwrap_or(before.until_at));
        // A scanned stay that goes on ends at an assumed time, which may lie ahead.
        let latest = if form.until.is_none() { now.max(before.until_at) } else { now };
        let span = span(from, until, latest)?;
        (word.from_at, word.until_at) = (span.from(), span.until());
    }
    if form.row.is_some() || form.seat.is_some() {
        let row = form.row.or(before.row_no);
        (word.row_no, word.seat) = row_and_seat(row, form.seat.as_deref(), before.in_vehicle)?;
    }
    let same_seat = (word.row_no, &word.seat) == (before.row_no, &before.seat);
    let is_edit = !same_seat || (word.from_at, word.until_at) != (before.from_at, before.until_at);
    // What only grows takes nobody's evidence away.
    let grows = same_seat && word.from_at <= before.from_at && word.until_at >= before.until_at;
    if is_edit {
        word.edited_at = Some(now);
    }
    trails::set_word(conn, id, &word).await?;
    if !grows {
        undo(conn, actor, case_id, id, now).await?;
    }
    let after = trails::stay(conn, case_id, id).await?.ok_or(ApiError::NotFound("stay"))?;
    let act = if is_edit { Act::Edited } else { Act::Confirmed };
    keep(web, conn, actor, case_id, Some(&before), &after, act, &ground).await?;
    show_stay(&after)
}

/// Takes a stay out.
pub async fn remove(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (case_id, id): (Uuid, Uuid),
    form: TrailGround,
) -> Result<TrailStay, ApiError> {
    let now = web.now();
    let ground = Ground::read(form.source, &form.reason)?;
    let before = held(conn, case_id, id).await?;
    if before.removed_at.is_some() {
        return Err(ApiError::Conflict("the stay was removed already"));
    }
    let (removed_at, removed_by) = (Some(now), Some(actor.person()?));
    let word = Word { removed_at, removed_by, confirmed_at: before.confirmed_at, ..word(&before, now) };
    trails::set_word(conn, id, &word).await?;
    undo(conn, actor, case_id, id, now).await?;
    let after = trails::stay(conn, case_id, id).await?.ok_or(ApiError::NotFound("stay"))?;
    keep(web, conn, actor, case_id, Some(&before), &after, Act::Removed, &ground).await?;
    show_stay(&after)
}

/// Puts a stay back. That is a word too, so it stays there whatever becomes of its scan.
pub async fn put_back(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (case_id, id): (Uuid, Uuid),
    form: TrailGround,
) -> Result<TrailStay, ApiError> {
    let ground = Ground::read(form.source, &form.reason)?;
    let before = held(conn, case_id, id).await?;
    if before.removed_at.is_none() {
        return Err(ApiError::Conflict("the stay is there"));
    }
    trails::set_word(conn, id, &word(&before, web.now())).await?;
    let after = trails::stay(conn, case_id, id).await?.ok_or(ApiError::NotFound("stay"))?;
    keep(web, conn, actor, case_id, Some(&before), &after, Act::PutBack, &ground).await?;
    show_stay(&after)
}

/// A stay of a case that is open and held.
async fn held(conn: &mut AsyncPgConnection, case_id: Uuid, id: Uuid) -> Result<TrailRow, ApiError> {
    open(conn, case_id).await?;
    trails::stay(conn, case_id, id).await?.ok_or(ApiError::NotFound("stay of this trail"))
}

/// The word that a stay is as it says.
fn word(stay: &TrailRow, now: DateTime<Utc>) -> Word {
    Word {
        from_at: stay.from_at,
        until_at: stay.until_at,
        row_no: stay.row_no,
        seat: stay.seat.clone(),
        confirmed_at: Some(now),
        edited_at: stay.edited_at,
        removed_at: None,
        removed_by: None,
    }
}

async fn undo(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    case_id: Uuid,
    stay: Uuid,
    now: DateTime<Utc>,
) -> Result<(), ApiError> {
    let asked = Asked { by: actor.person()?, reason: TRAIL_CORRECTED, at: now };
    undoings::ask_for_stay(conn, case_id, stay, asked).await?;
    Ok(())
}

/// Keeps an act with what the stay said before and after, and writes it into the audit log.
#[expect(
    clippy::too_many_arguments,
    reason = "each says another thing of one act, and none belongs to another"
)]
pub async fn keep(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    case_id: Uuid,
    before: Option<&TrailRow>,
    after: &TrailRow,
    act: Act,
    ground: &Ground,
) -> Result<(), ApiError> {
    let now = web.now();
    let change = NewTrailChange {
        case_id,
        seq: trails::next_change(conn, case_id).await?,
        trail_stay_id: after.id,
        changed_at: now,
        changed_by: actor.person()?,
        act: act.number(),
        source: ground.source.number(),
        reason: ground.reason.clone(),
        was: before.map(version),
        became: version(after),
    };
    trails::insert_change(conn, &change).await?;
    let act = audit::Act {
        actor: &actor.name,
        action: act.action(),
        subject: format!("case {case_id}"),
        detail: json!({ "stay": after.id, "source": ground.source, "reason": ground.reason }),
    };
    Ok(audit::append(conn, act, now).await?)
}

/// What a stay says, as a version of it is kept.
fn version(stay: &TrailRow) -> serde_json::Value {
    json!({
        "from": stay.from_at,
        "until": stay.until_at,
        "row": stay.row_no,
        "seat": stay.seat,
        "removed": stay.removed_at.is_some(),
    })
}
