//! Runs beside each other: two packs on one case, a follow-up and its base; and runs that are cancelled.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Looked, look_at, permitted as permitted_case};
use super::contacts::{PAGE, may_see_persons};
use super::error::ApiError;
use super::permissions::{Investigate, SeeCases};
use super::runs::{NewRun, Nothing, Run, cancel, permitted, request, show};
use super::web::{Web, next_page};
use super::write::{Reply, Write, transaction};
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;
use crate::store::differences::{self, Cell};
use crate::store::runs::RunRow;

/// Which packs are compared, and what for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComparison {
    /// Two different rule packs, each with its version, such as `baseline@1`.
    pub rule_packs: Vec<String>,
    /// What for; 3 to 500 characters.
    pub purpose: String,
}

/// Two dry runs, and where to see how they differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct Comparison {
    /// The runs, in the order of the packs.
    pub runs: Vec<Run>,
    /// Where the difference stands once both are computed.
    pub difference: String,
}

/// Asks for a dry run of a case under each of two packs.
#[utoipa::path(request_body = NewComparison, responses((status = 202, body = Comparison), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/cases/{id}/comparisons")]
pub(crate) async fn compare_packs(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<NewComparison>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted_case(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, form: NewComparison| {
        let (one, other) = compare(&web, conn, &actor, *id, form).await?;
        let difference = format!("/v1/runs/{}/difference/{}", one.id, other.id);
        Ok(Reply::accepted(Comparison { runs: vec![show(&one)?, show(&other)?], difference }))
    };
    write.once(&web, &actor.name, work).await
}

/// Enters a dry run under each of two packs.
pub async fn compare(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    case: Uuid,
    form: NewComparison,
) -> Result<(RunRow, RunRow), ApiError> {
    let [one, other] = <[String; 2]>::try_from(form.rule_packs)
        .map_err(|_others| ApiError::invalid("rule_packs", "must name two packs"))?;
    if one == other {
        return Err(ApiError::invalid("rule_packs", "must name two different packs"));
    }
    let dry =
        |rule_pack| NewRun { rule_pack, purpose: form.purpose.clone(), dry: true, incomplete_ok: false };
    let (one, other) = (dry(one), dry(other));
    Ok((request(web, conn, actor, case, one).await?, request(web, conn, actor, case, other).await?))
}

/// Which of those in whom two runs differ are asked for, and what for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DifferenceList {
    /// Without it, only counts are shown. 3 to 500 characters; written down, and shown to the visitors whom it
    /// concerns.
    pub purpose: Option<String>,
    /// How many people to pass over.
    #[serde(default)]
    pub offset: i64,
}

/// How the contacts of two runs of one case differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// The rules of the first run and of the second.
    pub rule_packs: Vec<String>,
    /// How many only the first finds.
    pub only_in_first: i64,
    /// How many only the second finds.
    pub only_in_second: i64,
    /// How many both find, in the same class with the same colour.
    pub same: i64,
    /// How many both find, in another class or with another colour.
    pub changed: i64,
    /// How many there are by class and colour in the first and in the second.
    pub matrix: Vec<DifferenceCell>,
    /// Those in whom the runs differ, 200 at most; only for a purpose.
    pub people: Option<Vec<DifferentPerson>>,
}

/// How many are in one class in the first run and in one in the second.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceCell {
    /// Class in the first run; absent where it does not find them.
    pub from_class: Option<Class>,
    /// Proposed colour in the first run.
    pub from_colour: Option<Colour>,
    /// Class in the second run; absent where it does not find them.
    pub to_class: Option<Class>,
    /// Proposed colour in the second run.
    pub to_colour: Option<Colour>,
    /// How many.
    pub count: i64,
}

/// Somebody in whom two runs differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferentPerson {
    /// The pseudonym: 32 hexadecimal digits.
    pub visitor: String,
    /// Class in the first run; absent where it does not find them.
    pub from_class: Option<Class>,
    /// Class in the second run; absent where it does not find them.
    pub to_class: Option<Class>,
    /// Seconds together in the first run.
    pub from_secs: Option<i64>,
    /// Seconds together in the second run.
    pub to_secs: Option<i64>,
}

/// How two runs of one case differ: counts, and for a purpose the people, a page at a time. That look is written down.
#[utoipa::path(params(DifferenceList), responses((status = 200, body = Difference), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/difference/{other}")]
pub(crate) async fn see_difference(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    path: Path<(Uuid, Uuid)>,
    list: Query<DifferenceList>,
) -> Result<HttpResponse, ApiError> {
    let (one, other) = path.into_inner();
    let found = difference(&web, &staff.0, (one, other), &list).await?;
    let mut response = HttpResponse::Ok();
    let count = found.people.as_ref().map_or(0, Vec::len);
    if count == usize::try_from(PAGE).unwrap_or(0) {
        let query = [("offset", Some((list.offset + PAGE).to_string())), ("purpose", list.purpose.clone())];
        response.insert_header(next_page(&format!("/v1/runs/{one}/difference/{other}"), &query));
    }
    Ok(response.json(found))
}

/// How two runs differ; the people after the look at both was written down.
pub async fn difference(
    web: &Web,
    actor: &Actor,
    (one, other): (Uuid, Uuid),
    list: &DifferenceList,
) -> Result<Difference, ApiError> {
    if !(0..=10_000_000).contains(&list.offset) {
        return Err(ApiError::invalid("offset", "must lie between 0 and 10,000,000"));
    }
    let (one, other) = (permitted(web, actor, one).await?, permitted(web, actor, other).await?);
    if one.case_id != other.case_id {
        return Err(ApiError::invalid("other", "must be a run of the same case"));
    }
    if one.computed_at.is_none() || other.computed_at.is_none() {
        return Err(ApiError::Conflict("both runs must be computed first"));
    }
    let mut conn = web.app.store.conn().await?;
    let cells = differences::matrix(&mut conn, one.id, other.id).await?;
    let people = match &list.purpose {
        None => None,
        Some(purpose) => Some(people(web, &mut conn, actor, (&one, &other), purpose, list.offset).await?),
    };
    let sum = |is: fn(&Cell) -> bool| cells.iter().filter(|cell| is(cell)).map(|cell| cell.count).sum();
    Ok(Difference {
        rule_packs: [&one, &other].map(|run| format!("{}@{}", run.pack_id, run.pack_version)).into(),
        only_in_first: sum(|cell| cell.to_class.is_none()),
        only_in_second: sum(|cell| cell.from_class.is_none()),
        same: sum(|cell| stays(cell) && is_same(cell)),
        changed: sum(|cell| stays(cell) && !is_same(cell)),
        matrix: cells.iter().map(show_cell).collect::<Result<_, _>>()?,
        people,
    })
}

async fn people(
    web: &Web,
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (one, other): (&RunRow, &RunRow),
    purpose: &str,
    offset: i64,
) -> Result<Vec<DifferentPerson>, ApiError> {
    may_see_persons(actor, one)?;
    may_see_persons(actor, other)?;
    let rows = transaction(conn, async |conn| {
        // Whoever is a contact of either sees the look.
        for run in [one, other] {
            let kind = LookKind::Comparison;
            let looked = Looked { case: run.case_id, run: Some(run.id), visitor: None, kind };
            look_at::<SeeCases>(web, conn, actor, looked, purpose).await?;
        }
        Ok(differences::people(conn, (one.id, other.id), offset, PAGE).await?)
    })
    .await?;
    rows.iter()
        .map(|row| {
            Ok(DifferentPerson {
                visitor: Visitor::from_uuid(row.visitor).to_hex(),
                from_class: known(row.from_class)?,
                to_class: known(row.to_class)?,
                from_secs: row.from_secs,
                to_secs: row.to_secs,
            })
        })
        .collect()
}

/// Cancels a run that is not computed yet.
#[utoipa::path(request_body = Nothing, responses((status = 202, body = Run), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[post("/runs/{id}/cancellation")]
pub(crate) async fn cancel_run(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    write: Write<Nothing>,
) -> Result<HttpResponse, ApiError> {
    let actor = staff.0;
    permitted(&web, &actor, *id).await?;
    let work = async |conn: &mut AsyncPgConnection, _: Nothing| {
        Ok(Reply::accepted(show(&cancel(&web, conn, &actor, *id).await?)?))
    };
    write.once(&web, &actor.name, work).await
}

/// Mounts these routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(compare_packs).service(see_difference).service(cancel_run);
}

/// Whether both runs find them.
fn stays(cell: &Cell) -> bool {
    cell.from_class.is_some() && cell.to_class.is_some()
}

fn is_same(cell: &Cell) -> bool {
    (cell.from_class, cell.from_colour) == (cell.to_class, cell.to_colour)
}

fn show_cell(cell: &Cell) -> Result<DifferenceCell, ApiError> {
    Ok(DifferenceCell {
        from_class: known(cell.from_class)?,
        from_colour: known(cell.from_colour)?,
        to_class: known(cell.to_class)?,
        to_colour: known(cell.to_colour)?,
        count: cell.count,
    })
}

fn known<T: Numbered>(number: Option<i16>) -> Result<Option<T>, ApiError> {
    let broken = || ApiError::Internal(anyhow::anyhow!("a contact holds a class or colour that cannot be"));
    number.map(|number| T::from_number(number).ok_or_else(broken)).transpose()
}
