//! What stands where on a poster and on a sticker.

use qrcode::QrCode;

use super::PosterError;
use super::canvas::{Align, Canvas};
use super::facts::PosterFacts;
use super::lines::{Frame, Part, Sizes};
use super::size::Grid;
use super::words::{Language, Words, fill};

/// How long a cut mark is, and how far from the edge of the sheet it begins; printers leave some 4 mm white.
const MARK_MM: f32 = 2.6;
const MARK_AT_MM: f32 = 1.5;

const fn frame(x_mm: f32, y_mm: f32, width_mm: f32, height_mm: f32) -> Frame {
    Frame { x_mm, y_mm, width_mm, height_mm }
}

const fn sizes(largest_mm: f32, smallest_mm: f32) -> Sizes {
    Sizes { largest_mm, smallest_mm }
}

/// Draws one poster; the millimetres are those of A4.
pub(super) fn poster(
    page: &mut Canvas<'_, '_>,
    words: &Words,
    facts: &PosterFacts,
    code: &QrCode,
) -> Result<(), PosterError> {
    let title = format!("{}  {}", words.zh.title, words.en.title);
    page.text(frame(15.0, 10.0, 180.0, 15.0), &[Part::of(&title).heavy()], sizes(11.0, 4.0), Align::Middle)?;
    let venue = [Part::of(&facts.venue).heavy()];
    page.text(frame(15.0, 25.0, 180.0, 25.0), &venue, sizes(13.0, 3.0), Align::Middle)?;
    page.text(frame(15.0, 50.0, 180.0, 12.5), &[Part::of(&facts.point)], sizes(8.0, 2.8), Align::Middle)?;
    page.symbol(41.0, 63.0, 128.0, code);
    let typed = [Part::of(&facts.typed).heavy()];
    page.text(frame(15.0, 191.0, 180.0, 12.0), &typed, sizes(9.0, 5.0), Align::Middle)?;
    column(page, frame(15.0, 205.0, 86.0, 70.0), &words.zh, facts)?;
    column(page, frame(109.0, 205.0, 86.0, 70.0), &words.en, facts)?;
    let both = |zh: &str, en: &str| format!("{}   {}", fill(zh, facts), fill(en, facts));
    let check = both(&words.zh.check, &words.en.check);
    let version = both(&words.zh.version, &words.en.version);
    let foot = [Part::of(&check).heavy(), Part::of(&version)];
    page.text(frame(15.0, 276.0, 180.0, 13.0), &foot, sizes(4.4, 2.0), Align::Middle)
}

/// What one language says below the symbol.
fn column(
    page: &mut Canvas<'_, '_>,
    frame: Frame,
    words: &Language,
    facts: &PosterFacts,
) -> Result<(), PosterError> {
    let heading = |text| Part { text, scale: 1.15, heavy: true, above: 0.45 };
    let steps: Vec<String> = words
        .steps
        .iter()
        .zip(1..)
        .map(|(step, number)| format!("{number}. {}", fill(step, facts)))
        .collect();
    let (no_phone, kept) = (fill(&words.no_phone, facts), fill(&words.kept, facts));
    let mut parts = vec![heading(&words.scan_title)];
    parts.extend(steps.iter().map(|step| Part::of(step)));
    parts.extend([heading(&words.no_phone_title), Part::of(&no_phone)]);
    parts.extend([heading(&words.kept_title), Part::of(&kept)]);
    page.text(frame, &parts, sizes(4.6, 2.4), Align::Start)
}

/// Where things stand on a sticker: the symbol on the left, the texts beside it.
struct Places {
    symbol: Frame,
    title: (Frame, Sizes),
    venue: (Frame, Sizes),
    point: (Frame, Sizes),
    typed: (Frame, Sizes),
    notes: (Frame, Sizes),
    version: (Frame, Sizes),
}

const SMALL: Places = Places {
    symbol: frame(0.9, 2.05, 34.0, 34.0),
    title: (frame(35.4, 1.9, 26.9, 3.2), sizes(2.4, 1.4)),
    venue: (frame(35.4, 5.1, 26.9, 7.8), sizes(3.0, 1.6)),
    point: (frame(35.4, 12.9, 26.9, 3.9), sizes(2.8, 1.5)),
    typed: (frame(35.4, 16.9, 26.9, 6.5), sizes(2.5, 2.0)),
    notes: (frame(35.4, 23.6, 26.9, 10.5), sizes(1.8, 1.2)),
    version: (frame(35.4, 34.3, 26.9, 2.1), sizes(1.5, 1.2)),
};

const LARGE: Places = Places {
    symbol: frame(1.5, 3.85, 60.0, 60.0),
    title: (frame(62.3, 4.0, 34.6, 6.0), sizes(4.2, 2.4)),
    venue: (frame(62.3, 10.0, 34.6, 15.0), sizes(5.0, 2.0)),
    point: (frame(62.3, 25.0, 34.6, 8.0), sizes(4.2, 1.9)),
    typed: (frame(62.3, 33.0, 34.6, 9.4), sizes(3.6, 2.6)),
    notes: (frame(62.3, 42.4, 34.6, 17.6), sizes(2.5, 1.6)),
    version: (frame(62.3, 60.0, 34.6, 3.4), sizes(2.1, 1.5)),
};

/// Draws one sticker.
pub(super) fn sticker(
    page: &mut Canvas<'_, '_>,
    words: &Words,
    facts: &PosterFacts,
    code: &QrCode,
    large: bool,
) -> Result<(), PosterError> {
    let places = if large { LARGE } else { SMALL };
    page.symbol(places.symbol.x_mm, places.symbol.y_mm, places.symbol.width_mm, code);
    let mut put =
        |place: (Frame, Sizes), parts: &[Part<'_>]| page.text(place.0, parts, place.1, Align::Start);
    let title = format!("{} {}", words.zh.title, words.en.title);
    put(places.title, &[Part::of(&title).heavy()])?;
    put(places.venue, &[Part::of(&facts.venue).heavy()])?;
    put(places.point, &[Part::of(&facts.point)])?;
    let (first, second) = in_halves(&facts.typed);
    put(places.typed, &[Part::of(first).heavy(), Part::of(second).heavy()])?;
    let notes = [
        &words.zh.sticker_no_phone,
        &words.en.sticker_no_phone,
        &words.zh.sticker_kept,
        &words.en.sticker_kept,
    ];
    let notes = notes.map(|note| fill(note, facts));
    put(places.notes, &notes.each_ref().map(|note| Part::of(note)))?;
    put(places.version, &[Part::of(&fill(&words.en.version, facts))])
}

/// A typed code in two lines of equal length: it is cut behind the hyphen in its middle.
fn in_halves(typed: &str) -> (&str, &str) {
    let hyphens: Vec<usize> = typed.match_indices('-').map(|(at, _)| at + 1).collect();
    let middle = hyphens.get(hyphens.len() / 2).copied().unwrap_or(typed.len());
    typed.split_at(middle)
}

/// Draws the marks by which a sheet of stickers is cut, in its margins: on label sheets they lie beside the labels.
pub(super) fn cut_marks(page: &mut Canvas<'_, '_>, grid: Grid, sheet_mm: (f32, f32)) {
    let (width_mm, height_mm) = sheet_mm;
    let end_mm = MARK_AT_MM + MARK_MM;
    for row in 0..=grid.rows {
        let y_mm = grid.top_mm + f32::from(row) * grid.height_mm;
        page.cut_mark((MARK_AT_MM, y_mm), (end_mm, y_mm));
        page.cut_mark((width_mm - MARK_AT_MM, y_mm), (width_mm - end_mm, y_mm));
    }
    for column in 0..grid.columns {
        let left_mm = grid.left_mm + f32::from(column) * grid.pitch_mm;
        for x_mm in [left_mm, left_mm + grid.width_mm] {
            page.cut_mark((x_mm, MARK_AT_MM), (x_mm, end_mm));
            page.cut_mark((x_mm, height_mm - MARK_AT_MM), (x_mm, height_mm - end_mm));
        }
    }
}
