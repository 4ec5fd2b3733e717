//! New scans → the stays of their visitors: stored, computed anew as far as they reach, and brought in line.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, FixedOffset, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::domain::catalogue::{Catalogue, Category};
use crate::domain::scan::{Direction, LATE_FROM, Scan};
use crate::domain::span::Span;
use crate::domain::stay::{Reach, Stay, reach, stays_of};
use crate::domain::venue::PointId;
use crate::domain::visitor::Visitor;
use crate::store::scans::KnownScan;
use crate::store::stays::StayChange;
use crate::store::{StoreError, late, packing, scans, stays};

/// By what stays are computed.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// How long people stay.
    pub catalogue: &'a Catalogue,
    /// How far the local clock is ahead of UTC.
    pub offset: FixedOffset,
}

/// Whether it is written down what a late scan does to a stay that was known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// It is: somebody may have acted on what the stay said before.
    Traced,
    /// It is not: a history is being imported, and all of it is late.
    Untraced,
}

/// Stores scans and brings the stays of their visitors in line. Returns how many scans were new. Runs
/// inside a transaction of the caller; the import uses it too, so that imported scans end by the same
/// rules as live ones. The partitions of their days are there.
pub async fn store(
    conn: &mut AsyncPgConnection,
    rules: Rules<'_>,
    new: &[Scan],
    changes: Changes,
) -> Result<usize, StoreError> {
    let new = once_each(new);
    let reaches: BTreeMap<Visitor, Reach> = spans_by_visitor(&new)
        .into_iter()
        .map(|(visitor, (first, last))| (visitor, reach(first, last, rules.offset)))
        .collect();
    let scans_in: Vec<(Visitor, Span)> = reaches.iter().map(|(v, reach)| (*v, reach.scans)).collect();
    make_rows(conn, &reaches, &new).await?;
    let known = scans::within(conn, &scans_in).await?;
    let stored = scans::insert(conn, &new).await?;
    if stored == 0 {
        return Ok(0);
    }
    let inside =
        |stay: &Stay| reaches.get(&stay.visitor).is_some_and(|reach| reach.stays.contains(stay.span.from()));
    let present: Vec<Stay> = known.iter().filter_map(|known| known.stay.clone()).filter(inside).collect();
    let all = all_scans(known, new);
    let categories = categories(conn, rules.catalogue, &all).await?;
    let causes = if changes == Changes::Traced { late_scans(&all) } else { HashMap::new() };
    let mut wanted = stays_by(&categories, rules.offset, all);
    wanted.retain(inside);
    let difference = Difference::between(present, wanted);
    stays::remove(conn, &difference.gone).await?;
    stays::insert(conn, &difference.new).await?;
    stays::change(conn, &difference.after()).await?;
    stays::trace(conn, &difference.traced(&causes)).await?;
    if !difference.is_empty()
        && let Some(looked_at) = late::looked_at(conn).await?
    {
        late::note(conn, &difference.touched(&causes, looked_at)).await?;
    }
    Ok(stored)
}

/// Keeps the days of the reaches from being packed meanwhile. Where some are packed, as when history is imported, the
/// stays that may change are made rows again, so that all that follows finds rows.
async fn make_rows(
    conn: &mut AsyncPgConnection,
    reaches: &BTreeMap<Visitor, Reach>,
    new: &[Scan],
) -> Result<(), StoreError> {
    let spans: Vec<(Visitor, Span)> =
        reaches.iter().map(|(visitor, reach)| (*visitor, reach.stays)).collect();
    let packed = packing::open(conn, &spans.iter().map(|(_, span)| *span).collect::<Vec<_>>()).await?;
    let received = new.iter().map(|scan| scan.received_at).max().unwrap_or_default();
    packing::unpack_for(conn, &spans, &packed, received).await
}

/// What makes a scan the same scan.
fn key(scan: &Scan) -> (Visitor, DateTime<Utc>, Uuid) {
    (scan.visitor, scan.occurred_at, scan.id)
}

/// The scans by their keys; of several with one key the first counts, as in the table.
fn once_each(scans: &[Scan]) -> Vec<Scan> {
    let mut by_key = BTreeMap::new();
    for scan in scans {
        by_key.entry(key(scan)).or_insert(scan);
    }
    by_key.into_values().cloned().collect()
}

/// For each visitor, when the first and the last of the new scans occurred.
fn spans_by_visitor(new: &[Scan]) -> BTreeMap<Visitor, (DateTime<Utc>, DateTime<Utc>)> {
    let mut spans = BTreeMap::new();
    for scan in new {
        let at = scan.occurred_at;
        let span = spans.entry(scan.visitor).or_insert((at, at));
        *span = (span.0.min(at), span.1.max(at));
    }
    spans
}

/// A scan, and whether this batch brought it.
struct Seen {
    scan: Scan,
    is_new: bool,
}

/// What was known and what is new; of a scan that was known already what was known counts.
fn all_scans(known: Vec<KnownScan>, new: Vec<Scan>) -> Vec<Seen> {
    let keys: BTreeSet<_> = known.iter().map(|known| key(&known.scan)).collect();
    let known = known.into_iter().map(|known| Seen { scan: known.scan, is_new: false });
    let new = new.into_iter().filter(|scan| !keys.contains(&key(scan)));
    known.chain(new.map(|scan| Seen { scan, is_new: true })).collect()
}

async fn categories<'a>(
    conn: &mut AsyncPgConnection,
    catalogue: &'a Catalogue,
    all: &[Seen],
) -> Result<HashMap<PointId, &'a Category>, StoreError> {
    let points: BTreeSet<PointId> = all.iter().map(|seen| seen.scan.point).collect();
    let points: Vec<PointId> = points.into_iter().collect();
    let mut categories = HashMap::with_capacity(points.len());
    for (point, word) in scans::categories(conn, &points).await? {
        categories.insert(point, catalogue.get(&word).ok_or(StoreError::Corrupt("venues"))?);
    }
    Ok(categories)
}

/// The scans of a batch that changed what was known before: for each visitor the first that came late or
/// takes another back, and when it was received.
fn late_scans(all: &[Seen]) -> HashMap<Visitor, (Uuid, DateTime<Utc>)> {
    let is_late =
        |scan: &Scan| scan.direction == Direction::Void || scan.received_at - scan.occurred_at > LATE_FROM;
    let mut causes = HashMap::new();
    for seen in all.iter().filter(|seen| seen.is_new && is_late(&seen.scan)) {
        causes.entry(seen.scan.visitor).or_insert((seen.scan.id, seen.scan.received_at));
    }
    causes
}

/// The stays that follow. A scan of a point that the register does not know opens none; nobody could say
/// how long anybody stays there.
fn stays_by(categories: &HashMap<PointId, &Category>, offset: FixedOffset, all: Vec<Seen>) -> Vec<Stay> {
    let mut by_visitor: BTreeMap<Visitor, Vec<(Scan, &Category)>> = BTreeMap::new();
    for Seen { scan, .. } in all {
        if let Some(category) = categories.get(&scan.point) {
            by_visitor.entry(scan.visitor).or_default().push((scan, *category));
        }
    }
    by_visitor.into_values().flat_map(|scans| stays_of(scans, offset)).collect()
}

/// What turns the stays that are there into those that follow.
struct Difference {
    gone: Vec<Stay>,
    new: Vec<Stay>,
    /// Before and after.
    changed: Vec<(Stay, Stay)>,
}

impl Difference {
    fn between(present: Vec<Stay>, wanted: Vec<Stay>) -> Self {
        let key = |stay: &Stay| (stay.point, stay.span.from(), stay.id, stay.visitor);
        let mut present: BTreeMap<_, Stay> = present.into_iter().map(|stay| (key(&stay), stay)).collect();
        let mut difference = Self { gone: Vec::new(), new: Vec::new(), changed: Vec::new() };
        for stay in wanted {
            match present.remove(&key(&stay)) {
                None => difference.new.push(stay),
                Some(before) if before != stay => difference.changed.push((before, stay)),
                Some(_same) => {}
            }
        }
        difference.gone = present.into_values().collect();
        difference
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty() && self.changed.is_empty()
    }

    /// Who was where and when otherwise than a run may have seen, within what runs have looked at. Where a stay of
    /// somebody who is there still only gets its end, that is the time between the two ends; how the end is known
    /// counts where the scan came late.
    fn touched(
        &self,
        causes: &HashMap<Visitor, (Uuid, DateTime<Utc>)>,
        looked_at: Span,
    ) -> Vec<(Visitor, PointId, Span)> {
        let whole = |stay: &Stay| (stay.visitor, stay.point, Some(stay.span));
        let changed = self.changed.iter().map(|(before, after)| {
            let is_late = causes.contains_key(&after.visitor) || before.presence != after.presence;
            let (one, other) = (before.span.until(), after.span.until());
            let from = if is_late { after.span.from() } else { one.min(other) };
            (after.visitor, after.point, Span::new(from, one.max(other)).ok())
        });
        let all = self.gone.iter().chain(&self.new).map(whole).chain(changed);
        let inside = |(visitor, point, span): (Visitor, PointId, Option<Span>)| {
            Some((visitor, point, span?.overlap(&looked_at)?))
        };
        all.filter_map(inside).collect()
    }

    fn after(&self) -> Vec<Stay> {
        self.changed.iter().map(|(_, after)| after.clone()).collect()
    }

    fn traced(&self, causes: &HashMap<Visitor, (Uuid, DateTime<Utc>)>) -> Vec<StayChange> {
        let gone = self.gone.iter().map(|before| (before, None));
        let changed = self.changed.iter().map(|(before, after)| (before, Some(after.clone())));
        let change = |(before, after): (&Stay, Option<Stay>)| {
            let (cause, changed_at) = *causes.get(&before.visitor)?;
            Some(StayChange { before: before.clone(), after, cause, changed_at })
        };
        gone.chain(changed).filter_map(change).collect()
    }
}
