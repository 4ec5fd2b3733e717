//! Passwords of staff: Argon2id, in its own text form, with bounded work.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// Working memory of one hash, in KiB (the first choice of OWASP's cheat sheet for two passes: 19 MiB).
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// The shortest password, in characters.
pub const CHARACTERS_MIN: usize = 12;
/// The longest password, in bytes, so that a long one is no way to keep the service busy.
pub const BYTES_MAX: usize = 256;

/// Why a password is refused or cannot be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too easy to guess.
    #[error("a password has at least {CHARACTERS_MIN} characters")]
    Short,
    /// Too much work.
    #[error("a password has at most {BYTES_MAX} bytes")]
    Long,
    /// The machine gave no randomness or too little memory.
    #[error("the password could not be hashed")]
    Hash,
}

/// Whether a password is neither too short nor too long.
pub fn check(password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < CHARACTERS_MIN {
        Err(PasswordError::Short)
    } else if password.len() > BYTES_MAX {
        Err(PasswordError::Long)
    } else {
        Ok(())
    }
}

/// The text to keep instead of the password. Takes tens of milliseconds of one core: not for an async thread.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    check(password)?;
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_bounds| PasswordError::Hash)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.as_bytes()).map_err(|_machine| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that `hash` was made of. A hash that cannot be read, or that asks for more
/// work than ours do, fits no password. Takes as long as [`hash`].
pub fn verify(password: &str, hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    let bounded = Params::try_from(&parsed).is_ok_and(|params| {
        params.m_cost() <= MEMORY_KIB && params.t_cost() <= PASSES && params.p_cost() == 1
    });
    bounded
        && password.len() <= BYTES_MAX
        && Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_password_fits() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify("correct horse battery", &kept));
        assert!(!verify("correct horse batterz", &kept));
        assert_ne!(kept, hash("correct horse battery").unwrap());
    }

    #[test]
    fn what_is_too_short_too_long_or_too_much_work_is_refused() {
        assert_eq!(hash("short"), Err(PasswordError::Short));
        assert_eq!(hash(&"x".repeat(257)), Err(PasswordError::Long));
        assert!(!verify("x", "not a hash"));
        let greedy = hash("correct horse battery").unwrap().replace("t=2", "t=200");
        assert!(!verify("correct horse battery", &greedy));
    }
}
