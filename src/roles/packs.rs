//! `packs load`: rule packs into the database, where every run finds the version that it names.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::house::{House, HouseArgs};
use super::terminal::say;
use crate::clock::Clock;
use crate::domain::rule_pack::{RulePack, SHIPPED};
use crate::store::audit::{self, Act};
use crate::store::runs;

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
