//! The end of the audit log → signed heads, in the table and in a file that no administrator of the database writes.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, bail};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::Outcome;
use crate::app::App;
use crate::domain::audit_heads::Head;
use crate::store::{audit_heads, retention};

/// How many heads are read at once.
const PAGE: i64 = 1000;

/// Publishes the heads of days that are over, and brings the file up to date.
pub async fn step(app: &App) -> anyhow::Result<Outcome> {
    let mut conn = app.store.conn().await?;
    let mut now = app.clock.now();
    if app.clock.is_the_machines() {
        // A head cannot be taken back: of two clocks the one counts by which fewer days are over.
        now = now.min(retention::postgres_now(&mut conn).await?);
    }
    let published =
        conn.transaction::<_, anyhow::Error, _>(async |conn| Ok(app.publish_daily(conn, now).await?)).await?;
    let kept = match &app.config.audit_heads_file {
        Some(path) => keep_outside(&mut conn, path).await?,
        None => 0,
    };
    Ok(Outcome::of(published + kept))
}

/// Appends to the file what it lacks. A file that says something else than the table stays as it is, and the step
/// fails until somebody has looked: one of the two was changed.
async fn keep_outside(conn: &mut AsyncPgConnection, path: &Path) -> anyhow::Result<usize> {
    let place = || format!("--audit-heads-file {}", path.display());
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).open(path).with_context(place)?;
    // Several workers may share the file.
    file.lock().with_context(place)?;
    let last = last_of(&file).with_context(place)?;
    let after = last.as_ref().map_or(0, |last| last.number - 1);
    let mut heads = audit_heads::page(conn, after, PAGE).await?;
    if let Some(last) = last {
        if heads.first() != Some(&last) {
            tracing::error!("the published heads in the database are others than in the file");
            bail!(
                "{}: head {} is another than in the table; run `placecode audit verify`",
                place(),
                last.number
            );
        }
        heads.remove(0);
    }
    let mut lines = String::new();
    for head in &heads {
        lines.push_str(&serde_json::to_string(head)?);
        lines.push('\n');
    }
    if !lines.is_empty() {
        (&file).write_all(lines.as_bytes()).with_context(place)?;
        file.sync_all().with_context(place)?;
    }
    Ok(heads.len())
}

/// The last head of a file. A line that was cut off by a crash is cut off here too.
fn last_of(mut file: &File) -> anyhow::Result<Option<Head>> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        file.set_len(u64::try_from(whole)?)?;
        text.truncate(whole);
    }
    let Some(line) = text.lines().last() else { return Ok(None) };
    Ok(Some(serde_json::from_str(line).context("its last line is no head")?))
}
