//! Law 1: no evidence, no colour.

use serde_json::Value;

use super::{Story, story};
use crate::support::people::far;

const WHY: &str = "no evidence, no colour";

/// An assignment of a contact as the owner of the table could write it, true but for one column.
fn assignment(story: &Story, visitor: u32, column: &str, value: &str) -> String {
    let case = format!("'{}'", story.case);
    let columns = [
        ("case_id", case.as_str()),
        ("class", "class"),
        ("colour", "colour"),
        ("colour_now", "colour"),
        ("pack_id", "'baseline'"),
        ("pack_version", "1"),
        ("division", "'410100'"),
        ("state", "0"),
        ("last_exposure_at", "last_at"),
        ("expires_at", "last_at + interval '7 days'"),
        ("proposed_at", "last_at"),
    ];
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<&str> =
        columns.iter().map(|(name, right)| if *name == column { value } else { right }).collect();
    format!(
        "with made as (
             insert into assignments (id, run_id, visitor, {}) select gen_random_uuid(), run_id, visitor, {}
             from contacts where run_id = '{}' and visitor = '{}' returning *
         )
         insert into assignment_events (assignment_id, seq, kind, state, colour, last_exposure_at, expires_at, at, actor)
         select id, 1, 0, state, colour_now, last_exposure_at, expires_at, proposed_at, 'owner' from made",
        names.join(", "),
        values.join(", "),
        story.run,
        story.app.visitor(visitor).to_uuid()
    )
}

fn whole(story: &Story, visitor: u32) -> String {
    assignment(story, visitor, "", "")
}

async fn refused(story: &Story, sql: &str, why: &str) {
    let said = story.app.sql(sql).await.expect_err(sql);
    assert!(said.contains(why), "{sql}\n{said}");
    assert_eq!(story.app.number("select count(*) from assignments").await, 0);
}

/// A contact that no run has found.
fn forged_contact(story: &Story, visitor: u32) -> String {
    format!(
        "insert into contacts (run_id, visitor, class, colour, together_secs, meetings, first_at, last_at)
         select run_id, '{}', class, colour, together_secs, meetings, first_at, last_at
         from contacts where run_id = '{}' limit 1",
        story.app.visitor(visitor).to_uuid(),
        story.run
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_takes_no_assignment_without_evidence() {
    let story = story(&[]).await;
    let app = &story.app;

    // Person 4 was elsewhere, and nobody is added to a run once it is computed.
    let closed = "never added to";
    assert_eq!(app.sql(&whole(&story, 4)).await, Ok(0));
    refused(&story, &forged_contact(&story, 4), closed).await;
    // Not even a forged contact makes an exposure.
    app.tamper(&forged_contact(&story, 4)).await;
    refused(&story, &whole(&story, 4), WHY).await;

    // The evidence of somebody else, under person 4's name.
    let borrowed = format!(
        "insert into exposures (run_id, seq, trail_stay_id, stay_point_id, stay_from_at, visitor, relation,
                                granularity, from_at, until_at, presence, counted)
         select run_id, seq + 1000, trail_stay_id, stay_point_id, stay_from_at, '{}', relation, granularity,
                from_at, until_at, presence, counted from exposures where visitor = '{}'",
        app.visitor(4).to_uuid(),
        app.visitor(2).to_uuid()
    );
    refused(&story, &borrowed, closed).await;
    app.tamper(&borrowed).await;
    refused(&story, &whole(&story, 4), WHY).await;
    // Nor does a run go back to be computed again with somebody else in it.
    let again = format!("update runs set state = 0 where id = '{}'", story.run);
    refused(&story, &again, "cannot become").await;

    // What is true but for one thing.
    app.tamper("insert into rule_packs (id, version, body, loaded_at) values ('other', 1, '', now())").await;
    let other_case = format!("'{}'", app.case(&story.investigator, 4).await);
    let wrong = [
        ("state", "1", "begins as a proposal"),
        ("colour", "1", "as it was decided"),
        ("colour_now", "1", "as it was decided"),
        ("class", "3", WHY),
        ("pack_id", "'other'", WHY),
        ("case_id", other_case.as_str(), WHY),
    ];
    for (column, value, why) in wrong {
        refused(&story, &assignment(&story, 2, column, value), why).await;
    }

    // True, but nothing tells of it.
    let silent = whole(&story, 2);
    let (_, silent) = silent.split_once("with made as (").unwrap();
    let (silent, _) = silent.split_once(" returning *").unwrap();
    refused(&story, silent, "than its last event").await;

    // The truth.
    assert_eq!(app.sql(&whole(&story, 2)).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradicted_stay_is_no_evidence_whoever_writes_the_exposure() {
    let story = story(&[]).await;
    let app = &story.app;
    app.scan_from(5, &story.teahouse, 100, Some(far())).await;
    app.settle().await;
    app.tamper(&forged_contact(&story, 5)).await;
    let forged = |presence: i16| {
        format!(
            "insert into exposures (run_id, seq, trail_stay_id, stay_point_id, stay_from_at, visitor, relation,
                                    granularity, from_at, until_at, presence, counted)
             select '{}', 1000, t.id, s.point_id, s.from_at, s.visitor, 0, 1, s.from_at,
                    s.from_at + interval '1 minute', {presence}, true
             from stays s, trail_stays t where s.visitor = '{}' and t.point_id = s.point_id",
            story.run,
            app.visitor(5).to_uuid()
        )
    };
    assert!(app.sql(&forged(0)).await.unwrap_err().contains("presence"));
    refused(&story, &forged(2), "never added to").await;
    app.tamper(&forged(2)).await;
    refused(&story, &whole(&story, 5), WHY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_never_changes_and_is_never_removed() {
    let story = story(&[]).await;
    story.propose().await;
    let other = story.app.visitor(9).to_uuid();
    for change in [
        "colour = 1".to_owned(),
        "class = 3".to_owned(),
        format!("visitor = '{other}'"),
        "division = '420100'".to_owned(),
    ] {
        let sql = format!("update assignments set {change} where colour = 2");
        assert!(story.app.sql(&sql).await.expect_err(&sql).contains("does not change"));
    }
    for change in ["expires_at = expires_at + interval '1 year'", "colour_now = 1", "review_at = now()"] {
        let sql = format!("update assignments set {change} where colour = 2");
        assert!(story.app.sql(&sql).await.expect_err(&sql).contains("cannot become"));
    }
    assert!(story.app.sql("delete from assignments").await.unwrap_err().contains("append-only"));
    for kept in ["contacts", "exposures"] {
        assert!(story.app.sql(&format!("delete from {kept}")).await.unwrap_err().contains("append-only"));
    }
    for emptied in [
        "assignments cascade",
        "audit_entries",
        "contacts cascade",
        "exposures",
        "reviews",
        "escalations cascade",
    ] {
        assert!(story.app.sql(&format!("truncate {emptied}")).await.unwrap_err().contains("append-only"));
    }
    assert!(story.app.sql("update exposures set counted = true").await.unwrap_err().contains("append-only"));
    assert!(story.app.sql("update assignments set state = 2").await.unwrap_err().contains("cannot become"));
}

/// The one request that names visitors in a list, signed by an issuing system: what their health allows to end. Nothing
/// that can be told there begins a colour or makes one stronger (`life::facts`, and the properties of `domain/ending`).
const FACTS: &str = "/v1/issuers/{issuer}/facts";

#[test]
fn no_request_names_a_colour_or_takes_a_list_of_visitors() {
    let document = serde_json::to_value(placecode::http::routes::document()).unwrap();
    let mut bodies = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") else {
                continue;
            };
            bodies += 1;
            let mut names = Vec::new();
            properties(&document, schema, false, &mut names);
            for (name, listed) in names {
                let who = name == "visitor" || name == "visitors";
                assert!(!(who && listed) || path == FACTS, "{method} {path} takes a list of visitors");
                assert!(!matches!(name.as_str(), "colour" | "class"), "{method} {path} takes a {name}");
            }
        }
    }
    assert!(bodies > 15, "only {bodies} request bodies were looked at");
}

/// The names of all properties below a schema, and whether they stand in or are a list.
fn properties(document: &Value, schema: &Value, listed: bool, names: &mut Vec<(String, bool)>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return properties(document, target, listed, names);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let is_list = listed || property["type"] == "array" || property["type"][0] == "array";
        names.push((name.clone(), is_list));
        properties(document, property, is_list, names);
    }
    if schema["items"].is_object() {
        properties(document, &schema["items"], true, names);
    }
    for part in ["oneOf", "allOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten() {
        properties(document, part, listed, names);
    }
}
