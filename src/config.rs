//! Every setting: what it does, its unit, its default and its bounds.

mod font_file;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::FixedOffset;
use url::Url;

pub use font_file::FontFile;

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

    /// From so many visitors in one release on, officers confirm the number with their word.
    #[arg(long, env, default_value = "200", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub release_warning: u32,

    /// The most visitors of one division whose colour releases may change within an hour, whoever gives the word; a
    /// chief officer may lift it for one run in writing.
    #[arg(long, env, default_value = "2000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub release_block_hour: u32,
    /// Within how long an appeal is to be decided; those that are not stand first in the queue and are counted.
    #[arg(long, env, default_value = "24h", value_parser = humantime::parse_duration)]
    pub appeal_deadline: Duration,

    /// How long after the decision the evidence and the words of an appeal are kept.
    #[arg(long, env, default_value = "30days", value_parser = humantime::parse_duration)]
    pub appeal_evidence_life: Duration,

    /// What letters are signed with: a file with one line `issuer = "whsec_…"` (a shared secret) or `"whsk_…"` (an
    /// Ed25519 key) for each issuing system, or a list of keys while they change, the newest first.
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

    /// A file outside the database to which the signed heads of the audit log are appended, one JSON object a line, so
    /// that nobody who administers the database can rewrite the log unnoticed. Best on another machine's disk.
    #[arg(long, env)]
    pub audit_heads_file: Option<PathBuf>,

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

    /// Fair use, and how much is taken on at once.
    #[command(flatten)]
    pub fair: FairConfig,

    /// A file that shifts the clock, with which the demo plays two weeks in a minute.
    #[arg(long, env, hide = true)]
    pub clock_shift_file: Option<PathBuf>,
}

/// How much one may ask for, how much is taken on at once, and how long a client may take. docs/limits.md
/// gives the reasons.
#[derive(clap::Args, Clone, Debug)]
pub struct FairConfig {
    /// Scans of one visitor in a minute, by the own hand; an hour on the metro has a dozen.
    #[arg(long, env, default_value = "60", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub scans_per_visitor: u32,

    /// Scans from one client address in a minute, rows of batches among them; 0 for no limit. Thousands share the
    /// address of a mobile network or of a mall.
    #[arg(long, env, default_value = "6000", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub scans_per_address: u32,

    /// Rows that one device, member of staff or machine hands in within a minute; 0 for no limit. Below 1000 a full
    /// batch is never taken.
    #[arg(long, env, default_value = "12000", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub scans_per_device: u32,

    /// Scans of visitors whom one channel has vouched for, in a minute; 0 for no limit, since a city may have one
    /// channel only.
    #[arg(long, env, default_value = "0", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub scans_per_channel: u32,

    /// Assertions of channels that one client address exchanges for visitor tokens in a minute; a visitor needs one
    /// in twelve hours.
    #[arg(long, env, default_value = "1200", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub tokens_per_address: u32,

    /// Receipts that one client address has verified in a minute; a mall has some fifty doors.
    #[arg(long, env, default_value = "600", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub receipts_per_address: u32,

    /// Appeals, and files for them, that one client address hands in within a minute; a hall of a hospital shares one.
    #[arg(long, env, default_value = "600", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub appeals_per_address: u32,

    /// Pages behind place codes that one client address opens in a minute; each comes before a scan.
    #[arg(long, env, default_value = "6000", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub code_pages_per_address: u32,

    /// Attempts to sign in from one client address in a minute; each costs a tenth of a second of a processor.
    #[arg(long, env, default_value = "120", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub sign_ins_per_address: u32,

    /// What one member of staff or one machine reads by the API in a minute: ten a second.
    #[arg(long, env, default_value = "600", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub reads_per_staff: u32,

    /// With more requests than this under way in one process, pages are refused.
    #[arg(long, env, default_value = "512", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub shed_pages_above: u32,

    /// With more than this, also what the API reads and writes, but for scans.
    #[arg(long, env, default_value = "1024", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub shed_reads_above: u32,

    /// With more than this, scans too. As many may wait for the scan log.
    #[arg(long, env, default_value = "8192", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub shed_scans_above: u32,

    /// Connections that one process holds; others wait to be accepted. Each takes two file descriptors.
    #[arg(long, env, default_value = "20000", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub connections_max: u32,

    /// How long a connection lives, whatever its client does. It is ended in order from half of that on, between two
    /// requests.
    #[arg(long, env, default_value = "5m", value_parser = humantime::parse_duration)]
    pub connection_life: Duration,

    /// How long a connection may be idle between two requests. Behind a proxy, longer than the proxy keeps it.
    #[arg(long, env, default_value = "5s", value_parser = humantime::parse_duration)]
    pub keep_alive: Duration,

    /// How long a client may take to send the head of its first request.
    #[arg(long, env, default_value = "5s", value_parser = humantime::parse_duration)]
    pub head_timeout: Duration,

    /// How long a client may take to send a body of up to 64 KiB.
    #[arg(long, env, default_value = "10s", value_parser = humantime::parse_duration)]
    pub body_timeout: Duration,

    /// The same for a batch of scans of up to 2 MiB, and for the evidence of an appeal.
    #[arg(long, env, default_value = "30s", value_parser = humantime::parse_duration)]
    pub batch_timeout: Duration,

    /// How long the service may take to answer a scan once it has come; longer than it waits for a connection to
    /// Postgres, which takes five seconds at most.
    #[arg(long, env, default_value = "6s", value_parser = humantime::parse_duration)]
    pub scan_timeout: Duration,

    /// The same for everything else.
    #[arg(long, env, default_value = "30s", value_parser = humantime::parse_duration)]
    pub answer_timeout: Duration,
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
    /// Who is refused first must be refused earlier.
    #[error(
        "--shed-pages-above, --shed-reads-above and --shed-scans-above must not fall from one to the next"
    )]
    Shed,
    /// No time at all would refuse everybody.
    #[error("--{0} must be longer than zero")]
    NoTime(&'static str),
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
        if self.appeal_deadline.is_zero() {
            return Err(InvalidConfig::NoTime("appeal-deadline"));
        }
        self.fair.check()
    }
}

impl FairConfig {
    fn check(&self) -> Result<(), InvalidConfig> {
        if self.shed_pages_above > self.shed_reads_above || self.shed_reads_above > self.shed_scans_above {
            return Err(InvalidConfig::Shed);
        }
        let times = [
            ("connection-life", self.connection_life),
            ("keep-alive", self.keep_alive),
            ("head-timeout", self.head_timeout),
            ("body-timeout", self.body_timeout),
            ("batch-timeout", self.batch_timeout),
            ("scan-timeout", self.scan_timeout),
            ("answer-timeout", self.answer_timeout),
        ];
        match times.into_iter().find(|(_, time)| time.is_zero()) {
            Some((name, _)) => Err(InvalidConfig::NoTime(name)),
            None => Ok(()),
        }
    }
}

/// How many colours the codes of an issuing system have.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerScheme {
    /// Green, yellow, red.
    Three,
    /// Green, yellow, orange for close contacts, red.
    Four,
}

fn issuer_id(text: &str) -> Result<String, &'static str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = (2..=32).contains(&text.len()) && text.bytes().all(plain);
    if fits { Ok(text.to_owned()) } else { Err("2 to 32 lower-case letters, digits and hyphens") }
}

fn duration_or_zero(text: &str) -> Result<Duration, humantime::DurationError> {
    if text == "0" { Ok(Duration::ZERO) } else { humantime::parse_duration(text) }
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

    /// The id under which the service knows this issuing system.
    #[arg(long, env, default_value = "health-code", value_parser = issuer_id)]
    pub issuer_id: String,

    /// How many colours a code has: three, or four, where close contacts are orange and not red.
    #[arg(long, env, value_enum, default_value = "three")]
    pub scheme: IssuerScheme,

    /// How often letters are fetched from the service, where it cannot call this system; 0 leaves it to the service
    /// to send them.
    #[arg(long, env, default_value = "0s", value_parser = duration_or_zero)]
    pub pull_every: Duration,

    /// The file of other systems that may show or check codes: one table `[[application]]` for each. Nobody else
    /// may.
    #[arg(long, env)]
    pub applications_file: Option<PathBuf>,

    /// What the issuing system has agreed with those of other divisions: a file, see docs/jurisdictions.md. Without it,
    /// it takes no hand-over from anybody.
    #[arg(long, env)]
    pub border_file: Option<PathBuf>,

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
