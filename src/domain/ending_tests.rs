use proptest::prelude::*;

use super::FactKind::{Discharge, HealthyCheckIn, NegativeTest, PositiveTest, SymptomaticCheckIn};
use super::*;
use crate::domain::rule_pack::{CheckIns, Class, CountedFrom, RulePack, SHIPPED, TimeStep};

fn china() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap()
}

/// Minutes after midnight in China on the day on which the assignments of these tests begin.
fn at(minutes: i64) -> DateTime<Utc> {
    "2022-02-28T16:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

/// An hour of a day, the first of which is 0.
fn day(day: i64, hour: i64) -> DateTime<Utc> {
    at((day * 24 + hour) * 60)
}

fn fact(kind: FactKind, at: DateTime<Utc>) -> Fact {
    let id = Uuid::from_u128(u128::try_from(at.timestamp_micros()).unwrap() * 8 + kind as u128);
    Fact { id, kind, at }
}

/// Check-ins at noon of each day.
fn daily(days: std::ops::Range<i64>) -> Vec<Fact> {
    days.map(|of| fact(HealthyCheckIn, day(of, 12))).collect()
}

fn negatives(times: &[DateTime<Utc>]) -> Vec<Fact> {
    times.iter().map(|at| fact(NegativeTest, *at)).collect()
}

/// What a shipped pack says of a class: what ends it, and an assignment that was exposed at the beginning of the first day
/// and released at ten that day.
fn shipped(file: &str, class: Class) -> (EndConditions, Life) {
    let (_, text) = SHIPPED.iter().find(|(name, _)| *name == format!("{file}.toml")).unwrap();
    let pack = RulePack::parse(text).unwrap();
    let rule = pack.classes.into_iter().find(|rule| rule.class == class).unwrap();
    assert_eq!(rule.counted_from, CountedFrom::LastExposure);
    let life = Life {
        began_at: day(0, 0),
        shown_at: day(0, 10),
        expires_at: day(rule.days.into(), 0),
        colour: rule.colour,
    };
    (rule.end.unwrap_or_default(), life)
}

fn fate(of: &(EndConditions, Life), facts: &[Fact], now: DateTime<Utc>) -> Fate {
    judge(&of.0, &of.1, facts, now, china()).fate
}

fn ends(of: &(EndConditions, Life), facts: &[Fact]) -> bool {
    let now = facts.iter().map(|fact| fact.at).max().unwrap();
    matches!(fate(of, facts, now), Fate::Ends(_))
}

#[test]
fn chengdu_two_tests_a_day_apart_within_three_days_or_one_after_fourteen() {
    let chengdu = shipped("chengdu-2021-2", Class::Companion);
    assert!(!ends(&chengdu, &negatives(&[day(1, 8)])));
    assert!(ends(&chengdu, &negatives(&[day(1, 8), day(2, 8)])), "24 hours exactly");
    assert!(!ends(&chengdu, &negatives(&[day(1, 8), day(2, 8) - TimeDelta::seconds(1)])));
    // Later, within the fourteen days.
    assert!(ends(&chengdu, &negatives(&[day(1, 8), day(9, 8), day(10, 9)])));
    assert!(ends(&chengdu, &negatives(&[day(5, 8), day(8, 8)])), "three days exactly");
    assert!(!ends(&chengdu, &negatives(&[day(5, 8), day(8, 8) + TimeDelta::seconds(1)])));
    // Three tests of which no two neighbours lie far enough apart, but the outer ones do.
    assert!(ends(&chengdu, &negatives(&[day(1, 8), day(1, 20), day(2, 9)])));
    // After fourteen days one will do.
    assert!(!ends(&chengdu, &negatives(&[day(13, 23)])));
    assert!(ends(&chengdu, &negatives(&[day(14, 0)])));
    // A positive test in between breaks the chain; one before it does not.
    let mut facts = negatives(&[day(1, 8), day(2, 9)]);
    facts.push(fact(PositiveTest, day(1, 12)));
    assert!(!ends(&chengdu, &facts));
    facts.extend(negatives(&[day(3, 9)]));
    assert!(ends(&chengdu, &facts));
    // What was taken before the exposure says nothing.
    assert!(!ends(&chengdu, &negatives(&[at(-1), day(2, 8)])));
    // The first version ends by its days where the second waits for the test.
    let first = shipped("chengdu-2021-1", Class::Companion);
    assert_eq!(fate(&first, &negatives(&[day(14, 0)]), day(14, 0)), Fate::Stands);
}

#[test]
fn the_fact_that_decided_is_named() {
    let chengdu = shipped("chengdu-2021-2", Class::Companion);
    let facts = negatives(&[day(1, 8), day(2, 8), day(3, 8)]);
    let Fate::Ends(ground) = fate(&chengdu, &facts, day(4, 0)) else { panic!() };
    assert_eq!((ground.fact(), ground.reason()), (Some(facts[1].id), "2 negative tests".to_owned()));
}

#[test]
fn guangdong_tests_end_yellow_and_an_authority_ends_red() {
    let yellow = shipped("guangdong-2022-1", Class::ExposedPlace);
    assert!(ends(&yellow, &negatives(&[day(1, 8), day(2, 8)])));
    assert!(!ends(&yellow, &[fact(Discharge, day(3, 8))]));
    let red = shipped("guangdong-2022-1", Class::Close);
    assert!(!ends(&red, &negatives(&[day(1, 8), day(2, 8), day(3, 8)])));
    assert!(ends(&red, &[fact(Discharge, day(3, 8))]));
}

#[test]
fn changsha_three_tests_in_seven_days() {
    let changsha = shipped("changsha-2021-1", Class::Companion);
    assert!(!ends(&changsha, &negatives(&[day(1, 8), day(3, 8)])));
    assert!(ends(&changsha, &negatives(&[day(1, 8), day(3, 8), day(6, 8)])));
}

#[test]
fn hangzhou_seven_check_ins_make_yellow_and_fourteen_green() {
    let hangzhou = shipped("hangzhou-2020-1", Class::Close);
    assert_eq!(fate(&hangzhou, &daily(0..6), day(6, 0)), Fate::Stands);
    let Fate::Weaker(Colour::Yellow, ground) = fate(&hangzhou, &daily(0..7), day(7, 0)) else { panic!() };
    assert_eq!(ground.reason(), "7 daily check-ins");
    // A gap of one day begins anew.
    let mut gap = daily(0..4);
    gap.extend(daily(5..11));
    assert_eq!(fate(&hangzhou, &gap, day(11, 0)), Fate::Stands);
    gap.extend(daily(11..12));
    assert!(matches!(fate(&hangzhou, &gap, day(12, 0)), Fate::Weaker(Colour::Yellow, _)));
    // Several on one day are one.
    let often: Vec<Fact> = (0..20).map(|hour| fact(HealthyCheckIn, day(1, hour))).collect();
    assert_eq!(fate(&hangzhou, &often, day(2, 0)), Fate::Stands);
    // Once yellow, it takes the whole fourteen.
    let yellow = (hangzhou.0.clone(), Life { colour: Colour::Yellow, ..hangzhou.1 });
    assert_eq!(fate(&yellow, &daily(0..13), day(13, 0)), Fate::Stands);
    assert!(matches!(fate(&yellow, &daily(0..14), day(13, 13)), Fate::Ends(Ground::CheckIns(14, _))));
}

#[test]
fn symptoms_break_the_days_and_the_last_word_of_a_day_counts() {
    let hangzhou = shipped("hangzhou-2020-1", Class::Close);
    let mut facts = daily(0..7);
    facts.push(fact(SymptomaticCheckIn, day(3, 20)));
    assert_eq!(fate(&hangzhou, &facts, day(7, 0)), Fate::Stands);
    facts.extend(daily(7..10));
    assert_eq!(fate(&hangzhou, &facts, day(10, 0)), Fate::Stands, "days 4 to 9 are six");
    facts.extend(daily(10..11));
    assert!(matches!(fate(&hangzhou, &facts, day(11, 0)), Fate::Weaker(Colour::Yellow, _)));
    // Symptoms in the morning, none in the evening: that day is the first.
    let mut facts = daily(2..8);
    facts.push(fact(SymptomaticCheckIn, day(1, 8)));
    facts.push(fact(HealthyCheckIn, day(1, 9)));
    assert!(matches!(fate(&hangzhou, &facts, day(8, 0)), Fate::Weaker(Colour::Yellow, _)));
    // A positive test after all of them: what it contradicts makes nobody weaker.
    facts.push(fact(PositiveTest, day(7, 20)));
    assert_eq!(fate(&hangzhou, &facts, day(8, 0)), Fate::Stands);
}

#[test]
fn days_are_those_of_the_citys_clock() {
    let hangzhou = shipped("hangzhou-2020-1", Class::Close);
    // One minute before midnight in China, and one after it: two days, though ten minutes before them it was both.
    let late: Vec<Fact> = (0..7).map(|n| fact(HealthyCheckIn, at(n * 24 * 60 + 23 * 60 + 59))).collect();
    assert!(matches!(fate(&hangzhou, &late, day(8, 0)), Fate::Weaker(Colour::Yellow, _)));
    let mut odd = vec![fact(HealthyCheckIn, at(23 * 60 + 59)), fact(HealthyCheckIn, at(24 * 60 + 1))];
    odd.extend(daily(2..7));
    assert!(matches!(fate(&hangzhou, &odd, day(8, 0)), Fate::Weaker(Colour::Yellow, _)));
    // By universal time the two lie on one day, and only six are in a row.
    let utc = FixedOffset::east_opt(0).unwrap();
    assert_eq!(judge(&hangzhou.0, &hangzhou.1, &odd, day(8, 0), utc).fate, Fate::Stands);
}

#[test]
fn shaanxi_and_heilongjiang_take_fourteen_days_or_a_certificate() {
    let shaanxi = shipped("shaanxi-2020-1", Class::Close);
    assert_eq!(fate(&shaanxi, &daily(0..13), day(13, 0)), Fate::Stands);
    assert!(ends(&shaanxi, &daily(0..14)));
    let yellow = shipped("heilongjiang-2020-1", Class::SameVehicle);
    assert!(!ends(&yellow, &daily(0..13)));
    assert!(ends(&yellow, &daily(0..14)));
    let red = shipped("heilongjiang-2020-1", Class::Close);
    assert!(!ends(&red, &daily(0..14)));
    assert!(ends(&red, &[fact(Discharge, day(2, 0)), fact(PositiveTest, day(1, 0))]));
    assert!(!ends(&red, &[fact(Discharge, at(-1))]), "before the exposure");
}

#[test]
fn luoyang_weakens_by_time_alone() {
    let luoyang = shipped("luoyang-2", Class::Close);
    let judged = |now| judge(&luoyang.0, &luoyang.1, &[], now, china());
    assert_eq!(judged(day(0, 10)), Judgement { fate: Fate::Stands, review: None, next_at: Some(day(14, 0)) });
    assert_eq!(judged(day(14, 0) - TimeDelta::seconds(1)).fate, Fate::Stands);
    let then = judged(day(14, 0));
    assert_eq!(then.fate, Fate::Weaker(Colour::Yellow, Ground::Days(14)));
    assert_eq!((then.next_at, then.review), (None, None));
    assert_eq!(luoyang.1.expires_at, day(21, 0));
    // Its days end it, not its conditions.
    assert_eq!(judged(day(21, 0)).fate, Fate::Stands);
}

fn due(of: &(EndConditions, Life), facts: &[Fact]) -> (DateTime<Utc>, FactKind) {
    judge(&of.0, &of.1, facts, day(1, 0), china()).review.unwrap()
}

#[test]
fn a_review_is_due_when_the_next_fact_is_late() {
    let chengdu = shipped("chengdu-2021-2", Class::Companion);
    assert_eq!(due(&chengdu, &[]), (day(3, 10), NegativeTest));
    assert_eq!(due(&chengdu, &negatives(&[day(1, 8)])), (day(4, 8), NegativeTest));
    assert_eq!(due(&chengdu, &negatives(&[day(1, 8), day(7, 8)])), (day(10, 8), NegativeTest));
    assert_eq!(due(&chengdu, &[fact(PositiveTest, day(4, 0))]), (day(7, 0), NegativeTest));
    let hangzhou = shipped("hangzhou-2020-1", Class::Close);
    assert_eq!(due(&hangzhou, &[]), (day(2, 0), HealthyCheckIn));
    assert_eq!(due(&hangzhou, &daily(0..3)), (day(4, 0), HealthyCheckIn));
    assert_eq!(due(&hangzhou, &daily(0..14)[..13]), (day(14, 0), HealthyCheckIn));
    // The list of the discharged is asked for a day before the days are over.
    let heilongjiang = shipped("heilongjiang-2020-1", Class::Close);
    assert_eq!(due(&heilongjiang, &[]), (day(13, 0), Discharge));
    // Nobody is late before the colour was shown.
    let late = Life { shown_at: day(6, 0), ..chengdu.1 };
    assert_eq!(due(&(chengdu.0, late), &[]), (day(9, 0), NegativeTest));
    // Where nothing ends it but its days, nothing is awaited.
    let none = judge(&EndConditions::default(), &hangzhou.1, &[], day(1, 0), china());
    assert_eq!(none, Judgement { fate: Fate::Stands, review: None, next_at: None });
}

fn some_facts() -> impl Strategy<Value = Vec<Fact>> {
    let one =
        (0..5usize, -2000..40_000i64).prop_map(|(kind, minutes)| fact(FactKind::ALL[kind], at(minutes)));
    proptest::collection::vec(one, 0..40)
}

fn some_end() -> impl Strategy<Value = EndConditions> {
    let tests = (1..4u32, 0..49u32, proptest::option::of(1..8u32), proptest::option::of(0..15u32));
    let tests = tests.prop_map(|(count, apart_hours, within_days, after_days)| Tests {
        count,
        apart_hours,
        within_days,
        after_days,
    });
    let lists = (proptest::option::of(tests), any::<bool>(), any::<bool>(), any::<bool>(), 1..15u32);
    lists.prop_map(|(tests, check, step, by_authority, days)| EndConditions {
        tests,
        or_tests: Vec::new(),
        check_ins: if check {
            vec![
                CheckIns { count: days, colour: Colour::Yellow },
                CheckIns { count: days * 2, colour: Colour::Green },
            ]
        } else {
            Vec::new()
        },
        steps: if step { vec![TimeStep { after_days: days, colour: Colour::Yellow }] } else { Vec::new() },
        by_authority,
    })
}

fn some_colour() -> impl Strategy<Value = Colour> {
    prop_oneof![Just(Colour::Yellow), Just(Colour::Red)]
}

proptest! {
    /// Played fact by fact, in whatever order they arrive: no step is to a stronger colour, none begins anything again,
    /// and no review lies behind the end.
    #[test]
    fn no_facts_make_a_colour_stronger_or_a_life_longer(
        end in some_end(), facts in some_facts(), colour in some_colour(), late in 0..30_000i64,
    ) {
        let mut life = Life { began_at: at(0), shown_at: at(600), expires_at: day(21, 0), colour };
        let mut heard = Vec::new();
        for one in facts {
            heard.push(one);
            let judged = judge(&end, &life, &heard, one.at.max(at(late)), china());
            prop_assert!(judged.review.is_none_or(|(at, _)| at <= life.expires_at));
            match judged.fate {
                Fate::Stands => {}
                Fate::Weaker(to, _) => {
                    prop_assert!(to < life.colour && to > Colour::Green);
                    life.colour = to;
                }
                Fate::Ends(_) => break,
            }
        }
    }

    /// The order in which facts arrive before they are judged decides nothing.
    #[test]
    fn the_order_of_arrival_decides_nothing(
        end in some_end(), facts in some_facts(), colour in some_colour(), turn in 0..40usize,
    ) {
        let life = Life { began_at: at(0), shown_at: at(600), expires_at: day(21, 0), colour };
        let mut turned = facts.clone();
        turned.reverse();
        let len = turned.len().max(1);
        turned.rotate_left(turn % len);
        let now = day(15, 0);
        prop_assert_eq!(judge(&end, &life, &facts, now, china()), judge(&end, &life, &turned, now, china()));
    }

    /// What was judged a moment ago is not judged otherwise now.
    #[test]
    fn judging_twice_changes_nothing_more(end in some_end(), facts in some_facts(), colour in some_colour()) {
        let life = Life { began_at: at(0), shown_at: at(600), expires_at: day(21, 0), colour };
        let first = judge(&end, &life, &facts, day(15, 0), china());
        if let Fate::Weaker(colour, _) = first.fate {
            let again = judge(&end, &Life { colour, ..life }, &facts, day(15, 0), china());
            prop_assert_eq!(again.fate, Fate::Stands);
            prop_assert_eq!((again.review, again.next_at), (first.review, first.next_at));
        }
    }

    /// The effective colour is the strongest of the open ones: one more never weakens it, and one fewer strengthens nothing.
    #[test]
    fn the_strongest_open_colour_shows(mut open in proptest::collection::vec(some_colour(), 0..6), more in some_colour()) {
        let before = effective(open.clone());
        prop_assert_eq!(before == Colour::Green, open.is_empty());
        prop_assert!(open.iter().all(|one| *one <= before));
        open.push(more);
        let after = effective(open.clone());
        prop_assert!(after == before.max(more));
        open.reverse();
        prop_assert_eq!(effective(open), after);
    }
}
