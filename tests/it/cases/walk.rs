//! The trail and the correction of a case in a true browser, in a narrow window where nothing may stick out.

use super::{Story, story};
use crate::support::chromium::{Chromium, is_there};

#[tokio::test(flavor = "multi_thread")]
async fn an_investigator_completes_a_trail_with_a_phone_in_hand() {
    if !is_there() {
        return;
    }
    let story = story().await;
    story.run().await;
    let chromium = Chromium::start("trail").await;
    let told = std::panic::AssertUnwindSafe(tell(&story, &chromium));
    let outcome = futures_util::FutureExt::catch_unwind(told).await;
    chromium.stop().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

async fn tell(story: &Story, chromium: &Chromium) {
    let at = |path: &str| format!("http://{}{path}", story.app.address);
    let case = format!("/cases/{}", story.case);
    chromium.phone().await;
    chromium.open(&at("/livez")).await;
    chromium.remember("staff", story.investigator.token()).await;
    chromium.open(&at(&case)).await;
    chromium.read_until("活动轨迹").await;
    chromium.shoot("case").await;
    chromium.open(&at(&format!("{case}/trail?purpose=%E5%AE%8C%E5%96%84%E8%BD%A8%E8%BF%B9"))).await;
    chromium.read_until("老茶馆").await;
    chromium.press(".cards li:first-child summary").await;
    chromium.press("main > details > summary").await;
    chromium.shoot("trail").await;
    let cut = [("until", "2026-03-16T09:00"), ("source", "camera"), ("reason", "监控显示提前离开")];
    chromium.fill(&cut).await;
    chromium.press("button[value=save]").await;
    chromium.read_until("已由流调人员更改").await;
    chromium.shoot("trail-changed").await;
    assert_eq!(story.stay("老茶馆").await["until"], "2026-03-16T01:00:00Z");

    chromium.open(&at(&format!("{case}/edit"))).await;
    chromium.fill(&[("isolated_at", "2026-03-16T11:00"), ("reason", "隔离时间更正")]).await;
    chromium.shoot("case-correction").await;
    chromium.press("main form button").await;
    chromium.read_until("开始计算").await;
    story.app.settle().await;
    chromium.open(&at(&case)).await;
    chromium.read_until("已撤回").await;
    chromium.shoot("case-corrected").await;
}
