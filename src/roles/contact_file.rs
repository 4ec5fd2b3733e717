//! The contacts of a run as a file, for an investigator at the machine. The look is written down first.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use diesel_async::AsyncConnection;
use serde::Serialize;
use uuid::Uuid;

use super::cases::{investigator, signature};
use crate::app::App;
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::looking::LookKind;
use crate::domain::numbered::Numbered;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;
use crate::store::audit::{self, Act};
use crate::store::findings::{self, ContactRow};
use crate::store::looks::{self, Look};
use crate::store::runs::RunRow;
use crate::store::{access, cases};

/// How many contacts are read at once.
const PAGE: i64 = 5_000;

/// A row of the file.
#[derive(Serialize)]
struct Row {
    visitor: String,
    class: Class,
    colour: Colour,
    together_secs: i64,
    meetings: i32,
    first_at: String,
    last_at: String,
}

/// Writes the contacts of a run to a new file that only its owner may read, and returns how many.
pub(crate) async fn write(
    app: &App,
    run: &RunRow,
    by: &str,
    purpose: &str,
    path: &Path,
) -> anyhow::Result<u64> {
    let place = || format!("--contacts {}", path.display());
    let file = File::options().write(true).create_new(true).mode(0o600).open(path).with_context(place)?;
    let mut table = csv::Writer::from_writer(file);
    note(app, run, by, purpose).await?;
    let mut conn = app.store.conn().await?;
    let mut count = 0;
    loop {
        let page = findings::contact_page(&mut conn, run.id, i64::try_from(count)?, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for contact in &page {
            table.serialize(row(contact)?).with_context(place)?;
            count += 1;
        }
    }
    table.flush().with_context(place)?;
    Ok(count)
}

async fn note(app: &App, run: &RunRow, by: &str, purpose: &str) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let mut conn = app.store.conn().await?;
    conn.transaction::<_, anyhow::Error, _>(async |conn| {
        let case = cases::find(conn, run.case_id).await?.context("a run has its case")?;
        let staff = investigator(conn, by, &access::division(&case.division)?).await?;
        let look = Look {
            id: Uuid::now_v7(),
            case_id: case.id,
            run_id: Some(run.id),
            role: Role::Investigator.number(),
            purpose: purpose.to_owned(),
            at: now,
            kind: LookKind::Contacts.number(),
            division: Some(staff.division.clone()),
            visitor: None,
        };
        looks::insert(conn, &look).await?;
        let act = Act {
            actor: &signature(&staff),
            action: "persons.seen",
            subject: format!("run {}", run.id),
            detail: serde_json::json!({ "case": case.id, "purpose": purpose }),
        };
        Ok(audit::append(conn, act, now).await?)
    })
    .await
}

fn row(contact: &ContactRow) -> anyhow::Result<Row> {
    let broken = "a row of a run's result holds a value that cannot be";
    Ok(Row {
        visitor: Visitor::from_uuid(contact.visitor).to_hex(),
        class: Class::from_number(contact.class).context(broken)?,
        colour: Colour::from_number(contact.colour).context(broken)?,
        together_secs: contact.together_secs,
        meetings: contact.meetings,
        first_at: contact.first_at.to_rfc3339(),
        last_at: contact.last_at.to_rfc3339(),
    })
}
