//! The trial: letters are written, two dispatchers send them, and processes are killed as the letters go out.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::compare::{Findings, compare, kinds};
use super::gathering::GATHERINGS;
use super::office::Office;
use super::plain;
use super::process::{Process, Recipe};

/// How many dispatchers there are.
const DISPATCHERS: usize = 2;
/// Which gatherings' cases are taken back before anything is sent, and which one in the middle.
const WITHDRAWN: [usize; 2] = [1, 4];
const WITHDRAWN_LATE: usize = 6;
/// The share of the letters, in hundredths, that goes out undisturbed, and the one by which the last kill is done.
const CALM: i64 = 20;
const LAST_KILL: i64 = 85;
/// How long all may take after the last kill.
const PATIENCE: Duration = Duration::from_secs(240);

/// What is played, and on what.
pub struct Plan {
    /// Where keys and logs are kept.
    pub folder: PathBuf,
    pub program: PathBuf,
    pub database_url: String,
    pub issuer_database_url: String,
    pub redis_url: String,
    pub visitors: u32,
    pub kills: u32,
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub findings: Findings,
    /// How many letters of each kind.
    pub kinds: String,
    /// How often a dispatcher, and how often the issuing system was killed.
    pub killed: (u32, u32),
    /// Letters a second before the first kill.
    pub calm_rate: f64,
    /// Letters a second if bodies of envelopes are posted to the same server, which refuses them unread.
    pub post_rate: f64,
    /// Letters a second if bodies of letters are inserted durably, an envelope's worth in one transaction.
    pub insert_rate: f64,
    /// From the first letter to the last.
    pub took: Duration,
}

/// Processes that are started again when they are killed.
struct Cast {
    dispatchers: Vec<Process>,
    issuer: Process,
}

impl Cast {
    fn tend(&mut self) {
        self.issuer.tend();
        self.dispatchers.iter_mut().for_each(Process::tend);
    }
}

/// Plays the trial; `say` tells how far it is.
pub async fn play(plan: &Plan, say: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let issuer_address = free_address()?;
    let office = Office::open(plan, issuer_address).await?;
    say(&format!("{} visitors have been at some of {GATHERINGS} gatherings", plan.visitors));
    let mut cases = Vec::new();
    for gathering in 0..GATHERINGS {
        cases.push(office.release_gathering(gathering).await?);
    }
    for gathering in WITHDRAWN {
        office.withdraw(cases.get(gathering).context("no such gathering")?).await?;
    }
    let written = letters(&office, "true").await?;
    say(&format!("{written} letters wait"));
    let mut issuer = Process::start(issuer(plan, issuer_address))?;
    wait_for(issuer_address, &mut issuer).await?;
    let dispatchers = (0..DISPATCHERS).map(|nth| Process::start(dispatcher(plan, &office, nth)));
    let mut cast = Cast { dispatchers: dispatchers.collect::<Result<_, _>>()?, issuer };

    let first = until_sent(&office, &mut cast, 1).await?;
    let calm_until = written * CALM / 100;
    let calm = until_sent(&office, &mut cast, calm_until).await?;
    let calm_rate = rate(calm.0 - first.0, calm.1 - first.1);
    say(&format!("{} letters went out undisturbed", calm.0));
    let killed =
        kill(plan, &office, &mut cast, cases.get(WITHDRAWN_LATE).context("no such gathering")?, written)
            .await?;
    say(&format!("killed {} times a dispatcher and {} times the issuing system", killed.0, killed.1));
    let whole = letters(&office, "true").await?;
    let last = until_sent(&office, &mut cast, whole).await?;

    let findings = compare(&office, plan, issuer_address).await?;
    let (post_rate, insert_rate) = plain::measure(&office, plan, issuer_address).await?;
    let kinds = kinds(&office).await?;
    Ok(Report { findings, kinds, killed, calm_rate, post_rate, insert_rate, took: last.1 - first.1 })
}

/// Kills one process after the other, each when some more letters have gone out. In the middle another case is taken
/// back, so that letters are written while others are on their way.
async fn kill(
    plan: &Plan,
    office: &Office,
    cast: &mut Cast,
    late: &str,
    written: i64,
) -> anyhow::Result<(u32, u32)> {
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let mut killed = (0, 0);
    for nth in 0..plan.kills {
        let share = CALM * 100 + (LAST_KILL - CALM) * 100 * i64::from(nth) / i64::from(plan.kills);
        until_sent(office, cast, written * share / 10_000).await?;
        if nth == plan.kills / 2 {
            office.withdraw(late).await?;
        }
        // A moment that has nothing to do with the one in which the count was asked.
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..120))).await;
        let of_issuer = rng.random_range(0..5) < 2;
        let victim = if of_issuer {
            killed.1 += 1;
            &mut cast.issuer
        } else {
            killed.0 += 1;
            let which = rng.random_range(0..DISPATCHERS);
            cast.dispatchers.get_mut(which).context("a dispatcher")?
        };
        victim.kill();
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..300))).await;
        victim.release();
        cast.tend();
    }
    Ok(killed)
}

/// Waits until so many letters were delivered; tells how many, and when.
async fn until_sent(office: &Office, cast: &mut Cast, count: i64) -> anyhow::Result<(i64, Instant)> {
    let begun = Instant::now();
    loop {
        cast.tend();
        let sent = letters(office, "state = 1").await?;
        if sent >= count {
            return Ok((sent, Instant::now()));
        }
        let buried = letters(office, "state = 2").await?;
        ensure!(buried == 0, "{buried} letters were buried");
        ensure!(begun.elapsed() < PATIENCE, "only {sent} of {count} letters were delivered in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many letters there are of which something is true.
pub async fn letters(office: &Office, so: &str) -> anyhow::Result<i64> {
    number(office, &format!("select count(*) from letters where {so}")).await
}

/// The one number that a query gives.
pub async fn number(office: &Office, sql: &str) -> anyhow::Result<i64> {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let mut conn = office.app.store.conn().await?;
    let query = diesel::sql_query(format!("select ({sql})::bigint as number"));
    Ok(query.get_result::<Number>(&mut conn).await?.number)
}

#[expect(clippy::cast_precision_loss, reason = "a count of letters")]
fn rate(count: i64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn free_address() -> anyhow::Result<SocketAddr> {
    // Below the ports that the system gives to outgoing connections, so that it is free again after a kill.
    for _ in 0..1000 {
        let address = SocketAddr::from(([127, 0, 0, 1], rand::random_range(20_000..32_000)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no free port")
}

fn recipe(plan: &Plan, name: &str, args: Vec<String>) -> Recipe {
    Recipe {
        program: plan.program.clone(),
        args: args.into_iter().map(Into::into).collect(),
        user: None,
        folder: plan.folder.clone(),
        log: plan.folder.join(format!("{name}.log")),
        goodbye: "TERM",
    }
}

fn dispatcher(plan: &Plan, office: &Office, nth: usize) -> Recipe {
    let own = ["work", "--only", "dispatch", "--log", "placecode=info,warn"].map(str::to_owned);
    recipe(plan, &format!("dispatcher-{nth}"), [own.to_vec(), office.flags.clone()].concat())
}

fn issuer(plan: &Plan, address: SocketAddr) -> Recipe {
    let bind = address.to_string();
    let keys = plan.folder.join("issuer-keys.toml").display().to_string();
    let args = [
        "issuer",
        "--issuer-database-url",
        &plan.issuer_database_url,
        "--issuer-keys-file",
        &keys,
        "--issuer-bind",
        &bind,
        "--log",
        "placecode=info,warn",
    ];
    recipe(plan, "issuer", args.map(str::to_owned).to_vec())
}

async fn wait_for(address: SocketAddr, process: &mut Process) -> anyhow::Result<()> {
    let begun = Instant::now();
    let http = reqwest::Client::builder().no_proxy().build()?;
    loop {
        process.tend();
        let answer = http.get(format!("http://{address}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "the issuing system does not answer on {address}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
