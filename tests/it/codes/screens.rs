//! Screens: enrolled once, showing the code of the half minute, and ended.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::http::auth::token_hash;
use serde_json::json;

use super::{secs, shown};
use crate::support::browser::Browser;
use crate::support::client::Client;
use crate::support::people::Place;
use crate::support::servers::drop_databases;
use crate::support::{Replica, TestApp, until};

/// Adds a screen and gives the path of its link.
async fn added(test: &TestApp, inspector: &Client, place: &Place) -> (String, String) {
    let path = format!("/v1/points/{}/screens", place.point);
    let made = inspector.post(&path, &json!({ "name": "东门平板" })).await.expect(201);
    assert_eq!(made["state"], "waiting");
    assert_eq!(made["link_until"], json!(test.now() + TimeDelta::minutes(10)));
    let link = made["link"].as_str().unwrap();
    let path = link.strip_prefix(test.config.public_url.as_str()).unwrap();
    (made["id"].as_str().unwrap().to_owned(), format!("/{path}"))
}

/// Opens the link on a device, which has the screen's cookie then.
async fn enrolled(test: &TestApp, link: &str) -> Browser {
    let done = test.browser().send_form(link, &[]).await;
    assert_eq!(done.leads_to(), "/screen");
    let cookie = done.headers["set-cookie"].to_str().unwrap();
    for mark in ["screen=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(mark), "{cookie}");
    }
    assert_eq!(cookie.contains("Secure"), test.config.secure_cookies, "{cookie}");
    test.browser().with_cookie(cookie.split(';').next().unwrap())
}

/// The code as the page writes it for people.
fn typed(page: &str) -> String {
    let (_, rest) = page.split_once("class=\"typed\">").unwrap_or_else(|| panic!("no code: {page}"));
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_shows_the_code_of_the_half_minute_and_its_scan_is_verified() {
    let test = TestApp::start_with(&["--secure-cookies", "true"]).await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let inspector = test.staff(Role::Inspector, "410000").await;
    let (_, link) = added(&test, &inspector, &place).await;
    let screen = enrolled(&test, &link).await;
    let mut before = String::new();
    for (wait, left) in [(0, 30), (29, 1), (1, 30), (12, 18)] {
        test.clock.advance(secs(wait));
        let page = screen.get("/screen").await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("星河餐厅") && page.text.contains("入口"), "{}", page.text);
        assert!(page.text.contains(&format!("http-equiv=\"refresh\" content=\"{left}\"")), "{}", page.text);
        assert!(page.text.contains("<svg") && !page.text.contains("<?xml"), "the picture stands in the page");
        assert!(page.text.contains("请扫码") && page.text.contains("Please scan"), "both languages");
        for forbidden in ["<script", " style=\""] {
            assert!(!page.text.contains(forbidden), "{forbidden}");
        }
        let code = typed(&page.text);
        assert_eq!(code.replace('-', ""), shown(&test, &place, test.now()));
        assert_eq!(code == before, wait == 29 || wait == 12, "it changes with the step only");
        before.clone_from(&code);
        let scan = test.person(1).await.post("/v1/scans", &json!({ "code": code })).await.expect(201);
        assert_eq!(scan["presence"], "verified");
    }
    let english = screen.get("/screen?lang=en").await;
    assert!(english.text.contains("请扫码"), "visitors read it, whatever the browser speaks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_once_within_ten_minutes_and_only_by_its_button() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let inspector = test.staff(Role::Inspector, "410000").await;
    let nobody = test.browser();
    assert_eq!(nobody.get("/screen").await.status, 401);
    let (_, link) = added(&test, &inspector, &place).await;
    for _ in 0..2 {
        let offer = nobody.get(&link).await;
        assert_eq!(offer.status, 200);
        assert!(offer.text.contains("东门平板") && offer.text.contains(&format!("action=\"{link}\"")));
        assert!(!offer.headers.contains_key("set-cookie"), "to open it spends nothing");
    }
    let screen = enrolled(&test, &link).await;
    assert_eq!(screen.get("/screen").await.status, 200);
    for answer in [nobody.send_form(&link, &[]).await, nobody.get(&link).await] {
        assert_eq!(answer.status, 410, "{}", answer.text);
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let (_, late) = added(&test, &inspector, &place).await;
    test.pass(10);
    assert_eq!(nobody.send_form(&late, &[]).await.status, 410);
    assert_eq!(nobody.send_form("/screen/enrol/AAAA", &[]).await.status, 410);
    let forged = test.browser().with_cookie("screen=AAAA");
    assert_eq!(forged.get("/screen").await.status, 401);
    let listed = inspector.get(&format!("/v1/points/{}/screens", place.point)).await.expect(200);
    let mut states: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["enrolled", "lapsed"]);
    // Only hashes are kept of either.
    let secret = link.rsplit('/').next().unwrap();
    let kept = test.rows("select * from screens").await;
    assert!(kept.iter().all(|row| !row.to_string().contains(secret)));
    let of_late = data_encoding::HEXLOWER.encode(&token_hash(late.rsplit('/').next().unwrap()));
    assert!(kept.iter().any(|row| row["link_hash"] == json!(format!("\\x{of_late}"))), "{kept:?}");
    assert!(kept.iter().any(|row| row["link_hash"].is_null() && row["token_hash"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_screen_says_so_and_every_step_is_written_down() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let inspector = test.staff(Role::Inspector, "410000").await;
    let (id, link) = added(&test, &inspector, &place).await;
    let screen = enrolled(&test, &link).await;
    let end = format!("/v1/screens/{id}");
    let elsewhere = test.staff(Role::Inspector, "420000").await;
    let ended = async |client: &Client| client.send(reqwest::Method::DELETE, &end, None, &[]).await;
    ended(&elsewhere).await.problem(403);
    assert_eq!(screen.get("/screen").await.status, 200);
    for _ in 0..2 {
        assert_eq!(ended(&inspector).await.status, 204);
    }
    let page = screen.get("/screen").await;
    assert_eq!(page.status, 410);
    assert!(page.text.contains("已停用") && page.text.contains("was ended"), "{}", page.text);
    assert!(!page.text.contains("<svg viewBox=\"0 0 5"), "no code");
    // One that nobody enrolled is ended with its link.
    let (id, link) = added(&test, &inspector, &place).await;
    let desk = test.desk(&inspector);
    let manage = format!("/manage/points/{}/screens", place.point);
    let left = desk.fill(&manage, &format!("/manage/screens/{id}/end"), &[]).await;
    assert_eq!(left.leads_to(), manage);
    assert_eq!(test.browser().send_form(&link, &[]).await.status, 410);
    let noted = test.rows("select actor, action, subject, detail from audit_entries where action like 'screen.%' order by seq").await;
    let actions: Vec<&str> = noted.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["screen.added", "screen.enrolled", "screen.ended", "screen.added", "screen.ended"]);
    assert!(noted.iter().all(|row| row["detail"].as_str().unwrap().contains(&place.point.to_string())));
    assert!(noted[1]["actor"].as_str().unwrap().starts_with("screen:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_add_screens_on_a_page_and_no_more_than_twenty() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let inspector = test.staff(Role::Inspector, "410000").await;
    let desk = test.desk(&inspector);
    let manage = format!("/manage/points/{}/screens", place.point);
    let made = desk.fill(&manage, &manage, &[("name", "收银台")]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (_, link) = made.text.split_once("href=\"http").unwrap();
    let link = format!("http{}", link.split('"').next().unwrap());
    let path = format!("/{}", link.strip_prefix(test.config.public_url.as_str()).unwrap());
    assert!(made.text.contains("<svg"), "the tablet may scan it");
    enrolled(&test, &path).await;
    assert!(desk.get(&manage).await.text.contains("使用中"));
    assert_eq!(desk.fill(&manage, &manage, &[("name", " ")]).await.status, 422);
    let path = format!("/v1/points/{}/screens", place.point);
    for _ in 0..19 {
        inspector.post(&path, &json!({ "name": "平板" })).await.expect(201);
    }
    assert!(inspector.post(&path, &json!({ "name": "平板" })).await.problem(409).contains("20 screens"));
    test.pass(10);
    inspector.post(&path, &json!({ "name": "平板" })).await.expect(201);
    let keyed = [("idempotency-key", "a")];
    let body = Some(json!({ "name": "平板" }).to_string());
    let again = inspector.send(reqwest::Method::POST, &path, body, &keyed).await;
    assert!(again.problem(422).contains("never kept"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_follows_its_venue_and_goes_on_while_postgres_is_away() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let inspector = test.staff(Role::Inspector, "410000").await;
    let (_, link) = added(&test, &inspector, &place).await;
    let screen = enrolled(&test, &link).await;
    let review = format!("/v1/venues/{}/review", place.venue);
    inspector.post(&review, &json!({ "state": "suspended", "reason": "整改" })).await.expect(200);
    let page = screen.get("/screen").await;
    assert!(page.text.contains("暂不接受扫码") && page.text.contains("refresh"), "{}", page.text);
    inspector.post(&review, &json!({ "state": "approved", "reason": "整改完成" })).await.expect(200);
    assert_eq!(typed(&screen.get("/screen").await.text).replace('-', ""), shown(&test, &place, test.now()));
    let lonely = Replica::start(&test, |config| config.database_url += "_gone").await;
    let unknown = screen.at(lonely.address).get("/screen").await;
    assert_eq!(unknown.status, 503, "a screen that this replica has never seen");
    assert!(
        unknown.text.contains("refresh") && unknown.text.contains("Connecting again"),
        "{}",
        unknown.text
    );
    drop_databases(&test.database);
    until("the screen goes on", async || {
        let page = screen.get("/screen").await;
        page.status == 200 && typed(&page.text).replace('-', "") == shown(&test, &place, test.now())
    })
    .await;
    test.clock.advance(secs(30));
    assert_eq!(typed(&screen.get("/screen").await.text).replace('-', ""), shown(&test, &place, test.now()));
}
