//! Proposals for people who belong elsewhere → hand-overs → the systems that decide about them.

mod send;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

pub use self::send::step;
use super::ACTOR;
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::hand_over::facts::{Meeting, facts};
use crate::domain::recognition::{Agreement, choose};
use crate::domain::visitor::Visitor;
use crate::store::access::division;
use crate::store::assignments::{self, AssignmentRow};
use crate::store::cases::CaseRow;
use crate::store::controls::Controlled;
use crate::store::hand_overs::{self, HandOverRow, Living};
use crate::store::runs::RunRow;
use crate::store::{StoreError, agreements, aliases, audit, cases, controls, decisions, residences};

/// Turns proposals aside before they are released: those for people under control elsewhere, and those for people whose
/// division decides itself by an agreement in force. They are withdrawn with the reason, the hand-overs are put into
/// the outbox, and the ids of the others are returned. Nobody is handed over whose channel has told no alias, or who
/// met contacts of the case alone: about those the division of the exposure decides.
pub async fn turn_aside(
    app: &App,
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    proposed: &[Uuid],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Uuid>> {
    let known = Known::of(conn, run, proposed, now).await?;
    let mut aside: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    let mut outgoing = Vec::new();
    for row in &known.rows {
        if let Some(Controlled { division, until }) = known.controlled.get(&Visitor::from_uuid(row.visitor)) {
            let until = until.with_timezone(&app.config.local_offset).format("%Y-%m-%d %H:%M");
            let reason = format!("already under control at {division} until {until}");
            aside.entry(reason).or_default().push(row.id);
        } else if let Some(going) = known.hand_over(app, row, now)? {
            aside.entry(format!("handed over to {}", going.division)).or_default().push(row.id);
            outgoing.push(going);
        }
    }
    for (reason, ids) in &aside {
        assignments::advance(conn, ids, AssignmentState::Withdrawn, ACTOR, reason, now).await?;
    }
    outgoing.retain(|going| !known.is_told(going));
    hand_overs::enqueue(conn, &outgoing).await?;
    let fallen =
        if run.base_run.is_some() { hand_overs::take_back_fallen(conn, run.id, now).await? } else { 0 };
    if !aside.is_empty() || fallen > 0 {
        note(conn, run, &aside, (outgoing.len(), fallen), now).await?;
    }
    let gone: HashSet<Uuid> = aside.into_values().flatten().collect();
    Ok(proposed.iter().copied().filter(|id| !gone.contains(id)).collect())
}

async fn note(
    conn: &mut AsyncPgConnection,
    run: &RunRow,
    aside: &BTreeMap<String, Vec<Uuid>>,
    (sent, fallen): (usize, usize),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let counts: BTreeMap<_, _> = aside.iter().map(|(reason, ids)| (reason, ids.len())).collect();
    let detail = serde_json::json!({ "turned_aside": counts, "hand_overs": sent, "no_longer_met": fallen });
    let act =
        audit::Act { actor: ACTOR, action: "run.turned_aside", subject: format!("run {}", run.id), detail };
    audit::append(conn, act, now).await
}

/// What has to be known of a run's proposals to say who is turned aside.
struct Known {
    rows: Vec<AssignmentRow>,
    case: CaseRow,
    legal_basis: String,
    agreements: Vec<(Agreement, i32)>,
    homes: HashMap<Visitor, crate::domain::venue::Division>,
    aliases: HashMap<(Visitor, String), Visitor>,
    controlled: HashMap<Visitor, Controlled>,
    meetings: HashMap<Visitor, Vec<Meeting>>,
    living: Vec<Living>,
}

impl Known {
    async fn of(
        conn: &mut AsyncPgConnection,
        run: &RunRow,
        proposed: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let rows = assignments::by_ids(conn, proposed).await?;
        let visitors: Vec<Visitor> = rows.iter().map(|row| Visitor::from_uuid(row.visitor)).collect();
        let case = cases::find(conn, run.case_id).await?.ok_or(StoreError::Corrupt("runs"))?;
        let mut bases: Vec<String> =
            decisions::releases(conn, run.id).await?.into_iter().map(|word| word.legal_basis).collect();
        bases.dedup();
        let mut known = Vec::new();
        for row in agreements::all(conn).await? {
            known.push((row.read()?, row.version));
        }
        known.retain(|(agreement, _)| agreement.in_force(now));
        let mut meetings: HashMap<Visitor, Vec<Meeting>> = HashMap::new();
        let mut living = Vec::new();
        if !known.is_empty() {
            for (visitor, meeting) in hand_overs::meetings(conn, run.id, &visitors).await? {
                meetings.entry(visitor).or_default().push(meeting);
            }
            living = hand_overs::living_of_case(conn, run.case_id).await?;
        }
        Ok(Self {
            case,
            legal_basis: bases.join("; "),
            agreements: known,
            homes: residences::of(conn, &visitors).await?,
            aliases: aliases::of(conn, &visitors).await?,
            controlled: controls::in_force(conn, &visitors, now).await?,
            meetings,
            living,
            rows,
        })
    }

    /// The hand-over in place of a proposal; `None` where it is decided here.
    fn hand_over(
        &self,
        app: &App,
        row: &AssignmentRow,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<HandOverRow>> {
        let visitor = Visitor::from_uuid(row.visitor);
        let Some(home) = self.homes.get(&visitor) else { return Ok(None) };
        let named: Vec<Agreement> = self
            .agreements
            .iter()
            .filter(|(one, _)| self.aliases.contains_key(&(visitor, one.alias_key.clone())))
            .map(|(one, _)| one.clone())
            .collect();
        let Some(agreement) = choose(&named, &division(&row.division)?, home, now) else { return Ok(None) };
        let meetings = self.meetings.get(&visitor).map(Vec::as_slice).unwrap_or_default();
        let facts = facts(meetings, &self.case.dates(), app.config.local_offset);
        let alias = self.aliases.get(&(visitor, agreement.alias_key.clone()));
        let version =
            self.agreements.iter().find(|(one, _)| one.id == agreement.id).map(|(_, version)| *version);
        let (Some(alias), Some(version), false) = (alias, version, facts.is_empty()) else { return Ok(None) };
        Ok(Some(HandOverRow {
            id: Uuid::now_v7(),
            assignment_id: row.id,
            agreement_id: agreement.id.clone(),
            agreement_version: version,
            division: agreement.division.to_string(),
            alias_key: agreement.alias_key.clone(),
            alias: alias.to_uuid(),
            own_division: row.division.clone(),
            authority: self.case.authority.clone(),
            legal_basis: self.legal_basis.clone(),
            infectious_kind: self.case.kind,
            facts: serde_json::to_value(facts)?,
            state: 0,
            attempts: 0,
            due_at: now,
            last_error: None,
            created_at: now,
            delivered_at: None,
            withdrawn_at: None,
            receipt: None,
        }))
    }

    /// Whether the same facts of the same person were handed over already by a run of this case, and still hold.
    fn is_told(&self, going: &HandOverRow) -> bool {
        let visitor = self.rows.iter().find(|row| row.id == going.assignment_id).map(|row| row.visitor);
        self.living.iter().any(|one| {
            Some(one.visitor) == visitor && one.agreement_id == going.agreement_id && one.facts == going.facts
        })
    }
}
