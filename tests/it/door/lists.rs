//! Paper lists: each line by its number, good ones stand, and sending again changes nothing.

use super::{card, house, path, says, scans, shown};
use crate::support::TestApp;
use crate::support::browser::Browser;
use crate::support::client::Answer;
use crate::support::people::Place;

async fn sent(desk: &Browser, place: &Place, day: &str, lines: &str) -> Answer {
    let at = format!("{}/list", path(place));
    desk.fill(&at, &at, &[("day", day), ("lines", lines)]).await
}

/// What stands in the field for lines.
fn left(answer: &Answer) -> &str {
    let (_, rest) = answer.text.split_once("<textarea").unwrap();
    rest.split_once('>').unwrap().1.split("</textarea>").next().unwrap().trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn good_lines_stand_and_bad_ones_come_back() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let desk = test.desk(&manager);
    let (one, two) = (card(&test, 1).await, card(&test, 2).await);
    test.pass(4 * 60);
    let bad = ["ABCD-EFGH-JKMN-PQRS, 13:00, in", "no comma at all", "X, 25:00, in"];
    let wrong_way = format!("{one}, 13:00, sideways");
    let too_late = format!("{one}, 2026-03-01 13:00, in");
    let ahead = format!("{one}, 17:00, in");
    let lines = [
        &format!("{one}, 13:00, in"),
        bad[0],
        "",
        &format!("  {} ； 13:05 ； 进 ", two.replace('-', " ").to_lowercase()),
        bad[1],
        bad[2],
        &format!("{one}\t2026-03-16 13:50\tout"),
        &wrong_way,
        &too_late,
        &ahead,
    ]
    .join("\r\n");
    let answer = sent(&desk, &place, "2026-03-16", &lines).await;
    says(&answer, 422, &["第 1 行", "第 2 行", "第 10 行", "已登记 3", "未登记 6", "13:50 · 离开"]);
    assert!(!answer.text.contains("第 3 行"), "an empty line is none");
    let again = left(&answer).to_owned();
    for line in bad.iter().chain([&wrong_way.as_str(), &too_late.as_str(), &ahead.as_str()]) {
        assert!(again.contains(*line), "{line}: {again}");
    }
    assert!(!again.contains(&format!("{one}, 13:00, in")) && again.lines().count() == 6, "{again}");
    assert_eq!(scans(&test, "true").await, 3);
    assert_eq!(scans(&test, "method = 3").await, 3, "a list proves nothing of its own");
    assert_eq!(test.number("select count(*) from stays where ended_by = 3").await, 1);

    // Sent again in another order, on the next day and in another writing: the same scans.
    test.pass(20 * 60);
    let again = format!("{}, 13:05\n{one}, 13:00, entry\n{one}, 2026-03-16T13:50, 出", two.to_lowercase());
    let answer = sent(&desk, &place, "2026-03-16", &again).await;
    says(&answer, 200, &["已登记 3"]);
    assert_eq!(left(&answer), "");
    assert_eq!(scans(&test, "true").await, 3);
    let moment = format!("{one}, 2026-03-16T05:00:00Z, in");
    says(&sent(&desk, &place, "2026-03-17", &moment).await, 200, &["已登记 1"]);
    assert_eq!(scans(&test, "true").await, 3, "a whole time names its own day");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_a_day_and_at_most_two_hundred_lines() {
    let test = TestApp::start().await;
    let (manager, place) = house(&test, "星河餐厅").await;
    let desk = test.desk(&manager);
    says(&desk.get(&format!("{}/list", path(&place))).await, 200, &["value=\"2026-03-16\"", "200"]);
    let many = "x, 10:00\n".repeat(201);
    let answer = sent(&desk, &place, "2026-03-16", &many).await;
    says(&answer, 422, &["200"]);
    assert_eq!(left(&answer).lines().count(), 201, "nothing that was typed is lost");
    let code = shown(&test, 1);
    let answer = sent(&desk, &place, "", &format!("{code}, 12:00")).await;
    says(&answer, 422, &["日期"]);
    says(&sent(&desk, &place, "2026-03-16", &format!("{code}, 12:00")).await, 200, &["已登记 1"]);
    let markup = "</textarea><script>, 10:00";
    says(&sent(&desk, &place, "2026-03-16", markup).await, 422, &["&lt;script&gt;"]);
}
