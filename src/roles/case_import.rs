//! `cases import`: a line list of cases from a file, all of it or nothing.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use chrono::FixedOffset;
use diesel_async::AsyncConnection;

use super::cases::signature;
use super::house::{House, HouseArgs};
use super::terminal::{Progress, grouped, remark, say};
use super::visitor::{IdentityArgs, visitor_key};
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::line_list::{self, Fault, LineRow, Terms, Who};
use crate::domain::venue::Division;
use crate::domain::visitor::{IdentityKind, Visitor};
use crate::http::case_import::act;
use crate::store::access::{self, StaffRow};
use crate::store::audit;
use crate::store::case_lists::{self, Entering, Imported};

/// The largest file, in bytes: 100,000 cases.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How many faults are printed.
const FAULTS_SHOWN: usize = 50;

pub(super) const EXAMPLES: &str = "\
Columns: case_no, visitor (32 hexadecimal digits) or identity and identity_kind, kind, onset_at, sampled_at,
isolated_at, authority, division. Headings of SORMAS, Go.Data and the WHO are understood; docs/cases.md lists them.
A day alone (2026-03-01) is its beginning by the local clock.

Examples:
  placecode cases import cases.csv --by wang --check
  placecode cases import cases.csv --by wang --authority 'Zhengzhou CDC' --division 410105
  placecode cases import sormas.csv --by wang --map case_no=uuid --map sampled_at=Lab_date1
All of the list is entered, or nothing. The same list again changes nothing; a case of which the list says something
else is named and left as it is.";

/// Which list.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    kind_of_identity: IdentityArgs,

    /// The list: CSV in UTF-8; `-` reads it from standard input.
    file: PathBuf,

    /// The login of the investigator who enters it.
    #[arg(long)]
    by: String,

    /// Check everything and say what would be done, but enter nothing.
    #[arg(long)]
    check: bool,

    /// Under which heading the list has a column, such as `sampled_at=Lab_date1`. May be repeated.
    #[arg(long, value_name = "COLUMN=HEADING", value_parser = pair)]
    map: Vec<(String, String)>,

    /// The authority of a list that has no such column.
    #[arg(long)]
    authority: Option<String>,

    /// The division (GB/T 2260) of a list that has no such column.
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Option<Division>,

    /// How far the local clock is ahead of UTC.
    #[arg(long, env, default_value = "+08:00", allow_hyphen_values = true)]
    local_offset: FixedOffset,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (column, heading) = text.split_once('=').ok_or("COLUMN=HEADING, such as sampled_at=Lab_date1")?;
    Ok((column.trim().to_owned(), heading.trim().to_owned()))
}

/// Imports a list and returns how many cases it says something else of.
pub(crate) async fn import(args: &ImportArgs) -> anyhow::Result<u64> {
    let bytes = content(args)?;
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let staff = access::staff_by_login(&mut conn, &args.by).await?;
    let staff = staff.with_context(|| format!("--by {}: there is no open account of that login", args.by))?;
    ensure!(
        access::roles(&staff.roles)?.contains(&Role::Investigator),
        "--by {}: that account is no investigator",
        args.by
    );
    let rows = read(args, &house, &staff, &bytes)?;
    let entering = Entering { by: staff.id, at: Clock::System.now(), check: args.check };
    let mut progress = Progress::new("cases", rows.len() as u64);
    let imported = conn
        .transaction::<_, anyhow::Error, _>(async |conn| {
            let tell = |done: usize| progress.at(done as u64, rows.len() as u64, done as u64);
            let imported = case_lists::import(conn, &rows, entering, tell).await?;
            if !args.check {
                audit::append(conn, act(&signature(&staff), &bytes, rows.len(), &imported), entering.at)
                    .await?;
            }
            Ok(imported)
        })
        .await?;
    progress.end();
    report(args, rows.len(), &imported);
    drop(conn);
    house.close()?;
    Ok(imported.changed.len() as u64)
}

fn content(args: &ImportArgs) -> anyhow::Result<Vec<u8>> {
    let place = || args.file.display().to_string();
    let mut bytes = Vec::new();
    let read = if args.file.as_os_str() == "-" {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        File::open(&args.file).with_context(place)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)
    };
    let read = read.with_context(place)?;
    ensure!(
        read as u64 <= FILE_BYTES_MAX,
        "{}: larger than {FILE_BYTES_MAX} bytes; give parts of it",
        place()
    );
    Ok(bytes)
}

fn read(args: &ImportArgs, house: &House, staff: &StaffRow, bytes: &[u8]) -> anyhow::Result<Vec<LineRow>> {
    let key = visitor_key(&args.kind_of_identity, house).ok();
    let usual: IdentityKind = args.kind_of_identity.identity_kind.into();
    let who = |kind: &str, number: &str| {
        let kind = if kind.is_empty() { Some(usual) } else { kind_of(kind) };
        Some(Visitor::of(key.as_ref()?.bytes(), kind?, number))
    };
    let terms = Terms {
        who: key.as_ref().map(|_| &who as &Who<'_>),
        map: &args.map,
        authority: args.authority.as_deref(),
        division: args.division,
        within: access::division(&staff.division)?,
        offset: args.local_offset,
        now: Clock::System.now(),
    };
    line_list::read(bytes, &terms).map_err(|faults| refused(&faults))
}

/// A kind of document as the command line writes it.
fn kind_of(word: &str) -> Option<IdentityKind> {
    use clap::ValueEnum;
    super::visitor::Kind::from_str(word, true).ok().map(IdentityKind::from)
}

fn refused(faults: &[Fault]) -> anyhow::Error {
    for fault in faults.iter().take(FAULTS_SHOWN) {
        remark(fault.to_string());
    }
    let more = faults.len().saturating_sub(FAULTS_SHOWN);
    if more > 0 {
        remark(format!("and {more} more"));
    }
    anyhow::anyhow!("nothing was entered: the list has {} faults", faults.len())
}

fn report(args: &ImportArgs, read: usize, imported: &Imported) {
    let entered = if args.check { "would be entered" } else { "entered" };
    say(format!("{:>11}  cases read", grouped(read as u64)));
    say(format!("{:>11}  {entered}", grouped(imported.added as u64)));
    say(format!("{:>11}  already there", grouped(imported.known as u64)));
    say(format!(
        "{:>11}  there with something else, and left as they are",
        grouped(imported.changed.len() as u64)
    ));
    for changed in &imported.changed {
        let columns = changed.columns.join(", ");
        say(format!(
            "  line {}, {}: case {} has another {columns}",
            changed.line, changed.case_no, changed.case
        ));
    }
}
