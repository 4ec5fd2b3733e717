//! Law 8: every look is written down.

use placecode::domain::audit::{BrokenChain, Entry, Verifier};
use placecode::store::audit;

use super::{Story, story};
use crate::support::TestApp;

async fn looks(story: &Story) -> (i64, i64) {
    let seen = "select count(*) from audit_entries where action = 'persons.seen'";
    (story.app.number("select count(*) from looks").await, story.app.number(seen).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_persons_without_saying_what_for() {
    let story = story(&[]).await;
    let visitor = story.app.visitor(2).to_hex();
    let addresses = [
        format!("/v1/runs/{}/contacts", story.run),
        format!("/v1/runs/{}/contacts/{visitor}/evidence", story.run),
        format!("/v1/cases/{}/trail", story.case),
    ];
    for address in &addresses {
        for query in [
            "",
            "?purpose=",
            "?purpose=%20%20%20%20",
            "?purpose=ab",
            &format!("?purpose={}", "a".repeat(501)),
        ] {
            let answer = story.investigator.get(&format!("{address}{query}")).await;
            assert!(answer.problem(422).contains("purpose"), "{address}{query}");
            assert!(!answer.text.contains(&visitor));
        }
    }
    assert_eq!(looks(&story).await, (0, 0));
    for (count, address) in (1..).zip(&addresses) {
        story.investigator.get(&format!("{address}?purpose=review")).await.expect(200);
        assert_eq!(looks(&story).await, (count, count));
    }
    // What shows counts only is no look at persons, and shows none.
    for path in
        [format!("/v1/runs/{}", story.run), format!("/v1/cases/{}", story.case), "/v1/cases".to_owned()]
    {
        let text = story.investigator.get(&path).await.text;
        assert!((1..5).all(|number| !text.contains(&story.app.visitor(number).to_hex())), "{text}");
    }
    assert_eq!(looks(&story).await, (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_look_concerns_can_see_it_and_nobody_else() {
    let story = story(&[]).await;
    story.contacts().await;
    for (number, count) in [(1, 1), (2, 1), (3, 1), (4, 0)] {
        let seen = story.app.person(number).await.get("/v1/me/looks").await.expect(200);
        assert_eq!(seen.as_array().unwrap().len(), count, "person {number}");
        if count == 1 {
            assert_eq!((&seen[0]["role"], &seen[0]["purpose"]), (&"investigator".into(), &"review".into()));
            assert!(seen[0].get("actor").is_none());
        }
    }
    let entry = "select count(*) from audit_entries where action = 'persons.seen' and actor like 'staff:investigator%'
                 and subject like 'run %' and detail like '%review%'";
    assert_eq!(story.app.number(entry).await, 1);
}

async fn verify(app: &TestApp) -> Result<i64, BrokenChain> {
    let mut conn = app.app.store.conn().await.unwrap();
    let entries: Vec<Entry> = audit::page(&mut conn, 0, 10_000).await.unwrap();
    let mut verifier = Verifier::default();
    entries.iter().try_for_each(|entry| verifier.add(entry))?;
    Ok(verifier.head().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_looks_verifies_and_an_erased_purpose_is_found() {
    let story = story(&[]).await;
    story.contacts().await;
    let count = verify(&story.app).await.unwrap();
    assert_eq!(story.app.number("select count(*) from audit_entries").await, count);
    let erase =
        "update audit_entries set detail = replace(detail, 'review', 'audit!') where action = 'persons.seen'";
    assert!(story.app.sql(erase).await.unwrap_err().contains("append-only"));
    story.app.tamper(erase).await;
    assert_eq!(verify(&story.app).await, Err(BrokenChain::Content(count)));
}
