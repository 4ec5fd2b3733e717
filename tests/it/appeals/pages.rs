//! The same on pages: from the address that a letter names to the officer's decision.

use placecode::domain::access::Role;
use uuid::Uuid;

use super::{PNG, story};
use crate::support::TestApp;
use crate::support::browser::{Browser, hidden_fields};
use crate::support::client::Client;

/// Sends the form of the appeal page as a browser does, with a file.
async fn send(
    test: &TestApp,
    person: &Client,
    path: &str,
    token: &str,
    id: &str,
    file: &[u8],
) -> reqwest::Response {
    let mut body = Vec::new();
    for (name, value) in
        [("form_token", token), ("id", id), ("reason", "somebody_else"), ("text", "手机借给了同事")]
    {
        let part = format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(
        b"--b0\r\nContent-Disposition: form-data; name=\"evidence\"; filename=\"../../x.html\"\r\nContent-Type: text/html\r\n\r\n",
    );
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--b0--\r\n");
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let request = http.post(format!("http://{}{path}", test.address)).body(body);
    let request =
        request.header("content-type", "multipart/form-data; boundary=b0").header("accept", "text/html");
    request.header("cookie", format!("visitor={}", person.token())).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_leads_to_an_appeal_and_to_its_answer() {
    let story = story(&[]).await;
    let test = &story.app;
    let letters = test.rows("select body->>'appeal_url' as url from letters limit 1").await;
    let url: url::Url = letters[0]["url"].as_str().unwrap().parse().unwrap();
    let path = url.path().to_owned();
    assert_eq!(path, format!("/me/appeals/{}", story.assignment));

    // Who is nobody yet is asked who it is, and comes back.
    let nobody = test.browser().get(&path).await;
    assert_eq!(nobody.status, 401);
    let back: String = url::form_urlencoded::byte_serialize(url.as_str().as_bytes()).collect();
    assert!(nobody.text.contains(&back), "{}", nobody.text);

    let phone = test.phone(2).await;
    let page = phone.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("密切接触者") && page.text.contains("multipart/form-data"), "{}", page.text);
    let list = phone.get("/me/assignments").await;
    assert!(list.text.contains(&format!("/me/assignments/{}", story.assignment)), "{}", list.text);
    let own = phone.get(&format!("/me/assignments/{}", story.assignment)).await;
    assert!(own.text.contains("郑州市疾病预防控制中心") && !own.text.contains(&story.case), "{}", own.text);

    let page = browser_of(test, &story.person).get(&path).await;
    let hidden = hidden_fields(&page.text, &path);
    let value = |name: &str| hidden.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let (token, id) = (value("form_token"), value("id"));
    assert_eq!(send(test, &story.person, &path, "x", &id, PNG).await.status(), 403);
    let refused = send(test, &story.person, &path, &token, &id, b"<html>").await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.unwrap().contains("须为 PNG"));
    assert_eq!(
        test.number("select count(*) from appeals").await,
        0,
        "an appeal without its evidence is not made"
    );
    for _ in 0..2 {
        let sent = send(test, &story.person, &path, &token, &id, PNG).await;
        assert_eq!(sent.status(), 303, "{}", sent.text().await.unwrap());
    }
    assert_eq!(test.number("select count(*) from appeals").await, 1);
    assert_eq!(test.number("select count(*) from appeal_evidence").await, 1);
    let waiting = phone.get(&path).await.text;
    assert!(waiting.contains("将于此前答复") && waiting.contains("手机借给了同事"), "{waiting}");

    let officer = test.desk(&test.staff(Role::ReleasingOfficer, "410100").await);
    let queue = officer.get("/appeals").await;
    assert!(queue.text.contains(&id) && !queue.text.contains("手机借给"), "{}", queue.text);
    let one = format!("/appeals/{id}?purpose=review");
    let whole = officer.get(&one).await.text;
    assert!(whole.contains("手机借给了同事") && whole.contains("/evidence/"), "{whole}");
    let decision = [("reason", "已核实"), ("decision", "granted")];
    assert_eq!(
        officer.fill(&one, &format!("/appeals/{id}/decision"), &decision).await.leads_to(),
        "/appeals"
    );
    test.settle().await;
    assert!(phone.get(&path).await.text.contains("申诉成立"));
    let looks = phone.get("/me/looks").await.text;
    assert!(looks.contains("申诉") && looks.contains("review"), "{looks}");
    // Somebody else finds nothing there.
    assert_eq!(test.phone(3).await.get(&path).await.status, 404);
    assert_eq!(phone.get(&format!("/me/appeals/{}", Uuid::now_v7())).await.status, 404);
}

fn browser_of(test: &TestApp, person: &Client) -> Browser {
    test.browser().with_cookie(&format!("visitor={}", person.token()))
}
