//! Reviews: alike and unlike, moved alone and moved with a place.

use proptest::prelude::*;

use super::*;

const YELLOW: Grade = Grade { class: Class::ExposedPlace, rule: None, colour: Colour::Yellow };
const RED: Grade = Grade { class: Class::Close, rule: None, colour: Colour::Red };
const GREEN: Grade = Grade { class: Class::Residual, rule: None, colour: Colour::Green };

fn untouched(computed: &Grade) -> Standing {
    Standing {
        computed: computed.clone(),
        now: computed.clone(),
        is_left_out: false,
        is_said: false,
        escalation: None,
        was_at: Vec::new(),
    }
}

fn said(computed: &Grade, now: &Grade) -> Standing {
    Standing { now: now.clone(), is_said: true, ..untouched(computed) }
}

fn left_out(computed: &Grade) -> Standing {
    Standing { is_left_out: true, ..said(computed, computed) }
}

/// All at the same stay of the case, each so many minutes.
fn together(minutes: &[i64]) -> Vec<Shared> {
    let one = |(contact, minutes): (usize, &i64)| Shared {
        contact,
        stay: "a".into(),
        micros: minutes * 60_000_000,
    };
    minutes.iter().enumerate().map(one).collect()
}

#[test]
fn nobody_is_promoted_alone() {
    let promoted = said(&YELLOW, &RED);
    let others = [promoted.clone(), untouched(&YELLOW), untouched(&YELLOW)];
    assert_eq!(unequal(&others, &together(&[40, 40, 55])), 2);
    // A minute less is no difference, and half as long still is alike.
    assert_eq!(unequal(&others, &together(&[40, 39, 20])), 2);
    assert_eq!(unequal(&others, &together(&[40, 19, 20])), 1);
    assert_eq!(unequal(&others, &together(&[40, 19, 19])), 0);
    // Whoever was there with the case at another time is another matter.
    let mut apart = together(&[40, 40, 40]);
    apart[1].stay = "b".into();
    assert_eq!(unequal(&others, &apart), 1);
    // The same for all, or a word for each.
    let (same, kept) = ([promoted.clone(), promoted.clone()], [promoted.clone(), said(&YELLOW, &YELLOW)]);
    assert_eq!(unequal(&same, &together(&[40, 40])), 0);
    assert_eq!(unequal(&kept, &together(&[40, 40])), 0);
}

#[test]
fn companions_are_not_left_green_alone() {
    let two = [left_out(&YELLOW), untouched(&YELLOW)];
    for minutes in [[40, 40], [40, 30], [30, 40], [40, 80]] {
        assert_eq!(unequal(&two, &together(&minutes)), 1, "{minutes:?}");
    }
    assert_eq!(unequal(&two, &together(&[30, 70])), 0, "who stayed far longer is no equal");
    let demoted = [said(&RED, &YELLOW), untouched(&RED)];
    assert_eq!(unequal(&demoted, &together(&[40, 40])), 1);
    // Somebody of another class is judged by another rule.
    assert_eq!(unequal(&[left_out(&RED), untouched(&YELLOW)], &together(&[40, 40])), 0);
}

#[test]
fn nobody_is_moved_above_somebody_of_a_stronger_class() {
    let two = [said(&GREEN, &RED), untouched(&YELLOW)];
    assert_eq!(unequal(&two, &together(&[5, 60])), 1);
    assert_eq!(unequal(&[said(&GREEN, &YELLOW), untouched(&YELLOW)], &together(&[5, 60])), 0);
}

#[test]
fn a_whole_place_is_compared_with_itself() {
    let place = Uuid::from_u128(7);
    let moved = Standing { now: RED, escalation: Some(place), was_at: vec![place], ..untouched(&YELLOW) };
    assert_eq!(unequal(&[moved.clone(), untouched(&YELLOW)], &together(&[40, 40])), 0);
    // Taken out again by hand, one of them stands alone.
    let back = Standing { was_at: vec![place], ..said(&YELLOW, &YELLOW) };
    assert_eq!(unequal(&[moved.clone(), back, moved], &together(&[40, 40, 40])), 2);
}

fn standing() -> impl Strategy<Value = Standing> {
    let grade = || prop_oneof![Just(GREEN), Just(YELLOW), Just(RED)];
    (grade(), grade(), any::<bool>(), any::<bool>()).prop_map(|(computed, now, left_out, is_said)| {
        let now = if is_said { now } else { computed.clone() };
        Standing { now, is_left_out: left_out && is_said, is_said, ..untouched(&computed) }
    })
}

proptest! {
    #[test]
    fn what_nobody_touched_is_equal_and_a_word_for_each_is_enough(
        mut people in proptest::collection::vec(standing(), 1..8), minutes in proptest::collection::vec(1_i64..90, 8),
    ) {
        let shared = together(&minutes[..people.len()]);
        let found = unequal(&people, &shared);
        prop_assert!(found <= people.iter().filter(|one| !one.is_said).count());
        // Alike with unlike results is always found, however the others stand.
        for (at, one) in people.iter().enumerate().filter(|(_, one)| one.is_said) {
            for (other_at, other) in people.iter().enumerate().filter(|(_, other)| !other.is_said) {
                let alike = one.computed == other.computed && minutes[at] == minutes[other_at];
                prop_assert!(!alike || one.colour() == other.colour() || found > 0);
            }
        }
        for one in &mut people {
            one.is_said = true;
        }
        prop_assert_eq!(unequal(&people, &shared), 0);
        let computed: Vec<Standing> = people.iter().map(|one| untouched(&one.computed)).collect();
        prop_assert_eq!(unequal(&computed, &shared), 0);
    }
}

#[test]
fn a_class_is_named_as_the_pack_has_it_and_moves_by_its_order() {
    let pack = RulePack::parse(include_str!("../../policies/baseline-1.toml")).unwrap();
    let (close, place) = (named(&pack, "close").unwrap(), named(&pack, "exposed_place").unwrap());
    assert_eq!((close.colour, place.colour), (Colour::Red, Colour::Yellow));
    assert_eq!(moved(&pack, &place, &close), ReviewKind::Promoted);
    assert_eq!(moved(&pack, &close, &place), ReviewKind::Demoted);
    assert_eq!(moved(&pack, &close, &close), ReviewKind::Kept);
    let said = named(&pack, "red").unwrap_err().to_string();
    assert_eq!(said, "must be one of the classes of the run's rule pack: close, same_vehicle, exposed_place");
    for class in Class::ALL {
        assert_eq!(serde_json::json!(class), class_word(*class));
    }
}
