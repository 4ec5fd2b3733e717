//! Letters that the platform fetches, where the service cannot call it.

use placecode::domain::letter::LetterKind;
use placecode::domain::visitor::Visitor;
use placecode::domain::webhook::SigningKey;
use placecode::issuer::answer::Outcome::Repeated;
use uuid::Uuid;

use super::platform::Platform;
use super::receiver::both;

async fn position(platform: &Platform) -> i64 {
    let rows = platform.rows("select position from feed").await;
    rows.first().map_or(0, |row| row["position"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_fetched_page_by_page_and_once() {
    let (mut platform, receiver) = both().await;
    let people: Vec<Visitor> = (0..8).map(|_| Visitor::from_uuid(Uuid::now_v7())).collect();
    let letter = |who: &Visitor| platform.letter(*who, 1, LetterKind::Assigned, Uuid::now_v7());
    let letters: Vec<_> = people.iter().map(letter).collect();
    receiver.state().letters = letters.clone();
    assert_eq!(platform.server().pull().await.unwrap(), 8);
    assert_eq!(position(&platform).await, 8);
    assert_eq!(receiver.state().requests, 3);
    assert_eq!(platform.read("v1/summary").await["visitors"]["yellow"], 8);
    // After a fault it reads on where it was; what came by another way is known.
    platform.restart().await;
    assert_eq!(platform.server().pull().await.unwrap(), 0);
    assert_eq!(platform.deliver(&letters[..2]).await, [Repeated, Repeated]);
    let ended = platform.letter(people[0], 2, LetterKind::Withdrawn, letters[0].assignment);
    receiver.state().letters.push(ended);
    assert_eq!(platform.server().pull().await.unwrap(), 1);
    assert_eq!(platform.code(people[0]).await["colour"], "green");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_services_own_answer_to_this_question_moves_anything() {
    let (platform, receiver) = both().await;
    let visitor = Visitor::from_uuid(Uuid::now_v7());
    receiver.state().letters = vec![platform.letter(visitor, 1, LetterKind::Assigned, Uuid::now_v7())];
    let fails = async |why: &str| {
        let error = platform.server().pull().await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(position(&platform).await, 0);
        assert_eq!(platform.code(visitor).await["colour"], "green");
    };
    let other = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let own = std::mem::replace(&mut receiver.state().signs, other);
    fails("did not sign").await;
    receiver.state().signs = own;
    receiver.state().replays = true;
    fails("did not sign").await;
    receiver.state().replays = false;
    receiver.state().letters[0].visitor = "nobody".to_owned();
    fails("letter 1").await;
    receiver.state().letters[0].visitor = visitor.to_hex();
    assert_eq!(platform.server().pull().await.unwrap(), 1);
    assert_eq!((position(&platform).await, &platform.code(visitor).await["colour"]), (1, &"yellow".into()));
    receiver.stop().await;
    assert!(platform.server().pull().await.is_err());
}

/// Two replicas read one feed: each page is applied by one of them, and the position never goes back.
#[tokio::test(flavor = "multi_thread")]
async fn two_readers_of_one_feed_apply_each_page_once() {
    let (platform, receiver) = both().await;
    let letter =
        |_| platform.letter(Visitor::from_uuid(Uuid::now_v7()), 1, LetterKind::Assigned, Uuid::now_v7());
    receiver.state().letters = (0..20).map(letter).collect();
    let (one, two) = tokio::join!(platform.server().pull(), platform.server().pull());
    assert_eq!(one.unwrap() + two.unwrap(), 20);
    assert_eq!(position(&platform).await, 20);
    assert_eq!(platform.read("v1/summary").await["letters"]["applied"], 20);
}
