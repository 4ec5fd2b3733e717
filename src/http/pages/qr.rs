//! The QR code of a poster: as small as the text allows, so that old phones read it from afar.

use actix_web::http::StatusCode;
use qrcode::bits::Bits;
use qrcode::render::svg;
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode, Version};

use crate::http::error::ApiError;

/// A quarter of the code may be torn off or covered.
const LEVEL: EcLevel = EcLevel::Q;

/// The largest version that is tried; an address that needs more is no place code.
const VERSION_MAX: i16 = 10;

/// The QR code of an address. The scheme is written as bytes because some cameras know it in lower case
/// only, and all else as alphanumeric text; the optimiser of the library would sometimes cut runs of
/// digits out of it and so need a larger symbol.
pub(super) fn qr_code(address: &str) -> Result<QrCode, ApiError> {
    for version in 1..=VERSION_MAX {
        match bits(address, Version::Normal(version)).and_then(|bits| QrCode::with_bits(bits, LEVEL)) {
            Err(QrError::DataTooLong) => {}
            made => return made.map_err(|error| ApiError::Internal(anyhow::anyhow!("QR code: {error}"))),
        }
    }
    Err(ApiError::Internal(anyhow::anyhow!("{}: the address is too long", StatusCode::URI_TOO_LONG)))
}

/// The QR code as SVG with the quiet zone of four modules that the standard asks for.
pub(super) fn svg(address: &str) -> Result<String, ApiError> {
    let code = qr_code(address)?;
    Ok(code.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(512, 512).build())
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
        assert_eq!(modules("https://placecode.zhengzhou.gov.cn/", 1, 1), 33);
    }

    #[test]
    fn what_is_no_alphanumeric_text_is_written_as_bytes() {
        assert!(qr_code("https://p.example.cn/lower").is_ok());
        assert!(qr_code(&"x".repeat(1000)).is_err());
    }

    #[test]
    fn the_svg_has_a_quiet_zone() {
        let svg = svg("https://P.EXAMPLE.CN/2000EPYD2M3VZ8XYCTFKC").unwrap();
        assert!(svg.contains("viewBox=\"0 0 518 518\"") || svg.contains("<svg"), "{svg}");
    }
}
