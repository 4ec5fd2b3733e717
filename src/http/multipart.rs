//! Forms with files (`multipart/form-data`, RFC 7578), from a body that is bounded and has come.

use super::error::ApiError;

/// How many parts a form has at the most.
const PARTS_MAX: usize = 16;

/// One field of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name of the field.
    pub name: &'a str,
    /// What was filled in, or the file.
    pub content: &'a [u8],
}

impl<'a> Part<'a> {
    /// The content as text.
    pub fn text(&self) -> Result<&'a str, ApiError> {
        let text = std::str::from_utf8(self.content);
        text.map_err(|error| ApiError::Malformed(format!("a field is not UTF-8: {error}")))
    }
}

/// The fields of a form in their order. `content_type` is that of the request. Names of files are not looked at.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, ApiError> {
    let malformed = |what: &str| ApiError::Malformed(format!("the form is no multipart/form-data: {what}"));
    let boundary = boundary(content_type).ok_or_else(|| malformed("it names no boundary"))?;
    let opening = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(opening.as_bytes()).ok_or_else(|| malformed("it begins with none"))?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or_else(|| malformed("a part does not begin"))?;
        let (part, after) =
            split(rest, between.as_bytes()).ok_or_else(|| malformed("a part does not end"))?;
        let (head, content) = split(part, b"\r\n\r\n").ok_or_else(|| malformed("a part has no head"))?;
        if parts.len() >= PARTS_MAX {
            return Err(malformed("it has too many parts"));
        }
        let name = name(head).ok_or_else(|| malformed("a part has no name"))?;
        parts.push(Part { name, content });
        rest = after;
    }
}

/// What stands before and after the first `mark`.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let first = *mark.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(at..)?.starts_with(mark) {
            return Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?));
        }
        from = at + 1;
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, rest) = content_type.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    let value = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let value = value.trim_matches('"');
    (is_form && (1..=70).contains(&value.len())).then_some(value)
}

fn name(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    let line =
        head.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let value = line.split(';').find_map(|part| part.trim().strip_prefix("name="))?;
    Some(value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=x1";

    #[test]
    fn fields_and_files_are_read_in_their_order() {
        let body = b"--x1\r\nContent-Disposition: form-data; name=\"reason\"\r\n\r\nother\r\n--x1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;name=b.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\r\n--x\r\n--x1--\r\n";
        let read = parts(TYPE, body).unwrap();
        assert_eq!(read.iter().map(|part| part.name).collect::<Vec<_>>(), ["reason", "file"]);
        assert_eq!(read[0].text().unwrap(), "other");
        assert_eq!(read[1].content, b"\x89PNG\r\n\r\n--x");
    }

    #[test]
    fn what_is_no_such_form_is_refused() {
        let part = "--x1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
        for (kind, body) in [
            ("application/x-www-form-urlencoded", "a=1".to_owned()),
            ("multipart/form-data", "--x1--".to_owned()),
            (TYPE, String::new()),
            (TYPE, "--x1\r\nno head--x1--".to_owned()),
            (TYPE, part.to_owned()),
            (TYPE, "--x1\r\nContent-Type: text/plain\r\n\r\n1\r\n--x1--".to_owned()),
            (TYPE, part.repeat(20) + "--x1--"),
        ] {
            assert!(parts(kind, body.as_bytes()).is_err(), "{kind} {body}");
        }
        assert!(parts(TYPE, b"--x1--").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), tail in "(--x1|\r\n|:|;|name=){0,20}") {
            let all = [b"--x1\r\n".as_slice(), &body, tail.as_bytes()].concat();
            drop(parts(TYPE, &all));
        }
    }
}
