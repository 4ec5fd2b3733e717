//! `cases`: report, list and withdraw cases from the machine itself.

use std::io::Read;

use anyhow::{Context, ensure};
use chrono::{DateTime, FixedOffset, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use super::house::{House, HouseArgs};
use super::moment;
use super::terminal::say;
use super::visitor::{IdentityArgs, visitor_key};
use crate::clock::Clock;
use crate::domain::access::{Role, in_jurisdiction};
use crate::domain::case::{CaseDates, CaseKind};
use crate::domain::fields;
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;
use crate::store::access::{self, StaffRow};
use crate::store::audit::{self, Act};
use crate::store::cases::{self, CaseFilter, CaseRow};

/// The longest identity that is read from standard input.
const IDENTITY_BYTES_MAX: u64 = 200;

/// The case that is reported. Times are RFC 3339, or `YYYY-MM-DD HH:MM:SS` by the local clock.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    kind_of_identity: IdentityArgs,

    /// The number of the person's document, as the channel knows it; `-` reads it from standard input, where no
    /// list of processes and no history of a shell shows it.
    #[arg(long, required_unless_present = "visitor_hex", conflicts_with = "visitor_hex")]
    identity: Option<String>,

    /// The person's pseudonym instead: 32 hexadecimal digits.
    #[arg(long)]
    visitor_hex: Option<String>,

    /// What the health authority reported.
    #[arg(long, value_enum)]
    kind: Reported,

    /// When the first symptom showed; not for asymptomatic cases.
    #[arg(long)]
    onset: Option<String>,

    /// When the first positive sample was taken.
    #[arg(long)]
    sampled: String,

    /// When the person was isolated; not given: not yet.
    #[arg(long)]
    isolated: Option<String>,

    /// The health authority that reported the case.
    #[arg(long)]
    authority: String,

    /// Whose case it is (GB/T 2260).
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Division,

    /// The number under which the authority knows the case.
    #[arg(long)]
    case_no: Option<String>,

    /// The login of the investigator who enters it.
    #[arg(long)]
    by: String,

    /// How far the local clock is ahead of UTC.
    #[arg(long, env, default_value = "+08:00", allow_hyphen_values = true)]
    local_offset: FixedOffset,
}

/// The kinds of cases, as they are written on a command line.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Reported {
    Confirmed,
    Suspected,
    Asymptomatic,
}

impl From<Reported> for CaseKind {
    fn from(kind: Reported) -> Self {
        match kind {
            Reported::Confirmed => Self::Confirmed,
            Reported::Suspected => Self::Suspected,
            Reported::Asymptomatic => Self::Asymptomatic,
        }
    }
}

/// Which cases are listed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// Cases of this division (GB/T 2260) and all inside it.
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Division,

    /// Only cases reported before this one, for the next page.
    #[arg(long)]
    before: Option<Uuid>,

    /// How many at most.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
}

/// Which case is taken back.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WithdrawArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// The case's id, as `cases list` shows it.
    case: Uuid,

    /// Why it is taken back.
    #[arg(long)]
    reason: String,

    /// The login of the investigator who takes it back.
    #[arg(long)]
    by: String,
}

/// Enters a case and prints its id.
pub(crate) async fn report(args: &ReportArgs) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let kind = CaseKind::from(args.kind);
    let time = |name: &'static str, text: &String| {
        moment::read(text, args.local_offset).with_context(|| format!("--{name} {text}: {}", moment::FORMS))
    };
    let dates = CaseDates {
        onset_at: args.onset.as_ref().map(|text| time("onset", text)).transpose()?,
        sampled_at: time("sampled", &args.sampled)?,
        isolated_at: args.isolated.as_ref().map(|text| time("isolated", text)).transpose()?,
    };
    dates.check(kind, now)?;
    let characters = args.authority.trim().chars().count();
    ensure!((1..=200).contains(&characters), "--authority has 1 to 200 characters");
    let case_no = args.case_no.as_deref().map(|number| fields::text(number, 1, 100)).transpose();
    let case_no = case_no.context("--case-no")?;
    let house = House::open(&args.house).await?;
    let visitor = visitor(args, &house)?;
    let mut conn = house.store()?.conn().await?;
    let staff = investigator(&mut conn, &args.by, &args.division).await?;
    let row = CaseRow {
        id: Uuid::now_v7(),
        visitor: visitor.to_uuid(),
        kind: kind.number(),
        onset_at: dates.onset_at,
        sampled_at: dates.sampled_at,
        isolated_at: dates.isolated_at,
        authority: args.authority.trim().to_owned(),
        division: args.division.to_string(),
        reported_by: staff.id,
        reported_at: now,
        withdrawn_by: None,
        withdrawn_at: None,
        withdrawal_reason: None,
        case_no,
    };
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        cases::insert(conn, &row).await?;
        let detail = json!({ "kind": kind, "division": row.division, "authority": row.authority });
        let act = Act {
            actor: &signature(&staff),
            action: "case.reported",
            subject: format!("case {}", row.id),
            detail,
        };
        Ok(audit::append(conn, act, now).await?)
    })
    .await?;
    say(row.id.to_string());
    drop(conn);
    house.close()
}

fn visitor(args: &ReportArgs, house: &House) -> anyhow::Result<Visitor> {
    if let Some(hex) = &args.visitor_hex {
        return Visitor::from_hex(hex).context("--visitor-hex has 32 hexadecimal digits in lower case");
    }
    let mut number = args.identity.clone().unwrap_or_default();
    if number == "-" {
        number.clear();
        let read = std::io::stdin().lock().take(IDENTITY_BYTES_MAX).read_to_string(&mut number);
        read.context("reading the identity from standard input")?;
    }
    let number = number.trim();
    ensure!(!number.is_empty(), "--identity is empty");
    let key = visitor_key(&args.kind_of_identity, house)?;
    Ok(Visitor::of(key.bytes(), args.kind_of_identity.identity_kind.into(), number))
}

/// The account of that login, when it may act on cases of that division.
pub(crate) async fn investigator(
    conn: &mut AsyncPgConnection,
    login: &str,
    division: &Division,
) -> anyhow::Result<StaffRow> {
    let staff = access::staff_by_login(conn, login).await?;
    let staff = staff.with_context(|| format!("--by {login}: there is no open account of that login"))?;
    ensure!(
        access::roles(&staff.roles)?.contains(&Role::Investigator),
        "--by {login}: that account is no investigator"
    );
    ensure!(
        in_jurisdiction(&access::division(&staff.division)?, division),
        "--by {login}: that account sees {}, which {division} is not part of",
        staff.division
    );
    Ok(staff)
}

/// How a member of staff signs in the audit log, the same as by the API.
pub(crate) fn signature(staff: &StaffRow) -> String {
    format!("staff:{}", staff.login)
}

/// Prints a page of cases, the newest first; never who they are.
pub(crate) async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let filter = CaseFilter { division: args.division, withdrawn: None, reported_since: None };
    let page = cases::page(&mut conn, &filter, args.before, args.limit).await?;
    for case in &page {
        let state = if case.withdrawn_at.is_some() { "withdrawn" } else { "open" };
        let (kind, sampled) = (word(case.kind()?), day(case.sampled_at));
        say(format!(
            "{}  {}  {kind:<12}  sampled {sampled}  {state:<9}  {}",
            case.id, case.division, case.authority
        ));
    }
    drop(conn);
    house.close()
}

fn word(kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::Confirmed => "confirmed",
        CaseKind::Suspected => "suspected",
        CaseKind::Asymptomatic => "asymptomatic",
    }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

/// Takes a case back; the pipeline then undoes what hung on it.
pub(crate) async fn withdraw(args: &WithdrawArgs) -> anyhow::Result<()> {
    let reason = args.reason.trim();
    ensure!((3..=500).contains(&reason.chars().count()), "--reason has 3 to 500 characters");
    let house = House::open(&args.house).await?;
    let now = Clock::System.now();
    let mut conn = house.store()?.conn().await?;
    let taken = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            let case = cases::find(conn, args.case).await?;
            let case = case.with_context(|| format!("{}: there is no such case", args.case))?;
            let staff = investigator(conn, &args.by, &access::division(&case.division)?).await?;
            if !cases::withdraw(conn, case.id, staff.id, reason, now).await? {
                return Ok(false);
            }
            let (subject, detail) = (format!("case {}", case.id), json!({ "reason": reason }));
            audit::append(
                conn,
                Act { actor: &signature(&staff), action: "case.withdrawn", subject, detail },
                now,
            )
            .await?;
            Ok(true)
        })
        .await?;
    say(if taken { "withdrawn" } else { "was withdrawn already" });
    drop(conn);
    house.close()
}
