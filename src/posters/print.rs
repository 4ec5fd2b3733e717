//! Making files: posters of one size, one after the other, into one PDF.

use krilla::Document;
use krilla::SerializeSettings;
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use qrcode::QrCode;

use super::PosterError;
use super::canvas::{Canvas, POINTS_PER_MM};
use super::facts::PosterFacts;
use super::fonts::Fonts;
use super::layout;
use super::qr::qr_code;
use super::size::Size;
use super::words::Words;

/// Width of A4, in whose millimetres posters are laid out.
const A4_WIDTH_MM: f32 = 210.0;

/// The fonts and texts; made once and used for every file.
#[derive(Debug)]
pub struct Printer {
    fonts: Fonts,
    words: Words,
}

/// A PDF that is being made.
pub struct Print<'a> {
    printer: &'a Printer,
    size: Size,
    document: Document,
    /// What stands on the sheet that is not full yet.
    sheet: Vec<(PosterFacts, QrCode)>,
    sheets: usize,
}

impl std::fmt::Debug for Print<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Print")
            .field("size", &self.size)
            .field("sheets", &self.sheets)
            .finish_non_exhaustive()
    }
}

impl Printer {
    /// A printer with these fonts and texts.
    pub fn new(fonts: Fonts, words: Words) -> Self {
        Self { fonts, words }
    }

    /// The texts.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// Begins a PDF. The title is what a reader shows above it.
    pub fn begin(&self, size: Size, title: &str) -> Print<'_> {
        let mut document = Document::new_with(SerializeSettings::default());
        let metadata = Metadata::new().title(title.to_owned()).language("zh-CN".to_owned());
        document.set_metadata(metadata.creator("placecode".to_owned()));
        Print { printer: self, size, document, sheet: Vec::new(), sheets: 0 }
    }

    /// One PDF with a poster or sticker for each of the facts.
    pub fn pdf(&self, size: Size, title: &str, facts: &[PosterFacts]) -> Result<Vec<u8>, PosterError> {
        let mut print = self.begin(size, title);
        for facts in facts {
            print.add(facts)?;
        }
        print.finish()
    }

    /// Whether a poster can be made: every character has a glyph, and the address fits the symbol.
    pub fn check(&self, facts: &PosterFacts) -> Result<(), PosterError> {
        self.prepare(facts).map(drop)
    }

    fn prepare(&self, facts: &PosterFacts) -> Result<QrCode, PosterError> {
        for text in [&facts.venue, &facts.point, &facts.typed, &facts.host] {
            self.fonts.letters(text)?;
        }
        qr_code(&facts.url)
    }
}

impl Print<'_> {
    /// Adds one poster, or one sticker to the sheet. One that cannot be made leaves the file as it was.
    pub fn add(&mut self, facts: &PosterFacts) -> Result<(), PosterError> {
        let code = self.printer.prepare(facts)?;
        self.sheet.push((facts.clone(), code));
        if self.sheet.len() == self.size.per_sheet() { self.turn() } else { Ok(()) }
    }

    /// How many sheets are full.
    pub fn sheets(&self) -> usize {
        self.sheets
    }

    /// The file.
    pub fn finish(mut self) -> Result<Vec<u8>, PosterError> {
        if !self.sheet.is_empty() || self.sheets == 0 {
            self.turn()?;
        }
        self.document.finish().map_err(|error| PosterError::File(format!("{error:?}")))
    }

    /// Draws the sheet and begins another.
    fn turn(&mut self) -> Result<(), PosterError> {
        let (width_mm, height_mm) = self.size.sheet_mm();
        let settings = PageSettings::from_wh(width_mm * POINTS_PER_MM, height_mm * POINTS_PER_MM);
        let settings = settings.ok_or_else(|| PosterError::File("a sheet without size".to_owned()))?;
        let Printer { fonts, words } = self.printer;
        let mut page = self.document.start_page_with(settings);
        let mut surface = page.surface();
        if let Some(grid) = self.size.grid() {
            let mut whole = Canvas::at(&mut surface, fonts, 0.0, 0.0, 1.0);
            layout::cut_marks(&mut whole, grid, (width_mm, height_mm));
            whole.end();
            let rows = (0..grid.rows).flat_map(|row| (0..grid.columns).map(move |column| (column, row)));
            for ((facts, code), (column, row)) in self.sheet.iter().zip(rows) {
                let x_mm = grid.left_mm + f32::from(column) * grid.pitch_mm;
                let y_mm = grid.top_mm + f32::from(row) * grid.height_mm;
                let mut sticker = Canvas::at(&mut surface, fonts, x_mm, y_mm, 1.0);
                layout::sticker(&mut sticker, words, facts, code, self.size == Size::LargeStickers)?;
                sticker.end();
            }
        } else {
            for (facts, code) in &self.sheet {
                let mut poster = Canvas::at(&mut surface, fonts, 0.0, 0.0, width_mm / A4_WIDTH_MM);
                layout::poster(&mut poster, words, facts, code)?;
                poster.end();
            }
        }
        surface.finish();
        page.finish();
        self.sheet.clear();
        self.sheets += 1;
        Ok(())
    }
}
