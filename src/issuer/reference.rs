//! A reference issuing system: a small health-code platform.
//!
//! It takes [`letters`] from the service, or fetches them ([`pull`]), and shows each visitor their own colour with its
//! reason ([`pages`]). As a [`channel`] it vouches to the service who somebody is, and [`tell`]s it the [`facts`] that end
//! or weaken a colour. Trusted programs ask the [`api`]; other systems the interfaces of [`gb38963`]. How letters that
//! arrive late, twice or in disorder come to one end stands in [`standing`].

mod api;
mod applications;
mod border;
mod channel;
mod facts;
pub mod gb38963;
mod identity;
mod keys;
mod language;
mod letters;
mod outgoing;
mod pages;
mod problem;
mod pull;
mod reconcile;
mod routes;
mod schema;
mod scheme;
mod sealed;
mod shown_code;
mod signed;
mod standing;
mod store;
mod tell;
mod telling;
mod view;
mod words;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use self::applications::Applications;
use self::border::{Aliases, Border};
use self::identity::Identity;
pub use self::keys::{InvalidIssuerKeys, IssuerKeys};
use self::outgoing::Outgoing;
use self::store::Store;
use crate::clock::Clock;
use crate::config::{IssuerConfig, IssuerScheme};
use crate::domain::assertion::{self, AUDIENCE, IdentityClaims};
use crate::domain::rule_pack::Colour;
use crate::domain::scheme::Scheme;
use crate::domain::venue::Division;
use crate::domain::visitor::Visitor;

/// How long an identity assertion is good for.
const ASSERTION_LIFE: TimeDelta = TimeDelta::minutes(5);

/// How often what ended long ago is deleted.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// How long running requests may take when the process is told to stop.
const SHUTDOWN_SECS: u64 = 10;

/// What every request shares.
struct Platform {
    keys: IssuerKeys,
    store: Store,
    clock: Clock,
    service: Url,
    /// Under what id the service knows this platform.
    issuer_id: String,
    scheme: Scheme,
    applications: Applications,
    outgoing: Outgoing,
    /// Rung when a fact has arrived, for whoever sends it on.
    told: Notify,
    border: Border,
}

impl Platform {
    /// The pseudonym of an identity.
    fn visitor(&self, identity: &Identity) -> Visitor {
        Visitor::of(self.keys.visitor_key().bytes(), identity.kind, &identity.number)
    }

    /// An assertion that the person before us is this visitor, with the colour that their code shows now, and with
    /// what other systems call that person; and where that person lives, if a front-end has verified it.
    fn vouch(
        &self,
        visitor: Visitor,
        colour: Option<Colour>,
        aliases: Aliases,
        division: Option<&Division>,
    ) -> String {
        let now = self.clock.now();
        let claims = IdentityClaims {
            sub: visitor.to_hex(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + ASSERTION_LIFE).timestamp(),
            colour: colour.map(|colour| api::word(&colour)),
            colour_at: colour.map(|_| now.timestamp()),
            division: division.map(Division::to_string),
            aliases,
        };
        assertion::sign(&claims, self.keys.channel(), self.keys.channel_key())
    }
}

/// Runs the issuing system until `shutdown` is ready. Needs a runtime of several threads.
pub async fn run(
    config: IssuerConfig,
    clock: Clock,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let keys = IssuerKeys::read(&config.issuer_keys_file)?;
    Server::start(&config, keys, clock).await?.until(shutdown).await
}

/// An issuing system that listens.
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
    platform: web::Data<Platform>,
    pull_every: Duration,
}

impl Server {
    /// Brings the database up to date and listens on `config.issuer_bind`; port 0 takes a free one.
    pub async fn start(config: &IssuerConfig, keys: IssuerKeys, clock: Clock) -> anyhow::Result<Self> {
        let store = Store::open(&config.issuer_database_url).await.context("--issuer-database-url")?;
        let applications = config.applications_file.as_deref().map(Applications::read).transpose()?;
        let platform = web::Data::new(Platform {
            keys,
            store,
            clock,
            service: config.service_url.clone(),
            issuer_id: config.issuer_id.clone(),
            scheme: match config.scheme {
                IssuerScheme::Three => Scheme::Three,
                IssuerScheme::Four => Scheme::Four,
            },
            applications: applications.unwrap_or_default(),
            outgoing: Outgoing::new().context("the client of the service")?,
            told: Notify::new(),
            border: Border::read(config.border_file.as_deref())?,
        });
        let shared = platform.clone();
        let server = HttpServer::new(move || {
            App::new().app_data(shared.clone()).wrap(headers()).configure(routes::routes)
        })
        .workers(2)
        .shutdown_timeout(SHUTDOWN_SECS)
        .disable_signals()
        .bind(config.issuer_bind)
        .with_context(|| format!("--issuer-bind {}", config.issuer_bind))?;
        let address = server.addrs().first().copied().context("the issuing system has no address")?;
        let server = server.run();
        let handle = server.handle();
        tracing::info!(bind = %address, "the issuing system listens");
        Ok(Self { address, handle, task: tokio::spawn(server), platform, pull_every: config.pull_every })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends the facts that are due to the service, once, and answers how many it has taken: what [`Self::until`] does
    /// again and again.
    pub async fn tell(&self) -> anyhow::Result<usize> {
        Ok(tell::send_due(&self.platform).await?)
    }

    /// Fetches the letters that wait at the service, once, and answers how many there were: what [`Self::until`] does
    /// again and again where it is told to.
    pub async fn pull(&self) -> anyhow::Result<usize> {
        Ok(pull::pull(&self.platform).await?)
    }

    /// Serves until `shutdown` is ready; meanwhile it tells the service what it learns, fetches letters where it is told
    /// to, and deletes now and then what ended long ago.
    pub async fn until(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        // Ended when this function is, wherever they stand: each step of theirs is one transaction or can be repeated.
        let mut beside = JoinSet::new();
        let platform = self.platform.clone();
        beside.spawn(async move { tell::run(&platform).await });
        if !self.pull_every.is_zero() {
            let (platform, every) = (self.platform.clone(), self.pull_every);
            beside.spawn(async move { pull::run(&platform, every).await });
        }
        let mut forget = tokio::time::interval(FORGET_EVERY);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                ended = &mut self.task => {
                    ended.context("the issuing system broke")??;
                    anyhow::bail!("the issuing system stopped by itself");
                }
                Some(ended) = beside.join_next() => {
                    ended.context("what the issuing system does beside serving broke")?;
                    anyhow::bail!("what the issuing system does beside serving stopped by itself");
                }
                _ = forget.tick() => match self.platform.store.forget(self.platform.clock.now()).await {
                    Ok(count) => tracing::info!(count, "ended assignments deleted"),
                    Err(error) => tracing::warn!(error = %error, "ended assignments could not be deleted"),
                },
            }
        }
        self.handle.stop(true).await;
        self.task.await.context("the issuing system broke")??;
        Ok(())
    }
}

/// What every answer carries.
fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        // The service must be able to see which platform a form comes from, but not from which page.
        .add(("Referrer-Policy", "strict-origin"))
}
