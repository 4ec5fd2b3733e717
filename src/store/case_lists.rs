//! Line lists into cases: what is new is entered, what is there is compared, nothing is changed.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::StoreError;
use super::cases::{self, CaseRow};
use crate::domain::line_list::LineRow;
use crate::domain::numbered::Numbered;

/// How many cases are asked for at once.
const BLOCK: usize = 2000;

/// What a list came to.
#[derive(Debug, Default)]
pub struct Imported {
    /// How many cases are new.
    pub added: usize,
    /// How many are there already, just as the list says.
    pub known: usize,
    /// Those that are there and say something else.
    pub changed: Vec<Changed>,
}

/// A case of which a list says something else than what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// In which line.
    pub line: u64,
    /// The authority's number.
    pub case_no: String,
    /// The case that is there.
    pub case: Uuid,
    /// The columns that differ.
    pub columns: Vec<&'static str>,
}

/// Who enters a list, and when.
#[derive(Debug, Clone, Copy)]
pub struct Entering {
    /// Who.
    pub by: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it is only to be seen what would be done.
    pub check: bool,
}

/// Enters the cases of a list that are not there. The caller keeps it in one transaction, so that all are entered or
/// none. `tell` is told after each block how many were looked at.
pub async fn import(
    conn: &mut AsyncPgConnection,
    rows: &[LineRow],
    entering: Entering,
    mut tell: impl FnMut(usize),
) -> Result<Imported, StoreError> {
    let mut imported = Imported::default();
    for (at, block) in rows.chunks(BLOCK).enumerate() {
        let there = known(conn, block).await?;
        let mut new = Vec::new();
        for row in block {
            match there.get(&(row.authority.as_str(), row.case_no.as_str())) {
                None => new.push(case_row(row, entering)),
                Some(case) => match differences(row, case) {
                    columns if columns.is_empty() => imported.known += 1,
                    columns => {
                        let case_no = row.case_no.clone();
                        imported.changed.push(Changed { line: row.line, case_no, case: case.id, columns });
                    }
                },
            }
        }
        imported.added += new.len();
        if !entering.check {
            cases::insert_all(conn, &new).await?;
        }
        tell(at * BLOCK + block.len());
    }
    Ok(imported)
}

/// The cases that are there, by authority and number.
async fn known<'a>(
    conn: &mut AsyncPgConnection,
    rows: &'a [LineRow],
) -> Result<HashMap<(&'a str, &'a str), CaseRow>, StoreError> {
    let mut numbers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        numbers.entry(&row.authority).or_default().push(&row.case_no);
    }
    let mut there = HashMap::new();
    for (authority, numbers) in numbers {
        for case in cases::by_numbers(conn, authority, &numbers).await? {
            let number = numbers.iter().find(|number| case.case_no.as_deref() == Some(**number));
            there.extend(number.map(|number| ((authority, *number), case.clone())));
        }
    }
    Ok(there)
}

fn case_row(row: &LineRow, entering: Entering) -> CaseRow {
    CaseRow {
        id: Uuid::now_v7(),
        visitor: row.visitor.to_uuid(),
        kind: row.kind.number(),
        onset_at: row.dates.onset_at,
        sampled_at: row.dates.sampled_at,
        isolated_at: row.dates.isolated_at,
        authority: row.authority.clone(),
        division: row.division.to_string(),
        reported_by: entering.by,
        reported_at: entering.at,
        withdrawn_by: None,
        withdrawn_at: None,
        withdrawal_reason: None,
        case_no: Some(row.case_no.clone()),
    }
}

/// The columns of which list and case say different things.
fn differences(row: &LineRow, case: &CaseRow) -> Vec<&'static str> {
    let same = [
        ("visitor", row.visitor == case.visitor()),
        ("kind", row.kind.number() == case.kind),
        ("onset_at", row.dates.onset_at == case.onset_at),
        ("sampled_at", row.dates.sampled_at == case.sampled_at),
        ("isolated_at", row.dates.isolated_at == case.isolated_at),
        ("division", row.division.to_string() == case.division),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(column, _)| column).collect()
}
