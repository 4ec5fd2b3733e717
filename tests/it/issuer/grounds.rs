//! What a citizen is told about each ground: what ends it, how it came to this, who looks again, how to appeal; and what
//! has ended, without places.

use chrono::TimeDelta;
use placecode::config::IssuerScheme;
use placecode::domain::letter::{Letter, LetterKind};
use placecode::domain::rule_pack::{CheckIns, Class, Colour, Tests};
use uuid::Uuid;

use super::platform::Platform;

const NUMBER: &str = "11010519491231002X";

/// A red letter about a close contact, with everything that it can say.
fn red(platform: &Platform, sequence: i64, assignment: Uuid) -> Letter {
    let visitor = platform.visitor(NUMBER);
    let mut letter = platform.letter(visitor, sequence, LetterKind::Assigned, assignment);
    letter.class = Class::Close;
    letter.rule = Some("same-table".to_owned());
    letter.colour = Colour::Red;
    letter.review_at = Some(platform.clock.now() + TimeDelta::days(3));
    letter.end.tests = Some(Tests { count: 2, apart_hours: 24, within_days: Some(3), after_days: None });
    letter.end.check_ins =
        vec![CheckIns { count: 7, colour: Colour::Yellow }, CheckIns { count: 14, colour: Colour::Green }];
    letter.end.by_authority = true;
    letter.appeal_url = format!("https://p.example.cn/me/appeals/{assignment}");
    letter
}

fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ground_says_what_ends_it_who_looks_again_and_how_to_appeal() {
    let platform = Platform::start().await;
    let cookie = platform.session(NUMBER).await;
    let assignment = Uuid::now_v7();
    platform.deliver(&[red(&platform, 1, assignment)]).await;
    let (_, zh) = platform.page("me", &cookie).await;
    let appeal = format!("href=\"https://p.example.cn/me/appeals/{assignment}\"");
    holds(
        &zh,
        &[
            "红码",
            "3 天内 2 次检测结果为阴性，每两次至少间隔 24 小时",
            "连续 7 天健康打卡 → 黄码，连续 14 天 → 绿码",
            "主管部门的证明",
            "2026年3月16日 12:00",
            "复核时间",
            "2026年3月13日 12:00",
            "same-table",
            &appeal,
            "赋码：红码",
        ],
    );
    let (_, en) = platform.page("me?lang=en", &cookie).await;
    holds(
        &en,
        &[
            "two negative tests at least 24 hours apart within three days",
            "7 daily check-ins → yellow, 14 → green",
            "by certificate of discharge",
            "Looked at again",
            "rule same-table",
            "Appeal against this decision",
        ],
    );
    // An address that is none of the web is text that somebody sent, not a link.
    let mut odd = red(&platform, 2, Uuid::now_v7());
    odd.appeal_url = "javascript:alert(1)".to_owned();
    platform.deliver(&[odd]).await;
    assert!(!platform.page("me", &cookie).await.1.contains("javascript"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_tells_every_change_and_what_was_taken_back_and_why() {
    let platform = Platform::start().await;
    // Nobody stays signed in for days.
    let page = async |path: &str| platform.page(path, &platform.session(NUMBER).await).await.1;
    let assignment = Uuid::now_v7();
    let assigned = red(&platform, 1, assignment);
    let again =
        |kind, colour, sequence| Letter { id: Uuid::now_v7(), kind, colour, sequence, ..assigned.clone() };
    platform.deliver(std::slice::from_ref(&assigned)).await;
    platform.clock.advance(TimeDelta::days(1));
    platform.deliver(&[again(LetterKind::Downgraded, Colour::Yellow, 2)]).await;
    let en = page("me?lang=en").await;
    holds(&en, &["Assigned: Red", "Changed: Red → Yellow", "11 Mar 2026, 12:00"]);
    platform.clock.advance(TimeDelta::days(1));
    let mut withdrawn = again(LetterKind::Withdrawn, Colour::Yellow, 3);
    withdrawn.legal_basis = "样本复核为阴性".to_owned();
    platform.deliver(&[withdrawn]).await;
    let zh = page("me").await;
    holds(&zh, &["绿码", "近期结束的记录", "已撤回，原因：样本复核为阴性", "2026年3月12日 12:00"]);
    let reference = assignment.to_string();
    holds(&zh, &[&reference, "对此判定提出申诉"]);
    for gone in ["星河商场", "11:15"] {
        assert!(!zh.contains(gone), "{gone} is still told in {zh}");
    }
    let stored = platform.rows("select letter from assignments").await;
    assert!(!stored[0].to_string().contains("星河商场"));
    platform.clock.advance(TimeDelta::days(15));
    assert!(!page("me").await.contains(&assignment.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_or_meets_its_condition_becomes_history_by_itself() {
    let platform = Platform::start().await;
    let cookie = platform.session(NUMBER).await;
    let met = Uuid::now_v7();
    let ended = Letter { kind: LetterKind::Ended, id: Uuid::now_v7(), sequence: 2, ..red(&platform, 1, met) };
    platform.deliver(&[red(&platform, 1, met), ended, red(&platform, 3, Uuid::now_v7())]).await;
    let (_, en) = platform.page("me?lang=en", &cookie).await;
    holds(&en, &["the condition that ends it was met", "<h1 id=\"colour\">Red"]);
    platform.clock.advance(TimeDelta::days(6));
    let (_, en) = platform.page("me?lang=en", &platform.session(NUMBER).await).await;
    holds(&en, &["<h1 id=\"colour\">", "its days were over"]);
    assert!(!en.contains("星河商场") && !en.contains("class=\"status red\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_four_colours_a_close_contact_is_orange_and_others_are_not() {
    let platform = Platform::start_with(|config| config.scheme = IssuerScheme::Four).await;
    let cookie = platform.session(NUMBER).await;
    let close = red(&platform, 1, Uuid::now_v7());
    platform.deliver(std::slice::from_ref(&close)).await;
    let code = platform.code(platform.visitor(NUMBER)).await;
    assert_eq!((&code["colour"], &code["shown"]), (&"red".into(), &"orange".into()));
    let (_, zh) = platform.page("me", &cookie).await;
    holds(&zh, &["class=\"status orange\"", "橙码", "M24 1L47 24L24 47L1 24z", "您被判定为密切接触者"]);
    let weaker = Letter {
        kind: LetterKind::Downgraded,
        colour: Colour::Yellow,
        id: Uuid::now_v7(),
        sequence: 2,
        ..close.clone()
    };
    platform.deliver(&[weaker]).await;
    let (_, en) = platform.page("me?lang=en", &cookie).await;
    holds(&en, &["class=\"status yellow\"", "Changed: Orange → Yellow"]);
    let vehicle = Letter { class: Class::SameVehicle, rule: None, ..red(&platform, 3, Uuid::now_v7()) };
    platform.deliver(&[vehicle]).await;
    assert_eq!(platform.code(platform.visitor(NUMBER)).await["shown"], "red");
}
