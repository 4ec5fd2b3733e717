//! `trace`: one run of a case, or two under different packs, computed now, with a summary that names nobody.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use diesel_async::AsyncConnection;
use serde_json::json;
use uuid::Uuid;

use super::cases::{investigator, signature};
use super::contact_file;
use super::house::{House, HouseArgs};
use super::terminal::{Progress, remark, say};
use super::trace_lines::{difference_lines, run_lines};
use crate::app::App;
use crate::clock::Clock;
use crate::pipeline::{drain, trace};
use crate::store::audit::{self, Act};
use crate::store::runs::{self, RunRow, RunState};
use crate::store::{access, cases, differences, progress};

/// How long the run may take, drained scans included.
const LIMIT: Duration = Duration::from_secs(600);
/// How long to rest when somebody else computes the run.
const REST: Duration = Duration::from_millis(100);
/// How often progress is asked for.
const LOOK: Duration = Duration::from_secs(1);

/// Which case is traced, by which rules and what for.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// The case's id, as `cases report` printed it.
    case: Uuid,

    /// The rule pack and its version, such as `baseline@1`.
    #[arg(long, default_value = "baseline@1", value_parser = pack)]
    pack: (String, i32),

    /// What the run is for; it stands in the audit log.
    #[arg(long)]
    purpose: String,

    /// The login of the investigator who asks.
    #[arg(long)]
    by: String,

    /// Compute to look at the counts; the run can never be proposed.
    #[arg(long)]
    dry: bool,

    /// Compute under this pack as well, and print how the two differ. Both runs are dry.
    #[arg(long, value_name = "PACK", value_parser = pack)]
    compare: Option<(String, i32)>,

    /// Compute at once, though scans wait to be drained; the summary says how many.
    #[arg(long)]
    incomplete_ok: bool,

    /// Tell how far a long computation is.
    #[arg(long)]
    follow: bool,

    /// Write the contacts to this file, as CSV by pseudonym. The look is written down, and they can see it.
    #[arg(long, conflicts_with = "compare")]
    contacts: Option<PathBuf>,
}

/// A pack and its version.
pub(crate) fn pack(text: &str) -> Result<(String, i32), String> {
    let named = text.split_once('@').and_then(|(id, version)| Some((id.to_owned(), version.parse().ok()?)));
    named.ok_or_else(|| "a pack and its version, such as baseline@1".to_owned())
}

/// Asks for a run, computes it unless a worker is faster, and prints what it found.
pub(crate) async fn compute(args: &TraceArgs) -> anyhow::Result<()> {
    let purpose = args.purpose.trim();
    ensure!((3..=500).contains(&purpose.chars().count()), "--purpose has 3 to 500 characters");
    ensure!(args.compare.as_ref() != Some(&args.pack), "--compare takes another pack than --pack");
    let house = House::open(&args.house).await?;
    let app = house.app().await?;
    let done = one(&app, args, &args.pack, purpose).await?;
    if let Some(other) = &args.compare
        && done.failure.is_none()
    {
        let other = one(&app, args, other, purpose).await?;
        let cells = differences::matrix(&mut *app.store.conn().await?, done.id, other.id).await?;
        difference_lines(&cells)?.iter().for_each(say);
    }
    if let Some(path) = &args.contacts
        && done.failure.is_none()
    {
        let count = contact_file::write(&app, &done, &args.by, purpose, path).await?;
        say(format!("contacts written  {count} in {}", path.display()));
    }
    drop(app);
    house.close()?;
    match done.failure {
        Some(failure) => bail!("run {} failed: {failure}", done.id),
        None => Ok(()),
    }
}

/// Asks for one run, waits for it, and prints it.
async fn one(app: &App, args: &TraceArgs, pack: &(String, i32), purpose: &str) -> anyhow::Result<RunRow> {
    let id = ask(app, args, pack, purpose).await?;
    let told = async { if args.follow { tell(app, id).await } else { std::future::pending().await } };
    let done = tokio::select! {
        done = tokio::time::timeout(LIMIT, wait(app, id)) => done,
        never = told => never,
    };
    let done = match done {
        Ok(done) => done?,
        Err(_late) => bail!("run {id} is not computed after {LIMIT:?}; a worker will go on with it"),
    };
    run_lines(&done)?.iter().for_each(say);
    Ok(done)
}

async fn ask(
    app: &App,
    args: &TraceArgs,
    (pack_id, pack_version): &(String, i32),
    purpose: &str,
) -> anyhow::Result<Uuid> {
    let now = Clock::System.now();
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let case = cases::find(conn, args.case).await?;
        let case = case.with_context(|| format!("{}: there is no such case", args.case))?;
        ensure!(case.withdrawn_at.is_none(), "{}: the case was withdrawn", case.id);
        let staff = investigator(conn, &args.by, &access::division(&case.division)?).await?;
        ensure!(
            runs::pack_body(conn, pack_id, *pack_version).await?.is_some(),
            "--pack {pack_id}@{pack_version} is not loaded; `placecode packs load` loads those that are shipped"
        );
        let row = RunRow {
            dry: args.dry || args.compare.is_some(),
            incomplete_ok: args.incomplete_ok,
            ..RunRow::queued(case.id, (pack_id.clone(), *pack_version), purpose.to_owned(), staff.id, now)
        };
        runs::insert(conn, &row).await?;
        let subject = format!("run {}", row.id);
        let pack = format!("{pack_id}@{pack_version}");
        let detail = json!({ "case": case.id, "pack": pack, "purpose": purpose, "dry": row.dry });
        audit::append(conn, Act { actor: &signature(&staff), action: "run.requested", subject, detail }, now).await?;
        Ok(row.id)
    })
    .await
}

async fn wait(app: &App, id: Uuid) -> anyhow::Result<RunRow> {
    remark(format!("computing run {id}"));
    loop {
        let run = runs::find(&mut *app.store.conn().await?, id).await?.context("the run is gone")?;
        if run.state()? != RunState::Queued {
            return Ok(run);
        }
        let drained = drain::step(app).await?;
        let traced = trace::step(app).await?;
        if (drained, traced) == (crate::pipeline::Outcome::Idle, crate::pipeline::Outcome::Idle) {
            tokio::time::sleep(REST).await;
        }
    }
}

/// Tells how far a run is, for ever.
async fn tell<T>(app: &App, id: Uuid) -> T {
    let mut shown: Option<Progress> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(mut conn) = app.store.conn().await else { continue };
        if let Ok(Some(noted)) = progress::find(&mut conn, id).await {
            let number = |number: i64| u64::try_from(number).unwrap_or(0);
            let (done, total) = (number(noted.searched), number(noted.searches));
            shown.get_or_insert_with(|| Progress::new("people met", total)).at(
                done,
                total,
                number(noted.people),
            );
        }
    }
}
