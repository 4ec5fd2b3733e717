//! Releases: officers' words, what a run still lacks, a chief's leave beyond the hour, and the record of it all.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::contacts::broken;
use super::error::ApiError;
use super::permissions::{LiftHour, Release, SeeRuns};
use super::runs::{Run, note, permitted, show};
use super::venue_forms::text;
use super::web::Web;
use super::write::{Reply, Write};
use crate::domain::access::Role;
use crate::domain::assignment::AssignmentState;
use crate::domain::numbered::Numbered;
use crate::domain::release::{ChiefBecause, Held};
use crate::domain::review::ReviewKind;
use crate::domain::rule_pack::Colour;
use crate::store::access::{self, StaffRow};
use crate::store::cases;
use crate::store::decisions::{self, ReleaseRow};
use crate::store::releasing::{self, LiftRow};
use crate::store::reviews;
use crate::store::runs::{self, RunRow, RunState};

/// Mounts what lets runs go.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(release_run).service(see_release).service(lift_hour);
}

/// An officer's word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// On what legal basis; 3 to 500 characters.
    pub legal_basis: String,
    /// How many people the run colours, as its release says. A run of many people takes it; given, it must be right.
    pub people: Option<i64>,
}

/// Leave for a run to go beyond what a division releases within an hour.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// Why; 3 to 500 characters.
    pub reason: String,
}

/// How many people of a run get the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseCount {
    /// The class as the pack names it.
    pub what: String,
    /// The colour.
    pub colour: Colour,
    /// How many.
    pub people: i64,
}

/// Who did something, and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct By {
    /// The member of staff.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A word that was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct GivenWord {
    /// Who gave it, and when.
    #[serde(flatten)]
    pub by: By,
    /// As what.
    pub role: Role,
    /// On what legal basis.
    pub legal_basis: String,
    /// How many people they confirmed.
    pub people: Option<i32>,
}

/// How many reviews of a kind somebody wrote.
#[derive(Debug, Serialize, ToSchema)]
pub struct WrittenReviews {
    /// Who.
    pub who: String,
    /// Of which kind.
    pub kind: ReviewKind,
    /// How many.
    pub count: i64,
}

/// A place that was escalated.
#[derive(Debug, Serialize, ToSchema)]
pub struct EscalatedPlace {
    /// Everybody at this venue,
    pub venue: Option<Uuid>,
    /// or at this point.
    pub point: Option<i64>,
    /// What became of them.
    pub to: String,
    /// Who has consented.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// Who escalated it, and when.
    pub by: By,
}

/// A chief's leave to go beyond the hour's bound.
#[derive(Debug, Serialize, ToSchema)]
pub struct GivenLift {
    /// Who gave it, and when.
    pub by: By,
    /// Why.
    pub reason: String,
}

/// The release of a run: who answers for it, on what basis, who had a hand in it, and what it lacks. No persons.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseRecord {
    /// Of which run.
    pub run: Uuid,
    /// Where the run stands.
    pub state: RunState,
    /// Whose decision.
    pub division: String,
    /// The health authority that answers for it.
    pub authority: String,
    /// On what legal bases, each once.
    pub legal_bases: Vec<String>,
    /// How many people it colours.
    pub people: i64,
    /// By class and colour.
    pub counts: serde_json::Value,
    /// Whether an officer must confirm the number of people.
    pub confirm_people: bool,
    /// Why it takes a chief.
    pub chief_because: Vec<ChiefBecause>,
    /// While it is proposed: what it lacks before it goes out.
    pub held_by: Vec<Held>,
    /// Who proposed it.
    pub proposed: Option<By>,
    /// Who reviewed how many contacts.
    pub reviews: Vec<WrittenReviews>,
    /// The places that were escalated.
    pub escalations: Vec<EscalatedPlace>,
    /// The words.
    pub words: Vec<GivenWord>,
    /// The leave to go beyond the hour's bound.
    pub lifted: Option<GivenLift>,
    /// When it went out.
    pub released_at: Option<DateTime<Utc>>,
    /// Once it is out: what it took.
    pub held: Option<serde_json::Value>,
}

/// Gives an officer's word for a proposed run. It goes out when nothing holds it any more.
#[utoipa::path(request_body = Word, responses((status = 202, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/release")]
pub(crate) async fn release_run(
    web: Data<Web>,
    staff: Staff<Release>,
    id: Path<Uuid>,
    write: Write<Word>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Word| {
        Ok(Reply::accepted(show(&release(&web, conn, &actor, *id, &form).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// The release of a run, before and after it goes out.
#[utoipa::path(responses((status = 200, body = ReleaseRecord), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/release")]
pub(crate) async fn see_release(
    web: Data<Web>,
    staff: Staff<SeeRuns>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let run = permitted(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    Ok(HttpResponse::Ok().json(record(&web, &mut conn, &run).await?))
}

/// Lets a proposed run go beyond what its division releases within an hour.
#[utoipa::path(request_body = Lift, responses((status = 202, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/lifts")]
pub(crate) async fn lift_hour(
    web: Data<Web>,
    staff: Staff<LiftHour>,
    id: Path<Uuid>,
    write: Write<Lift>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: Lift| {
        Ok(Reply::accepted(show(&lift(&web, conn, &actor, *id, &form).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// The run, held, when it is proposed and the caller had no hand in it.
async fn proposed(conn: &mut AsyncPgConnection, actor: &Actor, id: Uuid) -> Result<RunRow, ApiError> {
    let run = runs::hold(conn, id).await?.ok_or(ApiError::NotFound("run"))?;
    if run.state()? != RunState::Proposed {
        return Err(ApiError::Conflict("only a proposed run can be released"));
    }
    let person = actor.person()?;
    if run.proposed_by == Some(person) {
        return Err(ApiError::Forbidden("whoever proposed a run cannot release it"));
    }
    if releasing::barred(conn, &run).await?.contains(&person) {
        return Err(ApiError::Forbidden("whoever reviewed or escalated contacts of a run cannot release it"));
    }
    Ok(run)
}

/// Gives an officer's word.
pub async fn release(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: &Word,
) -> Result<RunRow, ApiError> {
    let run = proposed(conn, actor, id).await?;
    let case = cases::find(conn, run.case_id).await?.ok_or(ApiError::NotFound("case"))?;
    let proposal = releasing::proposal(conn, &run, &case.division, web.now()).await?;
    let confirmed = form.people == Some(proposal.people);
    if form.people.is_some() && !confirmed {
        return Err(ApiError::invalid(
            "people",
            format!("is not right: this run colours {}", proposal.people),
        ));
    }
    if proposal.needs_confirmation(&web.app.release_limits()) && !confirmed {
        let why = format!("this run colours {} people; confirm it by giving their number", proposal.people);
        return Err(ApiError::invalid("people", why));
    }
    let word = ReleaseRow {
        run_id: id,
        officer_id: actor.person()?,
        legal_basis: text("legal_basis", &form.legal_basis, 3, 500)?,
        chief: actor.is(Role::ChiefOfficer),
        at: web.now(),
        people: form.people.and_then(|people| i32::try_from(people).ok()),
    };
    if !decisions::insert_release(conn, &word).await? {
        return Err(ApiError::Conflict("you have given your word already; it takes another officer's"));
    }
    let detail = serde_json::json!({
        "legal_basis": word.legal_basis, "chief": word.chief, "people": word.people
    });
    note(web, conn, actor, "run.word_given", id, detail).await?;
    Ok(run)
}

/// Gives a chief's leave to go beyond the hour's bound.
pub async fn lift(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: Uuid,
    form: &Lift,
) -> Result<RunRow, ApiError> {
    let run = proposed(conn, actor, id).await?;
    let reason = text("reason", &form.reason, 3, 500)?;
    let row = LiftRow { run_id: id, author: actor.person()?, reason, at: web.now() };
    if !releasing::insert_lift(conn, &row).await? {
        return Err(ApiError::Conflict("the hour's bound is lifted for this run already"));
    }
    note(web, conn, actor, "run.hour_lifted", id, serde_json::json!({ "reason": row.reason })).await?;
    Ok(run)
}

/// The release of a run, before and after it goes out.
pub async fn record(
    web: &Web,
    conn: &mut AsyncPgConnection,
    run: &RunRow,
) -> Result<ReleaseRecord, ApiError> {
    let limits = web.app.release_limits();
    let case = cases::find(conn, run.case_id).await?.ok_or(ApiError::NotFound("case"))?;
    let proposal = releasing::proposal(conn, run, &case.division, web.now()).await?;
    let is_proposed = run.state()? == RunState::Proposed;
    let kept = releasing::record(conn, run.id).await?;
    let words = decisions::releases(conn, run.id).await?;
    let escalations = reviews::escalations(conn, run.id).await?;
    let written = reviews::written(conn, run.id).await?;
    let lifted = releasing::lift(conn, run.id).await?;
    let people = Names::of(conn, run, &words, &escalations, &written, lifted.as_ref()).await?;
    let mut legal_bases: Vec<String> = Vec::new();
    for word in &words {
        if !legal_bases.contains(&word.legal_basis) {
            legal_bases.push(word.legal_basis.clone());
        }
    }
    let counts = match &kept {
        Some(kept) => kept.counts.clone(),
        None => serde_json::json!(counted(conn, run.id).await?),
    };
    Ok(ReleaseRecord {
        run: run.id,
        state: run.state()?,
        division: case.division,
        authority: case.authority,
        legal_bases,
        people: kept.as_ref().map_or(proposal.people, |kept| kept.people.into()),
        counts,
        confirm_people: is_proposed && proposal.needs_confirmation(&limits),
        chief_because: if is_proposed { proposal.chief_because(&limits) } else { Vec::new() },
        held_by: if is_proposed { proposal.held_by(&limits) } else { Vec::new() },
        proposed: run.proposed_by.zip(run.proposed_at).map(|(id, at)| people.by(id, at)),
        reviews: written.iter().map(|row| people.wrote(row)).collect::<Result<_, _>>()?,
        escalations: escalations.iter().map(|row| people.escalated(row)).collect::<Result<_, _>>()?,
        words: words.iter().map(|word| people.word(word)).collect(),
        lifted: lifted.map(|row| GivenLift { by: people.by(row.author, row.at), reason: row.reason }),
        released_at: run.released_at,
        held: kept.map(|kept| kept.held),
    })
}

async fn counted(conn: &mut AsyncPgConnection, run: Uuid) -> Result<Vec<ReleaseCount>, ApiError> {
    let counts = releasing::counts(conn, run, AssignmentState::Proposed).await?;
    let shown = counts.into_iter().map(|count| ReleaseCount {
        what: count.grade.name(),
        colour: count.grade.colour,
        people: count.people,
    });
    Ok(shown.collect())
}

/// The names of those who had a hand in a run.
struct Names(Vec<StaffRow>);

impl Names {
    async fn of(
        conn: &mut AsyncPgConnection,
        run: &RunRow,
        words: &[ReleaseRow],
        escalations: &[reviews::EscalationRow],
        written: &[reviews::Written],
        lifted: Option<&LiftRow>,
    ) -> Result<Self, ApiError> {
        let mut ids: Vec<Uuid> = words.iter().map(|word| word.officer_id).chain(run.proposed_by).collect();
        ids.extend(escalations.iter().map(|row| row.author));
        ids.extend(written.iter().map(|row| row.author));
        ids.extend(lifted.map(|row| row.author));
        Ok(Self(access::staff_by_ids(conn, &ids).await?))
    }

    fn name(&self, id: Uuid) -> String {
        self.0.iter().find(|row| row.id == id).map(|row| row.display_name.clone()).unwrap_or_default()
    }

    fn by(&self, id: Uuid, at: DateTime<Utc>) -> By {
        By { who: self.name(id), at }
    }

    fn word(&self, word: &ReleaseRow) -> GivenWord {
        GivenWord {
            by: self.by(word.officer_id, word.at),
            role: if word.chief { Role::ChiefOfficer } else { Role::ReleasingOfficer },
            legal_basis: word.legal_basis.clone(),
            people: word.people,
        }
    }

    fn wrote(&self, row: &reviews::Written) -> Result<WrittenReviews, ApiError> {
        let kind = ReviewKind::from_number(row.kind).ok_or_else(broken)?;
        Ok(WrittenReviews { who: self.name(row.author), kind, count: row.count })
    }

    fn escalated(&self, row: &reviews::EscalationRow) -> Result<EscalatedPlace, ApiError> {
        Ok(EscalatedPlace {
            venue: row.venue_id,
            point: row.point_id,
            to: reviews::grade(row.to_class, row.to_rule.clone(), row.to_colour)?.name(),
            authority: row.authority.clone(),
            reason: row.reason.clone(),
            by: self.by(row.author, row.at),
        })
    }
}
