//! People who came together and whose scans one of them takes.

use std::collections::HashSet;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::ApiError;
use super::identities::by_assertion;
use super::scans::NewScan;
use super::web::Web;
use crate::domain::assertion::signer_of;
use crate::domain::party::{COMPANIONS_MAX, companion_scan, party_of};

/// The scan of somebody who came along.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompanionScan {
    /// Its id; the same after a retry.
    pub id: Uuid,
}

/// The scans of all who came together, the lead's first. A companion is as present as the lead: the lead's
/// phone speaks for both. Each has been verified by a channel just now, so nobody is taken along on paper.
pub async fn with_companions(
    web: &Web,
    lead: NewScan,
    assertions: &[String],
) -> Result<Vec<NewScan>, ApiError> {
    if assertions.is_empty() {
        return Ok(vec![lead]);
    }
    if assertions.len() > COMPANIONS_MAX {
        return Err(ApiError::invalid("companions", format!("at most {COMPANIONS_MAX} may come along")));
    }
    let signers: Vec<String> = assertions.iter().filter_map(|assertion| signer_of(assertion).ok()).collect();
    let channels = web.channels(&signers).await?;
    let now = web.now();
    let party = Some(party_of(lead.id));
    let mut seen = HashSet::from([lead.visitor]);
    let mut scans = vec![NewScan { party, ..lead }];
    for assertion in assertions {
        let companion = by_assertion(&channels.keys, "companions", assertion, now)?.visitor;
        if !seen.insert(companion) {
            return Err(ApiError::invalid("companions", "must name each person once, and not who scans"));
        }
        let id = companion_scan(lead.id, companion);
        scans.push(NewScan { id, visitor: companion, party, ..lead });
    }
    Ok(scans)
}
