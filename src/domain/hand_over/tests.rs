use chrono::{NaiveDate, Timelike};
use proptest::prelude::*;

use super::deciding::decide;
use super::facts::{Meeting, facts};
use super::*;
use crate::domain::case::CaseDates;
use crate::domain::rule_pack::{Class, Colour, RulePack};
use crate::domain::span::{Span, union};

fn china() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).unwrap()
}

/// Minutes after ten in the morning of Monday, 2026-03-16, in China.
fn at(mins: i64) -> DateTime<Utc> {
    "2026-03-16T02:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(mins)
}

fn now() -> DateTime<Utc> {
    at(24 * 60)
}

fn dates() -> CaseDates {
    CaseDates { onset_at: Some(at(120)), sampled_at: at(180), isolated_at: None }
}

fn meeting(from: i64, until: i64) -> Meeting {
    Meeting {
        relation: Relation::SamePoint,
        left_at: None,
        span: Span::new(at(from), at(until)).unwrap(),
        category: Some("teahouse".to_owned()),
        granularity: Granularity::Room,
        presence: Presence::Verified,
        ended_by: EndedBy::Left,
        rows_apart: None,
        place: "老茶馆 · 大堂".to_owned(),
    }
}

fn handed(meetings: &[Meeting]) -> HandOver {
    HandOver {
        document: HAND_OVER.to_owned(),
        id: Uuid::from_u128(5),
        agreement: "henan-hubei".to_owned(),
        route: Route::Bilateral,
        to: "420000".to_owned(),
        alias_key: "henan-hubei".to_owned(),
        alias: Visitor::from_uuid(Uuid::from_u128(7)).to_hex(),
        infectious_kind: Some(CaseKind::Confirmed),
        exposures: facts(meetings, &dates(), china()),
        sender: Sender {
            division: "410100".to_owned(), authority: "郑州市疾病预防控制中心".to_owned()
        },
        legal_basis: "传染病防治法第三十九条".to_owned(),
        sent_at: now(),
        withdrawn: false,
    }
}

fn pack(name: &str) -> RulePack {
    let (_, text) = crate::domain::rule_pack::SHIPPED.iter().find(|(file, _)| *file == name).unwrap();
    RulePack::parse(text).unwrap()
}

fn colour(hand_over: &HandOver, pack: &RulePack) -> Option<Colour> {
    decide(hand_over, pack, now(), china()).map(|decided| decided.colour)
}

#[test]
fn facts_are_rounded_and_tell_no_moment_twice() {
    let nearby = Meeting { relation: Relation::NearbyCell, ..meeting(0, 100) };
    let told = facts(&[nearby, meeting(7, 37), meeting(20, 50)], &dates(), china());
    let minutes: Vec<_> = told.iter().map(|one| (one.relation.unwrap(), one.minutes.unwrap())).collect();
    let point = Relation::SamePoint;
    assert_eq!(minutes, [(Relation::NearbyCell, 57), (point, 30), (point, 13)]);
    assert_eq!(told[1].slot, Some(Slot { from: at(0), until: at(45) }));
    assert_eq!(told[1].date, NaiveDate::from_ymd_opt(2026, 3, 16));
    assert_eq!(told[1].infectious_day, Some(InfectiousDay { since: Since::Onset, days: 0 }));
    let after = Meeting { relation: Relation::AfterCase, left_at: Some(at(-9)), ..meeting(1, 5) };
    assert_eq!(facts(&[after], &dates(), china())[0].after_mins, Some(10));
    let by_sample = CaseDates { onset_at: None, sampled_at: at(3 * 24 * 60), isolated_at: None };
    let day = facts(&[meeting(0, 60)], &by_sample, china())[0].infectious_day.unwrap();
    assert_eq!((day.since, day.days), (Since::Sample, -3));
}

#[test]
fn each_receiver_decides_by_its_own_pack() {
    let long = handed(&[meeting(0, 90)]);
    assert_eq!(long.check(china()), Ok(()));
    assert_eq!(colour(&long, &pack("baseline-1.toml")), Some(Colour::Red));
    assert_eq!(colour(&long, &pack("national-code-1.toml")), Some(Colour::Yellow));
    let half = handed(&[meeting(0, 30)]);
    assert_eq!(colour(&half, &pack("baseline-1.toml")), Some(Colour::Yellow));
    assert_eq!(colour(&half, &pack("national-code-1.toml")), None, "listed there, and no more");
    let decided = decide(&half, &pack("shenzhen-2022-1.toml"), now(), china()).unwrap();
    assert_eq!((decided.class, decided.last_exposure_at), (Class::ExposedPlace, at(30)));
    assert_eq!(decided.expires_at, at(30) + TimeDelta::days(7));
    assert_eq!(decided.end.tests.map(|tests| tests.count), Some(2));
}

#[test]
fn what_a_pack_does_not_count_or_what_is_over_gives_no_measure() {
    let long = handed(&[meeting(0, 90)]);
    let only = HandOver { infectious_kind: Some(CaseKind::Asymptomatic), ..long.clone() };
    assert_eq!(colour(&only, &pack("national-code-1.toml")), None);
    let late = decide(&long, &pack("baseline-1.toml"), at(90) + TimeDelta::days(10), china());
    assert_eq!(late, None);
    // The case fell ill three days after; its rules go back two.
    let ill = CaseDates { onset_at: Some(at(3 * 24 * 60)), ..dates() };
    let early = HandOver { exposures: facts(&[meeting(0, 90)], &ill, china()), ..long.clone() };
    assert_eq!(colour(&early, &pack("baseline-1.toml")), None);
    // Consent of a higher authority is not replaced by a hand-over.
    let mut reserved = pack("baseline-1.toml");
    let release =
        crate::domain::rule_pack::ReleaseRule { chief: true, authority: "省领导小组".to_owned() };
    reserved.classes[0].release = Some(release);
    assert_eq!(colour(&long, &reserved), Some(Colour::Yellow));
}

#[test]
fn what_is_not_told_grades_nobody_upward() {
    let all: BTreeSet<Field> = Field::ALL.iter().copied().collect();
    for name in ["baseline-1.toml", "national-code-1.toml", "shenzhen-2022-1.toml", "companion-1.toml"] {
        let pack = pack(name);
        for meetings in [
            vec![meeting(0, 90)],
            vec![meeting(0, 10), meeting(30, 40)],
            vec![meeting(-2000, -1990), meeting(0, 10)],
        ] {
            let whole = handed(&meetings);
            for missing in Field::ALL {
                let fields = all.iter().copied().filter(|field| field != missing).collect();
                let less = whole.clone().limited_to(&fields);
                assert_eq!(less.check(china()), Ok(()));
                assert!(colour(&less, &pack) <= colour(&whole, &pack), "{name} without {missing:?}");
            }
        }
    }
    let whole = handed(&[meeting(0, 90)]);
    for needed in [Field::Relation, Field::Granularity, Field::InfectiousDay, Field::Minutes] {
        let fields = all.iter().copied().filter(|field| *field != needed).collect();
        assert_eq!(colour(&whole.clone().limited_to(&fields), &pack("baseline-1.toml")), None, "{needed:?}");
    }
}

#[test]
fn only_agreed_fields_are_in_the_bytes_and_a_withdrawal_tells_no_fact() {
    let whole = handed(&[meeting(0, 90)]);
    let bytes = |hand_over: &HandOver| serde_json::to_string(hand_over).unwrap();
    assert!(bytes(&whole).contains("老茶馆") && bytes(&whole).contains("same_point"));
    let fields = [Field::Relation, Field::Minutes].into_iter().collect();
    let less = bytes(&whole.clone().limited_to(&fields));
    assert!(less.contains(r#""exposures":[{"relation":"same_point","minutes":90}]"#), "{less}");
    assert!(!less.contains("老茶馆") && !less.contains("teahouse") && !less.contains("slot"));
    let back = whole.clone().withdrawal();
    assert_eq!(back.check(china()), Ok(()));
    assert!(bytes(&back).contains(r#""exposures":[]"#) && !bytes(&back).contains("infectious"));
    assert_eq!((back.id, back.alias), (whole.id, whole.alias));
}

#[test]
fn no_document_has_a_place_for_a_colour_or_a_class() {
    let whole = serde_json::to_value(handed(&[meeting(0, 90)])).unwrap();
    for (field, value) in [("colour", "red"), ("class", "close"), ("rule_pack", "baseline@1"), ("case", "1")]
    {
        let mut with = whole.clone();
        with[field] = value.into();
        assert!(serde_json::from_value::<HandOver>(with).is_err(), "{field}");
        let mut within = whole.clone();
        within["exposures"][0][field] = value.into();
        assert!(serde_json::from_value::<HandOver>(within).is_err(), "{field} of an exposure");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let good = handed(&[meeting(0, 90), meeting(120, 150)]);
    let bad = |change: &dyn Fn(&mut HandOver)| {
        let mut one = good.clone();
        change(&mut one);
        one.check(china()).unwrap_err()
    };
    assert_eq!(bad(&|one| one.document = "letters".to_owned()), InvalidHandOver::Type);
    assert_eq!(bad(&|one| one.to = "42".to_owned()), InvalidHandOver::Division);
    assert_eq!(bad(&|one| one.alias = "x".to_owned()), InvalidHandOver::Alias);
    assert_eq!(bad(&|one| one.legal_basis = String::new()), InvalidHandOver::Text("legal_basis"));
    assert_eq!(
        bad(&|one| one.sender.authority = "a\nb".to_owned()),
        InvalidHandOver::Text("sender.authority")
    );
    assert_eq!(bad(&|one| one.exposures.clear()), InvalidHandOver::Exposures);
    assert_eq!(bad(&|one| one.infectious_kind = None), InvalidHandOver::Exposures);
    assert_eq!(bad(&|one| one.withdrawn = true), InvalidHandOver::Exposures);
    assert_eq!(bad(&|one| one.exposures[0].minutes = Some(200)), InvalidHandOver::Minutes);
    assert_eq!(
        bad(&|one| one.exposures[0].slot = Some(Slot { from: at(9), until: at(9) })),
        InvalidHandOver::Slot
    );
    assert_eq!(
        bad(&|one| one.exposures[0].date = NaiveDate::from_ymd_opt(2026, 3, 15)),
        InvalidHandOver::Slot
    );
    let day = |days| Some(InfectiousDay { since: Since::Onset, days });
    assert_eq!(bad(&|one| one.exposures[0].infectious_day = day(61)), InvalidHandOver::Illness);
    assert_eq!(bad(&|one| one.exposures[0].infectious_day = day(-1)), InvalidHandOver::Illness);
}

proptest! {
    /// Slots are wider than meetings, and yet nobody has been together longer for it.
    #[test]
    fn rounding_never_adds_time_together(
        spans in prop::collection::vec((-600_i64..600, 1_i64..120, 0_usize..3), 1..6)
    ) {
        let relations = [Relation::SamePoint, Relation::SameVenue, Relation::NearbyCell];
        let meetings: Vec<Meeting> = spans
            .iter()
            .map(|(from, lasts, near)| Meeting { relation: relations[*near], ..meeting(*from, from + lasts) })
            .collect();
        let told = facts(&meetings, &dates(), china());
        let true_secs: i64 = union(meetings.iter().map(|one| one.span).collect()).iter().map(Span::secs).sum();
        let told_mins: u32 = told.iter().map(|one| one.minutes.unwrap()).sum();
        prop_assert!(i64::from(told_mins) * 60 <= true_secs);
        for one in &told {
            let slot = one.slot.unwrap();
            prop_assert_eq!((slot.from.minute() % 15, slot.until.minute() % 15), (0, 0));
        }
        prop_assert_eq!(handed(&meetings).check(china()), Ok(()));
    }
}
