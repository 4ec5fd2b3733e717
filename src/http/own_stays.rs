//! A visitor's own stays as files, and what the visitor says of them.

use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Staff, Vouched};
use super::cases::{Looked, Purpose, look_at, permitted};
use super::error::ApiError;
use super::permissions::Investigate;
use super::visitor_cards::by_bearer;
use super::visitors::{OwnCorrection, OwnStay, as_it_was, kept_stays};
use super::web::Web;
use super::write::{Reply, Write, transaction};
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::own_correction::{Correction, NoCorrection, Said, check};
use crate::domain::report::cell::{Cell, csv_line};
use crate::domain::scan::Scan;
use crate::domain::span::Span;
use crate::domain::stay::Stay;
use crate::domain::visitor::Visitor;
use crate::intake::limits::Limit;
use crate::store::stay_corrections::{self, CorrectionRow};
use crate::store::{audit, own, scans, stays};

/// How many stays a file holds: many times what anybody comes to within retention.
const FILE_ROWS_MAX: i64 = 20_000;

/// How often a visitor has an own file made.
const FILES: Limit = Limit { name: "own-file", count_max: 30, period_secs: 3600 };

/// How often a visitor corrects a stay.
const CORRECTIONS: Limit = Limit { name: "own-correction", count_max: 60, period_secs: 86_400 };

/// How many corrections an investigator is shown.
const TAKEN_BACK_MAX: i64 = 1000;

/// Mounts these routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(own_stays_csv).service(own_stays_json).service(correct_stay).service(see_taken_back);
}

/// All of the visitor's own stays within retention as CSV. No spreadsheet takes a cell for a formula.
#[utoipa::path(responses((status = 200, body = String, content_type = "text/csv"), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/stays.csv")]
pub(crate) async fn own_stays_csv(web: Data<Web>, visitor: Vouched) -> Result<HttpResponse, ApiError> {
    let text = csv(&web, &visitor).await?;
    Ok(attached("stays.csv").insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8")).body(text))
}

/// The same as JSON.
#[utoipa::path(responses((status = 200, body = [OwnStay]), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[get("/me/stays.json")]
pub(crate) async fn own_stays_json(web: Data<Web>, visitor: Vouched) -> Result<HttpResponse, ApiError> {
    Ok(attached("stays.json").json(all(&web, &visitor).await?))
}

async fn all(web: &Web, visitor: &Vouched) -> Result<Vec<OwnStay>, ApiError> {
    web.within(FILES, visitor.token.visitor.to_uuid().as_bytes()).await?;
    kept_stays(web, visitor, FILE_ROWS_MAX).await
}

/// All own stays as CSV, for the API and the page.
pub async fn csv(web: &Web, visitor: &Vouched) -> Result<String, ApiError> {
    let offset = web.app.config.local_offset;
    let mut text = "id,venue,point,from,until,ended_by,presence,said,left_at,said_at\r\n".to_owned();
    for stay in all(web, visitor).await? {
        let word = |value: serde_json::Value| Cell::text(value.as_str().unwrap_or_default());
        let said = stay.correction.as_ref();
        text += &csv_line(
            &vec![
                Cell::text(stay.id.to_string()),
                Cell::text(stay.venue),
                Cell::text(stay.point),
                Cell::Time(stay.from),
                Cell::Time(stay.until),
                word(serde_json::json!(stay.ended_by)),
                word(serde_json::json!(stay.presence)),
                said.map_or(Cell::Empty, |said| word(serde_json::json!(said.said))),
                Cell::time(said.and_then(|said| said.left_at)),
                Cell::time(said.map(|said| said.at)),
            ],
            offset,
        );
    }
    Ok(text)
}

/// An answer that a browser keeps as a file.
pub(crate) fn attached(name: &str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header(ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name.to_owned())],
    });
    response
}

/// What a visitor says of an own stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCorrection {
    /// What.
    pub said: Said,
    /// When the visitor left, beside `left_earlier`.
    pub left_at: Option<DateTime<Utc>>,
}

/// A correction that was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recorded {
    /// The stay.
    pub stay: Uuid,
    /// What was said.
    pub correction: OwnCorrection,
    /// What follows, in English.
    pub then_en: &'static str,
    /// What follows, in Chinese.
    pub then_zh: &'static str,
}

const THEN_EN: &str = "Recorded. It changes your record unless a case had been reported there before; then the record stays, and an \
                       appeal is the way if a colour ever rests on it.";
const THEN_ZH: &str = "已登记。如该处此前没有病例报告，您的记录将据此更正；如已有报告，则保留原记录，日后若据此赋码，您可以申诉。";

/// Says of an own stay not to have been there, or to have left earlier. It never makes a stay longer. The pipeline brings the
/// stays in line, unless a case was reported there before.
#[utoipa::path(request_body = NewCorrection, responses((status = 202, body = Recorded), (status = "default", body = super::error::Problem)), tag = "visitors", security(("visitor" = [])))]
#[post("/me/stays/{scan}/correction")]
pub(crate) async fn correct_stay(
    web: Data<Web>,
    visitor: Vouched,
    scan: Path<Uuid>,
    write: Write<NewCorrection>,
) -> Result<HttpResponse, ApiError> {
    let visitor = by_bearer(visitor)?.visitor;
    let principal = web.visitor_principal(visitor);
    let work = async |conn: &mut AsyncPgConnection, form| {
        Ok(Reply::accepted(record(&web, conn, visitor, *scan, &form).await?))
    };
    write.once(&web, &principal, work).await
}

/// Records a correction, for the API and the page.
pub async fn record(
    web: &Web,
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    scan: Uuid,
    form: &NewCorrection,
) -> Result<Recorded, ApiError> {
    let now = web.now();
    web.within(CORRECTIONS, visitor.to_uuid().as_bytes()).await?;
    let correction = match (form.said, form.left_at) {
        (Said::NotThere, None) => Correction::NotThere,
        (Said::LeftEarlier, Some(left_at)) => Correction::LeftEarlier(left_at),
        (Said::NotThere, Some(_)) | (Said::LeftEarlier, None) => {
            return Err(ApiError::invalid("left_at", "stands beside `left_earlier`, and only there"));
        }
    };
    let (stay, scans) = stay_of(web, conn, visitor, scan, now).await?.ok_or(ApiError::NotFound("stay"))?;
    check(correction, &stay, &scans, now).map_err(refusal)?;
    let (point_id, from_at) = (stay.point.to_i64(), stay.span.from());
    if own::rests_on(conn, visitor, point_id, from_at).await? {
        return Err(ApiError::Conflict(
            "a colour rests on this stay; appeal against it under /me/assignments",
        ));
    }
    let row = CorrectionRow {
        id: Uuid::now_v7(),
        visitor: visitor.to_uuid(),
        scan_id: stay.id,
        point_id,
        from_at,
        until_at: stay.span.until(),
        ended_by: stay.ended_by.number(),
        presence: stay.presence.number(),
        said: form.said.number(),
        left_at: form.left_at,
        at: now,
        outcome: None,
        settled_at: None,
    };
    if !stay_corrections::insert(conn, &row).await? {
        return Err(ApiError::Conflict("this stay was corrected already"));
    }
    let act = audit::Act {
        actor: "visitor",
        action: "stay.correction_recorded",
        subject: format!("correction {}", row.id),
        detail: serde_json::json!({ "said": form.said }),
    };
    audit::append(conn, act, now).await?;
    let correction = OwnCorrection { said: form.said, left_at: form.left_at, at: now };
    Ok(Recorded { stay: stay.id, correction, then_en: THEN_EN, then_zh: THEN_ZH })
}

fn refusal(refused: NoCorrection) -> ApiError {
    match refused {
        NoCorrection::SeenByOthers => ApiError::Conflict(
            "staff or a device scanned you there; ask the venue, or appeal if a colour ever rests on it",
        ),
        NoCorrection::EndIsKnown => ApiError::Conflict("your leaving is known by a scan already"),
        NoCorrection::NotShorter => {
            ApiError::invalid("left_at", "must lie between your last scan there and the end")
        }
        NoCorrection::Ahead => ApiError::invalid("left_at", "must not lie in the future"),
    }
}

/// An own stay within retention, and the visitor's scans during it.
async fn stay_of(
    web: &Web,
    conn: &mut AsyncPgConnection,
    visitor: Visitor,
    scan: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<(Stay, Vec<Scan>)>, ApiError> {
    let since = now - TimeDelta::days(web.app.config.retention_days.into());
    let internal = |error| ApiError::Internal(anyhow::Error::new(error));
    let span = Span::new(since, now + TimeDelta::days(1)).map_err(internal)?;
    let own = stays::of_visitor(conn, visitor, span, FILE_ROWS_MAX).await?;
    let Some(stay) = own.into_iter().map(|placed| placed.stay).find(|stay| stay.id == scan) else {
        return Ok(None);
    };
    let whole =
        Span::new(stay.span.from(), stay.span.until() + TimeDelta::microseconds(1)).map_err(internal)?;
    let known = scans::within(conn, &[(visitor, whole)]).await?;
    Ok(Some((stay, known.into_iter().map(|known| known.scan).collect())))
}

/// What the person of a case took back of the own stays.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakenBack {
    /// The stay as it was.
    pub stay: OwnStay,
    /// Whether the stays were brought in line with it; `false` when it came too late, `null` while it waits.
    pub took_effect: Option<bool>,
}

/// What the person of a case said of the own stays before: not to have been there, or to have left earlier. The look is
/// written down. A stay that is true after all is added to the trail like any other that is told.
#[utoipa::path(params(Purpose), responses((status = 200, body = [TakenBack]), (status = "default", body = super::error::Problem)), tag = "cases", security(("staff" = [])))]
#[get("/cases/{id}/taken-back")]
pub(crate) async fn see_taken_back(
    web: Data<Web>,
    staff: Staff<Investigate>,
    id: Path<Uuid>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    let case = permitted(&web, &staff.0, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let rows = transaction(&mut conn, async |conn| {
        let looked =
            Looked { case: case.id, run: None, visitor: Some(case.visitor()), kind: LookKind::TakenBack };
        look_at::<Investigate>(&web, conn, &staff.0, looked, &purpose.purpose).await?;
        let since = DateTime::<Utc>::UNIX_EPOCH;
        Ok(stay_corrections::of_visitor(conn, case.visitor(), since, TAKEN_BACK_MAX).await?)
    })
    .await?;
    let shown = rows.into_iter().map(|(row, venue, point)| {
        let took_effect = row.outcome.map(|outcome| outcome == 0);
        Ok(TakenBack { stay: as_it_was(&row, venue, point)?, took_effect })
    });
    Ok(HttpResponse::Ok().json(shown.collect::<Result<Vec<_>, ApiError>>()?))
}
