//! Agreements of mutual recognition: who is handed over to whom, by which way, and which facts may go.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::numbered::Numbered;
use super::venue::Division;

/// The way that a hand-over takes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Route {
    /// From one side to the other.
    Bilateral = 0,
    /// Through the national platform, which passes it on and decides nothing.
    Relay = 1,
    /// To the national platform, which decides itself.
    National = 2,
}

impl Numbered for Route {
    const ALL: &'static [Self] = &[Self::Bilateral, Self::Relay, Self::National];

    fn number(self) -> i16 {
        self as i16
    }
}

/// What of an exposure may be told. The list is closed, and no judgement of ours stands in it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// How near the two were; after the case had left, also how long after.
    Relation,
    /// Minutes together.
    Minutes,
    /// The local day.
    Date,
    /// The quarters of an hour around the meeting.
    Slot,
    /// Days between the onset (or the sample) of the case and the meeting.
    InfectiousDay,
    /// The category of the place.
    Category,
    /// How close together people are there.
    Granularity,
    /// What proves that the visitor was there.
    Presence,
    /// How the end of the visitor's stay is known.
    EndedBy,
    /// Rows between the two in a vehicle.
    Rows,
    /// The name of the place.
    Place,
}

impl Field {
    /// Every field.
    pub const ALL: &'static [Self] = &[
        Self::Relation,
        Self::Minutes,
        Self::Date,
        Self::Slot,
        Self::InfectiousDay,
        Self::Category,
        Self::Granularity,
        Self::Presence,
        Self::EndedBy,
        Self::Rows,
        Self::Place,
    ];

    /// The word for it, in agreements and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Relation => "relation",
            Self::Minutes => "minutes",
            Self::Date => "date",
            Self::Slot => "slot",
            Self::InfectiousDay => "infectious_day",
            Self::Category => "category",
            Self::Granularity => "granularity",
            Self::Presence => "presence",
            Self::EndedBy => "ended_by",
            Self::Rows => "rows",
            Self::Place => "place",
        }
    }

    /// The field that a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.word() == word)
    }
}

/// What is agreed, as it decides about a hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Its id, which both sides know.
    pub id: String,
    /// For whose people: those who live there.
    pub division: Division,
    /// By which way.
    pub route: Route,
    /// What may be told.
    pub fields: BTreeSet<Field>,
    /// The name of the key that persons are named under. The key itself is known to the channels alone.
    pub alias_key: String,
    /// The first moment at which it is in force.
    pub valid_from: DateTime<Utc>,
    /// The first at which it is not any more.
    pub valid_until: DateTime<Utc>,
}

impl Agreement {
    /// Whether it is in force.
    pub fn in_force(&self, now: DateTime<Utc>) -> bool {
        self.valid_from <= now && now < self.valid_until
    }
}

/// Whether somebody who lives in `residence` belongs elsewhere than to `own`, where the exposure was. A residence that
/// is told so widely that it holds `own` is not elsewhere.
pub fn is_elsewhere(own: &Division, residence: &Division) -> bool {
    !own.covers(residence) && !residence.covers(own)
}

/// The agreement by which somebody who lives in `residence` is handed over by `own`: of those in force the one for the
/// narrowest division, then the most direct way. `None` where there is none, or where nobody has to be handed over;
/// then the division of the exposure decides.
pub fn choose<'a>(
    agreements: &'a [Agreement],
    own: &Division,
    residence: &Division,
    now: DateTime<Utc>,
) -> Option<&'a Agreement> {
    if !is_elsewhere(own, residence) {
        return None;
    }
    let fits = |one: &&Agreement| one.in_force(now) && one.division.covers(residence);
    agreements
        .iter()
        .filter(fits)
        .min_by_key(|one| (std::cmp::Reverse(width(&one.division)), one.route, one.id.as_str()))
}

/// How many of the six digits of a division say something.
fn width(division: &Division) -> usize {
    if *division == Division::COUNTRY { 0 } else { division.to_string().trim_end_matches('0').len() }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn agreement(id: &str, division: &str, route: Route) -> Agreement {
        Agreement {
            id: id.to_owned(),
            division: division.parse().unwrap(),
            route,
            fields: Field::ALL.iter().copied().collect(),
            alias_key: id.to_owned(),
            valid_from: at() - TimeDelta::days(1),
            valid_until: at() + TimeDelta::days(1),
        }
    }

    fn chosen(agreements: &[Agreement], own: &str, residence: &str) -> Option<String> {
        let found = choose(agreements, &own.parse().unwrap(), &residence.parse().unwrap(), at());
        found.map(|one| one.id.clone())
    }

    #[test]
    fn the_narrowest_agreement_in_force_is_taken_and_then_the_most_direct_way() {
        let all = [
            agreement("national", "100000", Route::National),
            agreement("relay", "420000", Route::Relay),
            agreement("province", "420000", Route::Bilateral),
            agreement("city", "420100", Route::Relay),
        ];
        assert_eq!(chosen(&all, "410100", "420106").as_deref(), Some("city"));
        assert_eq!(chosen(&all, "410100", "420500").as_deref(), Some("province"));
        assert_eq!(chosen(&all, "410100", "330106").as_deref(), Some("national"));
        assert_eq!(chosen(&all[1..], "410100", "330106"), None);
        let ended = Agreement { valid_until: at(), ..all[3].clone() };
        let not_yet = Agreement { valid_from: at() + TimeDelta::seconds(1), ..all[3].clone() };
        assert_eq!(chosen(&[ended, not_yet], "410100", "420106"), None);
    }

    #[test]
    fn nobody_is_handed_over_who_may_live_here() {
        let all = [agreement("country", "100000", Route::National)];
        assert_eq!(chosen(&all, "410100", "410105"), None);
        assert_eq!(chosen(&all, "410100", "410000"), None, "somewhere in the province is here, perhaps");
        assert_eq!(chosen(&all, "410100", "410300").as_deref(), Some("country"));
        assert_eq!(chosen(&all, "100000", "420106"), None);
    }

    #[test]
    fn the_word_of_a_field_is_the_one_in_json() {
        for field in Field::ALL {
            assert_eq!(serde_json::to_value(field).unwrap(), field.word());
            assert_eq!(Field::of_word(field.word()), Some(*field));
        }
        assert_eq!(Field::of_word("colour"), None);
    }
}
