//! The words of closed sets in files and on the command line: those that JSON has for them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The word of a value of a closed set, such as `open_air`.
pub fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        // Closed sets without content are texts in JSON; a test holds each of them to it.
        Ok(_) | Err(_) => String::new(),
    }
}

/// The value that a word names.
pub fn from_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalogue::Duty;
    use crate::domain::numbered::Numbered;
    use crate::domain::venue::{Granularity, OrganisationKind, VenueState};

    fn all_have_words<T: Numbered + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>() {
        for value in T::ALL {
            assert_eq!(from_word::<T>(&word(*value)), Some(*value), "{value:?}");
        }
    }

    #[test]
    fn every_value_has_a_word_and_a_word_has_one_value() {
        all_have_words::<Granularity>();
        all_have_words::<VenueState>();
        all_have_words::<OrganisationKind>();
        assert_eq!(
            (word(Granularity::OpenAir), word(Duty::CodeOrSentinel)),
            ("open_air".into(), "code_or_sentinel".into())
        );
        assert_eq!(from_word::<VenueState>("open"), None);
    }
}
