//! Imported scans become the stays that a naive reckoning expects, also those of a real data set.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use placecode::domain::visitor::{IdentityKind, Visitor};
use uuid::Uuid;

use crate::support::{House, VISITOR_KEY, number, refused};

#[derive(QueryableByName, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    venue: String,
}

#[derive(QueryableByName, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stayed {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Timestamptz)]
    from_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    until_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    venue: String,
}

/// 04:00 in China, which is 20:00 UTC, after `at`.
fn day_turn(at: DateTime<Utc>) -> DateTime<Utc> {
    let today = at.date_naive().and_hms_opt(20, 0, 0).unwrap().and_utc();
    if today > at { today } else { today + TimeDelta::days(1) }
}

/// The stays of entries at venues without a closing time, reckoned scan by scan in the order of time.
fn naive_stays(scans: &[Seen], usual: TimeDelta) -> BTreeSet<Stayed> {
    let mut by_visitor: BTreeMap<Uuid, Vec<&Seen>> = BTreeMap::new();
    for scan in scans {
        by_visitor.entry(scan.visitor).or_default().push(scan);
    }
    let mut stays = BTreeSet::new();
    for scans in by_visitor.values_mut() {
        scans.sort_by_key(|scan| (scan.at, scan.id));
        let mut first = 0;
        while first < scans.len() {
            let (from, venue) = (scans[first].at, &scans[first].venue);
            let mut last = first;
            while let Some(next) = scans.get(last + 1) {
                let open = next.at <= scans[last].at + usual;
                if next.venue != *venue || !open || next.at >= day_turn(from) {
                    break;
                }
                last += 1;
            }
            let assumed = scans[last].at + usual;
            let until = scans.get(last + 1).map_or(assumed, |next| assumed.min(next.at));
            let until = until.max(from + TimeDelta::seconds(1));
            let visitor = scans[first].visitor;
            stays.insert(Stayed { visitor, from_at: from, until_at: until, venue: venue.clone() });
            first = last + 1;
        }
    }
    stays
}

/// Compares scans and stays of a house with what the rows of the file say.
fn check_stays(
    house: &House,
    set: &str,
    expected: &BTreeSet<(Uuid, DateTime<Utc>, String)>,
) -> (usize, usize) {
    let scans: Vec<Seen> = house.rows(
        "select s.visitor, s.occurred_at as at, s.id, v.source_ref as venue
         from scans s join points p on p.id = s.point_id join venues v on v.id = p.venue_id",
    );
    let stored: BTreeSet<_> = scans.iter().map(|scan| (scan.visitor, scan.at, scan.venue.clone())).collect();
    assert_eq!(scans.len(), stored.len());
    assert!(stored == *expected, "the scans of {set} differ: {} and {}", stored.len(), expected.len());
    let category = placecode::domain::catalogue::Catalogue::shipped().unwrap();
    let category = category.get("other").unwrap().clone();
    assert_eq!(category.closes, None);
    let wanted = naive_stays(&scans, TimeDelta::minutes(category.usual_mins.into()));
    let stays: Vec<Stayed> = house.rows(
        "select s.visitor, s.from_at, s.until_at, v.source_ref as venue
         from stays s join points p on p.id = s.point_id join venues v on v.id = p.venue_id",
    );
    let count = stays.len();
    let stays: BTreeSet<Stayed> = stays.into_iter().collect();
    assert_eq!(stays.len(), count);
    let differing: Vec<_> = stays.symmetric_difference(&wanted).take(5).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    (scans.len(), count)
}

fn visitor(number: &str) -> Uuid {
    Visitor::of(&VISITOR_KEY, IdentityKind::Other, number).to_uuid()
}

#[test]
fn scans_in_any_order_and_in_several_files_become_the_same_stays() {
    let house = House::new("any_order");
    let venues: String = (0..6).map(|n| format!("{n},V{n},34.7,113.{n}\n")).collect::<Vec<_>>().concat();
    let file = house.file("venues.csv", venues.as_bytes());
    let columns = ["--columns", "id,name,lat,lng", "--division", "410101"];
    house.run(&[&["venues", "import", &file, "--set", "t"], &columns[..]].concat());
    // A fixed sequence (Lehmer, modulus 2^31 - 1), so that a failure can be repeated.
    let mut state: u64 = 42;
    let mut draw = |below: u64| {
        state = state * 48_271 % 2_147_483_647;
        state % below
    };
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut expected = BTreeSet::new();
    let mut files = [Vec::new(), Vec::new()];
    for _ in 0..3000 {
        let (person, venue, minute) = (draw(20), draw(6), draw(60 * 24 * 6));
        let at = begin + TimeDelta::minutes(i64::try_from(minute).unwrap());
        expected.insert((visitor(&person.to_string()), at, format!("t:{venue}")));
        let file = usize::try_from(draw(2)).unwrap();
        files[file].push(format!("{person},{},{venue}\n", at.to_rfc3339()));
    }
    for (n, content) in files.iter().enumerate() {
        let file = house.file(&format!("scans{n}.csv"), content.concat().as_bytes());
        let columns = ["--columns", "visitor,time,venue", "--identity-kind", "other"];
        let said = house.run(&[&["scans", "import", &file, "--set", "t"], &columns[..]].concat());
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    }
    check_stays(&house, "t", &expected);
}

/// Where real data sets lie: `PLACECODE_DATA_SETS`, else beside the tree.
fn data_set(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("PLACECODE_DATA_SETS").map_or(beside, PathBuf::from).join(name);
    folder.is_dir().then_some(folder)
}

#[test]
fn the_gowalla_set_is_imported_whole() {
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

    let known: BTreeSet<String> = fs::read_to_string(&venues)
        .unwrap()
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(&scans).unwrap()).read_to_string(&mut text).unwrap();
    let mut expected = BTreeSet::new();
    let mut visitors: HashMap<&str, Uuid> = HashMap::new();
    let (mut read, mut unknown) = (0, 0);
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        read += 1;
        if known.contains(fields[4]) {
            let visitor = *visitors.entry(fields[0]).or_insert_with(|| visitor(fields[0]));
            expected.insert((visitor, fields[1].parse().unwrap(), format!("gowalla:{}", fields[4])));
        } else {
            unknown += 1;
        }
    }
    assert_eq!((read, unknown * 5 / read), (106_827, 0), "{unknown} rows name an unknown venue");

    let args = ["--set", "gowalla", "--columns", "visitor,time,-,-,venue", "--identity-kind", "other"];
    let args = [&["scans", "import", &scans], &args[..]].concat();
    let begun = Instant::now();
    let said = house.run(&args);
    println!("{} rows of scans in {:.1?}", number(&said, "rows read"), begun.elapsed());
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert_eq!(number(&said, "refused"), unknown);
    assert!(refused(&scans).iter().all(|row| row[1] == "venue" && row[3] == "unknown"));
    let (stored, stays) = check_stays(&house, "gowalla", &expected);
    assert_eq!(number(&said, "accepted"), stored as u64);
    assert_eq!(number(&said, "accepted") + number(&said, "already there") + unknown, 106_827);
    println!("{stored} scans, {stays} stays, {unknown} refused");

    let before = house.digest();
    let again = house.run(&args);
    assert_eq!(number(&again, "accepted"), 0, "{}{}", again.out, again.err);
    assert_eq!(house.digest(), before);
}
