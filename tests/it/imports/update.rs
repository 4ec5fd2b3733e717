//! `--update`: rows that are there already take over what a file may change, and nothing else.

use super::house::{House, Line, number, reasons};

const FIRST: &str = "id,name,lat,lng,category,address,capacity,contact_name,contact_phone,point\n\
    1,旧,34.7,113.6,shop,旧街1号,20,王,0371-1234567,门\n\
    2,乙,34.7,113.6,shop,乙街,30,,,门\n\
    3,丙,34.7,113.6,park,,,,,门\n";

fn venues(house: &House) -> Vec<String> {
    let query = "select concat_ws('|', source_ref, name, short_name, street, address, coalesce(capacity, 0), superior, contact_name, contact_phone, lat_deg) as text from venues order by source_ref";
    house.rows::<Line>(query).into_iter().map(|row| row.text).collect()
}

#[test]
fn what_a_file_says_is_taken_over_and_what_it_does_not_say_is_left_alone() {
    let house = House::new("update");
    let file = house.file("venues.csv", FIRST.as_bytes());
    let base = ["--set", "x", "--division", "410105"];
    assert_eq!(house.run(&[&["venues", "import", &file], &base[..]].concat()).code, 0);

    let second = "id,name,lat,lng,capacity,contact_phone,short_name,street,superior\n\
        1,新,34.7,113.6,25,0371-7654321,小店,某街道,某局\n2,乙,34.7000001,113.6,,,,,\n3,丙,34.7,113.6,,,,,\n4,丁,34.7,113.6,,,,,\n";
    let file = house.file("second.csv", second.as_bytes());
    let plain = [&["venues", "import", &file], &base[..]].concat();
    let update = [&plain[..], &["--update"]].concat();
    let before = house.digest();
    let dry = house.run(&[&update[..], &["--dry-run"]].concat());
    let counted = ["would be accepted", "would be changed", "already there", "refused"];
    assert_eq!(counted.map(|what| number(&dry, what)), [1, 2, 1, 0], "{}{}", dry.out, dry.err);
    assert_eq!(house.digest(), before);
    let said = house.run(&update);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(
        ["accepted", "changed", "already there", "refused"].map(|what| number(&said, what)),
        [1, 2, 1, 0]
    );
    assert_eq!(
        venues(&house),
        [
            // No column `contact_name` or `address`: those stay.
            "x:1|新|小店|某街道|旧街1号|25|某局|王|0371-7654321|34.7",
            // Columns that are there and empty empty the value.
            "x:2|乙|||乙街|0||||34.7",
            "x:3|丙||||0||||34.7",
            "x:4|丁||||0||||34.7",
        ]
    );
    let before = house.digest();
    let again = house.run(&update);
    assert_eq!((number(&again, "changed"), number(&again, "already there")), (0, 4), "{}", again.out);
    assert_eq!(number(&house.run(&plain), "already there"), 4);
    assert_eq!(house.digest(), before, "what changes nothing is not written down either");
    let noted =
        house.rows::<Line>("select detail as text from audit_entries where action = 'venues.updated'");
    assert_eq!(noted.into_iter().map(|row| row.text).collect::<Vec<_>>(), ["{\"venues\":2}"]);
    assert_eq!(house.run(&["audit", "verify"]).code, 0);
}

#[test]
fn a_file_moves_no_venue_and_makes_it_nothing_else() {
    let house = House::new("update_refused");
    let file = house.file("venues.csv", FIRST.as_bytes());
    let base = ["--set", "x", "--division", "410105"];
    assert_eq!(house.run(&[&["venues", "import", &file], &base[..]].concat()).code, 0);
    let before = house.digest();
    let outline = r#""{""type"":""Polygon"",""coordinates"":[[[113.599,34.699],[113.601,34.699],[113.6,34.702],[113.599,34.699]]]}""#;
    let rows = format!(
        "id,name,lat,lng,category,division,outline,address\n1,新,34.701,113.6,shop,410105,,\n2,新,34.7,113.6,bar,410105,,\n3,新,34.7,113.6,park,410105,{outline},\n1x,,,,,,,\n"
    );
    let file = house.file("moved.csv", rows.as_bytes());
    let args = [&["venues", "import", &file], &base[..], &["--update"]].concat();
    let said = house.run(&args);
    assert_eq!((said.code, number(&said, "changed")), (3, 0), "{}{}", said.out, said.err);
    let mut found = reasons(&file);
    found.sort();
    assert_eq!(
        found,
        [
            "2 lat: differs from the register",
            "3 category: differs from the register",
            "4 outline: differs from the register",
            "5 name: empty",
        ]
    );
    assert_eq!(house.digest(), before);
    let elsewhere = house.file("elsewhere.csv", b"id,name,lat,lng,division\n1,x,34.7,113.6,410104\n");
    let said = house.run(&["venues", "import", &elsewhere, "--set", "x", "--update"]);
    assert_eq!(
        (said.code, reasons(&elsewhere)),
        (3, vec!["2 division: differs from the register".to_owned()])
    );
    assert_eq!(house.digest(), before);
}
