//! A small city for the demo: its venues, its people, and where they go on a day. Made from a seed.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, TimeDelta, Utc, Weekday};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// A venue of the city.
#[derive(Clone, Debug)]
pub(super) struct Venue {
    pub(super) name: String,
    pub(super) category: &'static str,
    pub(super) points: Vec<String>,
    pub(super) lat_deg: f64,
    pub(super) lng_deg: f64,
}

/// One scan that a person will make.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) person: usize,
    pub(super) at: DateTime<Utc>,
    pub(super) venue: usize,
    pub(super) point: usize,
    pub(super) exit: bool,
    /// Whether the phone tells its coarse cell.
    pub(super) phone: bool,
}

/// The city: venues and people with their habits.
pub(super) struct City {
    pub(super) venues: Vec<Venue>,
    people: Vec<Person>,
    seed: u64,
    offset: FixedOffset,
}

struct Person {
    work: usize,
    bus: usize,
    lunch: usize,
    evening: usize,
    shop: usize,
}

/// Kinds of venues, how many of each, and what each is called.
const KINDS: &[(&str, usize, &str)] = &[
    ("office", 20, "写字楼"),
    ("school", 6, "中学"),
    ("factory", 4, "机械厂"),
    ("restaurant", 30, "烩面馆"),
    ("teahouse", 6, "茶馆"),
    ("ktv", 4, "歌城"),
    ("gym", 5, "健身房"),
    ("mall", 3, "购物中心"),
    ("shop", 16, "便利店"),
    ("wet_market", 4, "菜市场"),
    ("bus", 12, "路公交车"),
    ("park", 2, "公园"),
    ("railway_station", 1, "站西南出口"),
];

/// Streets of Zhengzhou that venues are named after.
const STREETS: &[&str] = &["花园路", "金水路", "文化路", "二七路", "建设路", "嵩山路", "航海路", "东风路"];

impl City {
    /// A city of so many people.
    pub(super) fn new(people: usize, seed: u64, offset: FixedOffset) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let venues = venues(&mut rng);
        let of = |kinds: &[&str]| -> Vec<usize> {
            let kind = |venue: &Venue| kinds.contains(&venue.category);
            venues.iter().enumerate().filter(|(_, venue)| kind(venue)).map(|(at, _)| at).collect()
        };
        let work = of(&["office", "school", "factory"]);
        let (bus, lunch) = (of(&["bus"]), of(&["restaurant"]));
        let evening = of(&["teahouse", "ktv", "gym", "mall", "restaurant"]);
        let shop = of(&["shop", "wet_market"]);
        let people = (0..people)
            .map(|_| Person {
                work: pick(&mut rng, &work),
                bus: pick(&mut rng, &bus),
                lunch: pick(&mut rng, &lunch),
                evening: pick(&mut rng, &evening),
                shop: pick(&mut rng, &shop),
            })
            .collect();
        Self { venues, people, seed, offset }
    }

    /// The scans that everybody makes within `(from, until]`, in order of time.
    pub(super) fn moves(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Move> {
        let mut moves = Vec::new();
        let mut day = from.with_timezone(&self.offset).date_naive();
        let last = until.with_timezone(&self.offset).date_naive();
        while day <= last {
            for person in 0..self.people.len() {
                self.day(person, day, &mut moves);
            }
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
        moves.retain(|one| from < one.at && one.at <= until);
        moves.sort_by_key(|one| (one.at, one.person));
        moves
    }

    fn day(&self, person: usize, day: NaiveDate, moves: &mut Vec<Move>) {
        let Some(habits) = self.people.get(person) else { return };
        let days = u64::try_from(day.num_days_from_ce()).unwrap_or_default();
        let mut rng = StdRng::seed_from_u64(self.seed ^ (days << 32) ^ person as u64);
        let phone = rng.random_bool(0.7);
        let mut go = |rng: &mut StdRng, minute: i64, spread: i64, venue: usize, exit: bool| {
            let minute = minute + rng.random_range(-spread..=spread);
            let points = self.venues.get(venue).map_or(1, |venue| venue.points.len());
            let at = self.at(day, minute, rng.random_range(0..60));
            moves.push(Move { person, at, venue, point: rng.random_range(0..points), exit, phone });
        };
        if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            if rng.random_bool(0.5) {
                go(&mut rng, 11 * 60, 90, habits.shop, false);
            }
            if rng.random_bool(0.5) {
                go(&mut rng, 14 * 60, 120, habits.evening, false);
            }
            if rng.random_bool(0.3) {
                go(&mut rng, 18 * 60, 60, habits.lunch, false);
            }
            return;
        }
        if rng.random_bool(0.4) {
            go(&mut rng, 7 * 60 + 30, 40, habits.bus, false);
        }
        if rng.random_bool(0.85) {
            go(&mut rng, 8 * 60 + 40, 25, habits.work, false);
        }
        if rng.random_bool(0.35) {
            go(&mut rng, 12 * 60 + 10, 20, habits.lunch, false);
            go(&mut rng, 13 * 60 + 20, 15, habits.work, false);
        }
        if rng.random_bool(0.15) {
            go(&mut rng, 17 * 60 + 40, 30, habits.work, true);
        }
        if rng.random_bool(0.3) {
            go(&mut rng, 19 * 60, 60, habits.evening, false);
        } else if rng.random_bool(0.4) {
            go(&mut rng, 18 * 60 + 30, 50, habits.shop, false);
        }
    }

    fn at(&self, day: NaiveDate, minute: i64, second: i64) -> DateTime<Utc> {
        let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
        midnight - TimeDelta::seconds(self.offset.local_minus_utc().into())
            + TimeDelta::minutes(minute)
            + TimeDelta::seconds(second)
    }
}

fn venues(rng: &mut StdRng) -> Vec<Venue> {
    let mut venues = Vec::new();
    for (category, count, called) in KINDS {
        for number in 1..=*count {
            let street = STREETS.get(rng.random_range(0..STREETS.len())).copied().unwrap_or_default();
            let name = match *category {
                "bus" => format!("{} {called}", 100 + number),
                "railway_station" => format!("郑州{called}"),
                _ => format!("{street}{called} {number}"),
            };
            let points = match *category {
                "mall" => vec!["东门 East door".to_owned(), "美食广场 Food court".to_owned()],
                "office" => (1..=3).map(|floor| format!("{floor} 层 Floor {floor}")).collect(),
                "school" => (1..=6).map(|room| format!("教室 Classroom {room}")).collect(),
                "bus" => vec!["车厢 Carriage".to_owned()],
                _ => vec!["入口 Entrance".to_owned()],
            };
            let lat_deg = 34.7466 + rng.random_range(-0.05..0.05);
            let lng_deg = 113.6253 + rng.random_range(-0.06..0.06);
            venues.push(Venue { name, category, points, lat_deg, lng_deg });
        }
    }
    venues
}

fn pick(rng: &mut impl Rng, from: &[usize]) -> usize {
    from.get(rng.random_range(0..from.len().max(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_city() {
        let offset = FixedOffset::east_opt(8 * 3600).unwrap();
        let until = "2026-03-16T04:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let moves = |seed| City::new(200, seed, offset).moves(until - TimeDelta::days(1), until);
        let told = |moves: Vec<Move>| moves.iter().map(|m| (m.person, m.at, m.venue)).collect::<Vec<_>>();
        assert_eq!(told(moves(7)), told(moves(7)));
        assert_ne!(told(moves(7)), told(moves(8)));
        assert!(moves(7).len() > 200);
    }
}
