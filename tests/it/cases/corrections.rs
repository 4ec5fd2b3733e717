//! Corrections: what followed from what was wrong is undone to the last colour, and nothing else is.

use h3o::Resolution;
use placecode::domain::access::Role;
use placecode::domain::position::Position;
use placecode::pipeline::Outcome;
use placecode::pipeline::run::Step;
use serde_json::{Value, json};

use super::{Story, story};

fn correction(story: &Story) -> Value {
    json!({
        "kind": "confirmed",
        "onset_at": story.ago(6 * 60),
        "sampled_at": story.ago(4 * 60),
        "isolated_at": story.ago(120),
        "authority": "郑州市疾病预防控制中心",
        "reason": "隔离时间更正",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_case_gives_every_colour_back_and_can_be_computed_anew() {
    let story = story().await;
    let released = story.released().await;
    assert_eq!(story.colours().await, ["red", "yellow", "yellow"]);
    let (computed, proposed) = (story.run().await["id"].clone(), story.run().await["id"].clone());
    let (computed, proposed) = (computed.as_str().unwrap(), proposed.as_str().unwrap());
    story.investigator.post(&format!("/v1/runs/{proposed}/proposal"), &json!({})).await.expect(202);
    story.app.settle().await;
    // Another case colours person 3 as well.
    let other = story.app.case(&story.investigator, 2).await;
    let run = story.app.run(&story.investigator, &other).await["id"].as_str().unwrap().to_owned();
    story.app.release(&story.investigator, &run).await;
    let waiting = json!({ "rule_pack": "baseline@1", "purpose": "流行病学调查" });
    let queued = story.investigator.post(&story.path("/runs"), &waiting).await.expect(202)["id"].clone();

    let corrected = story.investigator.put(&story.path(""), &correction(&story)).await.expect(202);
    assert_eq!((&corrected["isolated_at"], &corrected["withdrawn_at"]), (&story.ago(120), &Value::Null));
    story.app.settle().await;
    for run in [&released, computed, proposed] {
        assert_eq!(story.state(run).await, "withdrawn");
    }
    assert_eq!(story.state(&run).await, "released", "the run of the other case");
    assert_eq!(story.state(queued.as_str().unwrap()).await, "computed", "by what the case says now");
    // Person 3 keeps what rests on the other case; the others are free.
    let colours = story.colours().await;
    assert_eq!((colours[0].as_str(), colours[2].as_str()), ("green", "green"));
    assert_ne!(colours[1], "green");
    let theirs = format!("select count(*) from assignments where case_id = '{}' and state <> 4", story.case);
    assert_eq!(story.app.number(&theirs).await, 0);
    let letters = "select count(*) from letters where body->>'kind' = 'withdrawn' and body->>'legal_basis' = '隔离时间更正'";
    assert_eq!(story.app.number(letters).await, 3);

    // Isolated before the library, the case meets nobody there; a new run can go out.
    let run = story.released().await;
    assert_eq!(story.state(&run).await, "released");
    assert_eq!(story.app.colour(4).await["colour"], "green");
    assert_eq!(story.app.colour(2).await["colour"], "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_correction_is_kept_and_what_is_wrong_or_says_nothing_new_is_refused() {
    let story = story().await;
    let run = story.run().await["id"].as_str().unwrap().to_owned();
    let put = async |change: &Value| story.investigator.put(&story.path(""), change).await;
    let changed = |name: &str, value: Value| {
        let mut form = correction(&story);
        form[name] = value;
        form
    };
    for (form, field) in [
        (changed("onset_at", Value::Null), "dates"),
        (changed("sampled_at", story.ago(-60)), "dates"),
        (changed("kind", json!("asymptomatic")), "dates"),
        (changed("isolated_at", json!("2026-09-01T00:00:00Z")), "dates"),
        (changed("authority", json!(" ")), "authority"),
        (changed("reason", json!("")), "reason"),
        (changed("kind", json!("probable")), "body"),
        (changed("visitor", json!("0".repeat(32))), "body"),
    ] {
        let said = put(&form).await.problem(422);
        assert!(said.starts_with(&format!("{field}: ")), "{form}: {said}");
    }
    let same = changed("isolated_at", Value::Null);
    put(&same).await.problem(409);
    story.app.settle().await;
    assert_eq!(story.state(&run).await, "computed");
    assert_eq!(story.app.number("select count(*) from case_changes").await, 0);

    put(&correction(&story)).await.expect(202);
    put(&changed("kind", json!("suspected"))).await.expect(202);
    let kept = story.investigator.get(&story.path("/changes")).await.expect(200);
    let seqs: Vec<&Value> = kept.as_array().unwrap().iter().map(|change| &change["seq"]).collect();
    assert_eq!(seqs, [2, 1]);
    assert_eq!(
        (&kept[0]["was"]["kind"], &kept[0]["became"]["kind"]),
        (&json!("confirmed"), &json!("suspected"))
    );
    assert_eq!(kept[1]["was"]["isolated_at"], Value::Null);
    let older = story.investigator.get(&story.path("/changes?before=2")).await.expect(200);
    assert_eq!(older, json!([kept[1]]));
    assert!(
        story.app.sql("update case_changes set reason = 'none'").await.unwrap_err().contains("append-only")
    );
    let written = "select count(*) from audit_entries where action = 'case.corrected'";
    assert_eq!(story.app.number(written).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_undone_when_what_it_rests_on_is_taken_away_and_only_then() {
    let story = story().await;
    let run = story.released().await;
    let ground = json!({ "source": "camera", "reason": "监控显示提前离开" });
    let with = |name: &str, value: Value| {
        let mut form = ground.clone();
        form[name] = value;
        form
    };
    // Confirmed, longer, and a stay that nobody met: nothing is taken from anybody.
    let library = story.stay("图书馆").await;
    story.edit(&library, ground.clone()).await.expect(200);
    story.edit(&library, with("from", story.ago(105))).await.expect(200);
    let far_cell = Position::new(34.60, 113.60).unwrap().cell(Resolution::Nine).to_string();
    let mut far = with("address", json!("航海路 1 号"));
    (far["cell"], far["from"], far["until"]) = (json!(far_cell), story.ago(600), story.ago(500));
    let far = story.investigator.post(&story.path("/trail"), &far).await.expect(201);
    story.remove(&far).await.expect(200);
    story.app.settle().await;
    assert_eq!(story.state(&run).await, "released");
    assert_eq!(story.colours().await, ["red", "yellow", "yellow"]);

    // The library falls: every run that rests on it is taken back whole.
    story.remove(&library).await.expect(200);
    story.app.settle().await;
    assert_eq!(story.state(&run).await, "withdrawn");
    assert_eq!(story.colours().await, ["green", "green", "green"]);
    // What the investigator knows of the case is told to nobody else.
    let told = "select count(*) from letters where body::text like '%手机%' or body::text like '%监控%'";
    assert_eq!(story.app.number(told).await, 0);
    let run = story.released().await;
    assert_eq!(story.colours().await, ["red", "yellow", "green"]);

    // A stay that is cut takes away, too.
    let teahouse = story.stay("老茶馆").await;
    story.edit(&teahouse, with("until", story.ago(170))).await.expect(200);
    story.app.settle().await;
    assert_eq!(story.state(&run).await, "withdrawn");
    assert_eq!(story.colours().await, ["green", "green", "green"]);
    story.released().await;
    assert_eq!(story.colours().await, ["red", "green", "green"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_to_be_undone_is_let_go_by_nobody() {
    let story = story().await;
    let run = story.run().await["id"].as_str().unwrap().to_owned();
    story.investigator.post(&format!("/v1/runs/{run}/proposal"), &json!({})).await.expect(202);
    story.app.settle().await;
    for _ in 0..2 {
        let officer = story.app.staff(Role::ReleasingOfficer, "410100").await;
        let word = json!({ "legal_basis": "第三十九条" });
        officer.post(&format!("/v1/runs/{run}/release"), &word).await.expect(202);
    }
    story.investigator.put(&story.path(""), &correction(&story)).await.expect(202);
    assert_eq!(Step::Release.take(&story.app.app).await.unwrap(), Outcome::Idle);
    assert_eq!(Step::Withdraw.take(&story.app.app).await.unwrap(), Outcome::Worked(1));
    assert_eq!(Step::Withdraw.take(&story.app.app).await.unwrap(), Outcome::Idle);
    assert_eq!(story.state(&run).await, "withdrawn");
    assert_eq!(story.app.number("select count(*) from letters").await, 0);
}
