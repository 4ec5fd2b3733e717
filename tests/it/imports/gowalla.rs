//! A real data set: its scans become the stays of a naive reckoning, and people of it who are reported as cases have
//! the contacts of a brute-force one.
#![expect(clippy::print_stdout, reason = "the log of a test tells how long a real history takes")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::house::{House, number, refused};
use super::reckoning::{Found, Ill, contacts, most_exposed};
use super::stays::{Stayed, check_stays, visitor};

/// Where real data sets lie: `PLACECODE_DATA_SETS`, else beside the tree.
fn data_set(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("PLACECODE_DATA_SETS").map_or(beside, PathBuf::from).join(name);
    folder.is_dir().then_some(folder)
}

/// What the files say.
struct Raw {
    /// Who was seen when and where, of the rows whose venue is known.
    seen: BTreeSet<(Uuid, DateTime<Utc>, String)>,
    /// The number in the file behind each pseudonym.
    numbers: HashMap<Uuid, String>,
    /// How many rows name a venue that is not in the register.
    unknown: u64,
}

impl Raw {
    fn read(venues: &str, scans: &str) -> Self {
        let venues = fs::read_to_string(venues).unwrap();
        let known: BTreeSet<&str> = venues.lines().map(|line| line.split('\t').next().unwrap()).collect();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(fs::File::open(scans).unwrap()).read_to_string(&mut text).unwrap();
        let mut pseudonyms: HashMap<&str, Uuid> = HashMap::new();
        let (mut seen, mut unknown) = (BTreeSet::new(), 0);
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            if known.contains(fields[4]) {
                let person = *pseudonyms.entry(fields[0]).or_insert_with(|| visitor(fields[0]));
                seen.insert((person, fields[1].parse().unwrap(), format!("gowalla:{}", fields[4])));
            } else {
                unknown += 1;
            }
        }
        assert_eq!((text.lines().count(), unknown * 5 / 106_827), (106_827, 0), "{unknown} unknown");
        let numbers = pseudonyms.into_iter().map(|(number, person)| (person, number.to_owned())).collect();
        Self { seen, numbers, unknown }
    }
}

#[test]
fn the_gowalla_set_is_imported_whole_and_its_people_are_traced_as_brute_force_would() {
    let Some(data) = data_set("gowalla-nyc") else {
        println!("SKIPPED: no data set gowalla-nyc; PLACECODE_DATA_SETS names the folder of data sets");
        return;
    };
    let house = House::new("gowalla");
    let venues = house.file("venues.tsv", &fs::read(data.join("venues.tsv")).unwrap());
    let scans = house.file("checkins.tsv.gz", &fs::read(data.join("checkins.tsv.gz")).unwrap());
    let args = ["--set", "gowalla", "--columns", "id,name,lat,lng", "--division", "310101"];
    let begun = Instant::now();
    let said = house.run(&[&["venues", "import", &venues], &args[..]].concat());
    println!("{} rows of venues in {:.1?}", number(&said, "rows read"), begun.elapsed());
    assert_eq!((said.code, number(&said, "accepted")), (0, 30_366), "{}{}", said.out, said.err);

    let raw = Raw::read(&venues, &scans);
    let args = ["--set", "gowalla", "--columns", "visitor,time,-,-,venue", "--identity-kind", "other"];
    let args = [&["scans", "import", &scans], &args[..]].concat();
    let begun = Instant::now();
    let said = house.run(&args);
    println!("{} rows of scans in {:.1?}", number(&said, "rows read"), begun.elapsed());
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert_eq!(number(&said, "refused"), raw.unknown);
    assert!(refused(&scans).iter().all(|row| row[1] == "venue" && row[3] == "unknown"));
    let (stored, stays) = check_stays(&house, "gowalla", &raw.seen);
    assert_eq!(number(&said, "accepted"), stored as u64);
    assert_eq!(number(&said, "accepted") + number(&said, "already there") + raw.unknown, 106_827);
    println!("{stored} scans, {} stays, {} refused", stays.len(), raw.unknown);

    let before = house.digest();
    let again = house.run(&args);
    assert_eq!(number(&again, "accepted"), 0, "{}{}", again.out, again.err);
    assert_eq!(house.digest(), before);

    check_contacts(&house, &stays, &raw.numbers);
}

/// Reports those who met most others as cases, traces them, and compares who was found.
fn check_contacts(house: &House, stays: &BTreeSet<Stayed>, numbers: &HashMap<Uuid, String>) {
    let password = house.file("li.txt", b"correct horse battery staple\n");
    let roles = ["--role", "investigator", "--division", "310100", "--password-file", &password];
    done(house, &[&["staff", "add", "--login", "li"], &roles[..]].concat());
    done(house, &["packs", "load"]);
    let (mut met, mut graded) = (0, 0);
    for (at, ill) in most_exposed(stays, 3, 60).iter().enumerate() {
        let case = report(house, ill, &numbers[&ill.visitor], at == 2);
        let begun = Instant::now();
        let traced = done(house, &["trace", &case, "--purpose", "brute force", "--by", "li"]);
        let took = begun.elapsed();
        let found: Vec<Found> = house.rows(&format!(
            "select c.visitor, c.class, c.colour, c.together_secs, c.meetings, c.first_at, c.last_at
             from contacts c join runs r on r.id = c.run_id where r.case_id = '{case}'"
        ));
        let expected = contacts(stays, ill);
        assert_eq!(found.len(), expected.contacts.len(), "{traced}");
        let found: BTreeSet<Found> = found.into_iter().collect();
        let differing: Vec<_> = found.symmetric_difference(&expected.contacts).collect();
        assert!(differing.is_empty(), "{ill:?}: {differing:#?}");
        let said = |start: String| traced.lines().any(|line| line.starts_with(&start));
        assert!(said(format!("contacts        {}", found.len())), "{traced}");
        assert!(said(format!("met             {} people,", expected.met)), "{traced}");
        println!("a case with {} contacts among {} met, traced in {took:.1?}", found.len(), expected.met);
        assert!(!found.is_empty());
        (met, graded) = (met + expected.met, graded + found.len());
    }
    assert!(graded < met, "nobody was met too briefly: the rule was not tried");
}

/// Enters a case whose infectious period, two days before onset or sample until isolation, is the wanted one.
fn report(house: &House, ill: &Ill, number: &str, asymptomatic: bool) -> String {
    let (from, until) = (ill.from + TimeDelta::days(2), ill.until.to_rfc3339());
    let (first, later) = (from.to_rfc3339(), (from + TimeDelta::days(1)).to_rfc3339());
    let dates = ["--isolated", &until, "--sampled"];
    let who = ["--identity", number, "--identity-kind", "other", "--by", "li", "--division", "310101"];
    let kind = if asymptomatic {
        vec![&first, "--kind", "asymptomatic"]
    } else {
        vec![&later, "--kind", "confirmed", "--onset", &first]
    };
    let authority = ["--authority", "上海市疾病预防控制中心"];
    let args = [&["cases", "report"], &who[..], &authority, &dates, &kind].concat();
    done(house, &args).trim().to_owned()
}

/// What a command said that has done all it should.
fn done(house: &House, args: &[&str]) -> String {
    let said = house.run(args);
    assert_eq!(said.code, 0, "{args:?}: {}{}", said.out, said.err);
    said.out
}
