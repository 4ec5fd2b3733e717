//! What facts and time make of an assignment: it stands, becomes weaker, or ends. Nothing here makes a colour
//! stronger or a life longer.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::local_day::{day_number, day_start};
use super::numbered::Numbered;
use super::rule_pack::{Colour, EndConditions, Tests};

/// How long before an assignment ends by itself an authority's word is asked for.
const ASK_BEFORE: TimeDelta = TimeDelta::days(1);

/// What an issuing system knows of a visitor's health that may end an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum FactKind {
    /// A sample was negative.
    NegativeTest = 0,
    /// A sample was positive.
    PositiveTest = 1,
    /// A day's declaration: no symptoms.
    HealthyCheckIn = 2,
    /// A day's declaration: symptoms.
    SymptomaticCheckIn = 3,
    /// An authority lets the visitor go.
    Discharge = 4,
}

impl Numbered for FactKind {
    const ALL: &'static [Self] = &[
        Self::NegativeTest,
        Self::PositiveTest,
        Self::HealthyCheckIn,
        Self::SymptomaticCheckIn,
        Self::Discharge,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}

/// One fact about one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Id.
    pub id: Uuid,
    /// What.
    pub kind: FactKind,
    /// When the sample was taken, the declaration made, the word given.
    pub at: DateTime<Utc>,
}

/// The assignment that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From when its days count; no fact before counts.
    pub began_at: DateTime<Utc>,
    /// When it was released, or extended the last time: nobody can be late with a fact before that.
    pub shown_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// The colour that is shown.
    pub colour: Colour,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Stands,
    /// A weaker colour, never green.
    Weaker(Colour, Ground),
    /// It ends.
    Ends(Ground),
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// So many negative tests, of which this was the last.
    Tests(u32, Uuid),
    /// So many daily check-ins, of which this was the last.
    CheckIns(u32, Uuid),
    /// An authority's word.
    Discharge(Uuid),
    /// So many days have passed.
    Days(u32),
}

impl Ground {
    /// The fact that decided; time alone is none.
    pub fn fact(self) -> Option<Uuid> {
        match self {
            Self::Tests(_, fact) | Self::CheckIns(_, fact) | Self::Discharge(fact) => Some(fact),
            Self::Days(_) => None,
        }
    }

    /// The reason that events and letters give.
    pub fn reason(self) -> String {
        match self {
            Self::Tests(1, _) => "a negative test".to_owned(),
            Self::Tests(count, _) => format!("{count} negative tests"),
            Self::CheckIns(count, _) => format!("{count} daily check-ins"),
            Self::Discharge(_) => "discharged".to_owned(),
            Self::Days(days) => format!("{days} days have passed"),
        }
    }
}

/// Everything that follows from what is known now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What follows.
    pub fate: Fate,
    /// When the fact that is needed next is overdue, and its kind; none where no fact is needed.
    pub review: Option<(DateTime<Utc>, FactKind)>,
    /// When time alone will change something.
    pub next_at: Option<DateTime<Utc>>,
}

/// Judges an assignment. Facts may come in any order; `offset` is the city's clock, which cuts the days of check-ins.
pub fn judge(
    end: &EndConditions,
    life: &Life,
    facts: &[Fact],
    now: DateTime<Utc>,
    offset: FixedOffset,
) -> Judgement {
    let known = Known::of(life, facts, offset);
    // What ended by itself has nothing left to be judged.
    let steps = if now < life.expires_at { outcomes(end, life, &known, now) } else { Vec::new() };
    let strongest = |(colour, _): &(Colour, Ground)| *colour;
    let fate = match steps.into_iter().filter(|(colour, _)| *colour < life.colour).min_by_key(strongest) {
        None => Fate::Stands,
        Some((Colour::Green, ground)) => Fate::Ends(ground),
        Some((colour, ground)) => Fate::Weaker(colour, ground),
    };
    let colour = match fate {
        Fate::Stands => life.colour,
        Fate::Weaker(colour, _) => colour,
        Fate::Ends(_) => return Judgement { fate, review: None, next_at: None },
    };
    let days = end.steps.iter().filter(|step| step.colour < colour);
    let next_at = days.map(|step| after(life, step.after_days)).filter(|at| *at > now).min();
    Judgement { fate, review: review(end, &Life { colour, ..*life }, &known), next_at }
}

/// The strongest of the open colours; green where there is none.
pub fn effective(open: impl IntoIterator<Item = Colour>) -> Colour {
    open.into_iter().max().unwrap_or(Colour::Green)
}

/// The facts that count, each kind in the order of time.
struct Known {
    /// Negative tests since the last fact that breaks a chain.
    negative: Vec<(DateTime<Utc>, Uuid)>,
    /// The first healthy check-in of each local day since then, with the day's number.
    healthy: Vec<(i64, DateTime<Utc>, Uuid)>,
    /// The last fact that breaks a chain: a positive test, or symptoms.
    broken_at: Option<DateTime<Utc>>,
    /// An authority's word.
    discharge: Option<Uuid>,
    offset: FixedOffset,
}

impl Known {
    fn of(life: &Life, facts: &[Fact], offset: FixedOffset) -> Self {
        let mut since: Vec<&Fact> = facts.iter().filter(|fact| fact.at >= life.began_at).collect();
        since.sort_by_key(|fact| (fact.at, fact.id));
        let breaks = |kind| matches!(kind, FactKind::PositiveTest | FactKind::SymptomaticCheckIn);
        let broken_at = since.iter().filter(|fact| breaks(fact.kind)).map(|fact| fact.at).max();
        let whole = |fact: &&&Fact| broken_at.is_none_or(|broken| fact.at > broken);
        let of = |kind| since.iter().filter(whole).filter(move |fact| fact.kind == kind);
        let mut healthy: Vec<_> = of(FactKind::HealthyCheckIn)
            .map(|fact| (day_number(fact.at.timestamp_micros(), offset), fact.at, fact.id))
            .collect();
        healthy.dedup_by_key(|(day, ..)| *day);
        Self {
            negative: of(FactKind::NegativeTest).map(|fact| (fact.at, fact.id)).collect(),
            healthy,
            broken_at,
            discharge: since.iter().find(|fact| fact.kind == FactKind::Discharge).map(|fact| fact.id),
            offset,
        }
    }
}

/// Each colour that some condition gives, green for an end.
fn outcomes(end: &EndConditions, life: &Life, known: &Known, now: DateTime<Utc>) -> Vec<(Colour, Ground)> {
    let discharge = known.discharge.filter(|_| end.by_authority);
    let mut found: Vec<_> =
        discharge.map(|fact| (Colour::Green, Ground::Discharge(fact))).into_iter().collect();
    for tests in end.tests.iter().chain(&end.or_tests) {
        let last = enough_tests(tests, life, known);
        found.extend(last.map(|fact| (Colour::Green, Ground::Tests(tests.count, fact))));
    }
    for rule in &end.check_ins {
        let last = enough_days(rule.count, known);
        found.extend(last.map(|fact| (rule.colour, Ground::CheckIns(rule.count, fact))));
    }
    for step in end.steps.iter().filter(|step| after(life, step.after_days) <= now) {
        found.push((step.colour, Ground::Days(step.after_days)));
    }
    found
}

/// So many days after the assignment's days began.
fn after(life: &Life, days: u32) -> DateTime<Utc> {
    life.began_at + TimeDelta::days(days.into())
}

/// The last of the tests that together are enough; the earliest such set.
fn enough_tests(tests: &Tests, life: &Life, known: &Known) -> Option<Uuid> {
    let not_before = after(life, tests.after_days.unwrap_or(0));
    let apart = TimeDelta::hours(tests.apart_hours.into());
    let within = tests.within_days.map(|days| TimeDelta::days(days.into()));
    let taken: Vec<_> = known.negative.iter().copied().filter(|(at, _)| *at >= not_before).collect();
    let completed = (0..taken.len()).filter_map(|first| {
        let (mut count, mut last): (u32, Option<(DateTime<Utc>, Uuid)>) = (0, None);
        let begun = taken.get(first)?.0;
        for test in taken.iter().skip(first).filter(|test| within.is_none_or(|most| test.0 - begun <= most)) {
            if last.is_none_or(|last| test.0 - last.0 >= apart) {
                (count, last) = (count + 1, Some(*test));
            }
            if count >= tests.count {
                return last;
            }
        }
        None
    });
    completed.min().map(|(_, fact)| fact)
}

/// The check-in that completes so many days without a gap, the first time that they are complete.
fn enough_days(count: u32, known: &Known) -> Option<Uuid> {
    let (mut row, mut before) = (0, None);
    for (day, _, fact) in &known.healthy {
        row = if before == Some(day - 1) { row + 1 } else { 1 };
        before = Some(*day);
        if row >= count {
            return Some(*fact);
        }
    }
    None
}

/// When the fact that is needed next is overdue. Of several ways the last counts: nobody is late who keeps to one.
fn review(end: &EndConditions, life: &Life, known: &Known) -> Option<(DateTime<Utc>, FactKind)> {
    let base = life.began_at.max(life.shown_at);
    let from = base.max(known.broken_at.unwrap_or(base));
    // Other ways by tests are for those who missed the first; they end the alarm by ending the assignment.
    let tests = end.tests.map(|tests| {
        let Some(days) = tests.within_days else { return life.expires_at };
        let within = TimeDelta::days(days.into());
        let not_before = after(life, tests.after_days.unwrap_or(0));
        // Who has begun has until the end of the time that the first test of the last try opened.
        let begun = known.negative.iter().filter(|(at, _)| *at >= not_before);
        let last = begun.clone().next_back().map(|(at, _)| *at);
        let first = last.and_then(|last| begun.clone().find(|(at, _)| last - *at <= within));
        from.max(not_before).max(first.map_or(from, |(at, _)| *at)) + within
    });
    let is_awaited = end.check_ins.iter().any(|rule| rule.colour < life.colour);
    let check_ins = is_awaited.then(|| {
        let last = known.healthy.last().map_or(from, |(_, at, _)| (*at).max(from));
        // By the end of the day after the last one.
        day_start(last, known.offset) + TimeDelta::days(2)
    });
    let word = end.by_authority.then(|| (life.expires_at - ASK_BEFORE).max(base));
    let ways = tests
        .into_iter()
        .map(|at| (at, FactKind::NegativeTest))
        .chain(check_ins.map(|at| (at, FactKind::HealthyCheckIn)))
        .chain(word.map(|at| (at, FactKind::Discharge)));
    let last = ways.max_by_key(|(at, _)| *at)?;
    Some((last.0.min(life.expires_at), last.1))
}

#[cfg(test)]
#[path = "ending_tests.rs"]
mod tests;
