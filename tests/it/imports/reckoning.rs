//! Contacts by brute force, second by second, without any code of the service: what its runs are held against.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, SmallInt, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::stays::Stayed;

/// `exposed_place` and its colour, the only class of baseline@1 that people of a hall can be in.
const EXPOSED_PLACE: i16 = 3;
const YELLOW: i16 = 1;
/// Who was together for so many seconds within so many belongs to it.
const TOGETHER_SECS: usize = 15 * 60;
const WITHIN_SECS: i64 = 24 * 3600;

/// A contact as the table of contacts has it.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    class: i16,
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = BigInt)]
    together_secs: i64,
    #[diesel(sql_type = Integer)]
    meetings: i32,
    #[diesel(sql_type = Timestamptz)]
    first_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last_at: DateTime<Utc>,
}

/// A person who is reported, and when that person could infect others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ill {
    pub(crate) visitor: Uuid,
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

/// What comes of somebody who is ill.
pub(crate) struct Reckoned {
    pub(crate) contacts: BTreeSet<Found>,
    /// How many were there at the same time, long enough or not.
    pub(crate) met: usize,
}

/// Those who met most others, each with the days in which that person was seen most often.
pub(crate) fn most_exposed(stays: &BTreeSet<Stayed>, people: usize, days: i64) -> Vec<Ill> {
    let mut others: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for here in by_venue(stays).values() {
        for (at, one) in here.iter().enumerate() {
            for other in here[at + 1..].iter().take_while(|other| other.from_at < one.until_at) {
                if one.visitor != other.visitor {
                    others.entry(one.visitor).or_default().insert(other.visitor);
                    others.entry(other.visitor).or_default().insert(one.visitor);
                }
            }
        }
    }
    let mut crowd: Vec<_> = others.into_iter().map(|(visitor, others)| (others.len(), visitor)).collect();
    crowd.sort_unstable_by_key(|(others, visitor)| (std::cmp::Reverse(*others), *visitor));
    crowd.iter().take(people).map(|(_, visitor)| busiest(stays, *visitor, TimeDelta::days(days))).collect()
}

/// The period begins ten minutes into a stay, so that one stay is cut by it.
fn busiest(stays: &BTreeSet<Stayed>, visitor: Uuid, length: TimeDelta) -> Ill {
    let own: Vec<DateTime<Utc>> =
        stays.iter().filter(|stay| stay.visitor == visitor).map(|stay| stay.from_at).collect();
    let seen = |from: DateTime<Utc>| own.iter().filter(|at| from <= **at && **at < from + length).count();
    let first = own.iter().copied().max_by_key(|from| (seen(*from), std::cmp::Reverse(*from))).unwrap();
    let from = first + TimeDelta::minutes(10);
    Ill { visitor, from, until: from + length }
}

/// The stays at each venue, in the order of time.
fn by_venue(stays: &BTreeSet<Stayed>) -> BTreeMap<&str, Vec<&Stayed>> {
    let mut venues: BTreeMap<&str, Vec<&Stayed>> = BTreeMap::new();
    for stay in stays {
        venues.entry(&stay.venue).or_default().push(stay);
    }
    for here in venues.values_mut() {
        here.sort_by_key(|stay| stay.from_at);
    }
    venues
}

/// The contacts of somebody at halls, by baseline@1: every second of the illness is looked at by itself.
pub(crate) fn contacts(stays: &BTreeSet<Stayed>, ill: &Ill) -> Reckoned {
    let venues = by_venue(stays);
    let mut together: BTreeMap<Uuid, BTreeSet<i64>> = BTreeMap::new();
    for own in stays.iter().filter(|stay| stay.visitor == ill.visitor) {
        let others = venues[own.venue.as_str()].iter().filter(|stay| stay.visitor != ill.visitor);
        let near: Vec<_> =
            others.filter(|stay| stay.from_at < own.until_at && own.from_at < stay.until_at).collect();
        if near.is_empty() {
            continue;
        }
        for second in own.from_at.timestamp()..own.until_at.timestamp() {
            let now = DateTime::from_timestamp(second, 0).unwrap();
            if now < ill.from || now >= ill.until {
                continue;
            }
            for other in &near {
                if other.from_at <= now && now < other.until_at {
                    together.entry(other.visitor).or_default().insert(second);
                }
            }
        }
    }
    let met = together.len();
    let contacts = together.into_iter().filter_map(|(visitor, seconds)| graded(visitor, &seconds)).collect();
    Reckoned { contacts, met }
}

fn graded(visitor: Uuid, seconds: &BTreeSet<i64>) -> Option<Found> {
    let most = seconds.iter().map(|first| seconds.range(*first..*first + WITHIN_SECS).count()).max()?;
    if most < TOGETHER_SECS {
        return None;
    }
    let begins = seconds.iter().filter(|second| !seconds.contains(&(**second - 1))).count();
    let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap();
    Some(Found {
        visitor,
        class: EXPOSED_PLACE,
        colour: YELLOW,
        together_secs: i64::try_from(seconds.len()).unwrap(),
        meetings: i32::try_from(begins).unwrap(),
        first_at: at(*seconds.first()?),
        last_at: at(*seconds.last()? + 1),
    })
}
