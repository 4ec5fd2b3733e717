//! What an operator at the machine did, as it stands in the audit log.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::Value;

use crate::clock::Clock;
use crate::store::audit::{self, Act};

/// Appends an act of the command line. Whatever it tells of belongs in the same transaction, or comes after it.
pub(super) async fn note(
    conn: &mut AsyncPgConnection,
    action: &str,
    subject: &str,
    detail: Value,
) -> anyhow::Result<()> {
    let act = Act { actor: super::ACTOR, action, subject: subject.to_owned(), detail };
    let now = Clock::System.now();
    conn.transaction::<_, anyhow::Error, _>(async |conn| Ok(audit::append(conn, act, now).await?)).await
}
