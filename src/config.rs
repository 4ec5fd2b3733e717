//! Every setting: what it does, its unit, its default and its bounds.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chrono::FixedOffset;
use url::Url;

/// What the service and the pipeline are told at the start, by flag or by environment.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// Postgres, as `postgres://user:password@host/database`.
    #[arg(long, env, hide_env_values = true)]
    pub database_url: String,

    /// Redis or Valkey, as `redis://host` or `redis+unix:///path`; for a cluster, some of its nodes with commas
    /// between them.
    #[arg(long, env, hide_env_values = true)]
    pub redis_url: String,

    /// The key file that `placecode keys` wrote. Keep it apart from the database and its backups.
    #[arg(long, env)]
    pub keys_file: PathBuf,

    /// The address that place codes and links name, as visitors reach it.
    #[arg(long, env, default_value = "http://127.0.0.1:8080/")]
    pub public_url: Url,

    /// Where to listen.
    #[arg(long, env, default_value = "127.0.0.1:8080")]
    pub bind: SocketAddr,

    /// How far the local clock is ahead of UTC; closing times and days are told by it.
    #[arg(long, env, default_value = "+08:00", allow_hyphen_values = true)]
    pub local_offset: FixedOffset,

    /// Connections to Postgres that one process may hold.
    #[arg(long, env, default_value = "16", value_parser = clap::value_parser!(u32).range(2..=500))]
    pub database_connections: u32,

    /// What every key in Redis begins with.
    #[arg(long, env, default_value = "placecode")]
    pub redis_prefix: String,

    /// Into how many shards the scan log is cut. All replicas must agree.
    #[arg(long, env, default_value = "4", value_parser = clap::value_parser!(i16).range(1..=64))]
    pub log_shards: i16,

    /// How many MiB of undrained scans one shard may hold in Redis, some 10,000 scans each; beyond it scans are
    /// refused with 503, before any is lost.
    #[arg(long, env, default_value = "1024", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub log_mb_max: u64,

    /// How many entries, of up to 512 scans, may wait in Postgres for the drain while Redis is away.
    #[arg(long, env, default_value = "1000000", value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
    pub inbox_max: i64,

    /// How many scans are drained in one transaction, about.
    #[arg(long, env, default_value = "5000", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub drain_batch: u32,

    /// How long a visitor token lives after a channel has vouched.
    #[arg(long, env, default_value = "12h", value_parser = humantime::parse_duration)]
    pub visitor_token_life: Duration,

    /// How long staff can verify a scan's receipt.
    #[arg(long, env, default_value = "60s", value_parser = humantime::parse_duration)]
    pub receipt_life: Duration,

    /// How long a member of staff stays signed in.
    #[arg(long, env, default_value = "8h", value_parser = humantime::parse_duration)]
    pub session_life: Duration,

    /// Days after which scans and stays are gone.
    #[arg(long, env, default_value = "28", value_parser = clap::value_parser!(u32).range(1..=90))]
    pub retention_days: u32,

    /// The most visitors whose colour one release may change without a chief officer.
    #[arg(long, env, default_value = "500", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub release_cap: u32,

    /// The secrets of the issuing systems: a file with one line `issuer = "whsec_…"` for each.
    #[arg(long, env)]
    pub issuer_secrets_file: Option<PathBuf>,

    /// How long an issuing system may take to answer.
    #[arg(long, env, default_value = "10s", value_parser = humantime::parse_duration)]
    pub letter_timeout: Duration,

    /// How long a dispatcher may keep letters before another takes them.
    #[arg(long, env, default_value = "60s", value_parser = humantime::parse_duration)]
    pub letter_lease: Duration,

    /// Waiting times between attempts to deliver a letter; after the last one it is buried.
    #[arg(long, env, default_value = "5s,30s,5m,30m,2h,6h", value_delimiter = ',', value_parser = humantime::parse_duration)]
    pub letter_retries: Vec<Duration>,

    /// Set the `Secure` mark on cookies; switched off only where no TLS stands before the service.
    #[arg(long, env, default_value = "false", action = clap::ArgAction::Set)]
    pub secure_cookies: bool,

    /// A font for characters of names that the posters' own font lacks: a file, or `FILE:INDEX` for one face of a
    /// collection.
    #[arg(long, env)]
    pub poster_font: Option<FontFile>,

    /// The header in which a proxy before the service names the client, such as `X-Forwarded-For`; its last
    /// entry counts. Unset where there is no proxy, since anybody may send a header.
    #[arg(long, env)]
    pub client_address_header: Option<String>,

    /// A file that shifts the clock, with which the demo plays two weeks in a minute.
    #[arg(long, env, hide = true)]
    pub clock_shift_file: Option<PathBuf>,
}

/// A file with a font, and which of its faces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FontFile {
    /// The file.
    pub path: PathBuf,
    /// The face, where the file is a collection; 0 where it is not.
    pub index: u32,
}

impl FromStr for FontFile {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let face = text.rsplit_once(':').and_then(|(path, index)| Some((path, index.parse().ok()?)));
        let (path, index) = face.unwrap_or((text, 0));
        Ok(Self { path: path.into(), index })
    }
}

/// Settings that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A lease that ends before the request it covers would send letters twice.
    #[error("--letter-lease ({lease:?}) must be longer than twice --letter-timeout ({timeout:?})")]
    Lease {
        /// The lease.
        lease: Duration,
        /// The time for one request.
        timeout: Duration,
    },
    /// No waiting time would bury a letter at its first failure.
    #[error("--letter-retries must name at least one waiting time")]
    Retries,
    /// Place codes cannot be built on an address with a path.
    #[error("--public-url must be an http or https address without a path, such as https://p.example.cn/")]
    PublicUrl,
}

impl Config {
    /// Checks how the settings go together.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        if self.letter_lease <= self.letter_timeout * 2 {
            return Err(InvalidConfig::Lease { lease: self.letter_lease, timeout: self.letter_timeout });
        }
        if self.letter_retries.is_empty() {
            return Err(InvalidConfig::Retries);
        }
        let web = matches!(self.public_url.scheme(), "http" | "https");
        if !web || self.public_url.path() != "/" || self.public_url.query().is_some() {
            return Err(InvalidConfig::PublicUrl);
        }
        Ok(())
    }
}

/// What the reference issuing system is told at the start.
#[derive(clap::Args, Clone, Debug)]
pub struct IssuerConfig {
    /// The issuing system's own Postgres database.
    #[arg(long, env, hide_env_values = true)]
    pub issuer_database_url: String,

    /// The issuing system's own key file: channel key, visitor key and the secret of the letters.
    #[arg(long, env)]
    pub issuer_keys_file: PathBuf,

    /// Where the issuing system listens.
    #[arg(long, env, default_value = "127.0.0.1:8090")]
    pub issuer_bind: SocketAddr,

    /// The place-code service that visitors are sent back to.
    #[arg(long, env, default_value = "http://127.0.0.1:8080/")]
    pub service_url: Url,

    /// A file that shifts the clock, with which the demo plays two weeks in a minute.
    #[arg(long, env, hide = true)]
    pub clock_shift_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_of_a_collection_is_named_behind_a_colon() {
        let read = |text: &str| text.parse::<FontFile>().map(|font| (font.path, font.index));
        assert_eq!(read("a.otf"), Ok(("a.otf".into(), 0)));
        assert_eq!(read("/fonts/a.ttc:2"), Ok(("/fonts/a.ttc".into(), 2)));
        assert_eq!(read("C:/fonts/a.otf"), Ok(("C:/fonts/a.otf".into(), 0)));
    }
}
