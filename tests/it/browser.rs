//! The whole flow as three groups of people see it, in a true browser: venue, citizens, authorities.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::domain::visitor::{IdentityKind, Visitor};
use placecode::password;
use placecode::pipeline::run::{Step, run};
use placecode::store::access::{self, StaffRow, role_numbers};
use tokio::sync::watch;
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::chromium::{Chromium, is_there};

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn an_outbreak_from_poster_to_colour() {
    if !is_there() {
        return;
    }
    let test = TestApp::start().await;
    let (end, ended) = watch::channel(false);
    let pipeline = tokio::spawn(run(test.app.clone(), Step::ALL.to_vec(), ended));
    let chromium = Chromium::start("outbreak").await;
    let told = tell(&test, &chromium);
    let told = std::panic::AssertUnwindSafe(told);
    let outcome = futures_util::FutureExt::catch_unwind(told).await;
    chromium.stop().await;
    end.send(true).unwrap();
    pipeline.await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

async fn tell(test: &TestApp, chromium: &Chromium) {
    let hash = password::hash(PASSWORD).unwrap();
    for (login, role, division) in [
        ("wang", Role::VenueManager, "410105"),
        ("zhao", Role::Inspector, "410105"),
        ("chen", Role::Investigator, "410100"),
        ("liu", Role::ReleasingOfficer, "410100"),
        ("sun", Role::ChiefOfficer, "410100"),
        ("zhou", Role::ReleasingOfficer, "410100"),
        ("qian", Role::Auditor, "410000"),
    ] {
        account(test, &hash, login, role, division).await;
    }
    let code = venue(test, chromium).await;
    chromium.phone().await;
    chromium.open(&at(test, "/")).await;
    chromium.shoot("home").await;
    chromium.open(&at(test, "/?lang=en")).await;
    chromium.shoot("home-english").await;
    citizen(test, chromium, &code, "E1000001", "case").await;
    citizen(test, chromium, &code, "E1000002", "contact").await;
    test.pass(60);
    case(test, chromium).await;
    release(test, chromium).await;
    colour(test, chromium).await;
    appeal(test, chromium).await;
    sign_in(test, chromium, "qian", "/audit").await;
    chromium.shoot("audit").await;
    chromium.open(&at(test, "/nowhere")).await;
    chromium.shoot("not-found").await;
}

/// A manager registers a venue, an inspector approves it, the manager prints the poster; what the poster's
/// QR code says.
async fn venue(test: &TestApp, chromium: &Chromium) -> String {
    chromium.desk().await;
    chromium.open(&at(test, "/manage")).await;
    chromium.shoot("sign-in").await;
    sign_in(test, chromium, "wang", "/manage").await;
    chromium.press("a[href='/manage/venues/new']").await;
    let filled = [
        ("organisation", "郑州星河餐饮有限公司"),
        ("name", "星河餐厅（花园路店）"),
        ("category", "restaurant"),
        ("division", "410105"),
        ("address", "郑州市金水区花园路 1 号"),
        ("lat_deg", "34.7466"),
        ("lng_deg", "113.6253"),
        ("capacity", "80"),
        ("points", "正门\n二楼包间"),
    ];
    chromium.fill(&filled).await;
    chromium.shoot("venue-form").await;
    chromium.press("main button[type=submit]").await;
    chromium.wait_for("待审核").await;
    chromium.shoot("venue-submitted").await;
    sign_in(test, chromium, "zhao", "/inspect").await;
    chromium.fill(&[("reason", "已现场核实，同意张贴")]).await;
    chromium.shoot("inspect").await;
    chromium.press("button[value=approved]").await;
    chromium.wait_for("没有场所").await;
    sign_in(test, chromium, "wang", "/manage").await;
    chromium.press(".cards a").await;
    chromium.wait_for("已通过").await;
    chromium.press("a[href$='/poster']").await;
    chromium.shoot("poster").await;
    assert_eq!(chromium.sheets().await, 1, "a poster is one sheet");
    let url = chromium.read_qr(".poster img").await;
    assert!(url.starts_with(&format!("http://{}/", test.address)), "{url}");
    url
}

/// Somebody scans the poster, confirms who it is at the health-code platform, and enters.
async fn citizen(test: &TestApp, chromium: &Chromium, code: &str, number: &str, name: &str) {
    chromium.phone().await;
    chromium.open(code).await;
    // The service follows the register within half a second of the approval.
    chromium.wait_for("确认身份").await;
    chromium.shoot(&format!("{name}-unknown")).await;
    chromium.press("main a.button.big").await;
    chromium.fill(&[("kind", "20"), ("number", number)]).await;
    chromium.press("main form button").await;
    chromium.wait_for("确认并继续").await;
    chromium.press("main form button").await;
    chromium.wait_for("确认进入").await;
    chromium.shoot(&format!("{name}-confirm")).await;
    chromium.press("button.big").await;
    wait_without_reload(chromium, "登记成功").await;
    chromium.shoot(&format!("{name}-result")).await;
    chromium.open(&at(test, "/me")).await;
    chromium.wait_for("星河餐厅").await;
    chromium.shoot(&format!("{name}-me")).await;
}

/// An investigator reports a case, previews, states a purpose, looks, and proposes.
async fn case(test: &TestApp, chromium: &Chromium) {
    let visitor = Visitor::of(test.issuer_keys.visitor_key().bytes(), IdentityKind::Passport, "E1000001");
    sign_in(test, chromium, "chen", "/cases/new").await;
    let filled = [
        ("visitor", visitor.to_hex()),
        ("kind", "confirmed".to_owned()),
        ("onset_at", "2026-03-16T08:00".to_owned()),
        ("sampled_at", "2026-03-16T10:00".to_owned()),
        ("authority", "郑州市疾病预防控制中心".to_owned()),
        ("division", "410100".to_owned()),
    ];
    chromium.fill(&filled.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    chromium.shoot("case-form").await;
    chromium.press("main button[type=submit]").await;
    chromium.wait_for("确诊病例").await;
    chromium.fill(&[("purpose", "流行病学调查：星河餐厅")]).await;
    chromium.shoot("case").await;
    chromium.press("form[action$='/runs'] button").await;
    chromium.wait_for("已算出").await;
    chromium.shoot("run").await;
    chromium.fill(&[("purpose", "核对接触者名单")]).await;
    chromium.press("form[action$='/contacts'] button").await;
    chromium.wait_for("同时段到过同一场所").await;
    chromium.shoot("contacts").await;
    chromium.press(".cards p a").await;
    chromium.wait_for("计入判定").await;
    chromium.shoot("evidence").await;
    chromium.press("main > p > a").await;
    chromium.wait_for("同时段到过同一场所").await;
    chromium.press("main > p > a").await;
    chromium.press("form[action$='/proposal'] button").await;
    chromium.wait_for("待两人放行").await;
    chromium.shoot("run-proposed").await;
}

/// Two officers give their word.
async fn release(test: &TestApp, chromium: &Chromium) {
    for (login, words) in [("liu", 1), ("sun", 2)] {
        sign_in(test, chromium, login, "/release").await;
        chromium.fill(&[("legal_basis", "《传染病防治法》第三十九条")]).await;
        chromium.shoot(&format!("release-{words}")).await;
        chromium.press("form[action$='/release'] button").await;
        if words == 1 {
            chromium.wait_for("您已同意").await;
        }
    }
    chromium.wait_for("没有待放行的提案").await;
    chromium.open(&at(test, "/letters")).await;
    chromium.wait_for("已送达").await;
    chromium.shoot("letters").await;
}

/// The other citizen sees the colour with its reason, and who looked.
async fn colour(test: &TestApp, chromium: &Chromium) {
    chromium.phone().await;
    chromium.open(&format!("http://{}/", test.issuer_address)).await;
    chromium.fill(&[("kind", "20"), ("number", "E1000002")]).await;
    chromium.press("main form button").await;
    chromium.wait_for("黄码").await;
    let text = chromium.text().await;
    assert!(text.contains("星河餐厅") && text.contains("第三十九条"), "{text}");
    chromium.shoot("colour").await;
    chromium.open(&at(test, "/me")).await;
    chromium.press("main a.button.big").await;
    chromium.wait_for("确认并继续").await;
    chromium.press("main form button").await;
    chromium.wait_for("核对接触者名单").await;
    chromium.shoot("looks").await;
}

/// The other citizen reads why, and appeals with some words; an officer who had no hand in it grants it.
async fn appeal(test: &TestApp, chromium: &Chromium) {
    chromium.open(&at(test, "/me/assignments")).await;
    chromium.press(".cards p a").await;
    chromium.wait_for("传染病防治法").await;
    chromium.shoot("why").await;
    chromium.press("a.button[href^='/me/appeals/']").await;
    chromium.fill(&[("reason", "wrong_time"), ("text", "我十点前已离开")]).await;
    chromium.shoot("appeal").await;
    chromium.press("form[action^='/me/appeals/'] button").await;
    chromium.wait_for("将于此前答复").await;
    chromium.shoot("appeal-waiting").await;
    sign_in(test, chromium, "zhou", "/appeals").await;
    chromium.fill(&[("purpose", "复核申诉")]).await;
    chromium.shoot("appeals").await;
    chromium.press("form[action^='/appeals/'] button").await;
    chromium.wait_for("我十点前已离开").await;
    chromium.fill(&[("reason", "监控录像证实")]).await;
    chromium.shoot("appeal-decision").await;
    chromium.press("button[value=granted]").await;
    wait_without_reload(chromium, "没有待处理的申诉").await;
    chromium.phone().await;
    chromium.open(&format!("http://{}/", test.issuer_address)).await;
    chromium.fill(&[("kind", "20"), ("number", "E1000002")]).await;
    chromium.press("main form button").await;
    chromium.wait_for("绿码").await;
    chromium.open(&at(test, "/me/assignments")).await;
    chromium.press("main a.button.big").await;
    chromium.wait_for("确认并继续").await;
    chromium.press("main form button").await;
    chromium.wait_for("已结束").await;
    chromium.shoot("appeal-granted").await;
}

async fn sign_in(test: &TestApp, chromium: &Chromium, login: &str, path: &str) {
    chromium.desk().await;
    chromium.open(&at(test, path)).await;
    chromium.fill(&[("login", login), ("password", PASSWORD)]).await;
    chromium.press("main button[type=submit]").await;
    wait_without_reload(chromium, "退出").await;
}

/// The answer to a form is not asked for again.
async fn wait_without_reload(chromium: &Chromium, text: &str) {
    for _ in 0..100 {
        if chromium.text().await.contains(text) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("`{text}` never came: {}", chromium.text().await);
}

async fn account(test: &TestApp, hash: &str, login: &str, role: Role, division: &str) {
    let row = StaffRow {
        id: Uuid::now_v7(),
        login: login.to_owned(),
        display_name: match login {
            "wang" => "王经理",
            "zhao" => "赵核查",
            "chen" => "陈流调",
            "liu" => "刘科长",
            "sun" => "孙主任",
            "zhou" => "周科长",
            _ => "钱审计",
        }
        .to_owned(),
        password_hash: hash.to_owned(),
        roles: role_numbers(&[role]),
        division: division.to_owned(),
        disabled_at: None,
        created_at: test.now() - TimeDelta::days(1),
    };
    access::insert_staff(&mut test.app.store.conn().await.unwrap(), &row).await.unwrap();
}

fn at(test: &TestApp, path: &str) -> String {
    format!("http://{}{path}", test.address)
}
