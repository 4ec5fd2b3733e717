//! The audit log: every act of the flow stands in it, and no change to it goes unseen.

mod heads;
mod routes;
mod settings;
mod tampering;

use std::collections::BTreeSet;

use placecode::domain::access::Role;
use placecode::domain::audit::{BrokenChain, Entry, Verifier};
use serde_json::json;

use crate::support::TestApp;
use crate::support::client::Client;

/// A flow from the venue to the withdrawal.
async fn flow() -> (TestApp, Client) {
    let app = TestApp::start().await;
    let teahouse = app.venue("老茶馆", "teahouse").await;
    app.scan(1, &teahouse, 180).await;
    app.scan(2, &teahouse, 170).await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let case = app.case(&investigator, 1).await;
    let run = app.run(&investigator, &case).await["id"].as_str().unwrap().to_owned();
    investigator.get(&format!("/v1/runs/{run}/contacts?purpose=review")).await.expect(200);
    app.release(&investigator, &run).await;
    let withdrawal = json!({ "reason": "实验室误报" });
    investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.expect(202);
    app.settle().await;
    let auditor = app.staff(Role::Auditor, "410000").await;
    (app, auditor)
}

/// The whole log as an auditor reads it, page by page.
async fn read(auditor: &Client) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.seq);
        let page = auditor.get(&format!("/v1/audit?after={after}&limit=7")).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["content-type"], "application/x-ndjson");
        let before = entries.len();
        entries.extend(page.text.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap()));
        assert!(entries.len() - before <= 7);
        if entries.len() == before {
            return entries;
        }
    }
}

fn verify(entries: &[Entry]) -> Result<(i64, String), BrokenChain> {
    let mut verifier = Verifier::default();
    entries.iter().try_for_each(|entry| verifier.add(entry))?;
    Ok(verifier.head())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_of_the_flow_stands_in_the_log_once() {
    let (app, auditor) = flow().await;
    let entries = read(&auditor).await;
    let expected = [
        ("channel.put", 1),
        ("issuer.put", 1),
        ("rule_pack.loaded", 1),
        ("venue.registered", 1),
        ("venue.reviewed", 1),
        ("case.reported", 1),
        ("run.requested", 1),
        ("run.computed", 1),
        ("persons.seen", 1),
        ("run.proposed", 1),
        ("run.assignments_proposed", 1),
        ("run.word_given", 2),
        ("run.released", 1),
        // One that colours, one that takes it back.
        ("letters.sent", 2),
        ("case.withdrawn", 1),
        ("case.undone", 1),
    ];
    for (action, count) in expected {
        let found: Vec<&Entry> = entries.iter().filter(|entry| entry.action == action).collect();
        assert_eq!(found.len(), count, "{action}");
        let by_pipeline = matches!(
            action,
            "run.computed" | "run.assignments_proposed" | "run.released" | "letters.sent" | "case.undone"
        );
        assert!(found.iter().all(|entry| (entry.actor == "pipeline") == by_pipeline), "{action}");
    }
    let actions: BTreeSet<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions.len(), expected.len(), "{actions:?}");
    // No act names a visitor.
    let text = serde_json::to_string(&entries).unwrap();
    for number in 1..3 {
        let visitor = app.visitor(number);
        assert!(!text.contains(&visitor.to_hex()) && !text.contains(&visitor.to_uuid().to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_leaves_neither_row_nor_entry() {
    let app = TestApp::start().await;
    let auditor = app.staff(Role::Auditor, "410000").await;
    let admin = app.staff(Role::Administrator, "410000").await;
    let staff = json!({ "login": "li.wei", "display_name": "李", "password": "a long password", "roles": ["auditor"], "division": "410000" });
    admin.post("/v1/staff", &staff).await.expect(201);
    let before = read(&auditor).await;
    admin.post("/v1/staff", &staff).await.problem(409);
    assert_eq!(read(&auditor).await, before);
    assert_eq!(before.last().unwrap().action, "staff.added");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_verifies_over_http_and_its_end_is_the_head() {
    let (app, auditor) = flow().await;
    let entries = read(&auditor).await;
    let (count, hash) = verify(&entries).unwrap();
    assert_eq!(app.number("select count(*) from audit_entries").await, count);
    let mut conn = app.app.store.conn().await.unwrap();
    assert_eq!(placecode::store::audit::head(&mut conn).await.unwrap(), (count, hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_make_one_chain() {
    let app = TestApp::start().await;
    let auditor = app.staff(Role::Auditor, "410000").await;
    let investigator = app.staff(Role::Investigator, "410100").await;
    let before = verify(&read(&auditor).await).unwrap().0;
    let reports = (0..24).map(|number| {
        let body = crate::support::people::new_case(&app.visitor(number).to_hex(), app.now());
        let investigator = investigator.clone();
        async move { investigator.post("/v1/cases", &body).await.status }
    });
    let statuses = futures_util::future::join_all(reports).await;
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    assert_eq!(verify(&read(&auditor).await).unwrap().0, before + 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_puts_the_triggers_to_sleep_is_found_all_the_same() {
    let (app, auditor) = flow().await;
    let good = read(&auditor).await;
    for sql in ["update audit_entries set actor = 'nobody'", "delete from audit_entries where seq = 5"] {
        assert!(app.sql(sql).await.unwrap_err().contains("append-only"), "{sql}");
    }
    let keep = "create table kept as table audit_entries";
    let restore = "delete from audit_entries; insert into audit_entries select * from kept";
    app.tamper(keep).await;
    let last = good.len();
    let tampering = [
        ("update audit_entries set actor = 'staff:wang' where seq = 5", BrokenChain::Content(5)),
        ("update audit_entries set at_micros = at_micros + 1 where seq = 5", BrokenChain::Content(5)),
        ("delete from audit_entries where seq = 5", BrokenChain::Sequence(6)),
        (
            "delete from audit_entries where seq = 5; update audit_entries set seq = seq - 1 where seq > 5",
            BrokenChain::Link(5),
        ),
        (
            "update audit_entries set seq = -seq where seq in (5, 6); update audit_entries set seq = 11 + seq where seq < 0",
            BrokenChain::Link(5),
        ),
        (
            "insert into audit_entries select seq + 1000, at_micros, actor, action, subject, detail, prev, hash from audit_entries where seq = 5",
            BrokenChain::Sequence(1005),
        ),
    ];
    for (sql, expected) in tampering {
        app.tamper(sql).await;
        assert_eq!(verify(&read(&auditor).await), Err(expected), "{sql}");
        app.tamper(restore).await;
        assert_eq!(read(&auditor).await, good);
    }
    // What is cut off at the end is not in the chain any more, but the head remembers it.
    app.tamper(&format!("delete from audit_entries where seq = {last}")).await;
    let (count, hash) = verify(&read(&auditor).await).unwrap();
    let mut conn = app.app.store.conn().await.unwrap();
    assert_ne!(placecode::store::audit::head(&mut conn).await.unwrap(), (count, hash));
}
