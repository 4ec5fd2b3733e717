//! Columns that say more about a venue: outlines, lines, points that differ, who answers for it.

use super::house::{House, Line, number, reasons, refused};

const OUTLINE: &str = r#""{""type"":""Polygon"",""coordinates"":[[[113.67,34.78],[113.674,34.78],[113.674,34.784],[113.67,34.78]]]}""#;

fn texts(house: &House, query: &str) -> Vec<String> {
    house.rows::<Line>(query).into_iter().map(|row| row.text).collect()
}

#[test]
fn an_outline_a_line_and_points_that_differ_are_stored_as_they_are_told() {
    let house = House::new("columns");
    let head = "id,name,short_name,category,lat,lng,outline,organisation_kind,credit_code,point,granularity,mobile,expires,stops,street,superior,state,organisation";
    let rows = [
        format!("1,园,小园,park,,,{OUTLINE},government,,北门|lat=34.781|lng=113.6735;南\\;门|granularity=room|expires=,,,2027-02-28,,某街道,某局,,某区"),
        "2,车,,bus,34.75,113.61,,,91410102MA00000044,前门;后门,,,,\"1|甲|34.75|113.61;2|乙|34.76|113.62\",,,suspended,".to_owned(),
        "3,停,,bus,34.75,113.61,,,,门,hall,no,2027-02-28T08:00:00+08:00,,,,,".to_owned(),
        "4,店,,shop,34.75,113.61,,,12410105000000003E,,,是,,,,,,".to_owned(),
    ];
    let file = house.file("venues.csv", format!("{head}\n{}\n", rows.join("\n")).as_bytes());
    let said = house.run(&["venues", "import", &file, "--set", "x", "--division", "410105"]);
    assert_eq!((said.code, number(&said, "accepted")), (0, 4), "{}{}", said.out, said.err);
    assert_eq!(
        texts(&house, "select concat_ws('|', v.source_ref, v.short_name, v.street, v.superior, v.state, o.kind, v.outline ->> 'type', cardinality(v.cells) > 3) as text
             from venues v join organisations o on o.id = v.organisation_id order by 1"),
        ["x:1|小园|某街道|某局|1|1|MultiPolygon|t", "x:2||||2|0|f", "x:3||||1|4|f", "x:4||||1|2|f"]
    );
    assert_eq!(
        texts(&house, "select concat_ws('|', v.source_ref, p.name, p.granularity, p.is_mobile, p.lat_deg, p.cell <> v.cell, p.expires_at at time zone 'utc') as text
             from points p join venues v on v.id = p.venue_id order by v.source_ref, p.name"),
        [
            "x:1|北门|4|f|34.781|t|2027-02-28 16:00:00",
            "x:1|南;门|1|f|f",
            "x:2|前门|5|t|f",
            "x:2|后门|5|t|f",
            "x:3|门|3|f|f|2027-02-28 00:00:00",
            "x:4|入口|1|t|f",
        ]
    );
    assert_eq!(
        texts(
            &house,
            "select concat_ws('|', number, name, lat_deg, cell <> 0) as text from stops order by number"
        ),
        ["1|甲|34.75|t", "2|乙|34.76|t"]
    );
    // The position follows from the outline, and lies in one of its cells.
    let middle = "select concat_ws('|', lat_deg between 34.78 and 34.784, lng_deg between 113.67 and 113.674) as text from venues where source_ref = 'x:1'";
    assert_eq!(texts(&house, middle), ["t|t"]);
}

#[test]
fn each_column_is_refused_by_its_name_with_what_would_be_right() {
    let house = House::new("columns_refused");
    // What stands in each row, and why it is refused.
    let cases = [
        ("short_name", "一二三四五六七八九十一二三四五六七", "short_name: too long"),
        ("contact_phone", "=1+1", "contact_phone: no telephone number"),
        ("contact_phone", "call me", "contact_phone: no telephone number"),
        ("organisation_kind", "company", "credit_code: empty for a company"),
        ("organisation_kind", "club", "organisation_kind: not one of its words"),
        ("granularity", "table", "granularity: not one of its words"),
        ("mobile", "maybe", "mobile: neither yes nor no"),
        ("expires", "28/02/2027", "expires: no day or moment"),
        ("stops", "1|甲|34.7|113.6", "stops: the venue does not move"),
        ("state", "open", "state: not one of its words"),
        ("point", "|lat=1", "point: has no name"),
        ("point", "门|colour=red", "point: says what no point has"),
        ("point", "门|lat=34.7", "point: no number"),
        ("outline", "POLYGON((1 2))", "outline: no JSON"),
        ("outline", "{\"type\":\"Point\",\"coordinates\":[113.6,34.7]}", "outline: no outline"),
        (
            "outline",
            "{\"type\":\"Polygon\",\"coordinates\":[[[113.67,34.78],[113.674,34.78],[113.674,34.784],[113.67,34.78]]]}",
            "lat: outside the outline",
        ),
        ("superior", "a\u{7}b", "superior: holds control characters"),
    ];
    let columns: Vec<&str> = cases
        .iter()
        .map(|(column, ..)| *column)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record([&["id", "name", "lat", "lng"], &columns[..]].concat()).unwrap();
    for (at, (column, value, _)) in cases.iter().enumerate() {
        let id = at.to_string();
        let cells = columns.iter().map(|own| if own == column { *value } else { "" });
        table
            .write_record(
                ["x", "34.7", "113.6"]
                    .into_iter()
                    .fold(vec![id.as_str()], |mut row, cell| {
                        row.push(cell);
                        row
                    })
                    .into_iter()
                    .chain(cells),
            )
            .unwrap();
    }
    for (id, stops) in [
        ("a", "1|甲|34.7"),
        ("b", "0|甲|34.7|113.6"),
        ("c", "1|甲|34.7|113.6;1|乙|34.7|113.6"),
        ("d", "1|甲|north|113.6"),
    ] {
        let cells = columns.iter().map(|own| match *own {
            "stops" => stops,
            "mobile" => "yes",
            _ => "",
        });
        table.write_record([id, "x", "34.7", "113.6"].into_iter().chain(cells)).unwrap();
    }
    let file = house.file("venues.csv", &table.into_inner().unwrap());
    let said = house.run(&["venues", "import", &file, "--set", "x", "--division", "410105"]);
    assert_eq!((said.code, number(&said, "accepted")), (3, 0), "{}{}", said.out, said.err);
    let expected = cases.iter().map(|(.., why)| *why);
    let expected =
        expected.chain(["stops: no stop", "stops: no stop", "stops: numbered twice", "stops: no number"]);
    let expected: Vec<String> = expected.enumerate().map(|(at, why)| format!("{} {why}", at + 2)).collect();
    assert_eq!(reasons(&file), expected);
    assert_eq!(refused(&file)[1][2], "'=1+1", "the report is opened in a spreadsheet too");
}
