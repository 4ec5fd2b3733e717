//! Runs and batches over packed days.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use placecode::domain::access::Role;
use placecode::domain::case::{CaseDates, CaseKind};
use placecode::domain::exposure::{Question, TrailStay, exposures};
use placecode::domain::grading::{Dwell, grade};
use placecode::domain::rule_pack::RulePack;
use placecode::domain::span::Span;
use placecode::domain::stay::Stay;
use placecode::domain::venue::Granularity;
use placecode::pipeline::batch::{self, Asked};
use placecode::pipeline::find::{STAY_MAX, searches};
use placecode::pipeline::pack::pack_day;
use placecode::store::findings::candidates;
use serde_json::{Value, json};

use super::{Past, VISITORS};
use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::people::new_case;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_finds_what_each_of_its_cases_finds_alone() {
    let past = Past::new().await;
    // Some days packed, some not.
    let mut conn = past.app.app.store.conn().await.unwrap();
    for day in &past.days[..2] {
        assert!(pack_day(&mut conn, *day, past.app.now()).await.unwrap());
    }
    let pack = Arc::new(RulePack::parse(include_str!("../../../policies/baseline-1.toml")).unwrap());
    let rules = batch::Rules { pack, offset: past.app.config.local_offset };
    assert_eq!(batch::refusal(&rules.pack), None);
    let whole = Span::lasting(past.app.now() - TimeDelta::days(12), 12 * 24 * 3600);
    let trail = |stay: &Stay| TrailStay {
        id: stay.id,
        point: Some(stay.point),
        venue: None,
        cell: stay.cell,
        granularity: Granularity::Hall,
        category: "other".into(),
        row: None,
        span: stay.span,
    };
    // More cases than a group has, so every visitor stands for several.
    let all = past.expected();
    let of = |case: u32| {
        let own = |stay: &&Stay| stay.visitor == past.app.visitor(case % VISITORS);
        let trail = all.iter().filter(own).map(trail).collect();
        let (kind, dates) =
            (CaseKind::Confirmed, CaseDates { onset_at: None, sampled_at: whole.from(), isolated_at: None });
        Asked { case: past.app.visitor(case % VISITORS), kind, dates, infectious: whole, trail }
    };
    let asked: Vec<Asked> = (0..120).map(of).collect();
    let mut found = Vec::new();
    batch::trace(&mut conn, &rules, &asked, |nth, contacts| {
        assert_eq!(nth, found.len(), "in order");
        found.push(contacts);
        Ok(())
    })
    .await
    .unwrap();
    for (asked, contacts) in asked.iter().zip(&found) {
        let question = Question {
            case: asked.case,
            kind: asked.kind,
            dates: asked.dates,
            infectious: asked.infectious,
            trail: &asked.trail,
            pack: &rules.pack,
            offset: rules.offset,
        };
        let candidates = candidates(&mut conn, &searches(&question), STAY_MAX).await.unwrap();
        assert_eq!(*contacts, grade(&question, &exposures(&question, &candidates), &Dwell::default()));
    }
    assert_eq!(found.len(), 120);
    assert!(found.iter().filter(|contacts| !contacts.is_empty()).count() > 60);
}

async fn run(app: &TestApp, investigator: &Client, case: &str) -> (Value, Value) {
    let run = app.run(investigator, case).await;
    let of_run = format!("where run_id = '{}'", run["id"].as_str().unwrap());
    let digest = app
        .rows(&format!("select result_digest from runs where id = '{}'", run["id"].as_str().unwrap()))
        .await;
    let contacts =
        app.rows(&format!("select visitor, class, together_secs from contacts {of_run} order by 1")).await;
    (run, json!([digest, contacts]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_packed_days_finds_the_same_and_colours_by_it() {
    let past = Past::new().await;
    let app = &past.app;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let mut report = new_case(&app.visitor(1).to_hex(), app.now());
    let ill: DateTime<Utc> = app.now() - TimeDelta::days(6);
    (report["onset_at"], report["sampled_at"]) = (json!(ill), json!(ill));
    let case = investigator.post("/v1/cases", &report).await.expect(201)["id"].as_str().unwrap().to_owned();
    let (before, found) = run(app, &investigator, &case).await;
    assert!(before["summary"]["contacts"].as_i64().unwrap() > 2, "{before}");

    past.pack().await;
    let (after, again) = run(app, &investigator, &case).await;
    assert_eq!(after["summary"], before["summary"]);
    assert_eq!(again, found);
    // Law 1 holds by the scans.
    app.release(&investigator, after["id"].as_str().unwrap()).await;
    let coloured = app.number("select count(distinct visitor) from assignments where state = 2").await;
    assert_eq!(coloured, after["summary"]["contacts"].as_i64().unwrap());
}
