use proptest::prelude::*;

use super::*;
use crate::domain::numbered::Numbered;

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + hours * 3600, 0).unwrap()
}

fn event(seq: i32, kind: EventKind, colour: Colour, last: i64, until: i64) -> Event {
    Event { seq, kind, colour, last_exposure_at: at(last), expires_at: at(until), at: at(seq.into()) }
}

fn life(kinds: &[EventKind]) -> Vec<Event> {
    (1..).zip(kinds).map(|(seq, kind)| event(seq, *kind, Colour::Red, 0, 100)).collect()
}

#[test]
fn a_whole_life_is_followed() {
    use EventKind::{Delivered, Downgraded, Extended, Proposed, Released, Withdrawn};
    let mut events = life(&[Proposed, Released, Delivered]);
    assert_eq!(standing(&events).unwrap().shown(at(99)), Some(Colour::Red));
    assert_eq!(standing(&events).unwrap().shown(at(100)), None, "its last day is over");
    events.push(event(4, Extended, Colour::Red, 5, 120));
    events.push(event(5, Downgraded, Colour::Yellow, 5, 120));
    let standing_now = standing(&events).unwrap();
    assert_eq!((standing_now.shown(at(110)), standing_now.last_exposure_at), (Some(Colour::Yellow), at(5)));
    events.push(event(6, Withdrawn, Colour::Yellow, 5, 6));
    assert_eq!(standing(&events).unwrap().shown(at(1)), None);
    assert_eq!(standing(&events).unwrap().state, AssignmentState::Withdrawn);
}

#[test]
fn what_could_not_have_happened_is_named() {
    use EventKind::{Delivered, Downgraded, Extended, Proposed, Released, Withdrawn};
    assert_eq!(standing(&[]), Err(Impossible::Silent));
    assert_eq!(standing(&life(&[Released])), Err(Impossible::Unproposed(Released)));
    let back = life(&[Proposed, Released, Withdrawn, Delivered]);
    let step = Impossible::Step { seq: 4, state: AssignmentState::Withdrawn, kind: Delivered };
    assert_eq!(standing(&back), Err(step));
    assert!(step.to_string().contains("Withdrawn cannot be Delivered"), "{step}");
    let early = Impossible::Step { seq: 2, state: AssignmentState::Proposed, kind: Extended };
    assert_eq!(standing(&life(&[Proposed, Extended])), Err(early));
    let twice = Impossible::Step { seq: 2, state: AssignmentState::Proposed, kind: Proposed };
    assert_eq!(standing(&life(&[Proposed, Proposed])), Err(twice));

    let mut gap = life(&[Proposed, Released]);
    gap[1].seq = 3;
    assert_eq!(standing(&gap), Err(Impossible::Gap { expected: 2, found: 3 }));
    let mut late = life(&[Proposed]);
    late[0].seq = 2;
    assert_eq!(standing(&late), Err(Impossible::Gap { expected: 1, found: 2 }));

    let begun =
        || vec![event(1, Proposed, Colour::Yellow, 0, 100), event(2, Released, Colour::Yellow, 0, 100)];
    let with = |next| begun().into_iter().chain([next]).collect::<Vec<_>>();
    assert_eq!(standing(&with(event(3, Extended, Colour::Red, 0, 100))), Err(Impossible::Stronger(3)));
    assert_eq!(standing(&with(event(3, Extended, Colour::Green, 0, 100))), Err(Impossible::Colour(3)));
    assert_eq!(standing(&with(event(3, Downgraded, Colour::Yellow, 0, 100))), Err(Impossible::Colour(3)));
    assert_eq!(standing(&with(event(3, Extended, Colour::Yellow, 0, 99))), Err(Impossible::Shorter(3)));
    assert_eq!(standing(&with(event(3, Delivered, Colour::Yellow, -1, 100))), Err(Impossible::Shorter(3)));
}

#[test]
fn the_strongest_open_colour_counts_and_green_is_none() {
    let (one, two) = (Visitor::from_uuid(Uuid::from_u128(1)), Visitor::from_uuid(Uuid::from_u128(2)));
    let mut colours = Colours::default();
    colours.add(two, Some(Colour::Green));
    colours.add(two, None);
    assert_eq!(colours.digest(), Colours::default().digest());
    colours.add(one, Some(Colour::Red));
    colours.add(one, Some(Colour::Yellow));
    assert_eq!((colours.count(Colour::Red), colours.count(Colour::Yellow)), (1, 0));
    let line = "00000000000000000000000000000001 red\n";
    assert_eq!(colours.digest(), HEXLOWER.encode(&Sha256::digest(line)));
}

proptest! {
    /// Whatever follows an end, the visitor has no colour of it, or the history is refused.
    #[test]
    fn nothing_comes_back_after_an_end(kinds in prop::collection::vec(0..8_i16, 0..8)) {
        let kinds: Vec<EventKind> = kinds.into_iter().filter_map(EventKind::from_number).collect();
        let events = life(&[&[EventKind::Proposed], &kinds[..]].concat());
        let ended = kinds.iter().any(|kind| {
            matches!(kind, EventKind::Ended | EventKind::Withdrawn | EventKind::Expired)
        });
        if let Ok(standing) = standing(&events) {
            prop_assert_eq!(ended, !standing.state.is_open() && standing.state != AssignmentState::Proposed);
            prop_assert!(!ended || standing.shown(at(0)).is_none());
        }
    }
}
