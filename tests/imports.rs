//! Imports of venues and scans, by the real binary on real servers: what is refused, what a second import changes
//! (nothing), and that imported scans become the stays that a naive reckoning expects.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers of a test are tests too; clippy allows this only below #[test]"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use placecode::domain::visitor::{IdentityKind, Visitor};
use placecode::embedded::{Durability, Options, Servers};
use uuid::Uuid;

const TEMPLATE: &str = "imports_template";
const VISITOR_KEY: [u8; 32] = [7; 32];

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

/// The servers that all tests share, with a database that is migrated already.
fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let folder = target().join("imports/servers");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let tools = Some(target().join("tools"));
        let options = Options { tools, durability: Durability::ForTests, ..Options::new(folder) };
        let servers = Servers::start_with(&options, &|text| println!("{text}")).unwrap();
        servers.ensure_database(TEMPLATE).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(placecode::store::migrate(&servers.database_url(TEMPLATE))).unwrap();
        servers
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A database and a folder of one test.
struct House {
    url: String,
    folder: PathBuf,
}

/// What one run of the binary said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl House {
    fn new(name: &str) -> Self {
        let folder = target().join("imports").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        let url = servers().database_url("postgres");
        block_on(async {
            let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
            sql_query(format!("create database {name} template {TEMPLATE}"))
                .execute(&mut conn)
                .await
                .unwrap();
        });
        fs::write(folder.join("visitor.key"), data_encoding::HEXLOWER.encode(&VISITOR_KEY)).unwrap();
        let house = Self { url: servers().database_url(name), folder };
        let keys = house.folder.join("keys.toml");
        assert_eq!(house.run(&["keys", keys.to_str().unwrap()]).code, 0);
        house
    }

    fn run(&self, args: &[&str]) -> Said {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_placecode"))
            .args(args)
            .env_clear()
            .env("DATABASE_URL", &self.url)
            .env("REDIS_URL", servers().redis_url())
            .env("KEYS_FILE", self.folder.join("keys.toml"))
            .env("VISITOR_KEY_FILE", self.folder.join("visitor.key"))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Writes a file and returns its name.
    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn rows<T>(&self, query: &str) -> Vec<T>
    where
        T: QueryableByName<diesel::pg::Pg> + Send + 'static,
    {
        block_on(async {
            let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
            sql_query(query).load(&mut conn).await.unwrap()
        })
    }

    fn change(&self, statement: &str) {
        block_on(async {
            let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
            sql_query(statement).execute(&mut conn).await.unwrap();
        });
    }

    /// A digest of everything that an import may write.
    fn digest(&self) -> Vec<String> {
        let tables =
            ["organisations", "venues", "points", "scans", "stays", "imported_days", "audit_entries"];
        let digest = |table: &&str| {
            let query = format!(
                "select '{table} ' || count(*) || coalesce(md5(string_agg(t::text, '' order by t::text)), '') as text
                 from {table} t"
            );
            self.rows::<Line>(&query).remove(0).text
        };
        tables.iter().map(digest).collect()
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn refused(file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(format!("{file}.refused.csv")).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Row, column and what is wrong, of each refused row.
fn reasons(file: &str) -> Vec<String> {
    refused(file).iter().map(|row| format!("{} {}: {}", row[0], row[1], row[3])).collect()
}

fn number(said: &Said, what: &str) -> u64 {
    let line = said.out.lines().find(|line| line.contains(what));
    let line = line.unwrap_or_else(|| panic!("no line `{what}` in: {} {}", said.out, said.err));
    line.split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}

const VENUES: &str = "\u{feff}id,name,lat,lng,category,division,capacity,credit_code,point,remark
1,Good,34.7,113.6,mall,410105,100,91330100799655058B,东门;西门,x
2,,34.7,113.6,,,,,,
3,Far,95,113.6,,,,,,
4,Text,north,113.6,,,,,,
5,Null,0,0,,,,,,
6,Kind,34.7,113.6,castle,,,,,
7,Where,34.7,113.6,,4101,,,,
8,Full,34.7,113.6,,,many,,,
9,Code,34.7,113.6,,,,91330100799655085B,,
10,Twice,34.7,113.6,,,,,门;门,
1,Again,34.7,113.6,,,,,,
11,Narrow,34.7
,Nameless,34.7,113.6,,,,,,
12,\"Two
lines\",34.7,113.6,,,,,,
13,火,34.7,113.6,火车站,,,,,
14,East,34.7,-181,,,,,,
";

#[test]
fn wrong_rows_of_venues_are_refused_one_by_one_and_the_others_stand() {
    let house = House::new("venues_refused");
    let file = house.file("venues.csv", VENUES.as_bytes());
    let args = ["venues", "import", &file, "--set", "test", "--division", "410101"];
    let said = house.run(&args);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(said.err.contains("columns that are not used: remark"), "{}", said.err);
    assert_eq!(
        reasons(&file),
        [
            "3 name: empty",
            "4 lat: out of range",
            "5 lat: no number",
            "6 lat: 0, 0 is no position",
            "7 category: not in the catalogue",
            "8 division: no division code",
            "9 capacity: no number of people",
            "10 credit_code: no unified social credit code",
            "11 point: named twice",
            "12 id: twice in this file",
            "13 row: not as wide as the file",
            "14 id: empty",
            "15 name: holds control characters",
            "18 lng: out of range",
        ]
    );
    assert_eq!(refused(&file)[1], ["4", "lat", "95", "out of range", "-90 to 90 degrees"]);
    let counted = ["rows read", "accepted", "already there", "refused"].map(|what| number(&said, what));
    assert_eq!(counted, [16, 2, 0, 14]);
    let rows = house.rows::<Line>(
        "select concat_ws('|', v.source_ref, v.name, v.category, v.division, v.state, p.name, o.credit_code, o.legal_name) as text
         from venues v join points p on p.venue_id = v.id join organisations o on o.id = v.organisation_id order by 1",
    );
    let rows: Vec<_> = rows.into_iter().map(|row| row.text).collect();
    assert_eq!(
        rows,
        [
            "test:13|火|railway_station|410101|1|入口|test",
            "test:1|Good|mall|410105|1|东门|91330100799655058B|Good",
            "test:1|Good|mall|410105|1|西门|91330100799655058B|Good",
        ]
    );

    let before = house.digest();
    let again = house.run(&args);
    assert_eq!(number(&again, "already there"), 2, "{}", again.out);
    assert_eq!(house.digest(), before);
    assert_eq!(house.run(&["audit", "verify"]).code, 0);
}

#[test]
fn a_file_may_be_packed_lack_a_header_or_name_its_columns_otherwise() {
    let house = House::new("venues_forms");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"7\t\"Quoted\tx\t34.7\t113.6\n").unwrap();
    // The name says nothing about packing; the first bytes do.
    let file = house.file("plain.tsv", &packed.finish().unwrap());
    let columns = ["--columns", "id,name,-,lat,lng", "--division", "410101"];
    let said = house.run(&[&["venues", "import", &file, "--set", "a"], &columns[..]].concat());
    assert_eq!((said.code, number(&said, "accepted")), (0, 1), "{}{}", said.out, said.err);

    let file = house.file("poi.csv", "POI_ID;名称;纬度;经度;name\n8;店;34.7;113.6;not this\n".as_bytes());
    let maps = ["--map", "id=POI_ID", "--map", "name=名称", "--map", "lat=纬度", "--map", "lng=经度"];
    let base = ["venues", "import", &file, "--set", "b", "--delimiter", ";", "--division", "410101"];
    let said = house.run(&[&base[..], &maps[..]].concat());
    assert_eq!((said.code, number(&said, "accepted")), (0, 1), "{}{}", said.out, said.err);
    let names = house.rows::<Line>("select name as text from venues order by source_ref");
    assert_eq!(names.into_iter().map(|row| row.text).collect::<Vec<_>>(), ["\"Quoted", "店"]);

    let said = house.run(&base);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("the column `id` is missing; name it with --map id=NAME"), "{}", said.err);
    let said = house.run(&[&base[..], &["--map", "id=NO"]].concat());
    assert!(said.err.contains("the header has no `NO`; it has POI_ID, 名称"), "{}", said.err);
    let said = house.run(&["venues", "import", &file, "--set", "b", "--columns", "id,nom,lat,lng"]);
    assert!(said.err.contains("`nom` is no column of this import; it knows id, name,"), "{}", said.err);
}

#[test]
fn the_sample_register_is_accepted_whole() {
    let house = House::new("venues_sample");
    let sample = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("venues/sample.csv")).unwrap();
    let file = house.file("sample.csv", &sample);
    let said = house.run(&["venues", "import", &file, "--set", "sample"]);
    assert_eq!((said.code, number(&said, "accepted")), (0, 12), "{}{}", said.out, said.err);
    assert!(!Path::new(&format!("{file}.refused.csv")).exists());
}

#[test]
fn a_dry_run_changes_nothing() {
    let house = House::new("dry");
    let before = house.digest();
    let file = house.file("venues.csv", VENUES.as_bytes());
    let args = ["venues", "import", &file, "--set", "test", "--division", "410101"];
    let said = house.run(&[&args[..], &["--dry-run"]].concat());
    assert_eq!((said.code, number(&said, "would be accepted")), (3, 2));
    assert_eq!((house.digest(), refused(&file).len()), (before, 14));

    assert_eq!(house.run(&args).code, 3);
    let before = house.digest();
    let file = house.file("scans.csv", b"visitor,time,venue\n5,2026-01-01 08:00,13\n");
    let said = house.run(&["scans", "import", &file, "--set", "test", "--dry-run"]);
    assert_eq!((said.code, number(&said, "would be accepted")), (0, 1), "{}{}", said.out, said.err);
    assert_eq!(house.digest(), before);
}

const SCANS: &str = "visitor,visitor_hex,time,venue,point,direction,presence,id
5,,2026-01-01 08:00,13,,,,
5,,2026-01-01T08:30:00+08:00,1,东门,entry,verified,a7
,0123456789abcdef0123456789abcdef,2026-01-01 08:00,13,,,,6b8e1f0e-6f6b-4b7c-9a57-0d6c3c1d2b11
,,2026-01-01 08:00,13,,,,
,XYZ,2026-01-01 08:00,13,,,,
5,,yesterday,13,,,,
5,,2999-01-01 08:00,13,,,,
5,,1970-01-01 08:00,13,,,,
5,,2026-01-01 08:00,99,,,,
5,,2026-01-01 08:00,1,,,,
5,,2026-01-01 08:00,1,北门,,,
5,,2026-01-01 08:00,,,,,
5,,2026-01-01 08:00,,x,,,
5,,2026-01-01 08:00,,77,,,
5,,2026-01-01 08:00,13,,up,,
5,,2026-01-01 08:00,13,,,sure,
5,,2026-01-01 08:00,20,,,,
5,,2026-01-01 08:00,13
5,,2026-01-01 08:00,13,,,,
";

#[test]
fn wrong_scans_are_refused_one_by_one_and_the_others_become_stays() {
    let house = House::new("scans_refused");
    let venues = format!("{VENUES}20,Closed,34.7,113.6,,,,,,\n");
    let file = house.file("venues.csv", venues.as_bytes());
    house.run(&["venues", "import", &file, "--set", "test", "--division", "410101"]);
    house.change("update venues set state = 2 where source_ref = 'test:20'");
    let file = house.file("scans.csv", SCANS.as_bytes());
    let args = ["scans", "import", &file, "--set", "test"];
    let said = house.run(&args);
    assert_eq!(
        reasons(&file),
        [
            "5 visitor: empty",
            "6 visitor_hex: no pseudonym",
            "7 time: no moment",
            "8 time: in the future",
            "9 time: before the year 2000",
            "10 venue: unknown",
            "11 venue: has several points",
            "12 point: not a point of this venue",
            "13 venue: no place",
            "14 point: no point id",
            "15 point: unknown",
            "16 direction: unknown",
            "17 presence: unknown",
            "18 venue: not approved",
            "19 row: not as wide as the file",
        ],
        "{}{}",
        said.out,
        said.err
    );
    assert_eq!(refused(&file)[6][4], "name one in `point`: 东门; 西门");
    let counted = ["rows read", "accepted", "already there", "refused"].map(|what| number(&said, what));
    assert_eq!(counted, [19, 3, 1, 15]);
    let stays = house.rows::<Line>(
        "select concat_ws('|', v.source_ref, p.name, s.from_at at time zone 'UTC', s.until_at - s.from_at, s.ended_by, s.presence) as text
         from stays s join points p on p.id = s.point_id join venues v on v.id = p.venue_id order by s.from_at, s.until_at, 1",
    );
    let stays: Vec<_> = stays.into_iter().map(|row| row.text).collect();
    // The scan at the mall is what ends one of the stays at the station.
    assert_eq!(
        stays,
        [
            "test:13|入口|2026-01-01 00:00:00|00:30:00|2|1",
            "test:13|入口|2026-01-01 00:00:00|01:00:00|0|1",
            "test:1|东门|2026-01-01 00:30:00|01:30:00|0|3",
        ]
    );
    assert_eq!(house.rows::<Count>("select count(*) as n from imported_days")[0].n, 1);

    let before = house.digest();
    let again = house.run(&args);
    assert_eq!(number(&again, "already there"), 4, "{}", again.out);
    assert_eq!(house.digest(), before);
}

#[test]
fn settings_that_are_given_in_part_are_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_placecode"))
        .args(["migrate", "--database-url", "postgres://x"])
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("DATABASE_URL is given, REDIS_URL and KEYS_FILE is not"), "{text}");
}

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
    scans.iter().for_each(|scan| by_visitor.entry(scan.visitor).or_default().push(scan));
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
    let venues: String = (0..6).map(|n| format!("{n},V{n},34.7,113.{n}\n")).collect();
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
    let mut files = [String::new(), String::new()];
    for _ in 0..3000 {
        let (person, venue, minute) = (draw(20), draw(6), draw(60 * 24 * 6));
        let at = begin + TimeDelta::minutes(i64::try_from(minute).unwrap());
        expected.insert((visitor(&person.to_string()), at, format!("t:{venue}")));
        let file = usize::try_from(draw(2)).unwrap();
        files[file] += &format!("{person},{},{venue}\n", at.to_rfc3339());
    }
    for (n, content) in files.iter().enumerate() {
        let file = house.file(&format!("scans{n}.csv"), content.as_bytes());
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
