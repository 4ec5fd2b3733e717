//! From nobody to an approved venue, on pages alone.

use placecode::domain::access::Role;
use placecode::http::auth::STAFF_COOKIE;
use serde_json::json;

use crate::support::browser::{Browser, hidden_fields};
use crate::support::client::Answer;
use crate::support::{Replica, TestApp};

const PASSWORD: &str = "correct horse battery staple";

/// Sends the form of a page that ties it to a browser by a cookie.
async fn send(browser: &Browser, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let opened = browser.get(page).await;
    assert_eq!(opened.status, 200, "{page}: {}", opened.text);
    let cookie = opened.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let hidden = hidden_fields(&opened.text, path);
    let hidden: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
    let browser = browser.fresh().with_cookie(&cookie);
    browser.send_form(path, &[hidden.as_slice(), fields].concat()).await
}

fn account(login: &str) -> [(&str, &str); 4] {
    [("login", login), ("password", PASSWORD), ("display_name", "张三"), ("division", "410105")]
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_applies_corrects_and_is_approved_on_pages() {
    let app = TestApp::start().await;
    let nobody = app.browser();
    for path in ["/", "/login"] {
        assert!(nobody.get(path).await.text.contains("href=\"/apply\""), "{path}");
    }
    let short = [("login", "zhang"), ("password", "short"), ("display_name", "张三"), ("division", "410105")];
    let wrong = send(&nobody, "/apply", "/apply", &short).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("密码至少 12") && wrong.text.contains("value=\"张三\""), "{}", wrong.text);
    let joined = send(&nobody, "/apply", "/apply", &account("zhang")).await;
    assert_eq!(joined.leads_to(), "/login?next=/manage/venues/new");
    let taken = send(&nobody, "/apply", "/apply", &account("zhang")).await;
    assert_eq!(taken.status, 409);
    assert!(taken.text.contains("已被使用"), "{}", taken.text);

    let fields = [("login", "zhang"), ("password", PASSWORD)];
    let signed_in = send(&nobody, joined.leads_to(), "/login", &fields).await;
    assert_eq!(signed_in.leads_to(), "/manage/venues/new");
    let mut cookies = signed_in.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let cookie = cookies.find(|cookie| cookie.starts_with(STAFF_COOKIE)).unwrap();
    let applicant = app.browser().with_cookie(cookie.split(';').next().unwrap());
    let form = [
        ("organisation", "郑州星河餐饮有限公司"),
        ("kind", "company"),
        ("credit_code", "91330100799655058B"),
        ("name", "星河餐厅"),
        ("short_name", "星河"),
        ("category", "restaurant"),
        ("division", "410105"),
        ("street", "花园路街道"),
        ("address", "花园路1号"),
        ("lat_deg", "34.7466"),
        ("lng_deg", "113.6253"),
        ("contact_phone", "13800000000"),
    ];
    let without_code = form.map(|(name, value)| (name, if name == "credit_code" { "" } else { value }));
    let wrong = applicant.fill("/manage/venues/new", "/manage/venues", &without_code).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("企业必须填写"), "{}", wrong.text);
    let venue = applicant.fill("/manage/venues/new", "/manage/venues", &form).await.leads_to().to_owned();
    let id = venue.rsplit('/').next().unwrap();

    let inspector = app.desk(&app.staff(Role::Inspector, "410100").await);
    let page = inspector.get("/inspect").await.text;
    for part in ["星河餐厅", "花园路街道", "91330100799655058B", "34.74660, 113.62530", "13800000000"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let decide = format!("/inspect/{id}");
    let decision = [("state", "rejected"), ("reason", "请补充联系人")];
    inspector.fill("/inspect", &decide, &decision).await.leads_to();
    let page = applicant.get(&venue).await.text;
    assert!(page.contains("请补充联系人") && page.contains("已退回") && page.contains("提交申请"), "{page}");

    let edit = format!("{venue}/edit");
    let page = applicant.get(&edit).await.text;
    assert!(page.contains("value=\"花园路街道\"") && page.contains("value=\"34.7466\""), "{page}");
    let better = [form.as_slice(), &[("contact_name", "李伟")]].concat();
    assert_eq!(applicant.fill(&edit, &edit, &better).await.leads_to(), venue);
    let decision = [("state", "approved"), ("reason", "现场核实")];
    inspector.fill("/inspect", &decide, &decision).await.leads_to();
    let page = applicant.get(&venue).await.text;
    assert!(page.contains("审核通过") && page.contains("改正后重新提交"), "{page}");
    assert_eq!(app.number("select count(*) from venues where state = 1").await, 1);
    let add = format!("{venue}/points");
    let gate = [("name", "后门"), ("lat_deg", "34.7470"), ("lng_deg", "113.6253"), ("mobile", "false")];
    assert_eq!(applicant.fill(&venue, &add, &gate).await.leads_to(), venue);
    assert_eq!(app.number("select count(*) from points where lat_deg = 34.7470 and not is_mobile").await, 1);
    let half = [("name", "侧门"), ("lat_deg", "34.7470")];
    assert_eq!(applicant.fill(&venue, &add, &half).await.status, 422);
    // An applicant sees nothing but the own venues.
    assert_eq!(applicant.get("/inspect").await.status, 403);
    let joined = app.rows("select actor from audit_entries where action = 'applicant.joined'").await;
    assert_eq!(joined, [json!({ "actor": "staff:zhang" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_accounts_an_hour_come_from_one_address() {
    let app = TestApp::start().await;
    let replica = Replica::start(&app, |config| {
        config.client_address_header = Some("X-Forwarded-For".into());
    })
    .await;
    let nobody = app.client(None);
    let form = |number: u32| json!({ "login": format!("zhang{number}"), "password": PASSWORD, "display_name": "张", "division": "410105" });
    for number in 0..5 {
        let made = nobody.post("/v1/applicants", &form(number)).await.expect(201);
        assert_eq!((&made["roles"], &made["division"]), (&json!(["venue_manager"]), &json!("410105")));
    }
    let refused = nobody.post("/v1/applicants", &form(5)).await;
    refused.problem(429);
    assert_eq!(refused.headers["retry-after"], "3600");
    // A header counts only where a proxy is known to set it, and then only what that proxy added.
    let headers = [("x-forwarded-for", "203.0.113.7")];
    let send = async |client: &crate::support::client::Client, number, headers: &[(&str, &str)]| {
        client
            .send(reqwest::Method::POST, "/v1/applicants", Some(form(number).to_string()), headers)
            .await
            .status
    };
    assert_eq!(send(&nobody, 6, &headers).await, 429);
    let behind = nobody.at(replica.address);
    assert_eq!(send(&behind, 6, &headers).await, 201);
    assert_eq!(send(&behind, 7, &[("x-forwarded-for", "203.0.113.9, 127.0.0.1")]).await, 429);
    app.pass(60);
    nobody.post("/v1/applicants", &form(8)).await.expect(201);
    assert_eq!(app.number("select count(*) from staff where login like 'zhang%'").await, 7);
}
