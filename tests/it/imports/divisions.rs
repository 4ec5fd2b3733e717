//! Where divisions lie: loaded from tables and maps, and what that refuses.

use std::fs;
use std::path::Path;

use super::house::{House, number, reasons, refused};

fn shipped(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("venues").join(name)).unwrap()
}

#[test]
fn the_shipped_boxes_are_accepted_and_the_samples_lie_inside_theirs() {
    let house = House::new("divisions_shipped");
    let file = house.file("divisions.csv", &shipped("divisions.csv"));
    let dry = house.run(&["divisions", "import", &file, "--dry-run"]);
    assert_eq!((dry.code, number(&dry, "would be accepted")), (0, 35), "{}{}", dry.out, dry.err);
    assert_eq!(house.run(&["divisions", "list"]).out.lines().count(), 1);
    let said = house.run(&["divisions", "import", &file]);
    assert_eq!((said.code, number(&said, "accepted")), (0, 35), "{}{}", said.out, said.err);
    let listed = house.run(&["divisions", "list"]).out;
    assert!(listed.lines().any(|line| line.starts_with("410100") && line.ends_with("郑州市")), "{listed}");
    for (name, count) in [("sample.csv", 12), ("sample.geojson", 4)] {
        let file = house.file(name, &shipped(name));
        let said = house.run(&["venues", "import", &file, "--set", "sample-x"]);
        assert_eq!((said.code, number(&said, "accepted")), (0, count), "{}{}", said.out, said.err);
    }
    assert_eq!(house.run(&["audit", "verify"]).code, 0);
}

#[test]
fn a_venue_outside_its_division_is_refused_by_the_narrowest_box_that_is_known() {
    let house = House::new("divisions_bounds");
    let boxes = "code,name,south,west,north,east\n410000,河南省,31,110,37,117\n410100,郑州市,34,112,36,115\n";
    let file = house.file("boxes.csv", boxes.as_bytes());
    assert_eq!(house.run(&["divisions", "import", &file]).code, 0);
    let rows = "id,name,division,lat,lng\n1,here,410105,34.7,113.6\n2,south,410105,33.9,113.6\n3,east,410105,34.7,115.5\n\
                4,province,410202,33.9,113.6\n5,far,410202,30.0,113.6\n6,unknown,310101,40.7,-74.0\n7,swapped,410105,113.6,34.7\n";
    let venues = house.file("venues.csv", rows.as_bytes());
    let said = house.run(&["venues", "import", &venues, "--set", "x"]);
    assert_eq!((said.code, number(&said, "accepted")), (3, 3), "{}{}", said.out, said.err);
    assert_eq!(
        reasons(&venues),
        [
            "3 lat: outside the division",
            "4 lng: outside the division",
            "6 lat: outside the division",
            "8 lat: out of range"
        ]
    );
    let right = "410100 lies at 34 to 36 degrees north, 112 to 115 east; or the division where the venue is";
    assert_eq!(refused(&venues)[0], ["3", "lat", "33.9", "outside the division", right]);

    // A box that is there is replaced, and the row that it refused is taken.
    let wider =
        house.file("wider.csv", b"adcode,name,south,west,north,east\n410100,Zhengzhou,33,112,36,116\n");
    assert_eq!(house.run(&["divisions", "import", &wider]).code, 0);
    let said = house.run(&["venues", "import", &venues, "--set", "x"]);
    assert_eq!(
        (number(&said, "accepted"), number(&said, "already there")),
        (2, 3),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn a_map_of_boundaries_gives_boxes_and_wrong_rows_are_refused() {
    let house = House::new("divisions_map");
    let map = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","properties":{"adcode":410105,"name":"金水区","level":"district","center":[113.6,34.8]},
         "geometry":{"type":"MultiPolygon","coordinates":[[[[113.62,34.74],[113.8,34.75],[113.7,34.9],[113.62,34.74]]]]}},
        {"type":"Feature","properties":{"adcode":"100000_JD","name":""},"geometry":{"type":"MultiPolygon","coordinates":[]}},
        {"type":"Feature","properties":{"adcode":410104,"name":"x"},"geometry":{"type":"Polygon","coordinates":[]}},
        {"type":"Feature","properties":{"name":"x"},"geometry":{"type":"Polygon","coordinates":[]}},
        {"type":"Feature","properties":{"adcode":410105,"name":"again"},"geometry":{"type":"Polygon","coordinates":[[[1,1],[2,1],[2,2],[1,1]]]}}]}"#;
    let file = house.file("410100.json", map.as_bytes());
    let said = house.run(&["divisions", "import", &file]);
    assert_eq!((said.code, number(&said, "accepted")), (3, 1), "{}{}", said.out, said.err);
    let expected = [
        "2 code: no division code",
        "3 geometry: has no bounds",
        "4 code: empty",
        "5 code: twice in this file",
    ];
    assert_eq!(reasons(&file), expected);
    let listed = house.run(&["divisions", "list"]).out;
    assert!(listed.contains("410105  34.74     113.62    34.9      113.8     金水区"), "{listed}");

    let table = "code,name,south,west,north,east\n410103,x,36,112,34,115\n410103,x,34,112,95,115\n410103,x,a,1,2,3\n410103,,34,112,36,115\n";
    let file = house.file("boxes.csv", table.as_bytes());
    let before = house.digest();
    assert_eq!(house.run(&["divisions", "import", &file]).code, 3);
    assert_eq!(
        reasons(&file),
        ["2 south: no bounds", "3 south: no bounds", "4 south: no number", "5 name: empty"]
    );
    assert_eq!(house.digest(), before);
}
