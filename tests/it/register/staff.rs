//! Who works at a venue: by invitation, for that venue, and no longer than its manager wants.

use chrono::TimeDelta;
use placecode::domain::access::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::code_of;
use crate::support::TestApp;
use crate::support::browser::{Browser, hidden_fields};
use crate::support::client::{Answer, Client};
use crate::support::people::{Place, new_venue};

const PASSWORD: &str = "correct horse battery staple";

/// An approved venue with its manager.
async fn house(app: &TestApp, name: &str) -> (Client, Place) {
    let manager = app.staff(Role::VenueManager, "410000").await;
    let inspector = app.staff(Role::Inspector, "410000").await;
    let made = manager.post("/v1/venues", &new_venue(name, "restaurant")).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let approval = json!({ "state": "approved", "reason": "核实" });
    inspector.post(&format!("/v1/venues/{id}/review"), &approval).await.expect(200);
    let point = &made["points"][0];
    let place = Place { venue: id, point: point["id"].as_i64().unwrap(), code: code_of(point) };
    app.answering(&place).await;
    (manager, place)
}

/// The path of a new invitation's link.
async fn invited(app: &TestApp, manager: &Client, place: &Place, role: &str) -> String {
    let path = format!("/v1/venues/{}/invitations", place.venue);
    let made = manager.post(&path, &json!({ "role": role })).await.expect(201);
    let link = made["link"].as_str().unwrap();
    let own = link.strip_prefix(&format!("http://{}", app.address)).unwrap();
    assert!(own.starts_with("/join/") && own.len() > 40, "{link}");
    own.to_owned()
}

/// Signs up through a link as it is done on the page.
async fn sign_up(browser: &Browser, link: &str, login: &str) -> Answer {
    let page = browser.get(link).await;
    let cookie = page.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let hidden = hidden_fields(&page.text, link);
    let token = hidden.iter().find(|(name, _)| name == "form_token").unwrap().1.clone();
    let fields =
        [("form_token", token.as_str()), ("login", login), ("password", PASSWORD), ("display_name", "小王")];
    browser.fresh().with_cookie(&cookie).send_form(link, &fields).await
}

async fn signed_in(app: &TestApp, login: &str) -> Client {
    let body = json!({ "login": login, "password": PASSWORD });
    let session = app.client(None).post("/v1/sessions", &body).await.expect(201);
    app.client(session["token"].as_str())
}

fn scan_of(app: &TestApp, place: &Place) -> Value {
    let row = json!({
        "id": Uuid::now_v7(), "code": place.code, "occurred_at": app.now(),
        "assertion": app.assertion(7, app.now()),
    });
    json!({ "scans": [row] })
}

#[tokio::test(flavor = "multi_thread")]
async fn door_staff_hand_in_scans_for_their_venue_and_see_no_other() {
    let app = TestApp::start().await;
    let (manager, place) = house(&app, "星河餐厅").await;
    let (_, other) = house(&app, "老茶馆").await;
    let link = invited(&app, &manager, &place, "door_staff").await;
    let joined = sign_up(&app.browser(), &link, "wang").await;
    let own = format!("/manage/venues/{}", place.venue);
    assert_eq!(joined.leads_to(), format!("/login?next={own}"));
    let door = signed_in(&app, "wang").await;

    let answer = door.post("/v1/scans/batch", &scan_of(&app, &place)).await.expect(200);
    assert_eq!(answer["accepted"], 1, "{answer}");
    let answer = door.post("/v1/scans/batch", &scan_of(&app, &other)).await.expect(200);
    assert!(answer["refused"][0]["reason"].as_str().unwrap().contains("not yours"), "{answer}");
    app.settle().await;
    assert_eq!(app.number("select count(*) from scans where method = 1 and presence = 3").await, 1);

    let seen = door.get(&format!("/v1/venues/{}", place.venue)).await.expect(200);
    assert_eq!(seen["name"], "星河餐厅");
    door.get(&format!("/v1/venues/{}", other.venue)).await.problem(403);
    assert_eq!(door.get("/v1/venues").await.expect(200).as_array().unwrap().len(), 1);
    let (path, body) = (format!("/v1/venues/{}", place.venue), new_venue("星河餐厅", "restaurant"));
    for refused in [
        door.put(&path, &body).await,
        door.post("/v1/venues", &body).await,
        door.post(&format!("{path}/points"), &json!({ "name": "后门" })).await,
        door.post(&format!("{path}/invitations"), &json!({ "role": "door_staff" })).await,
        door.post(&format!("/v1/points/{}/code", place.point), &json!({})).await,
        door.get(&format!("{path}/staff")).await,
    ] {
        refused.problem(403);
    }
    let page = app.desk(&door).get(&own).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("星河餐厅") && !page.text.contains("/edit"), "{}", page.text);
    let desk = app.desk(&door).get("/desk").await.text;
    assert!(desk.contains("href=\"/door\"") && desk.contains("href=\"/manage\""), "{desk}");

    // Whoever manages another venue is still only at the door of this one.
    let sql = "update staff set roles = '{1,8}' where login = 'wang'";
    assert_eq!(app.sql(sql).await, Ok(1));
    door.post("/v1/venues", &body).await.expect(201);
    door.put(&path, &body).await.problem(403);
    door.get(&path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_works_once_and_not_for_long() {
    let app = TestApp::start().await;
    let (manager, place) = house(&app, "星河餐厅").await;
    let link = invited(&app, &manager, &place, "venue_manager").await;
    sign_up(&app.browser(), &link, "wang").await.leads_to();
    assert_eq!(app.browser().get(&link).await.status, 404, "it was used");
    let colleague = signed_in(&app, "wang").await;
    let mut changed = new_venue("星河餐厅", "restaurant");
    changed["contact_name"] = json!("小王");
    colleague.put(&format!("/v1/venues/{}", place.venue), &changed).await.expect(200);

    let late = invited(&app, &manager, &place, "door_staff").await;
    app.clock.advance(TimeDelta::days(7));
    assert_eq!(app.browser().get(&late).await.status, 404, "it is too old");
    let ended = invited(&app, &manager, &place, "door_staff").await;
    let path = format!("/v1/venues/{}", place.venue);
    let listed = manager.get(&format!("{path}/staff")).await.expect(200);
    assert_eq!(
        (listed["staff"].as_array().unwrap().len(), listed["invitations"].as_array().unwrap().len()),
        (2, 1)
    );
    let id = listed["invitations"][0]["id"].as_str().unwrap();
    let end = async || manager.send(Method::DELETE, &format!("{path}/invitations/{id}"), None, &[]).await;
    assert_eq!(end().await.status, 204);
    assert!(end().await.problem(404).contains("invitation"));
    let page = app.browser().get(&ended).await;
    assert_eq!(page.status, 404, "it was ended");
    assert!(page.text.contains("邀请无效"), "{}", page.text);

    // The links themselves stand nowhere.
    for link in [link, late, ended] {
        let token = link.trim_start_matches("/join/");
        for table in ["invitations", "audit_entries", "idempotency_keys"] {
            let rows = app.rows(&format!("select * from {table}")).await;
            assert!(rows.iter().all(|row| !row.to_string().contains(token)), "{table}");
        }
    }
    let actions = app
        .rows("select action from audit_entries where action like 'invitation.%' order by seq")
        .await
        .into_iter()
        .map(|row| row["action"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    let (made, taken, over) = ("invitation.made", "invitation.taken", "invitation.ended");
    assert_eq!(actions, [made, taken, made, made, over]);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_removed_but_not_the_last_manager() {
    let app = TestApp::start().await;
    let (manager, place) = house(&app, "星河餐厅").await;
    let link = invited(&app, &manager, &place, "door_staff").await;
    sign_up(&app.browser(), &link, "wang").await.leads_to();
    let door = signed_in(&app, "wang").await;
    let path = format!("/v1/venues/{}", place.venue);
    let listed = manager.get(&format!("{path}/staff")).await.expect(200);
    let id_of = |role: &str| {
        let staff = listed["staff"].as_array().unwrap().iter();
        staff.clone().find(|one| one["role"] == role).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let remove =
        async |id: String| manager.send(Method::DELETE, &format!("{path}/staff/{id}"), None, &[]).await;
    assert!(remove(id_of("venue_manager")).await.problem(409).contains("last manager"));
    door.get(&path).await.expect(200);
    assert_eq!(remove(id_of("door_staff")).await.status, 204);
    remove(id_of("door_staff")).await.problem(404);
    door.get(&path).await.problem(403);
    let answer = door.post("/v1/scans/batch", &scan_of(&app, &place)).await.expect(200);
    assert_eq!(answer["accepted"], 0);
    assert_eq!(
        app.number("select count(*) from audit_entries where action = 'venue.staff_removed'").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_invited_and_join_on_pages() {
    let app = TestApp::start().await;
    let (manager, place) = house(&app, "星河餐厅").await;
    let (other, _) = house(&app, "老茶馆").await;
    let staff = format!("/manage/venues/{}/staff", place.venue);
    let desk = app.desk(&manager);
    let invite = format!("/manage/venues/{}/invitations", place.venue);
    let made = desk.fill(&staff, &invite, &[("role", "door_staff")]).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let link = made.text.split_once("/join/").unwrap().1.split('<').next().unwrap();
    let link = format!("/join/{link}");
    assert!(!desk.get(&staff).await.text.contains(&link), "it is shown once");

    // An office's account cannot take it, and whoever manages the venue has no use for it.
    let officer = app.desk(&app.staff(Role::Investigator, "410000").await);
    assert_eq!(officer.fill(&link, &link, &[]).await.status, 403);
    assert_eq!(desk.fill(&link, &link, &[]).await.status, 409);
    let nobody = app.browser().send_form(&link, &[("login", "wang"), ("password", PASSWORD)]).await;
    assert_eq!(nobody.status, 403, "a form from elsewhere");
    assert_eq!(sign_up(&app.browser(), &link, "Wang Wei").await.status, 422);
    // The manager of another venue takes it with a button.
    let colleague = app.desk(&other);
    let taken = colleague.fill(&link, &link, &[]).await;
    assert_eq!(taken.leads_to(), format!("/manage/venues/{}", place.venue));
    assert_eq!(colleague.get(taken.leads_to()).await.status, 200);
    assert_eq!(colleague.get(&staff).await.status, 403, "at the door only");
    let page = desk.get(&staff).await.text;
    assert!(page.contains("检测员"), "{page}");
    let member = page.split("name=\"member\" value=\"").skip(1).map(|part| part.split('"').next().unwrap());
    let roles = app.rows("select staff_id from staff_venues where role = 8").await;
    let door = member.clone().find(|id| roles[0]["staff_id"] == **id).unwrap();
    let token = hidden_fields(&page, &format!("{staff}/remove")).remove(0).1;
    let fields = [("form_token", token.as_str()), ("member", door)];
    assert_eq!(desk.send_form(&format!("{staff}/remove"), &fields).await.leads_to(), staff);
    assert_eq!(app.number("select count(*) from staff_venues where role = 8").await, 0);
}
