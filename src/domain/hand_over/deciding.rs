//! How a receiver judges what it was handed: by its own pack, with the grading that its own cases have.
//!
//! What is not told counts for nothing. A meeting without its relation, granularity, day, or the day of the illness
//! meets no class; without its minutes it had none; without its slot it is judged by itself. The day of the illness is
//! known to the day alone, so the narrower infectious period is taken.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use uuid::Uuid;

use super::{HandOver, HandedExposure, midnight};
use crate::domain::case::{CaseDates, infectious};
use crate::domain::exposure::{Exposure, Question, With};
use crate::domain::grading::{Contact, Dwell, grade};
use crate::domain::rule_pack::{Class, ClassRule, Colour, CountedFrom, EndConditions, RulePack};
use crate::domain::scan::Presence;
use crate::domain::span::Span;
use crate::domain::stay::EndedBy;
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;

/// What the receiver's own rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The class of its own pack.
    pub class: Class,
    /// Which rule of that class.
    pub rule: Option<String>,
    /// The colour of its own pack; never green.
    pub colour: Colour,
    /// When the last meeting that counts ended.
    pub last_exposure_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// What ends it earlier.
    pub end: EndConditions,
}

/// The strongest of the pack's classes that the facts meet and that gives a colour; `None` where none does, or where
/// its days are over. A class whose release the pack reserves for a higher authority is not given by a hand-over.
pub fn decide(
    hand_over: &HandOver,
    pack: &RulePack,
    now: DateTime<Utc>,
    offset: FixedOffset,
) -> Option<Decided> {
    let kind = hand_over.infectious_kind.filter(|kind| pack.index_kinds.contains(kind))?;
    let dates = hand_over.exposures.iter().find_map(|one| dates(one, offset))?;
    let mut pack = pack.clone();
    pack.classes.retain(|rule| rule.release.is_none());
    let (first, last) = dates;
    let early = infectious(&first, &pack, now, offset);
    let period = early.overlap(&infectious(&last, &pack, now, offset))?;
    let exposures: Vec<Exposure> =
        (1..).zip(&hand_over.exposures).filter_map(|(at, one)| exposure(at, one, &period, offset)).collect();
    let case = Visitor::from_uuid(Uuid::nil());
    let question = Question { case, kind, dates: first, infectious: period, trail: &[], pack: &pack, offset };
    let contacts = grade(&question, &exposures, &Dwell::default());
    let rule_of = |contact: &Contact| {
        pack.classes.iter().find(|one| one.class == contact.class && one.rule == contact.rule)
    };
    contacts
        .iter()
        .filter(|contact| contact.colour > Colour::Green)
        .filter_map(|contact| Some(decided(contact, rule_of(contact)?, now)))
        .filter(|decided| decided.expires_at > now)
        .max_by_key(|decided| (decided.colour, std::cmp::Reverse(decided.class), decided.expires_at))
}

fn decided(contact: &Contact, rule: &ClassRule, now: DateTime<Utc>) -> Decided {
    let counted_from = match rule.counted_from {
        CountedFrom::LastExposure => contact.last_at,
        CountedFrom::Release => now,
    };
    Decided {
        class: contact.class,
        rule: contact.rule.clone(),
        colour: contact.colour,
        last_exposure_at: contact.last_at,
        expires_at: counted_from + TimeDelta::days(rule.days.into()),
        end: rule.end.clone().unwrap_or_default(),
    }
}

/// The first and the last moment at which the illness may have begun.
fn dates(one: &HandedExposure, offset: FixedOffset) -> Option<(CaseDates, CaseDates)> {
    let (has_onset, day) = one.illness_began(offset)?;
    let begin = midnight(day, offset);
    let at =
        |moment| CaseDates { onset_at: has_onset.then_some(moment), sampled_at: moment, isolated_at: None };
    Some((at(begin), at(begin + TimeDelta::days(1) - TimeDelta::microseconds(1))))
}

/// A fact as an exposure, within the infectious period of the receiver's pack.
fn exposure(at: u128, one: &HandedExposure, period: &Span, offset: FixedOffset) -> Option<Exposure> {
    one.illness_began(offset)?;
    let (from, who) = match one.slot {
        Some(slot) => (slot.from, 0),
        // Nobody knows how it lay to the others, so it is not added up with them.
        None => (midnight(one.date?, offset), at),
    };
    let span = match one.minutes.unwrap_or(0) {
        0 => Span::moment(from),
        minutes => Span::new(from, from + TimeDelta::minutes(minutes.into())).ok()?,
    };
    let day = midnight(one.day(offset)?, offset);
    Some(Exposure {
        with: With::Case(Uuid::nil()),
        stay_point: PointId::new(0)?,
        // Meetings of one day may have been one stay, so they count as one.
        stay_from: day,
        visitor: Visitor::from_uuid(Uuid::from_u128(1 << 64 | who)),
        relation: one.relation?,
        granularity: one.granularity?,
        category: Arc::from(one.category.as_deref().unwrap_or_default()),
        rows_apart: one.rows_apart,
        ended_by: one.ended_by.unwrap_or(EndedBy::Assumed),
        span: span.overlap(period)?,
        left_at: one.after_mins.map(|mins| from - TimeDelta::minutes(mins.into())),
        presence: one.presence.unwrap_or(Presence::Unproven),
    })
}
