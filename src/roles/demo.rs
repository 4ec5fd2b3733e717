//! `demo`: everything on this machine, and an outbreak played through the public HTTP API.

mod caller;
mod cast;
mod city;
mod play;
mod summary;

use std::collections::BTreeMap;

use anyhow::Context;
use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use self::caller::Caller;
use self::cast::{ACCOUNTS, DIVISION, PASSWORD};
use self::city::City;
use self::play::Scene;
use self::summary::Stored;
use super::house::House;
use super::signals;
use super::stage::{Stage, StageArgs};
use super::terminal::{remark, say};
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::issuer::reference::IssuerKeys;
use crate::password;
use crate::store::access::{self, StaffRow, role_numbers};
use crate::store::stay_packs;

/// How the demo is played.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    stage: StageArgs,

    /// End after the summary, with an exit code that tells whether anything fell short.
    #[arg(long)]
    exit: bool,

    /// How many visitors the city has.
    #[arg(long, default_value = "2000", value_parser = clap::value_parser!(u32).range(50..=20_000))]
    visitors: u32,

    /// What the city and its people are drawn from.
    #[arg(long, default_value = "2022")]
    seed: u64,
}

/// Starts everything, plays, says what happened, and keeps serving until it is asked to end.
pub(crate) async fn demo(args: &DemoArgs) -> anyhow::Result<bool> {
    let mut stage_args = args.stage.clone();
    stage_args.house.data = stage_args.house.data.join("demo");
    stage_args.for_play = true;
    let mut stage = Stage::open(&stage_args).await?;
    let done = perform(args, &mut stage).await;
    remark("ending the roles and the servers");
    stage.close()?;
    done
}

async fn perform(args: &DemoArgs, stage: &mut Stage) -> anyhow::Result<bool> {
    if !stage.ready().await? {
        return Ok(false);
    }
    make_administrator(&stage.house).await?;
    let scene = scene(args, stage)?;
    let played = stage
        .keep(async {
            tokio::select! {
                played = scene.play() => Some(played),
                () = signals::asked_to_end() => None,
            }
        })
        .await;
    let Some(seen) = played else { return Ok(false) };
    let seen = seen?;
    let stored = stored(&stage.house).await?;
    let short = summary::summarise(&seen, &stored);
    for line in &short {
        say(format!("FELL SHORT: {line}"));
    }
    if !args.exit {
        addresses(stage);
        stage.keep(signals::asked_to_end()).await;
    }
    Ok(short.is_empty())
}

fn scene(args: &DemoArgs, stage: &Stage) -> anyhow::Result<Scene> {
    let keys = IssuerKeys::read(&stage.house.issuer_keys_file().context("a private house has issuer keys")?)?;
    let config = stage.house.config()?;
    let people = usize::try_from(args.visitors)?;
    Ok(Scene {
        service: Caller::new(&stage.public_url)?,
        platform: Caller::new(&stage.issuer_url)?.with(keys.api_token()),
        city: City::new(people, args.seed, config.local_offset),
        keys,
        people,
        shift_file: stage.house.clock_shift_file(),
    })
}

/// The first administrator; the other accounts are made through the API.
async fn make_administrator(house: &House) -> anyhow::Result<()> {
    let password_hash = tokio::task::spawn_blocking(|| password::hash(PASSWORD)).await??;
    let row = StaffRow {
        id: Uuid::now_v7(),
        login: "admin".to_owned(),
        display_name: "管理员 Administrator".to_owned(),
        password_hash,
        roles: role_numbers(&[Role::Administrator]),
        division: DIVISION.to_owned(),
        disabled_at: None,
        created_at: Clock::System.now(),
    };
    let mut conn = house.store()?.conn().await?;
    Ok(access::insert_staff(&mut conn, &row).await?)
}

fn addresses(stage: &Stage) {
    say("The service goes on. Try:");
    say(format!("  {}login          staff; password of every demo account: {PASSWORD}", stage.public_url));
    for (login, name, _) in ACCOUNTS {
        say(format!("      {login:<14} {name}"));
    }
    say(format!("  {}               citizens: type the code of a poster", stage.public_url));
    say(format!(
        "  {}               the health-code platform: sign in as DEMO-000001 and see your colour",
        stage.issuer_url
    ));
    say("Ctrl-C ends it.");
}

/// What Postgres holds, read beside the service, once the log is drained.
async fn stored(house: &House) -> anyhow::Result<Stored> {
    let app = house.app().await?;
    let mut waiting_entries = 0;
    for _ in 0..200 {
        waiting_entries = 0;
        for shard in app.intake.shards() {
            waiting_entries += app.intake.length(shard).await?;
        }
        if waiting_entries == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut conn = app.store.conn().await?;
    let mut colours = BTreeMap::new();
    for (number, word) in [(1, "yellow"), (2, "red")] {
        let sql = format!(
            "select count(*) as count from (select visitor, max(colour) as colour from assignments
             where state in (1, 2) group by visitor) v where colour = {number}"
        );
        colours.insert(word.to_owned(), count(&mut conn, &sql).await?);
    }
    let (stays, contradicted) = stay_packs::count(&mut conn).await?;
    Ok(Stored {
        scans: count(&mut conn, "select count(*) as count from scans").await?,
        stays,
        contradicted,
        letters: count(&mut conn, "select count(*) as count from letters").await?,
        waiting_entries,
        open_colours: colours,
    })
}

async fn count(conn: &mut AsyncPgConnection, sql: &str) -> anyhow::Result<i64> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    Ok(diesel::sql_query(sql).get_result::<Count>(conn).await?.count)
}
