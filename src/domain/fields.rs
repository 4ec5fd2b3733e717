//! What a person fills in: texts and telephone numbers, checked once for forms and for files alike.

/// Why a text cannot stand in a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidField {
    /// A line break, a tab, an escape sequence.
    #[error("must not hold control characters")]
    Control,
    /// Too short or too long, in characters.
    #[error("must have {min} to {max} characters, not {length}")]
    Length {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
        /// As many as there are.
        length: usize,
    },
    /// No telephone number.
    #[error("must be a telephone number of 5 to 15 digits, such as 13800000000 or +86 371 0000 0000")]
    Phone,
}

/// A text without control characters, of so many characters once blanks around it are cut off.
pub fn text(value: &str, min: usize, max: usize) -> Result<String, InvalidField> {
    let value = value.trim();
    let length = value.chars().count();
    if value.chars().any(char::is_control) {
        Err(InvalidField::Control)
    } else if (min..=max).contains(&length) {
        Ok(value.to_owned())
    } else {
        Err(InvalidField::Length { min, max, length })
    }
}

/// A telephone number, or nothing: 5 to 15 digits (ITU-T E.164 allows 15; short numbers of services have 5),
/// with `+`, hyphens, blanks and brackets between.
pub fn phone(value: &str) -> Result<String, InvalidField> {
    let value = value.trim();
    let plain = value.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')'));
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let number = plain && (5..=15).contains(&digits) && value.len() <= 30;
    if value.is_empty() || number { Ok(value.to_owned()) } else { Err(InvalidField::Phone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_characters() {
        assert_eq!(text(" 老城烩面馆 ", 1, 5).unwrap(), "老城烩面馆");
        assert_eq!(text("老城烩面馆", 1, 4), Err(InvalidField::Length { min: 1, max: 4, length: 5 }));
        assert_eq!(text("a\tb", 1, 4), Err(InvalidField::Control));
        assert!(text("  ", 1, 4).is_err());
    }

    #[test]
    fn a_phone_number_has_digits() {
        for good in ["", "13800000000", "+86 371 0000 0000", "(0371) 0000-0001", "12345"] {
            assert!(phone(good).is_ok(), "{good}");
        }
        for bad in ["1234", "call me", "1380000000012345", "１３８００００００００"] {
            assert_eq!(phone(bad), Err(InvalidField::Phone), "{bad}");
        }
    }
}
