//! Receipts that visitors show: genuine, ended, forged, and from elsewhere.

use chrono::TimeDelta;

use super::{another_point, entered, house, says, scans, word_now};
use crate::support::TestApp;
use crate::support::people::Place;

/// The receipt of a scan that a visitor makes now.
async fn receipt(test: &TestApp, number: u32, place: &Place) -> String {
    test.scan(number, place, 0).await["receipt"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_checked_at_the_door_and_by_anybody() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let (desk, nobody) = (test.desk(&manager), test.browser());
    let good = receipt(&test, 1, &place).await;
    let (chinese, english) = word_now(&test, &place);
    test.clock.advance(TimeDelta::seconds(25));
    let said = ["凭证有效", "星河餐厅", "入口", chinese, english, "还有 35 秒"];
    let check = async |text: &str| nobody.send_form("/receipt", &[("receipt", text)]).await;
    says(&entered(&desk, &place, &good, "entry").await, 200, &said);
    says(&check(&good).await, 200, &said);
    says(&check(&format!("  {good}\n")).await, 200, &said);
    says(&nobody.get("/receipt?lang=en").await, 200, &["Check a receipt", "autofocus"]);
    assert_eq!(scans(&test, "true").await, 1, "to check a receipt is no scan");
    test.clock.advance(TimeDelta::seconds(35));
    for answer in [entered(&desk, &place, &good, "entry").await, check(&good).await] {
        says(&answer, 200, &["凭证已过期", "星河餐厅", "请访客重新扫码"]);
        assert!(!answer.text.contains("凭证有效") && !answer.text.contains("class=\"status answer good\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_receipt_is_worth_nothing() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let good = receipt(&test, 1, &place).await;
    let flipped = if good.starts_with('A') { "B" } else { "A" };
    let forged = format!("{flipped}{}", &good[1..]);
    for text in [forged.as_str(), &good[1..], "x", "", "<b>"] {
        let answer = test.browser().send_form("/receipt", &[("receipt", text)]).await;
        says(&answer, 200, &["凭证无效"]);
        assert!(!answer.text.contains("星河餐厅") && !answer.text.contains("<b>"), "{}", answer.text);
    }
    let desk = test.desk(&manager);
    says(&entered(&desk, &place, &forged, "entry").await, 422, &["未登记", "凭证"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_from_elsewhere_says_so() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let back = another_point(&test, &manager, &place).await;
    let (_, other) = house(&test, "老茶馆").await;
    let desk = test.desk(&manager);
    says(&desk.get("/door").await, 200, &["入口", "后门"]);
    let from_back = receipt(&test, 1, &back).await;
    let answer = entered(&desk, &place, &from_back, "entry").await;
    says(&answer, 200, &["有效，但属于另一点位", "后门", "class=\"status answer careful\""]);
    says(
        &entered(&desk, &back, &from_back, "entry").await,
        200,
        &["凭证有效", "class=\"status answer good\""],
    );
    let from_other = receipt(&test, 2, &other).await;
    let answer = entered(&desk, &place, &from_other, "entry").await;
    says(&answer, 200, &["是别处的凭证", "老茶馆", "class=\"status answer stopped\""]);
    assert!(!answer.text.contains("凭证有效"), "{}", answer.text);
}
