//! Registers as maps: features one by one, and what is no feature.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::house::{House, Line, number, reasons, refused};

fn texts(house: &House, query: &str) -> Vec<String> {
    house.rows::<Line>(query).into_iter().map(|row| row.text).collect()
}

#[test]
fn the_sample_map_is_accepted_whole() {
    let house = House::new("geojson_sample");
    let sample = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("venues/sample.geojson")).unwrap();
    let file = house.file("sample.geojson", &sample);
    let args = ["venues", "import", &file, "--set", "map"];
    let dry = house.run(&[&args[..], &["--dry-run"]].concat());
    assert_eq!((dry.code, number(&dry, "would be accepted")), (0, 4), "{}{}", dry.out, dry.err);
    let said = house.run(&args);
    assert_eq!((said.code, number(&said, "accepted")), (0, 4), "{}{}", said.out, said.err);
    assert!(!said.err.contains("not used"), "{}", said.err);
    assert_eq!(
        texts(&house, "select concat_ws('|', v.source_ref, v.outline ->> 'type', cardinality(v.cells) > 10, o.kind, count(p.id), bool_or(p.is_mobile),
             (select count(*) from stops s where s.venue_id = v.id), count(p.lat_deg), count(p.expires_at)) as text
             from venues v join organisations o on o.id = v.organisation_id join points p on p.venue_id = v.id group by v.id, o.id order by 1"),
        [
            "map:g1|MultiPolygon|t|2|3|f|0|2|0",
            "map:g2|f|0|2|t|3|0|0",
            "map:g3|f|4|6|t|0|0|0",
            "map:g4|f|2|3|f|0|0|3",
        ]
    );
    let before = house.digest();
    assert_eq!(number(&house.run(&args), "already there"), 4);
    assert_eq!(house.digest(), before);
}

const FEATURES: &str = r#"{"type":"FeatureCollection","name":"poi","features":[
{"type":"Feature","id":7,"geometry":{"type":"Point","coordinates":[113.6,34.7]},"properties":{"NAME":"好","capacity":20,"colour":"red"}},
{"type":"Feature","geometry":{"type":"Point","coordinates":[113.6,34.7]},"properties":{"NAME":"x"}},
{"type":"Feature","id":8,"geometry":{"type":"Point","coordinates":[34.7,113.6]},"properties":{"NAME":"x"}},
{"type":"Feature","id":9,"geometry":{"type":"Point","coordinates":["a"]},"properties":{"NAME":"x"}},
{"type":"Feature","id":10,"geometry":null,"properties":{"NAME":"x"}},
{"type":"Feature","id":11,"geometry":{"type":"LineString","coordinates":[[113.6,34.7],[113.7,34.8]]},"properties":{"NAME":"x"}},
{"type":"Feature","id":12,"geometry":{"type":"Polygon","coordinates":[[[113.0,34.0],[113.01,34.01],[113.01,34.0],[113.0,34.01],[113.0,34.0]]]},"properties":{"NAME":"x"}},
{"type":"Feature","id":13,"geometry":{"type":"Point","coordinates":[113.6,34.7]},"properties":{"NAME":{"zh":"x"}}},
{"type":"Point","coordinates":[113.6,34.7]},
{"type":"Feature","id":14,"geometry":{"type":"Point","coordinates":[113.6,34.7]},"properties":{"NAME":"x","capacity":"many","category":null}},
{"type":"Feature","id":7,"geometry":{"type":"Point","coordinates":[113.6,34.7]},"properties":{"NAME":"again"}},
{"type":"Feature","id":15,"geometry":{"type":"Point","coordinates":[113.6,34.7]},"properties":{"NAME":[["x"]]}},
{"type":"Feature","id":16,"geometry":{"type":"Point","coordinates":[113.6,34.7]},"properties":null},
{"type":"Feature","id":17,"geometry":{"type":"Polygon","coordinates":[[[113.0,34.0],[114.0,34.0],[114.0,35.0],[113.0,34.0]]]},"properties":{"NAME":"x"}}
]}"#;

#[test]
fn wrong_features_are_refused_one_by_one_and_the_others_stand() {
    let house = House::new("geojson_refused");
    let file = house.file("poi.geojson", FEATURES.as_bytes());
    let args = ["venues", "import", &file, "--set", "poi", "--division", "410105", "--map", "name=NAME"];
    let said = house.run(&args);
    assert_eq!((said.code, number(&said, "accepted")), (3, 1), "{}{}", said.out, said.err);
    assert!(said.err.contains("columns that are not used: colour"), "{}", said.err);
    assert_eq!(
        reasons(&file),
        [
            "2 id: empty",
            "3 lat: out of range",
            "4 geometry: no position",
            "5 geometry: empty",
            "6 geometry: no outline",
            "7 geometry: no outline",
            "8 name: an object",
            "9 feature: no GeoJSON feature",
            "10 capacity: no number of people",
            "11 id: twice in this file",
            "12 name: an object",
            "13 name: empty",
            "14 geometry: no outline",
        ]
    );
    let line = &refused(&file)[4];
    assert!(line[4].contains("must be a Polygon or MultiPolygon, not a LineString"), "{line:?}");
    assert_eq!(
        texts(&house, "select concat_ws('|', source_ref, name, capacity) as text from venues"),
        ["poi:7|好|20"]
    );
}

#[test]
fn features_in_lines_of_their_own_may_be_packed() {
    let house = House::new("geojson_lines");
    let lines = "\u{1e}{\"type\":\"Feature\",\"id\":\"a\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[113.6,34.7]},\"properties\":{\"name\":\"甲\",\"mobile\":true}}\n\n{nonsense\n{\"type\":\"Feature\",\"id\":\"b\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[113.6,34.7]},\"properties\":{\"name\":\"乙\"}}";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(lines.as_bytes()).unwrap();
    let file = house.file("poi.ndjson.gz", &packed.finish().unwrap());
    let said = house.run(&["venues", "import", &file, "--set", "poi", "--division", "410105"]);
    assert_eq!((said.code, number(&said, "accepted")), (3, 2), "{}{}", said.out, said.err);
    assert_eq!(reasons(&file), ["2 feature: no GeoJSON feature"]);
    assert_eq!(
        texts(
            &house,
            "select concat_ws('|', v.name, p.is_mobile) as text from venues v join points p on p.venue_id = v.id order by v.name collate \"C\""
        ),
        ["乙|f", "甲|t"]
    );
}

#[test]
fn a_file_that_is_no_map_or_breaks_off_is_told_and_changes_nothing() {
    let house = House::new("geojson_broken");
    let before = house.digest();
    let cases = [
        ("cut.geojson", &FEATURES[..FEATURES.len() - 40], "the file ends in the middle of a feature"),
        (
            "one.geojson",
            r#"{"type":"Feature","geometry":null,"properties":{}}"#,
            "no GeoJSON FeatureCollection",
        ),
        ("table.geojson", "id,name,lat,lng\n1,x,34.7,113.6\n", "no GeoJSON FeatureCollection"),
        ("null.geojson", r#"{"features":[null]}"#, "begins no feature"),
    ];
    for (name, text, why) in cases {
        let file = house.file(name, text.as_bytes());
        let said = house.run(&["venues", "import", &file, "--set", "x", "--division", "410105"]);
        assert!(said.code == 1 && said.err.contains(why), "{name}: {}{}", said.out, said.err);
    }
    let file = house.file("map.geojson", b"{\"features\":[]}");
    for wrong in [&["--columns", "id,name"], &["--delimiter", "tab"]] {
        let said = house
            .run(&[&["venues", "import", &file, "--set", "x", "--division", "410105"], &wrong[..]].concat());
        assert!(said.code == 1 && said.err.contains("are for tables"), "{}", said.err);
    }
    let said =
        house.run(&["venues", "import", &file, "--set", "x", "--division", "410105", "--map", "nom=NAME"]);
    assert!(said.code == 1 && said.err.contains("`nom` is no column of this import"), "{}", said.err);
    assert_eq!(house.digest(), before);
}
