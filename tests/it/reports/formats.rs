//! Every kind in every format: read back, the same each time, and Parquet as CSV.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_can_be_read_back_in_every_format_and_is_the_same_each_time() {
    let out = outbreak().await;
    for &kind in Kind::value_variants() {
        for &format in kind.formats() {
            let report = Report::new(kind, format).unwrap();
            let file = report.file_name();
            let answer = out.get(&file, needs(kind)).await;
            assert_eq!(answer.status, 200, "{file}: {}", answer.text);
            assert_eq!(answer.headers["content-type"], format.media_type(), "{file}");
            assert_eq!(answer.headers["cache-control"], "no-store", "{file}");
            let disposition = format!("attachment; filename=\"{}-{file}\"", out.run);
            assert_eq!(answer.headers["content-disposition"], disposition.as_str());
            match format {
                Format::Csv if matches!(kind, Kind::SormasCases | Kind::SormasContacts) => {}
                Format::Csv => assert!(!table(&answer.text).is_empty(), "{file}: {}", answer.text),
                Format::Json => drop(serde_json::from_str::<Value>(&answer.text).unwrap()),
                Format::Geojson => {
                    let map: geojson::FeatureCollection = answer.text.parse().unwrap();
                    assert_eq!(map.features.len(), 3, "{file}");
                }
                Format::Parquet => assert!(answer.text.starts_with("PAR1"), "{file}"),
                Format::Dot => assert!(answer.text.starts_with("digraph "), "{file}"),
                Format::Html => assert!(answer.text.starts_with("<!DOCTYPE html>"), "{file}"),
                Format::Txt => assert!(!answer.text.is_empty(), "{file}"),
            }
            if format != Format::Parquet {
                assert_eq!(out.text(&file, needs(kind)).await, answer.text, "{file}");
            }
            // Nobody has a name here, and who only stayed in the city does not appear.
            assert!(!answer.text.contains("person-"), "{file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_register_tells_of_each_contact_where_how_and_what_follows() {
    let out = outbreak().await;
    let rows = out.rows("contacts.csv").await;
    let numbers: Vec<&str> = rows.iter().map(|row| row["contact_no"].as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4"]);
    let of = |number| rows.iter().find(|row| row["visitor"] == out.hex(number)).unwrap();
    let three = of(3);
    let told = [
        "class",
        "colour",
        "days",
        "relation",
        "presence",
        "found_by",
        "rule_pack",
        "meetings",
        "venue_count",
        "excluded",
    ]
    .map(|name| three[name].as_str());
    assert_eq!(
        told,
        ["close", "red", "10", "same_point", "plausible", "scan", "baseline@1", "2", "2", "false"]
    );
    assert_eq!(
        (three["venues"].as_str(), three["case_no"].as_str()),
        ("老茶馆; =外婆家,\"一楼\"", out.case.as_str())
    );
    assert_eq!(three["first_contact_at"], "2026-03-15T11:10:00+08:00");
    assert_eq!((three["residence_division"].as_str(), three["hand_over_to"].as_str()), ("", "410105"));
    assert_eq!(
        (of(4)["excluded"].as_str(), of(4)["exclusion_reason"].as_str()),
        ("true", "同住家属，已隔离")
    );
    let five = of(5);
    assert_eq!(
        (five["class"].as_str(), five["depth"].as_str(), &five["via"]),
        ("secondary", "1", &out.hex(3))
    );
    assert_eq!((five["found_by"].as_str(), five["days"].as_str()), ("", ""), "the pack has no such class");
    // JSON says the same, and what it is.
    let told: Value = serde_json::from_str(&out.text("contacts.json", "").await).unwrap();
    assert_eq!(told["rule_pack"], "baseline@1");
    assert!(told["description"].as_str().unwrap().contains("pseudonyms"));
    for (row, cells) in told["rows"].as_array().unwrap().iter().zip(&rows) {
        assert_eq!(
            (&row["visitor"], &row["together_secs"].to_string()),
            (&json!(cells["visitor"]), &cells["together_secs"])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_says_what_csv_says() {
    let out = outbreak().await;
    for file in ["contacts", "exposures", "venues", "line-list"] {
        let url =
            format!("http://{}{}", out.app.address, out.path(&format!("{file}.parquet"), "purpose=review"));
        let http = crate::support::client::http();
        let answer = http.get(url).bearer_auth(out.investigator.token()).send().await.unwrap();
        let reader = SerializedFileReader::new(answer.bytes().await.unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let cells = out.rows(&format!("{file}.csv")).await;
        assert_eq!((rows.len(), rows.is_empty()), (cells.len(), false), "{file}");
        for (row, cells) in rows.iter().zip(&cells) {
            assert_eq!(row.get_column_iter().count(), cells.len(), "{file}");
            for (name, field) in row.get_column_iter() {
                let cell = cells[name].as_str();
                match field {
                    Field::Null => assert_eq!(cell, "", "{file} {name}"),
                    Field::Str(text) => {
                        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text, "{file} {name}");
                    }
                    Field::Long(number) => assert_eq!(cell, number.to_string(), "{file} {name}"),
                    Field::Bool(flag) => assert_eq!(cell, flag.to_string(), "{file} {name}"),
                    Field::Double(number) => assert_eq!(cell.parse(), Ok(*number), "{file} {name}"),
                    Field::TimestampMicros(micros) => {
                        let told = chrono::DateTime::parse_from_rfc3339(cell).unwrap();
                        assert_eq!(told.timestamp(), micros.div_euclid(1_000_000), "{file} {name}");
                    }
                    other => panic!("{file} {name}: {other:?}"),
                }
            }
        }
    }
}
