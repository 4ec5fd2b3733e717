//! Ids that follow from what they name, so that the same file imported again names the same things.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A UUID of version 8 from the SHA-256 of `parts`, each preceded by its length.
pub(crate) fn named_id(kind: &str, parts: &[&str]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in [kind].iter().chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut half = [0; 16];
    half.iter_mut().zip(hasher.finalize()).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(half).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_make_the_same_id_and_no_others_do() {
        assert_eq!(named_id("scan", &["a", "bc"]), named_id("scan", &["a", "bc"]));
        assert_ne!(named_id("scan", &["a", "bc"]), named_id("scan", &["ab", "c"]));
        assert_ne!(named_id("scan", &["a"]), named_id("organisation", &["a"]));
        assert_eq!(named_id("scan", &[]).get_version_num(), 8);
    }
}
