//! Reviews of contacts before their run is proposed: what may be said of one, and that equals stay equal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::numbered::Numbered;
use super::rule_pack::{Class, ClassRule, Colour, RulePack};

/// What a review says of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum ReviewKind {
    /// Gets no assignment.
    LeftOut = 0,
    /// Was left out, and is not any more.
    TakenBack = 1,
    /// Moved to a stronger class of the pack.
    Promoted = 2,
    /// Moved to a weaker class of the pack.
    Demoted = 3,
    /// Stays what it is, although somebody alike was treated otherwise.
    Kept = 4,
    /// Moved with everybody who was exposed at one place.
    Escalated = 5,
}

impl Numbered for ReviewKind {
    const ALL: &'static [Self] =
        &[Self::LeftOut, Self::TakenBack, Self::Promoted, Self::Demoted, Self::Kept, Self::Escalated];

    fn number(self) -> i16 {
        self as i16
    }
}

/// A class of a pack with the rule that leads to it, and the colour that the pack gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// The class.
    pub class: Class,
    /// Which of its rules, where there are several.
    pub rule: Option<String>,
    /// The colour.
    pub colour: Colour,
}

impl From<&ClassRule> for Grade {
    fn from(rule: &ClassRule) -> Self {
        Self { class: rule.class, rule: rule.rule.clone(), colour: rule.colour }
    }
}

impl Grade {
    /// How it is named: `close`, or `same_vehicle/sealed-coach` where a class has several rules.
    pub fn name(&self) -> String {
        let class = class_word(self.class);
        self.rule.as_ref().map_or_else(|| class.to_owned(), |rule| format!("{class}/{rule}"))
    }

    fn is_same_rule(&self, other: &Self) -> bool {
        self.class == other.class && self.rule == other.rule
    }
}

/// The word of a class, as packs and answers have it.
pub fn class_word(class: Class) -> &'static str {
    match class {
        Class::Close => "close",
        Class::Secondary => "secondary",
        Class::SameVehicle => "same_vehicle",
        Class::ExposedPlace => "exposed_place",
        Class::Companion => "companion",
        Class::Residual => "residual",
    }
}

/// A class that a pack does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of the classes of the run's rule pack: {}", .0.join(", "))]
pub struct UnknownClass(pub Vec<String>);

/// The class of a pack that a name means.
pub fn named(pack: &RulePack, name: &str) -> Result<Grade, UnknownClass> {
    let all: Vec<Grade> = pack.classes.iter().map(Grade::from).collect();
    let found = all.iter().find(|grade| grade.name() == name).cloned();
    found.ok_or_else(|| UnknownClass(all.iter().map(Grade::name).collect()))
}

/// What it is to move a contact from one class to another. A pack names its classes the strongest first.
pub fn moved(pack: &RulePack, from: &Grade, to: &Grade) -> ReviewKind {
    let place = |grade: &Grade| {
        let same = |rule: &ClassRule| rule.class == grade.class && rule.rule == grade.rule;
        pack.classes.iter().position(same).unwrap_or(usize::MAX)
    };
    match place(to).cmp(&place(from)) {
        std::cmp::Ordering::Less => ReviewKind::Promoted,
        std::cmp::Ordering::Equal => ReviewKind::Kept,
        std::cmp::Ordering::Greater => ReviewKind::Demoted,
    }
}

/// How one contact stands after the reviews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// As the run computed it.
    pub computed: Grade,
    /// As the reviews left it.
    pub now: Grade,
    /// Whether it gets nothing.
    pub is_left_out: bool,
    /// Whether somebody has written a reason for this very contact.
    pub is_said: bool,
    /// The place-wide escalation that moved it last, where no review came after.
    pub escalation: Option<Uuid>,
    /// The escalations at whose place it was, whether or not they moved it.
    pub was_at: Vec<Uuid>,
}

impl Standing {
    /// The colour that goes out; green for who is left out.
    fn colour(&self) -> Colour {
        if self.is_left_out { Colour::Green } else { self.now.colour }
    }
}

/// Time that one contact shared with a stay of the case, by counted exposures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Which of the contacts.
    pub contact: usize,
    /// Which stay: of the case, or of the contact through whom it was met.
    pub stay: String,
    /// How long, in microseconds.
    pub micros: i64,
}

/// How many contacts are treated unlike others who were exposed as they were, without a word of their own that says
/// why. Two are compared when both shared the same stay of the case, the one of whom more comes at most twice as long as
/// the other, since nobody's minutes are the same as another's. Of two of the same class by the same rule the same must
/// come; and nobody is moved above somebody whom the pack gives no weaker colour. The database reckons the same in
/// `run_unequal`.
pub fn unequal(contacts: &[Standing], shared: &[Shared]) -> usize {
    let mut by_stay: BTreeMap<&str, Vec<(usize, &Standing, i64)>> = BTreeMap::new();
    for time in shared {
        if let Some(contact) = contacts.get(time.contact) {
            by_stay.entry(&time.stay).or_default().push((time.contact, contact, time.micros));
        }
    }
    let mut found: BTreeSet<usize> = BTreeSet::new();
    for together in by_stay.values() {
        for &(_, said, said_micros) in together.iter().filter(|(_, contact, _)| contact.is_said) {
            let others = together.iter().filter(|(_, contact, _)| !contact.is_said);
            let wronged = others.filter(|&&(_, other, micros)| {
                overtakes((said, said_micros), (other, micros))
                    || overtakes((other, micros), (said, said_micros))
            });
            found.extend(wronged.map(|(at, ..)| *at));
        }
    }
    found.len()
}

/// Whether more comes of `one` than of `other`, who was exposed for about as long.
fn overtakes((one, one_micros): (&Standing, i64), (other, other_micros): (&Standing, i64)) -> bool {
    if one_micros > other_micros.saturating_mul(2)
        // Whoever was moved with a whole place is compared with those who were there.
        || one.escalation.is_some_and(|place| !other.was_at.contains(&place))
    {
        return false;
    }
    let same_start = one.computed.is_same_rule(&other.computed);
    let above = one.colour() > other.colour();
    let beside =
        one.colour() == other.colour() && one.colour() > Colour::Green && !one.now.is_same_rule(&other.now);
    let raised = one.colour() > one.computed.colour && one.computed.colour <= other.computed.colour;
    same_start && (above || beside) || raised && above
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
