//! The API document, locked: whoever changes it shows the change.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::TestApp;

#[test]
fn the_api_document_is_the_one_that_was_agreed() {
    let document = serde_json::to_value(placecode::http::routes::document()).unwrap();
    insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&document).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_tells_the_same_document() {
    let app = TestApp::start().await;
    let told = app.client(None).get("/openapi.json").await.expect(200);
    assert_eq!(told, serde_json::to_value(placecode::http::routes::document()).unwrap());
}

#[test]
fn every_reference_of_the_document_leads_somewhere_and_every_operation_may_fail() {
    let document = serde_json::to_value(placecode::http::routes::document()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 30);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let health = path == "/livez" || path == "/readyz";
            assert!(health || operation["responses"]["default"].is_object(), "{method} {path} cannot fail");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
