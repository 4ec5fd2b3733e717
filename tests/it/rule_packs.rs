//! Rule packs over HTTP and on the command line: loaded, listed, read, refused with line and key.

use std::process::Command;

use placecode::domain::access::Role;
use placecode::domain::rule_pack::SHIPPED;
use placecode::http::rule_packs::PAGE;
use serde_json::{Value, json};

use crate::support::TestApp;

const PLACE_WIDE: &str = include_str!("../../policies/zhejiang-2020-place-1.toml");

#[test]
fn every_pack_of_the_folder_is_in_the_program_and_no_other() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut on_disk = Vec::new();
    for (folder, before) in [(root.clone(), ""), (root.join("peers"), "peers/")] {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if std::path::Path::new(&name).extension().is_some_and(|kind| kind == "toml") {
                on_disk.push(format!("{before}{name}"));
            }
        }
    }
    on_disk.sort();
    let mut listed: Vec<_> = SHIPPED.iter().map(|(file, _)| (*file).to_owned()).collect();
    listed.sort();
    assert_eq!(on_disk, listed);
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|pack| pack["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_pack_can_be_read_as_text_and_as_rules() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "100000").await;
    admin.post("/v1/rule-packs", &json!({ "text": PLACE_WIDE })).await.expect(201);
    let investigator = app.staff(Role::Investigator, "330100").await;
    let list = investigator.get("/v1/rule-packs").await.expect(200);
    assert_eq!(names(&list), ["baseline@1", "zhejiang-2020-place@1"]);
    let entry = &list[1];
    assert_eq!(
        [&entry["title_zh"], &entry["jurisdiction"], &entry["effective_from"], &entry["effective_until"]],
        [&json!("浙江重点场所整体赋红码(2020)"), &json!("330000"), &json!("2020-02-13"), &Value::Null]
    );
    assert_eq!(entry["index_kinds"], json!(["confirmed", "suspected", "asymptomatic"]));

    let pack = investigator.get("/v1/rule-packs/zhejiang-2020-place@1").await.expect(200);
    assert_eq!((&pack["text"], &pack["refused"]), (&json!(PLACE_WIDE), &Value::Null));
    let class = &pack["rules"]["class"][0];
    assert_eq!((&class["colour"], &class["release"]["chief"]), (&json!("red"), &json!(true)));
    assert_eq!(class["source"]["release"], "zhejiang");
    assert_eq!(pack["rules"]["source"]["zhejiang"]["grade"], "copy");

    for unknown in ["zhejiang-2020-place@2", "zhejiang-2020-place", "nothing@1", "baseline@one"] {
        investigator.get(&format!("/v1/rule-packs/{unknown}")).await.problem(404);
    }
    assert!(investigator.get("/v1/rule-packs?after=baseline").await.problem(422).contains("baseline@1"));
    app.staff(Role::DoorStaff, "330100").await.get("/v1/rule-packs").await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shipped_pack_is_loaded_and_the_list_comes_page_by_page() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "100000").await;
    let mut texts: Vec<String> = SHIPPED.iter().map(|(_, text)| (*text).to_owned()).collect();
    let baseline = include_str!("../../policies/baseline-1.toml");
    for version in [2, 10, 11, 12, 13, 14, 15, 16, 17, 18] {
        texts.push(baseline.replacen("version = 1", &format!("version = {version}"), 1));
    }
    for text in &texts {
        admin.post("/v1/rule-packs", &json!({ "text": text })).await.expect(201);
    }
    let mut seen = Vec::new();
    let mut next = Some("/v1/rule-packs".to_owned());
    while let Some(path) = next {
        let answer = admin.get(&path).await;
        let link = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
        next = link.map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
        let page = answer.expect(200);
        assert!(page.as_array().unwrap().iter().all(|pack| pack["refused"].is_null()), "{page}");
        assert!(names(&page).len() <= usize::try_from(PAGE).unwrap());
        seen.push(names(&page));
    }
    assert!(seen.len() > 1);
    let seen = seen.concat();
    assert_eq!(seen.len(), texts.len());
    let versions: Vec<_> = seen.iter().filter(|name| name.starts_with("baseline@")).collect();
    assert_eq!(versions[..3], ["baseline@1", "baseline@2", "baseline@10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_pack_changes_nothing_and_the_answer_names_line_and_key() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "100000").await;
    for (old, new, right) in [
        ("days = 14", "days = 61", "line 34: `class[0].days` must lie between 1 and 60"),
        ("colour = \"red\"", "colour = \"orange\"", "line 28: `class[0].colour` cannot be read"),
        ("chief = true", "chief = \"yes\"", "line 40: `class[0].release.chief` cannot be read"),
        ("days = \"not published: 14", "hours = \"not published: 14", "`class[0].source.days` is missing"),
    ] {
        assert!(PLACE_WIDE.contains(old), "{old}");
        let text = PLACE_WIDE.replacen(old, new, 1);
        let said = admin.post("/v1/rule-packs", &json!({ "text": text })).await.problem(422);
        assert!(said.contains(right), "{said}");
    }
    assert_eq!(app.number("select count(*) from rule_packs").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_this_release_cannot_read_is_listed_with_the_reason() {
    let app = TestApp::start().await;
    app.tamper("insert into rule_packs (id, version, body, loaded_at) values ('old', 1, 'id = 5', now())")
        .await;
    let officer = app.staff(Role::ReleasingOfficer, "100000").await;
    let list = officer.get("/v1/rule-packs").await.expect(200);
    assert_eq!(names(&list), ["baseline@1", "old@1"]);
    assert!(list[1]["refused"].as_str().unwrap().starts_with("line 1: `id` cannot be read"), "{list}");
    let pack = officer.get("/v1/rule-packs/old@1").await.expect(200);
    assert_eq!((&pack["text"], &pack["rules"]), (&json!("id = 5"), &Value::Null));
}

/// The program with those arguments: exit code and standard output.
fn placecode(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_placecode")).args(args).env_clear().output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn packs_are_checked_and_shown_without_servers() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("rule-packs");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.toml", PLACE_WIDE);
    let bad = file("bad.toml", &PLACE_WIDE.replacen("days = 14", "days = 0", 1));
    let missing = folder.join("missing.toml").to_str().unwrap().to_owned();
    assert_eq!(
        placecode(&["packs", "check", &good]),
        (0, format!("{good}: zhejiang-2020-place@1 is sound\n"))
    );
    let (code, said) = placecode(&["packs", "check", &good, &bad, &missing, &good]);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!((code, lines.len()), (1, 4), "{said}");
    assert_eq!(lines[1], format!("{bad}:34: class[0].days: must lie between 1 and 60"));
    assert!(lines[2].starts_with(&missing) && lines[3].contains("version: zhejiang-2020-place@1"), "{said}");

    let (code, list) = placecode(&["packs", "list"]);
    assert_eq!((code, list.lines().count()), (0, SHIPPED.len()));
    assert!(list.contains("national-edition-9@1"), "{list}");
    for pack in ["zhejiang-2020-place@1", &good] {
        let (code, said) = placecode(&["packs", "show", pack]);
        assert_eq!(code, 0);
        assert!(said.contains("class exposed_place: red") && said.contains("not published: 15"), "{said}");
    }
    assert_eq!(placecode(&["packs", "show", "nothing@1"]).0, 1);
    let (code, schema) = placecode(&["packs", "schema"]);
    assert_eq!((code, serde_json::from_str::<Value>(&schema).unwrap()["title"] == "Rule pack"), (0, true));
}
