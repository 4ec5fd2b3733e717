//! Lists of scans: what is refused, and what becomes of the others.

use std::process::Command;

use crate::support::{Count, House, Line, number, reasons, refused};
use crate::venues::VENUES;

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
