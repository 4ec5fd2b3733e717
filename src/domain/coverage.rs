//! Coverage: how many scans a place had while a case was there, beside what its own past lets expect. Who does not
//! scan is on no list, so each list is a lower bound, and this says how low.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::backward::cluster::hour_of;
use super::span::Span;
use super::usage::BASELINE_DAYS;

/// How many weeks before make the baseline: the same hours of the same weekday, as for the use of posters.
pub const BASELINE_WEEKS: u16 = BASELINE_DAYS / 7;

/// Why a share is known, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Scans of the same hours of the same weekday, up to four weeks back.
    SameHours,
    /// The point is too young: it was not there in those hours a week before.
    TooYoung,
    /// It was there, and nobody scanned in those hours: nothing can be said.
    NoScansBefore,
    /// No more is known than the venue or the address.
    NoPoint,
    /// No place of the trail has a baseline.
    NoBaseline,
}

/// How many scans there were, as a share of the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// In percent of what the baseline lets expect; more than 100 on a busy day.
    Percent(u32),
    /// Nothing can be said; never taken for all.
    Unknown,
}

/// What was counted at the place of one stay, in the whole hours that the stay touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Scans in those hours.
    pub seen: u64,
    /// Scans in the same hours of the weeks before, in all.
    pub before: u64,
    /// In how many of those weeks the point was there.
    pub weeks: u16,
}

impl Counted {
    /// What the weeks before let expect; none where they say nothing.
    pub fn expected(&self) -> Option<f64> {
        (self.weeks > 0 && self.before > 0).then(|| float(self.before) / f64::from(self.weeks))
    }

    /// The share with what it rests on.
    pub fn share(&self) -> (Share, Basis) {
        match self.expected() {
            Some(expected) => (Share::Percent(percent(float(self.seen), expected)), Basis::SameHours),
            None if self.weeks == 0 => (Share::Unknown, Basis::TooYoung),
            None => (Share::Unknown, Basis::NoScansBefore),
        }
    }
}

/// The whole hours that a stay touches, and the same hours of each week of the baseline, the nearest first.
pub fn hours_of(stay: Span) -> Vec<Span> {
    let from = hour_of(stay.from());
    let last = hour_of(stay.until() - TimeDelta::microseconds(1));
    let whole = |weeks: u16| {
        let back = TimeDelta::weeks(weeks.into());
        Span::new(from - back, last + TimeDelta::hours(1) - back).ok()
    };
    (0..=BASELINE_WEEKS).filter_map(whole).collect()
}

/// In how many weeks of the baseline the point was there the whole time; `since` is when it was made, or first
/// scanned.
pub fn weeks_since(stay: Span, since: DateTime<Utc>) -> u16 {
    let before = hours_of(stay).into_iter().skip(1).filter(|hours| hours.from() >= since).count();
    u16::try_from(before).unwrap_or(BASELINE_WEEKS)
}

/// The coverage of one stay of a trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlaceCoverage {
    /// The venue; absent where no more is known than the address.
    pub venue: Option<Uuid>,
    /// Number of the point; absent where no more is known than the venue.
    pub point: Option<i64>,
    /// Since when the case was there.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// The scans of everybody in the hours of the stay.
    pub scans: u64,
    /// What is usual in these hours; absent where nothing can be said.
    pub usual_scans: Option<f64>,
    /// The one by the other.
    pub share: Share,
    /// What it rests on.
    pub basis: Basis,
}

impl PlaceCoverage {
    /// The coverage of a stay at a place; nothing is counted where the point is not known.
    pub fn of(venue: Option<Uuid>, point: Option<i64>, stay: Span, counted: Option<Counted>) -> Self {
        let counts = counted.unwrap_or_default();
        let (share, basis) = counted.map_or((Share::Unknown, Basis::NoPoint), |some| some.share());
        let (from, until) = (stay.from(), stay.until());
        let usual_scans = counts.expected();
        Self { venue, point, from, until, scans: counts.seen, usual_scans, share, basis }
    }
}

/// How the ends of stays are known, in counts of stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ends {
    /// By the category's usual stay alone.
    pub assumed: u64,
    /// By the hour at which the venue closes.
    pub closing_time: u64,
    /// By a scan elsewhere.
    pub next_scan: u64,
    /// By a scan on leaving.
    pub left: u64,
}

/// What proves that people were there, in counts of stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Presences {
    /// Nothing speaks for it or against it.
    pub unproven: u64,
    /// The phone was near.
    pub plausible: u64,
    /// Somebody or something saw them.
    pub verified: u64,
}

/// The stays that the contacts of a run rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StaysMix {
    /// How their ends are known.
    pub ends: Ends,
    /// What share of them has an assumed end, in percent; absent where there is none.
    pub assumed_percent: Option<u32>,
    /// What proves them.
    pub presence: Presences,
}

impl StaysMix {
    /// The mix of so many stays.
    pub fn new(ends: Ends, presence: Presences) -> Self {
        let all = ends.assumed + ends.closing_time + ends.next_scan + ends.left;
        let assumed_percent = (all > 0).then(|| percent(float(ends.assumed), float(all)));
        Self { ends, assumed_percent, presence }
    }
}

/// How complete a list can be, without the places of the case: to be shown with every list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whole {
    /// Over all places with a baseline; what one has beyond its usual does not stand in for what another lacks.
    pub share: Share,
    /// What it rests on.
    pub basis: Basis,
    /// How many stays of the trail have a baseline.
    pub known: usize,
    /// How many have none.
    pub unknown: usize,
    /// The sentence that is printed on every list.
    pub sentence: Sentence,
}

/// How complete a list can be, as a whole and by the stays of the case. The stays are the case's own, so they are
/// shown only after a look was written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Coverage {
    /// As a whole.
    pub whole: Whole,
    /// Each stay of the trail, in the order of time.
    pub places: Vec<PlaceCoverage>,
}

/// A sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sentence {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Coverage {
    /// The coverage of a trail from that of its stays.
    pub fn over(places: Vec<PlaceCoverage>) -> Self {
        let usual: f64 = places.iter().filter_map(|place| place.usual_scans).sum();
        let capped = |place: &PlaceCoverage| place.usual_scans.map(|usual| usual.min(float(place.scans)));
        let seen: f64 = places.iter().filter_map(capped).sum();
        let known = places.iter().filter(|place| place.usual_scans.is_some()).count();
        let (share, basis) = if known == 0 {
            (Share::Unknown, Basis::NoBaseline)
        } else {
            (Share::Percent(percent(seen, usual)), Basis::SameHours)
        };
        let unknown = places.len() - known;
        let sentence = sentence(share, known, unknown);
        Self { whole: Whole { share, basis, known, unknown, sentence }, places }
    }
}

fn sentence(share: Share, known: usize, unknown: usize) -> Sentence {
    let all = known + unknown;
    match share {
        Share::Percent(percent) => Sentence {
            zh: format!(
                "本名单为下限：病例停留的 {all} 处中，有基线的 {known} 处当时的扫码量为平常的 {percent}%，其余 {unknown} 处未知；没有扫码的人不在名单上。"
            ),
            en: format!(
                "A lower bound: of the {all} stays of the case, the {known} with a baseline had {percent} % of the usual scans, and for {unknown} it is unknown; whoever did not scan is not on the list."
            ),
        },
        Share::Unknown => Sentence {
            zh: format!(
                "本名单为下限：病例停留的 {all} 处均无扫码基线，有多少在场的人扫了码未知；没有扫码的人不在名单上。"
            ),
            en: format!(
                "A lower bound: none of the {all} stays of the case has a baseline, so how many of those present scanned is unknown; whoever did not scan is not on the list."
            ),
        },
    }
}

/// A share in percent, rounded down so that nothing reads as more than it is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held within the bounds of the type"
)]
fn percent(part: f64, whole: f64) -> u32 {
    if whole > 0.0 { (part * 100.0 / whole).floor().clamp(0.0, 1_000_000.0) as u32 } else { 0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts of scans lie far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-03-16T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn span(from: i64, until: i64) -> Span {
        Span::new(at(from), at(until)).unwrap()
    }

    fn place(seen: u64, before: u64, weeks: u16) -> PlaceCoverage {
        PlaceCoverage::of(None, Some(1), span(0, 60), Some(Counted { seen, before, weeks }))
    }

    #[test]
    fn a_stay_is_compared_with_the_same_hours_of_the_weeks_before() {
        let hours = hours_of(span(50, 121));
        assert_eq!(hours.len(), 5);
        assert_eq!(hours[0], span(0, 180));
        assert_eq!(hours[1], span(-7 * 1440, 180 - 7 * 1440));
        assert_eq!(
            hours_of(span(50, 120))[0],
            span(0, 120),
            "a stay that ends on the hour does not touch the next"
        );
        assert_eq!(
            [at(-20 * 1440), at(-21 * 1440), at(-7 * 1440 + 1)].map(|since| weeks_since(span(5, 6), since)),
            [2, 3, 0]
        );
    }

    #[test]
    fn what_is_missing_is_unknown_and_never_all() {
        let share = |seen, before, weeks| Counted { seen, before, weeks }.share();
        assert_eq!(share(5, 40, 4), (Share::Percent(50), Basis::SameHours));
        assert_eq!(share(0, 40, 4), (Share::Percent(0), Basis::SameHours));
        assert_eq!(share(50, 0, 4), (Share::Unknown, Basis::NoScansBefore));
        assert_eq!(share(50, 40, 0), (Share::Unknown, Basis::TooYoung));
        assert_eq!(share(0, 0, 0), (Share::Unknown, Basis::TooYoung));
        let nowhere = PlaceCoverage::of(None, None, span(0, 60), None);
        assert_eq!((nowhere.share, nowhere.basis), (Share::Unknown, Basis::NoPoint));
        let none = Coverage::over(vec![]).whole;
        assert_eq!((none.share, none.basis), (Share::Unknown, Basis::NoBaseline));
        assert!(none.sentence.en.contains("unknown") && none.sentence.zh.contains("未知"));
        assert!(!none.sentence.en.contains('%'));
    }

    #[test]
    fn a_busy_place_does_not_stand_in_for_a_dead_one() {
        let Coverage { whole, places } =
            Coverage::over(vec![place(300, 400, 4), place(0, 400, 4), place(7, 0, 4)]);
        assert_eq!((whole.share, whole.known, whole.unknown), (Share::Percent(50), 2, 1));
        assert_eq!(places[0].share, Share::Percent(300));
        assert!(whole.sentence.en.starts_with("A lower bound") && whole.sentence.en.contains("50 %"));
        assert!(whole.sentence.zh.starts_with("本名单为下限") && whole.sentence.zh.contains("50%"));
    }

    #[test]
    fn the_mix_tells_how_many_ends_are_assumed() {
        let ends = Ends { assumed: 2, closing_time: 0, next_scan: 1, left: 0 };
        assert_eq!(StaysMix::new(ends, Presences::default()).assumed_percent, Some(66));
        assert_eq!(StaysMix::default().assumed_percent, None);
    }

    proptest! {
        #[test]
        fn a_whole_is_known_only_by_its_known_parts(parts in prop::collection::vec((0_u64..50, 0_u64..50, 0_u16..5), 0..8)) {
            let places: Vec<_> = parts.iter().map(|(seen, before, weeks)| place(*seen, *before, *weeks)).collect();
            let Coverage { whole, .. } = Coverage::over(places);
            let known: Vec<_> = parts.iter().filter(|(_, before, weeks)| *before > 0 && *weeks > 0).collect();
            prop_assert_eq!(whole.known, known.len());
            prop_assert_eq!(whole.share == Share::Unknown, known.is_empty());
            if let Share::Percent(percent) = whole.share {
                prop_assert!(percent <= 100);
            }
        }
    }
}
