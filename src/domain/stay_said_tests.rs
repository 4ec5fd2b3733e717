//! What visitors say of their own stays: nothing becomes longer, and nothing is there that was not.

use super::*;

/// What the visitor takes back of the own scan `of`.
fn taken_back(of: &Scan) -> Scan {
    let id = Uuid::from_u128(1000 + of.id.as_u128());
    Scan { id, direction: Direction::Void, corrects: Some(of.id), received_at: at(9000), ..of.clone() }
}

/// The visitor's word to have left the stay that `of` opened.
fn said_to_have_left(of: &Scan, mins: i64) -> Scan {
    let id = Uuid::from_u128(2000 + of.id.as_u128());
    let presence = Presence::Unproven;
    Scan { id, direction: Exit, corrects: Some(of.id), occurred_at: at(mins), presence, ..of.clone() }
}

#[test]
fn what_a_visitor_takes_back_is_gone_and_lengthens_nothing() {
    let (first, second) = (scan(1, 1, 0, Entry), scan(2, 2, 30, Entry));
    let back = taken_back(&second);
    assert_eq!(told(&[first.clone(), second.clone(), back.clone()]), [(1, 0, 30, NextScan)]);
    assert_eq!(told(&[first.clone(), second.clone(), taken_back(&first)]), [(2, 30, 120, Assumed)]);
    // Somebody who comes back is there again, and not all the while.
    let again = scan(3, 1, 40, Entry);
    let told_again = told(&[first.clone(), second.clone(), again, back]);
    assert_eq!(told_again, [(1, 0, 30, NextScan), (1, 40, 130, Assumed)]);
    // An exit that belonged to what was taken back does not lengthen what was before.
    let late = scan(4, 1, 100, Entry);
    let scans = [first, late.clone(), scan(5, 1, 110, Exit), taken_back(&late)];
    assert_eq!(told(&scans), [(1, 0, 90, Assumed)]);
}

#[test]
fn a_visitor_may_have_left_earlier_and_never_later() {
    let entry = scan(1, 1, 0, Entry);
    assert_eq!(told(&[entry.clone(), said_to_have_left(&entry, 20)]), [(1, 0, 20, Assumed)]);
    assert_eq!(told(&[entry.clone(), said_to_have_left(&entry, 120)]), [(1, 0, 90, Assumed)]);
    let seen = scan(2, 1, 30, Exit);
    assert_eq!(told(&[entry.clone(), said_to_have_left(&entry, 60), seen]), [(1, 0, 30, Left)]);
}

#[test]
fn what_a_visitor_says_contradicts_nothing_and_what_is_taken_back_still_does() {
    let (here, far) = (seen(1, 1, 0, 0, Unproven), seen(2, 2, 3, 60, Unproven));
    assert_eq!(presences(&[here.clone(), far.clone()]), [(1, Unproven), (2, Contradicted)]);
    assert_eq!(presences(&[here.clone(), far.clone(), taken_back(&here)]), [(2, Contradicted)]);
    let later = seen(2, 2, 2, 400, Unproven);
    let word = said_to_have_left(&here, 85);
    assert_eq!(presences(&[here, later, word]), [(1, Unproven), (2, Unproven)]);
}

proptest! {
    /// Whatever a visitor takes back or says to have left earlier: no stay is there that was not, none lasts longer, and
    /// none is better proven.
    #[test]
    fn what_a_visitor_corrects_adds_nothing(scans in any_scans(), which in prop::collection::vec(0usize..3, 24), left in 1i64..90) {
        let mut corrected = scans.clone();
        for (scan, which) in scans.iter().zip(which).filter(|(scan, _)| matches!(scan.direction, Entry | Direction::Passing)) {
            match which {
                1 => corrected.push(taken_back(scan)),
                2 => {
                    let mins = (scan.occurred_at - at(0)).num_minutes() + left;
                    corrected.push(said_to_have_left(scan, mins));
                }
                _ => {}
            }
        }
        let before = stays(&scans);
        for stay in stays(&corrected) {
            let inside = |was: &&Stay| {
                was.point == stay.point && was.span.from() <= stay.span.from() && was.span.until() >= stay.span.until()
                    && was.presence >= stay.presence
            };
            prop_assert!(before.iter().any(|was| inside(&was)), "{:?} of {:?}", stay, before);
        }
    }
}
