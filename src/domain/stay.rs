//! Scans become stays: when somebody was at a point, and how the end is known.
//!
//! The stays of a visitor follow from the visitor's scans alone, whatever the order in which they
//! arrive, so a late scan or a correction is simply another computation:
//!
//! 1. An entry opens a window at its point. It is assumed to last the category's usual stay, and
//!    never beyond the venue's closing time. A passing scan opens one of two minutes.
//! 2. A scan at the same point while the window is open, or within two minutes of the scan before,
//!    continues the stay: its end is reckoned anew from that scan. At 04:00 local time, when next to
//!    nobody is out, a stay is begun afresh, so that none grows without bound.
//! 3. A scan elsewhere ends the window at that moment.
//! 4. An exit at the same point ends it at that moment, also later than assumed, up to the category's
//!    longest stay. An exit without an entry opens nothing.
//! 5. A void takes a scan back that others handed in: neither counts. What a visitor takes back of the own scans opens
//!    no stay, and all else is as it was: it ends the stay before it and judges travel. A visitor may also say to have
//!    left earlier. Neither makes any stay longer, or lets one stand that did not.
//! 6. Of scans between which nobody could have travelled, the weaker proof counts as contradicted, and of
//!    equal ones the later; only scans between the same two turns at 04:00 judge each other.
//! 7. A contradicted scan makes a stay of its own and changes no other, or a forged scan could be used
//!    to cut a true stay short.

use std::cmp::Reverse;
use std::collections::HashSet;

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};
use h3o::CellIndex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::catalogue::{Category, LONGEST_STAY, next_local_time};
use super::numbered::Numbered;
use super::scan::{Direction, Method, Presence, Scan};
use super::span::Span;
use super::travel::{Journey, Sighting, roams_m};
use super::venue::PointId;
use super::visitor::Visitor;

/// Two scans of one visitor at one point closer than this are one stay.
pub const SAME_SCAN: TimeDelta = TimeDelta::minutes(2);

/// How long a passing scan counts, in seconds.
pub const PASSING_SECS: u32 = 120;

/// How the end of a stay is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum EndedBy {
    /// Nothing told it: the category's usual stay.
    Assumed = 0,
    /// The venue closed.
    ClosingTime = 1,
    /// The visitor scanned somewhere else.
    NextScan = 2,
    /// The visitor scanned on leaving.
    Left = 3,
}

impl Numbered for EndedBy {
    const ALL: &'static [Self] = &[Self::Assumed, Self::ClosingTime, Self::NextScan, Self::Left];

    fn number(self) -> i16 {
        self as i16
    }
}

/// The time window of a visitor in a point's cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The scan that opened it.
    pub id: Uuid,
    /// Who.
    pub visitor: Visitor,
    /// Where.
    pub point: PointId,
    /// The cell of the point at that time.
    pub cell: CellIndex,
    /// When.
    pub span: Span,
    /// How its end is known.
    pub ended_by: EndedBy,
    /// The strongest proof among its scans.
    pub presence: Presence,
}

/// The stays that follow from one visitor's scans. `scans` come with the category of their venue and
/// in any order; the result is ordered by beginning.
pub fn stays_of(mut scans: Vec<(Scan, &Category)>, offset: FixedOffset) -> Vec<Stay> {
    take_back(&mut scans);
    scans.sort_by_key(|(scan, _)| (scan.occurred_at, scan.id));
    contradict(&mut scans, offset);
    let mut stays = Vec::new();
    let mut current: Option<Window> = None;
    for (scan, category) in &scans {
        if scan.presence == Presence::Contradicted {
            if matches!(scan.direction, Direction::Entry | Direction::Passing) {
                stays.push(Window::open(scan, category, offset).stay);
            }
            continue;
        }
        match scan.direction {
            Direction::Exit => match &mut current {
                Some(window) if scan.corrects.is_some() => window.end_by_word(scan),
                Some(window) => window.leave(scan, category),
                None => {}
            },
            Direction::Void => match &current {
                Some(window) if window.continues(scan, offset) => {}
                _ => stays.extend(current.take().map(|window| window.cut(scan.occurred_at))),
            },
            Direction::Entry | Direction::Passing => match &mut current {
                Some(window) if window.continues(scan, offset) => window.carry_on(scan, category, offset),
                _ => {
                    let next = Window::open(scan, category, offset);
                    stays.extend(current.replace(next).map(|window| window.cut(scan.occurred_at)));
                }
            },
        }
    }
    stays.extend(current.map(|window| window.stay));
    stays.sort_by_key(|stay| (stay.span.from(), stay.id));
    stays
}

/// Leaves out the voids and what they take back. A void names the moment of its scan too, so that it lies
/// within the same reach, and how it was scanned: a visitor's own scan is nobody else's to take back. Of the own ones
/// that the visitor takes back there remains that somebody scanned elsewhere then: a void in the place of the scan.
fn take_back(scans: &mut Vec<(Scan, &Category)>) {
    let key = |scan: &Scan, id: Uuid| (id, scan.point, scan.occurred_at, scan.method.number());
    let is_void = |scan: &Scan| scan.direction == Direction::Void;
    let voids = scans.iter().filter(|(scan, _)| is_void(scan));
    let voids: HashSet<_> = voids.filter_map(|(scan, _)| Some(key(scan, scan.corrects?))).collect();
    let is_taken = |scan: &Scan| voids.contains(&key(scan, scan.id));
    scans.retain(|(scan, _)| !is_void(scan) && (scan.method == Method::Own || !is_taken(scan)));
    for (scan, _) in scans {
        if scan.direction != Direction::Exit && is_taken(scan) {
            scan.direction = Direction::Void;
        }
    }
}

/// Marks the scans that cannot be true beside others of the same day, from one turn at 04:00 to the next: nobody
/// travels so fast. No scan judges one beyond a turn, which keeps what it changes within its [`reach`]. `scans` are
/// in the order of time.
fn contradict(scans: &mut [(Scan, &Category)], offset: FixedOffset) {
    let same_day = |one: &(Scan, &Category), next: &(Scan, &Category)| {
        next.0.occurred_at < next_day_turn(one.0.occurred_at, offset)
    };
    scans.chunk_by_mut(same_day).for_each(contradict_day);
}

/// What is best proven is taken for true first, so that the photo of a code erases no stay that a device, staff
/// or a screen has seen. Two of equal proof that exclude each other: the earlier stands, as whoever is in a place
/// cannot undo that by scanning. Should the clock of the earlier one's device have been wrong, a true scan is lost; an
/// invented exposure would be worse.
fn contradict_day(day: &mut [(Scan, &Category)]) {
    let first = day.first().map(|(scan, _)| scan.cell);
    if day.iter().all(|(scan, _)| Some(scan.cell) == first) {
        return;
    }
    let mut open: Vec<&mut (Scan, &Category)> = day.iter_mut().filter(|(scan, _)| may_judge(scan)).collect();
    open.sort_by_key(|(scan, _)| Reverse(scan.presence));
    let mut journey = Journey::default();
    for (scan, category) in open {
        let seen = Sighting { at: scan.occurred_at, cell: scan.cell, roams_m: roams_m(category) };
        if !journey.admit(seen) {
            scan.presence = Presence::Contradicted;
        }
    }
}

/// What is contradicted already judges nothing, and nor does a visitor's later word to have left.
fn may_judge(scan: &Scan) -> bool {
    scan.presence != Presence::Contradicted && scan.corrects.is_none()
}

/// Which stays a scan at `occurred_at` may change (those that begin inside), and which scans must be
/// known to compute them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The stays that may change begin inside this span.
    pub stays: Span,
    /// The scans that decide them occurred inside this span.
    pub scans: Span,
}

/// How far the effect of scans between `first` and `last` reaches. No stay crosses a day's turn while
/// it is continued, so everything lies between two turns.
pub fn reach(first: DateTime<Utc>, last: DateTime<Utc>, offset: FixedOffset) -> Reach {
    let from = next_day_turn(first - LONGEST_STAY - TimeDelta::days(1), offset);
    let until = next_day_turn(last, offset);
    let lasting = |until: DateTime<Utc>| Span::new(from, until).unwrap_or(Span::lasting(from, 1));
    Reach { stays: lasting(until), scans: lasting(until + LONGEST_STAY + SAME_SCAN) }
}

fn next_day_turn(at: DateTime<Utc>, offset: FixedOffset) -> DateTime<Utc> {
    let turn = NaiveTime::from_hms_opt(4, 0, 0).unwrap_or_default();
    next_local_time(at, turn, offset)
}

/// A stay that may still change.
struct Window {
    stay: Stay,
    scanned_at: DateTime<Utc>,
    left: bool,
}

impl Window {
    fn open(scan: &Scan, category: &Category, offset: FixedOffset) -> Self {
        let (until, ended_by) = assumed_end(scan, category, offset);
        let stay = Stay {
            id: scan.id,
            visitor: scan.visitor,
            point: scan.point,
            cell: scan.cell,
            span: at_least_a_second(scan.occurred_at, until),
            ended_by,
            presence: scan.presence,
        };
        Self { stay, scanned_at: scan.occurred_at, left: false }
    }

    fn continues(&self, scan: &Scan, offset: FixedOffset) -> bool {
        let open = !self.left && scan.occurred_at <= self.stay.span.until();
        let again = scan.occurred_at - self.scanned_at < SAME_SCAN;
        self.stay.point == scan.point
            && (open || again)
            && scan.occurred_at < next_day_turn(self.stay.span.from(), offset)
    }

    fn carry_on(&mut self, scan: &Scan, category: &Category, offset: FixedOffset) {
        let (until, ended_by) = assumed_end(scan, category, offset);
        if self.left || until > self.stay.span.until() {
            self.stay.span = at_least_a_second(self.stay.span.from(), until);
            self.stay.ended_by = ended_by;
        }
        self.stay.presence = self.stay.presence.max(scan.presence);
        self.scanned_at = scan.occurred_at;
        self.left = false;
    }

    fn leave(&mut self, scan: &Scan, category: &Category) {
        let longest = TimeDelta::minutes(category.longest_mins.into());
        if self.left || self.stay.point != scan.point || scan.occurred_at - self.scanned_at > longest {
            return;
        }
        self.stay.span = at_least_a_second(self.stay.span.from(), scan.occurred_at);
        self.stay.ended_by = EndedBy::Left;
        self.stay.presence = self.stay.presence.max(scan.presence);
        self.scanned_at = scan.occurred_at;
        self.left = true;
    }

    /// The visitor says to have left before the end that is assumed. It is no better known than before.
    fn end_by_word(&mut self, scan: &Scan) {
        let shortens = (self.scanned_at..self.stay.span.until()).contains(&scan.occurred_at);
        if shortens && !self.left && self.stay.point == scan.point {
            self.stay.span = at_least_a_second(self.stay.span.from(), scan.occurred_at);
        }
    }

    fn cut(mut self, at: DateTime<Utc>) -> Stay {
        if at < self.stay.span.until() {
            self.stay.span = at_least_a_second(self.stay.span.from(), at);
            self.stay.ended_by = EndedBy::NextScan;
        }
        self.stay
    }
}

fn assumed_end(scan: &Scan, category: &Category, offset: FixedOffset) -> (DateTime<Utc>, EndedBy) {
    let secs = match scan.direction {
        Direction::Passing => i64::from(PASSING_SECS),
        Direction::Entry | Direction::Exit | Direction::Void => i64::from(category.usual_mins) * 60,
    };
    let usual = scan.occurred_at + TimeDelta::seconds(secs);
    match category.next_closing(scan.occurred_at, offset) {
        Some(closing) if closing < usual => (closing, EndedBy::ClosingTime),
        _ => (usual, EndedBy::Assumed),
    }
}

/// A window is never empty: who was seen at two places in one instant was at both for a second.
fn at_least_a_second(from: DateTime<Utc>, until: DateTime<Utc>) -> Span {
    let second = Span::lasting(from, 1);
    Span::new(from, until.max(second.until())).unwrap_or(second)
}

#[cfg(test)]
#[path = "stay_tests.rs"]
mod tests;
