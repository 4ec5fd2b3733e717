//! `trace`: one run of a case, computed now, with a summary that names nobody.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use diesel_async::AsyncConnection;
use serde_json::json;
use uuid::Uuid;

use super::cases::{investigator, signature};
use super::contact_file;
use super::house::{House, HouseArgs};
use super::terminal::{remark, say};
use crate::app::App;
use crate::clock::Clock;
use crate::pipeline::{drain, trace};
use crate::store::audit::{self, Act};
use crate::store::runs::{self, RunRow, RunState};
use crate::store::{access, cases};

/// How long the run may take, drained scans included.
const LIMIT: Duration = Duration::from_secs(600);
/// How long to rest when somebody else computes the run.
const REST: Duration = Duration::from_millis(100);

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

    /// Write the contacts to this file, as CSV by pseudonym. The look is written down, and they can see it.
    #[arg(long)]
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
    let house = House::open(&args.house).await?;
    let app = house.app().await?;
    let id = ask(&app, args, purpose).await?;
    let done = match tokio::time::timeout(LIMIT, wait(&app, id)).await {
        Ok(done) => done?,
        Err(_late) => bail!("run {id} is not computed after {LIMIT:?}; a worker will go on with it"),
    };
    say(format!("run       {id}"));
    say(format!("pack      {}@{}", done.pack_id, done.pack_version));
    if let (Some(from), Some(until)) = (done.infectious_from, done.infectious_until) {
        say(format!("infectious  {from} to {until}"));
    }
    say(format!("summary   {}", done.summary.clone().unwrap_or_default()));
    if let Some(path) = &args.contacts
        && done.failure.is_none()
    {
        let count = contact_file::write(&app, &done, &args.by, purpose, path).await?;
        say(format!("contacts  {count} in {}", path.display()));
    }
    drop(app);
    house.close()?;
    match done.failure {
        Some(failure) => bail!("run {id} failed: {failure}"),
        None => Ok(()),
    }
}

async fn ask(app: &App, args: &TraceArgs, purpose: &str) -> anyhow::Result<Uuid> {
    let now = Clock::System.now();
    let (pack_id, pack_version) = args.pack.clone();
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let case = cases::find(conn, args.case).await?;
        let case = case.with_context(|| format!("{}: there is no such case", args.case))?;
        ensure!(case.withdrawn_at.is_none(), "{}: the case was withdrawn", case.id);
        let staff = investigator(conn, &args.by, &access::division(&case.division)?).await?;
        ensure!(
            runs::pack_body(conn, &pack_id, pack_version).await?.is_some(),
            "--pack {pack_id}@{pack_version} is not loaded; `placecode packs load` loads those that are shipped"
        );
        let row = RunRow::queued(case.id, (pack_id, pack_version), purpose.to_owned(), staff.id, now);
        runs::insert(conn, &row).await?;
        let subject = format!("run {}", row.id);
        let detail = json!({ "case": case.id, "pack": format!("{}@{}", row.pack_id, row.pack_version), "purpose": purpose });
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
