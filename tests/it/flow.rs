//! The whole flow, told as a story.

use placecode::domain::access::Role;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn from_a_poster_on_the_door_to_a_colour_that_explains_itself() {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    let station = app.venue("郑州车站西南出口", "railway_station").await;

    // Persons 1 and 2 share two hours of a teahouse; person 3 has left before; 4 passes the station.
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    app.scan(3, &teahouse, 400).await;
    app.scan(1, &station, 30).await;
    app.scan(4, &station, 25).await;
    app.settle().await;

    // Person 1 is reported; the run shows counts before it shows anybody.
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    assert_eq!(run["state"], "computed", "{run}");
    assert_eq!(run["summary"]["trail_stays"], 2);
    assert_eq!(run["summary"]["classes"], json!({ "close": 1, "exposed_place": 1 }));
    let run_id = run["id"].as_str().unwrap();
    let contacts = investigator.get(&format!("/v1/runs/{run_id}/contacts?purpose=review")).await.expect(200);
    assert_eq!(contacts[0]["visitor"], app.visitor(2).to_hex());
    assert_eq!(contacts[0]["colour"], "red");
    assert_eq!(contacts[1]["visitor"], app.visitor(4).to_hex());
    assert_eq!(contacts[1]["colour"], "yellow");

    // Nobody's colour has changed yet. Two officers let it go, and then it has.
    assert_eq!(app.colour(2).await["colour"], "green");
    app.release(&investigator, run_id).await;
    let red = app.colour(2).await;
    assert_eq!(red["colour"], "red", "{red}");
    let why = &red["assignments"][0];
    assert_eq!(why["rule_pack"], "baseline@1");
    assert_eq!(why["exposures"][0]["place"], "老茶馆 · 入口 Entrance");
    assert_eq!(why["authority"], "郑州市疾病预防控制中心");
    assert_eq!(app.colour(4).await["colour"], "yellow");
    assert_eq!(app.colour(3).await["colour"], "green");
    assert_eq!(app.number("select count(*) from assignments where state = 2").await, 2);

    // Person 2 can see who looked; the case is withdrawn, and everybody is green again.
    let looks = app.person(2).await.get("/v1/me/looks").await.expect(200);
    assert_eq!(looks[0]["purpose"], "review");
    let withdrawal = json!({ "reason": "实验室误报" });
    investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.expect(202);
    app.settle().await;
    assert_eq!(app.colour(2).await["colour"], "green");
    assert_eq!(app.colour(4).await["colour"], "green");
    assert_eq!(app.number("select count(*) from assignments where state = 4").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_ends_by_itself_when_its_days_are_over() {
    let app = TestApp::start().await;
    let station = app.venue("郑州站", "railway_station").await;
    app.scan(1, &station, 60).await;
    app.scan(2, &station, 55).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await;
    app.release(&investigator, run["id"].as_str().unwrap()).await;
    assert_eq!(app.colour(2).await["colour"], "yellow");
    app.pass(8 * 24 * 60);
    app.settle().await;
    assert_eq!(app.colour(2).await["colour"], "green");
    assert_eq!(app.number("select count(*) from assignments where state = 3").await, 1);
}
