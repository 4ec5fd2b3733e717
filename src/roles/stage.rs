//! A private house with the roles that play in it: started together, revived when they die, ended in order.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use diesel_async::AsyncConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::house::{House, HouseArgs, ISSUER};
use super::noted::note;
use super::signals;
use super::terminal::remark;
use crate::clock::Clock;
use crate::domain::letter::{Delivery, ENVELOPE_LETTERS_MAX};
use crate::domain::numbered::Numbered;
use crate::domain::scheme::Scheme;
use crate::domain::venue::Division;
use crate::embedded::Roles;
use crate::issuer::reference::IssuerKeys;
use crate::store::access::{self, ChannelRow};
use crate::store::letters::{self, IssuerRow};

/// How often dead servers and roles are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// How long the service may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long one question to it may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// What is told to a role that starts the whole service on this machine.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StageArgs {
    #[command(flatten)]
    pub(crate) house: HouseArgs,

    /// Where the service listens.
    #[arg(long, env, default_value = "127.0.0.1:8080")]
    pub(crate) bind: SocketAddr,

    /// Where the reference issuing system listens.
    #[arg(long, env, default_value = "127.0.0.1:8090")]
    pub(crate) issuer_bind: SocketAddr,

    /// The address that place codes and links name, as visitors reach it; without it the one of --bind.
    #[arg(long, env)]
    pub(crate) public_url: Option<Url>,

    /// The address of the issuing system as visitors reach it; without it the one of --issuer-bind.
    #[arg(long, env)]
    pub(crate) issuer_url: Option<Url>,

    /// The division (GB/T 2260) whose people the reference issuing system colours.
    #[arg(long, env, default_value = "410000", value_parser = str::parse::<Division>)]
    pub(crate) division: Division,

    /// Whether a play is about to begin: what an earlier one left is thrown away, and all roles follow one clock
    /// that the play shifts. Only the demo does that, in a data folder of its own.
    #[arg(skip)]
    pub(crate) for_play: bool,

    /// The program that plays the roles; this one when not given.
    #[arg(long, hide = true)]
    pub(crate) program: Option<PathBuf>,
}

/// Servers and roles that run.
pub(crate) struct Stage {
    pub(crate) house: House,
    roles: Roles,
    /// The service, as this machine reaches it.
    service: SocketAddr,
    /// The service, as visitors reach it.
    pub(crate) public_url: Url,
    /// The issuing system, as visitors reach it.
    pub(crate) issuer_url: Url,
}

impl Stage {
    /// Starts everything, without waiting for the service to answer.
    pub(crate) async fn open(args: &StageArgs) -> anyhow::Result<Self> {
        let house = args.house.own().await?;
        if args.for_play {
            house.empty().await?;
        }
        // After the house: when another `up` has the folder, that is the better message.
        free(args.bind, "--bind")?;
        free(args.issuer_bind, "--issuer-bind")?;
        let public_url = url_or(args.public_url.as_ref(), args.bind)?;
        let issuer_url = url_or(args.issuer_url.as_ref(), args.issuer_bind)?;
        furnish(&house, args, &issuer_url).await?;
        house.leave_note()?;
        let program = match &args.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().context("finding this program")?,
        };
        let logs =
            house.servers.as_ref().map(crate::embedded::Servers::logs).context("the house has servers")?;
        let mut stage = Self {
            house,
            roles: Roles::new(program, logs),
            service: reachable(args.bind),
            public_url,
            issuer_url,
        };
        stage.cast(args)?;
        Ok(stage)
    }

    fn cast(&mut self, args: &StageArgs) -> anyhow::Result<()> {
        let config = self.house.config()?;
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let issuer_keys = self.house.issuer_keys_file().as_ref().map(text).unwrap_or_default();
        let secrets = config.issuer_secrets_file.as_ref().map(text).unwrap_or_default();
        let issuer_database = self.house.issuer_database_url().unwrap_or_default();
        let own = [args.bind.to_string(), args.issuer_bind.to_string(), text(&config.keys_file)];
        let [bind, issuer_bind, keys_file] = &own;
        let env = [
            ("DATABASE_URL", config.database_url.as_str()),
            ("REDIS_URL", config.redis_url.as_str()),
            ("KEYS_FILE", keys_file),
            ("BIND", bind),
            ("PUBLIC_URL", self.public_url.as_str()),
            ("ISSUER_SECRETS_FILE", &secrets),
            ("ISSUER_DATABASE_URL", &issuer_database),
            ("ISSUER_KEYS_FILE", &issuer_keys),
            ("ISSUER_BIND", issuer_bind),
            ("ISSUER_ID", ISSUER),
            ("SERVICE_URL", self.public_url.as_str()),
        ];
        let shift_file = text(&self.house.clock_shift_file());
        let play = [
            ("CLOCK_SHIFT_FILE", shift_file.as_str()),
            ("VISITOR_TOKEN_LIFE", "30d"),
            ("SESSION_LIFE", "30d"),
        ];
        let env = [&env[..], if args.for_play { &play[..] } else { &[] }].concat();
        for name in ["issuer", "serve", "work"] {
            self.roles.add(name, &[name], &env).with_context(|| format!("starting `{name}`"))?;
        }
        Ok(())
    }

    /// Does `work` while whatever dies is started again.
    pub(crate) async fn keep<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            tokio::task::block_in_place(|| {
                let say = |text: &str| remark(text);
                if let Some(servers) = &mut self.house.servers {
                    servers.revive(&say);
                }
                self.roles.revive(&say);
            });
        }
    }

    /// Waits until the service answers; false when the process was asked to end meanwhile.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<bool> {
        let service = self.service;
        let ready = async move {
            while !(probe(service, "/livez").await && probe(service, "/readyz").await) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = async {
            tokio::select! {
                () = ready => Ok(true),
                () = signals::asked_to_end() => Ok(false),
                () = tokio::time::sleep(READY_LIMIT) => Err(()),
            }
        };
        if let Ok(ready) = self.keep(waited).await {
            return Ok(ready);
        }
        bail!(
            "the service does not answer on {service}; the end of its log:\n{}",
            self.roles.log_tail("serve", 10)
        )
    }

    /// Ends the roles, the last one first, and then the servers.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        tokio::task::block_in_place(|| self.roles.stop());
        self.house.close()
    }
}

/// Enters what the service must know of this house: the shipped rule packs, the reference issuing system and the
/// channel that it is.
async fn furnish(house: &House, args: &StageArgs, issuer_url: &Url) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let keys = IssuerKeys::read(&house.issuer_keys_file().context("a private house has issuer keys")?)?;
    let mut conn = house.store()?.conn().await?;
    let channel = ChannelRow {
        id: keys.channel().to_owned(),
        name: "健康码 Health code".to_owned(),
        public_key: keys.channel_public_key().to_bytes().to_vec(),
        page_url: issuer_url.join("identify")?.to_string(),
        disabled_at: None,
        created_at: now,
    };
    let issuer = IssuerRow {
        id: ISSUER.to_owned(),
        name: "健康码 Health code".to_owned(),
        url: local_url(args.issuer_bind)?.join("v1/letters")?.to_string(),
        division: args.division.to_string(),
        disabled_at: None,
        created_at: now,
        public_key: None,
        scheme: Scheme::Three.number(),
        batch_max: i32::try_from(ENVELOPE_LETTERS_MAX)?,
        pace_per_min: None,
        delivery: Delivery::Push.number(),
    };
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        access::upsert_channel(conn, &channel).await?;
        letters::upsert_issuer(conn, &issuer).await?;
        let detail = serde_json::json!({ "channel": channel.id, "issuer": issuer.id });
        note(conn, "house.furnished", "private house", detail).await
    })
    .await
}

/// Fails with a readable message when somebody listens there already.
fn free(address: SocketAddr, setting: &str) -> anyhow::Result<()> {
    TcpListener::bind(address).map(drop).with_context(|| {
        format!("{setting} {address} cannot be used; is another program listening there? Name another one")
    })
}

/// The address as this machine reaches it, where a listener takes any.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        SocketAddr::V4(_) | SocketAddr::V6(_) => {}
    }
    address
}

fn local_url(address: SocketAddr) -> anyhow::Result<Url> {
    Ok(format!("http://{}/", reachable(address)).parse()?)
}

fn url_or(given: Option<&Url>, address: SocketAddr) -> anyhow::Result<Url> {
    given.map_or_else(|| local_url(address), |url| Ok(url.clone()))
}

/// Whether `GET path` is answered with 200.
async fn probe(address: SocketAddr, path: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.ok()?;
        Some(status.ends_with(b" 200"))
    };
    tokio::time::timeout(PROBE_LIMIT, ask).await.ok().flatten().unwrap_or(false)
}
