//! Posters as files: what a rasteriser and a decoder that are not ours make of them.
#![expect(unreachable_pub, reason = "a test binary has no users")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the helpers of a test are tests too, and pixels are small numbers"
)]

mod raster;

use chrono::NaiveDate;
use placecode::posters::{Fonts, PosterFacts, Printer, Size, Words, qr};

use raster::{Look, Picture, pages, read_share, texts};

/// A symbol with its quiet zone on a page: left, top and side in millimetres.
type Square = (f32, f32, f32);

fn printer() -> Printer {
    Printer::new(Fonts::new(None).unwrap(), Words::shipped().unwrap())
}

fn facts(number: usize) -> PosterFacts {
    PosterFacts {
        venue: "老城烩面馆（花园路店）".to_owned(),
        point: format!("{number} 号桌"),
        url: format!("https://P.EXAMPLE.CN/2000EPYD2M3VZ8XYCT{number:03}"),
        typed: format!("2000E-PYD2M-3VZ8X-YCT{number:03}"),
        generation: 3,
        issued_on: NaiveDate::from_ymd_opt(2026, 3, 16).unwrap(),
        retention_days: 28,
        host: "p.example.cn".to_owned(),
    }
}

fn print(size: Size, all: &[PosterFacts]) -> Vec<u8> {
    printer().pdf(size, "老城烩面馆", all).unwrap()
}

/// Where the symbols of a sheet are.
fn squares(size: Size) -> Vec<Square> {
    let grid = |columns: usize, rows: usize, at: (f32, f32), pitch: (f32, f32), side: f32| {
        let place = move |row: usize, column: usize| {
            (at.0 + column as f32 * pitch.0, at.1 + row as f32 * pitch.1, side)
        };
        (0..rows).flat_map(|row| (0..columns).map(move |column| place(row, column))).collect()
    };
    match size {
        Size::A4 => vec![(41.0, 63.0, 128.0)],
        Size::A5 => {
            vec![(41.0, 63.0, 128.0)].into_iter().map(|(x, y, side)| (x * A5, y * A5, side * A5)).collect()
        }
        Size::Stickers => grid(3, 7, (8.11, 17.2), (66.04, 38.1), 34.0),
        Size::LargeStickers => grid(2, 4, (6.15, 16.95), (101.6, 67.7), 60.0),
    }
}

/// A5 is A4 made smaller.
const A5: f32 = 148.0 / 210.0;

fn cut_out(page: &Picture, dpi: f32, (x_mm, y_mm, side_mm): Square) -> Picture {
    page.part(dpi, x_mm, y_mm, side_mm, side_mm)
}

/// What the decoder says of a picture with one symbol.
fn one(url: &String) -> &[String] {
    std::slice::from_ref(url)
}

/// The symbol of a poster with its quiet zone, ten pixels for each module.
fn symbol() -> (Picture, String) {
    let facts = facts(7);
    let mut page = pages(&print(Size::A4, std::slice::from_ref(&facts)), 10.0 * 37.0 / 128.0 * 25.4);
    (cut_out(&page.remove(0), 10.0 * 37.0 / 128.0 * 25.4, squares(Size::A4)[0]), facts.url)
}

#[test]
fn a_poster_is_read_at_any_resolution() {
    for size in [Size::A4, Size::A5] {
        let pdf = print(size, &[facts(1), facts(2)]);
        for dpi in [50.0, 72.0, 150.0, 200.0] {
            let read: Vec<Vec<String>> = pages(&pdf, dpi).iter().map(Picture::read).collect();
            assert_eq!(read, [[facts(1).url], [facts(2).url]], "{size} at {dpi} dpi");
        }
    }
}

#[test]
fn every_sticker_of_a_sheet_is_read_and_says_where_it_belongs() {
    for size in [Size::Stickers, Size::LargeStickers] {
        // One more than a sheet holds.
        let all: Vec<PosterFacts> = (0..=size.per_sheet()).map(facts).collect();
        let sheets = pages(&print(size, &all), 150.0);
        assert_eq!(sheets.len(), 2);
        let expected: Vec<Vec<String>> = all.iter().map(|facts| vec![facts.url.clone()]).collect();
        let places = squares(size);
        let read = |sheet: &Picture, places: &[Square]| -> Vec<Vec<String>> {
            places.iter().map(|place| cut_out(sheet, 150.0, *place).read()).collect()
        };
        assert_eq!(read(&sheets[0], &places), expected[..size.per_sheet()], "{size}");
        assert_eq!(read(&sheets[1], &places[..1]), expected[size.per_sheet()..], "{size}");
        assert!(cut_out(&sheets[1], 150.0, places[1]).ink() == 0, "no sticker without a code");
    }
}

#[test]
fn what_a_poster_owes_people_can_be_copied_out_of_it_in_both_languages() {
    for size in Size::ALL {
        let facts = PosterFacts { host: "placecode.zhengzhou.gov.cn".to_owned(), ..facts(1) };
        let text = texts(&print(*size, std::slice::from_ref(&facts))).remove(0);
        // Lines end where they must, which no reader minds.
        let text: String = text.split_whitespace().collect();
        for owed in ["场所码Place code", &facts.venue, &facts.point, &facts.typed, &facts.host] {
            assert!(text.contains(&owed.replace(' ', "")), "{size}: {owed} in {text}");
        }
        for owed in
            ["28天后删除", "28days", "version3,printed2026-03-16", "工作人员", "Askthestaff", "pseudonym"]
        {
            assert!(text.contains(owed), "{size}: {owed} in {text}");
        }
        assert!(!text.contains('…'), "{size}: something was cut: {text}");
    }
}

#[test]
fn a_file_names_its_title_and_language_and_carries_its_font() {
    let pdf = print(Size::A4, &[facts(1)]);
    let raw = String::from_utf8_lossy(&pdf);
    for part in ["/Lang(zh-CN)", "/Title", "/ToUnicode", "/FontFile3", "+NotoSansCJKsc-Regular"] {
        assert!(raw.contains(part), "{part}");
    }
    assert!(pdf.len() < 40_000, "{} bytes: only the letters that are used are inside", pdf.len());
    assert_eq!(pdf, print(Size::A4, &[facts(1)]), "the same facts make the same file");
    let many: Vec<PosterFacts> = (0..40).map(facts).collect();
    let many = print(Size::A4, &many);
    assert_eq!(String::from_utf8_lossy(&many).matches("/FontFile3").count(), 1, "the font is inside once");
    assert!(many.len() < 40 * 7_000, "{} bytes for 40 posters", many.len());
}

#[test]
fn a_rare_character_comes_from_the_second_font() {
    let rare = include_bytes!("fonts/rare.otf").to_vec();
    let printer = Printer::new(Fonts::new(Some((rare, 0))).unwrap(), Words::shipped().unwrap());
    let facts = PosterFacts { venue: "金𠮷野家".to_owned(), ..facts(1) };
    let refused = self::printer().check(&facts).unwrap_err().to_string();
    assert!(refused.contains("`𠮷` (U+20BB7)"), "{refused}");
    let pdf = printer.pdf(Size::A4, "金𠮷野家", std::slice::from_ref(&facts)).unwrap();
    assert_eq!(String::from_utf8_lossy(&pdf).matches("/FontFile3").count(), 2);
    let text = texts(&pdf).remove(0);
    assert!(text.contains('𠮷') && text.contains("野家") && text.contains('金'), "{text}");
    // It is drawn, and not merely named: the middle of the line has as much ink as its neighbours.
    let page = pages(&pdf, 100.0).remove(0);
    let ink: Vec<usize> =
        (0..4).map(|at| page.part(100.0, 79.0 + at as f32 * 13.0, 29.0, 13.0, 17.0).ink()).collect();
    assert!(ink.iter().all(|ink| *ink > 200), "{ink:?}");
}

#[test]
fn the_quiet_zone_is_white_however_long_the_names_are() {
    let long = |text: &str| text.chars().cycle().take(200).collect::<String>();
    for name in ["老城烩面馆花园路二店", "Zhengzhou Garden Road ", "Donaudampfschiff", "Ｗ"] {
        let facts = PosterFacts { venue: long(name), point: long(name), ..facts(1) };
        for size in Size::ALL {
            let pdf = print(*size, &vec![facts.clone(); size.per_sheet()]);
            let page = &pages(&pdf, 100.0)[0];
            for (x, y, side) in squares(*size) {
                let symbol = cut_out(page, 100.0, (x, y, side));
                assert_eq!(symbol.read(), one(&facts.url), "{size} {name}");
                let module = side / 37.0;
                // A hair less than four modules, since pixels at the edge belong to both.
                let (wide, inner) = (3.7 * module, side - 3.7 * module);
                let zone = [
                    (x, y, side, wide),
                    (x, y + inner, side, wide),
                    (x, y, wide, side),
                    (x + inner, y, wide, side),
                ];
                for (x, y, width, height) in zone {
                    assert_eq!(page.part(100.0, x, y, width, height).ink(), 0, "{size} {name}: {x} {y}");
                }
            }
            // Names end before the right edge of the sheet, where only the marks for cutting are.
            let (width, height) = if *size == Size::A5 { (148.0, 210.0) } else { (210.0, 297.0) };
            let margin = page.part(100.0, width - 1.4, 0.0, 1.2, height - 1.0);
            assert_eq!(margin.ink(), 0, "{size} {name}");
        }
    }
}

#[test]
fn the_longest_names_of_the_register_stand_whole_on_a_poster() {
    let long = |text: &str, count: usize| text.chars().cycle().take(count).collect::<String>();
    let facts = PosterFacts {
        venue: long("老城烩面馆花园路二店", 200),
        point: long("二楼东侧包间", 100),
        ..facts(1)
    };
    for size in [Size::A4, Size::A5] {
        let text = texts(&print(size, std::slice::from_ref(&facts))).remove(0);
        assert!(!text.contains('…') && text.contains(&facts.point), "{size}: {text}");
    }
    let text = texts(&print(Size::Stickers, std::slice::from_ref(&facts))).remove(0);
    assert!(text.contains('…'), "a small sticker says that something is missing: {text}");
}

#[test]
fn a_symbol_is_read_though_it_is_turned_blurred_grey_and_far() {
    let (symbol, url) = symbol();
    let looks = [
        Look { turn_deg: 20.0, scale: 0.5, ..Look::PLAIN },
        Look { turn_deg: -20.0, scale: 0.5, ..Look::PLAIN },
        Look { blur_px: 2.0, scale: 0.6, ..Look::PLAIN },
        Look { blur_px: 1.5, scale: 0.5, turn_deg: 11.0, ..Look::PLAIN },
        Look { contrast: 0.35, noise: 12.0, scale: 0.5, seed: 5, ..Look::PLAIN },
        // Three pixels for each module: an old phone from two metres.
        Look { scale: 0.3, blur_px: 0.7, contrast: 0.7, noise: 10.0, turn_deg: -8.0, seed: 6 },
    ];
    for look in looks {
        assert_eq!(symbol.seen(look).read(), one(&url), "{look:?}");
    }
    let beyond = Look { scale: 0.06, ..Look::PLAIN };
    assert!(symbol.seen(beyond).read().is_empty(), "half a pixel for a module cannot be read by anybody");
}

#[test]
fn a_symbol_is_read_though_a_part_is_covered_or_torn_off() {
    let (symbol, url) = symbol();
    // Ten pixels a module, 29 modules behind a quiet zone of four. The corner without a finder as far as the
    // alignment pattern, and more than that in the middle.
    let (corner, middle) = ((270, 270, 60), (145, 145, 80));
    for (left, top, side) in [corner, middle] {
        for shade in [0, 128, 255] {
            let covered = symbol.clone().covered(left, top, side, shade);
            assert_eq!(covered.read(), one(&url), "{side} pixels in shade {shade}");
            let seen = covered.seen(Look { scale: 0.5, turn_deg: 6.0, blur_px: 0.7, ..Look::PLAIN });
            assert_eq!(seen.read(), one(&url), "{side} pixels in shade {shade}, as a camera sees it");
        }
    }
    let half = symbol.covered(130, 130, 200, 0);
    assert!(half.read().is_empty(), "half of a symbol is not enough, and nothing is made up");
}

#[test]
fn four_pixels_for_each_module_are_enough() {
    let (symbol, _) = symbol();
    // docs/posters.md derives from this how small a print may be and from how far it is read.
    let share = read_share(&symbol, 37, 4.0, 20, 0.7);
    assert!(share >= 0.9, "{share}");
    let nothing = read_share(&symbol, 37, 1.0, 5, 0.7);
    assert!(nothing < 0.5, "{nothing}: the spoiling spoils nothing");
}

#[test]
fn the_bare_symbol_is_read_as_pixels() {
    let url = facts(1).url;
    for module_px in [2, 5, 16] {
        let file = qr::png(&url, module_px).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        let picture = Picture::of(frame.width as usize, frame.height as usize, pixels);
        assert_eq!(picture.read(), one(&url), "{module_px} pixels");
    }
}
