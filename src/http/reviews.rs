//! Reviews of a computed run: an investigator leaves a contact out, takes it back, or moves it to another class.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Purpose, look};
use super::contacts::{broken, may_see_persons, visitor_of};
use super::error::ApiError;
use super::permissions::{Investigate, SeeCases};
use super::runs::{Run, note, permitted, show};
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::numbered::Numbered;
use crate::domain::review::{Grade, ReviewKind, moved, named};
use crate::domain::rule_pack::{Colour, RulePack};
use crate::store::access;
use crate::store::reviews::{self, ReviewRow, Said};
use crate::store::runs::{self, RunRow, RunState};

/// Mounts what is said of contacts.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(exclude_contact).service(include_contact).service(review_contact).service(see_reviews);
}

/// Leaves a contact out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The contact: 32 hexadecimal digits.
    pub visitor: String,
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// Takes a contact back that was left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The contact: 32 hexadecimal digits.
    pub visitor: String,
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// Moves a contact to another class of the run's rule pack, which names the colour.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    /// The contact: 32 hexadecimal digits.
    pub visitor: String,
    /// What becomes of the contact, as the pack names it: `exposed_place`, or `same_vehicle/sealed-coach` where the pack
    /// has several rules for it. What the contact is already keeps it so, with a reason of its own.
    pub to: String,
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// What was said of a contact.
#[derive(Debug, Serialize, ToSchema)]
pub struct Review {
    /// Counts the reviews of one contact.
    pub seq: i16,
    /// What was said.
    pub kind: ReviewKind,
    /// What the contact was, as the pack names it.
    pub from: String,
    /// The colour before.
    pub from_colour: Colour,
    /// What it became.
    pub to: String,
    /// The colour after, which a contact who is left out does not get.
    pub to_colour: Colour,
    /// Why.
    pub reason: String,
    /// Who said it.
    pub author: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Leaves a contact out of a computed run, with reason and author.
#[utoipa::path(request_body = Exclusion, responses((status = 200, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/exclusions")]
pub(crate) async fn exclude_contact(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<Exclusion>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let run = permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Exclusion| {
        exclude(&web, conn, &actor, &run, &form).await?;
        Ok(Reply::ok(show(&run)?))
    };
    write.once(&web, &actor.name, work).await
}

/// Takes a contact back that was left out of a computed run.
#[utoipa::path(request_body = Inclusion, responses((status = 200, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/inclusions")]
pub(crate) async fn include_contact(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<Inclusion>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let run = permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Inclusion| {
        include(&web, conn, &actor, &run, &form).await?;
        Ok(Reply::ok(show(&run)?))
    };
    write.once(&web, &actor.name, work).await
}

/// Moves a contact of a computed run to another class of its rule pack, or says why it stays what it is.
#[utoipa::path(request_body = NewReview, responses((status = 200, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/reviews")]
pub(crate) async fn review_contact(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<NewReview>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    let run = permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: NewReview| {
        review(&web, conn, &actor, &run, &form).await?;
        Ok(Reply::ok(show(&run)?))
    };
    write.once(&web, &actor.name, work).await
}

/// What was said of one contact, the first first. The look is written down.
#[utoipa::path(params(Purpose), responses((status = 200, body = [Review]), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/contacts/{visitor}/reviews")]
pub(crate) async fn see_reviews(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    path: Path<(Uuid, String)>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    let (id, visitor) = path.into_inner();
    let (actor, visitor) = (staff.0, visitor_of(&visitor)?);
    let run = permitted(&web, &actor, id).await?;
    may_see_persons(&actor, &run)?;
    let mut conn = web.app.store.conn().await?;
    let (rows, people) = transaction(&mut conn, async |conn| {
        look::<SeeCases>(&web, conn, &actor, run.case_id, Some(run.id), &purpose.purpose).await?;
        reviews::standing_of(conn, id, visitor.to_uuid()).await?.ok_or(ApiError::NotFound("contact"))?;
        let rows = reviews::of_contact(conn, id, visitor.to_uuid()).await?;
        let authors: Vec<Uuid> = rows.iter().map(|row| row.author).collect();
        Ok((rows, access::staff_by_ids(conn, &authors).await?))
    })
    .await?;
    let name = |id| people.iter().find(|row| row.id == id).map_or("", |row| row.display_name.as_str());
    let shown: Vec<Review> =
        rows.iter().map(|row| show_review(row, name(row.author))).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(shown))
}

fn show_review(row: &ReviewRow, author: &str) -> Result<Review, ApiError> {
    let from = reviews::grade(row.from_class, row.from_rule.clone(), row.from_colour)?;
    let to = reviews::grade(row.to_class, row.to_rule.clone(), row.to_colour)?;
    Ok(Review {
        seq: row.seq,
        kind: ReviewKind::from_number(row.kind).ok_or_else(broken)?,
        from: from.name(),
        from_colour: from.colour,
        to: to.name(),
        to_colour: to.colour,
        reason: row.reason.clone(),
        author: author.to_owned(),
        at: row.at,
    })
}

/// The run, held so that nobody proposes it meanwhile; refused when it is too late for reviews.
pub(super) async fn hold_for_review(conn: &mut AsyncPgConnection, id: Uuid) -> Result<RunRow, ApiError> {
    let run = runs::hold(conn, id).await?.ok_or(ApiError::NotFound("run"))?;
    if run.dry || run.state()? != RunState::Computed {
        return Err(ApiError::Conflict("contacts can be reviewed only before the run is proposed"));
    }
    Ok(run)
}

/// The rule pack of a run.
pub(super) async fn pack_of(conn: &mut AsyncPgConnection, run: &RunRow) -> Result<RulePack, ApiError> {
    let body = runs::pack_body(conn, &run.pack_id, run.pack_version).await?;
    RulePack::parse(&body.unwrap_or_default()).map_err(|error| ApiError::Internal(error.into()))
}

/// Leaves a contact out of a computed run.
pub async fn exclude(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    run: &RunRow,
    form: &Exclusion,
) -> Result<(), ApiError> {
    let decide = |_: &RulePack, _: &Grade, is_left_out: bool| {
        if is_left_out {
            return Err(ApiError::Conflict("the contact is left out already"));
        }
        Ok((ReviewKind::LeftOut, None))
    };
    write_down(web, conn, actor, (run, &form.visitor, &form.reason), decide).await
}

/// Takes a contact back that was left out of a computed run.
pub async fn include(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    run: &RunRow,
    form: &Inclusion,
) -> Result<(), ApiError> {
    let decide = |_: &RulePack, _: &Grade, is_left_out: bool| {
        if !is_left_out {
            return Err(ApiError::Conflict("the contact is not left out"));
        }
        Ok((ReviewKind::TakenBack, None))
    };
    write_down(web, conn, actor, (run, &form.visitor, &form.reason), decide).await
}

/// Moves a contact of a computed run to another class of its pack.
pub async fn review(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    run: &RunRow,
    form: &NewReview,
) -> Result<(), ApiError> {
    let decide = |pack: &RulePack, now: &Grade, is_left_out: bool| {
        if is_left_out {
            return Err(ApiError::Conflict("the contact is left out; take it back first"));
        }
        let to = named(pack, &form.to).map_err(|error| ApiError::invalid("to", error))?;
        Ok((moved(pack, now, &to), Some(to)))
    };
    write_down(web, conn, actor, (run, &form.visitor, &form.reason), decide).await
}

/// Keeps a review that `decide` finds right for what the contact is, and writes it down without the contact.
async fn write_down(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (run, visitor, reason): (&RunRow, &str, &str),
    decide: impl FnOnce(&RulePack, &Grade, bool) -> Result<(ReviewKind, Option<Grade>), ApiError>,
) -> Result<(), ApiError> {
    let visitor = visitor_of(visitor)?.to_uuid();
    let reason = text("reason", reason, 3, 500)?;
    let run = hold_for_review(conn, run.id).await?;
    let pack = pack_of(conn, &run).await?;
    let found = reviews::standing_of(conn, run.id, visitor).await?;
    let (now, is_left_out) = found.ok_or(ApiError::NotFound("contact"))?;
    let (kind, to) = decide(&pack, &now, is_left_out)?;
    let said = Said {
        run_id: run.id,
        visitor,
        kind,
        to: to.as_ref(),
        reason: &reason,
        author: actor.person()?,
        at: web.now(),
    };
    reviews::say(conn, &said).await?;
    let action = match kind {
        ReviewKind::LeftOut => "contact.excluded",
        ReviewKind::TakenBack => "contact.included",
        ReviewKind::Promoted => "contact.promoted",
        ReviewKind::Demoted => "contact.demoted",
        ReviewKind::Kept | ReviewKind::Escalated => "contact.kept",
    };
    let detail = serde_json::json!({
        "reason": reason, "from": now.name(), "to": to.as_ref().map_or_else(|| now.name(), Grade::name)
    });
    note(web, conn, actor, action, run.id, detail).await
}
