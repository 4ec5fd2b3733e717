//! Cuts a GeoJSON file into its features without holding more than one of them.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, bail, ensure};

/// The largest feature that is read, in bytes: a province's boundary has some 5 MB.
pub(crate) const FEATURE_BYTES_MAX: usize = 16 << 20;

const NO_COLLECTION: &str = "this is no GeoJSON FeatureCollection: it has no list `features`. Features in lines of their own \
     are read from files that end in .geojsonl, .ndjson or .jsonl";

/// A feature's text, or that it was too large to keep.
pub(crate) enum Piece {
    /// Its bytes.
    Whole(Vec<u8>),
    /// It has more than [`FEATURE_BYTES_MAX`].
    TooLarge,
}

/// The features of a file, one after the other.
pub(crate) struct Pieces {
    source: BufReader<Box<dyn Read + Send>>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// One feature in each line.
    Lines,
    /// A collection whose features are not reached yet.
    Before,
    /// A collection's features.
    Inside,
    /// All was read.
    Ended,
}

/// Where in a JSON text one is.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    after_escape: bool,
}

impl Nesting {
    fn take(&mut self, byte: u8) {
        match byte {
            _ if self.after_escape => self.after_escape = false,
            b'\\' if self.in_text => self.after_escape = true,
            b'"' => self.in_text = !self.in_text,
            b'{' | b'[' if !self.in_text => self.depth += 1,
            b'}' | b']' if !self.in_text => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

impl Pieces {
    /// The features of `source`: each in a line of its own, or all in one collection.
    pub(crate) fn new(source: Box<dyn Read + Send>, in_lines: bool) -> Self {
        let source = BufReader::with_capacity(1 << 16, source);
        Self { source, form: if in_lines { Form::Lines } else { Form::Before } }
    }

    /// The next feature; `None` at the end. A file that breaks off is an error.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Piece>> {
        if self.form == Form::Before {
            self.enter()?;
            self.form = Form::Inside;
        }
        match self.form {
            Form::Lines => self.line(),
            Form::Before | Form::Inside => self.member(),
            Form::Ended => Ok(None),
        }
    }

    fn byte(&mut self) -> anyhow::Result<Option<u8>> {
        let byte = self.source.fill_buf().context("the file cannot be read on")?.first().copied();
        self.source.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    /// Reads up to the bracket that opens the list `features` of the outermost object.
    fn enter(&mut self) -> anyhow::Result<()> {
        let mut nesting = Nesting::default();
        let (mut text, mut named) = (Vec::new(), false);
        while let Some(byte) = self.byte()? {
            let was_in_text = nesting.in_text;
            nesting.take(byte);
            match (was_in_text, nesting.depth, byte) {
                (false, 1, b'"') => text.clear(),
                (true, 1, b'"') if !nesting.in_text => {}
                // No key is longer than that which is looked for.
                (true, 1, _) if text.len() < 20 => text.push(byte),
                (false, 1, b':') => named = text == b"features",
                (false, 1, b',') => named = false,
                (false, 2, b'[') if named => return Ok(()),
                (false, 0, other) if !other.is_ascii_whitespace() => break,
                _ => {}
            }
        }
        bail!(NO_COLLECTION)
    }

    /// The next member of the list of features.
    fn member(&mut self) -> anyhow::Result<Option<Piece>> {
        loop {
            match self.byte()?.context("the file ends before its list of features does")? {
                byte if byte == b',' || byte.is_ascii_whitespace() => {}
                b'{' => return self.object().map(Some),
                b']' => return self.leave().map(|()| None),
                other => bail!(
                    "the list `features` holds `{}`, which begins no feature",
                    char::from(other).escape_default()
                ),
            }
        }
    }

    /// The rest of an object whose brace is read.
    fn object(&mut self) -> anyhow::Result<Piece> {
        let mut nesting = Nesting { depth: 1, ..Nesting::default() };
        let (mut kept, mut length) = (vec![b'{'], 1_usize);
        while nesting.depth > 0 {
            let byte = self.byte()?.context("the file ends in the middle of a feature")?;
            nesting.take(byte);
            length += 1;
            if length <= FEATURE_BYTES_MAX {
                kept.push(byte);
            }
        }
        Ok(if length <= FEATURE_BYTES_MAX { Piece::Whole(kept) } else { Piece::TooLarge })
    }

    /// Reads what follows the list, so that a file that was cut off is told from a whole one.
    fn leave(&mut self) -> anyhow::Result<()> {
        let mut nesting = Nesting { depth: 1, ..Nesting::default() };
        while let Some(byte) = self.byte()? {
            nesting.take(byte);
        }
        ensure!(nesting.depth == 0, "the file ends before its FeatureCollection does");
        self.form = Form::Ended;
        Ok(())
    }

    /// The next line that is not empty. RFC 8142 puts a record separator before each feature.
    fn line(&mut self) -> anyhow::Result<Option<Piece>> {
        loop {
            let (mut kept, mut length) = (Vec::new(), 0_usize);
            let mut read = self.byte()?;
            if read.is_none() {
                return Ok(None);
            }
            while let Some(byte) = read.filter(|byte| *byte != b'\n') {
                length += 1;
                if length <= FEATURE_BYTES_MAX {
                    kept.push(byte);
                }
                read = self.byte()?;
            }
            let text = kept.trim_ascii();
            let text = text.strip_prefix(b"\x1e").unwrap_or(text);
            if length > FEATURE_BYTES_MAX {
                return Ok(Some(Piece::TooLarge));
            }
            if !text.is_empty() {
                return Ok(Some(Piece::Whole(text.to_owned())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, in_lines: bool) -> Result<Vec<String>, String> {
        let mut pieces = Pieces::new(Box::new(std::io::Cursor::new(text.to_owned().into_bytes())), in_lines);
        let mut found = Vec::new();
        while let Some(piece) = pieces.next().map_err(|error| error.to_string())? {
            let Piece::Whole(bytes) = piece else { return Err("too large".to_owned()) };
            found.push(String::from_utf8(bytes).unwrap());
        }
        Ok(found)
    }

    #[test]
    fn features_are_found_whatever_stands_around_them() {
        let text = r#" {"name":"features","crs":{"features":[{"x":1}]}, "features" : [
            {"a":"}]\"{\\"} , {"b":[{},[1]]}
        ], "after": [1, {"features":[{}]}]} "#;
        assert_eq!(cut(text, false).unwrap(), [r#"{"a":"}]\"{\\"}"#, r#"{"b":[{},[1]]}"#]);
        assert_eq!(cut(r#"{"features":[]}"#, false).unwrap(), [""; 0]);
        assert_eq!(cut("\u{1e}{\"a\":1}\r\n\n  {\"b\":2}", true).unwrap(), ["{\"a\":1}", "{\"b\":2}"]);
    }

    #[test]
    fn what_is_no_collection_or_breaks_off_is_told() {
        for none in
            ["", "[]", "{}", r#"{"type":"Feature"}"#, r#"{"features":{}}"#, r#"{"x":{"features":[]}}"#]
        {
            assert_eq!(cut(none, false).unwrap_err(), NO_COLLECTION, "{none}");
        }
        let inside = cut(r#"{"features":[{"a":1},{"b":"#, false).unwrap_err();
        assert!(inside.contains("in the middle of a feature"), "{inside}");
        assert!(cut(r#"{"features":[{"a":1}"#, false).unwrap_err().contains("before its list"));
        assert!(cut(r#"{"features":[{"a":1}]"#, false).unwrap_err().contains("before its FeatureCollection"));
        assert!(cut(r#"{"features":[null]}"#, false).unwrap_err().contains("`n`, which begins no feature"));
    }

    #[test]
    fn a_feature_that_is_too_large_is_passed_over_and_the_next_is_read() {
        let large = format!(r#"{{"features":[{{"a":"{}"}},{{"b":1}}]}}"#, "x".repeat(FEATURE_BYTES_MAX));
        let mut pieces = Pieces::new(Box::new(std::io::Cursor::new(large.into_bytes())), false);
        assert!(matches!(pieces.next().unwrap(), Some(Piece::TooLarge)));
        assert!(matches!(pieces.next().unwrap(), Some(Piece::Whole(_))));
        assert!(pieces.next().unwrap().is_none());
    }
}
