//! The national code directly: the national platform decides by the national pack, and Hubei shows what it says.

use serde_json::json;

use super::stage::{Side, Story, agreement, alias, alias_keys, assert_no_colour, own, secret};
use super::wire::Wire;

/// The national platform, to which Henan hands over, and which Hubei asks.
fn national() -> String {
    own("100000", "国家卫生健康委员会", "national-code-1")
        + &alias_keys("national")
        + &agreement("national", "national", "100000", &secret("second"))
        + &agreement("hubei-asks", "national", "100000", &secret("third"))
            .replace("alias_key = \"hubei-asks\"", "alias_key = \"national\"")
}

/// Hubei, which decides nothing by this way, and asks.
fn hubei(url: &str) -> String {
    let key = secret("third");
    alias_keys("national")
        + &format!(
            "[national]\nurl = \"{url}\"\npeer_key = \"{key}\"\nagreement = \"hubei-asks\"\nalias_key = \"national\"\n"
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_national_platform_decides_and_hubei_shows_its_word() {
    let story = Story::begin("national").await;
    let national = Side::start(&story.app, "fourth", &national());
    let (hands_over, asks) = (Wire::to(national.address), Wire::to(national.address));
    let hubei = Side::start(&story.app, "third", &hubei(&asks.url("/v1/words")));
    let mut agreed = story.agreed(&hands_over.url("/v1/hand-overs"), "national", "100000");
    agreed["alias_key"] = json!("national");
    story.agree("national", &agreed).await;
    for number in [2, 3] {
        hubei.meets(number).await;
    }
    let word = async |number| hubei.get(&format!("/v1/national/{}", hubei.visitor(number).to_hex())).await;
    assert_eq!(word(2).await.1["shown"], "green");
    story.release().await;

    // Red by our rules, orange by the national ones; and what is yellow here is nothing there.
    assert_eq!(story.hand_over(2).await["receipt"]["authority"], "国家卫生健康委员会");
    let (status, said) = word(2).await;
    assert_eq!((status, &said["shown"], &said["says"]), (200, &json!("orange"), &json!("exposed")));
    assert_eq!(said["until"], story.hand_over(2).await["receipt"]["until"]);
    assert_eq!(word(3).await.1["shown"], "green");
    national.meets(2).await;
    assert_eq!(national.shows(2).await["assignments"][0]["rule_pack"], "national-code@1");
    // Neither Henan's nor Hubei's own code changes by it.
    assert_eq!(story.app.colour(2).await["colour"], "green");
    assert_eq!(hubei.shows(2).await["colour"], "green");
    assert_no_colour(&[hands_over.carried(), asks.carried()].concat());
    assert!(asks.carried().concat().contains(&alias(2).to_hex()));

    story.withdraw().await;
    assert_eq!(word(2).await.1["shown"], "green");
    assert_no_colour(&[hands_over.carried(), asks.carried()].concat());
    // Both agreements end with the fifteenth of April.
    story.app.pass(31 * 24 * 60);
    let (status, refused) = word(2).await;
    assert_eq!(status, 502);
    assert!(refused["detail"].as_str().unwrap().contains("not in force"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_an_agreement_is_told_anything() {
    let story = Story::begin("national").await;
    let national = Side::start(&story.app, "fourth", &national());
    let question = |agreement: &str| {
        json!({ "type": "placecode.word-question.v1", "agreement": agreement, "alias_key": "national",
                "alias": alias(2).to_hex() })
        .to_string()
    };
    let key = |name: &str| placecode::domain::webhook::SigningKey::parse(&secret(name)).unwrap();
    let now = story.app.now();
    assert_eq!(national.told(&key("third"), "/v1/words", &question("hubei-asks"), now).await.0, 200);
    assert_eq!(national.told(&key("second"), "/v1/words", &question("hubei-asks"), now).await.0, 401);
    assert_eq!(national.told(&key("third"), "/v1/words", &question("nobody"), now).await.0, 401);
    let late = now - chrono::TimeDelta::minutes(6);
    assert_eq!(national.told(&key("third"), "/v1/words", &question("hubei-asks"), late).await.0, 401);
    let many = question("hubei-asks").replace(&format!("\"{}\"", alias(2).to_hex()), "[]");
    assert_eq!(national.told(&key("third"), "/v1/words", &many, now).await.0, 422);
    let (status, _) = national.get(&format!("/v1/national/{}", national.visitor(2).to_hex())).await;
    assert_eq!(status, 422, "it asks nobody");
}
