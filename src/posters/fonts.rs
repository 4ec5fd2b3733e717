//! The fonts of posters: the one in the program, and one that a city may add for rare names.

use krilla::Data;
use krilla::text::{Font, GlyphId};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use super::PosterError;

const OWN: &[u8] = include_bytes!("../../venues/fonts/NotoSansSC-Posters.otf");

/// Scripts whose letters join, stack or run from right to left, and marks that are no letters by themselves:
/// drawn one after the other they would be a wrong name.
const NEED_SHAPING: &[(u32, u32)] = &[
    (0x0300, 0x036F),     // combining marks
    (0x0483, 0x0489),     // Cyrillic combining marks
    (0x0590, 0x109F),     // Hebrew, Arabic, Uyghur, the scripts of India, Thai, Lao, Tibetan, Burmese
    (0x1100, 0x11FF),     // Hangul in pieces
    (0x1700, 0x1CFF),     // the Philippines, Khmer, Mongolian, Tai
    (0x1DC0, 0x1DFF),     // combining marks
    (0x200B, 0x200F),     // invisible characters, and those that change the direction
    (0x2028, 0x202E),     // separators, and those that change the direction
    (0x2060, 0x206F),     // invisible characters
    (0x20D0, 0x20FF),     // combining marks for symbols
    (0xA800, 0xABFF),     // the scripts of India and of South-East Asia
    (0xD7B0, 0xD7FF),     // Hangul in pieces
    (0xFB1D, 0xFDFF),     // Hebrew and Arabic forms
    (0xFE00, 0xFE2F),     // variation selectors, half marks
    (0xFE70, 0xFEFF),     // Arabic forms
    (0x1_0800, 0x1_11FF), // old scripts from right to left, Brahmi
    (0xE_0000, 0xE_01EF), // tags, variation selectors
];

/// The fonts, in the order in which a character is looked for.
pub struct Fonts(Vec<Face>);

struct Face {
    font: Font,
    data: Data,
    index: u32,
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fonts({})", self.0.len())
    }
}

/// A character as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Letter {
    /// Which of the fonts has it.
    pub(super) face: usize,
    pub(super) glyph: GlyphId,
    /// How far the next one stands, as a share of the size.
    pub(super) advance: f32,
}

impl Fonts {
    /// The font of the program and, for characters that it lacks, another: the content of a file and which of
    /// its faces.
    pub fn new(other: Option<(Vec<u8>, u32)>) -> Result<Self, PosterError> {
        let mut faces = vec![Face::open(Data::from(OWN), 0)?];
        if let Some((content, index)) = other {
            faces.push(Face::open(Data::from(content), index)?);
        }
        Ok(Self(faces))
    }

    /// The letters of a text, or the first that cannot be set.
    pub(super) fn letters(&self, text: &str) -> Result<Vec<(char, Letter)>, PosterError> {
        let drawn: Vec<_> = self.0.iter().map(Face::drawn).collect::<Result<_, _>>()?;
        let letter = |character: char| {
            let code = u32::from(character);
            if NEED_SHAPING.iter().any(|(first, last)| (*first..=*last).contains(&code)) {
                return Err(PosterError::NeedsShaping { character, text: text.to_owned() });
            }
            let found = drawn.iter().enumerate().find_map(|(face, drawn)| drawn.letter(face, character));
            let missing = || PosterError::NoGlyph { character, text: text.to_owned() };
            Ok((character, found.ok_or_else(missing)?))
        };
        text.chars().map(letter).collect()
    }

    /// One of the fonts, for the file.
    pub(super) fn font(&self, face: usize) -> Option<Font> {
        self.0.get(face).map(|face| face.font.clone())
    }
}

/// The tables of a font that setting needs.
struct Drawn<'a> {
    characters: skrifa::charmap::Charmap<'a>,
    widths: skrifa::metrics::GlyphMetrics<'a>,
    units_per_em: f32,
}

impl Drawn<'_> {
    fn letter(&self, face: usize, character: char) -> Option<Letter> {
        let glyph = self.characters.map(character).filter(|glyph| glyph.to_u32() != 0)?;
        let advance = self.widths.advance_width(glyph)? / self.units_per_em;
        Some(Letter { face, glyph: GlyphId::new(glyph.to_u32()), advance })
    }
}

impl Face {
    fn open(data: Data, index: u32) -> Result<Self, PosterError> {
        let font = Font::new(data.clone(), index).ok_or(PosterError::Font(index))?;
        Ok(Self { font, data, index })
    }

    fn drawn(&self) -> Result<Drawn<'_>, PosterError> {
        let font = FontRef::from_index(self.data.as_ref(), self.index);
        let font = font.map_err(|_unread| PosterError::Font(self.index))?;
        Ok(Drawn {
            characters: font.charmap(),
            widths: font.glyph_metrics(Size::unscaled(), LocationRef::default()),
            units_per_em: self.font.units_per_em(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        Fonts::new(None).unwrap().letters(text).unwrap_err().to_string()
    }

    #[test]
    fn simplified_traditional_and_rarer_characters_are_there() {
        let letters = Fonts::new(None).unwrap().letters("老城烩面館 Café №3（鎔镕喆犇）").unwrap();
        assert_eq!(letters.len(), 19);
        assert!(letters.iter().all(|(_, letter)| letter.face == 0 && letter.advance > 0.0));
    }

    #[test]
    fn a_rare_character_is_named_and_never_a_box() {
        let said = wrong("𠮷野家");
        assert!(said.contains("`𠮷` (U+20BB7) in `𠮷野家`") && said.contains("--font"), "{said}");
        assert!(wrong("喜茶🍵").contains("U+1F375"));
        assert!(wrong("a\tb").contains("U+0009"));
    }

    #[test]
    fn scripts_that_join_are_refused_and_not_set_wrongly() {
        for text in ["ئۇيغۇر", "བོད", "ᠮᠣᠩᠭᠣᠯ", "e\u{301}", "葛\u{E0100}", "a\u{200B}b", "ไทย"]
        {
            assert!(wrong(text).contains("joins with its neighbours"), "{text}");
        }
    }

    #[test]
    fn what_is_no_font_is_refused() {
        assert_eq!(Fonts::new(Some((b"no font".to_vec(), 0))).unwrap_err(), PosterError::Font(0));
        assert_eq!(Fonts::new(Some((OWN.to_vec(), 7))).unwrap_err(), PosterError::Font(7));
        assert_eq!(Fonts::new(Some((OWN.to_vec(), 0))).unwrap().letters("面").unwrap()[0].1.face, 0);
    }
}
