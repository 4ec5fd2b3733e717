//! Rule packs and runs; what runs find stands in `findings`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{rule_packs, runs};
use super::{StoreError, sound};
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::RulePack;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum RunState {
    /// Waits for the pipeline.
    Queued = 0,
    /// Computed: can be looked at, and proposed.
    Computed = 1,
    /// Could not be computed; the reason stands beside it.
    Failed = 2,
    /// An investigator has proposed it; the pipeline makes the assignments.
    Proposing = 3,
    /// Waits for two officers.
    Proposed = 4,
    /// Out.
    Released = 5,
    /// Taken back, with all that hung on it.
    Withdrawn = 6,
    /// An investigator has cancelled it before it was computed.
    Cancelled = 7,
}

impl Numbered for RunState {
    const ALL: &'static [Self] = &[
        Self::Queued,
        Self::Computed,
        Self::Failed,
        Self::Proposing,
        Self::Proposed,
        Self::Released,
        Self::Withdrawn,
        Self::Cancelled,
    ];

    fn number(self) -> i16 {
        self as i16
    }
}

/// One computation of a case under one version of a rule pack.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = runs)]
pub struct RunRow {
    /// Id.
    pub id: Uuid,
    /// Of which case.
    pub case_id: Uuid,
    /// By which pack.
    pub pack_id: String,
    /// In which version.
    pub pack_version: i32,
    /// Number of a [`RunState`].
    pub state: i16,
    /// What for.
    pub purpose: String,
    /// Who asked.
    pub requested_by: Uuid,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// The ends of the log at that time, by shard.
    pub log_ends: Option<serde_json::Value>,
    /// When the case was infectious.
    pub infectious_from: Option<DateTime<Utc>>,
    /// Until when.
    pub infectious_until: Option<DateTime<Utc>>,
    /// When it was computed.
    pub computed_at: Option<DateTime<Utc>>,
    /// SHA-256 over the result.
    pub result_digest: Option<Vec<u8>>,
    /// Counts.
    pub summary: Option<serde_json::Value>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Who proposed it.
    pub proposed_by: Option<Uuid>,
    /// When.
    pub proposed_at: Option<DateTime<Utc>>,
    /// When it was let go.
    pub released_at: Option<DateTime<Utc>>,
    /// Whether it is computed to be looked at, and never goes out.
    pub dry: bool,
    /// Whether it is computed at once, whatever waits to be drained.
    pub incomplete_ok: bool,
    /// What waited to be drained when it was computed.
    pub incomplete: Option<serde_json::Value>,
    /// The case as it was seen: kind and dates.
    pub case_seen: Option<serde_json::Value>,
    /// Until when the period of a case runs that was not isolated; without it, until the run was asked for.
    pub bound_at: Option<DateTime<Utc>>,
    /// The run that it follows up.
    pub base_run: Option<Uuid>,
    /// Since when scans are known that it did not see.
    pub stale_at: Option<DateTime<Utc>>,
    /// How its contacts differ from those of the run that it follows up, in counts.
    pub difference: Option<serde_json::Value>,
}

impl RunRow {
    /// A run that waits to be computed.
    pub fn queued(
        case_id: Uuid,
        pack: (String, i32),
        purpose: String,
        requested_by: Uuid,
        now: DateTime<Utc>,
    ) -> Self {
        let (pack_id, pack_version) = pack;
        Self {
            id: Uuid::now_v7(),
            case_id,
            pack_id,
            pack_version,
            state: RunState::Queued.number(),
            purpose,
            requested_by,
            requested_at: now,
            log_ends: None,
            infectious_from: None,
            infectious_until: None,
            computed_at: None,
            result_digest: None,
            summary: None,
            failure: None,
            proposed_by: None,
            proposed_at: None,
            released_at: None,
            dry: false,
            incomplete_ok: false,
            incomplete: None,
            case_seen: None,
            bound_at: None,
            base_run: None,
            stale_at: None,
            difference: None,
        }
    }

    /// A run of the same question after late scans: over the same period, so that it differs by them alone.
    pub fn following(base: &Self, now: DateTime<Utc>) -> Self {
        let pack = (base.pack_id.clone(), base.pack_version);
        Self {
            bound_at: Some(base.until()),
            base_run: Some(base.id),
            ..Self::queued(base.case_id, pack, base.purpose.clone(), base.requested_by, now)
        }
    }

    /// Until when the period of a case runs that was not isolated.
    pub fn until(&self) -> DateTime<Utc> {
        self.bound_at.unwrap_or(self.requested_at)
    }

    /// Where it stands.
    pub fn state(&self) -> Result<RunState, StoreError> {
        sound(RunState::from_number(self.state), "runs")
    }
}

/// Loads a pack. The same text again changes nothing; another text under a version that is there is
/// refused, which `false` tells.
pub async fn load_pack(
    conn: &mut AsyncPgConnection,
    pack: &RulePack,
    body: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    diesel::insert_into(rule_packs::table)
        .values((
            rule_packs::id.eq(&pack.id),
            rule_packs::version.eq(pack.version),
            rule_packs::body.eq(body),
            rule_packs::loaded_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    let kept: String =
        rule_packs::table.find((&pack.id, pack.version)).select(rule_packs::body).first(conn).await?;
    Ok(kept == body)
}

/// The text of a pack.
pub async fn pack_body(
    conn: &mut AsyncPgConnection,
    id: &str,
    version: i32,
) -> Result<Option<String>, StoreError> {
    Ok(rule_packs::table.find((id, version)).select(rule_packs::body).first(conn).await.optional()?)
}

/// Names and versions of all packs.
pub async fn packs(conn: &mut AsyncPgConnection) -> Result<Vec<(String, i32)>, StoreError> {
    let order = (rule_packs::id, rule_packs::version);
    Ok(rule_packs::table.select(order).order(order).load(conn).await?)
}

/// Adds a run.
pub async fn insert(conn: &mut AsyncPgConnection, row: &RunRow) -> Result<(), StoreError> {
    diesel::insert_into(runs::table).values(row).execute(conn).await?;
    Ok(())
}

/// One run.
pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<RunRow>, StoreError> {
    Ok(runs::table.find(id).select(RunRow::as_select()).first(conn).await.optional()?)
}

/// One run, held until the transaction ends.
pub async fn hold(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<RunRow>, StoreError> {
    Ok(runs::table.find(id).select(RunRow::as_select()).for_update().first(conn).await.optional()?)
}

/// The runs of a case, the newest first.
pub async fn of_case(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<Vec<RunRow>, StoreError> {
    let own = runs::table.filter(runs::case_id.eq(case_id)).order(runs::id.desc()).limit(100);
    Ok(own.select(RunRow::as_select()).load(conn).await?)
}

/// The newest run that follows up a run.
pub async fn follow_up_of(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<Uuid>, StoreError> {
    let newest = runs::table.filter(runs::base_run.eq(id)).order(runs::id.desc()).select(runs::id);
    Ok(newest.first(conn).await.optional()?)
}

/// The oldest run in a state, held until the transaction ends; others are passed over when held. Runs
/// in `skip` are not ready yet.
pub async fn take(
    conn: &mut AsyncPgConnection,
    state: RunState,
    skip: &[Uuid],
) -> Result<Option<RunRow>, StoreError> {
    let next = runs::table
        .filter(runs::state.eq(state.number()))
        .filter(runs::id.ne_all(skip.to_vec()))
        .order(runs::requested_at)
        .select(RunRow::as_select())
        // Not `for update`: notes of its progress refer to the row meanwhile.
        .for_no_key_update()
        .skip_locked();
    Ok(next.first(conn).await.optional()?)
}

/// A run, held until the transaction ends, when it is queued and nobody computes it.
pub async fn take_queued(conn: &mut AsyncPgConnection, id: Uuid) -> Result<Option<RunRow>, StoreError> {
    let one = runs::table
        .filter(runs::id.eq(id))
        .filter(runs::state.eq(RunState::Queued.number()))
        .select(RunRow::as_select())
        .for_no_key_update()
        .skip_locked();
    Ok(one.first(conn).await.optional()?)
}

/// Runs of a division in a state, the newest first.
pub async fn in_state(
    conn: &mut AsyncPgConnection,
    division: &crate::domain::venue::Division,
    state: RunState,
    limit: i64,
) -> Result<Vec<RunRow>, StoreError> {
    use super::schema::cases;
    let open = runs::table
        .inner_join(cases::table.on(cases::id.eq(runs::case_id)))
        .filter(runs::state.eq(state.number()))
        .filter(cases::division.like(super::register::division_pattern(division)))
        .order(runs::id.desc())
        .limit(limit);
    Ok(open.select(RunRow::as_select()).load(conn).await?)
}

/// Moves a run from one state to another; false when it has left the first.
pub async fn set_state(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    from: RunState,
    to: RunState,
) -> Result<bool, StoreError> {
    let seen = runs::table.filter(runs::id.eq(id)).filter(runs::state.eq(from.number()));
    Ok(diesel::update(seen).set(runs::state.eq(to.number())).execute(conn).await? == 1)
}

/// Takes back every run of a case; those that failed stay as they are.
pub async fn withdraw(conn: &mut AsyncPgConnection, case_id: Uuid) -> Result<(), StoreError> {
    let ended = [RunState::Failed, RunState::Withdrawn, RunState::Cancelled].map(Numbered::number);
    let living = runs::table.filter(runs::case_id.eq(case_id)).filter(runs::state.ne_all(ended));
    diesel::update(living).set(runs::state.eq(RunState::Withdrawn.number())).execute(conn).await?;
    Ok(())
}

/// Notes who proposed a computed run; false when it is not computed any more.
pub async fn propose(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let seen = runs::table.filter(runs::id.eq(id)).filter(runs::state.eq(RunState::Computed.number()));
    let change =
        (runs::state.eq(RunState::Proposing.number()), runs::proposed_by.eq(by), runs::proposed_at.eq(now));
    Ok(diesel::update(seen).set(change).execute(conn).await? == 1)
}

/// Marks a run as let go.
pub async fn set_released(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let change = (runs::state.eq(RunState::Released.number()), runs::released_at.eq(now));
    diesel::update(runs::table.find(id)).set(change).execute(conn).await?;
    Ok(())
}
