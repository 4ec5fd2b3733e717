//! Backward tracing beside what a naive reading of its words says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::cluster::{Clusters, Counts, HourTotal, clusters, hour_of, hours_needed};
use super::source::{begun, incubation, sources};
use super::*;
use crate::domain::case::CaseDates;
use crate::domain::chance::ln_tail;

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn venue(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

/// A stay at a point of a venue; each venue has two points.
fn stay(case: usize, point: u64, from: i64, until: i64) -> CaseStay {
    CaseStay {
        case,
        point: PointId::new(point),
        venue: Some(venue(point / 2)),
        granularity: Granularity::Room,
        span: Span::new(at(from), at(until)).unwrap(),
        is_scanned: true,
    }
}

fn point(number: u64) -> Place {
    Place::Point(PointId::new(number).unwrap())
}

fn stays() -> impl Strategy<Value = Vec<CaseStay>> {
    let one = (0_usize..5, 0_u64..5, 0_i64..300, 1_i64..60);
    let one = one.prop_map(|(case, point, from, lasts)| stay(case, point, from, from + lasts));
    prop::collection::vec(one, 0..14)
}

/// The minutes in which a case was at a place.
fn minutes_at(stays: &[CaseStay], place: Place, case: usize) -> BTreeSet<i64> {
    let there = |stay: &&CaseStay| match place {
        Place::Point(point) => stay.point == Some(point),
        Place::Venue(venue) => stay.venue == Some(venue),
    };
    let own = stays.iter().filter(there).filter(|stay| stay.case == case);
    own.flat_map(|stay| (0..360).filter(|minute| stay.span.contains(at(*minute)))).collect()
}

/// Pairs together, near and apart, and the minutes together, by comparing every minute with every other.
fn naive(stays: &[CaseStay], place: Place, window_mins: i64) -> (Vec<usize>, [usize; 3], i64) {
    let visited = |case: &usize| !minutes_at(stays, place, *case).is_empty();
    let cases: Vec<usize> = (0..5).filter(visited).collect();
    let (mut pairs, mut together) = ([0; 3], 0);
    for one in &cases {
        for other in cases.iter().filter(|other| *other > one) {
            let (a, b) = (minutes_at(stays, place, *one), minutes_at(stays, place, *other));
            let shared = a.intersection(&b).count();
            // The last minute of the one is over a minute after it began.
            let gaps = a.iter().flat_map(|a| b.iter().map(move |b| (a - b).abs() - 1));
            let kind = if shared > 0 { 0 } else { 1 + usize::from(gaps.min().unwrap() > window_mins) };
            pairs[kind] += 1;
            together += i64::try_from(shared).unwrap();
        }
    }
    (cases, pairs, together)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn common_places_are_what_comparing_every_minute_says(stays in stays(), window_mins in 0_i64..120) {
        let found = common_places(&stays, TimeDelta::minutes(window_mins));
        let mut told = BTreeMap::new();
        for place in &found {
            let pairs = [place.together_pairs, place.near_pairs, place.apart_pairs];
            told.insert(place.place, (place.cases.clone(), pairs, place.together_secs / 60));
        }
        let mut right = BTreeMap::new();
        for number in 0..5 {
            let told = naive(&stays, point(number), window_mins);
            if told.0.len() > 1 {
                right.insert(point(number), told);
            }
        }
        for number in 0..3 {
            let (first, second) = (number * 2, number * 2 + 1);
            let has = |point: u64| stays.iter().any(|stay| stay.point == PointId::new(point));
            let place = Place::Venue(venue(number));
            let told = naive(&stays, place, window_mins);
            if told.0.len() > 1 && has(first) && has(second) {
                right.insert(place, told);
            }
        }
        prop_assert_eq!(told, right);
        let order: Vec<_> = found.iter().map(|p| (p.together_pairs, p.near_pairs, p.cases.len())).collect();
        prop_assert!(order.is_sorted_by(|one, other| one >= other));
    }

    #[test]
    fn clusters_are_what_looking_at_every_place_and_hour_says(stays in stays(), slot_hours in 1_u8..4, scans in 1_u64..40) {
        let counts = counts(&stays, slot_hours, scans);
        let found = clusters(&stays, &counts, slot_hours);
        for cluster in &found.found {
            let here = |stay: &&CaseStay| cluster.slot.contains(hour_of(stay.span.from()));
            let place = |stay: &&CaseStay| match cluster.place {
                Place::Point(point) => stay.point == Some(point),
                Place::Venue(venue) => stay.venue == Some(venue),
            };
            let cases: BTreeSet<usize> = stays.iter().filter(here).filter(place).map(|stay| stay.case).collect();
            prop_assert_eq!(&cluster.cases, &cases.into_iter().collect::<Vec<_>>());
            let seen = u64::try_from(cluster.cases.len()).unwrap();
            let hours = u64::from(slot_hours);
            let points = if matches!(cluster.place, Place::Venue(_)) { 2 } else { 1 };
            prop_assert_eq!((cluster.scans, cluster.all_scans), (scans * hours * points, 20 * scans * hours));
            let enough = cluster.scans >= seen;
            prop_assert_eq!(cluster.surprise.is_some(), enough);
            if let Some(surprise) = cluster.surprise {
                let right = ln_tail(seen, cluster.case_scans, cluster.scans, cluster.all_scans);
                prop_assert!((surprise.ln_p - right).abs() < 1e-12);
                prop_assert!(surprise.among(found.tested) >= surprise.ln_p.exp());
            }
        }
        // Whoever scanned at one point in one hour with another stands in some cluster there.
        for one in &stays {
            for other in stays.iter().filter(|other| other.case != one.case && other.point == one.point) {
                if hour_of(one.span.from()) == hour_of(other.span.from()) {
                    let together = found.found.iter().any(|cluster| {
                        Some(cluster.place) == one.point.map(Place::Point)
                            && cluster.slot.contains(one.span.from())
                            && [one.case, other.case].iter().all(|case| cluster.cases.contains(case))
                    });
                    prop_assert!(together);
                }
            }
        }
    }
}

/// So many scans at each point in each hour, and as many at fifteen other points.
fn counts(stays: &[CaseStay], slot_hours: u8, scans: u64) -> Counts {
    let mut counts = Counts::default();
    for hour in hours_needed(stays, slot_hours) {
        counts.totals.insert(hour, HourTotal { scans: scans * 20, points: 20, venues: 10 });
        for number in 0..5 {
            counts.places.insert((point(number), hour), scans);
        }
        for number in 0..3 {
            counts.places.insert((Place::Venue(venue(number)), hour), scans * 2);
        }
    }
    counts
}

fn three_at_a_tearoom() -> (Vec<CaseStay>, Counts) {
    // Three of six scan at point 1 within an hour; the others are elsewhere at the same time.
    let mut stays: Vec<CaseStay> = (0..3_usize).map(|case| stay(case, 1, 600 + 9, 660)).collect();
    stays.extend((3..6_usize).map(|case| stay(case, 10 + 2 * case as u64, 610, 650)));
    let mut counts = Counts::default();
    counts.totals.insert(at(600), HourTotal { scans: 1000, points: 90, venues: 10 });
    counts.places.insert((point(1), at(600)), 20);
    (stays, counts)
}

#[test]
fn a_cluster_tells_what_is_expected_and_among_how_many_it_was_found() {
    let (stays, counts) = three_at_a_tearoom();
    let Clusters { found, tested } = clusters(&stays, &counts, 1);
    assert_eq!((found.len(), tested), (1, 100));
    assert_eq!((found[0].place, &found[0].cases), (point(1), &vec![0, 1, 2]));
    assert_eq!((found[0].case_scans, found[0].scans, found[0].all_scans), (6, 20, 1000));
    let surprise = found[0].surprise.unwrap();
    assert!((surprise.expected - 0.12).abs() < 1e-12);
    // 20 · 0.02³ · 0.98³ + 15 · 0.02⁴ · 0.98² + …
    assert!((surprise.ln_p.exp() - 0.000_152_9).abs() < 1e-6, "{}", surprise.ln_p.exp());
    assert!((surprise.among(tested) - 0.015_29).abs() < 1e-4);
}

#[test]
fn where_everybody_was_nothing_surprises_and_missing_counts_surprise_nobody() {
    let (stays, mut counts) = three_at_a_tearoom();
    counts.places.insert((point(1), at(600)), 1000);
    assert!(clusters(&stays, &counts, 1).found[0].surprise.unwrap().ln_p.abs() < f64::EPSILON);
    for known in [Some(0), Some(2), None] {
        counts.places.remove(&(point(1), at(600)));
        counts.places.extend(known.map(|scans| ((point(1), at(600)), scans)));
        let found = clusters(&stays, &counts, 1).found;
        assert_eq!((found.len(), found[0].surprise), (1, None), "{known:?}");
    }
    counts.totals.clear();
    assert_eq!(clusters(&stays, &counts, 1).found[0].surprise, None);
}

#[test]
fn what_others_told_and_one_case_alone_make_no_cluster() {
    let (mut stays, counts) = three_at_a_tearoom();
    for stay in &mut stays {
        stay.is_scanned = false;
    }
    assert_eq!(clusters(&stays, &counts, 1), Clusters::default());
    let again: Vec<CaseStay> = (0..4).map(|n| stay(0, 1, 600 + n * 10, 605 + n * 10)).collect();
    assert_eq!(clusters(&again, &counts, 1), Clusters::default());
}

#[test]
fn two_who_came_on_either_side_of_the_hour_are_one_cluster_in_a_slot_of_two() {
    let stays = [stay(0, 1, 655, 700), stay(1, 1, 665, 700)];
    let counts = counts(&stays, 2, 10);
    assert_eq!(clusters(&stays, &counts, 1).found, []);
    let found = clusters(&stays, &counts, 2).found;
    assert_eq!((found.len(), &found[0].cases), (1, &vec![0, 1]));
    assert_eq!(found[0].slot, Span::new(at(600), at(720)).unwrap());
}

fn ill(onset_days: i64) -> CaseDates {
    let onset = at(onset_days * 24 * 60);
    CaseDates { onset_at: Some(onset), sampled_at: onset + TimeDelta::days(1), isolated_at: None }
}

const DAY: i64 = 24 * 60;

#[test]
fn the_earlier_case_that_was_met_long_and_close_is_the_likeliest_source() {
    // Case 0 fell ill on day 20, case 1 four days before, case 2 four days before, case 3 a day after.
    let cases = [ill(20), ill(16), ill(16), ill(21)];
    let stays = [
        stay(0, 1, 16 * DAY, 16 * DAY + 60),
        stay(1, 1, 16 * DAY, 16 * DAY + 60),
        stay(2, 1, 16 * DAY + 50, 16 * DAY + 60),
        stay(3, 1, 16 * DAY, 16 * DAY + 60),
    ];
    let found = sources(&cases, &stays);
    let of_first: Vec<(usize, i64)> = found[0].iter().map(|s| (s.case, s.together_secs / 60)).collect();
    assert_eq!(of_first, [(1, 60), (2, 10)]);
    let best = &found[0][0];
    assert_eq!((best.days_earlier, best.serial, best.place, best.meetings), (4, 0.1751, point(1), 1));
    assert!((best.score - 0.1751 * 60.0 / 75.0).abs() < 1e-12);
    // Nobody was infected by whom fell ill later, and the earliest have no source.
    assert!(found[1].is_empty() && found[2].is_empty());
    assert_eq!(found[3].iter().map(|s| s.case).collect::<Vec<_>>(), [1, 2], "case 0 was not infectious yet");
}

#[test]
fn closeness_and_the_days_between_weigh() {
    let cases = [ill(20), ill(16), ill(16), ill(7)];
    let mut stays = vec![stay(0, 0, 15 * DAY, 15 * DAY + 60)];
    // At the other point of the venue; at the same point; and too long ago to matter.
    stays.push(stay(1, 1, 15 * DAY, 15 * DAY + 60));
    stays.push(stay(2, 0, 15 * DAY, 15 * DAY + 60));
    stays.push(stay(3, 0, 15 * DAY, 15 * DAY + 60));
    let found = sources(&cases, &stays);
    assert_eq!(
        found[0].iter().map(|s| (s.case, s.days_earlier)).collect::<Vec<_>>(),
        [(2, 4), (1, 4), (3, 13)]
    );
    assert!((found[0][1].close_mins - 6.0).abs() < 1e-12);
    assert_eq!(found[0][1].place, Place::Venue(venue(0)));
    for granularity in [Granularity::Hall, Granularity::OpenAir] {
        for stay in &mut stays {
            stay.granularity = granularity;
        }
        let wider = sources(&cases, &stays);
        assert!(wider[0][0].score < found[0][0].score, "{granularity:?}");
    }
}

#[test]
fn only_the_time_in_which_it_could_happen_counts() {
    let (source, other) = (ill(16), ill(20));
    let met = |from: i64, until: i64, isolated: Option<i64>| {
        let source = CaseDates { isolated_at: isolated.map(at), ..source };
        let stays = [stay(0, 1, from, until), stay(1, 1, from, until)];
        sources(&[source, other], &stays)[1].first().map_or(0, |source| source.together_secs / 60)
    };
    assert_eq!(met(15 * DAY, 15 * DAY + 60, None), 60);
    assert_eq!(met(14 * DAY - 30, 14 * DAY + 30, None), 30, "two days before the source's onset it begins");
    assert_eq!(met(19 * DAY - 20, 19 * DAY + 40, None), 20, "the last day is no incubation");
    assert_eq!(met(17 * DAY, 17 * DAY + 60, Some(17 * DAY + 5)), 5, "isolation ends it");
    assert_eq!(met(17 * DAY, 17 * DAY + 60, Some(17 * DAY)), 0);
    assert_eq!(begun(&source), at(16 * DAY));
    assert_eq!(incubation(&other), Span::new(at(6 * DAY), at(19 * DAY)).unwrap());
}

#[test]
fn without_an_onset_the_sample_is_taken_and_told() {
    let silent = CaseDates { onset_at: None, sampled_at: at(20 * DAY), isolated_at: None };
    let stays = [stay(0, 1, 15 * DAY, 15 * DAY + 60), stay(1, 1, 15 * DAY, 15 * DAY + 60)];
    let found = sources(&[ill(16), silent], &stays);
    assert!(found[1][0].is_by_sample && !found[1].is_empty());
}

proptest! {
    #[test]
    fn sources_began_earlier_and_were_met(stays in stays(), days in prop::collection::vec(-3_i64..12, 5)) {
        let cases: Vec<CaseDates> = days.iter().map(|day| ill(*day)).collect();
        let found = sources(&cases, &stays);
        prop_assert_eq!(found.len(), cases.len());
        for (of, list) in found.iter().enumerate() {
            prop_assert!(list.is_sorted_by(|one, other| one.score >= other.score));
            for source in list {
                prop_assert!(begun(&cases[source.case]) < begun(&cases[of]));
                let shared: BTreeSet<i64> = (0..3)
                    .flat_map(|number| {
                        let place = Place::Venue(venue(number));
                        let other = minutes_at(&stays, place, source.case);
                        minutes_at(&stays, place, of).intersection(&other).copied().collect::<Vec<_>>()
                    })
                    .filter(|minute| {
                        let source = begun(&cases[source.case]);
                        incubation(&cases[of]).contains(at(*minute))
                            && (source - TimeDelta::days(2)..source + TimeDelta::days(10)).contains(&at(*minute))
                    })
                    .collect();
                prop_assert_eq!(source.together_secs, i64::try_from(shared.len()).unwrap() * 60);
            }
        }
    }
}
