//! Hand-over letters: who is asked, what is told, and that letter and list belong together.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{outbreak, table};

#[tokio::test(flavor = "multi_thread")]
async fn each_division_gets_a_letter_whose_digest_is_that_of_its_list() {
    let out = outbreak().await;
    let told: Value = serde_json::from_str(&out.text("letters.json", "").await).unwrap();
    let letters = told["letters"].as_array().unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((&letter["division"], &letter["people"]), (&json!("410105"), &json!(3)));
    assert_eq!(letter["classes"], json!({ "密切接触者": 2, "密接的密接": 1 }));
    let list = out.text("letters.csv", "&division=410105").await;
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(list.as_bytes()));
    assert_eq!(letter["list_sha256"], json!(digest));
    let people = table(&list);
    assert_eq!(people.len(), 3);
    assert!(people.iter().all(|row| row["visitor"] != out.hex(4)), "who is left out is handed to nobody");
    let number = letter["number"].as_str().unwrap();
    assert!(people.iter().all(|row| row["letter_no"] == number && row["answer_within_hours"] == "24"));
    assert!(people[0]["measure_zh"].starts_with("红码管控10天"), "{people:?}");
    assert_eq!(table(&out.text("letters.csv", "&division=330100").await).len(), 0);
    for format in ["txt", "html"] {
        let text =
            out.text(&format!("letters.{format}"), "&contact=%E7%8E%8B%E5%8C%BB%E7%94%9F%200371").await;
        for part in [
            number,
            &digest,
            letter["seal"].as_str().unwrap(),
            "郑州市疾病预防控制中心",
            "王医生 0371",
            "老茶馆",
            &out.case,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(
            (1..=5).all(|number| !text.contains(&out.hex(number))),
            "the letter names nobody, the list does"
        );
    }
    let html = out.text("letters.html", "").await;
    assert!(html.contains("=外婆家,&quot;一楼&quot;") && !html.contains("<script"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_changed_has_another_digest_and_somebody_left_out_changes_the_letter() {
    let out = outbreak().await;
    let of = async || {
        let told: Value = serde_json::from_str(&out.text("letters.json", "").await).unwrap();
        let letter = &told["letters"][0];
        (letter["people"].clone(), letter["list_sha256"].clone(), letter["seal"].clone())
    };
    let before = of().await;
    assert_eq!(of().await, before);
    out.leave_out(5, "已由他处管控").await;
    let after = of().await;
    assert_eq!((&before.0, &after.0), (&json!(3), &json!(2)));
    assert!(before.1 != after.1 && before.2 != after.2);
}
