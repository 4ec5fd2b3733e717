//! What is kept about a visitor, in the visitor's own hands: see it, take it along, correct it, and see who looked.

mod corrections;
mod looks;

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn own_stays_are_taken_along_whole_and_no_cell_is_a_formula() {
    let app = TestApp::start().await;
    let trap = app.venue("=HYPERLINK(\"http://evil.example\")", "teahouse").await;
    let library = app.venue("图书馆", "library").await;
    app.scan(1, &trap, 200).await;
    app.scan(1, &library, 60).await;
    app.scan(2, &library, 50).await;
    app.settle().await;
    let person = app.person(1).await;
    let stays = person.get("/v1/me/stays").await.expect(200);
    assert_eq!(stays.as_array().unwrap().len(), 2);
    let file = person.get("/v1/me/stays.json").await;
    assert!(file.headers["content-disposition"].to_str().unwrap().contains("stays.json"));
    assert_eq!(file.expect(200), stays);
    let file = person.get("/v1/me/stays.csv").await;
    assert_eq!(file.status, 200);
    assert!(file.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let mut rows = csv::Reader::from_reader(file.text.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0][1], rows[1][1].chars().next()), ("图书馆", Some('\'')));
    // The page gives the same file; nobody gets it without saying who it is.
    assert_eq!(app.phone(1).await.get("/me/stays.csv").await.text, file.text);
    app.client(None).get("/v1/me/stays.csv").await.problem(401);
    assert_eq!(app.person(9).await.get("/v1/me/stays").await.expect(200), json!([]));
    assert_eq!(stays[0]["correction"], Value::Null);
}
