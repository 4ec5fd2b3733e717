//! An own measure out of somebody else's facts: own rules, own authority, own days.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::settings::Own;
use crate::domain::hand_over::deciding::{Decided, decide};
use crate::domain::hand_over::{Decision, HandOver, HandedExposure, RECEIPT, Receipt};
use crate::domain::letter::{Letter, LetterExposure, LetterKind};
use crate::domain::rule_pack::Colour;
use crate::domain::scheme::Scheme;

/// A measure that holds already.
pub(super) struct Holding {
    /// How strong.
    pub(super) colour: Colour,
    /// Until when.
    pub(super) until: DateTime<Utc>,
}

/// What is answered, and the measure where there is one.
pub(super) struct Outcome {
    pub(super) receipt: Receipt,
    pub(super) measure: Option<Letter>,
}

/// Decides by this system's own pack. Somebody who is under a measure already that is no weaker gets no second one.
pub(super) fn judge(
    own: &Own,
    document: &HandOver,
    holding: Option<&Holding>,
    now: DateTime<Utc>,
) -> Outcome {
    let Some(decided) = decide(document, &own.pack, now, own.offset) else {
        let note = "by our rules nothing is to be done".to_owned();
        return Outcome {
            receipt: receipt(own, document.id, Decision::NoMeasure, None, note),
            measure: None,
        };
    };
    if let Some(holding) = holding.filter(|holding| holding.colour >= decided.colour) {
        let until = holding.until.with_timezone(&own.offset).format("%Y-%m-%d %H:%M");
        let note = format!("already under control at {} until {until}", own.division);
        let until = Some(holding.until);
        let receipt = receipt(own, document.id, Decision::AlreadyControlled, until, note);
        return Outcome { receipt, measure: None };
    }
    let note = "a measure by our rules".to_owned();
    let until = Some(decided.expires_at);
    Outcome {
        receipt: receipt(own, document.id, Decision::Measure, until, note),
        measure: Some(measure(own, document, decided)),
    }
}

/// What is answered to a withdrawal, and to a hand-over that was taken back before it came.
pub(super) fn taken_back(own: &Own, hand_over: Uuid) -> Receipt {
    receipt(own, hand_over, Decision::TakenBack, None, "taken back".to_owned())
}

fn receipt(
    own: &Own,
    hand_over: Uuid,
    decided: Decision,
    until: Option<DateTime<Utc>>,
    note: String,
) -> Receipt {
    Receipt {
        document: RECEIPT.to_owned(),
        hand_over,
        decided,
        until,
        authority: own.authority.clone(),
        division: own.division.to_string(),
        note,
    }
}

/// The reason that the visitor reads, in the form of a letter of this system to itself.
fn measure(own: &Own, document: &HandOver, decided: Decided) -> Letter {
    let assignment = Uuid::now_v7();
    Letter {
        id: Uuid::now_v7(),
        sequence: 0,
        kind: LetterKind::Assigned,
        assignment,
        visitor: document.alias.clone(),
        class: decided.class,
        rule: decided.rule.clone(),
        colour: decided.colour,
        // Pages and answers tell it in the scheme of this platform.
        shown: Scheme::Three.shown(decided.class, decided.colour, decided.rule.as_deref()),
        rule_pack: own.pack.name(),
        division: own.division.to_string(),
        authority: own.authority.clone(),
        legal_basis: grounds(own, document),
        exposures: document
            .exposures
            .iter()
            .filter_map(|one| shown(one, &document.sender.division))
            .collect(),
        last_exposure_at: decided.last_exposure_at,
        expires_at: decided.expires_at,
        review_at: None,
        end: decided.end,
        appeal_url: format!("{}/{assignment}", own.appeal_url.trim_end_matches('/')),
    }
}

/// The own legal basis, and who has told the facts, since the visitor has a right to know.
fn grounds(own: &Own, document: &HandOver) -> String {
    let HandOver { sender, legal_basis, .. } = document;
    format!("{}; {} ({}): {legal_basis}", own.legal_basis, sender.authority, sender.division)
}

fn shown(one: &HandedExposure, division: &str) -> Option<LetterExposure> {
    let slot = one.slot?;
    let place = one.place.clone().or_else(|| Some(format!("{division} · {}", one.category.as_ref()?)));
    // What was handed over without its slot is told by its day alone, which the end of the measure shows.
    let until = slot.until.max(slot.from + TimeDelta::minutes(15));
    Some(LetterExposure { place: place.unwrap_or_else(|| division.to_owned()), from: slot.from, until })
}
