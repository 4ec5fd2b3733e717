//! Registers of venues: what is refused, which forms of files are read, what a second import changes.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::support::{House, Line, number, reasons, refused};

pub(crate) const VENUES: &str = "\u{feff}id,name,lat,lng,category,division,capacity,credit_code,point,remark
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
