//! `report`: a report of a run as a file, for an investigator at the machine. The look is written down first.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use diesel_async::AsyncConnection;
use futures_util::{StreamExt, pin_mut};
use serde_json::json;
use uuid::Uuid;

use super::cases::{investigator, signature};
use super::house::{House, HouseArgs};
use super::terminal::remark;
use crate::app::App;
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::report::kind::{Format, Kind, Report};
use crate::domain::report::trajectory::Language;
use crate::http::reports::body;
use crate::http::reports::plan::{Options, Plan};
use crate::http::reports::{ReportQuery, purpose_of};
use crate::store::access::StaffRow;
use crate::store::audit::{self, Act};
use crate::store::cases::CaseRow;
use crate::store::looks::{self, Look};
use crate::store::runs::RunRow;
use crate::store::{access, cases, runs};

pub(super) const EXAMPLES: &str = "\
Examples:
  placecode report contacts --run RUN --by wang --purpose 'register' --format csv --out contacts.csv
  placecode report contacts --run RUN --by wang --purpose 'analysis' --format parquet --out contacts.parquet
  placecode report letters --run RUN --by wang --purpose 'hand-over' --format html --contact 'Wang, 0371 …' --out letters.html
  placecode report trajectory --run RUN --by wang --purpose 'publication' --format txt --number 病例12
  placecode report chain --run RUN --by wang --purpose 'analysis' --format dot | dot -Tsvg > chain.svg
docs/reports.md lists the kinds, their formats and every column.";

/// Which report of which run, for whom and what for.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// What.
    #[arg(value_enum)]
    kind: Kind,

    /// The run, as `placecode trace` printed it.
    #[arg(long)]
    run: Uuid,

    /// The login of the investigator who asks.
    #[arg(long)]
    by: String,

    /// What it is for; it stands in the audit log, and those whom it concerns can see it.
    #[arg(long)]
    purpose: String,

    /// In which form.
    #[arg(long, value_enum)]
    format: Format,

    /// The file, which appears when it is complete and which only its owner may read; standard output without it.
    #[arg(long)]
    out: Option<PathBuf>,

    /// `trajectory`: the number that the case is published under.
    #[arg(long)]
    number: Option<String>,

    /// `trajectory`: in which language.
    #[arg(long, value_enum)]
    language: Option<Language>,

    /// `triage` and `chain`: how many contacts.
    #[arg(long)]
    limit: Option<usize>,

    /// `letters`: only that division's (GB/T 2260).
    #[arg(long)]
    division: Option<String>,

    /// `letters`: whom the receiver may ask.
    #[arg(long)]
    contact: Option<String>,

    /// `sormas-*`: the disease by SORMAS's word.
    #[arg(long)]
    disease: Option<String>,

    /// `sormas-*`: dates with the day first.
    #[arg(long)]
    day_first: bool,
}

/// Writes the report that is asked for.
pub(crate) async fn report(args: &ReportArgs) -> anyhow::Result<()> {
    let report = Report::new(args.kind, args.format)?;
    let query = ReportQuery {
        purpose: args.purpose.clone(),
        number: args.number.clone(),
        language: args.language,
        limit: args.limit,
        division: args.division.clone(),
        contact: args.contact.clone(),
        disease: args.disease.clone(),
        day_first: args.day_first.then_some(true),
    };
    let purpose = purpose_of(&query)?;
    let options = Options::read(report.kind, &query)?;
    let house = House::open(&args.house).await?;
    let app = house.app().await?;
    let (run, case) = find(&app, args.run).await?;
    let division = access::division(&case.division)?;
    let mut conn = app.store.conn().await?;
    let staff = investigator(&mut conn, &args.by, &division).await?;
    drop(conn);
    let plan = Plan::load(&app, report, options, (run, case), access::division(&staff.division)?).await?;
    note(&app, &plan, &staff, &purpose).await?;
    match &args.out {
        None => write(plan, &mut std::io::stdout().lock()).await?,
        Some(path) => {
            let part = part_of(path);
            let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
            let mut file = file.with_context(|| part.display().to_string())?;
            let written = write(plan, &mut file).await;
            if let Err(error) = written.and_then(|()| Ok(file.sync_all()?)) {
                let _gone = fs::remove_file(&part);
                return Err(error);
            }
            fs::rename(&part, path).with_context(|| path.display().to_string())?;
            remark(format!("{} is written", path.display()));
        }
    }
    drop(app);
    house.close()
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

async fn find(app: &App, id: Uuid) -> anyhow::Result<(RunRow, CaseRow)> {
    let mut conn = app.store.conn().await?;
    let run =
        runs::find(&mut conn, id).await?.with_context(|| format!("--run {id}: there is no such run"))?;
    let case = cases::find(&mut conn, run.case_id).await?.context("a run has its case")?;
    Ok((run, case))
}

async fn note(app: &App, plan: &Plan, staff: &StaffRow, purpose: &str) -> anyhow::Result<()> {
    let (now, actor) = (Clock::System.now(), &signature(staff));
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let look = Look {
            id: Uuid::now_v7(),
            case_id: plan.case.id,
            run_id: Some(plan.run.id),
            role: Role::Investigator.number(),
            purpose: purpose.to_owned(),
            at: now,
            kind: LookKind::Report.number(),
            division: Some(staff.division.clone()),
            visitor: None,
        };
        looks::insert(conn, &look).await?;
        let subject = format!("run {}", plan.run.id);
        let detail = json!({ "case": plan.case.id, "purpose": purpose });
        audit::append(conn, Act { actor, action: "persons.seen", subject: subject.clone(), detail }, now)
            .await?;
        let detail = json!({ "file": plan.report.file_name() });
        Ok(audit::append(conn, Act { actor, action: "report.made", subject, detail }, now).await?)
    })
    .await
}

async fn write(plan: Plan, to: &mut impl Write) -> anyhow::Result<()> {
    let body = body::of(plan).await?;
    pin_mut!(body);
    while let Some(bytes) = body.next().await {
        to.write_all(&bytes?)?;
    }
    Ok(to.flush()?)
}
