//! A font that is named on the command line.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// A file with a font, and which of its faces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FontFile {
    /// The file.
    pub path: PathBuf,
    /// The face, where the file is a collection; 0 where it is not.
    pub index: u32,
}

impl FromStr for FontFile {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let face = text.rsplit_once(':').and_then(|(path, index)| Some((path, index.parse().ok()?)));
        let (path, index) = face.unwrap_or((text, 0));
        Ok(Self { path: path.into(), index })
    }
}
