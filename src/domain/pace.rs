//! How many letters an issuing system takes in a minute.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// The length of a minute.
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// So many letters were sent within one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The end of that second.
    pub at: DateTime<Utc>,
    /// How many letters, whether they arrived or not.
    pub count: i32,
}

/// How many letters may go now, so that no minute holds more than `per_min`.
pub fn allowance(per_min: i32, recent: &[Sent], now: DateTime<Utc>) -> i32 {
    let sent = recent.iter().filter(|sent| sent.at + MINUTE > now).map(|sent| sent.count);
    per_min.saturating_sub(sent.fold(0, i32::saturating_add)).max(0)
}

/// What is to be remembered once `count` letters are sent: a minute's worth, by second, which is rounded up so that
/// nothing is forgotten too early.
pub fn noted(recent: &[Sent], count: i32, now: DateTime<Utc>) -> Vec<Sent> {
    let mut kept: Vec<Sent> = recent.iter().copied().filter(|sent| sent.at + MINUTE > now).collect();
    let at = now.trunc_subsecs(0) + TimeDelta::seconds(1);
    match kept.iter_mut().find(|sent| sent.at == at) {
        Some(same) => same.count = same.count.saturating_add(count),
        None => kept.push(Sent { at, count }),
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    #[test]
    fn what_was_sent_a_minute_ago_counts_no_more() {
        let recent = noted(&[], 30, at(500));
        assert_eq!(allowance(100, &recent, at(500)), 70);
        assert_eq!(allowance(20, &recent, at(500)), 0);
        assert_eq!(allowance(100, &recent, at(60_999)), 70);
        assert_eq!(allowance(100, &recent, at(61_000)), 100);
        assert_eq!(noted(&recent, 5, at(900)), [Sent { at: at(1000), count: 35 }]);
        assert_eq!(noted(&recent, 5, at(62_000)).len(), 1, "what is over is forgotten");
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_the_pace(
            per_min in 1..500_i32,
            steps in prop::collection::vec((1..9000_i64, 1..200_i32), 1..80),
        ) {
            let (mut now, mut recent, mut log) = (0, Vec::new(), Vec::new());
            for (pause, wanted) in steps {
                now += pause;
                let count = allowance(per_min, &recent, at(now)).min(wanted);
                recent = noted(&recent, count, at(now));
                log.push((now, count));
            }
            prop_assert!(recent.len() <= 62);
            for (from, _) in &log {
                let minute = log.iter().filter(|(at, _)| (*from..from + 60_000).contains(at));
                prop_assert!(minute.map(|(_, count)| count).sum::<i32>() <= per_min);
            }
        }
    }
}
