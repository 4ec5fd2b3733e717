//! The reasons, one by one, and that they never contradict the grade.

use super::*;
use crate::domain::grading::tests::{exposure, graded, pack, question};
use crate::domain::numbered::Numbered;
use crate::domain::venue::Granularity::{self, Hall, Room};
use proptest::prelude::*;

fn verdicts(exposures: &[Exposure]) -> Vec<Verdict> {
    let pack = pack();
    explain(&question(&pack), exposures, &Dwell::default()).iter().map(|judged| judged.verdict).collect()
}

#[test]
fn each_rule_says_what_is_missing() {
    use Verdict::{Met, OtherPlaces, Presence as Unproven, TooShort};
    let short = TooShort { most_secs: 59 * 60, needed_secs: 3600 };
    assert_eq!(verdicts(&[exposure(2, 0, 59, Room, Presence::Plausible)]), [short, OtherPlaces, Met]);
    assert_eq!(verdicts(&[exposure(2, 0, 90, Room, Presence::Unproven)]), [Unproven, OtherPlaces, Met]);
    let brief = TooShort { most_secs: 14 * 60, needed_secs: 900 };
    assert_eq!(verdicts(&[exposure(2, 0, 14, Hall, Presence::Verified)]), [OtherPlaces, OtherPlaces, brief]);
    assert_eq!(verdicts(&[]), [OtherPlaces; 3]);
}

#[test]
fn a_rule_for_other_cases_says_so() {
    let mut pack = pack();
    pack.classes[0].index_kinds = Some(vec![crate::domain::case::CaseKind::Confirmed]);
    let met = [exposure(2, 0, 90, Room, Presence::Verified)];
    let judged = explain(&question(&pack), &met, &Dwell::default());
    assert_eq!(judged[0].verdict, Verdict::OtherCases);
}

proptest! {
    #[test]
    fn the_first_rule_that_is_met_is_the_class_that_was_given(
        parts in prop::collection::vec((0i64..2000, 1i64..120, 0usize..6, 0usize..4), 0..6)
    ) {
        let of = |(from, mins, granularity, presence): &(i64, i64, usize, usize)| {
            exposure(2, *from, *mins, Granularity::ALL[*granularity], Presence::ALL[*presence])
        };
        let exposures: Vec<Exposure> = parts.iter().map(of).collect();
        let pack = pack();
        let judged = explain(&question(&pack), &exposures, &Dwell::default());
        let first = judged.iter().find(|judged| judged.verdict == Verdict::Met).map(|judged| judged.rule.class);
        prop_assert_eq!(first, graded(&exposures).first().map(|contact| contact.class));
    }
}
