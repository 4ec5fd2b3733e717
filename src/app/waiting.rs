//! What waits to be drained before a run: in the log by shard, and in the inbox.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use crate::intake::backlog::{Backlog, NO_END};
use crate::store::{StoreError, inbox};

/// What the inbox is called among the shards.
pub const INBOX: &str = "inbox";

/// Where the log and the inbox ended: a position by shard, and the inbox's newest number under its name.
pub type Ends = BTreeMap<String, String>;

/// How many entries of the inbox are read to be counted; one more tells that there are more.
const INBOX_COUNTED: i64 = 1_001;

/// Entries and scans that are not drained.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Waiting {
    /// How many entries.
    pub entries: u64,
    /// How many scans are in them.
    pub scans: u64,
    /// Whether there are more, because counting ends at 1,000 entries, or because a part cannot be asked.
    pub at_least: bool,
    /// By number of the shard, and `inbox`; parts where nothing waits are left out.
    pub parts: BTreeMap<String, Backlog>,
    /// Parts that cannot be asked now.
    pub unknown: Vec<String>,
}

impl Waiting {
    fn add(&mut self, part: String, backlog: Backlog) {
        if backlog.entries > 0 {
            self.entries += backlog.entries;
            self.scans += backlog.scans;
            self.at_least |= backlog.at_least;
            self.parts.insert(part, backlog);
        }
    }
}

impl App {
    /// What waits up to the ends, or all that waits where there are none yet.
    pub async fn waiting(
        &self,
        conn: &mut AsyncPgConnection,
        ends: Option<&Ends>,
    ) -> Result<Waiting, StoreError> {
        let mut waiting = Waiting::default();
        for shard in self.intake.shards() {
            let part = shard.to_string();
            let end = ends.map_or(NO_END, |ends| ends.get(&part).map_or("0-0", String::as_str));
            match self.intake.backlog(shard, end).await {
                Ok(backlog) => waiting.add(part, backlog),
                Err(_away) => waiting.unknown.push(part),
            }
        }
        waiting.at_least |= !waiting.unknown.is_empty();
        let end = match ends {
            None => i64::MAX,
            Some(ends) => ends.get(INBOX).and_then(|id| id.parse().ok()).unwrap_or(0),
        };
        let mut backlog = Backlog::default();
        for entry in inbox::up_to(conn, end, INBOX_COUNTED).await? {
            backlog.add(&entry.entry);
        }
        waiting.add(INBOX.to_owned(), backlog);
        Ok(waiting)
    }
}
