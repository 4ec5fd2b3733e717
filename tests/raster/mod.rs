//! Posters as a camera sees them: pages turned into pixels, spoiled in known ways, and read by a decoder that is
//! not ours.

use hayro::hayro_interpret::BlendMode;
use hayro::hayro_interpret::font::GlyphRun;
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{
    ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, interpret_page,
};
use hayro::hayro_syntax::Pdf;
use hayro::kurbo::{Affine, BezPath, Rect};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub const MM_PER_INCH: f32 = 25.4;

/// A picture in shades of grey.
#[derive(Clone)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pixels: Vec<u8>,
}

/// How a camera sees a symbol.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Pixels for one pixel of the picture; below one it is farther away.
    pub scale: f32,
    pub turn_deg: f32,
    /// By how many pixels the lens blurs (standard deviation).
    pub blur_px: f32,
    /// What is left of the contrast, and how much noise there is, in 256 shades.
    pub contrast: f32,
    pub noise: f32,
    pub seed: u64,
}

impl Look {
    /// A good scanner.
    pub const PLAIN: Self =
        Self { scale: 1.0, turn_deg: 0.0, blur_px: 0.0, contrast: 1.0, noise: 0.0, seed: 0 };
}

/// The pages of a PDF at that resolution.
pub fn pages(pdf: &[u8], dpi: f32) -> Vec<Picture> {
    let pdf = Pdf::new(pdf.to_vec()).expect("a PDF that can be read");
    let scale = dpi / 72.0;
    let settings = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    let cache = RenderCache::new();
    let picture = |page| {
        let made =
            render(page, &cache, &InterpreterSettings::default(), &RenderSettings::default(), &settings);
        let pixels = made.data().iter().map(|pixel| pixel.r).collect();
        Picture { width: made.width().into(), height: made.height().into(), pixels }
    };
    pdf.pages().iter().map(picture).collect()
}

/// The text that a reader of the file would copy out of each page, as it follows from the font inside.
pub fn texts(pdf: &[u8]) -> Vec<String> {
    let pdf = Pdf::new(pdf.to_vec()).expect("a PDF that can be read");
    let text = |page: &hayro::hayro_syntax::page::Page<'_>| {
        let cache = InterpreterCache::new();
        let mut text = Text::default();
        let sheet = Rect::new(0.0, 0.0, 1000.0, 1000.0);
        let settings = InterpreterSettings::default();
        let mut context = Context::new(Affine::IDENTITY, sheet, &cache, page.xref(), settings);
        interpret_page(page, &mut context, &mut text);
        text.0
    };
    pdf.pages().iter().map(text).collect()
}

/// A device that draws nothing and keeps what is written.
#[derive(Default)]
struct Text(String);

impl Device<'_> for Text {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, _: DrawProps<'_>, _: &DrawMode) {
        for glyph in run.glyphs() {
            match glyph.as_unicode().expect("every glyph has its character") {
                BfString::Char(letter) => self.0.push(letter),
                BfString::String(letters) => self.0.push_str(&letters),
            }
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

impl Picture {
    pub fn of(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), width * height);
        Self { width, height, pixels }
    }

    /// What the decoder reads in it; codes that it sees and cannot read are left out.
    pub fn read(&self) -> Vec<String> {
        let grey = |x: usize, y: usize| self.pixels[y * self.width + x];
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, grey);
        image.detect_grids().iter().filter_map(|grid| Some(grid.decode().ok()?.1)).collect()
    }

    /// The part of a page between these millimetres.
    pub fn part(&self, dpi: f32, x_mm: f32, y_mm: f32, width_mm: f32, height_mm: f32) -> Self {
        let px = |mm: f32| (mm / MM_PER_INCH * dpi).round() as usize;
        let (left, top, width, height) = (px(x_mm), px(y_mm), px(width_mm), px(height_mm));
        let rows = (top..top + height).flat_map(|y| &self.pixels[y * self.width + left..][..width]);
        Self::of(width, height, rows.copied().collect())
    }

    /// How many pixels are not white.
    pub fn ink(&self) -> usize {
        self.pixels.iter().filter(|pixel| **pixel < 250).count()
    }

    /// The same with a square of that shade on it.
    pub fn covered(mut self, left: usize, top: usize, side: usize, shade: u8) -> Self {
        for y in top..top + side {
            self.pixels[y * self.width + left..][..side].fill(shade);
        }
        self
    }

    /// The same as a camera sees it, on a white ground that holds it whole.
    pub fn seen(&self, look: Look) -> Self {
        let mut random = StdRng::seed_from_u64(look.seed);
        let (sin, cos) = look.turn_deg.to_radians().sin_cos();
        let (width, height) = (self.width as f32 * look.scale, self.height as f32 * look.scale);
        let side = ((width.hypot(height)) + 8.0).ceil() as usize;
        let middle = side as f32 / 2.0 + random.random_range(-0.5..0.5);
        // Each pixel of a sensor sees an area: the mean of samples spread over it.
        let samples = (2.0 / look.scale).ceil().clamp(2.0, 12.0) as usize;
        let mut pixels = Vec::with_capacity(side * side);
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
            let mut sum = 0.0;
            for (v, u) in (0..samples).flat_map(|v| (0..samples).map(move |u| (v, u))) {
                let inside =
                    |at: usize, part: usize| at as f32 + (part as f32 + 0.5) / samples as f32 - middle;
                let (dx, dy) = (inside(x, u), inside(y, v));
                let from_x = (dx * cos + dy * sin + width / 2.0) / look.scale;
                let from_y = (dy * cos - dx * sin + height / 2.0) / look.scale;
                sum += self.at(from_x, from_y);
            }
            pixels.push(sum / (samples * samples) as f32);
        }
        let blurred = blur(pixels, side, look.blur_px);
        let spoil = |shade: f32| {
            let noise = if look.noise > 0.0 { random.random_range(-look.noise..look.noise) } else { 0.0 };
            (128.0 + (shade - 128.0) * look.contrast + noise).clamp(0.0, 255.0) as u8
        };
        Self::of(side, side, blurred.into_iter().map(spoil).collect())
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let inside = x >= 0.0 && y >= 0.0 && (x as usize) < self.width && (y as usize) < self.height;
        if inside { f32::from(self.pixels[y as usize * self.width + x as usize]) } else { 255.0 }
    }
}

fn blur(pixels: Vec<f32>, side: usize, sigma: f32) -> Vec<f32> {
    if sigma <= 0.0 {
        return pixels;
    }
    let reach = (sigma * 3.0).ceil() as isize;
    let weights: Vec<f32> =
        (-reach..=reach).map(|d| (-(d * d) as f32 / (2.0 * sigma * sigma)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let along = |pixels: &[f32], step: usize, other: usize| {
        let mean = |at: usize| {
            let (line, place) = (at / side, at % side);
            let near = |d: isize| (place as isize + d).clamp(0, side as isize - 1) as usize;
            let sum: f32 = (-reach..=reach)
                .zip(&weights)
                .map(|(d, weight)| pixels[line * other + near(d) * step] * weight)
                .sum();
            sum / total
        };
        (0..side * side).map(mean).collect::<Vec<f32>>()
    };
    // The second pass reads columns and so turns the picture; the first does the same, and both undo each other.
    let turned = along(&pixels, side, 1);
    along(&turned, side, 1)
}

/// One symbol seen `looks` times from a little turned away, each module `module_px` wide: how often it is read.
pub fn read_share(symbol: &Picture, symbol_modules: usize, module_px: f32, looks: u64, blur_px: f32) -> f64 {
    let scale = module_px * symbol_modules as f32 / symbol.width as f32;
    let look = |seed: u64| Look {
        scale,
        turn_deg: (seed as f32 * 7.3) % 40.0 - 20.0,
        blur_px,
        contrast: 0.7,
        noise: 10.0,
        seed,
    };
    let read = (0..looks).filter(|seed| symbol.seen(look(*seed)).read().len() == 1).count();
    read as f64 / looks as f64
}
