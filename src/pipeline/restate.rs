//! Letters to one issuing system that say how assignments stand now, whatever was said before.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::post::{Note, post_to};
use crate::app::App;
use crate::domain::assignment::AssignmentState;
use crate::domain::letter::LetterKind;
use crate::domain::numbered::Numbered;
use crate::store::StoreError;
use crate::store::letters::IssuerRow;
use crate::store::reconcile::Present;

/// What a letter says of an assignment in that state; of one that is only proposed, nobody is told.
pub(super) fn kind_of(state: AssignmentState) -> Option<LetterKind> {
    match state {
        AssignmentState::Proposed => None,
        AssignmentState::Released | AssignmentState::Delivered => Some(LetterKind::Assigned),
        AssignmentState::Expired => Some(LetterKind::Expired),
        AssignmentState::Withdrawn => Some(LetterKind::Withdrawn),
        AssignmentState::Ended => Some(LetterKind::Ended),
    }
}

/// Puts a letter about each into the outbox, in the transaction that holds the assignments. Returns how many.
pub(super) async fn restate(
    app: &App,
    conn: &mut AsyncPgConnection,
    issuer: &IssuerRow,
    standing: &[&Present],
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let mut notes: BTreeMap<(i16, &str, &str), Vec<Uuid>> = BTreeMap::new();
    for one in standing {
        notes.entry((one.state, &one.authority, &one.legal_basis)).or_default().push(one.id);
    }
    let mut letters = 0;
    for ((state, authority, legal_basis), ids) in notes {
        let state = AssignmentState::from_number(state).ok_or(StoreError::Corrupt("assignments"))?;
        let Some(kind) = kind_of(state) else { continue };
        let note = Note { kind, authority, legal_basis };
        letters += post_to(app, conn, issuer, &ids, &note, now).await?;
    }
    Ok(letters)
}
