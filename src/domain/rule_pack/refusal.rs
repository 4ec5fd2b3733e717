//! Why a rule pack is refused, and where in its text.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a rule pack is refused: the first thing that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}{reason}", quoted(.key))]
pub struct InvalidPack {
    /// In which line of the text, counted from 1; where a key is missing, that of the part that lacks it.
    pub line: usize,
    /// Which key, such as `class[1].days`, with classes counted from 0; empty where the text is no TOML.
    pub key: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

fn quoted(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("`{key}` ") }
}

impl InvalidPack {
    /// A value that cannot be meant; its line is not known yet.
    pub(super) fn value(key: &str, reason: &str) -> Self {
        Self { line: 1, key: key.to_owned(), reason: reason.to_owned() }
    }

    /// What cannot be read: no TOML, or not of the shape of a pack.
    pub(super) fn shape(text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let key = document(text).map(|whole| key_at(&whole, start)).unwrap_or_default();
        let message = error.message().replace('\n', "; ");
        Self { line: line_at(text, start), key, reason: format!("cannot be read: {message}") }
    }

    /// The same with the line of its key.
    pub(super) fn located(self, text: &str) -> Self {
        let start = document(text).map_or(0, |whole| start_of(&whole, &self.key));
        Self { line: line_at(text, start), ..self }
    }
}

fn document(text: &str) -> Option<DeValue<'_>> {
    DeTable::parse(text).ok().map(|table| DeValue::Table(table.into_inner()))
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Where a key path begins in the text; where it is not written, the nearest part of it that is.
fn start_of(document: &DeValue<'_>, key: &str) -> usize {
    let (mut node, mut start) = (document, 0);
    let parts = key.split(['.', '[', ']']).filter(|part| !part.is_empty());
    for part in parts {
        let next = match node {
            DeValue::Table(table) => table.get_key_value(part).map(|(key, value)| (key.span().start, value)),
            DeValue::Array(items) => {
                let item = part.parse().ok().and_then(|at: usize| items.get(at));
                item.map(|item| (item.span().start, item))
            }
            _ => None,
        };
        let Some((at, value)) = next else { break };
        (node, start) = (value.get_ref(), at);
    }
    start
}

/// The path of the innermost key that an offset of the text belongs to.
fn key_at(document: &DeValue<'_>, offset: usize) -> String {
    let mut path = String::new();
    let mut node = document;
    loop {
        let next = match node {
            DeValue::Table(table) => table.iter().find_map(|(key, value)| {
                let here = key.span().contains(&offset) || holds(value, offset);
                here.then(|| (format!("{}{}", if path.is_empty() { "" } else { "." }, key.get_ref()), value))
            }),
            DeValue::Array(items) => items
                .iter()
                .enumerate()
                .find_map(|(at, item)| holds(item, offset).then(|| (format!("[{at}]"), item))),
            _ => None,
        };
        let Some((part, value)) = next else { return path };
        path.push_str(&part);
        node = value.get_ref();
    }
}

/// Whether an offset lies in a value, or in one that it holds: the parts of a table need not stand together.
fn holds(value: &Spanned<DeValue<'_>>, offset: usize) -> bool {
    let inside = match value.get_ref() {
        DeValue::Table(table) => {
            table.iter().any(|(key, value)| key.span().contains(&offset) || holds(value, offset))
        }
        DeValue::Array(items) => items.iter().any(|item| holds(item, offset)),
        _ => false,
    };
    inside || value.span().contains(&offset)
}
