//! Posters and stickers to print: what stands on them, the symbol, the font, and the files; no I/O, no clock.

mod canvas;
mod facts;
mod fonts;
mod layout;
mod lines;
mod print;
pub mod qr;
mod size;
mod words;

pub use self::facts::PosterFacts;
pub use self::fonts::Fonts;
pub use self::print::{Print, Printer};
pub use self::size::{InvalidSize, Size};
pub use self::words::{InvalidWords, Language, Words, fill};

/// Why a poster cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PosterError {
    /// A rare character; a box in its place would make a name wrong without anybody noticing.
    #[error(
        "the character `{character}` (U+{code:04X}) in `{text}` is in no font that posters have; name a font that has it \
         (`--font FILE[:INDEX]`, or POSTER_FONT for the service)", code = u32::from(*character)
    )]
    NoGlyph {
        /// Which.
        character: char,
        /// The text that it stands in.
        text: String,
    },
    /// A script whose letters change with their neighbours, or run from right to left.
    #[error(
        "the character U+{code:04X} in `{text}` joins with its neighbours or runs from right to left, which posters \
         cannot set; give the name in Chinese or Latin letters", code = u32::from(*character)
    )]
    NeedsShaping {
        /// Which.
        character: char,
        /// The text that it stands in.
        text: String,
    },
    /// No place code has such a text.
    #[error("the address is too long for the symbol of a place code: {0}")]
    Address(String),
    /// Neither OpenType nor TrueType, or a collection that has no such face.
    #[error("not a font, or a collection without a face {0}")]
    Font(u32),
    /// The texts that are shipped are wrong; a city may have changed them.
    #[error(transparent)]
    Words(#[from] InvalidWords),
    /// The library that writes the file refused.
    #[error("the file cannot be written: {0}")]
    File(String),
}
