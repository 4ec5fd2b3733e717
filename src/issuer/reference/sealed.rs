//! What people declare for themselves, sealed: whoever has the database without the key file reads none of it.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::domain::keyring::Key;
use crate::domain::visitor::Visitor;

/// Keeps this use of the key apart from others.
const LABEL: &str = "placecode/issuer/sealed/1";

/// Seals `plain` for one visitor; `what` says what it is, and must be said again to open it. `nonce` is random.
pub(super) fn seal(
    key: &Key,
    visitor: Visitor,
    what: &str,
    plain: Vec<u8>,
    nonce: [u8; NONCE_LEN],
) -> Option<Vec<u8>> {
    let mut sealed = plain;
    let aad = Aad::from(what.as_bytes());
    let unique = Nonce::assume_unique_for_key(nonce);
    own_key(key, visitor)?.seal_in_place_append_tag(unique, aad, &mut sealed).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// What was sealed; `None` when it was altered, or sealed for somebody or something else.
pub(super) fn open(key: &Key, visitor: Visitor, what: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = sealed.to_vec();
    let aad = Aad::from(what.as_bytes());
    let unique = Nonce::assume_unique_for_key(*nonce);
    let plain = own_key(key, visitor)?.open_in_place(unique, aad, &mut sealed).ok()?;
    Some(plain.to_vec())
}

/// Each visitor has a key of their own, so no nonce meets another's.
fn own_key(key: &Key, visitor: Visitor) -> Option<LessSafeKey> {
    let own = key.mac(LABEL, &[visitor.to_uuid().as_bytes()]);
    UnboundKey::new(&CHACHA20_POLY1305, &own).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_who_it_was_sealed_for_and_as_what_opens_it() {
        let (key, visitor) = (Key::new([1; 32]), Visitor::from_uuid(Uuid::from_u128(7)));
        let sealed = seal(&key, visitor, "journey", b"Zhengzhou".to_vec(), [2; 12]).unwrap();
        assert!(!sealed.windows(9).any(|part| part == b"Zhengzhou"));
        assert_eq!(open(&key, visitor, "journey", &sealed).as_deref(), Some(&b"Zhengzhou"[..]));
        let other = Visitor::from_uuid(Uuid::from_u128(8));
        assert_eq!(open(&key, other, "journey", &sealed), None);
        assert_eq!(open(&key, visitor, "correction", &sealed), None);
        assert_eq!(open(&Key::new([2; 32]), visitor, "journey", &sealed), None);
        let mut altered = sealed;
        altered[14] ^= 1;
        assert_eq!(open(&key, visitor, "journey", &altered), None);
        assert_eq!(open(&key, visitor, "journey", b"short"), None);
    }
}
