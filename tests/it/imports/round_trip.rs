//! What an export writes an import reads back.

use std::fs;
use std::path::Path;

use super::house::{House, Line, number};

/// Venues whose texts are a trap for a table.
const TRAPS: &str = "id,name,lat,lng,address,contact_name,contact_phone,organisation,point,capacity,state\n\
    =1,'=cmd|' /c calc'!A1,34.7,113.6,\"一街,二号\",\"\"\"引号\"\"\",+86 371 1234567,@公司,\"a\\;b;c\\|d|granularity=seat;'x\",5,\n\
    -2,-门,-34.7,-113.6,,''=x,,=甲,入口,,suspended\n\
    '3,'早餐',0.1,1e-7,,,,,=门,,closed\n";

fn imported(house: &House, file: &str, set: &str) {
    let said = house.run(&["venues", "import", file, "--set", set, "--division", "410105"]);
    assert_eq!((said.code, number(&said, "refused")), (0, 0), "{}{}", said.out, said.err);
}

fn exported(house: &House, name: &str, args: &[&str]) -> (String, String) {
    let file = house.folder.join(name).to_str().unwrap().to_owned();
    let said = house.run(&[&["venues", "export", "--out", &file], args].concat());
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(!Path::new(&format!("{file}.part")).exists());
    (fs::read_to_string(&file).unwrap(), file)
}

fn full(name: &str) -> House {
    let house = House::new(name);
    for sample in ["sample.csv", "sample.geojson"] {
        let sample_text =
            fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("venues").join(sample)).unwrap();
        imported(&house, &house.file(sample, &sample_text), "city");
    }
    imported(&house, &house.file("traps.csv", TRAPS.as_bytes()), "city");
    house
}

#[test]
fn an_export_is_imported_into_an_empty_register_and_exported_as_it_was() {
    let house = full("round_trip");
    let names = house.rows::<Line>("select name as text from venues where source_ref in ('city:=1', 'city:-2', 'city:''3') order by source_ref collate \"C\"");
    let names: Vec<_> = names.into_iter().map(|row| row.text).collect();
    // An apostrophe before what a spreadsheet could take for a formula guards it and is no part of it.
    assert_eq!(names, ["'早餐'", "-门", "=cmd|' /c calc'!A1"]);
    for (format, file) in [("csv", "city.csv"), ("geojson", "city.geojson"), ("geojsonl", "city.geojsonl")] {
        let args = ["--format", format, "--set", "city"];
        let (first, path) = exported(&house, file, &args);
        let empty = House::new(&format!("round_trip_{format}"));
        imported(&empty, &path, "city");
        let (second, _) = exported(&empty, file, &args);
        assert_eq!(first, second, "{format}");
        assert_eq!(empty.digest_of_content(), house.digest_of_content(), "{format}");
    }
    // Without a set, ids say from which one they are.
    let (all, path) = exported(&house, "all.csv", &["--format", "csv"]);
    let empty = House::new("round_trip_all");
    imported(&empty, &path, "again");
    let (again, _) = exported(&empty, "all.csv", &["--format", "csv", "--set", "again"]);
    assert_eq!(all, again);
    assert!(all.contains("\r\ncity:7,惠济样例菜市场,"), "{all}");
}

#[test]
fn no_cell_of_an_export_is_a_formula_and_numbers_stay_numbers() {
    let house = full("export_guard");
    let (text, _) = exported(&house, "city.csv", &["--format", "csv", "--set", "city"]);
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut guarded = 0;
    for row in reader.records() {
        for cell in &row.unwrap() {
            let risky = cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
            assert!(!risky, "{cell}");
            guarded += usize::from(cell.starts_with('\''));
        }
    }
    assert!(guarded >= 6, "{guarded}");
    assert!(text.contains(",-34.7,-113.6,"), "{text}");
}

#[test]
fn an_export_holds_what_was_asked_for_and_is_written_down() {
    let house = full("export_filter");
    let lines = |args: &[&str]| {
        let (text, _) = exported(&house, "some.geojsonl", &[&["--format", "geojsonl"], args].concat());
        text.lines().count()
    };
    assert_eq!(lines(&[]), 19);
    assert_eq!(lines(&["--division", "410100"]), 19);
    assert_eq!(lines(&["--division", "410106"]), 1);
    assert_eq!((lines(&["--state", "suspended"]), lines(&["--set", "other"])), (1, 0));
    let noted = house.rows::<Line>(
        "select detail as text from audit_entries where action = 'register.exported' order by seq",
    );
    assert_eq!(noted.len(), 5);
    assert_eq!(noted[2].text, r#"{"division":"410106","format":"geojsonl","set":null,"state":null}"#);
    let (empty, _) = exported(&house, "none.geojson", &["--format", "geojson", "--set", "other"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&empty).unwrap()["features"], serde_json::json!([]));
    // Without --out it goes to standard output.
    let said = house.run(&["venues", "export", "--format", "geojson", "--state", "closed"]);
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["features"][0]["properties"]["name"], "'早餐'");
    let failed = house.run(&["venues", "export", "--format", "csv", "--out", "/nowhere/x.csv"]);
    assert!(failed.code == 1 && failed.err.contains("/nowhere/x.csv"), "{}", failed.err);
}
