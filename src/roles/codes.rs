//! `codes`: what stands in a place code, and new generations for many points at once.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;
use uuid::Uuid;

use super::house::{House, HouseArgs};
use super::terminal::{Progress, grouped, say};
use crate::clock::Clock;
use crate::domain::keyring::Keyring;
use crate::domain::place_code::InvalidPlaceCode;
use crate::domain::rotating_code::{CodeParts, ScannedCode};
use crate::domain::venue::{Division, PointId};
use crate::store::audit::{self, Act};
use crate::store::codes::{self, Which};

/// How many points are rotated in one transaction.
const BATCH: i64 = 1000;

/// Which codes are read, and with which keys.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReadArgs {
    /// The codes: the text of a QR code, its last part, or as it is typed.
    #[arg(required = true)]
    text: Vec<String>,

    /// The key file that `placecode keys` wrote; that of the private house when not given.
    #[arg(long, env)]
    keys_file: Option<PathBuf>,

    /// The data folder of the private house.
    #[arg(long, env = "PLACECODE_DATA", default_value = ".placecode")]
    data: PathBuf,
}

/// Reads codes and returns how many were bad.
pub(crate) fn read(args: &ReadArgs) -> anyhow::Result<u64> {
    let path = args.keys_file.clone().unwrap_or_else(|| args.data.join("keys.toml"));
    let place = || format!("--keys-file {}", path.display());
    let keys = Keyring::parse(&fs::read_to_string(&path).with_context(place)?).with_context(place)?;
    let now = Clock::System.now();
    let mut bad = 0;
    for text in &args.text {
        let (line, is_good) = describe(text, &keys, now);
        bad += u64::from(!is_good);
        say(line);
    }
    Ok(bad)
}

/// One line about a code, and whether it is good.
fn describe(text: &str, keys: &Keyring, now: DateTime<Utc>) -> (String, bool) {
    let symbols = text.rsplit('/').next().unwrap_or(text);
    let parts = match CodeParts::read(symbols) {
        Ok(parts) => parts,
        Err(why) => return (format!("{text}: bad: {why}"), false),
    };
    let CodeParts { version, slot, point, .. } = parts;
    let head = format!("{text}: version {version}, key slot {slot}, point {point}");
    match ScannedCode::parse(symbols, keys, now) {
        Ok(ScannedCode::Printed(code)) => (format!("{head}, generation {}: genuine", code.generation), true),
        Ok(ScannedCode::Rotating(code)) => {
            let shown = code.step.begins().to_rfc3339();
            (format!("{head}, shown for half a minute from {shown}: genuine"), true)
        }
        Err(InvalidPlaceCode::Check | InvalidPlaceCode::Screen) if keys.slot(slot).is_none() => {
            (format!("{head}: bad: the key file has no key in slot {slot}"), false)
        }
        Err(why) => (format!("{head}: bad: {why}"), false),
    }
}

/// Which points get a new generation.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    which: Chosen,

    /// How long posters that hang still answer, in hours.
    #[arg(long, default_value = "72", value_parser = clap::value_parser!(i64).range(0..=9600))]
    grace_hours: i64,

    /// Do it; without this only the number of points is told.
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Chosen {
    /// The points of one venue.
    #[arg(long)]
    venue: Option<Uuid>,

    /// One point, by its number.
    #[arg(long, value_parser = point)]
    point: Option<PointId>,

    /// All points of a division (GB/T 2260) and what lies inside it.
    #[arg(long, value_parser = str::parse::<Division>)]
    division: Option<Division>,

    /// Every point. After `keys rotate`: which posters hang is known to nobody, so which key signed them neither.
    #[arg(long)]
    all: bool,
}

fn point(text: &str) -> Result<PointId, String> {
    let number = text.parse().ok().and_then(PointId::new);
    number.ok_or_else(|| "a point is a number below 2^40".to_owned())
}

impl Chosen {
    /// What the flags say, and its name in the audit log.
    fn read(&self) -> anyhow::Result<(Which, String)> {
        Ok(match (self.venue, self.point, &self.division, self.all) {
            (Some(id), None, None, false) => (Which::Venue(id), format!("venue {id}")),
            (None, Some(id), None, false) => (Which::Point(id), format!("point {id}")),
            (None, None, Some(division), false) => {
                (Which::Division(*division), format!("division {division}"))
            }
            (None, None, None, true) => (Which::All, "all points".to_owned()),
            _ => bail!("give one of --venue, --point, --division and --all"),
        })
    }
}

/// Raises the generation of the chosen points.
pub(crate) async fn rotate(args: &RotateArgs) -> anyhow::Result<()> {
    let (which, name) = args.which.read()?;
    let house = House::open(&args.house).await?;
    let done = turn(&house, &which, &name, args).await;
    house.close()?;
    say(done?);
    Ok(())
}

async fn turn(house: &House, which: &Which, name: &str, args: &RotateArgs) -> anyhow::Result<String> {
    let mut conn = house.store()?.conn().await?;
    let total = codes::count(&mut conn, which).await?.unsigned_abs();
    ensure!(total > 0, "{name}: no point whose codes are not revoked");
    ensure!(
        args.yes,
        "{name}: {} points would get a new generation, and their posters would end after {} hours. Add --yes to do it",
        grouped(total),
        args.grace_hours
    );
    let mut progress = Progress::new("points rotated", total);
    let (mut seen, mut turned, mut after) = (0, 0, -1);
    loop {
        let ids = codes::page(&mut conn, which, after, BATCH).await?;
        let Some(last) = ids.last() else { break };
        turned += turn_batch(&mut conn, name, &ids, args.grace_hours).await?;
        seen += ids.len() as u64;
        after = *last;
        progress.at(seen, total, turned);
    }
    progress.end();
    let left = seen - turned;
    let left = if left == 0 { String::new() } else { format!("; {} have used all 255", grouped(left)) };
    Ok(format!("{name}: {} points have a new generation{left}. Print their posters", grouped(turned)))
}

/// One transaction: the new generations, and what is written down about them.
async fn turn_batch(
    conn: &mut AsyncPgConnection,
    name: &str,
    ids: &[i64],
    grace_hours: i64,
) -> anyhow::Result<u64> {
    let now = Clock::System.now();
    let until = now + TimeDelta::hours(grace_hours);
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let turned = codes::rotate(conn, ids, until).await?;
        let detail =
            json!({ "points": turned, "first": ids.first(), "last": ids.last(), "previous_until": until });
        let act = Act { actor: super::ACTOR, action: "codes.rotated", subject: name.to_owned(), detail };
        audit::append(conn, act, now).await?;
        Ok(turned as u64)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place_code::PlaceCode;
    use crate::domain::rotating_code::{RotatingCode, Step};

    #[test]
    fn a_code_is_described_whether_or_not_it_is_genuine() {
        let keys = Keyring::new([1; 32], [2; 32]);
        let now: DateTime<Utc> = "2026-03-16T04:00:10Z".parse().unwrap();
        let point = PointId::new(123_456_789).unwrap();
        let printed = PlaceCode { point, generation: 7 }.sign(&keys).unwrap();
        let base = url::Url::parse("https://p.example.cn/").unwrap();
        for text in [printed.to_string(), printed.typed().to_lowercase(), printed.url(&base)] {
            let (line, is_good) = describe(&text, &keys, now);
            assert!(
                is_good && line.ends_with("version 1, key slot 0, point 123456789, generation 7: genuine"),
                "{line}"
            );
        }
        let shown = RotatingCode { point, step: Step::of(now) }.sign(&keys).unwrap().to_string();
        let (line, is_good) = describe(&shown, &keys, now);
        assert!(
            is_good && line.contains("version 2") && line.contains("2026-03-16T04:00:00+00:00"),
            "{line}"
        );
        let other = Keyring::new([1; 32], [3; 32]);
        let (line, is_good) = describe(&printed.to_string(), &other, now);
        assert!(!is_good && line.contains("point 123456789: bad: the place code does not check"), "{line}");
        let turned = other.rotated([4; 32]).unwrap().retired(0).unwrap();
        assert!(describe(&printed.to_string(), &turned, now).0.contains("no key in slot 0"));
        assert!(!describe("HELLO", &keys, now).1);
    }
}
