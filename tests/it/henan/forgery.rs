//! Whoever owns the tables, or sends letters of his own.

use placecode::domain::letter::LetterKind;
use placecode::domain::webhook::{ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};

use super::*;

/// Sends letters to the issuing system, signed by that key.
async fn send(henan: &Henan, key: &SigningKey, letters: &[Value], minutes_old: i64) -> u16 {
    let at = henan.app.now() - TimeDelta::minutes(minutes_old);
    let body = json!({ "type": "placecode.letters.v1", "timestamp": at, "letters": letters }).to_string();
    let id = Uuid::now_v7().to_string();
    let signature = key.sign(&id, at.timestamp(), body.as_bytes());
    let request = crate::support::client::http()
        .post(format!("http://{}/v1/letters", henan.app.issuer_address))
        .header("content-type", "application/json")
        .header(ID_HEADER, id)
        .header(TIMESTAMP_HEADER, at.timestamp().to_string())
        .header(SIGNATURE_HEADER, signature);
    request.body(body).send().await.unwrap().status().as_u16()
}

/// A release that was right, so that there is something to forge.
async fn released(henan: &Henan) -> (String, String) {
    henan.app.pass(90);
    let case = henan.case_of(ILL).await;
    let run = henan.run(&case).await;
    assert_eq!(henan.contacts(&run).await.len(), present().len());
    henan.app.release(&henan.investigator, &run).await;
    assert_eq!(henan.app.colour(1).await["colour"], "red");
    (case, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_tables_writes_no_colour() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    let (case, run) = released(&henan).await;
    let target = app.visitor(5).to_uuid();
    let assignment = format!(
        "insert into assignments (id, run_id, case_id, visitor, class, colour, colour_now, pack_id, pack_version, division,
                                  state, last_exposure_at, expires_at, proposed_at)
         select gen_random_uuid(), run_id, case_id, '{target}', class, colour, colour_now, pack_id, pack_version, division,
                0, last_exposure_at, expires_at, proposed_at
         from assignments where run_id = '{run}' limit 1"
    );
    let one = format!("(select id from assignments where run_id = '{run}' limit 1)");
    let refused = [
        assignment.clone(),
        format!("update assignments set visitor = '{target}' where id = {one}"),
        format!("update assignments set class = 3 where id = {one}"),
        format!("update assignments set colour = 1 where id = {one}"),
        // Weaker without an event, and with no word to anybody.
        format!("update assignments set colour_now = 0 where id = {one}"),
        format!("update assignments set state = 0 where id = {one}"),
        format!("update assignments set expires_at = expires_at + interval '1 year' where id = {one}"),
        format!("delete from assignments where id = {one}"),
        "delete from assignment_events".to_owned(),
        "truncate assignments cascade".to_owned(),
        format!("update exposures set visitor = '{target}' where run_id = '{run}'"),
        format!("delete from releases where run_id = '{run}'"),
        "delete from looks".to_owned(),
        "delete from audit_entries".to_owned(),
    ];
    let before = app.counts().await;
    for sql in refused {
        app.sql(&sql).await.expect_err(&sql);
    }
    // A contact and the exposure of somebody else give no ground either.
    app.tamper(&format!("update runs set state = 2 where id = '{run}'")).await;
    let contact = format!(
        "insert into contacts (run_id, visitor, class, colour, together_secs, meetings, first_at, last_at)
         select run_id, '{target}', class, colour, together_secs, meetings, first_at, last_at
         from contacts where run_id = '{run}' limit 1"
    );
    if app.sql(&contact).await.is_ok() {
        app.sql(&assignment).await.expect_err("a forged contact is no evidence");
        app.tamper(&format!("delete from contacts where visitor = '{target}'")).await;
    }
    app.tamper(&format!("update runs set state = 5 where id = '{run}'")).await;
    assert_eq!(app.counts().await, before, "the database refuses, and writes nothing down of it");
    henan.the_log_is_whole();

    // The owner can put the triggers to sleep. Then it is in the table, and the log tells of nothing.
    let asleep = format!(
        "begin; alter table contacts disable trigger user; alter table assignments disable trigger user;
         {contact}; {assignment};
         alter table contacts enable trigger user; alter table assignments enable trigger user; commit"
    );
    {
        use diesel_async::SimpleAsyncConnection;
        app.app.store.conn().await.unwrap().batch_execute(&asleep).await.unwrap();
    }
    let (code, said) = henan.verify_audit();
    assert_eq!(code, 4, "{said}");
    assert!(said.contains(&run) && said.contains("wrote them past the service"), "{said}");
    assert_eq!(app.colour(5).await["colour"], "green", "nothing was sent for it");
    drop(case);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_others_are_refused_and_what_was_withdrawn_does_not_come_back() {
    let henan = Henan::begin(&[]).await;
    let app = &henan.app;
    let (case, _) = released(&henan).await;
    let sql =
        format!("select body from letters where visitor = '{}' order by sequence", app.visitor(1).to_uuid());
    let letter = app.rows(&sql).await.remove(0)["body"].clone();
    assert_eq!(letter["kind"], serde_json::to_value(LetterKind::Assigned).unwrap(), "{letter}");
    let own = SigningKey::parse(app.issuer_keys.letters_secret_text()).unwrap();
    let other = SigningKey::parse(&SigningKey::format_ed25519(&[9; 32])).unwrap();
    let mut aimed = letter.clone();
    aimed["visitor"] = json!(app.visitor(5).to_hex());
    aimed["id"] = json!(Uuid::now_v7());
    assert_eq!(send(&henan, &other, &[aimed.clone()], 0).await, 401, "a letter from another key");
    assert_eq!(send(&henan, &own, &[aimed], 6).await, 401, "a request that is too old");
    assert_eq!(app.colour(5).await["colour"], "green");

    // The case is withdrawn, and with it everything that hung on it.
    let withdrawal = json!({ "reason": "系统核查" });
    henan.investigator.post(&format!("/v1/cases/{case}/withdrawal"), &withdrawal).await.expect(202);
    henan.all_are_green().await;
    // The old letter is sent again, with the true key, as it was and under a new name.
    send(&henan, &own, std::slice::from_ref(&letter), 0).await;
    let mut renamed = letter.clone();
    renamed["id"] = json!(Uuid::now_v7());
    send(&henan, &own, &[renamed], 0).await;
    henan.all_are_green().await;
    let back = format!("update assignments set state = 2 where case_id = '{case}'");
    assert!(app.sql(&back).await.unwrap_err().contains("cannot become"));
    // The outbox has nothing to send again.
    let admin = app.staff(Role::Administrator, "410000").await;
    admin.post("/v1/letters/health-code/again", &json!({})).await.expect(202);
    henan.all_are_green().await;
    for action in ["case.withdrawn", "case.undone"] {
        assert_eq!(henan.told(action).await, 1, "{action}");
    }
    henan.the_log_is_whole();
}
