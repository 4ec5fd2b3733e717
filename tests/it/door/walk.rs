//! The door in a true browser: a scanner types into the field that has the focus, and two pages show one word.

use placecode::domain::access::Role;
use placecode::store::venue_staff;

use super::{card, house, path, scans, word_now};
use crate::support::TestApp;
use crate::support::chromium::{Chromium, is_there};

#[tokio::test(flavor = "multi_thread")]
async fn staff_scan_a_card_and_a_receipt_and_compare_the_word() {
    if !is_there() {
        return;
    }
    let test = TestApp::start().await;
    let chromium = Chromium::start("door").await;
    let told = std::panic::AssertUnwindSafe(tell(&test, &chromium));
    let outcome = futures_util::FutureExt::catch_unwind(told).await;
    chromium.stop().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

async fn tell(test: &TestApp, chromium: &Chromium) {
    let (_, place) = house(test, "星河餐厅").await;
    let (id, door) = test.member(&[Role::DoorStaff], "410105").await;
    let mut conn = test.app.store.conn().await.unwrap();
    venue_staff::link(&mut conn, id, place.venue.parse().unwrap(), Role::DoorStaff).await.unwrap();
    drop(conn);
    let carried = card(test, 1).await;
    let at = |path: &str| format!("http://{}{path}", test.address);
    let (chinese, english) = word_now(test, &place);

    // A visitor scans the poster.
    chromium.phone().await;
    chromium.open(&at("/livez")).await;
    chromium.remember("visitor", test.person(2).await.token()).await;
    chromium.open(&at(&format!("/{}", place.code))).await;
    chromium.press("button.big").await;
    let result = chromium.read_until("登记成功").await;
    assert!(result.contains(chinese) && result.contains(english), "{result}");
    chromium.shoot("door-visitor").await;
    let receipt = chromium.read_qr(".symbol svg").await;
    chromium.open(&at("/me/code")).await;
    let shown = chromium.read_qr(".symbol svg").await;
    chromium.shoot("door-my-code").await;
    chromium.open(&at("/me/card")).await;
    chromium.press("form[action='/me/card'] button").await;
    chromium.read_until("Place code card").await;
    chromium.shoot("door-card").await;
    assert_eq!(chromium.sheets().await, 1, "a card is one sheet");
    let made = chromium.read_qr(".card .symbol svg").await;
    assert!(chromium.text().await.contains(&made));

    // Staff at the door, with a phone and a scanner that types and presses Enter.
    chromium.phone().await;
    chromium.remember("staff", door.token()).await;
    chromium.open(&at("/door")).await;
    let page = chromium.read_until("换一个点位").await;
    assert!(page.contains(chinese) && page.contains("12:00–12:01"), "{page}");
    chromium.shoot("door").await;
    chromium.type_where_the_focus_is(&format!("{}\n", carried.replace('-', " "))).await;
    let page = chromium.read_until("已登记进入").await;
    assert!(page.contains("现场核验"), "{page}");
    chromium.shoot("door-accepted").await;
    chromium.type_where_the_focus_is(&format!("{receipt}\n")).await;
    let page = chromium.read_until("凭证有效").await;
    assert!(page.contains(chinese) && page.contains("60 秒"), "{page}");
    chromium.shoot("door-receipt").await;
    chromium.type_where_the_focus_is(&format!("{shown}\n")).await;
    chromium.read_until("弄错了").await;
    chromium.press("form[action$='/mistake'] button").await;
    chromium.read_until("已撤回").await;
    chromium.type_where_the_focus_is("nobody's\n").await;
    chromium.read_until("未登记").await;
    chromium.shoot("door-refused").await;
    chromium.open(&at(&format!("{}/list", path(&place)))).await;
    chromium.fill(&[("lines", &format!("{carried}, 11:59\n{made}, 12:00, out\nx, 12:00"))]).await;
    chromium.press("main form button").await;
    chromium.read_until("未登记 ").await;
    chromium.shoot("door-list").await;
    assert_eq!(scans(test, "true").await, 6, "by poster, by card, by code and its void, two by list");
}
