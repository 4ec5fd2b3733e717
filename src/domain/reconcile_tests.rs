use proptest::prelude::*;

use super::*;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + secs, 0).unwrap()
}

fn held(visitor: u128, assignment: u128, open: Option<(i64, Colour, i64)>) -> Held {
    Held {
        visitor: Visitor::from_uuid(Uuid::from_u128(visitor)),
        assignment: Uuid::from_u128(assignment),
        open: open.map(|(sequence, colour, until)| Open { sequence, colour, expires_at: at(until) }),
    }
}

const FIRST: u128 = 0x07 << 120;

#[test]
fn a_line_is_what_the_documentation_says() {
    let open = held(FIRST + 1, 2, Some((3, Colour::Yellow, 4)));
    let expected =
        "07000000000000000000000000000001 00000000-0000-0000-0000-000000000002 open 3 yellow 1700000004\n";
    assert_eq!(open.line(), expected);
    let ended = held(FIRST + 1, 2, None);
    assert_eq!(ended.line(), "07000000000000000000000000000001 00000000-0000-0000-0000-000000000002 ended\n");
    let one = buckets(vec![open]);
    assert_eq!(one[0].digest, HEXLOWER.encode(&Sha256::digest(expected)));
    assert_eq!((one[0].bucket, one[0].count, one.len()), (7, 1, 1));
}

#[test]
fn a_bucket_is_the_first_byte_and_nothing_else() {
    assert_eq!(bucket_of(Visitor::from_uuid(Uuid::max())), 255);
    assert_eq!(range_of(0, 255), (Uuid::nil(), Uuid::max()));
    let (first, last) = range_of(7, 7);
    assert_eq!(bucket_of(Visitor::from_uuid(first)), 7);
    assert_eq!(bucket_of(Visitor::from_uuid(last)), 7);
    assert_eq!(last.as_u128() + 1, range_of(8, 8).0.as_u128());
}

#[test]
fn each_sort_of_drift_has_its_name() {
    let ours = held(FIRST, 1, Some((3, Colour::Yellow, 9)));
    let ended = held(FIRST, 1, None);
    let found = |theirs: &[Held]| compare(&[ours], theirs).iter().map(|one| one.drift).collect::<Vec<_>>();
    assert_eq!(found(&[ours]), []);
    assert_eq!(found(&[]), [Drift::Missing]);
    assert_eq!(found(&[ended]), [Drift::State]);
    assert_eq!(found(&[held(FIRST, 1, Some((3, Colour::Red, 9)))]), [Drift::Colour]);
    assert_eq!(found(&[held(FIRST, 1, Some((2, Colour::Yellow, 9)))]), [Drift::Letter]);
    assert_eq!(found(&[held(FIRST, 1, Some((3, Colour::Yellow, 8)))]), [Drift::Letter]);
    // The same assignment under another visitor is missing for the one and unknown for the other.
    assert_eq!(
        found(&[held(FIRST + 1, 1, ours.open.map(|o| (o.sequence, o.colour, 9)))]),
        [Drift::Missing, Drift::Unknown]
    );
    assert_eq!(compare(&[ended], &[ours])[0].drift, Drift::State);
    assert!(compare(&[ended], &[ours])[0].open_there);
}

#[test]
fn a_day_passes_between_two_and_an_hour_after_a_failure() {
    let hour = 3600;
    assert!(!is_due(None, at(0), at(23 * hour)));
    assert!(is_due(None, at(0), at(24 * hour)));
    assert!(!is_due(Some((at(0), false)), at(0), at(23 * hour)));
    assert!(is_due(Some((at(0), false)), at(0), at(24 * hour)));
    assert!(!is_due(Some((at(0), true)), at(0), at(hour - 1)));
    assert!(is_due(Some((at(0), true)), at(0), at(hour)));
}

#[test]
fn an_entry_without_what_it_must_say_is_none() {
    let entry = Entry::from(&held(FIRST, 1, Some((3, Colour::Red, 9))));
    assert!(entry.held().is_some());
    assert!(Entry { colour: None, ..entry.clone() }.held().is_none());
    assert!(Entry { sequence: None, ..entry.clone() }.held().is_none());
    assert!(Entry { visitor: "7".into(), ..entry.clone() }.held().is_none());
    assert_eq!(Entry { open: false, ..entry }.held(), Some(held(FIRST, 1, None)));
}

fn some() -> impl Strategy<Value = Vec<Held>> {
    let colour = prop_oneof![Just(Colour::Yellow), Just(Colour::Red)];
    let open = prop::option::of((1_i64..4, colour, 0_i64..3));
    let one = (0_u128..6, 0_u128..3, 0_u128..2, open)
        .prop_map(|(byte, low, assignment, open)| held((byte << 120) + low, assignment, open));
    prop::collection::btree_map(0..60_u8, one, 0..40).prop_map(|all| {
        let by_key: BTreeMap<_, _> = all.into_values().map(|one| (one.key(), one)).collect();
        by_key.into_values().collect()
    })
}

proptest! {
    #[test]
    fn buckets_differ_exactly_where_entries_do(ours in some(), theirs in some()) {
        let differing = differing(&buckets(ours.clone()), &buckets(theirs.clone()));
        let found: BTreeSet<u8> = compare(&ours, &theirs).iter().map(|one| bucket_of(one.visitor)).collect();
        prop_assert_eq!(differing, found);
    }

    #[test]
    fn neither_order_nor_the_way_there_matters(ours in some().prop_shuffle()) {
        let mut sorted = ours.clone();
        sorted.sort_by_key(Held::key);
        prop_assert_eq!(buckets(ours.clone()), buckets(sorted));
        let travelled: Vec<Held> = page(ours.clone(), None).entries.iter().filter_map(Entry::held).collect();
        prop_assert_eq!(whole(&buckets(travelled.clone())), whole(&buckets(ours.clone())));
        prop_assert_eq!(total(&buckets(ours.clone())), u64::try_from(ours.len()).unwrap());
        prop_assert_eq!(compare(&ours, &travelled), vec![]);
    }
}

#[test]
fn pages_join_without_gap_or_overlap() {
    let all: Vec<Held> = (0..4500).map(|n| held(FIRST + n / 2, n, None)).collect();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = page(all.clone(), after);
        seen.extend(page.entries.iter().filter_map(Entry::held));
        after = seen.last().map(Held::key);
        if !page.more {
            break;
        }
        assert_eq!(page.entries.len(), ENTRIES_MAX);
    }
    assert_eq!(seen, all);
}
