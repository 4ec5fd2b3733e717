//! What a visitor may say of an own stay, and why it is not taken.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::numbered::Numbered;
use super::scan::{Direction, Method, Presence, Scan};
use super::stay::{EndedBy, Stay};

/// What a visitor says of an own stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Said {
    /// Not to have been there.
    NotThere = 0,
    /// To have left before the end that is assumed.
    LeftEarlier = 1,
}

impl Numbered for Said {
    const ALL: &'static [Self] = &[Self::NotThere, Self::LeftEarlier];

    fn number(self) -> i16 {
        self as i16
    }
}

/// Why a correction is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCorrection {
    /// A device or staff scanned the visitor there: the own word does not undo what others saw.
    SeenByOthers,
    /// The visitor scanned out, or elsewhere, or the venue closed.
    EndIsKnown,
    /// The time is before the last scan there, or not before the end.
    NotShorter,
    /// The time lies ahead.
    Ahead,
}

/// A correction that may be recorded: what is said, and since when the visitor was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// Not there.
    NotThere,
    /// Gone from then on.
    LeftEarlier(DateTime<Utc>),
}

/// Checks what a visitor says of `stay`. `scans` are the visitor's scans, those at that point during the stay among them.
pub fn check(
    correction: Correction,
    stay: &Stay,
    scans: &[Scan],
    now: DateTime<Utc>,
) -> Result<(), NoCorrection> {
    if of_stay(stay, scans).any(|scan| scan.method != Method::Own) {
        return Err(NoCorrection::SeenByOthers);
    }
    let Correction::LeftEarlier(left_at) = correction else { return Ok(()) };
    let last = of_stay(stay, scans).map(|scan| scan.occurred_at).max().unwrap_or(stay.span.from());
    match stay.ended_by {
        _ if left_at > now => Err(NoCorrection::Ahead),
        EndedBy::Assumed | EndedBy::ClosingTime if left_at > last && left_at < stay.span.until() => Ok(()),
        EndedBy::Assumed | EndedBy::ClosingTime => Err(NoCorrection::NotShorter),
        EndedBy::NextScan | EndedBy::Left => Err(NoCorrection::EndIsKnown),
    }
}

/// The scans to be stored for a correction, from which the stays follow. `ids` names each.
pub fn scans_of(
    correction: Correction,
    stay: &Stay,
    scans: &[Scan],
    now: DateTime<Utc>,
    mut ids: impl FnMut() -> Uuid,
) -> Vec<Scan> {
    let word = |scan: &Scan, id, direction, occurred_at| Scan {
        id,
        direction,
        occurred_at,
        received_at: now,
        presence: Presence::Unproven,
        party: None,
        corrects: Some(scan.id),
        ..scan.clone()
    };
    let own = of_stay(stay, scans).filter(|scan| scan.method == Method::Own && scan.corrects.is_none());
    match correction {
        Correction::NotThere => own
            .filter(|scan| matches!(scan.direction, Direction::Entry | Direction::Passing))
            .map(|scan| word(scan, ids(), Direction::Void, scan.occurred_at))
            .collect(),
        Correction::LeftEarlier(left_at) => own
            .filter(|scan| scan.id == stay.id)
            .map(|scan| word(scan, ids(), Direction::Exit, left_at))
            .collect(),
    }
}

/// The scans that a stay rests on, what was taken back of it among them.
fn of_stay<'a>(stay: &'a Stay, scans: &'a [Scan]) -> impl Iterator<Item = &'a Scan> {
    let during = |at| stay.span.from() <= at && at <= stay.span.until();
    scans.iter().filter(move |scan| scan.point == stay.point && during(scan.occurred_at))
}

#[cfg(test)]
#[path = "own_correction_tests.rs"]
mod tests;
