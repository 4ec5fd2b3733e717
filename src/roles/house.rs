//! Where Postgres, Redis and the keys are: given ones, or the private house under a data folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::{Args, FromArgMatches};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use serde::{Deserialize, Serialize};

use super::keys::{fresh, write_secret};
use super::packs;
use super::terminal::remark;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::keyring::Keyring;
use crate::embedded::{EmbeddedError, Servers};
use crate::intake::Intake;
use crate::issuer::reference::IssuerKeys;
use crate::store::{self, Store};

/// The id of the reference issuing system in a private house, and the name of its secret.
pub(crate) const ISSUER: &str = "reference";
/// The database of the service.
const DATABASE: &str = "placecode";
/// The database of the reference issuing system.
const ISSUER_DATABASE: &str = "issuer";
/// How long servers that another process runs may take to answer: they may just be recovering.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// How long to rest before they are asked again.
const REST: Duration = Duration::from_millis(250);
/// How many connections a command that ends needs.
const CONNECTIONS: u32 = 4;

/// Which Postgres and Redis a command uses: all three addresses, or none of them for a private house.
#[derive(Args, Clone, Debug)]
pub(crate) struct HouseArgs {
    /// The data folder of the private Postgres and Redis, which are used when no addresses are given.
    #[arg(long, env = "PLACECODE_DATA", default_value = ".placecode")]
    pub(crate) data: PathBuf,

    /// Postgres, as `postgres://user:password@host/database`.
    #[arg(long, env, hide_env_values = true)]
    database_url: Option<String>,

    /// Redis or Valkey, as `redis://host` or `redis+unix:///path`.
    #[arg(long, env, hide_env_values = true)]
    redis_url: Option<String>,

    /// The key file that `placecode keys` wrote.
    #[arg(long, env)]
    keys_file: Option<PathBuf>,
}

/// A Postgres, a Redis and the keys, ready to be used.
pub(crate) struct House {
    /// The service's database.
    pub(crate) database_url: String,
    /// Redis.
    pub(crate) redis_url: String,
    /// The service's keys.
    pub(crate) keys_file: PathBuf,
    /// The data folder, when the house is private.
    pub(crate) folder: Option<PathBuf>,
    /// The servers, when this process runs them.
    pub(crate) servers: Option<Servers>,
}

/// What the owner of a private house leaves for other commands.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    pid: u32,
    database_url: String,
    redis_url: String,
}

impl HouseArgs {
    /// The given addresses; `None` when there are none.
    fn given(&self) -> anyhow::Result<Option<House>> {
        let settings = [
            ("DATABASE_URL", self.database_url.is_some()),
            ("REDIS_URL", self.redis_url.is_some()),
            ("KEYS_FILE", self.keys_file.is_some()),
        ];
        let names = |given: bool| {
            let names: Vec<_> =
                settings.iter().filter(|(_, is)| *is == given).map(|(name, _)| *name).collect();
            names.join(" and ")
        };
        match (&self.database_url, &self.redis_url, &self.keys_file) {
            (Some(database_url), Some(redis_url), Some(keys_file)) => Ok(Some(House {
                database_url: database_url.clone(),
                redis_url: redis_url.clone(),
                keys_file: keys_file.clone(),
                folder: None,
                servers: None,
            })),
            (None, None, None) => Ok(None),
            _ => bail!(
                "{} is given, {} is not. Give all three (flags or environment) to use servers of your own, or none \
                 for the private ones under {}",
                names(true),
                names(false),
                self.data.display()
            ),
        }
    }

    /// Starts the private house as its owner, with its tables in this release's form.
    pub(crate) async fn own(&self) -> anyhow::Result<House> {
        if let Some(House { .. }) = self.given()? {
            bail!(
                "this role runs a Postgres and a Redis of its own, and DATABASE_URL, REDIS_URL and KEYS_FILE are given. \
                 Unset them, or run `placecode serve` and `placecode work` with them"
            );
        }
        let house = House::private(start(&self.data).await??)?;
        house.migrate().await?;
        Ok(house)
    }
}

impl House {
    /// Opens the house for a command that ends: the given servers, the private ones that another placecode runs,
    /// else private ones for as long as the command takes.
    pub(crate) async fn open(args: &HouseArgs) -> anyhow::Result<Self> {
        if let Some(given) = args.given()? {
            return Ok(given);
        }
        match start(&args.data).await? {
            Ok(servers) => {
                let house = Self::private(servers)?;
                house.migrate().await?;
                Ok(house)
            }
            Err(EmbeddedError::InUse { folder, holder }) => Self::guest(folder, &holder).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The house of servers that this process runs. Key files are made on first use.
    fn private(servers: Servers) -> anyhow::Result<Self> {
        for name in [DATABASE, ISSUER_DATABASE] {
            servers.ensure_database(name)?;
        }
        let folder = servers.folder().to_owned();
        let keys_file = folder.join("keys.toml");
        write_secret(&keys_file, &fresh().to_toml())?;
        let issuer_keys_file = folder.join("issuer-keys.toml");
        write_secret(&issuer_keys_file, &IssuerKeys::generate(rand::random()).to_toml())?;
        let issuer = IssuerKeys::read(&issuer_keys_file)?;
        let secrets = format!("{ISSUER} = \"{}\"\n", issuer.letters_secret_text());
        write_secret(&folder.join("issuer-secrets.toml"), &secrets)?;
        Ok(Self {
            database_url: servers.database_url(DATABASE),
            redis_url: servers.redis_url(),
            keys_file,
            folder: Some(folder),
            servers: Some(servers),
        })
    }

    /// The house that another process runs.
    async fn guest(folder: PathBuf, holder: &str) -> anyhow::Result<Self> {
        let busy = || {
            format!(
                "{} is used by another placecode (process {holder}) that does not share its servers: a command that \
                 ends, or an `up` that is just starting. Try again when it has ended or is ready",
                folder.display()
            )
        };
        let text = fs::read_to_string(note_path(&folder)).with_context(busy)?;
        let note: Note = toml::from_str(&text).with_context(busy)?;
        ensure!(note.pid.to_string() == holder, busy());
        let house = Self {
            database_url: note.database_url,
            redis_url: note.redis_url,
            keys_file: folder.join("keys.toml"),
            folder: Some(folder),
            servers: None,
        };
        let begun = Instant::now();
        while let Err(error) = house.check().await {
            if begun.elapsed() > ANSWER_LIMIT {
                let place = format!("the servers that process {holder} runs do not answer");
                return Err(error.context(place));
            }
            tokio::time::sleep(REST).await;
        }
        Ok(house)
    }

    async fn check(&self) -> anyhow::Result<()> {
        let asked = async {
            drop(self.store()?.conn().await.context("Postgres")?);
            Intake::new(&self.config()?)?.ping().await.context("Redis")
        };
        tokio::time::timeout(ANSWER_LIMIT, asked).await.context("no answer")?
    }

    /// Throws away what an earlier play left in both databases, in Redis and of the clock.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        let servers = self.servers.as_ref().context("only a private house is emptied")?;
        for name in [DATABASE, ISSUER_DATABASE] {
            let mut conn = AsyncPgConnection::establish(&servers.database_url(name)).await?;
            conn.batch_execute("drop schema public cascade; create schema public").await?;
        }
        let mut redis = Intake::new(&self.config()?)?.conn().await?;
        redis::cmd("FLUSHALL").query_async::<()>(&mut redis).await?;
        match fs::remove_file(self.clock_shift_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        self.migrate().await?;
        Ok(())
    }

    /// The file by which a play shifts the clock of all roles.
    pub(crate) fn clock_shift_file(&self) -> PathBuf {
        self.folder.clone().unwrap_or_default().join("clock-shift")
    }

    /// Brings the tables to this release's form, loads the rule packs that come with it, and returns what was run.
    pub(crate) async fn migrate(&self) -> anyhow::Result<Vec<String>> {
        let run = store::migrate(&self.database_url).await.context("migrating the database")?;
        packs::load_shipped(&mut *self.store()?.conn().await?, Clock::System.now()).await?;
        Ok(run)
    }

    /// A few connections to Postgres.
    pub(crate) fn store(&self) -> anyhow::Result<Store> {
        Store::new(&self.database_url, CONNECTIONS).context("DATABASE_URL")
    }

    /// The service's keys.
    pub(crate) fn keys(&self) -> anyhow::Result<Keyring> {
        let place = || format!("KEYS_FILE {}", self.keys_file.display());
        Keyring::parse(&fs::read_to_string(&self.keys_file).with_context(place)?).with_context(place)
    }

    /// The settings of the service for this house; what it does not say comes from the environment.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let keys_file = self.keys_file.to_string_lossy();
        let mut args = vec!["placecode", "--database-url", &self.database_url];
        args.extend(["--redis-url", &self.redis_url, "--keys-file", &keys_file]);
        let secrets = self.folder.as_ref().map(|folder| folder.join("issuer-secrets.toml"));
        let secrets = secrets.as_ref().map(|path| path.to_string_lossy());
        if let Some(secrets) = &secrets {
            args.extend(["--issuer-secrets-file", secrets]);
        }
        let matches = Config::augment_args(clap::Command::new("placecode")).try_get_matches_from(args)?;
        Ok(Config::from_arg_matches(&matches)?)
    }

    /// What the roles of the service share, on this house.
    pub(crate) async fn app(&self) -> anyhow::Result<App> {
        App::build(self.config()?, Clock::System).await
    }

    /// The issuing system's key file, when the house is private.
    pub(crate) fn issuer_keys_file(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join("issuer-keys.toml"))
    }

    /// The issuing system's database, when this process runs the servers.
    pub(crate) fn issuer_database_url(&self) -> Option<String> {
        self.servers.as_ref().map(|servers| servers.database_url(ISSUER_DATABASE))
    }

    /// Tells other commands where the servers of this process are.
    pub(crate) fn leave_note(&self) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let note = Note {
            pid: std::process::id(),
            database_url: self.database_url.clone(),
            redis_url: self.redis_url.clone(),
        };
        remove_note(folder)?;
        write_secret(&note_path(folder), &toml::to_string(&note)?)?;
        Ok(())
    }

    /// Ends the servers that this process runs.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        let Some(servers) = self.servers else { return Ok(()) };
        if let Some(folder) = &self.folder {
            remove_note(folder)?;
        }
        // Waits for the servers, which is no work for an async thread.
        tokio::task::block_in_place(|| servers.stop());
        Ok(())
    }
}

async fn start(data: &Path) -> anyhow::Result<Result<Servers, EmbeddedError>> {
    let data = data.to_owned();
    Ok(tokio::task::spawn_blocking(move || Servers::start(&data, &|text| remark(text))).await?)
}

fn note_path(folder: &Path) -> PathBuf {
    folder.join("house.toml")
}

fn remove_note(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_file(note_path(folder)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", note_path(folder).display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
