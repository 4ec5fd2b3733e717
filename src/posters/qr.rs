//! The symbol of a poster: as few modules as the text allows, so that old phones read it from afar.

use qrcode::bits::Bits;
use qrcode::render::svg;
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode, Version};

use super::PosterError;

/// A quarter of the code may be torn off or covered.
const LEVEL: EcLevel = EcLevel::Q;

/// The largest version that is tried; an address that needs more is no place code.
const VERSION_MAX: i16 = 10;

/// How wide the empty space around the symbol is, in modules.
pub(super) const QUIET_MODULES: usize = 4;

/// The QR code of an address. The scheme is written as bytes because some cameras know it in lower case
/// only, and all else as alphanumeric text; the optimiser of the library would sometimes cut runs of
/// digits out of it and so need a larger symbol.
pub(super) fn qr_code(address: &str) -> Result<QrCode, PosterError> {
    for version in 1..=VERSION_MAX {
        match bits(address, Version::Normal(version)).and_then(|bits| QrCode::with_bits(bits, LEVEL)) {
            Err(QrError::DataTooLong) => {}
            made => return made.map_err(|_unwritable| PosterError::Address(address.to_owned())),
        }
    }
    Err(PosterError::Address(address.to_owned()))
}

/// The bare symbol as SVG, with the quiet zone of four modules that the standard asks for.
pub fn svg(address: &str) -> Result<String, PosterError> {
    let code = qr_code(address)?;
    Ok(code.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(512, 512).build())
}

/// The bare symbol as PNG in black and white, with the quiet zone, each module so many pixels wide.
pub fn png(address: &str, module_px: u8) -> Result<Vec<u8>, PosterError> {
    let code = qr_code(address)?;
    let modules = code.width() + 2 * QUIET_MODULES;
    let side_px = modules * usize::from(module_px);
    let mut rows = Vec::with_capacity(side_px.div_ceil(8) * side_px);
    for row in 0..modules {
        let mut bits = vec![0xFF_u8; side_px.div_ceil(8)];
        let darks = (0..side_px).filter(|x| is_dark(&code, x / usize::from(module_px), row));
        for x in darks {
            if let Some(byte) = bits.get_mut(x / 8) {
                *byte &= !(0x80 >> (x % 8));
            }
        }
        (0..module_px).for_each(|_| rows.extend_from_slice(&bits));
    }
    let broken = |error: png::EncodingError| PosterError::File(error.to_string());
    let side = u32::try_from(side_px).map_err(|error| PosterError::File(error.to_string()))?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(broken)?;
    writer.write_image_data(&rows).map_err(broken)?;
    writer.finish().map_err(broken)?;
    Ok(file)
}

/// Whether a module is dark, counted from the corner of the quiet zone.
fn is_dark(code: &QrCode, column: usize, row: usize) -> bool {
    let inside = |at: usize| at.checked_sub(QUIET_MODULES).filter(|at| *at < code.width());
    let place = inside(column).zip(inside(row));
    place.is_some_and(|place| code[place] == Color::Dark)
}

/// A rectangle of dark modules, counted from the corner of the quiet zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) column: u16,
    pub(super) row: u16,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// The dark modules as few rectangles: runs of a row, and equal runs of following rows in one.
pub(super) fn blocks(code: &QrCode) -> Vec<Block> {
    let modules = u16::try_from(code.width() + 2 * QUIET_MODULES).unwrap_or(u16::MAX);
    let dark = |column: u16, row: u16| is_dark(code, column.into(), row.into());
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Vec<Block> = Vec::new();
    for row in 0..modules {
        let starts = (1..modules).filter(|column| dark(*column, row) && !dark(column - 1, row));
        let mut runs = Vec::new();
        for column in starts {
            let end = (column..modules).find(|column| !dark(*column, row)).unwrap_or(modules);
            let run = Block { column, row, width: end - column, height: 1 };
            let above = open.iter().position(|above| above.column == column && above.width == run.width);
            runs.push(above.map_or(run, |above| {
                let above = open.swap_remove(above);
                Block { height: above.height + 1, ..above }
            }));
        }
        blocks.append(&mut open);
        open = runs;
    }
    blocks.append(&mut open);
    blocks
}

fn bits(address: &str, version: Version) -> Result<Bits, QrError> {
    let mut bits = Bits::new(version);
    match address.split_once(':') {
        Some((scheme, _)) if rest_of(address, scheme).bytes().all(is_alphanumeric) => {
            bits.push_byte_data(scheme.as_bytes())?;
            bits.push_alphanumeric_data(rest_of(address, scheme).as_bytes())?;
        }
        _ => bits.push_byte_data(address.as_bytes())?,
    }
    bits.push_terminator(LEVEL)?;
    Ok(bits)
}

fn rest_of<'a>(address: &'a str, scheme: &str) -> &'a str {
    address.strip_prefix(scheme).unwrap_or(address)
}

/// What the alphanumeric mode of QR knows.
fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase() || b" $%*+-./:".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::Keyring;
    use crate::domain::place_code::PlaceCode;
    use crate::domain::venue::PointId;
    use proptest::prelude::*;

    fn modules(base: &str, point: u64, generation: u8) -> usize {
        let code = PlaceCode { point: PointId::new(point).unwrap(), generation };
        let signed = code.sign(&Keyring::new([1; 32], [2; 32])).unwrap();
        qr_code(&signed.url(&base.parse().unwrap())).unwrap().width()
    }

    proptest! {
        #[test]
        fn every_code_of_a_short_host_has_29_modules(point in 0u64..(1 << 40), generation: u8) {
            prop_assert_eq!(modules("https://p.example.cn/", point, generation), 29);
        }
    }

    #[test]
    fn a_longer_host_needs_one_size_more() {
        assert_eq!(modules("http://127.0.0.1:8080/", 1, 1), 29);
        assert_eq!(modules("https://pp.example.cn/", 1, 1), 33);
        assert_eq!(modules("https://placecode.zhengzhou.gov.cn/", 1, 1), 33);
        assert_eq!(modules(&format!("https://{}.cn/", "x".repeat(30)), 1, 1), 33);
        assert_eq!(modules(&format!("https://{}.cn/", "x".repeat(31)), 1, 1), 37);
    }

    #[test]
    fn what_is_no_alphanumeric_text_is_written_as_bytes() {
        assert!(qr_code("https://p.example.cn/lower").is_ok());
        assert!(qr_code(&"x".repeat(1000)).is_err());
    }

    const ADDRESS: &str = "https://P.EXAMPLE.CN/2000EPYD2M3VZ8XYCTFKC";

    #[test]
    fn the_svg_has_a_quiet_zone() {
        // 29 modules and four on each side, 14 pixels each.
        assert!(svg(ADDRESS).unwrap().contains("viewBox=\"0 0 518 518\""));
    }

    #[test]
    fn the_png_is_as_large_as_its_modules_and_shows_them() {
        let code = qr_code(ADDRESS).unwrap();
        for module_px in [1, 3, 16] {
            let file = png(ADDRESS, module_px).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
            let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
            let frame = reader.next_frame(&mut bytes).unwrap();
            let module_px = usize::from(module_px);
            assert_eq!(frame.width as usize, 37 * module_px);
            for (x, y) in (0..37).flat_map(|x| (0..37).map(move |y| (x, y))) {
                let (px, py) = (x * module_px, y * module_px + module_px - 1);
                let white = bytes[py * frame.line_size + px / 8] & (0x80 >> (px % 8)) != 0;
                assert_eq!(white, !is_dark(&code, x, y), "{x} {y}");
            }
        }
    }

    #[test]
    fn the_blocks_are_the_dark_modules_and_none_twice() {
        let code = qr_code(ADDRESS).unwrap();
        let blocks = blocks(&code);
        let mut covered = std::collections::BTreeSet::new();
        for block in &blocks {
            for column in block.column..block.column + block.width {
                for row in block.row..block.row + block.height {
                    assert!(covered.insert((column, row)), "{block:?}");
                    assert!(is_dark(&code, column.into(), row.into()), "{block:?}");
                }
            }
        }
        let dark = code.to_colors().iter().filter(|color| **color == Color::Dark).count();
        assert_eq!(covered.len(), dark);
        assert!(blocks.len() * 2 < dark, "{} blocks for {dark} modules", blocks.len());
    }
}
