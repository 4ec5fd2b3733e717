//! A city that is known to the last infection: how many of those whom a case infected each rule pack finds, and
//! how many others it lists, by how many visits are scanned.
//!
//! `cargo bench --bench city -- --people 20000 --out docs/city` writes the table and the plots.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark ends where it fails, and prints"
)]

#[path = "city/days.rs"]
mod days;
#[path = "city/infection.rs"]
mod infection;
#[path = "city/map.rs"]
mod map;
#[path = "city/measure.rs"]
mod measure;
#[path = "city/plot.rs"]
mod plot;
#[path = "city/scanning.rs"]
mod scanning;

use std::path::{Path, PathBuf};

use placecode::domain::catalogue::Catalogue;
use placecode::domain::rule_pack::RulePack;
use rand::SeedableRng;
use rand::rngs::StdRng;

use self::measure::{Known, Measured, Trail};

/// Of a hundred visits, so many are scanned.
const SCANNED_PERCENT: [u32; 6] = [10, 30, 50, 70, 90, 100];
/// How many cases are traced.
const CASES: usize = 60;

fn main() {
    let options = Options::read();
    let catalogue = Catalogue::shipped().unwrap();
    let packs = packs();
    let mut rng = StdRng::seed_from_u64(options.seed);
    let map = map::Map::draw(&mut rng, options.people);
    let people = map.people(&mut rng, options.people);
    let history = infection::spread(&mut rng, &map, &people);
    println!(
        "{} people, {} places, {} days, {} visits, {} infections, {} of them outside the home",
        people.len(),
        map.places.len(),
        days::DAYS,
        history.visits.len(),
        history.infections.len(),
        history.infections.iter().filter(|infection| infection.place.is_some()).count()
    );
    let cases: Vec<Known> = history.cases(CASES).into_iter().map(|case| Known::of(&history, case)).collect();
    println!("{} cases are traced under {} packs", cases.len(), packs.len());
    let mut measured: Vec<Measured> = Vec::new();
    for percent in SCANNED_PERCENT {
        let stays = scanning::stays(&mut rng, &map, &history.visits, percent, &catalogue);
        let index = measure::Index::new(&map, stays);
        for pack in &packs {
            for trail in [Trail::Scanned, Trail::Told] {
                measured.push(measure::measure(&map, &cases, &index, pack, trail, percent));
            }
        }
        println!("{percent} % of visits scanned: done");
    }
    print(&measured);
    if let Some(folder) = options.out {
        std::fs::create_dir_all(&folder).unwrap();
        measure::write(&measured, &folder.join("measured.csv"));
        plot::recall(&measured, &folder.join("recall.svg"));
        plot::trade(&measured, &folder.join("trade.svg"));
        println!("written to {}", folder.display());
    }
}

/// All packs that are shipped for a jurisdiction, in the order of their names.
fn packs() -> Vec<RulePack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files.iter().map(|file| RulePack::parse(&std::fs::read_to_string(file).unwrap()).unwrap()).collect()
}

fn print(measured: &[Measured]) {
    println!("\nWith half of the visits scanned, and the case's own way told in an interview:");
    println!(
        "{:<28} {:>7} {:>10} {:>10} {:>12}",
        "pack", "recall", "precision", "truly met", "listed a case"
    );
    for row in measured.iter().filter(|row| row.percent == 50 && row.trail == Trail::Told) {
        println!(
            "{:<28} {:>7.2} {:>10.4} {:>10.2} {:>12}",
            row.pack,
            row.recall(),
            row.precision(),
            row.truly_met(),
            row.listed_median
        );
    }
}

struct Options {
    people: u32,
    seed: u64,
    out: Option<PathBuf>,
}

impl Options {
    fn read() -> Self {
        let mut options = Self { people: 20_000, seed: 7, out: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--people" => options.people = words.next().unwrap().parse().unwrap(),
                "--seed" => options.seed = words.next().unwrap().parse().unwrap(),
                "--out" => options.out = words.next().map(PathBuf::from),
                _ => {}
            }
        }
        options
    }
}
