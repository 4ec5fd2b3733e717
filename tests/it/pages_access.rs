//! Pages: who may open what, forms that come from elsewhere, and ways out to other sites.

use placecode::domain::access::Role;
use placecode::domain::numbered::Numbered;
use placecode::domain::token::form_token;
use placecode::http::auth::{STAFF_COOKIE, VISITOR_COOKIE};
use placecode::http::pages::PAGES;
use placecode::http::routes::Access;
use placecode::password;
use placecode::store::access::{self, StaffRow, role_numbers};
use reqwest::Method;
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::browser::hidden_fields;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_opens_for_its_roles_only() {
    let test = TestApp::start().await;
    for role in Role::ALL {
        let client = test.staff(*role, "410000").await;
        let (browser, token) = (test.desk(&client), form_token(test.app.keys.token(), client.token()));
        for (method, route, access) in PAGES {
            let Access::Roles(roles) = access else { continue };
            if *route == "/logout" {
                continue;
            }
            let path = with_ids(route);
            let answer = if method.as_str() == "GET" {
                browser.get(&path).await
            } else {
                browser.send_form(&path, &[("form_token", &token)]).await
            };
            let refused = matches!(answer.status, 401 | 403 | 405);
            assert_eq!(!refused, roles.contains(role), "{method} {route} as {role:?}: {}", answer.status);
            assert!(answer.status < 500, "{method} {route} as {role:?}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_is_asked_to() {
    let test = TestApp::start().await;
    let nobody = test.browser();
    for (method, route, access) in PAGES {
        let path = with_ids(route);
        let ask = async || {
            if method.as_str() == "GET" {
                nobody.get(&path).await
            } else {
                nobody.send_form(&path, &[]).await
            }
        };
        match access {
            Access::Roles(_) => {
                let answer = ask().await;
                assert!(answer.leads_to().starts_with("/login?next=%2F"), "{method} {route}");
            }
            Access::Visitor => assert_eq!(ask().await.status, 401, "{method} {route}"),
            Access::Public | Access::Issuer | Access::DeviceOr(_) => {
                assert!(ask().await.status < 500, "{method} {route}");
            }
        }
    }
}

/// A path with ids that nobody has, and a code of the right form.
fn with_ids(route: &str) -> String {
    let is_point = route.contains("/points/{id}") || route.contains("/door/{id}");
    let id = if is_point { "7".to_owned() } else { Uuid::now_v7().to_string() };
    let visitor = "0".repeat(32);
    route
        .replace("{id}", &id)
        .replace("{stay}", &id)
        .replace("{scan}", &id)
        .replace("{file}", &id)
        .replace("{other}", &id)
        .replace("{visitor}", &visitor)
        .replace("{code}", &"0".repeat(21))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_the_token_of_its_session_changes_nothing() {
    let test = TestApp::start().await;
    let place = test.venue("星河餐厅", "restaurant").await;
    let client = test.staff(Role::ChiefOfficer, "410000").await;
    let browser = test.desk(&client);
    let other = form_token(test.app.keys.token(), "another session");
    for token in ["", "x", other.as_str()] {
        let fields = [("form_token", token), ("stopped", "true")];
        let answer = browser.send_form("/letters/stop", &fields).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.text.contains("<html") && answer.text.contains("表单已过期"), "{}", answer.text);
    }
    assert_eq!(test.number("select count(*) from switches where is_on").await, 0);
    let phone = test.phone(1).await;
    let path = format!("/{}", place.code);
    let id = Uuid::now_v7().to_string();
    for token in ["", other.as_str()] {
        let fields = [("form_token", token), ("id", id.as_str()), ("direction", "entry")];
        assert_eq!(phone.send_form(&path, &fields).await.status, 403);
    }
    test.settle().await;
    assert_eq!(test.number("select count(*) from scans").await, 0);
    let answer = browser.fill("/letters", "/letters/stop", &[]).await;
    assert_eq!(answer.leads_to(), "/letters");
    assert_eq!(test.number("select count(*) from switches where is_on").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_site() {
    let test = TestApp::start().await;
    let nobody = test.browser();
    for evil in ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"] {
        let query: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let page = nobody.get(&format!("/login?next={query}")).await;
        assert_eq!(page.status, 422, "{evil}");
        let word = test.assertion(1, test.now());
        let sent = nobody.send_form("/identity", &[("assertion", &word), ("return_to", evil)]).await;
        assert_eq!(sent.status, 422, "{evil}");
        assert!(!sent.headers.contains_key("set-cookie"));
    }
    let nowhere = nobody.get("/cases?before=x").await;
    assert_eq!(nowhere.leads_to(), "/login?next=%2Fcases%3Fbefore%3Dx");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_channel_tells_who_a_visitor_is() {
    let test = TestApp::start_with(&["--secure-cookies", "true"]).await;
    let nobody = test.browser();
    let word = test.assertion(1, test.now());
    let fields = [("assertion", word.as_str()), ("return_to", "/me")];
    let channel = format!("http://{}", test.issuer_address);
    for origin in ["https://evil.example", "null"] {
        let answer = nobody.send_form_from("/identity", &fields, Some(origin)).await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    let forged = [("assertion", "a.b.c"), ("return_to", "/me")];
    assert_eq!(nobody.send_form_from("/identity", &forged, Some(&channel)).await.status, 401);
    let answer = nobody.send_form_from("/identity", &fields, Some(&channel)).await;
    assert_eq!(answer.leads_to(), "/me");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for mark in [VISITOR_COOKIE, "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(mark), "{cookie}");
    }
    let phone = nobody.with_cookie(cookie.split(';').next().unwrap());
    assert_eq!(phone.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_sign_in_and_out_on_a_page() {
    let test = TestApp::start_with(&["--secure-cookies", "true"]).await;
    let row = StaffRow {
        id: Uuid::now_v7(),
        login: "li".into(),
        display_name: "李<b>".into(),
        password_hash: password::hash("correct horse battery").unwrap(),
        roles: role_numbers(&[Role::Auditor]),
        division: "410000".into(),
        disabled_at: None,
        created_at: test.now(),
    };
    access::insert_staff(&mut test.app.store.conn().await.unwrap(), &row).await.unwrap();
    let page = test.browser().get("/login?next=/audit").await;
    let ticket = page.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let hidden = hidden_fields(&page.text, "/login");
    let token = hidden.iter().find(|(name, _)| name == "form_token").unwrap().1.clone();
    let sign_in = async |cookie: &str, password: &str| {
        let fields =
            [("form_token", token.as_str()), ("next", "/audit"), ("login", "li"), ("password", password)];
        test.browser().with_cookie(cookie).send_form("/login", &fields).await
    };
    assert_eq!(sign_in("", "correct horse battery").await.status, 403, "a form from elsewhere");
    let wrong = sign_in(&ticket, "battery staple").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text.contains("用户名或密码错误") && !wrong.text.contains("staple"), "{}", wrong.text);
    let answer = sign_in(&ticket, "correct horse battery").await;
    assert_eq!(answer.leads_to(), "/audit");
    let cookies: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with(STAFF_COOKIE)).unwrap();
    for mark in ["HttpOnly", "Secure", "SameSite=Strict"] {
        assert!(cookie.contains(mark), "{cookie}");
    }
    let browser = test.browser().with_cookie(cookie.split(';').next().unwrap());
    assert!(browser.get("/audit").await.text.contains("李&lt;b&gt;"));
    assert_eq!(browser.get("/desk").await.leads_to(), "/audit");
    assert_eq!(browser.fill("/audit", "/logout", &[]).await.leads_to(), "/login");
    assert!(browser.get("/audit").await.leads_to().starts_with("/login"));
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_pages_and_programs_get_problems() {
    let test = TestApp::start().await;
    let lost = test.browser().get("/nowhere").await;
    assert_eq!(lost.status, 404);
    assert!(lost.text.contains("<html") && lost.text.contains("没有找到"), "{}", lost.text);
    test.client(None).get("/nowhere").await.problem(404);
    assert!(test.browser().get("/v1/nowhere").await.problem(404).contains("no such"));
    let answer = test.client(None).send(Method::DELETE, "/login", None, &[]).await;
    assert_eq!(answer.headers["allow"], "GET, POST");
    answer.problem(405);
    let style = test.client(None).get("/style.css").await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
}
