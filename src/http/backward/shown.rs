//! What backward tracing found, as it is answered: with ids, names and reasons in place of positions.

use uuid::Uuid;

use super::{Backward, Cluster, LookedAt, NamedPlace, SharedPlace, Source};
use crate::domain::backward::source::{incubation, sources};
use crate::domain::backward::{self, Place, cluster};
use crate::domain::coverage::Sentence;
use crate::domain::venue::PointId;
use crate::http::error::ApiError;
use crate::store::backward::Gathered;
use crate::store::cases::CaseRow;

/// How many places, and how many clusters, an answer tells.
const LISTED_MAX: usize = 200;

/// How many likely sources an answer tells of each case, and how many clusters.
const SOURCES_MAX: usize = 5;

/// Gives what the domain found its names.
pub(super) struct Shown<'a> {
    pub(super) cases: &'a [CaseRow],
    pub(super) gathered: &'a Gathered,
}

impl Shown<'_> {
    /// The whole answer.
    pub(super) fn all(
        &self,
        places: &[backward::CommonPlace],
        clusters: &cluster::Clusters,
    ) -> Result<Backward, ApiError> {
        Ok(Backward {
            cases: self.cases(clusters)?,
            places: places.iter().take(LISTED_MAX).map(|place| self.place(place)).collect(),
            places_left_out: places.len().saturating_sub(LISTED_MAX),
            tested: clusters.tested,
            clusters: self.clusters(clusters),
            clusters_left_out: clusters.found.len().saturating_sub(LISTED_MAX),
            cases_cut: self.gathered.cut,
            note: note(),
        })
    }

    fn cases(&self, clusters: &cluster::Clusters) -> Result<Vec<LookedAt>, ApiError> {
        let dates: Vec<_> = self.cases.iter().map(CaseRow::dates).collect();
        let sources = sources(&dates, &self.gathered.stays);
        let listed = || clusters.found.iter().take(LISTED_MAX).enumerate();
        let case = |(at, (row, sources)): (usize, (&CaseRow, &Vec<backward::source::Source>))| {
            let while_infected = incubation(&row.dates());
            let of_case = |cluster: &cluster::Cluster| {
                cluster.cases.contains(&at) && cluster.slot.overlap(&while_infected).is_some()
            };
            let source_clusters = listed().filter(|(_, cluster)| of_case(cluster)).map(|(index, _)| index);
            Ok(LookedAt {
                case: row.id,
                kind: row.kind()?,
                onset_at: row.onset_at,
                sampled_at: row.sampled_at,
                stays: self.gathered.stays.iter().filter(|stay| stay.case == at).count(),
                sources: sources.iter().take(SOURCES_MAX).map(|source| self.source(source)).collect(),
                source_clusters: source_clusters.take(SOURCES_MAX).collect(),
            })
        };
        self.cases.iter().zip(&sources).enumerate().map(case).collect()
    }

    fn source(&self, source: &backward::source::Source) -> Source {
        let place = self.named(source.place);
        let together_mins = source.together_secs / 60;
        let (days, meetings, at) = (source.days_earlier, source.meetings, &place.venue_name);
        let (zh_by, en_by) = if source.is_by_sample {
            ("（按采样日计）", " (by the day of the sample)")
        } else {
            ("", "")
        };
        let reason = Sentence {
            zh: format!(
                "早 {days} 天{zh_by}，可传播期内同处 {together_mins} 分钟、{meetings} 次，最长在{at}。"
            ),
            en: format!(
                "Began {days} days earlier{en_by}; together for {together_mins} minutes in {meetings} meetings while it could happen, longest at {at}."
            ),
        };
        Source {
            case: self.case_id(source.case),
            days_earlier: days,
            is_by_sample: source.is_by_sample,
            serial_weight: source.serial,
            together_mins,
            meetings,
            place,
            score: source.score,
            reason,
        }
    }

    fn place(&self, found: &backward::CommonPlace) -> SharedPlace {
        SharedPlace {
            place: self.named(found.place),
            cases: found.cases.iter().map(|case| self.case_id(*case)).collect(),
            together_pairs: found.together_pairs,
            near_pairs: found.near_pairs,
            apart_pairs: found.apart_pairs,
            together_mins: found.together_secs / 60,
            first_at: found.first_at,
            last_at: found.last_at,
        }
    }

    fn clusters(&self, clusters: &cluster::Clusters) -> Vec<Cluster> {
        let cluster = |found: &cluster::Cluster| {
            let expected = found.surprise.map(|surprise| surprise.expected);
            Cluster {
                place: self.named(found.place),
                from: found.slot.from(),
                until: found.slot.until(),
                cases: found.cases.iter().map(|case| self.case_id(*case)).collect(),
                scans: found.scans,
                all_scans: found.all_scans,
                expected,
                ratio: expected.map(|expected| ratio(found.cases.len(), expected)),
                chance: found.surprise.map(|surprise| surprise.ln_p.exp()),
                chance_among_all: found.surprise.map(|surprise| surprise.among(clusters.tested)),
            }
        };
        clusters.found.iter().take(LISTED_MAX).map(cluster).collect()
    }

    fn case_id(&self, case: usize) -> Uuid {
        self.cases.get(case).map(|row| row.id).unwrap_or_default()
    }

    fn named(&self, place: Place) -> NamedPlace {
        let point = |point: PointId| self.gathered.points.get(&point.to_i64());
        let (venue, point) = match place {
            Place::Point(id) => (point(id).map(|row| row.venue_id), Some(id)),
            Place::Venue(venue) => (Some(venue), None),
        };
        let row = venue.and_then(|venue| self.gathered.venues.get(&venue));
        NamedPlace {
            venue,
            venue_name: row.map(|row| row.venue_name.clone()).unwrap_or_default(),
            address: row.map(|row| row.address.clone()).unwrap_or_default(),
            point: point.map(PointId::to_i64),
            point_name: point
                .and_then(|id| self.gathered.points.get(&id.to_i64()))
                .map(|row| row.point_name.clone()),
        }
    }
}

/// How many times as many there are as expected; what is expected is above zero wherever it is known.
fn ratio(seen: usize, expected: f64) -> f64 {
    u32::try_from(seen).map_or(f64::INFINITY, f64::from) / expected
}

fn note() -> Sentence {
    Sentence {
        zh: "供流行病学访谈参考，不构成任何判定；没有扫码的停留不在其中。".to_owned(),
        en:
            "A hint for the interview, and no finding about anybody; stays that nobody scanned are not in it."
                .to_owned(),
    }
}
