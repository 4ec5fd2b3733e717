//! Setting a text into a frame: it wraps, becomes smaller, and at the smallest size ends in an ellipsis.

use super::PosterError;
use super::fonts::{Fonts, Letter};

/// From one baseline to the next, as a share of the size.
pub(super) const LEADING: f32 = 1.28;

/// By how much a text is set smaller when it does not fit.
const SHRINK: f32 = 0.96;

/// Marks that do not begin a line.
const CLOSING: &str = "，。、；：！？）》〉」』】〕”’…—～·%‰℃,.;:!?)]}-";

/// Marks that do not end a line.
const OPENING: &str = "（《〈「『【〔“‘([{";

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "units stand in names")]
pub(super) struct Frame {
    pub(super) x_mm: f32,
    pub(super) y_mm: f32,
    pub(super) width_mm: f32,
    pub(super) height_mm: f32,
}

/// How large a text may be and must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sizes {
    pub(super) largest_mm: f32,
    pub(super) smallest_mm: f32,
}

/// One part of a text: a paragraph, or a heading above one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    /// Its size as a share of that of the text.
    pub(super) scale: f32,
    pub(super) heavy: bool,
    /// The space above it, as a share of the size of the text.
    pub(super) above: f32,
}

/// One line at its place, measured from the top left corner of the frame.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) letters: Vec<(char, Letter)>,
    pub(super) top_mm: f32,
    pub(super) width_mm: f32,
    pub(super) size_mm: f32,
    pub(super) heavy: bool,
}

/// A text that was set.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) lines: Vec<Line>,
    pub(super) height_mm: f32,
    /// Something did not fit even at the smallest size.
    pub(super) cut: bool,
}

impl<'a> Part<'a> {
    /// A text by itself.
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, scale: 1.0, heavy: false, above: 0.0 }
    }

    /// The same in heavy strokes.
    pub(super) fn heavy(self) -> Self {
        Self { heavy: true, ..self }
    }
}

/// Sets parts one below the other into a frame, as large as they fit.
pub(super) fn set(
    fonts: &Fonts,
    parts: &[Part<'_>],
    width_mm: f32,
    height_mm: f32,
    sizes: Sizes,
) -> Result<Setting, PosterError> {
    let letters = parts.iter().map(|part| Ok((*part, fonts.letters(part.text)?)));
    let parts: Vec<_> = letters.collect::<Result<_, PosterError>>()?;
    let mut size_mm = sizes.largest_mm;
    loop {
        let setting = set_at(&parts, width_mm, size_mm);
        let fits = setting.height_mm <= height_mm && !setting.cut;
        if fits {
            return Ok(setting);
        }
        if size_mm <= sizes.smallest_mm {
            let dots = fonts.letters("…")?;
            return Ok(cut(set_at(&parts, width_mm, sizes.smallest_mm), width_mm, height_mm, &dots));
        }
        size_mm = (size_mm * SHRINK).max(sizes.smallest_mm);
    }
}

/// `cut` tells that a word had to be broken, which a smaller size may spare.
fn set_at(parts: &[(Part<'_>, Vec<(char, Letter)>)], width_mm: f32, size_mm: f32) -> Setting {
    let mut setting = Setting { lines: Vec::new(), height_mm: 0.0, cut: false };
    for (part, letters) in parts {
        let own_mm = size_mm * part.scale;
        setting.height_mm += part.above * size_mm;
        let (lines, broken) = wrap(letters, width_mm / own_mm);
        setting.cut |= broken;
        for letters in lines {
            let width_mm = advance(&letters) * own_mm;
            let line =
                Line { letters, top_mm: setting.height_mm, width_mm, size_mm: own_mm, heavy: part.heavy };
            setting.lines.push(line);
            setting.height_mm += own_mm * LEADING;
        }
    }
    setting
}

/// Drops the lines that stand below the frame; the last that stays ends in an ellipsis.
fn cut(mut setting: Setting, width_mm: f32, height_mm: f32, dots: &[(char, Letter)]) -> Setting {
    let all = setting.lines.len();
    setting.lines.retain(|line| line.top_mm + line.size_mm * LEADING <= height_mm + 0.01);
    setting.cut = setting.lines.len() < all;
    if let Some(last) = setting.lines.last_mut() {
        if setting.cut {
            while last.letters.len() > 1 && (advance(&last.letters) + advance(dots)) * last.size_mm > width_mm
            {
                last.letters.pop();
            }
            last.letters.extend_from_slice(dots);
            last.width_mm = advance(&last.letters) * last.size_mm;
        }
        setting.height_mm = last.top_mm + last.size_mm * LEADING;
    }
    setting
}

/// The lines of a text, `room` wide as a multiple of the size, and whether a word had to be broken.
fn wrap(letters: &[(char, Letter)], room: f32) -> (Vec<Vec<(char, Letter)>>, bool) {
    let mut lines = Vec::new();
    let mut broken = false;
    let mut line: Vec<(char, Letter)> = Vec::new();
    for word in words(letters) {
        if !line.is_empty() && advance(&line) + advance(trimmed(word)) > room {
            lines.push(std::mem::take(&mut line));
        }
        if line.is_empty() && advance(trimmed(word)) > room {
            broken = true;
            for letter in word {
                if !line.is_empty() && advance(&line) + letter.1.advance > room {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(*letter);
            }
        } else {
            line.extend_from_slice(word);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    for line in &mut lines {
        let kept = trimmed(line).len();
        line.truncate(kept);
    }
    (lines, broken)
}

/// What stays together: Latin words with the space behind them, single characters of Chinese, and marks with
/// what they belong to.
fn words(letters: &[(char, Letter)]) -> Vec<&[(char, Letter)]> {
    let mut words = Vec::new();
    let mut rest = letters;
    while !rest.is_empty() {
        let pairs = rest.iter().zip(rest.iter().skip(1));
        let ends = |((one, _), (next, _)): (&(char, Letter), &(char, Letter))| may_part(*one, *next);
        let length = pairs.map(ends).position(|ends| ends).map_or(rest.len(), |at| at + 1);
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after;
    }
    words
}

/// Whether a line may end between these two.
fn may_part(one: char, next: char) -> bool {
    if next == ' ' || CLOSING.contains(next) || OPENING.contains(one) {
        return false;
    }
    one == ' ' || one == '-' || is_wide(one) || is_wide(next)
}

/// Characters between which lines may end anywhere: those of Chinese, Japanese and Korean.
fn is_wide(letter: char) -> bool {
    matches!(u32::from(letter), 0x2E80..=0x9FFF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFF00..=0xFFEF | 0x2_0000..=0x3_FFFF)
}

fn trimmed(letters: &[(char, Letter)]) -> &[(char, Letter)] {
    let spaces = letters.iter().rev().take_while(|(letter, _)| *letter == ' ').count();
    letters.split_at(letters.len() - spaces).0
}

fn advance(letters: &[(char, Letter)]) -> f32 {
    letters.iter().map(|(_, letter)| letter.advance).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZES: Sizes = Sizes { largest_mm: 12.0, smallest_mm: 2.0 };

    fn fonts() -> Fonts {
        Fonts::new(None).unwrap()
    }

    fn read(setting: &Setting) -> Vec<String> {
        setting.lines.iter().map(|line| line.letters.iter().map(|(letter, _)| letter).collect()).collect()
    }

    fn lines(text: &str, width_mm: f32, height_mm: f32, sizes: Sizes) -> Setting {
        set(&fonts(), &[Part::of(text)], width_mm, height_mm, sizes).unwrap()
    }

    #[test]
    fn a_short_text_is_as_large_as_it_may_be() {
        let setting = lines("老茶馆", 180.0, 22.0, SIZES);
        assert_eq!(read(&setting), ["老茶馆"]);
        assert!((setting.lines[0].size_mm - 12.0).abs() < 1e-6 && !setting.cut);
        assert!((setting.lines[0].width_mm - 36.0).abs() < 1e-3);
    }

    #[test]
    fn lines_break_between_words_and_beside_chinese_but_not_before_marks() {
        let fixed = Sizes { largest_mm: 10.0, smallest_mm: 10.0 };
        assert_eq!(read(&lines("星河餐厅，花园路", 45.0, 100.0, fixed)), ["星河餐", "厅，花园", "路"]);
        assert_eq!(read(&lines("星河（花园路）店", 31.0, 100.0, fixed)), ["星河", "（花园", "路）店"]);
        assert_eq!(read(&lines("Ask the staff", 40.0, 100.0, fixed)), ["Ask the", "staff"]);
        assert_eq!(read(&lines("2000E-PYD2M", 45.0, 100.0, fixed)), ["2000E-", "PYD2M"]);
    }

    #[test]
    fn a_long_word_is_set_smaller_before_it_is_broken() {
        let setting = lines("Donaudampfschifffahrtsgesellschaft", 60.0, 30.0, SIZES);
        assert_eq!(setting.lines.len(), 1, "{:?}", read(&setting));
        assert!(!setting.cut);
    }

    #[test]
    fn what_does_not_fit_at_the_smallest_size_says_so() {
        let setting = lines(&"馆".repeat(500), 25.0, 9.0, SIZES);
        assert!(setting.cut && read(&setting).last().unwrap().ends_with('…'), "{:?}", read(&setting));
        let broken = lines(&"x".repeat(60), 25.0, 9.0, SIZES);
        assert!(!broken.cut && broken.lines.len() > 1, "a word that is too long for a line is broken");
        assert_eq!(read(&broken).concat().len(), 60);
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_frame(
            text in "[a-zA-Z0-9 ，。（）·老城烩面馆花园路-]{1,200}",
            width_mm in 12f32..190.0,
            height_mm in 3f32..40.0,
        ) {
            let setting = lines(&text, width_mm, height_mm, SIZES);
            prop_assert!(setting.height_mm <= height_mm + 0.02, "{}", setting.height_mm);
            for line in &setting.lines {
                prop_assert!(line.width_mm <= width_mm + 0.02, "{} of {width_mm}", line.width_mm);
                prop_assert!(line.top_mm + line.size_mm * LEADING <= height_mm + 0.02);
            }
            if !setting.cut {
                let set: String = read(&setting).concat().split(' ').collect();
                prop_assert_eq!(set, text.split(' ').collect::<String>());
            }
        }
    }
}
