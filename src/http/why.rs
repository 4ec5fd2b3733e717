//! Why somebody is a contact, and why in this class and in no stronger one.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auth::{Actor, Staff};
use super::cases::{Looked, Purpose, look_at};
use super::contacts::{Contact, Evidence, may_see_persons, show_contact, show_evidence, visitor_of};
use super::error::ApiError;
use super::permissions::SeeCases;
use super::runs::permitted;
use super::web::Web;
use super::write::transaction;
use crate::domain::exposure::Question;
use crate::domain::grading::{Dwell, Judged, Verdict, explain};
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, ClassRule, RulePack};
use crate::domain::span::Span;
use crate::store::findings::ContactRow;
use crate::store::runs::RunRow;
use crate::store::{cases, findings, runs, why};

/// Mounts the route.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(see_why);
}

/// Why somebody is a contact.
#[derive(Debug, Serialize, ToSchema)]
pub struct Why {
    /// The contact as the run lists it.
    pub contact: Contact,
    /// The rules by which it was graded, such as `baseline@1`.
    pub rule_pack: String,
    /// The reason in one sentence, in English.
    pub reason_en: String,
    /// The reason in one sentence, in Chinese.
    pub reason_zh: String,
    /// The numbers of the rule that is met, each with its source.
    pub numbers: Vec<NamedNumber>,
    /// The rules that stand before it in the pack, each with what was missing.
    pub stronger: Vec<NotMet>,
    /// What ends it: days, tests, check-ins, as the pack says.
    pub end: Option<serde_json::Value>,
    /// Days after which it expires.
    pub days: u32,
    /// Every meeting, and whether it counted.
    pub evidence: Vec<Evidence>,
}

/// A number of a rule, and where it comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedNumber {
    /// Its key in the pack.
    pub key: String,
    /// What it is set to.
    pub value: serde_json::Value,
    /// A title, or that it is not published and what was chosen.
    pub basis: String,
    /// Where it can be read.
    pub url: Option<String>,
}

/// A rule that is not met.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotMet {
    /// Its class.
    pub class: Class,
    /// Which of the rules of that class.
    pub rule: Option<String>,
    /// What was missing, in English.
    pub missing_en: String,
    /// What was missing, in Chinese.
    pub missing_zh: String,
}

/// Why somebody is a contact of a run: the rule with the source of its numbers, every meeting, and what was missing for
/// a stronger class. The look is written down.
#[utoipa::path(params(Purpose), responses((status = 200, body = Why), (status = "default", body = super::error::Problem)), tag = "runs", security(("staff" = [])))]
#[get("/runs/{id}/contacts/{visitor}/why")]
pub(crate) async fn see_why(
    web: Data<Web>,
    staff: Staff<SeeCases>,
    path: Path<(Uuid, String)>,
    purpose: Query<Purpose>,
) -> Result<HttpResponse, ApiError> {
    let (id, visitor) = path.into_inner();
    Ok(HttpResponse::Ok().json(why(&web, &staff.0, id, &visitor, &purpose.purpose).await?))
}

async fn why(web: &Web, actor: &Actor, id: Uuid, visitor: &str, purpose: &str) -> Result<Why, ApiError> {
    let visitor = visitor_of(visitor)?;
    let run = permitted(web, actor, id).await?;
    may_see_persons(actor, &run)?;
    let mut conn = web.app.store.conn().await?;
    let (contact, exposures, evidence, case, body) = transaction(&mut conn, async |conn| {
        let looked =
            Looked { case: run.case_id, run: Some(run.id), visitor: Some(visitor), kind: LookKind::Why };
        look_at::<SeeCases>(web, conn, actor, looked, purpose).await?;
        let contact = why::contact(conn, run.id, visitor).await?.ok_or(ApiError::NotFound("contact"))?;
        let exposures = why::exposures(conn, run.id, visitor).await?;
        let evidence = findings::evidence(conn, run.id, visitor.to_uuid()).await?;
        let case = cases::find(conn, run.case_id).await?.ok_or(ApiError::NotFound("case"))?;
        let body = runs::pack_body(conn, &run.pack_id, run.pack_version).await?;
        Ok((contact, exposures, evidence, case, body.ok_or(ApiError::NotFound("rule pack"))?))
    })
    .await?;
    drop(conn);
    let pack = RulePack::parse(&body).map_err(|error| ApiError::Internal(error.into()))?;
    let question = Question {
        case: case.visitor(),
        kind: case.kind()?,
        dates: case.dates(),
        infectious: period(&run)?,
        trail: &[],
        pack: &pack,
        offset: web.app.config.local_offset,
    };
    let judged = explain(&question, &exposures, &Dwell::default());
    let evidence = evidence.iter().map(show_evidence).collect::<Result<_, _>>()?;
    answer(&pack, &contact, &judged, evidence)
}

fn period(run: &RunRow) -> Result<Span, ApiError> {
    let span =
        run.infectious_from.zip(run.infectious_until).and_then(|(from, until)| Span::new(from, until).ok());
    span.ok_or(ApiError::Conflict("the run is not computed"))
}

fn answer(
    pack: &RulePack,
    contact: &ContactRow,
    judged: &[Judged<'_>],
    evidence: Vec<Evidence>,
) -> Result<Why, ApiError> {
    let met = |judged: &&Judged<'_>| {
        judged.rule.class.number() == contact.computed_class && judged.rule.rule == contact.computed_rule
    };
    let broken = || ApiError::Internal(anyhow::anyhow!("a contact has a class that its pack does not know"));
    let rule = judged.iter().find(met).ok_or_else(broken)?.rule;
    let before = judged.iter().take_while(|judged| !met(judged));
    Ok(Why {
        contact: show_contact(contact)?,
        rule_pack: pack.name(),
        reason_en: reason_en(pack, rule, contact),
        reason_zh: reason_zh(pack, rule, contact),
        numbers: named_numbers(pack, rule),
        stronger: before.map(not_met).collect(),
        end: rule.end.as_ref().map(|end| serde_json::json!(end)),
        days: rule.days,
        evidence,
    })
}

/// How long together a rule asks for, in English.
pub(super) fn asked_en(rule: &ClassRule) -> String {
    match (rule.within_hours, rule.more_than) {
        (Some(hours), false) => format!("at least {} minutes within {hours} hours", rule.together_mins),
        (Some(hours), true) => format!("more than {} minutes within {hours} hours", rule.together_mins),
        (None, false) => format!("at least {} minutes", rule.together_mins),
        (None, true) => format!("more than {} minutes", rule.together_mins),
    }
}

/// How long together a rule asks for, in Chinese.
pub(super) fn asked_zh(rule: &ClassRule) -> String {
    let hours = rule.within_hours.map(|hours| format!("{hours}小时内")).unwrap_or_default();
    let least = if rule.more_than { "超过" } else { "不少于" };
    format!("{hours}{least}{}分钟", rule.together_mins)
}

/// The numbers of a rule, each with its source.
pub(super) fn named_numbers(pack: &RulePack, rule: &ClassRule) -> Vec<NamedNumber> {
    let named = |number: crate::domain::rule_pack::Number| NamedNumber {
        key: number.key,
        value: number.value,
        basis: number.basis,
        url: number.source.and_then(|source| source.url),
    };
    pack.numbers(rule).into_iter().map(named).collect()
}

fn reason_en(pack: &RulePack, rule: &ClassRule, contact: &ContactRow) -> String {
    let with = if contact.depth == 0 { "the case" } else { "a contact of the case" };
    let asked = asked_en(rule);
    format!(
        "{} minutes with {with} in {} meetings between {} and {}; {} asks for {asked} for the class {}",
        contact.together_secs / 60,
        contact.meetings,
        contact.first_at.format("%Y-%m-%d %H:%MZ"),
        contact.last_at.format("%Y-%m-%d %H:%MZ"),
        pack.name(),
        word(rule.class),
    )
}

fn reason_zh(pack: &RulePack, rule: &ClassRule, contact: &ContactRow) -> String {
    let with = if contact.depth == 0 { "病例" } else { "病例的接触者" };
    format!(
        "与{with}同处{}分钟,共{}次;规则{}({})对类别 {} 的要求为{}",
        contact.together_secs / 60,
        contact.meetings,
        pack.title_zh,
        pack.name(),
        word(rule.class),
        asked_zh(rule),
    )
}

fn word(class: Class) -> String {
    serde_json::json!(class).as_str().unwrap_or_default().to_owned()
}

fn not_met(judged: &Judged<'_>) -> NotMet {
    let rule = judged.rule;
    // The grid is not known here, so a companion's rule can only be said not to have been met.
    let (en, zh) = match judged.verdict {
        Verdict::OtherCases => ("it is for cases of other kinds".into(), "该规则适用于其他类型的病例".into()),
        Verdict::ContactsOfContacts => {
            ("no contact of the classes it names was met".into(), "未与该规则所列接触者相遇".into())
        }
        Verdict::OtherPlaces => {
            ("no meeting was at such a place, or so near".into(), "没有在该类场所或该距离内相遇".into())
        }
        Verdict::Rows => ("the rows were too far apart, or not known".into(), "排距过远或不详".into()),
        Verdict::Presence => ("the presence is not proven well enough".into(), "到场证明不足".into()),
        Verdict::EndUnknown => {
            ("the end of the stay is not known well enough".into(), "离开时间依据不足".into())
        }
        Verdict::TooShort { most_secs, needed_secs } => (
            format!("{} minutes counted, of {} needed", most_secs / 60, needed_secs / 60),
            format!("计入{}分钟,需{}分钟", most_secs / 60, needed_secs / 60),
        ),
        Verdict::Met | Verdict::TooLittle => {
            ("too few meetings, or too short in the grid".into(), "相遇次数不足或网格内停留时间不足".into())
        }
    };
    NotMet { class: rule.class, rule: rule.rule.clone(), missing_en: en, missing_zh: zh }
}
