//! The pages of a case: its trail with the forms that complete it, and its correction.

use placecode::domain::access::Role;
use serde_json::json;

use super::story;

#[tokio::test(flavor = "multi_thread")]
async fn an_investigator_completes_a_trail_on_its_page() {
    let story = story().await;
    story.run().await;
    let browser = story.app.desk(&story.investigator);
    let case = format!("/cases/{}", story.case);
    let trail = format!("{case}/trail?purpose=%E5%AE%8C%E5%96%84%E8%BD%A8%E8%BF%B9");
    let page = browser.get(&case).await;
    assert!(page.text.contains(&format!("action=\"{case}/trail\"")), "{}", page.text);
    assert!(!page.text.contains("老茶馆"), "no place without a purpose");
    for tag in ["zh-CN", "en"] {
        let page = browser.get(&format!("{trail}&lang={tag}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("老茶馆") && page.text.contains("图书馆"), "{}", page.text);
        assert!(!page.text.contains(&story.app.visitor(1).to_hex()));
    }
    assert_eq!(story.app.number("select count(*) from looks").await, 2);

    // Confirmed as it stands: a field shows minutes, and leaves the seconds as they are.
    let stay = story.stay("老茶馆").await;
    let form = format!("{case}/trail/{}", stay["id"].as_str().unwrap());
    let ground = [("source", "camera"), ("reason", "监控核实")];
    let say = async |fields: &[(&str, &str)]| browser.fill(&trail, &form, &[&ground, fields].concat()).await;
    let times = [("from", "2026-03-16T08:00"), ("until", "2026-03-16T10:20")];
    let answer = say(&[&times[..], &[("act", "save")]].concat()).await;
    assert!(answer.leads_to().starts_with(&format!("{case}/trail?purpose=")), "{}", answer.leads_to());
    let confirmed = story.stay("老茶馆").await;
    assert!(confirmed["confirmed_at"].is_string() && confirmed["edited_at"].is_null(), "{confirmed}");
    // Cut, taken out, put back.
    let cut = [("from", "2026-03-16T08:00"), ("until", "2026-03-16T09:00"), ("act", "save")];
    say(&cut).await.leads_to();
    assert_eq!(story.stay("老茶馆").await["until"], "2026-03-16T01:00:00Z");
    let wrong = say(&[("from", "2026-03-16T08:00"), ("until", "2026-03-16T07:00"), ("act", "save")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("应晚于开始时间") && wrong.text.contains("扫码记录为"), "{}", wrong.text);
    say(&[("act", "remove")]).await.leads_to();
    assert!(browser.get(&trail).await.text.contains("已移出"));
    say(&[("act", "return")]).await.leads_to();
    assert!(story.stay("老茶馆").await["removed_at"].is_null());

    let add = format!("{case}/trail");
    let times = [("from", "2026-03-15T18:00"), ("until", "2026-03-15T19:00")];
    let wrong = browser.fill(&trail, &add, &[&times[..], &ground].concat()).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("地点") && wrong.text.contains("2026-03-15T18:00"), "{}", wrong.text);
    let places = [
        vec![("code", story.library.code.as_str())],
        vec![("venue", story.teahouse.venue.as_str())],
        vec![("address", "花园路 9 号"), ("lat_deg", "34.7466"), ("lng_deg", "113.6253"), ("radius_m", "50")],
    ];
    for place in &places {
        browser.fill(&trail, &add, &[&times[..], &ground, place].concat()).await.leads_to();
    }
    assert_eq!(story.trail().await.len(), 5);
    let officer = story.app.desk(&story.app.staff(Role::ReleasingOfficer, "410100").await);
    assert_eq!(officer.get(&trail).await.status, 403);
    let elsewhere = story.app.desk(&story.app.staff(Role::Investigator, "420100").await);
    assert_eq!(elsewhere.get(&trail).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_investigator_corrects_a_case_on_its_page() {
    let story = story().await;
    let run = story.run().await["id"].as_str().unwrap().to_owned();
    let browser = story.app.desk(&story.investigator);
    let case = format!("/cases/{}", story.case);
    let edit = format!("{case}/edit");
    let same = [
        ("kind", "confirmed"),
        ("onset_at", "2026-03-16T06:00"),
        ("sampled_at", "2026-03-16T08:00"),
        ("isolated_at", ""),
        ("authority", "郑州市疾病预防控制中心"),
        ("reason", "隔离时间更正"),
    ];
    let page = browser.get(&edit).await;
    for (name, value) in &same[1..3] {
        assert!(
            page.text.contains(&format!("name=\"{name}\" type=\"datetime-local\" value=\"{value}\"")),
            "{}",
            page.text
        );
    }
    assert_eq!(browser.fill(&edit, &edit, &same).await.status, 409);
    let with = |name, value| {
        let mut form = same;
        form.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = value);
        form
    };
    let wrong = browser.fill(&edit, &edit, &with("isolated_at", "2026-03-17T08:00")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("2026-03-17T08:00"), "what was filled in is shown again: {}", wrong.text);
    let right = browser.fill(&edit, &edit, &with("isolated_at", "2026-03-16T10:00")).await;
    assert_eq!(right.leads_to(), case);
    story.app.settle().await;
    assert_eq!(story.state(&run).await, "withdrawn");
    let shown = story.investigator.get(&story.path("")).await.expect(200);
    assert_eq!(shown["isolated_at"], json!("2026-03-16T02:00:00Z"));
    assert!(browser.get(&case).await.text.contains("已撤回"));
    for role in [Role::ReleasingOfficer, Role::ChiefOfficer] {
        let officer = story.app.desk(&story.app.staff(role, "410100").await);
        assert_eq!(officer.get(&edit).await.status, 403);
        assert!(!officer.get(&case).await.text.contains(&edit));
    }
}
