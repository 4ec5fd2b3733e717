//! What a citizen sees: the way in, the colour with its reason, and the way to the service.

use chrono::TimeDelta;
use placecode::domain::assertion::verify_identity;
use placecode::domain::known_colour::KnownColour;
use placecode::domain::letter::LetterKind;
use placecode::domain::rule_pack::Colour;
use reqwest::Response;
use uuid::Uuid;

use super::platform::{Platform, SERVICE};

const NUMBER: &str = "11010519491231002X";

async fn sign_in(platform: &Platform, number: &str, back: &str) -> Response {
    platform.sign_in(number, back).await
}

async fn session(platform: &Platform) -> String {
    platform.session(NUMBER).await
}

async fn page(platform: &Platform, path: &str, cookie: &str) -> (u16, String) {
    platform.page(path, cookie).await
}

#[tokio::test(flavor = "multi_thread")]
async fn my_page_says_why() {
    let platform = Platform::start().await;
    let visitor = platform.visitor(NUMBER);
    assert_eq!(page(&platform, "me", "").await.0, 303);
    let cookie = session(&platform).await;
    let (status, green) = page(&platform, "me", &cookie).await;
    assert!(status == 200 && green.contains("绿码") && !green.contains("原因如下"));

    let assignment = Uuid::now_v7();
    let mut letter = platform.letter(visitor, 1, LetterKind::Assigned, assignment);
    letter.exposures[0].place = "<b>星河商场</b>".to_owned();
    platform.deliver(&[letter]).await;
    let (_, zh) = page(&platform, "me", &cookie).await;
    let told = [
        "黄码",
        "同一时段到过同一场所",
        "&lt;b&gt;星河商场&lt;/b&gt;",
        "2026年3月9日 11:15–12:00",
        "baseline@1",
        "西湖区疾病预防控制中心",
        "《传染病防治法》第三十九条",
        "2026年3月16日 12:00",
        "12345",
        &assignment.to_string(),
        "viewBox",
    ];
    for word in told {
        assert!(zh.contains(word), "{word} is missing in {zh}");
    }
    let (_, en) = page(&platform, "me?lang=en", &cookie).await;
    for word in ["Yellow", "same place at the same time", "9 Mar 2026, 11:15–12:00", "If you do not agree"]
    {
        assert!(en.contains(word), "{word} is missing in {en}");
    }
    for text in [&zh, &en] {
        assert!(!text.contains(&visitor.to_hex()) && !text.contains(NUMBER));
    }
    let ended = platform.letter(visitor, 2, LetterKind::Withdrawn, assignment);
    platform.deliver(&[ended]).await;
    let (_, green) = page(&platform, "me", &cookie).await;
    assert!(green.contains("绿码") && !green.contains("星河商场"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_colour_has_its_own_shape_and_word() {
    let platform = Platform::start().await;
    let visitor = platform.visitor(NUMBER);
    let cookie = session(&platform).await;
    let mut red = platform.letter(visitor, 1, LetterKind::Assigned, Uuid::now_v7());
    red.colour = Colour::Red;
    let yellow = platform.letter(visitor, 2, LetterKind::Assigned, Uuid::now_v7());
    let (_, green_page) = page(&platform, "me", &cookie).await;
    platform.deliver(&[yellow]).await;
    let (_, yellow_page) = page(&platform, "me", &cookie).await;
    platform.deliver(&[red]).await;
    let (_, red_page) = page(&platform, "me", &cookie).await;
    let (_, confirm) = page(&platform, "identify?return=%2Fc", &cookie).await;
    let key = platform.keys.channel_public_key();
    let told = verify_identity(assertion_on(&confirm), &key, platform.clock.now()).unwrap();
    assert_eq!(
        told.colour.map(|known| known.colour),
        Some(Colour::Red),
        "the service is told what it is now"
    );
    let status = |text: &str| {
        let (_, rest) = text.split_once("class=\"status").unwrap();
        rest.split_once("</section>").unwrap().0.to_owned()
    };
    assert!(status(&green_page).contains("<circle") && status(&green_page).contains("绿码"));
    assert!(status(&yellow_page).contains("M24 3L46 43H2z") && status(&yellow_page).contains("黄码"));
    assert!(status(&red_page).contains("M15 2h18l13 13") && status(&red_page).contains("红码"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_the_service_carries_an_assertion_that_it_accepts() {
    let platform = Platform::start().await;
    let back = format!("{SERVICE}c/3X7?from=door");
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return", &back).finish();
    let path = format!("identify?{query}");
    // Not signed in: the form asks first and remembers where to go.
    let (status, asked) = page(&platform, &path, "").await;
    assert!(status == 200 && asked.contains("name=\"number\"") && asked.contains(&back));
    let answer = sign_in(&platform, NUMBER, &back).await;
    assert_eq!(answer.headers()["location"], format!("/{path}").as_str());
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();

    let answer = platform.http.get(platform.at(&path)).header("cookie", &cookie).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.ends_with("form-action http://service.example:8080"), "{policy}");
    let text = answer.text().await.unwrap();
    assert_eq!(text.matches("<form").count(), 1);
    assert!(text.contains(r#"<form method="post" action="http://service.example:8080/identity">"#));
    assert!(text.contains(r#"name="return_to" value="/c/3X7?from=door""#));
    let assertion = assertion_on(&text);
    let key = platform.keys.channel_public_key();
    let now = platform.clock.now();
    let identified = verify_identity(assertion, &key, now).unwrap();
    assert_eq!(identified.visitor, platform.visitor(NUMBER));
    assert_eq!(identified.colour, Some(KnownColour { colour: Colour::Green, as_of: now }));
    assert!(verify_identity(assertion, &key, now + TimeDelta::minutes(7)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_site() {
    let platform = Platform::start().await;
    let cookie = session(&platform).await;
    for back in ["https://evil.example/", "//evil.example/", "http://service.example:8080//evil.example/"] {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return", back).finish();
        for cookie in [&cookie, ""] {
            let (status, text) = page(&platform, &format!("identify?{query}"), cookie).await;
            assert!(status == 422 && !text.contains("<form") && !text.contains("//evil"), "{back}");
        }
        let answer = sign_in(&platform, NUMBER, back).await;
        assert!(answer.headers()["location"].to_str().unwrap().starts_with("/identify?"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_not_forged_and_end() {
    let platform = Platform::start().await;
    let cookie = session(&platform).await;
    assert_eq!(page(&platform, "", &cookie).await.0, 303);
    assert_eq!(page(&platform, "me", &cookie.replace("session=", "session=A")).await.0, 303);
    platform.clock.advance(TimeDelta::hours(13));
    assert_eq!(page(&platform, "me", &cookie).await.0, 303);
    // A form on somebody else's page can sign nobody in.
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let request = platform.http.post(platform.at("")).header(name, value);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("kind=10&number={NUMBER}")).send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert!(!answer.headers().contains_key("set-cookie"));
    }
    let wrong = sign_in(&platform, "110105194912310021", "").await;
    assert_eq!(wrong.status(), 422);
    let text = wrong.text().await.unwrap();
    assert!(text.contains("校验码") && !text.contains("110105194912310021"));
    let left = platform.http.post(platform.at("leave")).header("cookie", &cookie).send().await.unwrap();
    assert!(left.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_language_is_what_was_asked_for_last() {
    let platform = Platform::start().await;
    let language = async |path: &str, accept: &str, cookie: &str| {
        let request = platform.http.get(platform.at(path)).header("accept-language", accept);
        let answer = request.header("cookie", cookie).send().await.unwrap();
        answer.headers()["content-language"].to_str().unwrap().to_owned()
    };
    assert_eq!(language("", "", "").await, "zh-CN");
    assert_eq!(language("", "de, en;q=0.5", "").await, "en");
    assert_eq!(language("", "en", "health_code_language=zh-CN").await, "zh-CN");
    assert_eq!(language("?lang=en", "zh", "health_code_language=zh-CN").await, "en");
    let answer = platform.http.get(platform.at("?lang=en&x=1")).send().await.unwrap();
    assert!(answer.headers()["set-cookie"].to_str().unwrap().starts_with("health_code_language=en"));
    let text = answer.text().await.unwrap();
    assert!(text.contains(r#"href="/?x=1&amp;lang=zh-CN""#), "{text}");
}

/// The assertion in the form that leads back to the service.
fn assertion_on(page: &str) -> &str {
    let (_, rest) = page.split_once(r#"name="assertion" value=""#).unwrap();
    rest.split_once('"').unwrap().0
}
