//! What the packs say of assignments: how they end, and from when their days count.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::domain::ending::Life;
use crate::domain::numbered::Numbered;
use crate::domain::report::measure::rule_of;
use crate::domain::rule_pack::{Class, Colour, EndConditions, RulePack};
use crate::store::assignments::AssignmentRow;
use crate::store::{StoreError, runs};

/// The packs of some assignments, by id and version.
#[derive(Debug)]
pub struct Rules(BTreeMap<(String, i32), RulePack>);

impl Rules {
    /// Reads the packs under which these were decided.
    pub async fn of(conn: &mut AsyncPgConnection, rows: &[AssignmentRow]) -> Result<Self, StoreError> {
        let names: BTreeSet<_> = rows.iter().map(|row| (row.pack_id.clone(), row.pack_version)).collect();
        let mut packs = BTreeMap::new();
        for (id, version) in names {
            let body = runs::pack_body(conn, &id, version).await?.ok_or(StoreError::Corrupt("rule_packs"))?;
            let pack = RulePack::parse(&body).map_err(|_refused| StoreError::Corrupt("rule_packs"))?;
            packs.insert((id, version), pack);
        }
        Ok(Self(packs))
    }

    /// What ends an assignment before its days are over.
    pub fn end_of(&self, row: &AssignmentRow) -> EndConditions {
        let pack = self.0.get(&(row.pack_id.clone(), row.pack_version));
        let class = Class::from_number(row.class);
        let rule = pack.zip(class).and_then(|(pack, class)| rule_of(pack, class, row.rule.as_deref()));
        rule.and_then(|rule| rule.end.clone()).unwrap_or_default()
    }

    /// The assignment as it is judged; `shown_at` is when it was released, or extended the last time.
    pub fn life_of(row: &AssignmentRow, shown_at: DateTime<Utc>) -> Result<Life, StoreError> {
        Ok(Life {
            began_at: if row.days_from_release.is_some() { shown_at } else { row.last_exposure_at },
            shown_at,
            expires_at: row.expires_at,
            colour: Colour::from_number(row.colour_now).ok_or(StoreError::Corrupt("assignments"))?,
        })
    }
}
