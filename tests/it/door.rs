//! At a door: the word of the minute, one field for whatever visitors show, receipts, and paper lists.

mod lists;
mod receipts;
mod walk;

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::domain::known_colour::KnownColour;
use placecode::domain::minute_word::word;
use placecode::domain::rule_pack::Colour;
use placecode::domain::token::ShownVisitor;
use placecode::domain::venue::PointId;
use serde_json::json;

use crate::support::TestApp;
use crate::support::browser::{Browser, hidden_fields};
use crate::support::client::{Answer, Client};
use crate::support::people::{Place, new_venue};

/// An approved venue with its manager, who stands at its door too.
async fn house(test: &TestApp, name: &str) -> (Client, Place) {
    let manager = test.staff(Role::VenueManager, "410000").await;
    let made = manager.post("/v1/venues", &new_venue(name, "restaurant")).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let inspector = test.staff(Role::Inspector, "410000").await;
    let review = json!({ "state": "approved", "reason": "核实" });
    inspector.post(&format!("/v1/venues/{id}/review"), &review).await.expect(200);
    let place = place_of(id, &made["points"][0]);
    test.answering(&place).await;
    (manager, place)
}

fn place_of(venue: String, point: &serde_json::Value) -> Place {
    let code = point["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    Place { venue, point: point["id"].as_i64().unwrap(), code }
}

/// Another point of the venue.
async fn another_point(test: &TestApp, manager: &Client, place: &Place) -> Place {
    let path = format!("/v1/venues/{}/points", place.venue);
    let made = manager.post(&path, &json!({ "name": "后门", "granularity": "hall" })).await.expect(201);
    let place = place_of(place.venue.clone(), &made);
    test.answering(&place).await;
    place
}

/// How the page is asked for again, whatever it is the answer to.
fn refresh(place: &Place, secs: u32, direction: &str) -> String {
    format!("http-equiv=\"refresh\" content=\"{secs};url={}?direction={direction}\"", path(place))
}

fn path(place: &Place) -> String {
    format!("/door/{}", place.point)
}

/// The word that stands on the pages of a point at this time.
fn word_now(test: &TestApp, place: &Place) -> (&'static str, &'static str) {
    let word = word(test.app.keys.token(), PointId::from_i64(place.point).unwrap(), test.now());
    (word.chinese, word.english)
}

/// What a visitor's page of a code shows at this time.
fn shown(test: &TestApp, number: u32) -> String {
    let expires_at = test.now() + TimeDelta::minutes(5);
    ShownVisitor { visitor: test.visitor(number), expires_at, colour: None }.seal(test.app.keys.token())
}

/// A card that somebody has made on the own page.
async fn card(test: &TestApp, number: u32) -> String {
    let made = test.phone(number).await.fill("/me/card", "/me/card", &[]).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let (_, rest) = made.text.split_once("class=\"typed\">").unwrap_or_else(|| panic!("{}", made.text));
    rest.split('<').next().unwrap().to_owned()
}

/// Opens the page and enters something there.
async fn entered(desk: &Browser, place: &Place, text: &str, direction: &str) -> Answer {
    desk.fill(&path(place), &path(place), &[("shown", text), ("direction", direction)]).await
}

async fn scans(test: &TestApp, of: &str) -> i64 {
    test.settle().await;
    test.number(&format!("select count(*) from scans where {of}")).await
}

#[track_caller]
fn says(answer: &Answer, status: u16, texts: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text);
    for text in texts {
        assert!(answer.text.contains(text), "`{text}` is missing: {}", answer.text);
    }
    for forbidden in ["<script", " style=\""] {
        assert!(!answer.text.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_changes_each_minute_and_visitors_see_the_same() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let desk = test.desk(&manager);
    assert_eq!(desk.get("/door").await.leads_to(), path(&place), "the only point");
    let mut seen = Vec::new();
    for (wait, left, clock) in [(0, 60, "12:00–12:01"), (41, 19, "12:00–12:01"), (19, 60, "12:01–12:02")]
    {
        test.clock.advance(TimeDelta::seconds(wait));
        let (chinese, english) = word_now(&test, &place);
        let page = desk.get(&path(&place)).await;
        says(&page, 200, &[chinese, english, clock, &refresh(&place, left, "entry")]);
        let phone = test.phone(1).await;
        let own = format!("/{}", place.code);
        let result = phone.fill(&own, &own, &[]).await;
        says(&result, 200, &["登记成功", chinese, english, "<svg"]);
        seen.push(chinese);
    }
    assert_eq!(seen[0], seen[1], "it holds for the whole minute");
    let before = desk.get(&path(&place)).await;
    says(&before, 200, &["上一分钟", seen[0]]);
    let still = desk.get(&format!("{}?still=1&lang=en", path(&place))).await;
    says(&still, 200, &["stays as it is", "Word of the minute"]);
    assert!(!still.text.contains("http-equiv=\"refresh\""), "nobody loses what is half typed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_visitor_shows_or_carries_is_a_scan_by_staff() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let desk = test.desk(&manager);
    let carried = card(&test, 1).await;
    let typed = carried.to_lowercase().replace('-', " ");
    let answer = entered(&desk, &place, &typed, "entry").await;
    says(&answer, 200, &["已登记进入", "星河餐厅", "入口", "12:00", "现场核验", word_now(&test, &place).0]);
    assert!(answer.text.contains("autofocus") && answer.text.contains("value=\"entry\" checked"));
    says(&entered(&desk, &place, &shown(&test, 2), "entry").await, 200, &["已登记进入"]);
    let by_channel = test.assertion(3, test.now());
    says(&entered(&desk, &place, &by_channel, "entry").await, 200, &["已登记进入"]);
    assert_eq!(scans(&test, "method = 1 and presence = 3 and direction = 0").await, 3);
    test.pass(30);
    let left = entered(&desk, &place, &carried, "exit").await;
    says(&left, 200, &["已登记离开", "value=\"exit\" checked", &refresh(&place, 60, "exit")]);
    let next = desk.get(&format!("{}?direction=exit", path(&place))).await;
    says(&next, 200, &["value=\"exit\" checked"]);
    assert_eq!(scans(&test, "method = 1 and direction = 1").await, 1);
    assert_eq!(test.number("select count(*) from stays where ended_by = 3").await, 1);
    let ways = test.desk(&test.staff(Role::Inspector, "410000").await);
    assert_eq!(ways.get(&path(&place)).await.status, 403, "it is no inspector's door");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colour_is_shown_with_its_time_and_an_old_one_is_not() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let desk = test.desk(&manager);
    let told = |mins| {
        let colour =
            Some(KnownColour { colour: Colour::Yellow, as_of: test.now() - TimeDelta::minutes(mins) });
        let expires_at = test.now() + TimeDelta::minutes(5);
        ShownVisitor { visitor: test.visitor(1), expires_at, colour }.seal(test.app.keys.token())
    };
    says(&entered(&desk, &place, &told(15), "entry").await, 200, &["已登记进入", "黄码", "截至 11:45"]);
    let old = entered(&desk, &place, &told(90), "entry").await;
    says(&old, 200, &["已登记进入"]);
    assert!(!old.text.contains("黄码"), "{}", old.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_pressed_twice_is_one_scan_and_a_mistake_is_taken_back() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let (desk, at) = (test.desk(&manager), path(&place));
    let page = desk.get(&at).await;
    let hidden = hidden_fields(&page.text, &at);
    test.clock.advance(TimeDelta::seconds(20));
    // The visitor opened the own code after staff opened the page.
    let code = shown(&test, 1);
    let mut fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
    fields.extend([("shown", code.as_str()), ("direction", "entry")]);
    for _ in 0..2 {
        test.clock.advance(TimeDelta::seconds(7));
        says(&desk.send_form(&at, &fields).await, 200, &["已登记进入"]);
    }
    assert_eq!(scans(&test, "true").await, 1);
    assert_eq!(test.number("select count(*) from stays").await, 1);
    let accepted = desk.send_form(&at, &fields).await;
    // A code that has ended meanwhile is still what the scan was handed in with.
    test.pass(7);
    let back = format!("{at}/mistake");
    let hidden = hidden_fields(&accepted.text, &back);
    let fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
    for _ in 0..2 {
        let answer = desk.send_form(&back, &fields).await;
        says(&answer, 200, &["已撤回", "星河餐厅", &refresh(&place, 26, "entry")]);
    }
    assert_eq!(scans(&test, "direction = 3").await, 1);
    assert_eq!(scans(&test, "true").await, 2, "both are kept");
    assert_eq!(test.number("select count(*) from stays").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why_and_what_would_be_right() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let desk = test.desk(&manager);
    let carried = card(&test, 1).await;
    let swapped: String = carried.chars().rev().collect();
    let stale = shown(&test, 2);
    let forged = format!("{}A", &stale[..stale.len() - 1]);
    test.pass(6);
    for text in [swapped.as_str(), &stale, &forged, "x", "<script>alert(1)</script>", "a.b.c", &place.code] {
        let answer = entered(&desk, &place, text, "entry").await;
        says(&answer, 422, &["未登记", "可以出示", "纸质登记表", "name=\"shown\""]);
        assert!(!answer.text.contains("value=\"x\""), "a scanner's field is empty for the next one");
    }
    let english = desk.get(&format!("{}?lang=en", path(&place))).await;
    assert!(english.text.contains("At most") || english.text.contains("Type in a paper list"));
    let mended = [("shown", "x"), ("direction", "entry"), ("still", "1")];
    says(&desk.fill(&path(&place), &path(&place), &mended).await, 422, &["value=\"x\""]);
    for direction in ["void", "passing", "sideways"] {
        assert_eq!(entered(&desk, &place, &carried, direction).await.status, 422, "{direction}");
    }
    assert_eq!(scans(&test, "true").await, 0);
    says(&entered(&desk, &place, &carried, "entry").await, 200, &["已登记进入"]);
    let phone = test.phone(1).await;
    assert_eq!(phone.fill("/me/card", "/me/card/end", &[]).await.leads_to(), "/me/card");
    test.pass(3);
    says(&entered(&desk, &place, &carried, "entry").await, 422, &["未登记"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_of_another_venue_stays_shut() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let (_, other) = house(&test, "老茶馆").await;
    let desk = test.desk(&manager);
    let code = shown(&test, 1);
    let own = hidden_fields(&desk.get(&path(&place)).await.text, &path(&place));
    let mut fields: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
    let now = test.now().to_rfc3339();
    let scan = uuid::Uuid::now_v7().to_string();
    fields.extend([("shown", code.as_str()), ("direction", "entry"), ("lines", "x"), ("day", "2026-03-16")]);
    fields.extend([("scan", scan.as_str()), ("occurred_at", now.as_str())]);
    for (point, status) in [(other.point, 403), (7, 404)] {
        for end in ["", "/list"] {
            assert_eq!(desk.get(&format!("/door/{point}{end}")).await.status, status);
        }
        for end in ["", "/list", "/mistake"] {
            assert_eq!(desk.send_form(&format!("/door/{point}{end}"), &fields).await.status, status, "{end}");
        }
    }
    assert_eq!(scans(&test, "true").await, 0);
    let written = test.number("select count(*) from audit_entries where action = 'access.refused'").await;
    assert_eq!(written, 5);
    let inspector = test.staff(Role::Inspector, "410000").await;
    let review = format!("/v1/venues/{}/review", place.venue);
    inspector.post(&review, &json!({ "state": "suspended", "reason": "整改" })).await.expect(200);
    says(&desk.get(&path(&place)).await, 200, &["此处暂不接受扫码"]);
    says(&entered(&desk, &place, &code, "entry").await, 422, &["未登记"]);
    says(&desk.get("/door").await, 200, &["还没有"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_show_a_code_and_make_and_end_cards() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let phone = test.phone(1).await;
    let page = phone.get("/me/code").await;
    says(&page, 200, &["我的出示码", "<svg", "12:05", "http-equiv=\"refresh\" content=\"280\""]);
    assert!(!page.text.contains("<?xml"), "the picture stands in the page");
    says(&phone.get("/me/card").await, 200, &["没有姓名", "制作一张卡"]);
    let first = card(&test, 1).await;
    let second = card(&test, 1).await;
    assert!(first != second && first.len() == 19, "{first} {second}");
    let third = phone.fill("/me/card", "/me/card", &[]).await;
    says(&third, 200, &["2026-09-12", "停用全部"]);
    assert_eq!(phone.fill("/me/card", "/me/card", &[]).await.status, 409, "three are in use");
    assert!(!phone.get("/me/card").await.text.contains(&first), "a card is shown once");
    let desk = test.desk(&manager);
    says(&entered(&desk, &place, &second, "entry").await, 200, &["已登记进入"]);
    phone.fill("/me/card", "/me/card/end", &[]).await.leads_to();
    assert_eq!(phone.fill("/me/card", "/me/card", &[]).await.status, 200);
    for (at, status) in [("/me/code", 401), ("/me/card", 401)] {
        let nobody = test.browser().get(at).await;
        assert_eq!(nobody.status, status);
        assert!(nobody.text.contains(&format!("return=http%3A%2F%2F127.0.0.1%3A{}", test.address.port())));
    }
    let foreign = test.phone(2).await.send_form("/me/card/end", &[("form_token", "x")]).await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_shows_the_word_as_well() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let screens = format!("/v1/points/{}/screens", place.point);
    let made = manager.post(&screens, &json!({ "name": "东门平板" })).await.expect(201);
    let link = made["link"].as_str().unwrap().strip_prefix(test.config.public_url.as_str()).unwrap();
    let enrolled = test.browser().send_form(&format!("/{link}"), &[]).await;
    let cookie = enrolled.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let screen = test.browser().with_cookie(&cookie);
    for _ in 0..2 {
        let (chinese, english) = word_now(&test, &place);
        says(&screen.get("/screen").await, 200, &[chinese, english, "暗语"]);
        test.pass(1);
    }
}
