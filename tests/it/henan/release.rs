//! An invented case, companions who are to be left green, and officers who are to let it go.

use super::*;

const WORD: &str = "传染病防治法第三十九条";

async fn word_of(officer: &Client, run: &str) -> crate::support::client::Answer {
    officer.post(&format!("/v1/runs/{run}/release"), &json!({ "legal_basis": WORD })).await
}

/// A run of an invented case: somebody who never was at the station is said to have been, by an investigator.
async fn invented(henan: &Henan) -> String {
    let app = &henan.app;
    app.pass(90);
    let case = henan.case_of(60).await;
    let run = henan.run(&case).await;
    assert!(henan.contacts(&run).await.is_empty(), "a case alone meets nobody");
    let stay = json!({
        "point": henan.station.point,
        "from": app.now() - TimeDelta::minutes(110),
        "until": app.now() - TimeDelta::minutes(60),
        "source": "interview",
        "reason": "本人陈述",
    });
    henan.investigator.post(&format!("/v1/cases/{case}/trail"), &stay).await.expect(201);
    henan.run(&case).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invented_case_finds_everybody_alike_so_it_cannot_be_aimed() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    let run = invented(&henan).await;
    let mut all = present();
    all.insert(ILL);
    assert_eq!(henan.found(&run, "red").await, all, "the official and the companions too");
    let seconds: BTreeSet<i64> = henan
        .contacts(&run)
        .await
        .iter()
        .filter(|contact| contact["visitor"] != app.visitor(ILL).to_hex())
        .map(|contact| contact["together_secs"].as_i64().unwrap())
        .collect();
    assert_eq!(seconds.len(), 1, "equal exposure: {seconds:?}");

    // To leave a companion out takes a person, a reason and a name that stays.
    let path = format!("/v1/runs/{run}/exclusions");
    let left_out =
        |number: u32, reason: Value| json!({ "visitor": app.visitor(number).to_hex(), "reason": reason });
    let admin = app.staff(Role::Administrator, "410000").await;
    let machine = json!({ "name": "机器", "roles": ["investigator"], "division": "410000", "days": 1 });
    let machine = admin.post("/v1/machines", &machine).await.expect(201);
    let machine = app.client(machine["token"].as_str());
    machine.post(&path, &left_out(20, json!("陪同人员"))).await.problem(403);
    admin.post(&path, &left_out(20, json!("陪同人员"))).await.problem(403);
    henan.investigator.post(&path, &left_out(20, Value::Null)).await.problem(422);
    henan.investigator.post(&path, &left_out(20, json!(" "))).await.problem(422);
    let listed = json!({ "visitors": COMPANIONS.map(|n| app.visitor(n).to_hex()).collect::<Vec<_>>(), "reason": "陪同人员" });
    henan.investigator.post(&path, &listed).await.problem(422);
    for number in COMPANIONS.chain([OFFICIAL]) {
        henan.investigator.post(&path, &left_out(number, json!("陪同人员"))).await.expect(200);
    }
    assert_eq!(henan.told("contact.excluded").await, 5, "one by one, each under a name");
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    let seen = officer.get(&format!("/v1/runs/{run}/contacts?purpose=review")).await.expect(200);
    let reasons =
        seen.as_array().unwrap().iter().filter(|contact| contact["exclusion_reason"] == "陪同人员").count();
    assert_eq!(reasons, 5, "whoever is asked for a word sees who was left out, and why");
    let entry = "select count(*) from audit_entries where action = 'access.refused' and subject like 'POST /v1/runs/%/exclusions'";
    assert_eq!(app.number(entry).await, 2);
    // Equals are kept equal: with the companions and the official left out it cannot even be proposed.
    let said = henan.investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.problem(422);
    assert!(said.starts_with("reviews"), "{said}");
    let force = format!("update runs set state = 5 where id = '{run}'");
    app.sql(&force).await.expect_err("nor does the owner of the tables let it go");
    henan.all_are_green().await;
    henan.the_log_is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_one_officer_nor_the_proposer_nor_a_machine_lets_it_go_nor_any_two_beyond_the_cap() {
    let henan = Henan::begin(&["--release-cap", "5"]).await;
    let app = &henan.app;
    app.pass(90);
    let case = henan.case_of(ILL).await;
    let run = henan.run(&case).await;
    let every = [Role::Investigator, Role::ReleasingOfficer, Role::ChiefOfficer];
    let (_, proposer) = app.member(&every, "410100").await;
    let officer = app.staff(Role::ReleasingOfficer, "410100").await;
    word_of(&officer, &run).await.problem(409);
    proposer.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
    app.settle().await;

    word_of(&proposer, &run).await.problem(403);
    let admin = app.staff(Role::Administrator, "410000").await;
    let machine = json!({ "name": "机器", "roles": ["releasing_officer", "chief_officer"], "division": "410000", "days": 1 });
    let machine = admin.post("/v1/machines", &machine).await.expect(201);
    word_of(&app.client(machine["token"].as_str()), &run).await.problem(403);
    for role in [Role::Administrator, Role::Inspector, Role::VenueManager, Role::Investigator, Role::Auditor]
    {
        word_of(&app.staff(role, "410100").await, &run).await.problem(403);
    }
    word_of(&app.staff(Role::ReleasingOfficer, "420000").await, &run).await.problem(403);
    word_of(&officer, &run).await.expect(202);
    word_of(&officer, &run).await.problem(409);
    henan.all_are_green().await;
    // Nine people are more than five: any number of officers is not enough without a chief.
    for _ in 0..3 {
        word_of(&app.staff(Role::ReleasingOfficer, "410100").await, &run).await.expect(202);
    }
    henan.all_are_green().await;
    assert_eq!(app.number("select count(*) from letters").await, 0);
    // Before the proposal one, the proposer, the machine, five other roles, and the same officer again.
    assert_eq!(henan.told("release.refused").await, 9);
    // Another jurisdiction is told by what it was about.
    assert_eq!(henan.told("access.refused").await, 1);
    assert_eq!(henan.told("run.word_given").await, 4);
    assert_eq!(henan.told("run.released").await, 0);
    henan.the_log_is_whole();
}
