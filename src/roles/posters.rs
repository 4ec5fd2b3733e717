//! `posters`: posters and stickers of many venues as PDF, one file for each venue or one for all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use chrono::{FixedOffset, NaiveDate};
use diesel_async::AsyncPgConnection;
use url::Url;
use uuid::Uuid;

use super::SOME_REFUSED;
use super::house::{House, HouseArgs};
use super::noted::note;
use super::table::set_name;
use super::terminal::{Progress, grouped, remark, say};
use crate::app::printer;
use crate::clock::Clock;
use crate::config::{Config, FontFile};
use crate::domain::keyring::Keyring;
use crate::domain::place_code::PlaceCode;
use crate::domain::venue::{Division, PointId};
use crate::posters::{PosterFacts, Print, Printer, Size};
use crate::store::posters::{self, PrintedVenue, Selection};
use crate::store::register::PointRow;

/// How many venues or points are asked for at once.
const PAGE: usize = 500;

/// How many codes one file may hold: a file is made in memory, some 5 kB for each.
const CODES_MAX: u64 = 20_000;

/// How many characters of a venue's name its file is called by.
const NAME_LETTERS: usize = 40;

pub(super) const EXAMPLES: &str = "\
Examples:
  placecode posters --set register --out posters --public-url https://p.example.cn/
  placecode posters --division 410105 --size a5 --out posters
  placecode posters --venue 0199d3a2-6f0e-7cc0-8d7d-3b1f0a2c4e55 --size stickers --copies 21 --one-file seats.pdf
  placecode posters --all --out posters --font /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc:2
Stopped halfway, the same command goes on where it was: files that are there already are left as they are. After codes
were replaced or venues renamed, --again makes them anew. Posters of revoked points and closed venues are not printed.
Print at 100 %, never `fit to page`; docs/posters.md says how to hang them and how small they may be.
Exit codes: 0 done; 1 failed; 2 the command line is wrong; 3 done, except for venues that are named.";

/// Which venues, on what, and where to.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PostersArgs {
    #[command(flatten)]
    house: HouseArgs,

    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    target: Target,

    /// What is printed on: a4, a5, stickers (3 by 7 on A4, for seats and stalls) or `large_stickers` (2 by 4, for
    /// carriages and vehicles).
    #[arg(long, default_value = "a4", value_parser = str::parse::<Size>)]
    size: Size,

    /// How many of each, such as two for both doors of a bus.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u16).range(1..=500))]
    copies: u16,

    /// Make files again that are there already.
    #[arg(long)]
    again: bool,

    /// The address that the codes name, as visitors reach it; the same as that of the service.
    #[arg(long, env)]
    public_url: Option<Url>,

    /// A font for characters of names that the posters' own font lacks: a file, or `FILE:INDEX` for one face of a
    /// collection.
    #[arg(long, env = "POSTER_FONT", value_name = "FILE[:INDEX]", value_parser = str::parse::<FontFile>)]
    font: Option<FontFile>,
}

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Which {
    /// One venue.
    #[arg(long, value_name = "UUID")]
    venue: Option<Uuid>,

    /// The venues of an import, by the name that it was given with `--set`.
    #[arg(long, value_name = "NAME", value_parser = set_name)]
    set: Option<String>,

    /// The venues of a division (GB/T 2260) and of all inside it, such as 410100 for the whole city.
    #[arg(long, value_name = "CODE", value_parser = str::parse::<Division>)]
    division: Option<Division>,

    /// All venues.
    #[arg(long)]
    all: bool,
}

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Target {
    /// A folder for one file for each venue; it is made when it is not there.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// One file for all posters, for a printer's shop.
    #[arg(long, value_name = "FILE")]
    one_file: Option<PathBuf>,
}

/// What all posters of this run have in common.
struct Press {
    printer: Printer,
    keys: Keyring,
    config: Config,
    issued_on: NaiveDate,
    size: Size,
    copies: u16,
}

/// What became of the venues.
#[derive(Default)]
struct Tally {
    codes: u64,
    files: u64,
    bytes: u64,
    kept: u64,
    refused: u64,
}

/// Makes the posters; the exit code says whether every venue got them.
pub(crate) async fn posters(args: &PostersArgs) -> anyhow::Result<ExitCode> {
    let house = House::open(&args.house).await?;
    let press = Press::set_up(args, &house).await?;
    let of = args.which.selection();
    let mut conn = house.store()?.conn().await?;
    let (venues, codes) = posters::count(&mut conn, &of).await?;
    let total = codes.unsigned_abs() * u64::from(args.copies);
    ensure!(venues > 0, "no such venue, or all of them are closed: nothing to print");
    ensure!(total > 0, "no point has a code that is not revoked: nothing to print");
    note(&mut conn, "posters.made", "venues", serde_json::json!({ "venues": venues, "posters": total }))
        .await?;
    let mut progress = Progress::new("posters", total);
    let mut tally = Tally::default();
    match (&args.target.out, &args.target.one_file) {
        (Some(folder), _) => {
            fs::create_dir_all(folder).with_context(|| format!("--out {}", folder.display()))?;
            let mut done = |tally: &Tally| progress.at(tally.codes, total, tally.codes);
            press.fill_folder(&mut conn, &of, folder, args.again, &mut tally, &mut done).await?;
        }
        (None, Some(file)) => {
            ensure!(
                total <= CODES_MAX,
                "{} posters are too many for one file, which takes up to {}; give --out for a file for each venue",
                grouped(total),
                grouped(CODES_MAX)
            );
            let there = file.exists() && !args.again;
            ensure!(!there, "--one-file {}: is there already; --again makes it anew", file.display());
            let mut done = |tally: &Tally| progress.at(tally.codes, total, tally.codes);
            press.fill_file(&mut conn, &of, file, &mut tally, &mut done).await?;
        }
        (None, None) => bail!("give --out or --one-file"),
    }
    progress.end();
    tally.tell();
    drop(conn);
    house.close()?;
    Ok(if tally.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) })
}

impl Which {
    fn selection(&self) -> Selection {
        match (&self.venue, &self.set, self.division) {
            (Some(venue), _, _) => Selection::Venue(*venue),
            (None, Some(set), _) => Selection::Set(set.clone()),
            (None, None, Some(division)) => Selection::Division(division),
            (None, None, None) => Selection::All,
        }
    }
}

impl Press {
    async fn set_up(args: &PostersArgs, house: &House) -> anyhow::Result<Self> {
        let mut config = house.config()?;
        if let Some(url) = &args.public_url {
            config.public_url = url.clone();
        }
        config.check()?;
        let own =
            config.public_url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127."));
        if own {
            remark(format!(
                "the codes will name {}, which phones cannot reach; give --public-url or PUBLIC_URL",
                config.public_url
            ));
        }
        let font = args.font.as_ref();
        Ok(Self {
            printer: printer(font).await.context("--font")?,
            keys: house.keys()?,
            issued_on: today(config.local_offset),
            config,
            size: args.size,
            copies: args.copies,
        })
    }

    /// One file for each venue.
    async fn fill_folder(
        &self,
        conn: &mut AsyncPgConnection,
        of: &Selection,
        folder: &Path,
        again: bool,
        tally: &mut Tally,
        done: &mut dyn FnMut(&Tally),
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let venues = posters::venues(conn, of, after, PAGE).await?;
            let Some(last) = venues.last() else { return Ok(()) };
            after = Some(last.id);
            for venue in &venues {
                let file = folder.join(file_name(venue, self.size));
                if file.exists() && !again {
                    tally.kept += 1;
                    continue;
                }
                let all = self.all_facts(conn, venue, tally).await?;
                if all.is_empty() {
                    continue;
                }
                let mut print = self.printer.begin(self.size, &venue.name);
                self.add(&all, &mut print, tally, done)?;
                tally.keep(&file, &print.finish()?)?;
            }
        }
    }

    /// One file for all of them.
    async fn fill_file(
        &self,
        conn: &mut AsyncPgConnection,
        of: &Selection,
        file: &Path,
        tally: &mut Tally,
        done: &mut dyn FnMut(&Tally),
    ) -> anyhow::Result<()> {
        let mut print = self.printer.begin(self.size, "场所码 Place codes");
        let mut after = None;
        loop {
            let venues = posters::venues(conn, of, after, PAGE).await?;
            let Some(last) = venues.last() else { break };
            after = Some(last.id);
            for venue in &venues {
                let all = self.all_facts(conn, venue, tally).await?;
                self.add(&all, &mut print, tally, done)?;
            }
        }
        ensure!(tally.codes > 0, "no venue could be printed");
        tally.keep(file, &print.finish()?)
    }

    /// What stands on the posters of a venue. When one of them cannot be made, that is told and none is: a
    /// venue has all its posters or is named.
    async fn all_facts(
        &self,
        conn: &mut AsyncPgConnection,
        venue: &PrintedVenue,
        tally: &mut Tally,
    ) -> anyhow::Result<Vec<PosterFacts>> {
        let mut all = Vec::new();
        let mut after: Option<(String, i64)> = None;
        loop {
            let from = after.as_ref().map(|(name, id)| (name.as_str(), *id));
            let points = posters::points(conn, venue.id, from, PAGE).await?;
            let Some(last) = points.last() else { return Ok(all) };
            after = Some((last.name.clone(), last.id));
            for point in &points {
                let facts = self.facts(venue, point)?;
                let checked = self.printer.check(&facts).map_err(|error| error.to_string());
                let many = (all.len() as u64 + 1) * u64::from(self.copies) > CODES_MAX;
                let many = if many { Err(format!("more than {CODES_MAX} posters")) } else { Ok(()) };
                if let Err(why) = checked.and(many) {
                    remark(format!("venue {} is left out: {why}", venue.id));
                    tally.refused += 1;
                    return Ok(Vec::new());
                }
                all.push(facts);
            }
        }
    }

    /// Adds posters to a file.
    fn add(
        &self,
        all: &[PosterFacts],
        print: &mut Print<'_>,
        tally: &mut Tally,
        done: &mut dyn FnMut(&Tally),
    ) -> anyhow::Result<()> {
        for facts in all {
            for _ in 0..self.copies {
                print.add(facts)?;
                tally.codes += 1;
            }
            done(tally);
        }
        Ok(())
    }

    fn facts(&self, venue: &PrintedVenue, point: &PointRow) -> anyhow::Result<PosterFacts> {
        let generation = u8::try_from(point.generation).context("a row of `points` has no generation")?;
        let id = PointId::from_i64(point.id).context("a row of `points` has no point id")?;
        let signed =
            PlaceCode { point: id, generation }.sign(&self.keys).context("the key file has no key")?;
        Ok(PosterFacts {
            venue: venue.name.clone(),
            point: point.name.clone(),
            url: signed.url(&self.config.public_url),
            typed: signed.typed(),
            generation,
            issued_on: self.issued_on,
            retention_days: self.config.retention_days,
            host: PosterFacts::host_of(&self.config.public_url),
        })
    }
}

impl Tally {
    fn keep(&mut self, file: &Path, pdf: &[u8]) -> anyhow::Result<()> {
        write_whole(file, pdf)?;
        self.files += 1;
        self.bytes += pdf.len() as u64;
        Ok(())
    }

    fn tell(&self) {
        say(format!("{:>11}  posters or stickers", grouped(self.codes)));
        say(format!("{:>11}  files, {} kB", grouped(self.files), grouped(self.bytes.div_ceil(1000))));
        say(format!("{:>11}  files were there already", grouped(self.kept)));
        say(format!("{:>11}  venues left out", grouped(self.refused)));
    }
}

fn today(offset: FixedOffset) -> NaiveDate {
    Clock::System.now().with_timezone(&offset).date_naive()
}

/// A name that says which venue it is and is safe in every file system; the id keeps two venues apart.
fn file_name(venue: &PrintedVenue, size: Size) -> String {
    let safe = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
    let name: String = venue.name.chars().take(NAME_LETTERS).map(safe).collect();
    format!("{}-{name}-{}-{size}.pdf", venue.division, venue.id.simple())
}

/// Writes a file that is there whole or not at all.
fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let place = || format!("writing {}", path.display());
    let mut name =
        path.file_name().with_context(|| format!("{}: no name of a file", path.display()))?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&part, path)).with_context(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_venue_and_never_after_a_path() {
        let name = |name: &str| {
            let venue =
                PrintedVenue { id: Uuid::nil(), name: name.to_owned(), division: "410105".to_owned() };
            file_name(&venue, Size::A4)
        };
        let id = "00000000000000000000000000000000";
        assert_eq!(name("老茶馆（二店）"), format!("410105-老茶馆_二店_-{id}-a4.pdf"));
        assert_eq!(name("../../etc/passwd\0"), format!("410105-______etc_passwd_-{id}-a4.pdf"));
        assert!(name(&"𠮷".repeat(200)).len() <= 255);
    }
}
