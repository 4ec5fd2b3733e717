//! A list of names: nothing takes one.

use placecode::domain::numbered::Numbered;
use placecode::http::routes::API;
use reqwest::Method;

use super::*;

/// Everybody with a role, as a person and as a machine.
async fn everybody(app: &TestApp) -> Vec<(String, Client)> {
    let admin = app.staff(Role::Administrator, "410000").await;
    let mut callers = Vec::new();
    for role in Role::ALL {
        callers.push((format!("{role:?}"), app.staff(*role, "410000").await));
        let machine = json!({ "name": "机器", "roles": [role], "division": "410000", "days": 1 });
        let made = admin.post("/v1/machines", &machine).await.expect(201);
        callers.push((format!("{role:?} machine"), app.client(made["token"].as_str())));
    }
    callers
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_an_address_that_takes_a_list_of_people_to_colour() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    let names: Vec<String> = BY_PHOTO.map(|number| app.visitor(number).to_hex()).collect();
    let lists = [
        json!({ "visitors": names, "colour": "red" }),
        json!({ "visitors": names, "class": "close", "reason": "来访" }),
        json!({ "assignments": names.iter().map(|visitor| json!({ "visitor": visitor, "colour": "red" })).collect::<Vec<_>>() }),
        json!(names),
    ];
    let run = Uuid::now_v7();
    let guesses = [
        "/v1/assignments".to_owned(),
        "/v1/colours".to_owned(),
        format!("/v1/runs/{run}/contacts"),
        format!("/v1/runs/{run}/assignments"),
        "/v1/letters".to_owned(),
    ];
    let writes = API.iter().filter(|route| matches!(route.0.as_str(), "POST" | "PUT"));
    let real = writes.filter(|(_, path, _)| path.starts_with("/v1/")).map(|(method, path, _)| {
        let path = path.replace("{stay}", &run.to_string()).replace("{issuer}", "health-code");
        (Method::from_bytes(method.as_str().as_bytes()).unwrap(), path.replace("{id}", &run.to_string()))
    });
    let all: Vec<(Method, String)> =
        guesses.map(|path| (Method::POST, path)).into_iter().chain(real).collect();
    for (who, client) in everybody(app).await {
        for (method, path) in &all {
            for list in &lists {
                let answer = client.send(method.clone(), path, Some(list.to_string()), &[]).await;
                assert!(
                    (400..500).contains(&answer.status),
                    "{who} {method} {path} {list}: {} {}",
                    answer.status,
                    answer.text
                );
            }
        }
    }
    assert_eq!(app.number("select count(*) from assignments").await, 0);
    assert_eq!(app.number("select count(*) from contacts").await, 0);
    henan.all_are_green().await;
    // What was not theirs to try stands in the log, under their names.
    let told = "select count(distinct actor) from audit_entries where action = 'access.refused'";
    // The machines of this test share a name.
    assert_eq!(app.number(told).await, i64::try_from(Role::ALL.len()).unwrap() + 1);
    henan.the_log_is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_checks_others_in_at_the_station_by_their_names() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    let (now, code) = (app.now(), &henan.station.code);
    let scans = "select count(*) from scans";
    let before = app.number(scans).await;
    let stolen = app.assertion(5, now - TimeDelta::hours(2));
    let row = |more: Value| {
        let mut row =
            json!({ "id": Uuid::now_v7(), "code": code, "occurred_at": now - TimeDelta::minutes(15) });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let named = app.visitor(5).to_hex();
    let rows = [
        row(json!({})),
        row(json!({ "assertion": named })),
        row(json!({ "shown": named })),
        // What the channel said two hours before is not good for that minute.
        row(json!({ "assertion": stolen })),
        row(json!({ "assertion": stolen, "paper": true })),
    ];
    for (who, client) in everybody(app).await {
        let unknown = json!({ "scans": [row(json!({ "visitor": named }))] });
        let answer = client.post("/v1/scans/batch", &unknown).await;
        assert!(matches!(answer.status, 403 | 422), "{who}: {}", answer.text);
        let answer = client.post("/v1/scans/batch", &json!({ "scans": rows })).await;
        if answer.status != 403 {
            let answer = answer.expect(200);
            assert_eq!(
                (&answer["accepted"], answer["refused"].as_array().unwrap().len()),
                (&json!(0), rows.len())
            );
        }
    }
    app.settle().await;
    assert_eq!(app.number(scans).await, before);
}

/// A list of cases names people; whoever is named in it is not coloured by it, and those around are found equally.
#[tokio::test(flavor = "multi_thread")]
async fn depositors_who_are_entered_as_cases_colour_everybody_around_them_alike() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    let line = |number: u32| {
        let (visitor, day) = (app.visitor(number).to_hex(), app.now().format("%Y-%m-%d"));
        format!("ZZ-{number},{visitor},confirmed,{day},{day} 09:00,,郑州市疾控中心,410100")
    };
    let lines: Vec<String> = ON_SITE.chain(BY_PHOTO).map(line).collect();
    let list = format!(
        "case_no,visitor,kind,onset_at,sampled_at,isolated_at,authority,division\n{}\n",
        lines.join("\n")
    );
    app.pass(90);
    for (who, client) in everybody(app).await {
        if who != "Investigator" {
            let answer = client.send(Method::POST, "/v1/cases/import", Some(list.clone()), &[]).await;
            answer.problem(403);
        }
    }
    let entered = henan.investigator.send(Method::POST, "/v1/cases/import", Some(list), &[]).await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    henan.all_are_green().await;
    let cases = app.rows("select id, visitor from cases order by reported_at, id").await;
    assert_eq!(cases.len(), 13);
    let of = |number: u32| {
        let uuid = app.visitor(number).to_uuid().to_string();
        cases.iter().find(|case| case["visitor"] == uuid).unwrap()["id"].as_str().unwrap().to_owned()
    };
    // Whom the picture alone places at the station has met nobody there.
    let run = henan.run(&of(*BY_PHOTO.start())).await;
    assert!(henan.contacts(&run).await.is_empty());
    // Around one who was there everybody else is found, companions and the official too, and not the case.
    let run = henan.run(&of(*ON_SITE.start())).await;
    let mut others = present();
    others.insert(ILL);
    others.remove(ON_SITE.start());
    assert_eq!(henan.found(&run, "red").await, others);
}
