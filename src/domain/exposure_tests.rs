//! Exposures against a minute-by-minute oracle.

use super::*;
use crate::domain::position::Position;
use crate::domain::stay::EndedBy;
use chrono::TimeDelta;
use proptest::prelude::*;

fn at(mins: i64) -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(mins)
}

fn span(from: i64, mins: i64) -> Span {
    Span::new(at(from), at(from + mins)).unwrap()
}

fn visitor(number: u128) -> Visitor {
    Visitor::from_uuid(Uuid::from_u128(number))
}

/// Points 0 and 1 share a venue; point 2 is a venue some 500 m off; point 3 is in another city.
fn place(point: u64) -> (PointId, Uuid, CellIndex) {
    let lat = [34.7466, 34.7466, 34.7511, 38.0428];
    let position = Position::new(lat[usize::try_from(point).unwrap()], 113.6253).unwrap();
    let venue = Uuid::from_u128(u128::from(point.max(1)));
    (PointId::new(point).unwrap(), venue, position.cell(Resolution::Eleven))
}

fn trail_stay(point: u64, from: i64, mins: i64) -> TrailStay {
    let (id, venue, cell) = place(point);
    let stay = Uuid::from_u128(u128::from(point) << 64 | u128::from(from.unsigned_abs()));
    TrailStay {
        id: stay,
        point: Some(id),
        venue: Some(venue),
        cell,
        granularity: Granularity::Room,
        category: "other".into(),
        row: None,
        span: span(from, mins),
    }
}

fn candidate(number: u128, who: u128, point: u64, from: i64, mins: i64, presence: Presence) -> Candidate {
    let (point, venue, cell) = place(point);
    let stay = Stay {
        id: Uuid::from_u128(number),
        visitor: visitor(who),
        point,
        cell,
        span: span(from, mins),
        ended_by: EndedBy::Assumed,
        presence,
    };
    Candidate { stay, venue, row: None }
}

/// The baseline with all relations, or those at the point alone.
fn pack(relations: &[Relation]) -> RulePack {
    let mut pack = RulePack::parse(include_str!("../../policies/baseline-1.toml")).unwrap();
    pack.classes.iter_mut().for_each(|class| class.relations = relations.to_vec());
    pack
}

fn met(infectious: Span, trail: &[TrailStay], others: &[Candidate], relations: &[Relation]) -> Vec<Exposure> {
    let pack = pack(relations);
    let dates = CaseDates { onset_at: None, sampled_at: infectious.until(), isolated_at: None };
    let question = Question {
        case: visitor(1),
        kind: CaseKind::Asymptomatic,
        dates,
        infectious,
        trail,
        pack: &pack,
        offset: FixedOffset::east_opt(8 * 3600).unwrap(),
    };
    exposures(&question, others)
}

/// All relations of those who are there together.
const TOGETHER: &[Relation] = &[Relation::SamePoint, Relation::SameVenue, Relation::NearbyCell];

fn near(point: u64) -> Option<Relation> {
    relation(&trail_stay(0, 0, 10), &candidate(1, 2, point, 0, 10, Presence::Unproven))
}

#[test]
fn the_nearest_relation_counts() {
    assert_eq!(near(0), Some(Relation::SamePoint));
    assert_eq!(near(1), Some(Relation::SameVenue));
    assert_eq!(near(2), Some(Relation::NearbyCell));
    assert_eq!(near(3), None);
}

#[test]
fn a_contradicted_stay_and_the_case_itself_meet_nobody() {
    let trail = [trail_stay(0, 0, 60)];
    let others = [
        candidate(1, 2, 0, 0, 60, Presence::Contradicted),
        candidate(2, 1, 0, 0, 60, Presence::Verified),
        candidate(3, 3, 0, 0, 60, Presence::Unproven),
    ];
    let met = met(span(0, 600), &trail, &others, TOGETHER);
    assert_eq!(met.iter().map(|e| e.visitor).collect::<Vec<_>>(), [visitor(3)]);
}

#[test]
fn only_the_infectious_part_of_a_stay_counts() {
    let met = met(
        span(30, 10),
        &[trail_stay(0, 0, 60)],
        &[candidate(1, 2, 0, 0, 60, Presence::Unproven)],
        TOGETHER,
    );
    assert_eq!(met.iter().map(|e| e.span).collect::<Vec<_>>(), [span(30, 10)]);
}

proptest! {
    /// For each pair of stays the shared minutes are those that a walk over all minutes counts.
    #[test]
    fn exposures_are_what_walking_the_minutes_says(
        trail in prop::collection::vec((0u64..4, 0i64..120, 1i64..60), 0..5),
        others in prop::collection::vec((2u128..5, 0u64..4, 0i64..120, 1i64..60, 0usize..4), 0..12),
        infectious in (0i64..60, 30i64..120),
        wide: bool,
    ) {
        let trail: Vec<_> = trail.into_iter().enumerate().map(|(n, (point, from, mins))| {
            TrailStay { id: Uuid::from_u128(n as u128), ..trail_stay(point, from, mins) }
        }).collect();
        let others: Vec<_> = others.into_iter().zip(100u128..).map(|((who, point, from, mins, presence), n)| {
            candidate(n, who, point, from, mins, Presence::ALL[presence])
        }).collect();
        let infectious = span(infectious.0, infectious.1);
        let relations = if wide { TOGETHER } else { &[Relation::SamePoint] };
        let mut found: Vec<_> = met(infectious, &trail, &others, relations)
            .into_iter().map(|e| (e.with, (e.visitor, e.stay_point, e.stay_from), e.span.duration().num_minutes())).collect();
        let mut expected = Vec::new();
        for own in &trail {
            for other in &others {
                let near = relation(own, other).is_some_and(|r| relations.contains(&r));
                let proven = other.stay.presence != Presence::Contradicted;
                let both = |m: &i64| own.span.contains(at(*m)) && other.stay.span.contains(at(*m)) && infectious.contains(at(*m));
                let minutes = i64::try_from((0..300).filter(both).count()).unwrap();
                if near && proven && minutes > 0 {
                    let stay = &other.stay;
                    expected.push((With::Case(own.id), (stay.visitor, stay.point, stay.span.from()), minutes));
                }
            }
        }
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}
