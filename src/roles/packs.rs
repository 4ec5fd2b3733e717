//! `packs`: rule packs are checked and shown, and loaded into the database, where every run finds the version that it names.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::house::{House, HouseArgs};
use super::pack_text;
use super::terminal::say;
use crate::clock::Clock;
use crate::domain::rule_pack::{RulePack, SHIPPED};
use crate::store::audit::{self, Act};
use crate::store::runs;

/// The JSON Schema of rule packs.
pub(super) const SCHEMA: &str = include_str!("../../policies/rule-pack.schema.json");

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  placecode packs check policies/*.toml

Exit codes: 0 all are sound; 1 one of them is not, or cannot be read.";

pub(super) const SHOW_EXAMPLES: &str = "\
Examples:
  placecode packs show national-edition-9@1
  placecode packs show mine.toml";

/// Which packs to check.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CheckArgs {
    /// Rule packs, such as those in `policies/`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Which pack to show.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ShowArgs {
    /// Name and version of a pack that comes with the program, or a file.
    pack: String,
}

/// Checks packs: a line for each, as `FILE:LINE: KEY: REASON` where it is refused.
pub(crate) fn check(args: &CheckArgs) -> ExitCode {
    let mut names = BTreeSet::new();
    let mut sound = true;
    for file in &args.files {
        let place = file.display();
        let found = match std::fs::read_to_string(file) {
            Err(error) => Err(format!("{place}: {error}")),
            Ok(text) => RulePack::parse(&text)
                .map_err(|refused| format!("{place}:{}: {}: {}", refused.line, refused.key, refused.reason)),
        };
        let told = found.and_then(|pack| {
            let name = pack.name();
            let said = format!("{place}: {name} is sound");
            let twice =
                format!("{place}:1: version: {name} stands in a file before this one; raise the version");
            if names.insert(name) { Ok(said) } else { Err(twice) }
        });
        sound &= told.is_ok();
        say(told.unwrap_or_else(|refusal| refusal));
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lists the packs that come with the program.
pub(crate) fn list() -> anyhow::Result<()> {
    for (file, text) in SHIPPED {
        let pack = RulePack::parse(text).context(*file)?;
        say(pack_text::line(&pack));
    }
    Ok(())
}

/// Shows a pack.
pub(crate) fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let path = PathBuf::from(&args.pack);
    let pack = if path.is_file() {
        let text = std::fs::read_to_string(&path).with_context(|| args.pack.clone())?;
        RulePack::parse(&text).with_context(|| args.pack.clone())?
    } else {
        let shipped = SHIPPED.iter().filter_map(|(_, text)| RulePack::parse(text).ok());
        shipped.into_iter().find(|pack| pack.name() == args.pack).with_context(|| {
            format!("{} is neither a file nor a pack that `placecode packs list` names", args.pack)
        })?
    };
    for line in pack_text::describe(&pack) {
        say(line);
    }
    Ok(())
}

/// Which packs to load.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// Rule packs, such as those in `policies/`. None: those that come with the program.
    files: Vec<PathBuf>,
}

/// Loads packs; one that is there already changes nothing.
pub(crate) async fn load(args: &LoadArgs) -> anyhow::Result<()> {
    let mut texts = Vec::new();
    for file in &args.files {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let pack = RulePack::parse(&text).with_context(|| file.display().to_string())?;
        texts.push((pack, text));
    }
    let house = House::open(&args.house).await?;
    let mut conn = house.store()?.conn().await?;
    let now = Clock::System.now();
    if texts.is_empty() {
        load_shipped(&mut conn, now).await?;
    }
    for (pack, text) in &texts {
        keep(&mut conn, pack, text, now).await?;
    }
    for (id, version) in runs::packs(&mut conn).await? {
        say(format!("{id}@{version}"));
    }
    drop(conn);
    house.close()
}

/// Loads the packs that come with the program.
pub(crate) async fn load_shipped(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    for (_, text) in SHIPPED {
        keep(conn, &RulePack::parse(text)?, text, now).await?;
    }
    Ok(())
}

async fn keep(
    conn: &mut AsyncPgConnection,
    pack: &RulePack,
    text: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let name = pack.name();
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let known = runs::pack_body(conn, &pack.id, pack.version).await?;
        ensure!(
            runs::load_pack(conn, pack, text, now).await?,
            "{name} is loaded already with another text; runs rest on it. Raise `version` in the file"
        );
        if known.is_none() {
            let (actor, subject) = (super::ACTOR, name.clone());
            let act = Act { actor, action: "rule_pack.loaded", subject, detail: serde_json::json!({}) };
            audit::append(conn, act, now).await?;
        }
        Ok(())
    })
    .await
}
