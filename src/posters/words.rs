//! The texts of posters in both languages, from `venues/posters.toml`.

use serde::Deserialize;

use super::facts::PosterFacts;

const SHIPPED: &str = include_str!("../../venues/posters.toml");

/// The longest text; longer ones are no posters.
const LETTERS_MAX: usize = 300;

/// How many steps a poster lists at the most.
const STEPS_MAX: usize = 6;

/// The placeholders that texts may name.
const PLACEHOLDERS: [&str; 4] = ["{host}", "{days}", "{version}", "{date}"];

/// The texts in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Chinese.
    pub zh: Language,
    /// English.
    pub en: Language,
}

/// The texts in one language. `venues/posters.toml` says which placeholders they hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// What the thing is.
    pub title: String,
    /// Over the steps.
    pub scan_title: String,
    /// What to do, one after the other.
    pub steps: Vec<String>,
    /// Over the way without a phone.
    pub no_phone_title: String,
    /// How to enter without a phone.
    pub no_phone: String,
    /// Over what is recorded.
    pub kept_title: String,
    /// What is recorded and for how long.
    pub kept: String,
    /// The address to look for.
    pub check: String,
    /// Version and day of printing.
    pub version: String,
    /// The way without a phone, in short.
    pub sticker_no_phone: String,
    /// What is recorded and for how long, in short.
    pub sticker_kept: String,
}

/// Why texts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWords {
    /// Not TOML of the expected shape.
    #[error("the texts of the posters cannot be read: {0}")]
    Syntax(String),
    /// A text is empty, too long, or lacks what people are owed.
    #[error("the texts of the posters, {language}.{field}: {wrong}")]
    Text {
        /// `zh` or `en`.
        language: &'static str,
        /// Which text.
        field: &'static str,
        /// What is wrong, and what would be right.
        wrong: String,
    },
}

impl Words {
    /// The texts that are shipped with the service.
    pub fn shipped() -> Result<Self, InvalidWords> {
        Self::parse(SHIPPED)
    }

    /// Reads and checks the text of such a file.
    pub fn parse(text: &str) -> Result<Self, InvalidWords> {
        let words: Self = toml::from_str(text).map_err(|error| InvalidWords::Syntax(error.to_string()))?;
        for (language, texts) in [("zh", &words.zh), ("en", &words.en)] {
            texts.check().map_err(|(field, wrong)| InvalidWords::Text { language, field, wrong })?;
        }
        Ok(words)
    }
}

impl Language {
    /// Every text with its name and the placeholders that it must have.
    fn texts(&self) -> Vec<(&'static str, &str, &'static [&'static str])> {
        let mut texts: Vec<(&'static str, &str, &'static [&'static str])> = vec![
            ("title", &self.title, &[]),
            ("scan_title", &self.scan_title, &[]),
            ("no_phone_title", &self.no_phone_title, &[]),
            ("no_phone", &self.no_phone, &["{host}"]),
            ("kept_title", &self.kept_title, &[]),
            ("kept", &self.kept, &["{days}"]),
            ("check", &self.check, &["{host}"]),
            ("version", &self.version, &["{version}", "{date}"]),
            ("sticker_no_phone", &self.sticker_no_phone, &["{host}"]),
            ("sticker_kept", &self.sticker_kept, &["{days}"]),
        ];
        texts.extend(self.steps.iter().map(|step| ("steps", &**step, &[][..])));
        texts
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if !(1..=STEPS_MAX).contains(&self.steps.len()) {
            return Err(("steps", format!("must be 1 to {STEPS_MAX} texts")));
        }
        for (field, text, needed) in self.texts() {
            let letters = text.chars().count();
            if text.trim().is_empty() || letters > LETTERS_MAX || text.chars().any(char::is_control) {
                return Err((field, format!("must be one line of 1 to {LETTERS_MAX} characters")));
            }
            if let Some(missing) = needed.iter().find(|needed| !text.contains(**needed)) {
                return Err((field, format!("must name {missing}")));
            }
            let rest = PLACEHOLDERS.iter().fold(text.to_owned(), |rest, known| rest.replace(known, ""));
            if rest.contains(['{', '}']) {
                return Err((field, format!("may name only {}", PLACEHOLDERS.join(", "))));
            }
        }
        Ok(())
    }
}

/// A text with what one poster says in the places of the placeholders.
pub fn fill(text: &str, facts: &PosterFacts) -> String {
    text.replace("{host}", &facts.host)
        .replace("{days}", &facts.retention_days.to_string())
        .replace("{version}", &facts.generation.to_string())
        .replace("{date}", &facts.issued_on.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_texts_are_sound() {
        Words::shipped().unwrap();
    }

    #[test]
    fn a_poster_that_keeps_silent_about_what_people_are_owed_is_refused() {
        let refused = |from: &str, to: &str| {
            assert!(SHIPPED.contains(from), "{from}");
            Words::parse(&SHIPPED.replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert!(refused("手机号。{days} 天后删除", "手机号").ends_with("zh.kept: must name {days}"));
        assert!(refused("Check the address: {host}", "Check").ends_with("en.check: must name {host}"));
        assert!(refused("\"场所码\"", "\"\"").contains("zh.title: must be one line"));
        assert!(refused("Place code", &"x".repeat(301)).contains("en.title: must be one line"));
        assert!(refused("Place code", "{hots}").contains("en.title: may name only {host}, {days}"));
        assert!(refused("title = \"Place code\"", "").contains("cannot be read"));
        assert!(refused("title = \"Place code\"", "titel = \"Place code\"").contains("cannot be read"));
    }
}
