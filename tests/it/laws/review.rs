//! Laws 1 to 3 against whoever can write SQL: reviews, equal treatment, words and the way of a run.

use placecode::domain::access::Role;
use serde_json::json;

use super::{Story, story};

/// A review of a contact as the owner of the table could write it.
fn review(story: &Story, visitor: u32, kind: i16, to: (i16, i16)) -> String {
    let (class, colour) = to;
    format!(
        "insert into reviews (run_id, visitor, seq, kind, from_class, from_colour, to_class, to_colour, reason, author, at)
         select c.run_id, c.visitor, 1 + (select count(*) from reviews v where v.run_id = c.run_id and v.visitor = c.visitor),
                {kind}, c.class, c.colour, {class}, {colour}, '现场核实', r.requested_by, now()
         from contacts c join runs r on r.id = c.run_id where c.run_id = '{}' and c.visitor = '{}'",
        story.run,
        story.app.visitor(visitor).to_uuid()
    )
}

fn change(story: &Story, visitor: u32, what: &str) -> String {
    format!(
        "update contacts set {what} where run_id = '{}' and visitor = '{}'",
        story.run,
        story.app.visitor(visitor).to_uuid()
    )
}

async fn refused(story: &Story, sql: &str, why: &str) {
    let said = story.app.sql(sql).await.expect_err(sql);
    assert!(said.contains(why), "{sql}\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_changes_by_a_review_alone_and_no_review_is_without_its_effect() {
    let story = story(&[]).await;
    // Person 3 is yellow; somebody makes it red by hand, and green, and somebody else's.
    for what in [
        "class = 0, colour = 2",
        "colour = 0",
        "rule = 'x'",
        "excluded_by = (select requested_by from runs limit 1), excluded_at = now(), exclusion_reason = '自己人'",
    ] {
        refused(&story, &change(&story, 3, what), "by a review alone").await;
    }
    for what in
        ["computed_class = 0, computed_colour = 2", "depth = 1", "last_at = now()", "together_secs = 9000"]
    {
        refused(&story, &change(&story, 3, what), "does not change").await;
    }
    // A review that nothing follows, one that begins elsewhere, and one of somebody who was not there.
    refused(&story, &review(&story, 3, 2, (0, 2)), "last review").await;
    let elsewhere = review(&story, 3, 2, (0, 2)).replace("c.class, c.colour, 0", "0, 2, 0");
    refused(&story, &elsewhere, "begins with what the contact is").await;
    let stranger = review(&story, 2, 4, (0, 2)).replace(
        "c.run_id, c.visitor, 1",
        &format!("c.run_id, '{}'::uuid, 1", story.app.visitor(4).to_uuid()),
    );
    refused(&story, &stranger, "only who was exposed").await;
    let alone = review(&story, 3, 5, (0, 2))
        .replace("author, at)", "author, at, escalation_id)")
        .replace("now()", "now(), gen_random_uuid()");
    refused(&story, &alone, "for a whole place").await;
    assert_eq!(story.app.number("select count(*) from reviews").await, 0);

    // With its effect it is a review like any other, and the law of equals sees it.
    let both = format!("{}; {}", review(&story, 3, 2, (0, 2)), change(&story, 3, "class = 0, colour = 2"));
    let mut conn = story.app.app.store.conn().await.unwrap();
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, &format!("begin; {both}; commit"))
        .await
        .unwrap();
    assert_eq!(story.app.number("select count(*) from contacts where colour = 2").await, 2);
    refused(&story, "update reviews set reason = '同桌'", "append-only").await;
    refused(&story, "delete from reviews", "append-only").await;
    story.propose().await;
    refused(&story, &review(&story, 3, 4, (0, 2)), "before their run is proposed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_follows_the_contact_and_nobody_who_is_left_out_gets_one() {
    let story = story(&[]).await;
    let path = format!("/v1/runs/{}/exclusions", story.run);
    let body = json!({ "visitor": story.app.visitor(2).to_hex(), "reason": "隔壁包间" });
    story.investigator.post(&path, &body).await.expect(200);
    let insert = |visitor: u32, colour: &str| {
        format!(
            "insert into assignments (id, run_id, case_id, visitor, class, colour, colour_now, pack_id, pack_version,
                                      division, last_exposure_at, expires_at, proposed_at)
             select gen_random_uuid(), run_id, '{}', visitor, class, {colour}, {colour}, 'baseline', 1, '410100', last_at,
                    last_at + interval '7 days', now() from contacts where run_id = '{}' and visitor = '{}'",
            story.case,
            story.run,
            story.app.visitor(visitor).to_uuid()
        )
    };
    // Left out, a stronger colour than the contact's, and a weaker one.
    for sql in [insert(2, "colour"), insert(3, "2"), insert(2, "1")] {
        refused(&story, &sql, "no evidence, no colour").await;
    }
    // The contact itself is made stronger first, with all triggers asleep.
    story.app.tamper(&change(&story, 3, "class = 0, colour = 2")).await;
    let proposal = format!("/v1/runs/{}/proposal", story.run);
    assert!(story.investigator.post(&proposal, &json!({})).await.problem(409).contains("without a review"));
    story.app.tamper(&change(&story, 3, "class = 3, colour = 1")).await;
    story.propose().await;
    story.app.tamper(&change(&story, 3, "class = 0, colour = 2")).await;
    for _ in 0..2 {
        let officer = story.officer(Role::ReleasingOfficer).await;
        story.word_of(&officer).await.expect(202);
    }
    story.app.settle().await;
    let run = story.investigator.get(&format!("/v1/runs/{}", story.run)).await.expect(200);
    // Which also puts it above person 2, who is left out.
    let held = json!([{ "what": "unequal", "people": 1 }, { "what": "altered", "people": 1 }]);
    assert_eq!(run["held_by"], held);
    let force = format!("update runs set state = 5 where id = '{}'", story.run);
    refused(&story, &force, "without a review").await;
    assert_eq!(story.app.number("select count(*) from assignments where state <> 0").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_one_way() {
    let story = story(&[]).await;
    let step = |state: i16| format!("update runs set state = {state} where id = '{}'", story.run);
    for state in [0, 2, 4, 7] {
        refused(&story, &step(state), "cannot become").await;
    }
    refused(&story, &step(5), "equal exposure").await;
    story.propose().await;
    for state in [0, 1, 2, 3] {
        refused(&story, &step(state), "cannot become").await;
    }
    for _ in 0..2 {
        let officer = story.officer(Role::ReleasingOfficer).await;
        story.word_of(&officer).await.expect(202);
    }
    story.app.settle().await;
    assert_eq!(story.state().await, "released");
    for state in [1, 4] {
        refused(&story, &step(state), "cannot become").await;
    }
    refused(&story, "update release_records set people = 0", "append-only").await;
    refused(&story, "delete from release_records", "append-only").await;
    refused(&story, "truncate release_records", "append-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_an_officers_own_and_red_takes_one_who_is_an_officer_still() {
    let story = story(&[]).await;
    let word = |who: &str, chief: bool| {
        format!(
            "insert into releases (run_id, officer_id, legal_basis, chief, at)
             values ('{}', {who}, '第三十九条', {chief}, now())",
            story.run
        )
    };
    let (id, officer) = story.app.member(&[Role::ReleasingOfficer], "410100").await;
    let officer_id = format!("'{id}'");
    refused(&story, &word(&officer_id, false), "for a proposed run").await;
    story.propose().await;
    let (other, _) = story.app.member(&[Role::Investigator, Role::Administrator], "410100").await;
    refused(&story, &word(&format!("'{other}'"), false), "given by an officer").await;
    refused(&story, &word(&officer_id, true), "chief's by a chief").await;
    story.word_of(&officer).await.expect(202);
    refused(&story, &word(&officer_id, false), "duplicate key").await;
    let (second, _) = story.app.member(&[Role::ReleasingOfficer], "410100").await;
    assert_eq!(story.app.sql(&word(&format!("'{second}'"), false)).await, Ok(1));
    // Both lose the office before anything goes out.
    let roles = format!("update staff set roles = '{{3}}' where id in ('{id}', '{second}')");
    assert_eq!(story.app.sql(&roles).await, Ok(2));
    refused(&story, "update assignments set state = 1 where colour = 2", "red needs").await;
    story.app.settle().await;
    assert_eq!(story.state().await, "proposed");
    let run = story.investigator.get(&format!("/v1/runs/{}", story.run)).await.expect(200);
    assert_eq!(run["held_by"], json!([{ "what": "releasing_officer" }]));
    let lift = format!("insert into release_lifts values ('{}', '{id}', '临时放宽', now())", story.run);
    refused(&story, &lift, "lifted by a chief").await;
}
