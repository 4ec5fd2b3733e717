//! Every write of the API, and every step of the pipeline: what was changed was changed in a transaction that also
//! appended to the log.

mod walk;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use placecode::domain::access::Role;
use placecode::http::routes::API;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::{Place, new_case, new_venue};
use walk::{ELSEWHERE, EXCEPTIONS, Walk, id};

/// Accounts, sessions, machines, channels, issuing systems, packs.
async fn administration(walk: &mut Walk, teahouse: &Place) {
    let admin = walk.staff(Role::Administrator).await;
    let account = |login: &str| json!({ "login": login, "display_name": "李", "password": "a long password", "roles": ["auditor"], "division": "410000" });
    let made = walk.post(&admin, "/v1/staff", &[], account("li.wei")).await;
    let nobody = walk.app.client(None);
    let signed = json!({ "login": "li.wei", "password": "a long password" });
    let session = walk.post(&nobody, "/v1/sessions", &[], signed).await;
    let auditor = walk.app.client(session["token"].as_str());
    walk.post(&auditor, "/v1/audit/heads", &[], json!({})).await;
    walk.delete(&auditor, "/v1/sessions", &[]).await;
    walk.delete(&admin, "/v1/staff/{id}", &[id(&made)]).await;
    let applicant = json!({ "login": "zhang", "password": "a long password", "display_name": "张三", "division": "410105" });
    walk.post(&nobody, "/v1/applicants", &[], applicant).await;
    let machine = json!({ "name": "闸机", "roles": ["scan_source"], "division": "410000", "days": 7 });
    let machine = walk.post(&admin, "/v1/machines", &[], machine).await;
    let gate = walk.app.client(machine["token"].as_str());
    walk.post(&gate, "/v1/scans/batch", &[], json!({ "scans": [] })).await;
    let key = data_encoding::HEXLOWER.encode(walk.app.issuer_keys.channel_public_key().as_bytes());
    let device = json!({ "name": "哨兵", "code": teahouse.code, "public_key": key });
    walk.post(&admin, "/v1/devices", &[], device).await;
    let channel = json!({ "name": "另一个", "public_key": key, "page_url": "https://code.example.cn/" });
    walk.put(&admin, "/v1/channels/{id}", &["other"], channel).await;
    let issuer =
        json!({ "name": "另一个", "url": "https://code.example.cn/v1/letters", "division": "420000" });
    walk.put(&admin, "/v1/issuers/{id}", &["other"], issuer).await;
    walk.post(&admin, "/v1/issuers/{id}/disabling", &["other"], json!({})).await;
    walk.post(&admin, "/v1/issuers/{id}/enabling", &["other"], json!({})).await;
    walk.post(&admin, "/v1/issuers/{id}/disabling", &["other"], json!({})).await;
    let now = walk.app.now();
    let agreement = json!({
        "own_division": "410000", "division": "420000", "url": "https://hubei.example.cn/v1/hand-overs",
        "secret": "health-code", "route": "bilateral", "fields": ["relation", "date"], "alias_key": "henan-hubei",
        "valid_from": now - TimeDelta::days(1), "valid_until": now + TimeDelta::days(20),
        "legal_basis": "联防联控机制综发〔2020〕107号",
    });
    let chief = walk.app.staff(Role::Administrator, "100000").await;
    walk.put(&chief, "/v1/agreements/{id}", &["henan-hubei"], agreement).await;
    walk.post(&chief, "/v1/agreements/{id}/again", &["henan-hubei"], json!({})).await;
    let text =
        include_str!("../../../policies/baseline-1.toml").replace("id = \"baseline\"", "id = \"strict\"");
    walk.post(&admin, "/v1/rule-packs", &[], json!({ "text": text })).await;
    walk.put(&admin, "/v1/letters/stop", &[], json!({ "stopped": true })).await;
    walk.put(&admin, "/v1/letters/stop", &[], json!({ "stopped": false })).await;
    walk.post(&admin, "/v1/letters/{issuer}/again", &["health-code"], json!({})).await;
    let dead = "insert into dead_entries (shard, position, entry, reason, found_at) values (0, '7-0', 'x', 'x', now())";
    assert_eq!(walk.app.sql(dead).await, Ok(1));
    walk.post(&admin, "/v1/scan-log/dead", &[], json!({ "shard": 0, "position": "7-0" })).await;
}

/// A venue's life, its points, codes, screens, staff and posters.
async fn register(walk: &mut Walk) {
    let (manager, inspector) = (walk.staff(Role::VenueManager).await, walk.staff(Role::Inspector).await);
    let venue = walk.post(&manager, "/v1/venues", &[], new_venue("书店", "shop")).await;
    let mut corrected = new_venue("书店", "shop");
    corrected["contact_phone"] = json!("13800000000");
    corrected["reason"] = json!("更正电话");
    corrected.as_object_mut().unwrap().remove("organisation");
    let path = format!("/v1/venues/{}", id(&venue));
    // Which fields a correction takes is told by the register's own tests.
    if manager.put(&path, &corrected).await.status == 422 {
        corrected = new_venue("书店", "shop");
        corrected["contact_phone"] = json!("13800000000");
    }
    walk.put(&manager, "/v1/venues/{id}", &[id(&venue)], corrected).await;
    let approval = json!({ "state": "approved", "reason": "在现场核实" });
    walk.post(&inspector, "/v1/venues/{id}/review", &[id(&venue)], approval).await;
    walk.post(&manager, "/v1/venues/{id}/points", &[id(&venue)], json!({ "name": "后门" })).await;
    let point = venue["points"][0]["id"].as_i64().unwrap().to_string();
    let place = Place {
        venue: id(&venue).to_owned(),
        point: point.parse().unwrap(),
        code: venue["points"][0]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(),
    };
    walk.app.answering(&place).await;
    let seen = json!({ "code": place.code, "lat_deg": 34.7466, "lng_deg": 113.6253 });
    walk.post(&inspector, "/v1/inspections/check", &[], seen.clone()).await;
    let mut visit = seen;
    visit["finding"] = json!("in_order");
    walk.post(&inspector, "/v1/inspections", &[], visit).await;
    let screen = walk.post(&inspector, "/v1/points/{id}/screens", &[&point], json!({ "name": "平板" })).await;
    walk.delete(&inspector, "/v1/screens/{id}", &[id(&screen)]).await;
    walk.post(&inspector, "/v1/points/{id}/code", &[&point], json!({})).await;
    let invited = json!({ "role": "door_staff" });
    let made = walk.post(&manager, "/v1/venues/{id}/invitations", &[id(&venue)], invited.clone()).await;
    let listed = manager.get(&format!("{path}/staff")).await.expect(200);
    let invitation = listed["invitations"][0]["id"].as_str().unwrap();
    walk.delete(&manager, "/v1/venues/{id}/invitations/{invitation}", &[id(&venue), invitation]).await;
    drop(made);
    let door = walk.app.member(&[Role::DoorStaff], "410000").await.0;
    let joined =
        format!("insert into staff_venues (staff_id, venue_id, role) values ('{door}', '{}', 7)", id(&venue));
    let role = placecode::store::access::role_numbers(&[Role::DoorStaff])[0];
    assert_eq!(walk.app.sql(&joined.replace(", 7)", &format!(", {role})"))).await, Ok(1));
    walk.delete(&manager, "/v1/venues/{id}/staff/{member}", &[id(&venue), &door.to_string()]).await;
}

/// What visitors do for themselves, and the alarm when a photo goes round.
async fn visitors(walk: &mut Walk, teahouse: &Place) {
    let nobody = walk.app.client(None);
    let word = json!({ "assertion": walk.app.assertion(1, walk.app.now()) });
    walk.post(&nobody, "/v1/visitor-tokens", &[], word).await;
    let person = walk.app.person(1).await;
    let scan = json!({ "id": Uuid::now_v7(), "code": teahouse.code, "occurred_at": walk.app.now() - TimeDelta::minutes(180) });
    let receipt = walk.post(&person, "/v1/scans", &[], scan).await;
    walk.post(&nobody, "/v1/receipts/verify", &[], json!({ "receipt": receipt["receipt"] })).await;
    walk.post(&person, "/v1/visitor-codes", &[], json!({})).await;
    walk.post(&person, "/v1/visitor-cards", &[], json!({})).await;
    walk.delete(&person, "/v1/visitor-cards", &[]).await;
    for number in 2..14 {
        let far = (number > 3).then(crate::support::people::far);
        let near = Some(crate::support::people::near());
        walk.app.scan_from(number, teahouse, if far.is_some() { 0 } else { 170 }, far.or(near)).await;
    }
    walk.app.scan(14, teahouse, 77).await;
    walk.settle("scans").await;
    let inspector = walk.staff(Role::Inspector).await;
    let alarms = inspector.get("/v1/alarms?state=open").await.expect(200);
    let dismissal = json!({ "act": "dismiss", "reason": "旅行团用境外漫游" });
    walk.post(&inspector, "/v1/alarms/{id}", &[id(&alarms[0])], dismissal).await;
}

/// From a case to letters, and back.
async fn tracing(walk: &mut Walk) {
    let investigator = walk.app.staff(Role::Investigator, "410100").await;
    let now = walk.app.now();
    let case = walk.post(&investigator, "/v1/cases", &[], new_case(&walk.app.visitor(1).to_hex(), now)).await;
    let case = id(&case).to_owned();
    let list = format!(
        "case_no,visitor,kind,onset_at,sampled_at,isolated_at,authority,division\nZZ-1,{},confirmed,2026-03-14,2026-03-15 09:00,,郑州市疾控中心,410100\n",
        walk.app.visitor(30).to_hex()
    );
    walk.post(&investigator, "/v1/cases/import", &[], Value::String(list)).await;
    let mut correction = new_case(&walk.app.visitor(1).to_hex(), now);
    correction.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "visitor" | "division"));
    correction["reason"] = json!("更正发病时间");
    correction["onset_at"] = json!(now - TimeDelta::hours(7));
    walk.put(&investigator, "/v1/cases/{id}", &[&case], correction).await;
    let ground = json!({ "source": "interview", "reason": "手机由家人携带" });
    let cancelled = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查" });
    let run = walk.post(&investigator, "/v1/cases/{id}/runs", &[&case], cancelled.clone()).await;
    walk.post(&investigator, "/v1/runs/{id}/cancellation", &[id(&run)], json!({})).await;
    let packs = json!({ "rule_packs": ["baseline@1", "strict@1"], "purpose": "比较规则" });
    walk.post(&investigator, "/v1/cases/{id}/comparisons", &[&case], packs).await;
    walk.settle("runs").await;
    let trail = investigator.get(&format!("/v1/cases/{case}/trail?purpose=review")).await.expect(200);
    let stay = id(&trail[0]).to_owned();
    let mut added = ground.clone();
    (added["lat_deg"], added["lng_deg"], added["radius_m"]) = (json!(34.75), json!(113.62), json!(100));
    (added["address"], added["from"], added["until"]) =
        (json!("花园路2号"), json!(now - TimeDelta::hours(9)), json!(now - TimeDelta::hours(8)));
    walk.post(&investigator, "/v1/cases/{id}/trail", &[&case], added).await;
    walk.put(&investigator, "/v1/cases/{id}/trail/{stay}", &[&case, &stay], ground.clone()).await;
    walk.post(&investigator, "/v1/cases/{id}/trail/{stay}/removal", &[&case, &stay], ground.clone()).await;
    walk.post(&investigator, "/v1/cases/{id}/trail/{stay}/return", &[&case, &stay], ground).await;
    let run = walk.post(&investigator, "/v1/cases/{id}/runs", &[&case], cancelled).await;
    walk.settle("a run").await;
    let run = id(&run).to_owned();
    let exclusion = json!({ "visitor": walk.app.visitor(3).to_hex(), "reason": "隔壁包间" });
    walk.post(&investigator, "/v1/runs/{id}/exclusions", &[&run], exclusion).await;
    let inclusion = json!({ "visitor": walk.app.visitor(3).to_hex(), "reason": "现场复核" });
    walk.post(&investigator, "/v1/runs/{id}/inclusions", &[&run], inclusion).await;
    let review = json!({ "visitor": walk.app.visitor(14).to_hex(), "to": "close", "reason": "现场核实" });
    walk.post(&investigator, "/v1/runs/{id}/reviews", &[&run], review).await;
    walk.post(&investigator, "/v1/runs/{id}/proposal", &[&run], json!({})).await;
    walk.settle("a proposal").await;
    let chief = walk.app.staff(Role::ChiefOfficer, "410100").await;
    walk.post(&chief, "/v1/runs/{id}/lifts", &[&run], json!({ "reason": "省指挥部批准：同一场所" })).await;
    for _ in 0..2 {
        let officer = walk.app.staff(Role::ReleasingOfficer, "410100").await;
        let word = json!({ "legal_basis": "传染病防治法第三十九条" });
        walk.post(&officer, "/v1/runs/{id}/release", &[&run], word).await;
    }
    walk.settle("a release").await;
    assert_eq!(walk.app.colour(2).await["colour"], "red", "the run was let go");
    place(walk, &investigator, &case).await;
    appeal(walk).await;
    issuing_system(walk).await;
    let withdrawal = json!({ "reason": "实验室误报" });
    walk.post(&investigator, "/v1/cases/{id}/withdrawal", &[&case], withdrawal).await;
    walk.settle("a withdrawal").await;
    // The issuing system fetches what it is told, and says so with its next question.
    let pull = |after: i64| json!({ "type": "placecode.feed.v1", "after": after, "limit": 100 });
    let first = walk.app.as_issuer("/v1/issuers/health-code/feed", &pull(0)).await.expect(200);
    walk.signed("/v1/issuers/{issuer}/feed", pull(first["next"].as_i64().unwrap())).await;
}

/// Everybody of a run who was at one place is moved to a stronger class.
async fn place(walk: &mut Walk, investigator: &Client, case: &str) {
    let asked = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查" });
    let run = walk.post(investigator, "/v1/cases/{id}/runs", &[case], asked).await;
    walk.settle("another run").await;
    let point = walk.app.number("select min(point_id) from trail_stays where point_id is not null").await;
    let whole = json!({ "point": point, "to": "close", "authority": "河南省卫生健康委员会", "reason": "影响严重的场所" });
    let authority = walk.app.staff(Role::PlaceAuthority, "410100").await;
    walk.post(&authority, "/v1/runs/{id}/escalations", &[id(&run)], whole).await;
}

/// What somebody who was coloured says, and what an officer decides.
async fn appeal(walk: &mut Walk) {
    let person = walk.app.person(3).await;
    let own = format!("select id from assignments where visitor = '{}'", walk.app.visitor(3).to_uuid());
    let assignment = walk.app.rows(&own).await.remove(0);
    let why = json!({ "reason": "not_there", "text": "我当时在家" });
    let made = walk.post(&person, "/v1/me/assignments/{id}/appeals", &[id(&assignment)], why).await;
    let officer = walk.app.staff(Role::ReleasingOfficer, "410100").await;
    let decision = json!({ "decision": "granted", "reason": "经核实本人不在场" });
    walk.post(&officer, "/v1/appeals/{id}/decision", &[id(&made)], decision).await;
    walk.settle("a decision").await;
    // On this stay of somebody else no colour rests.
    let park = walk.app.venue("人民公园", "park").await;
    walk.app.scan(50, &park, 30).await;
    walk.app.settle().await;
    let person = walk.app.person(50).await;
    let stays = person.get("/v1/me/stays").await.expect(200);
    let word = json!({ "said": "not_there" });
    walk.post(&person, "/v1/me/stays/{scan}/correction", &[id(&stays[0])], word).await;
    walk.settle("a visitor's correction").await;
}

/// What an issuing system says, and what an operator has it told.
async fn issuing_system(walk: &mut Walk) {
    let now = walk.app.now();
    let person = walk.app.visitor(2).to_hex();
    let fact = json!({ "id": Uuid::now_v7(), "visitor": person, "kind": "negative_test", "at": now });
    walk.signed("/v1/issuers/{issuer}/facts", json!({ "type": "placecode.facts.v1", "facts": [fact] })).await;
    let control = json!({
        "type": "placecode.control.v1", "id": Uuid::now_v7(), "visitor": person, "division": "410000",
        "until": now + TimeDelta::days(3),
    });
    walk.signed("/v1/issuers/{issuer}/controls", control).await;
    walk.settle("facts").await;
    let admin = walk.staff(Role::Administrator).await;
    let letter = "select id from letters limit 1";
    walk.app.tamper(&format!("update letters set state = 2 where id = ({letter})")).await;
    let letter = walk.app.rows("select id from letters where state = 2").await.remove(0);
    walk.post(&admin, "/v1/letters/dead/{id}/again", &[id(&letter)], json!({})).await;
    walk.settle("a letter that is sent again").await;
    walk.post(&admin, "/v1/issuers/{id}/reconciliations", &["health-code"], json!({})).await;
    walk.settle("a comparison").await;
    walk.post(&admin, "/v1/issuers/{id}/replay", &["health-code"], json!({})).await;
    walk.settle("a replay").await;
    let url = format!("http://{}/v1/letters", walk.app.issuer_address);
    let pulls = json!({ "name": "健康码", "url": url, "division": "410000", "delivery": "pull" });
    walk.put(&admin, "/v1/issuers/{id}", &["health-code"], pulls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_stands_in_the_log_in_the_transaction_that_did_it() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let mut walk = Walk { app, done: BTreeSet::new() };
    administration(&mut walk, &teahouse).await;
    register(&mut walk).await;
    visitors(&mut walk, &teahouse).await;
    tracing(&mut walk).await;
    let trial = "/v1/rule-packs/trial";
    let writes = API.iter().filter(|route| matches!(route.0.as_str(), "POST" | "PUT" | "DELETE"));
    let missed: Vec<_> = writes
        .filter(|(method, path, _)| *path != trial && !ELSEWHERE.contains(&(method.as_str(), *path)))
        .filter(|(method, path, _)| !walk.done.contains(&(method.to_string(), *path)))
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert!(missed.is_empty(), "no walk through these writes, which may tell nobody: {missed:#?}");
    for (method, path, why) in EXCEPTIONS {
        assert!(API.iter().any(|route| route.0.as_str() == *method && route.1 == *path), "{path}: {why}");
    }
    // No act names a visitor.
    let text: String =
        walk.app.rows("select * from audit_entries").await.iter().map(Value::to_string).collect();
    for number in 1..31 {
        let visitor = walk.app.visitor(number);
        assert!(
            !text.contains(&visitor.to_hex()) && !text.contains(&visitor.to_uuid().to_string()),
            "{number}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_stands_in_the_log_with_what_was_tried() {
    let app = TestApp::start().await;
    let admin = app.staff(Role::Administrator, "410000").await;
    let visitor = app.visitor(1).to_hex();
    let run = Uuid::now_v7();
    admin.post("/v1/cases", &new_case(&visitor, app.now())).await.problem(403);
    admin.get(&format!("/v1/runs/{run}/contacts/{visitor}/evidence?purpose=review")).await.problem(403);
    assert_eq!(app.desk(&admin).get(&format!("/runs/{run}/contacts/{visitor}")).await.status, 403);
    let officer = app.staff(Role::ReleasingOfficer, "410000").await;
    officer
        .post(&format!("/v1/runs/{run}/release"), &json!({ "legal_basis": "第三十九条" }))
        .await
        .problem(404);
    app.client(None).get("/v1/cases").await.problem(401);
    let told = app
        .rows("select action, subject, actor from audit_entries where action like '%.refused' order by seq")
        .await;
    let told: Vec<(&str, &str)> =
        told.iter().map(|row| (row["action"].as_str().unwrap(), row["subject"].as_str().unwrap())).collect();
    let (evidence, page, release) = (
        format!("GET /v1/runs/{run}/contacts/{{visitor}}/evidence"),
        format!("GET /runs/{run}/contacts/{{visitor}}"),
        format!("POST /v1/runs/{run}/release"),
    );
    let expected = [
        ("access.refused", "POST /v1/cases"),
        ("access.refused", evidence.as_str()),
        ("access.refused", page.as_str()),
        ("release.refused", release.as_str()),
    ];
    assert_eq!(told, expected);
}
