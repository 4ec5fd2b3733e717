//! Posters for managers and operators: who gets which file, what is refused, and a thousand in one command.

use std::fs;
use std::path::PathBuf;

use placecode::domain::access::Role;
use serde_json::json;

use crate::imports::house::{House, number};
use crate::support::people::new_venue;
use crate::support::{Replica, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_for_a_venue_gets_its_posters_as_files() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let (point, venue) = (format!("/v1/points/{}", place.point), format!("/v1/venues/{}", place.venue));
    for size in ["", "?size=a4", "?size=a5", "?size=stickers", "?size=large_stickers"] {
        for path in [format!("{point}/poster{size}"), format!("{venue}/posters{size}")] {
            let answer = inspector.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            assert_eq!(answer.headers["content-type"], "application/pdf");
            assert!(answer.text.starts_with("%PDF-"), "{path}");
        }
    }
    let svg = inspector.get(&format!("{point}/symbol")).await;
    assert_eq!((svg.status, &svg.headers["content-type"]), (200, &"image/svg+xml".parse().unwrap()));
    assert!(svg.text.contains("<svg"));
    let png = inspector.get(&format!("{point}/symbol?format=png&module_px=4")).await;
    assert_eq!((png.status, &png.headers["content-type"]), (200, &"image/png".parse().unwrap()));
    assert!(png.text.contains("IHDR"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_wish_is_told_what_would_be_right() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let (point, venue) = (format!("/v1/points/{}", place.point), format!("/v1/venues/{}", place.venue));
    let wrong = [
        (format!("{point}/poster?size=letter"), "size: must be a4, a5, stickers or large_stickers"),
        (format!("{venue}/posters?size=A4"), "size: must be a4, a5, stickers or large_stickers"),
        (format!("{point}/symbol?format=gif"), "format: must be svg or png"),
        (
            format!("{point}/symbol?format=png&module_px=0"),
            "module_px: must be a whole number of pixels from 1 to 64",
        ),
        (format!("{point}/symbol?format=png&module_px=ten"), "module_px: must be a whole number"),
        (format!("{point}/poster?paper=a4"), "query: "),
    ];
    for (path, why) in wrong {
        let detail = inspector.get(&path).await.problem(422);
        assert!(detail.starts_with(why), "{path}: {detail}");
    }
    inspector.get("/v1/points/77/poster").await.problem(404);
    for path in [format!("{point}/poster"), format!("{point}/symbol"), format!("{venue}/posters")] {
        app.staff(Role::Investigator, "410000").await.get(&path).await.problem(403);
        app.staff(Role::Inspector, "420000").await.get(&path).await.problem(403);
        app.staff(Role::VenueManager, "410000").await.get(&path).await.problem(403);
    }
    inspector.post(&format!("{point}/code"), &json!({ "revoke": true })).await.expect(200);
    for path in [format!("{point}/poster"), format!("{point}/symbol"), format!("{venue}/posters")] {
        assert!(inspector.get(&path).await.problem(409).contains("revoked"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_no_font_can_set_is_refused_by_its_character() {
    let app = TestApp::start().await;
    let manager = app.staff(Role::VenueManager, "410000").await;
    let made = manager.post("/v1/venues", &new_venue("𠮷野家", "restaurant")).await.expect(201);
    let path = format!("/v1/points/{}/poster", made["points"][0]["id"]);
    let detail = manager.get(&path).await.problem(422);
    assert!(detail.starts_with("name: the character `𠮷` (U+20BB7) in `𠮷野家`"), "{detail}");
    let rare = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fonts/rare.otf").parse().unwrap();
    let other = Replica::start(&app, |config| config.poster_font = Some(rare)).await;
    assert_eq!(manager.at(other.address).get(&path).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_poster_leads_to_its_files() {
    let app = TestApp::start().await;
    let place = app.venue("老茶馆", "teahouse").await;
    let desk = app.desk(&app.staff(Role::Inspector, "410000").await);
    let page = desk.get(&format!("/manage/points/{}/poster", place.point)).await;
    assert_eq!(page.status, 200);
    let links: Vec<&str> =
        page.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let files: Vec<&&str> =
        links.iter().filter(|link| [".pdf", ".svg", ".png"].iter().any(|end| link.contains(end))).collect();
    assert_eq!(files.len(), 10, "{files:?}");
    for link in files {
        let file = desk.get(link).await;
        assert_eq!(file.status, 200, "{link}: {}", file.text);
        assert!(!file.text.contains("<html"), "{link}");
    }
    // What was said in the page's own words before is said in those of the file.
    assert!(page.text.contains("28 天后删除") && page.text.contains("Deleted after 28 days"));
    let wrong = desk.get(&format!("/manage/points/{}/poster.pdf?size=a3", place.point)).await;
    assert_eq!(wrong.status, 422);
}

const REGISTER: &str = "id,name,lat,lng,division,point
1,老城烩面馆,34.7,113.6,410105,大厅;包间
2,../../etc/passwd,34.7,113.6,410105,门口
3,𠮷野家,34.7,113.6,410104,门口
4,静安书店,31.2,121.4,310106,门口
";

/// A house with four venues, of which one has a name that the own font cannot set.
fn register(name: &str) -> (House, String) {
    let house = House::new(name);
    let file = house.file("venues.csv", REGISTER.as_bytes());
    assert_eq!(house.run(&["venues", "import", &file, "--set", "city"]).code, 0);
    let out = house.folder.join("out").to_str().unwrap().to_owned();
    (house, out)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_register_is_printed_in_one_command_and_goes_on_where_it_stopped() {
    let (house, out) = register("posters_register");
    let args = ["posters", "--set", "city", "--out", &out, "--public-url", "https://p.example.cn/"];
    let said = house.run(&args);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(said.err.contains("is left out: the character `𠮷` (U+20BB7)"), "{}", said.err);
    assert!(!said.err.contains("phones cannot reach"), "{}", said.err);
    let counted = ["posters or stickers", "files,", "files were there already", "venues left out"];
    assert_eq!(counted.map(|what| number(&said, what)), [4, 3, 0, 1]);
    let made = files(&out);
    let names: Vec<&str> = made.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert!(
        names[0].starts_with("310106-静安书店-") && names[1].starts_with("410105-______etc_passwd-"),
        "{names:?}"
    );
    assert!(names.iter().all(|name| name.ends_with("-a4.pdf")), "{names:?}");
    assert_eq!(String::from_utf8_lossy(&fs::read(&made[2]).unwrap()).matches("/Type/Page/").count(), 2);

    // One is lost, and only it is made again; at the end comes a font that has the rare character.
    let kept = fs::metadata(&made[0]).unwrap().modified().unwrap();
    fs::remove_file(&made[1]).unwrap();
    let said = house.run(&args);
    assert_eq!(counted.map(|what| number(&said, what)), [1, 1, 2, 1]);
    assert_eq!(fs::metadata(&made[0]).unwrap().modified().unwrap(), kept);
    let said = house.run(&[&args[..], &["--again", "--size", "stickers", "--copies", "21"]].concat());
    assert_eq!(counted.map(|what| number(&said, what)), [84, 3, 0, 1]);
    assert_eq!(files(&out).len(), 6);
    let rare = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fonts/rare.otf:0");
    let said = house.run(&[&args[..], &["--font", rare]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(counted.map(|what| number(&said, what)), [1, 1, 3, 0]);
}

#[test]
fn posters_are_chosen_by_venue_division_or_all_and_put_into_one_file() {
    let (house, out) = register("posters_chosen");
    fs::create_dir_all(&out).unwrap();
    let count = |args: &[&str], code: i32| {
        let file = format!("{out}/{}.pdf", uuid::Uuid::new_v4());
        let said = house.run(&[&["posters", "--one-file", &file][..], args].concat());
        assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
        assert!(fs::read(&file).unwrap().starts_with(b"%PDF-"));
        assert!(said.err.contains("phones cannot reach"), "{}", said.err);
        number(&said, "posters or stickers")
    };
    assert_eq!(count(&["--division", "410105"], 0), 3);
    assert_eq!(count(&["--division", "410000"], 3), 3);
    assert_eq!(count(&["--division", "310000"], 0), 1);
    assert_eq!(count(&["--all"], 3), 4);
    let id = &house.rows::<crate::imports::house::Line>(
        "select id::text as text from venues where source_ref = 'city:1'",
    )[0];
    assert_eq!(count(&["--venue", &id.text], 0), 2);
    house.change("update venues set state = 3 where source_ref = 'city:1'");
    assert_eq!(count(&["--all"], 3), 2);
    assert_eq!(files(&out).iter().filter(|path| path.extension().unwrap() == "part").count(), 0);
}

#[test]
fn wishes_that_cannot_be_met_are_refused_with_a_reason() {
    let (house, out) = register("posters_refused");
    let refused = |code: i32, args: &[&str], why: &str| {
        let said = house.run(&[&["posters"][..], args].concat());
        assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(why), "{args:?}: {}", said.err);
    };
    refused(2, &["--out", &out], "--venue <UUID>");
    refused(2, &["--all"], "--one-file <FILE>");
    refused(2, &["--all", "--set", "city", "--out", &out], "cannot be used with");
    refused(2, &["--all", "--out", &out, "--size", "a3"], "must be a4, a5, stickers or large_stickers");
    refused(2, &["--division", "41", "--out", &out], "a division code has six digits");
    refused(2, &["--set", "no_such%", "--out", &out], "lower-case letters");
    refused(2, &["--all", "--out", &out, "--copies", "0"], "1..=500");
    refused(1, &["--set", "other", "--out", &out], "no such venue");
    refused(1, &["--venue", "0199d3a2-6f0e-7cc0-8d7d-3b1f0a2c4e55", "--out", &out], "no such venue");
    refused(1, &["--all", "--out", &out, "--public-url", "https://p.example.cn/x"], "without a path");
    refused(1, &["--all", "--out", &out, "--font", "/no/such/font.otf"], "/no/such/font.otf");
    let text = house.file("no-font.otf", b"text");
    refused(1, &["--all", "--out", &out, "--font", &text], "not a font");
    refused(2, &["--all", "--out", &out, "--one-file", &text], "cannot be used with");
    refused(1, &["--all", "--one-file", &text], "is there already");
    assert!(!PathBuf::from(&out).exists() || files(&out).is_empty());
}
