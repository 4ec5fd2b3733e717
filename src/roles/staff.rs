//! `staff add`: an account from the machine itself; the first administrator comes from here.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use diesel_async::AsyncConnection;
use serde_json::json;
use uuid::Uuid;

use super::house::{House, HouseArgs};
use super::terminal::say;
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::venue::Division;
use crate::password;
use crate::store::access::{self, StaffRow, role_numbers};
use crate::store::audit::{self, Act};

/// Who is added.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    house: HouseArgs,

    /// The name to sign in with: 2 to 40 of a-z, 0-9, dot, hyphen and underscore.
    #[arg(long, value_parser = login)]
    login: String,

    /// The name to show; the login when not given.
    #[arg(long)]
    name: Option<String>,

    /// What the person is there for; several are separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', required = true)]
    role: Vec<Role>,

    /// The division (GB/T 2260) that the person may see, with all inside it.
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Division,

    /// A file whose first line is the password; without it the first line of standard input.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

fn login(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    if (2..=40).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("2 to 40 of a-z, 0-9, dot, hyphen and underscore".to_owned())
    }
}

/// Adds an account.
pub(crate) async fn add(args: &AddArgs) -> anyhow::Result<()> {
    let name = args.name.clone().unwrap_or_else(|| args.login.clone());
    ensure!((1..=100).contains(&name.trim().chars().count()), "--name has 1 to 100 characters");
    let mut roles = args.role.clone();
    roles.sort_by_key(|role| *role as i16);
    roles.dedup();
    let password = read_password(args.password_file.as_ref())?;
    let hash = tokio::task::spawn_blocking(move || password::hash(&password)).await??;
    let house = House::open(&args.house).await?;
    let now = Clock::System.now();
    let row = StaffRow {
        id: Uuid::now_v7(),
        login: args.login.clone(),
        display_name: name.trim().to_owned(),
        password_hash: hash,
        roles: role_numbers(&roles),
        division: args.division.to_string(),
        disabled_at: None,
        created_at: now,
    };
    let words: Vec<_> = roles.iter().map(|role| role.word()).collect();
    let mut conn = house.store()?.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        ensure!(
            access::staff_by_login(conn, &row.login).await?.is_none(),
            "--login {}: there is an account of that name",
            row.login
        );
        access::insert_staff(conn, &row).await.context("adding the account (was the name used before?)")?;
        let detail = json!({ "login": row.login, "roles": words, "division": row.division });
        let act =
            Act { actor: super::ACTOR, action: "staff.added", subject: format!("staff {}", row.id), detail };
        Ok(audit::append(conn, act, now).await?)
    })
    .await?;
    say(format!(
        "{} ({}) may sign in: {} of {}",
        row.login,
        row.display_name,
        words.join(", "),
        row.division
    ));
    drop(conn);
    house.close()
}

/// The first line of the file, or of standard input. More than a password is not read.
fn read_password(file: Option<&PathBuf>) -> anyhow::Result<String> {
    let limit = password::BYTES_MAX as u64 + 2;
    let mut text = String::new();
    if let Some(path) = file {
        let place = || format!("--password-file {}", path.display());
        let file = std::fs::File::open(path).with_context(place)?;
        file.take(limit).read_to_string(&mut text).with_context(place)?;
    } else {
        let read = std::io::stdin().lock().take(limit).read_to_string(&mut text);
        read.context("reading the password from standard input")?;
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
