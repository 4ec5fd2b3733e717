//! `audit`: verifies the audit log, in the database or in an export, and exports it.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use diesel_async::AsyncPgConnection;
use ed25519_dalek::VerifyingKey;

use super::audit_file::{Export, HeadLine, read_heads};
use super::house::{House, HouseArgs};
use super::noted::note;
use super::terminal::{Progress, grouped, remark, say};
use super::whole_file::Part;
use crate::domain::audit_heads::{self as heads, Head, HeadKeys, key_id};
use crate::domain::audit_search::Walk;
use crate::store::{audit, audit_heads};

/// How many entries are read at once.
const PAGE: i64 = 5000;

/// How many runs are named whose assignments the log does not tell of.
const UNTOLD_MAX: i64 = 20;

/// The exit code when the log was tampered with.
const BROKEN: u8 = 4;

pub(super) const EXAMPLES: &str = "\
Examples:
  placecode audit verify                                         the database, with the heads in it
  placecode audit verify --heads heads.ndjson                    and with those that were kept elsewhere
  placecode audit export --out audit.ndjson
  placecode audit verify --file audit.ndjson --heads heads.ndjson --key 3b6a27bc…
Exit codes: 0 the log is whole; 1 it could not be read; 4 it was tampered with, and the first broken link is named.";

/// Which log is verified, and against what.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// An export (one JSON entry in each line) instead of the database. Needs no servers.
    #[arg(long)]
    file: Option<PathBuf>,

    /// Published heads that were kept elsewhere: the file of `AUDIT_HEADS_FILE`, or what `GET /v1/audit/heads`
    /// answers. Only they find a log that was rewritten with consistent hashes.
    #[arg(long)]
    heads: Option<PathBuf>,

    /// A public key that may have signed them, 64 hexadecimal digits; several are separated by commas. With the
    /// database, those of the key file are known.
    #[arg(long, value_delimiter = ',', value_parser = public_key)]
    key: Vec<VerifyingKey>,

    /// The hash that the last entry must have, as it was noted earlier or elsewhere.
    #[arg(long)]
    head: Option<String>,
}

/// Where an export goes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// The file, which appears when it is complete: published heads, then all entries, one JSON object a line.
    #[arg(long)]
    out: PathBuf,
}

fn public_key(text: &str) -> Result<VerifyingKey, String> {
    heads::public_key(text).ok_or_else(|| "must be an Ed25519 public key of 64 hexadecimal digits".to_owned())
}

/// What was found: how far the log was read, and everything that is wrong, the first broken link first.
struct Verified {
    walk: Walk,
    wrong: Vec<String>,
}

/// Verifies the log, and names the first broken link.
pub(crate) async fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let kept = args.heads.as_deref().map(read_heads).transpose()?.unwrap_or_default();
    let mut verified = if let Some(file) = &args.file {
        offline(args, file, &kept)?
    } else {
        let house = House::open(&args.house).await?;
        let verified = online(args, &house, &kept).await;
        house.close()?;
        verified?
    };
    let (count, hash) = verified.walk.reached();
    if let Some(expected) = args.head.as_ref().filter(|expected| **expected != hash) {
        verified.wrong.push(format!(
            "the last entry is {count} with hash {hash}, not {expected}: entries are missing at the end, or added"
        ));
    }
    if !verified.wrong.is_empty() {
        verified.wrong.iter().for_each(|what| remark(format!("the audit log is broken: {what}")));
        return Ok(ExitCode::from(BROKEN));
    }
    let vouched = match verified.walk.vouched() {
        0 => "no published head was held against it".to_owned(),
        seq => format!("published heads vouch for it up to entry {}", grouped(seq.unsigned_abs())),
    };
    say(format!("{} entries, unbroken; {vouched}. The last hash is {hash}", grouped(count.unsigned_abs())));
    Ok(ExitCode::SUCCESS)
}

/// Published heads that verify, of both kinds, and what is wrong with the others.
fn genuine(own: &[Head], kept: &[Head], keys: &HeadKeys, whole: bool) -> (Vec<Head>, Vec<String>) {
    let mut wrong = Vec::new();
    wrong.extend(heads::verify(own, keys, whole).err().map(|error| error.to_string()));
    wrong.extend(heads::verify(kept, keys, false).err().map(|error| format!("{error} (of the kept heads)")));
    for head in kept {
        match own.iter().find(|own| own.number == head.number) {
            Some(same) if same == head => {}
            Some(_) => wrong.push(format!("head {} is another than the one that was kept", head.number)),
            None if own.is_empty() && !whole => {}
            None => wrong.push(format!("head {} was kept, and is gone", head.number)),
        }
    }
    let good = kept.iter().chain(own).filter(|head| head.verify(keys).is_ok()).cloned().collect();
    (good, wrong)
}

fn keys_of(args: &VerifyArgs) -> HeadKeys {
    args.key.iter().map(|key| (key_id(key), *key)).collect()
}

fn offline(args: &VerifyArgs, file: &Path, kept: &[Head]) -> anyhow::Result<Verified> {
    let keys = keys_of(args);
    ensure!(
        kept.is_empty() || !keys.is_empty(),
        "--heads needs --key: whoever could forge the log could have forged the file of heads too"
    );
    let limit = usize::try_from(PAGE)?;
    let mut export = Export::open(file)?;
    let mut progress = Progress::new("entries verified", export.size()?);
    let size = export.size()?;
    let mut page = export.page(limit)?;
    let own = std::mem::take(&mut export.heads);
    let (good, mut wrong) =
        if keys.is_empty() { (Vec::new(), Vec::new()) } else { genuine(&own, kept, &keys, false) };
    if keys.is_empty() && !own.is_empty() {
        remark("the file holds published heads; give --key to have them verified");
    }
    let mut walk = Walk::new(good);
    while !page.is_empty() {
        let ahead = export.page(limit)?;
        if let Err(finding) = walk.add(page, &ahead) {
            wrong.insert(0, finding.to_string());
            return Ok(Verified { walk, wrong });
        }
        page = ahead;
        progress.at(export.bytes, size, walk.reached().0.unsigned_abs());
    }
    progress.end();
    if let Err(finding) = walk.end(None) {
        wrong.insert(0, finding.to_string());
    }
    Ok(Verified { walk, wrong })
}

async fn online(args: &VerifyArgs, house: &House, kept: &[Head]) -> anyhow::Result<Verified> {
    let mut conn = house.store()?.conn().await?;
    let mut keys = keys_of(args);
    keys.extend(house.keys()?.audit_public_keys());
    let own = audit_heads::page(&mut conn, 0, i64::MAX).await?;
    let (good, mut wrong) = genuine(&own, kept, &keys, true);
    // The end is read first: entries may be added while we walk.
    let (seq, hash, last) = audit::end(&mut conn).await?;
    let mut walk = Walk::new(good);
    let mut progress = Progress::new("entries verified", last.unsigned_abs());
    let mut after = i64::MIN;
    let mut next = async |conn: &mut AsyncPgConnection| -> anyhow::Result<_> {
        let mut page = audit::page(conn, after, PAGE).await?;
        page.retain(|entry| entry.seq <= last);
        after = page.last().map_or(i64::MAX, |entry| entry.seq);
        Ok(page)
    };
    let mut page = next(&mut conn).await?;
    while !page.is_empty() {
        let ahead = next(&mut conn).await?;
        if let Err(finding) = walk.add(page, &ahead) {
            wrong.insert(0, finding.to_string());
            return Ok(Verified { walk, wrong });
        }
        page = ahead;
        let done = walk.reached().0.unsigned_abs();
        progress.at(done, last.unsigned_abs(), done);
    }
    progress.end();
    if let Err(finding) = walk.end(Some(&(seq, hash))) {
        wrong.insert(0, finding.to_string());
    }
    for run in audit::untold_runs(&mut conn, UNTOLD_MAX).await? {
        wrong.push(format!(
            "run {} has {} assignments and the log tells of {}, {} of them were let go without a word in the log: \
             somebody wrote them past the service",
            run.run_id, run.assignments, run.told, run.unreleased
        ));
    }
    Ok(Verified { walk, wrong })
}

/// Writes the log to a file. That it was exported is its last entry.
pub(crate) async fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let house = House::open(&args.house).await?;
    let count = write(&house, &args.out).await;
    house.close()?;
    say(format!("{} entries exported to {}", grouped(count?), args.out.display()));
    Ok(())
}

async fn write(house: &House, out: &Path) -> anyhow::Result<u64> {
    let mut conn = house.store()?.conn().await?;
    note(&mut conn, "audit.exported", "audit log", serde_json::json!({})).await?;
    let (last, _) = audit::head(&mut conn).await?;
    let part = Part::create(out)?;
    let mut file = BufWriter::new(part.file());
    let place = || out.display().to_string();
    for head in audit_heads::page(&mut conn, 0, i64::MAX).await? {
        serde_json::to_writer(&mut file, &HeadLine { head })?;
        file.write_all(b"\n").with_context(place)?;
    }
    let mut progress = Progress::new("entries exported", last.unsigned_abs());
    let (mut after, mut count) = (0, 0);
    while after < last {
        let page = audit::page(&mut conn, after, PAGE.min(last - after)).await?;
        let Some(end) = page.last().map(|entry| entry.seq) else { break };
        for entry in &page {
            serde_json::to_writer(&mut file, entry)?;
            file.write_all(b"\n").with_context(place)?;
        }
        after = end;
        count += u64::try_from(page.len())?;
        progress.at(after.unsigned_abs(), last.unsigned_abs(), count);
    }
    progress.end();
    file.flush().with_context(place)?;
    drop(file);
    part.complete(out)?;
    Ok(count)
}
