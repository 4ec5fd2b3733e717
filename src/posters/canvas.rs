//! Drawing on a page in millimetres.

use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect, Transform};
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::text::KrillaGlyph;
use qrcode::QrCode;

use super::PosterError;
use super::fonts::{Fonts, Letter};
use super::lines::{Frame, LEADING, Line, Part, Setting, Sizes, set};
use super::qr::{self, QUIET_MODULES};

/// Points in a millimetre.
pub(super) const POINTS_PER_MM: f32 = 72.0 / 25.4;

/// From the top of the em square to the baseline, as a share of the size; the same in all fonts of Chinese.
const ASCENT: f32 = 0.88;

/// How thick the outline is that makes letters heavy, as a share of their size.
const HEAVY: f32 = 0.028;

/// Where lines stand in their frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// At the top left.
    Start,
    /// In the middle, both ways.
    Middle,
}

/// A page, or a sticker on it.
pub(super) struct Canvas<'a, 's> {
    surface: &'a mut Surface<'s>,
    fonts: &'a Fonts,
}

impl<'a, 's> Canvas<'a, 's> {
    /// A part of the page whose corner is at these millimetres; millimetres on it are `scale` as large.
    pub(super) fn at(
        surface: &'a mut Surface<'s>,
        fonts: &'a Fonts,
        x_mm: f32,
        y_mm: f32,
        scale: f32,
    ) -> Self {
        let unit = POINTS_PER_MM * scale;
        let place = Transform::from_row(unit, 0.0, 0.0, unit, x_mm * POINTS_PER_MM, y_mm * POINTS_PER_MM);
        surface.push_transform(&place);
        Self { surface, fonts }
    }

    /// Ends this part of the page.
    pub(super) fn end(self) {
        self.surface.pop();
    }

    /// Sets a text into a frame.
    pub(super) fn text(
        &mut self,
        frame: Frame,
        parts: &[Part<'_>],
        sizes: Sizes,
        align: Align,
    ) -> Result<(), PosterError> {
        let setting = set(self.fonts, parts, frame.width_mm, frame.height_mm, sizes)?;
        self.write(frame, &setting, align)
    }

    fn write(&mut self, frame: Frame, setting: &Setting, align: Align) -> Result<(), PosterError> {
        let above_mm = match align {
            Align::Start => 0.0,
            Align::Middle => (frame.height_mm - setting.height_mm) / 2.0,
        };
        for line in &setting.lines {
            let aside_mm = match align {
                Align::Start => 0.0,
                Align::Middle => (frame.width_mm - line.width_mm) / 2.0,
            };
            let baseline_mm = line.top_mm + line.size_mm * ((LEADING - 1.0) / 2.0 + ASCENT);
            self.line(line, frame.x_mm + aside_mm, frame.y_mm + above_mm + baseline_mm)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line, x_mm: f32, baseline_mm: f32) -> Result<(), PosterError> {
        self.surface.set_fill(Some(black()));
        let width = line.size_mm * HEAVY;
        let stroke = Stroke { paint: luma::Color::black().into(), width, ..Stroke::default() };
        self.surface.set_stroke(line.heavy.then_some(stroke));
        let mut x_mm = x_mm;
        for run in line.letters.chunk_by(|(_, one), (_, next)| one.face == next.face) {
            let Some((_, first)) = run.first() else { continue };
            let font = self.fonts.font(first.face);
            let font = font.ok_or_else(|| PosterError::File("a font is missing".to_owned()))?;
            let (text, glyphs) = glyphs(run);
            let start = Point::from_xy(x_mm, baseline_mm);
            self.surface.draw_glyphs(start, &glyphs, font, &text, line.size_mm, false);
            x_mm += run.iter().map(|(_, letter)| letter.advance).sum::<f32>() * line.size_mm;
        }
        self.surface.set_stroke(None);
        Ok(())
    }

    /// The symbol with its quiet zone in a square. It is one path, so that no viewer shows seams in it.
    pub(super) fn symbol(&mut self, x_mm: f32, y_mm: f32, side_mm: f32, code: &QrCode) {
        let modules = u16::try_from(code.width() + 2 * QUIET_MODULES).unwrap_or(u16::MAX);
        let module_mm = side_mm / f32::from(modules);
        let mut path = PathBuilder::new();
        for block in qr::blocks(code) {
            let (left, top) = (f32::from(block.column) * module_mm, f32::from(block.row) * module_mm);
            let (width, height) = (f32::from(block.width) * module_mm, f32::from(block.height) * module_mm);
            if let Some(rect) = Rect::from_xywh(x_mm + left, y_mm + top, width, height) {
                path.push_rect(rect);
            }
        }
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(black()));
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
    }

    /// A thin grey line by which a sheet is cut.
    pub(super) fn cut_mark(&mut self, from_mm: (f32, f32), to_mm: (f32, f32)) {
        let mut path = PathBuilder::new();
        path.move_to(from_mm.0, from_mm.1);
        path.line_to(to_mm.0, to_mm.1);
        let grey = luma::Color::new(150).into();
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(Stroke { paint: grey, width: 0.1, ..Stroke::default() }));
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
        self.surface.set_stroke(None);
    }
}

fn black() -> Fill {
    Fill { paint: luma::Color::black().into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

/// The glyphs of letters of one font, with the text that a reader of the file copies out of it.
fn glyphs(run: &[(char, Letter)]) -> (String, Vec<KrillaGlyph>) {
    let mut text = String::new();
    let glyphs = run.iter().map(|(character, letter)| {
        let from = text.len();
        text.push(*character);
        KrillaGlyph::new(letter.glyph, letter.advance, 0.0, 0.0, 0.0, from..text.len(), None)
    });
    let glyphs = glyphs.collect();
    (text, glyphs)
}
