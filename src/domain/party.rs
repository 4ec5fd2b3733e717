//! People who come together and scan with one phone: their scans and what ties them.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::visitor::Visitor;

/// How many may come with the one who scans.
pub const COMPANIONS_MAX: usize = 9;

/// The party of whoever scanned with this id: a retry is the same party.
pub fn party_of(lead: Uuid) -> Uuid {
    uuid_of("placecode/party/1", lead, &[])
}

/// The id of a companion's scan. It follows from the lead's scan and the companion, so that a retry is the
/// same scan whatever the order in which the companions are named.
pub fn companion_scan(lead: Uuid, companion: Visitor) -> Uuid {
    uuid_of("placecode/companion/1", lead, companion.to_uuid().as_bytes())
}

/// A UUID of version 8 (RFC 9562): the first 122 bits of a SHA-256 that are left.
fn uuid_of(label: &str, lead: Uuid, more: &[u8]) -> Uuid {
    let digest = Sha256::new().chain_update(label).chain_update([0]).chain_update(lead).chain_update(more);
    let mut half = [0; 16];
    half.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(half).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_companion_has_one_scan_for_each_scan_of_the_lead() {
        let visitor = |number| Visitor::from_uuid(Uuid::from_u128(number));
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = companion_scan(one, visitor(7));
        assert_eq!(id, companion_scan(one, visitor(7)));
        assert_ne!(id, companion_scan(two, visitor(7)));
        assert_ne!(id, companion_scan(one, visitor(8)));
        assert_ne!(party_of(one), party_of(two));
        assert_eq!((id.get_version_num(), party_of(one).get_version_num()), (8, 8));
    }
}
