//! Pages: what citizens and staff see, in both languages, and what a page never shows.

use placecode::domain::access::Role;
use placecode::http::serve::CONTENT_SECURITY_POLICY;
use serde_json::json;

use crate::support::TestApp;
use crate::support::browser::hidden_fields;
use crate::support::people::new_venue;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_answers_in_both_languages_and_names_nobody() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    test.scan(1, &place, 90).await;
    test.scan(2, &place, 80).await;
    test.settle().await;
    let investigator = test.staff(Role::Investigator, "410000").await;
    let case = test.case(&investigator, 1).await;
    let run = test.run(&investigator, &case).await;
    let run = run["id"].as_str().unwrap().to_owned();
    investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
    test.settle().await;
    let (venue, point) = (&place.venue, place.point);
    let pages = [
        (Role::Inspector, "/manage".to_owned()),
        (Role::Inspector, "/manage/venues/new".to_owned()),
        (Role::Inspector, format!("/manage/venues/{venue}")),
        (Role::Inspector, format!("/manage/venues/{venue}/edit")),
        (Role::Inspector, format!("/manage/venues/{venue}/staff")),
        (Role::Inspector, format!("/manage/points/{point}/poster")),
        (Role::Inspector, "/desk".to_owned()),
        (Role::Inspector, "/inspect".to_owned()),
        (Role::Inspector, "/inspect?state=approved".to_owned()),
        (Role::Investigator, "/cases".to_owned()),
        (Role::Investigator, "/cases/new".to_owned()),
        (Role::Investigator, format!("/cases/{case}")),
        (Role::Investigator, format!("/runs/{run}")),
        (Role::Investigator, "/backward".to_owned()),
        (Role::Investigator, "/backward?days=14&purpose=review".to_owned()),
        (Role::ChiefOfficer, "/release".to_owned()),
        (Role::ChiefOfficer, "/letters".to_owned()),
        (Role::Auditor, "/audit".to_owned()),
    ];
    for (role, path) in pages {
        let browser = test.desk(&test.staff(role, "410000").await);
        check_languages(&test, &browser, &path).await;
    }
    for path in ["/", "/login", "/apply", "/receipt", &format!("/{}", place.code)] {
        check_languages(&test, &test.browser(), path).await;
    }
    let phone = test.phone(1).await;
    for path in ["/me", "/me/code", "/me/card", &format!("/{}", place.code)] {
        check_languages(&test, &phone, path).await;
    }
}

async fn check_languages(test: &TestApp, browser: &crate::support::browser::Browser, path: &str) {
    let joint = if path.contains('?') { '&' } else { '?' };
    for (tag, other) in [("zh-CN", "en"), ("en", "zh-CN")] {
        let answer = browser.get(&format!("{path}{joint}lang={tag}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(answer.text.contains(&format!("<html lang=\"{tag}\"")), "{path}");
        assert!(answer.text.contains(&format!("hreflang=\"{other}\"")), "{path}");
        assert_eq!(answer.headers["content-language"], tag);
        assert_eq!(answer.headers["content-security-policy"], CONTENT_SECURITY_POLICY);
        assert_eq!(answer.headers["x-frame-options"], "DENY");
        assert_eq!(answer.headers["cache-control"], "no-store");
        for forbidden in ["<script", " style=\"", "javascript:", " onclick"] {
            assert!(!answer.text.contains(forbidden), "{path}: {forbidden}");
        }
        for number in [1, 2] {
            assert!(!answer.text.contains(&test.visitor(number).to_hex()), "{path} shows a pseudonym");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_pressed_twice_is_one_scan() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let phone = test.phone(1).await;
    let path = format!("/{}", place.code);
    let page = phone.get(&path.to_lowercase()).await;
    assert!(page.text.contains("星河餐厅") && page.text.contains("28"), "{}", page.text);
    let fields = hidden_fields(&page.text, &path);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    test.pass(10);
    for _ in 0..2 {
        test.clock.advance(chrono::TimeDelta::seconds(7));
        let answer = phone.send_form(&path, &fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.text.contains("登记成功") && answer.text.contains("12:10"), "{}", answer.text);
    }
    test.settle().await;
    assert_eq!(test.number("select count(*) from scans").await, 1);
    test.pass(30);
    let left = phone.fill("/me", "/me/leave", &[]).await;
    assert_eq!(left.leads_to(), "/me");
    test.settle().await;
    assert_eq!(test.number("select count(*) from stays where ended_by = 3").await, 1);
    assert!(!phone.get("/me").await.text.contains("/me/leave"));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_do_not_answer_have_a_page_that_says_why() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let phone = test.phone(1).await;
    let mut forged = place.code.clone();
    let last = if forged.pop() == Some('0') { '2' } else { '0' };
    forged.push(last);
    let answer = phone.get(&format!("/{forged}?lang=en")).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert!(answer.text.contains("not a genuine place code"));
    let manager = test.staff(Role::Inspector, "410000").await;
    manager.post(&format!("/v1/points/{}/code", place.point), &json!({})).await.expect(200);
    test.pass(73 * 60);
    await_status(&test, &place.code, 410).await;
    let answer = test.phone(1).await.get(&format!("/{}?lang=en", place.code)).await;
    assert!(answer.text.contains("replaced"), "{}", answer.text);
    manager.post(&format!("/v1/points/{}/code", place.point), &json!({ "revoke": true })).await.expect(200);
    let suspended = json!({ "state": "suspended", "reason": "整改" });
    manager.post(&format!("/v1/venues/{}/review", place.venue), &suspended).await.expect(200);
    await_status(&test, &place.code, 409).await;
}

/// The service follows the register; a change is known within a moment.
async fn await_status(test: &TestApp, code: &str, status: u16) {
    let phone = test.phone(1).await;
    for _ in 0..100 {
        if phone.get(&format!("/{code}")).await.status == status {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the page of the code never answered {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_type_is_shown_as_text() {
    let test = TestApp::start().await;
    let manager = test.staff(Role::VenueManager, "410000").await;
    let name = "<script>alert('店')</script>";
    let made = manager.post("/v1/venues", &new_venue(name, "restaurant")).await.expect(201);
    let desk = test.desk(&manager);
    for path in [
        "/manage".to_owned(),
        format!("/manage/venues/{}", made["id"].as_str().unwrap()),
        format!("/manage/points/{}/poster", made["points"][0]["id"]),
    ] {
        let page = desk.get(&path).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("&lt;script&gt;") && !page.text.contains("<script"), "{path}");
    }
    let typed = test.browser().get("/go?code=%22%3E%3Cscript%3E").await;
    assert_eq!(typed.status, 422);
    assert!(typed.text.contains("&lt;script&gt;") && !typed.text.contains("<script"), "{}", typed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_typed_from_the_poster_leads_to_its_page() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let typed = test.browser().get(&format!("/go?code=%20{}%20", place.code.to_lowercase())).await;
    assert_eq!(typed.leads_to(), format!("/{}", place.code));
    let page = test.browser().get(&format!("/{}", place.code)).await;
    assert_eq!(page.status, 200);
    let back = format!("return=http%3A%2F%2F127.0.0.1%3A{}%2F{}", test.address.port(), place.code);
    assert!(page.text.contains(&back), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_register_on_pages_and_are_told_what_is_wrong() {
    let test = TestApp::start().await;
    let manager = test.desk(&test.staff(Role::VenueManager, "410000").await);
    let filled = [
        ("organisation", "郑州某某餐饮有限公司"),
        ("name", "星河餐厅"),
        ("category", "restaurant"),
        ("division", "410105"),
        ("address", "花园路1号"),
        ("lat_deg", "34.7466"),
        ("lng_deg", "113.6253"),
        ("capacity", "80"),
        ("points", "正门\r\n\r\n二楼包间"),
    ];
    let wrong = filled.map(|(name, value)| (name, if name == "lat_deg" { "north" } else { value }));
    let answer = manager.fill("/manage/venues/new", "/manage/venues", &wrong).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("经纬度") && answer.text.contains("value=\"north\""), "{}", answer.text);
    assert!(answer.text.contains("value=\"花园路1号\""), "what was filled in is still there");
    let answer = manager.fill("/manage/venues/new", "/manage/venues", &filled).await;
    let venue = answer.leads_to().to_owned();
    let add = format!("{venue}/points");
    let answer = manager.fill(&venue, &add, &[("name", "后门"), ("granularity", "hall")]).await;
    assert_eq!(answer.leads_to(), venue);
    let page = manager.get(&venue).await.text;
    for name in ["星河餐厅", "正门", "二楼包间", "后门", "待审核"] {
        assert!(page.contains(name), "{name}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_counts_are_hidden_from_venues() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let inspector = test.desk(&test.staff(Role::Inspector, "410000").await);
    let path = format!("/manage/venues/{}?lang=en", place.venue);
    for number in 0..4 {
        test.scan(number, &place, 5).await;
    }
    test.settle().await;
    let page = inspector.get(&path).await.text;
    assert!(page.contains("<td>&lt;5</td>") && page.contains("&lt;5<span class=\"small\"> / 80"), "{page}");
    assert!(!page.contains("<td>4</td>"), "{page}");
    test.scan(4, &place, 5).await;
    test.settle().await;
    let page = inspector.get(&path).await.text;
    assert!(page.contains("<td>5</td>") && page.contains(">5<span class=\"small\"> / 80"), "{page}");
}
