//! Rows deleted, altered and added on the other side; letters that are said to have arrived and have not.

use serde_json::json;

use super::{Story, story};

#[tokio::test(flavor = "multi_thread")]
async fn two_sides_that_hold_the_same_have_the_same_digest() {
    let story = story().await;
    let result = story.compare().await;
    Story::alike(&result);
    assert_eq!((&result["ours"], &result["untold"]), (&json!(3), &json!(0)));
    story.withdraw().await;
    let result = story.compare().await;
    Story::alike(&result);
    assert_eq!(result["ours"], 3, "what has ended is held until its days are over");
    let before = "select count(*) from letters";
    assert_eq!(story.app.number(before).await, 6, "a comparison of equals writes no letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_deletes_there_is_told_again() {
    let story = story().await;
    let before = story.colours().await;
    assert!(before.iter().all(|colour| colour != "green"), "{before:?}");
    assert_eq!(story.theirs.sql("delete from assignments").await, 3);
    assert_eq!(story.colours().await, ["green"; 3]);
    let result = story.compare().await;
    assert_eq!((&result["drift"], &result["mended"], &result["reported"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!((&result["ours"], &result["theirs"]), (&json!(3), &json!(0)));
    assert!(result["drifts"].as_array().unwrap().iter().all(|drift| drift["drift"] == "missing"));
    assert_eq!(story.colours().await, before);
    Story::alike(&story.compare().await);
    // By letters of their own, under new numbers, with the authority and the basis of the first.
    let told =
        "select count(*) from letters where sequence = 2 and state = 1 and body ->> 'kind' = 'assigned'
                and body ->> 'legal_basis' = '传染病防治法第三十九条'";
    assert_eq!(story.app.number(told).await, 3);
    let places = "select count(*) from assignments where jsonb_array_length(letter -> 'exposures') > 0";
    assert_eq!(story.theirs.number(places).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_alters_there_is_put_right() {
    let story = story().await;
    let before = story.colours().await;
    assert_eq!(before, ["red", "red", "yellow"]);
    let colour = "update assignments set colour = 2, letter = jsonb_set(letter, '{colour}', '\"red\"') where colour = 1";
    let other = "update assignments set expires_at = expires_at + interval '30 days'
                 where visitor = (select max(visitor::text)::uuid from assignments where letter ->> 'colour' = 'red'
                                  and class = 0)";
    assert_eq!((story.theirs.sql(colour).await, story.theirs.sql(other).await), (1, 1));
    let result = story.compare().await;
    assert_eq!((&result["drift"], &result["mended"]), (&json!(2), &json!(2)), "{result}");
    let mut kinds: Vec<_> =
        result["drifts"].as_array().unwrap().iter().map(|d| d["drift"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["colour", "letter"]);
    assert_eq!(story.colours().await, before);
    Story::alike(&story.compare().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_and_stands_there_again_is_withdrawn_again() {
    let story = story().await;
    let kept = story.theirs.rows("select visitor, id, letter from assignments").await;
    let dates = "select count(*) from information_schema.columns where table_name = 'assignments' and column_name = 'ended_at'";
    let dated = if story.theirs.number(dates).await > 0 { ", ended_at = null" } else { "" };
    story.withdraw().await;
    assert_eq!(story.colours().await, ["green"; 3]);
    for row in &kept {
        let back = format!(
            "update assignments set ending = 0, sequence = 1{dated}, letter = '{}' where id = '{}'",
            row["letter"],
            row["id"].as_str().unwrap()
        );
        assert_eq!(story.theirs.sql(&back).await, 1);
    }
    assert!(story.colours().await.iter().all(|colour| colour != "green"));
    let result = story.compare().await;
    assert_eq!((&result["drift"], &result["mended"]), (&json!(3), &json!(3)), "{result}");
    assert!(result["drifts"].as_array().unwrap().iter().all(|drift| drift["drift"] == "state"));
    assert_eq!(story.colours().await, ["green"; 3]);
    Story::alike(&story.compare().await);
    let told = "select count(*) from letters where sequence = 3 and body ->> 'kind' = 'withdrawn'
                and body ->> 'legal_basis' = '检测为假阳性'";
    assert_eq!(story.app.number(told).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_coloured_there_without_the_service_is_reported_and_never_confirmed() {
    let story = story().await;
    let letters = story.app.number("select count(*) from letters").await;
    // Person 5 met nobody. Somebody at the platform makes that code red, as a copy of another's assignment.
    let visitor = story.app.visitor(5).to_uuid();
    let made = format!("insert into visitors select '{visitor}', 1");
    assert_eq!(story.theirs.sql(&made).await, 1);
    for id in ["gen_random_uuid()", "id"] {
        let columns = story
            .theirs
            .rows("select string_agg(quote_ident(column_name), ', ' order by ordinal_position) as list
                   from information_schema.columns where table_name = 'assignments' and table_schema = 'public'
                     and column_name not in ('visitor', 'id')")
            .await;
        let rest = columns[0]["list"].as_str().unwrap().to_owned();
        let copy = format!(
            "insert into assignments (visitor, id, {rest}) select '{visitor}', {id}, {rest} from assignments
             where visitor <> '{visitor}' limit 1"
        );
        assert_eq!(story.theirs.sql(&copy).await, 1);
    }
    let result = story.compare().await;
    assert_eq!((&result["drift"], &result["mended"], &result["reported"]), (&json!(2), &json!(0), &json!(2)));
    assert!(result["drifts"].as_array().unwrap().iter().all(|drift| drift["drift"] == "unknown"));
    assert_eq!(story.app.number("select count(*) from letters").await, letters);
    // It is shown until somebody at the platform has put it right, and never counts as come back: nothing was mended.
    let result = story.compare().await;
    assert_eq!((&result["reported"], &result["returned"]), (&json!(2), &json!(0)));
    let page = story.app.desk(&story.admin).get("/letters?lang=en").await;
    assert!(page.text.contains("Holds what it was not told"), "{}", page.text);
    assert_eq!(story.theirs.sql(&format!("delete from assignments where visitor = '{visitor}'")).await, 2);
    Story::alike(&story.compare().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_said_to_have_arrived_and_has_not_is_found() {
    let story = story().await;
    // The withdrawal waits; somebody marks its letters as delivered.
    let officer = story.app.staff(placecode::domain::access::Role::ReleasingOfficer, "410100").await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.withdraw().await;
    let lie = "update letters set state = 1, delivered_at = now() where state = 0";
    assert_eq!(story.app.sql(lie).await, Ok(3));
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    story.app.settle().await;
    assert!(story.colours().await.iter().all(|colour| colour != "green"), "nobody told the platform");
    let result = story.compare().await;
    assert_eq!((&result["drift"], &result["mended"]), (&json!(3), &json!(3)), "{result}");
    assert_eq!(story.colours().await, ["green"; 3]);
    Story::alike(&story.compare().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_somebody_deletes_from_the_outbox_is_found_too() {
    let story = story().await;
    let officer = story.app.staff(placecode::domain::access::Role::ReleasingOfficer, "410100").await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.withdraw().await;
    assert_eq!(story.app.sql("delete from letters where state = 0").await, Ok(3));
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    let result = story.compare().await;
    assert_eq!((&result["drift"], &result["mended"]), (&json!(3), &json!(3)), "{result}");
    assert_eq!(story.colours().await, ["green"; 3]);
    Story::alike(&story.compare().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_that_somebody_empties_is_found_from_the_other_side() {
    let story = story().await;
    let before = story.colours().await;
    assert_eq!(story.app.sql("delete from letters").await, Ok(3));
    let result = story.compare().await;
    assert_eq!((&result["ours"], &result["theirs"]), (&json!(0), &json!(3)), "{result}");
    assert!(result["drifts"].as_array().unwrap().iter().all(|drift| drift["drift"] == "unknown"));
    assert_eq!(
        (&result["mended"], &result["reported"]),
        (&json!(3), &json!(0)),
        "they are ours, and are told again"
    );
    assert_eq!(story.colours().await, before);
    Story::alike(&story.compare().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_on_their_way_are_no_drift() {
    let story = story().await;
    let officer = story.app.staff(placecode::domain::access::Role::ReleasingOfficer, "410100").await;
    officer.put("/v1/letters/stop", &json!({ "stopped": true })).await.expect(200);
    story.withdraw().await;
    officer.put("/v1/letters/stop", &json!({ "stopped": false })).await.expect(200);
    story.admin.post("/v1/issuers/health-code/reconciliations", &json!({})).await.expect(202);
    // The comparison is made before the letters go out.
    placecode::pipeline::reconcile::step(&story.app.app).await.unwrap();
    let result = story.results().await[0].clone();
    assert_eq!((&result["state"], &result["drift"]), (&json!("done"), &json!(0)), "{result}");
    assert!(result["buckets"].as_i64().unwrap() > 0);
    story.app.settle().await;
    assert_eq!(story.app.number("select count(*) from letters").await, 6);
    Story::alike(&story.compare().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_that_comes_back_is_an_alarm() {
    let story = story().await;
    // Their database has a rule that undoes what letters say.
    let stubborn = "create function stubborn() returns trigger language plpgsql as
                    'begin return jsonb_populate_record(new, ''{\"ending\": 0, \"ended_at\": null}''); end'";
    story.theirs.sql(stubborn).await;
    story
        .theirs
        .sql("create trigger stubborn before insert or update on assignments for each row execute function stubborn()")
        .await;
    story.withdraw().await;
    let first = story.compare().await;
    assert_eq!((&first["mended"], &first["returned"]), (&json!(3), &json!(0)), "{first}");
    let second = story.compare().await;
    assert_eq!((&second["drift"], &second["returned"]), (&json!(3), &json!(3)), "{second}");
    assert!(second["drifts"].as_array().unwrap().iter().all(|drift| drift["returned"] == true));
    let page = story.app.desk(&story.admin).get("/letters?lang=en").await;
    assert!(page.text.contains("Came back after it was mended"), "{}", page.text);
    let noted = "select count(*) from audit_entries where action = 'issuer.reconciled' and detail::jsonb ->> 'returned' = '3'";
    assert_eq!(story.app.number(noted).await, 1);
}
