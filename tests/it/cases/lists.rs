//! Lists of cases: read whole or not at all, twice without effect, and filtered when they are shown.

use placecode::domain::access::Role;
use placecode::domain::visitor::{IdentityKind, Visitor};
use reqwest::Method;
use serde_json::{Value, json};

use crate::imports::house::{Count, House, VISITOR_KEY, number};
use crate::support::TestApp;
use crate::support::client::{Answer, Client};

const HEAD: &str = "case_no,visitor,kind,onset_at,sampled_at,isolated_at,authority,division";

/// A line of a list of Zhengzhou.
fn line(app: &TestApp, number: u32, rest: &str) -> String {
    format!("ZZ-{number},{},{rest},郑州市疾控,410100", app.visitor(number).to_hex())
}

const ILL: &str = "confirmed,2026-03-14,2026-03-15 09:00,2026-03-15T20:00:00+08:00";

async fn send(client: &Client, query: &str, list: &str) -> Answer {
    let headers = [("content-type", "text/csv")];
    let path = format!("/v1/cases/import{query}");
    client.send(Method::POST, &path, Some(list.to_owned()), &headers[..0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_entered_once_and_what_it_says_otherwise_is_named_and_left() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410000").await;
    let rows = [line(&app, 1, ILL), line(&app, 2, "asymptomatic,,2026-03-15,"), line(&app, 3, ILL)];
    let list = format!("{HEAD}\n{}\n", rows.join("\n"));
    let checked = send(&investigator, "?check=true", &list).await.expect(200);
    assert_eq!((&checked["read"], &checked["added"]), (&json!(3), &json!(3)));
    assert_eq!(app.number("select count(*) from cases").await, 0);

    let done = send(&investigator, "", &list).await.expect(200);
    assert_eq!(done, json!({ "read": 3, "added": 3, "known": 0, "changed": [] }));
    let cases = investigator.get("/v1/cases").await.expect(200);
    let first = cases.as_array().unwrap().iter().find(|case| case["case_no"] == "ZZ-1").unwrap();
    assert_eq!(
        (&first["onset_at"], &first["sampled_at"]),
        (&json!("2026-03-13T16:00:00Z"), &json!("2026-03-15T01:00:00Z"))
    );
    let again = send(&investigator, "", &list).await.expect(200);
    assert_eq!(again, json!({ "read": 3, "added": 0, "known": 3, "changed": [] }));

    let other = list.replace("09:00", "10:00").replace("asymptomatic,,", "suspected,2026-03-13,");
    let said = send(&investigator, "", &other).await.expect(200);
    assert_eq!((&said["added"], &said["known"]), (&json!(0), &json!(0)));
    let changed = said["changed"].as_array().unwrap();
    assert_eq!(
        (&changed[0]["line"], &changed[0]["case_no"], &changed[0]["case"]),
        (&json!(2), &json!("ZZ-1"), &first["id"])
    );
    assert_eq!(changed[0]["columns"], json!(["sampled_at"]));
    assert_eq!(changed[1]["columns"], json!(["kind", "onset_at"]));
    assert_eq!(investigator.get("/v1/cases").await.expect(200), cases);
    // Nobody is coloured by a list, and each one is written down by its digest.
    assert_eq!(app.number("select count(*) from runs").await, 0);
    assert_eq!(app.number("select count(*) from audit_entries where action = 'cases.imported'").await, 3);
    let entries = app.rows("select subject, detail from audit_entries where action = 'cases.imported'").await;
    assert!(!format!("{entries:?}").contains(&app.visitor(1).to_hex()));

    // A case of such a number is not entered twice by hand either.
    let mut report = crate::support::people::new_case(&app.visitor(8).to_hex(), app.now());
    (report["authority"], report["case_no"]) = (json!("郑州市疾控"), json!("ZZ-1"));
    investigator.post("/v1/cases", &report).await.problem(409);
    report["authority"] = json!("洛阳市疾控");
    investigator.post("/v1/cases", &report).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_one_wrong_row_enters_nothing_and_names_it() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let rows = [
        line(&app, 1, ILL),
        line(&app, 2, "probable,2026-03-14,2026-03-15,"),
        line(&app, 3, "confirmed,2026-03-14,2026-03-17,"),
        line(&app, 4, ILL).replace("410100", "420100"),
        line(&app, 1, ILL),
    ];
    let list = format!("{HEAD}\n{}\n", rows.join("\n"));
    let answer = send(&investigator, "", &list).await;
    let detail = answer.problem(422);
    assert!(detail.starts_with("nothing was entered; 4 faults; line 3, kind: `probable`"), "{detail}");
    let faults = answer.expect(422)["faults"].clone();
    let named: Vec<(u64, &str)> = faults
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["line"].as_u64().unwrap(), fault["column"].as_str().unwrap()))
        .collect();
    assert_eq!(named, [(3, "kind"), (4, "sampled_at"), (5, "division"), (6, "case_no")]);
    assert!(faults.as_array().unwrap().iter().all(|fault| fault["right"].as_str().unwrap().len() > 3));
    for (query, list) in [
        ("", "{}"),
        ("", ""),
        (
            "",
            "case_no,identity,kind,sampled_at,authority,division\n1,E1,asymptomatic,2026-03-15,CDC,410100\n",
        ),
        ("?division=4101", list.as_str()),
        ("?authority=%20", list.as_str()),
    ] {
        send(&investigator, query, list).await.problem(422);
    }
    let large = format!("{HEAD}\n{}", "x".repeat(2 * 1024 * 1024));
    send(&investigator, "", &large).await.problem(413);
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    send(&officer, "", &list).await.problem(403);
    assert_eq!(app.number("select count(*) from cases").await, 0);
    assert_eq!(app.number("select count(*) from audit_entries where action = 'cases.imported'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_are_listed_by_division_state_and_time() {
    let app = TestApp::start().await;
    let investigator = app.staff(Role::Investigator, "410000").await;
    let list =
        format!("{HEAD}\n{}\n{}\n", line(&app, 1, ILL), line(&app, 2, ILL).replace("410100", "410300"));
    send(&investigator, "", &list).await.expect(200);
    app.pass(60);
    let since = app.now();
    let late = app.case(&investigator, 3).await;
    let withdrawal = json!({ "reason": "实验室误报" });
    investigator.post(&format!("/v1/cases/{late}/withdrawal"), &withdrawal).await.expect(202);
    let numbers = async |query: &str| {
        let found = investigator.get(&format!("/v1/cases?{query}")).await.expect(200);
        let number = |case: &Value| case["case_no"].as_str().unwrap_or("none").to_owned();
        let mut numbers: Vec<String> = found.as_array().unwrap().iter().map(number).collect();
        numbers.sort();
        numbers
    };
    assert_eq!(numbers("").await, ["ZZ-1", "ZZ-2", "none"]);
    assert_eq!(numbers("division=410300").await, ["ZZ-2"]);
    assert_eq!(numbers("withdrawn=true").await, ["none"]);
    assert_eq!(numbers("withdrawn=false").await, ["ZZ-1", "ZZ-2"]);
    let since = since.format("%Y-%m-%dT%H:%M:%SZ");
    assert_eq!(numbers(&format!("reported_since={since}")).await, ["none"]);
    assert_eq!(numbers(&format!("reported_since={since}&withdrawn=false")).await, [""; 0]);
    investigator.get("/v1/cases?division=420000").await.problem(403);
    investigator.get("/v1/cases?division=4").await.problem(422);
}

fn known(house: &House) -> i64 {
    house.rows::<Count>("select count(*) as n from cases").remove(0).n
}

#[test]
fn a_file_is_imported_where_the_visitor_key_is() {
    let house = House::new("cases");
    let password = house.file("password", b"correct horse battery staple\n");
    for (login, role) in [("li", "investigator"), ("wang", "inspector")] {
        let add = ["staff", "add", "--login", login, "--role", role, "--division", "410100"];
        let said = house.run(&[&add[..], &["--password-file", &password]].concat());
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    }
    let text = "Case ID;identity_kind;identity;Classification;Date of onset;dateSampleTaken\n\
                1;passport;E1;Confirmed;2026-03-01;2026-03-02\n\
                2;;GUEST-2;Suspect;2026-03-01;2026-03-02 08:30\n";
    // The list is older than 60 days, so that isolation must be given; it stands beside.
    let isolated = text.replace("dateSampleTaken\n", "dateSampleTaken;quarantineFrom\n");
    let isolated =
        isolated.replace("2026-03-02\n", "2026-03-02;2026-03-03\n").replace("08:30\n", "08:30;2026-03-03\n");
    let import = |name: &str, text: &str, by: &str, more: &[&str]| {
        let file = house.file(name, text.as_bytes());
        let usual =
            ["--authority", "郑州市疾控", "--division", "410100", "--identity-kind", "other", "--by", by];
        house.run(&[&["cases", "import", &file], &usual[..], more].concat())
    };
    let said = import("cases.csv", &isolated, "li", &["--check"]);
    assert_eq!((said.code, number(&said, "would be entered"), known(&house)), (0, 2, 0), "{}", said.err);
    let said = import("cases.csv", &isolated, "li", &[]);
    assert_eq!((said.code, number(&said, "entered"), known(&house)), (0, 2, 2), "{}", said.err);
    let said = import("cases.csv", &isolated, "li", &[]);
    assert_eq!((said.code, number(&said, "already there"), known(&house)), (0, 2, 2), "{}", said.err);
    for (kind, number) in [(IdentityKind::Passport, "E1"), (IdentityKind::Other, "GUEST-2")] {
        let visitor = Visitor::of(&VISITOR_KEY, kind, number).to_uuid();
        let found =
            house.rows::<Count>(&format!("select count(*) as n from cases where visitor = '{visitor}'"));
        assert_eq!(found[0].n, 1, "{number}");
    }

    let said = import("cases.csv", &isolated.replace("08:30", "09:30"), "li", &[]);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(said.out.contains("line 3, 2: case ") && said.out.contains("another sampled_at"), "{}", said.out);
    let wrong = isolated.replace("Suspect", "Probable").replace("passport", "library card");
    let said = import("cases.csv", &wrong, "li", &[]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(
        said.err.contains("line 2, identity_kind: ") && said.err.contains("line 3, kind: `Probable`"),
        "{}",
        said.err
    );
    assert!(!said.err.contains("GUEST-2"), "{}", said.err);
    for (by, why) in [("wang", "is no investigator"), ("zhao", "no open account")] {
        let said = import("cases.csv", &isolated, by, &[]);
        assert!(said.code == 1 && said.err.contains(why), "{}", said.err);
    }
    assert_eq!(known(&house), 2);
}
