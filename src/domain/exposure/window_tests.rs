//! The boundary rules of the peers by their own examples, and how far a rule may reach.

use super::*;
use crate::domain::exposure::exposures;
use crate::domain::exposure::fixtures::{World, at, between, class, contacts, local, other, own, pack};
use crate::domain::rule_pack::{Linger, RulePack};
use proptest::prelude::*;

/// A stay as the rule of the Corona-Warn-App makes it, in minutes past a full hour.
fn warned(from: i64, until: i64) -> Option<(i64, i64)> {
    let rule = TimeRule {
        case_stay_min_mins: 10,
        linger: Some(Linger { percent: 100, max_mins: 30 }),
        round_case: Some(Rounding { mins: 10, how: RoundHow::KeepLength }),
        ..TimeRule::default()
    };
    let window = of_case(&rule, &between(-10_000, 10_000), &between(from, until))?;
    let mins = |micros| (instant(micros) - at(0)).num_minutes();
    Some((mins(window.from), mins(window.until)))
}

#[test]
fn the_corona_warn_app_derives_these_times() {
    assert_eq!(warned(21, 29), None);
    for (stay, derived) in [
        ((20, 30), (20, 40)),
        ((21, 31), (20, 40)),
        ((26, 36), (30, 50)),
        ((21, 33), (20, 40)),
        ((24, 36), (30, 50)),
        ((25, 39), (20, 50)),
        ((28, 42), (30, 60)),
        ((25, 40), (20, 50)),
        ((22, 72), (20, 100)),
    ] {
        assert_eq!(warned(stay.0, stay.1), Some(derived), "{stay:?}");
    }
}

/// The rounded bounds of a stay, in minutes.
fn bounds(how: RoundHow, from: i64, until: i64) -> (i64, i64) {
    let window = rounded(Rounding { mins: 15, how }, Window::of(&between(from, until)));
    ((instant(window.from) - at(0)).num_minutes(), (instant(window.until) - at(0)).num_minutes())
}

#[test]
fn each_way_of_rounding_moves_the_ends_as_it_says() {
    assert_eq!(bounds(RoundHow::Down, 16, 44), (15, 30));
    assert_eq!(bounds(RoundHow::Up, 16, 44), (30, 45));
    assert_eq!(bounds(RoundHow::Nearest, 22, 38), (15, 45));
    assert_eq!(bounds(RoundHow::Outward, 16, 45), (15, 45));
    // The app of England and Wales: the step after that of the next check-in, also when that lies on the grid.
    assert_eq!(bounds(RoundHow::Touched, 16, 45), (15, 60));
    assert_eq!(bounds(RoundHow::Nearest, -8, 7), (-15, 0));
}

#[test]
fn touching_ends_meet_only_where_they_belong_to_a_stay() {
    let touching = &[(60, 90), (0, 30), (91, 95)];
    assert_eq!(contacts("", "", (30, 60), touching), []);
    // Campus QR: both ends inclusive, with some seconds of transit.
    assert_eq!(contacts("ends = \"closed\"", "", (30, 60), touching), [2, 3]);
    assert_eq!(contacts("ends = \"closed\"; grace_after_secs = 1860", "", (30, 60), touching), [2, 3, 4]);
    assert_eq!(contacts("ends = \"closed\"; grace_before_secs = 60", "", (30, 60), &[(0, 29), (0, 28)]), [2]);
    // HSMA: a quarter of an hour within an hour.
    assert_eq!(contacts("ends = \"closed\"", "", (0, 15), &[(0, 60)]), [2]);
    // A meeting of no length is no minute.
    assert_eq!(contacts("ends = \"closed\"", "together_mins = 1", (30, 60), touching), []);
    assert_eq!(contacts("ends = \"closed\"", "more_than = true", (30, 60), touching), []);
}

#[test]
fn a_point_in_time_meets_a_stay_that_it_lies_in() {
    let arrivals = &[(30, 500), (31, 500), (59, 60), (60, 500), (29, 500)];
    // NZ COVID Tracer: strictly inside.
    assert_eq!(contacts("visitor = \"arrival\"; ends = \"open\"", "", (30, 60), arrivals), [3, 4]);
    assert_eq!(contacts("visitor = \"arrival\"", "", (30, 60), arrivals), [2, 3, 4]);
    assert_eq!(contacts("visitor = \"arrival\"; ends = \"closed\"", "", (30, 60), arrivals), [2, 3, 4, 5]);
    // Cléa: both known by a scan; three slots of an hour before and after that of the case.
    let slots =
        "case = \"arrival\"; visitor = \"arrival\"; grace_before_secs = 10800; grace_after_secs = 10800;
                 round_case = { mins = 60, how = \"touched\" }";
    for case in [600, 601, 659] {
        assert_eq!(
            contacts(slots, "", (case, 700), &[(419, 999), (420, 999), (839, 999), (840, 999)]),
            [3, 4]
        );
    }
}

#[test]
fn short_stays_and_the_rest_after_midnight_count_nothing() {
    assert_eq!(contacts("case_stay_min_mins = 10", "", (0, 10), &[(0, 60)]), [2]);
    assert_eq!(contacts("case_stay_min_mins = 11", "", (0, 10), &[(0, 60)]), []);
    assert_eq!(contacts("visitor_stay_min_mins = 11", "", (0, 60), &[(0, 10), (0, 11)]), [3]);
    let cut = "visitor_until_midnight = \"utc\"";
    assert_eq!(contacts(cut, "", (125, 140), &[(100, 200), (120, 200)]), [3]);
    assert_eq!(contacts("visitor_until_midnight = \"local\"", "", (35, 50), &[(20, 50), (30, 50)]), [3]);
}

#[test]
fn an_infectious_period_that_ended_before_it_began_has_no_meetings() {
    let mut world =
        World::new(pack("", "", &[class("close", "")]), vec![own(1, 0, 0, 60)], vec![other(2, 0, 0, 60)]);
    assert_eq!(world.met().len(), 1);
    world.infectious = Span::moment(at(10));
    assert_eq!(world.met(), []);
}

/// Any rule that a pack may have, within reason.
pub(in crate::domain::exposure) fn rules() -> impl Strategy<Value = TimeRule> {
    let how = prop::sample::select(vec![
        RoundHow::Down,
        RoundHow::Up,
        RoundHow::Nearest,
        RoundHow::Outward,
        RoundHow::Touched,
        RoundHow::KeepLength,
    ]);
    let round = prop::option::of((prop::sample::select(vec![5, 10, 15, 60]), how))
        .prop_map(|round| round.map(|(mins, how)| Rounding { mins, how }));
    let ends = prop::sample::select(vec![Ends::HalfOpen, Ends::Closed, Ends::Open]);
    let known = prop::sample::select(vec![KnownTime::Stay, KnownTime::Stay, KnownTime::Arrival]);
    let clock = || prop::option::of(prop::sample::select(vec![Clock::Utc, Clock::Local]));
    let linger = prop::option::of((0u32..3, 0u32..40))
        .prop_map(|linger| linger.map(|(times, max_mins)| Linger { percent: times * 100, max_mins }));
    let mins = (0u32..12, 0u32..12, 0u32..20, 0u32..20);
    (ends, known.clone(), known, mins, linger, round.clone(), round, clock(), clock()).prop_map(
        |(
            ends,
            case,
            visitor,
            mins,
            linger,
            round_case,
            round_visitor,
            split_days,
            visitor_until_midnight,
        )| TimeRule {
            ends,
            case,
            visitor,
            case_stay_min_mins: mins.0,
            visitor_stay_min_mins: mins.1,
            grace_before_secs: mins.2 * 60,
            grace_after_secs: mins.3 * 60,
            linger,
            round_case,
            round_visitor,
            split_days,
            visitor_until_midnight,
            ..TimeRule::default()
        },
    )
}

proptest! {
    /// Whoever is met lies within the slack around the case's stay, which is where candidates are looked for.
    #[test]
    fn nobody_is_met_beyond_the_slack(
        time in rules(), stay in (0i64..200, 1i64..90), visit in (-200i64..400, 1i64..90), mins in 1u32..60
    ) {
        let classes = [
            class("close", ""),
            class("residual", &format!("relations = [\"after_case\"]; after_case_mins = {mins}")),
        ];
        let pack = RulePack { time, ..pack("", "", &classes) };
        let others = vec![other(2, 0, visit.0, visit.0 + visit.1)];
        let mut world = World::new(pack, vec![own(1, 0, stay.0, stay.0 + stay.1)], others);
        world.infectious = between(40, 260);
        let (before, after) = world.pack.slack();
        let there = world.trail[0].span.overlap(&world.infectious);
        let around = there.map(|span| Span::new(span.from() - before, span.until() + after).unwrap());
        let near = around.is_some_and(|around| around.overlap(&world.others[0].stay.span).is_some());
        prop_assert!(near || exposures(&world.question(), &world.others).is_empty());
    }

    /// No moment of a day belongs to two parts, and none is lost.
    #[test]
    fn parts_of_days_hold_each_minute_once(from in -3000i64..3000, mins in 0i64..6000) {
        let micros = |mins: i64| at(mins).timestamp_micros();
        let parts: Vec<_> =
            crate::domain::local_day::by_days((micros(from), micros(from + mins)), Some(local())).collect();
        prop_assert_eq!(parts.iter().map(|part| part.1 - part.0).sum::<i64>(), mins * MINUTE);
        let midnight = |at: i64| (at + 90 * MINUTE).rem_euclid(24 * 60 * MINUTE) == 0;
        prop_assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0 && midnight(pair[1].0)));
        prop_assert!(parts.iter().all(|part| part.1 - part.0 <= 24 * 60 * MINUTE));
    }
}
