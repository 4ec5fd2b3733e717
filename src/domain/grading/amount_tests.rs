//! How time is added up, against walking the minutes.

use super::*;
use crate::domain::exposure::fixtures::{World, at, class, pack};
use crate::domain::span::Span;
use proptest::prelude::*;

/// Whether meetings between these minutes are enough under a class with these keys.
fn reaches(world: &World, meetings: &[(i64, i64)]) -> bool {
    let question = world.question();
    let micros = |mins: i64| at(mins).timestamp_micros();
    let mut meetings = meetings.iter().map(|(from, until)| (micros(*from), micros(*until))).collect();
    Amount::new(&question, &world.pack.classes[0]).is_reached(&mut meetings)
}

fn world(infectious: &str, time: &str, keys: &str) -> World {
    World::new(pack(infectious, time, &[class("exposed_place", keys)]), vec![], vec![])
}

/// The most minutes for which a class is still met; `None` when not even 0 will do.
fn most(infectious: &str, time: &str, keys: &str, meetings: &[(i64, i64)]) -> Option<u32> {
    let mut world = world(infectious, time, keys);
    let mut asks = |mins| {
        world.pack.classes[0].together_mins = mins;
        reaches(&world, meetings)
    };
    (0..3000).take_while(|mins| asks(*mins)).last()
}

#[test]
fn three_times_five_minutes_in_a_day_are_fifteen() {
    // The rule of the US CDC since October 2020; before, one block of fifteen minutes.
    let thrice = [(0, 5), (300, 305), (1435, 1440)];
    assert_eq!(most("", "", "within_hours = 24", &thrice), Some(15));
    assert_eq!(most("", "", "within_hours = 24", &[(0, 5), (300, 305), (1436, 1441)]), Some(14));
    assert_eq!(most("", "", "", &thrice), Some(5));
    assert_eq!(most("", "", "within = \"meeting\"", &thrice), Some(5));
    assert_eq!(most("", "", "within = \"period\"", &thrice), Some(15));
    // Minute 120 is midnight UTC, and minute 30 local midnight.
    assert_eq!(most("", "", "within = \"day_utc\"", &thrice), Some(10));
    assert_eq!(most("", "", "within = \"day_local\"", &[(20, 32), (40, 45)]), Some(10));
}

#[test]
fn a_minimum_includes_itself_unless_more_is_asked() {
    // a.nwesen.de asks for an overlap of at least five minutes; ECDC for more than fifteen.
    let asks = |keys: &str, mins| reaches(&world("", "", keys), &[(0, mins)]);
    assert!(asks("together_mins = 5", 5) && !asks("together_mins = 5", 4));
    assert!(
        asks("together_mins = 15; more_than = true", 16) && !asks("together_mins = 15; more_than = true", 15)
    );
    assert!(asks("", 0) && !asks("more_than = true", 0));
}

#[test]
fn meetings_that_touch_are_one_and_no_moment_counts_twice() {
    assert_eq!(most("", "", "", &[(0, 10), (10, 15), (12, 13), (20, 25)]), Some(15));
    assert_eq!(most("", "", "within = \"period\"", &[(0, 10), (5, 15), (5, 15)]), Some(15));
    assert_eq!(most("", "", "joined = false", &[(0, 3), (3, 6)]), Some(3));
    assert_eq!(most("", "", "joined = false; within = \"period\"", &[(0, 3), (0, 3)]), Some(6));
    // A day that is cut stays cut.
    assert_eq!(most("", "split_days = \"utc\"", "", &[(100, 120), (120, 150)]), Some(30));
    assert_eq!(most("", "", "", &[]), None);
    assert_eq!(most("", "", "", &[(5, 5)]), Some(0));
}

#[test]
fn samples_make_frames_as_safe_paths_does() {
    let every_five = "ends = \"closed\"; sampling = { every_mins = 5, frame_mins = 30, needed = 4 }";
    assert_eq!(most("", every_five, "", &[(0, 60)]), Some(75));
    assert_eq!(most("", every_five, "", &[(0, 15)]), Some(30));
    assert_eq!(most("", every_five, "", &[(1, 19)]), None);
    assert_eq!(most("", every_five, "", &[(0, 5), (20, 25)]), Some(30));
    let mut ended = world("", every_five, "together_mins = 65");
    ended.infectious = Span::new(at(-10), at(60) + chrono::TimeDelta::microseconds(1)).unwrap();
    assert!(reaches(&ended, &[(0, 60)]));
    ended.pack.classes[0].together_mins = 66;
    assert!(!reaches(&ended, &[(0, 60)]));
    let every_four = "sampling = { every_mins = 4, frame_mins = 32, needed = 3 }";
    let each = |step: i64| {
        (0..65).step_by(usize::try_from(step).unwrap()).map(|from| (from, from + 1)).collect::<Vec<_>>()
    };
    assert_eq!(most("", every_four, "", &each(8)), Some(80));
    assert_eq!(most("", every_four, "", &each(16)), None);
}

#[test]
fn weights_go_by_the_day_since_onset_and_a_missing_day_weighs_nothing() {
    // Onset was at minute 0, half an hour before local midnight: so day 1 begins at minute 30.
    let weights = "weight_percent = { \"0\" = 160, \"1\" = 50 }";
    assert_eq!(most(weights, "", "", &[(20, 50)]), Some(26));
    assert_eq!(most(weights, "", "within = \"day_local\"", &[(20, 50)]), Some(16));
    assert_eq!(most(weights, "", "within_hours = 1", &[(0, 60)]), Some(63));
    assert_eq!(most(weights, "", "within_hours = 1", &[(10, 5000)]), Some(52));
    assert_eq!(most(weights, "", "", &[(-1500, -1480)]), Some(0));
    let world = world(weights, "", "");
    let question = world.question();
    let amount = Amount::new(&question, &world.pack.classes[0]);
    let weighs = |from, until| amount.weighs((at(from).timestamp_micros(), at(until).timestamp_micros()));
    assert!(!weighs(-1500, -1480) && weighs(10, 20) && !weighs(30 + 1440, 40 + 1440) && weighs(20, 20));
}

#[test]
fn a_case_without_onset_has_weights_of_its_own() {
    let both = "weight_percent = { \"0\" = 100 }\nweight_percent_sample = { \"0\" = 200 }";
    let mut world = world(both, "", "together_mins = 40");
    assert!(!reaches(&world, &[(0, 20)]));
    world.dates.onset_at = None;
    assert!(reaches(&world, &[(0, 20)]));
    world.pack.infectious.weight_percent_sample = None;
    assert!(!reaches(&world, &[(0, 20)]));
}

#[test]
fn the_length_of_a_meeting_may_be_rounded() {
    let rounded = |secs: i64| {
        let mut world = world("", "round_meeting_secs = 60", "joined = false");
        let begin = at(0).timestamp_micros();
        let question = |world: &World| {
            Amount::new(&world.question(), &world.pack.classes[0])
                .is_reached(&mut vec![(begin, begin + secs * 1_000_000)])
        };
        (0..100)
            .take_while(|mins| {
                world.pack.classes[0].together_mins = *mins;
                question(&world)
            })
            .last()
    };
    assert_eq!(rounded(5 * 60 + 45), Some(6));
    assert_eq!(rounded(5 * 60 + 30), Some(6));
    assert_eq!(rounded(5 * 60 + 15), Some(5));
}

/// Whether each minute lies in a meeting.
fn held(meetings: &[(i64, i64)], minute: i64) -> bool {
    meetings.iter().any(|(from, until)| (*from..*until).contains(&minute))
}

fn meetings() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((0i64..400, 1i64..60), 1..8)
        .prop_map(|parts| parts.into_iter().map(|(from, mins)| (from, from + mins)).collect())
}

/// What an hour of each of three days weighs here; day 0 ends at minute 30.
const WEIGHTS: [i64; 3] = [150, 40, 300];

fn weight(minute: i64) -> i64 {
    let day = (minute + 24 * 60 - 30).div_euclid(24 * 60);
    usize::try_from(day).ok().and_then(|day| WEIGHTS.get(day)).copied().unwrap_or(0)
}

proptest! {
    #[test]
    fn the_best_window_is_what_trying_every_minute_finds(meetings in meetings(), hours in 1usize..5, weighed: bool) {
        let weights = if weighed { "weight_percent = { \"0\" = 150, \"1\" = 40, \"2\" = 300 }" } else { "" };
        let count = |minute| i64::from(held(&meetings, minute)) * if weighed { weight(minute) } else { 100 };
        let counted: Vec<i64> = (-300..800).map(count).collect();
        let best = counted.windows(hours * 60).map(|window| window.iter().sum::<i64>()).max().unwrap();
        let found = most(weights, "", &format!("within_hours = {hours}"), &meetings);
        prop_assert_eq!(found.map(i64::from), Some(best / 100));
    }

    #[test]
    fn days_and_the_period_are_what_walking_the_minutes_says(meetings in meetings()) {
        let minutes = |from: i64, until: i64| (from..until).filter(|minute| held(&meetings, *minute)).count();
        let found = |keys: &str| most("", "", keys, &meetings).map(|mins| usize::try_from(mins).unwrap());
        prop_assert_eq!(found("within = \"period\""), Some(minutes(-10, 500)));
        prop_assert_eq!(found("within = \"day_utc\""), Some(minutes(-10, 120).max(minutes(120, 500))));
        prop_assert_eq!(found("within = \"day_local\""), Some(minutes(-10, 30).max(minutes(30, 500))));
        let runs = (-10..500).scan(0, |run, minute| { *run = if held(&meetings, minute) { *run + 1 } else { 0 }; Some(*run) });
        prop_assert_eq!(found("within = \"meeting\""), runs.max());
    }

    /// Frames by their definition: look at every sample, and at every frame that begins with one.
    #[test]
    fn frames_are_what_looking_at_every_sample_finds(meetings in meetings(), needed in 1usize..7) {
        let time = format!("sampling = {{ every_mins = 5, frame_mins = 30, needed = {needed} }}");
        let hit = |sample: i64| held(&meetings, sample * 5);
        let mut minutes = std::collections::BTreeSet::new();
        for first in (0..100).filter(|sample| hit(*sample)) {
            if (first..first + 6).filter(|sample| hit(*sample)).count() >= needed {
                minutes.extend(first * 5..first * 5 + 30);
            }
        }
        let expected = (!minutes.is_empty()).then(|| u32::try_from(minutes.len()).unwrap());
        prop_assert_eq!(most("", &time, "within = \"period\"", &meetings), expected);
    }
}

#[test]
fn a_contact_is_told_the_time_as_the_pack_counts_it() {
    let secs = |time: &str, meetings: &[(i64, i64)]| {
        let world = world("weight_percent = { \"0\" = 10 }", time, "");
        let joined: Vec<_> = meetings
            .iter()
            .map(|(from, until)| (at(*from).timestamp_micros(), at(*until).timestamp_micros()))
            .collect();
        Amount::new(&world.question(), &world.pack.classes[0]).secs(&joined)
    };
    assert_eq!(secs("", &[(0, 7), (10, 11)]), 8 * 60);
    assert_eq!(secs("round_meeting_secs = 300", &[(0, 7), (10, 13)]), 10 * 60);
    let frames = "ends = \"closed\"; sampling = { every_mins = 5, frame_mins = 30, needed = 4 }";
    assert_eq!(secs(frames, &[(0, 60)]), 75 * 60);
}
