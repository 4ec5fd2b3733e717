//! `assignments`: events replayed against their rows, written for another system, and replayed there.

mod file;
mod summary;

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use self::file::{Reader, Writer};
use self::summary::Summary;
use super::cases::signature;
use super::house::{House, HouseArgs};
use super::terminal::{grouped, remark, say};
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::life::{Exported, standing};
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::venue::Division;
use crate::store::access::{self, StaffRow};
use crate::store::audit::{self, Act};
use crate::store::histories::{self, LastingRun, Life, Wanted};
use crate::store::looks::{self, Look};

pub(super) const EXAMPLES: &str = "\
Examples:
  placecode assignments export --by admin --approved-by chief --purpose 'new issuing system' --out old.ndjson
  placecode assignments replay --file old.ndjson
docs/reconciliation.md tells the form, and how two systems are compared.";

/// How many assignments are read at a time.
const PAGE: i64 = 1000;

/// Which database is verified.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    house: HouseArgs,
}

/// What is written, who answers for it, and where to.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// Only what this division and those inside it have decided (GB/T 2260).
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Option<Division>,

    /// The login of the administrator who exports.
    #[arg(long)]
    by: String,

    /// The login of the chief officer who approves of it: somebody else.
    #[arg(long)]
    approved_by: String,

    /// What it is for; it stands in the audit log, and those whom it concerns can see it.
    #[arg(long)]
    purpose: String,

    /// The file, which appears when it is complete and which only its owner may read.
    #[arg(long)]
    out: PathBuf,
}

/// Which export is replayed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// The export.
    #[arg(long)]
    file: PathBuf,

    /// For which time the colours are reckoned (RFC 3339); for that of the export when not given.
    #[arg(long)]
    at: Option<DateTime<Utc>>,
}

/// Replays what happened to each assignment and compares it with the row.
pub(crate) async fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let now = Clock::System.now();
    let wanted = Wanted { runs: Vec::new(), lasting_at: None };
    let mut summary = Summary::new(now);
    // One snapshot: what goes on meanwhile is no difference.
    let mut take = |life: Life| check(&life).map(|()| summary.add_life(&life));
    let mut read = conn.build_transaction().repeatable_read().read_only();
    let verified = read.run(async |conn| each(conn, &wanted, &mut take).await).await;
    drop(conn);
    house.close()?;
    verified?;
    summary.print();
    say("Every assignment stands as its events say");
    Ok(())
}

fn check(life: &Life) -> anyhow::Result<()> {
    let named = || format!("assignment {}", life.id);
    let told = standing(&life.events).with_context(named)?;
    ensure!(told == life.row, "{}: its row says {:?}, and its events say {told:?}", named(), life.row);
    let decided = life.events.first().map(|event| event.colour);
    ensure!(
        decided == Some(life.decided),
        "{}: its row was decided as {:?}, and its first event says {decided:?}",
        named(),
        life.decided
    );
    Ok(())
}

/// Hands on every assignment that is wanted, in the order of their ids.
async fn each(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    take: &mut (dyn FnMut(Life) -> anyhow::Result<()> + Send),
) -> anyhow::Result<()> {
    let mut after = Uuid::nil();
    loop {
        let page = histories::page(conn, wanted, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for life in page {
            take(life)?;
        }
    }
}

/// Writes the assignments that last, after it was written down who does it, for what, and who approves.
pub(crate) async fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let purpose = args.purpose.trim();
    ensure!((3..=500).contains(&purpose.chars().count()), "--purpose has 3 to 500 characters");
    ensure!(args.by != args.approved_by, "--approved-by must be somebody else than --by");
    let now = Clock::System.now();
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let runs =
        conn.transaction::<_, anyhow::Error, _>(async |conn| note(conn, args, purpose, now).await).await?;
    let part = part_of(&args.out);
    let written = if runs.is_empty() {
        Err(anyhow::anyhow!("there is no assignment whose days are not over"))
    } else {
        write(&mut conn, runs, &part, now).await
    };
    drop(conn);
    house.close()?;
    if written.is_err() {
        let _gone = fs::remove_file(&part);
    }
    let count = written?;
    fs::rename(&part, &args.out).with_context(|| args.out.display().to_string())?;
    remark(format!("{}: {} assignments", args.out.display(), grouped(count)));
    Ok(())
}

async fn write(
    conn: &mut AsyncPgConnection,
    runs: Vec<Uuid>,
    path: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<u64> {
    let place = || path.display().to_string();
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut writer = Writer::begin(BufWriter::new(file.with_context(place)?), now)?;
    let wanted = Wanted { runs, lasting_at: Some(now) };
    let mut line = |life: Life| {
        check(&life)?;
        writer.add(&Exported {
            assignment: life.id,
            visitor: life.visitor.to_hex(),
            class: life.class,
            rule_pack: life.rule_pack,
            division: life.division,
            events: life.events,
        })
    };
    let mut read = conn.build_transaction().repeatable_read().read_only();
    read.run(async |conn| each(conn, &wanted, &mut line).await).await?;
    let (count, mut file) = writer.end()?;
    file.flush().with_context(place)?;
    file.get_ref().sync_all().with_context(place)?;
    Ok(count)
}

/// Writes down the look at every run that is exported, and the export. Returns the runs.
async fn note(
    conn: &mut AsyncPgConnection,
    args: &ExportArgs,
    purpose: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Uuid>> {
    let division = args.division.unwrap_or(Division::COUNTRY);
    let by = member(conn, "--by", &args.by, Role::Administrator, &division).await?;
    let chief = member(conn, "--approved-by", &args.approved_by, Role::ChiefOfficer, &division).await?;
    let mut runs = Vec::new();
    let mut count = 0;
    for LastingRun { run_id, case_id, division: own, count: more } in
        histories::lasting_runs(conn, now).await?
    {
        if !division.covers(&access::division(&own)?) {
            continue;
        }
        let role = Role::ChiefOfficer.number();
        let look = Look {
            id: Uuid::now_v7(),
            case_id,
            run_id: Some(run_id),
            role,
            purpose: purpose.to_owned(),
            at: now,
            kind: LookKind::Report.number(),
            division: Some(division.to_string()),
            visitor: None,
        };
        looks::insert(conn, &look).await?;
        runs.push(run_id);
        count += more;
    }
    let detail = json!({
        "purpose": purpose, "approved_by": signature(&chief), "runs": runs, "at_most": count,
    });
    let subject = format!("division {division}");
    let act = Act { actor: &signature(&by), action: "assignments.exported", subject, detail };
    audit::append(conn, act, now).await?;
    Ok(runs)
}

async fn member(
    conn: &mut AsyncPgConnection,
    flag: &str,
    login: &str,
    role: Role,
    division: &Division,
) -> anyhow::Result<StaffRow> {
    let staff = access::staff_by_login(conn, login).await?;
    let staff = staff.with_context(|| format!("{flag} {login}: there is no open account of that login"))?;
    ensure!(
        access::roles(&staff.roles)?.contains(&role),
        "{flag} {login}: that account is no {}",
        role.word().replace('_', " ")
    );
    ensure!(
        access::division(&staff.division)?.covers(division),
        "{flag} {login}: that account sees {}, which {division} is not part of",
        staff.division
    );
    Ok(staff)
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Replays an export without any server.
pub(crate) fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let place = || args.file.display().to_string();
    let file = File::open(&args.file).with_context(place)?;
    let mut reader = Reader::begin(BufReader::new(file)).with_context(place)?;
    let mut summary = Summary::new(args.at.unwrap_or(reader.exported_at));
    while let Some((line, one)) = reader.next().with_context(place)? {
        let named = || format!("{}, line {line}: assignment {}", args.file.display(), one.assignment);
        let told = standing(&one.events).with_context(named)?;
        if !summary.add(one.assignment, &one.visitor, one.class, &told).with_context(named)? {
            bail!("{}: it stands there twice", named());
        }
    }
    summary.print();
    Ok(())
}
