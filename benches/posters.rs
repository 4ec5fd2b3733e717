//! Posters as files: how many a second, against symbols alone and against empty sheets of the same library in the
//! same run; how large the files are; and how small a print may be, by a decoder that is not ours.
//!
//! `cargo bench --bench posters -- 200` takes another number of posters.
#![expect(unreachable_pub, reason = "a benchmark has no users")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a benchmark ends where it fails, and prints"
)]
#![expect(dead_code, reason = "the tests use more of the helpers")]

#[path = "../tests/raster/mod.rs"]
mod raster;

use std::time::Instant;

use chrono::NaiveDate;
use placecode::domain::keyring::Keyring;
use placecode::domain::place_code::PlaceCode;
use placecode::domain::venue::PointId;
use placecode::posters::{Fonts, PosterFacts, Printer, Size, Words, qr};

use raster::{MM_PER_INCH, Picture, pages, read_share};

/// How often each case of the table is looked at.
const LOOKS: u64 = 20;

/// What a phone's camera shows across its picture while it looks for codes, and how wide it sees.
const PREVIEW_PX: f32 = 1080.0;
const VIEW_DEG: f32 = 50.0;

/// The symbols of our sizes: what they are on, modules with the quiet zone, and the side with it.
const SYMBOLS: [(&str, f32); 4] =
    [("A4 poster", 128.0), ("A5 poster", 90.2), ("large sticker", 60.0), ("small sticker", 34.0)];

const MODULES: usize = 29;
const WITH_QUIET: usize = 37;

fn main() {
    // Cargo adds `--bench`.
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1000);
    let printer = Printer::new(Fonts::new(None).unwrap(), Words::shipped().unwrap());
    let all: Vec<PosterFacts> = (0..count).map(facts).collect();
    speed(&printer, &all);
    smallness(&printer, &all[0]);
}

/// Posters with names that differ, as a city has them.
fn facts(number: u32) -> PosterFacts {
    let point = PointId::new(u64::from(number) * 7919 + 1).unwrap();
    let signed = PlaceCode { point, generation: 1 }.sign(&Keyring::new([1; 32], [2; 32])).unwrap();
    let names = [
        "老城烩面馆（花园路店）",
        "二七广场地铁站",
        "Zhengzhou East Railway Station",
        "金水区第三人民医院门诊部",
    ];
    PosterFacts {
        venue: format!("{} {number}", names[number as usize % names.len()]),
        point: format!("{} 号入口", number % 9 + 1),
        url: signed.url(&"https://p.example.cn/".parse().unwrap()),
        typed: signed.typed(),
        generation: 1,
        issued_on: NaiveDate::from_ymd_opt(2026, 3, 16).unwrap(),
        retention_days: 28,
        host: "p.example.cn".to_owned(),
    }
}

fn speed(printer: &Printer, all: &[PosterFacts]) {
    let count = all.len() as f64;
    let timed = |what: &str, work: &dyn Fn() -> usize| {
        let begun = Instant::now();
        let bytes = work();
        let secs = begun.elapsed().as_secs_f64();
        println!("{what:<44} {:>9.0} /s {:>9.0} bytes each", count / secs, bytes as f64 / count);
        secs
    };
    let symbols =
        timed("symbols alone, as SVG", &|| all.iter().map(|facts| qr::svg(&facts.url).unwrap().len()).sum());
    let empty = timed("empty sheets, by the same library", &|| {
        let mut document = krilla::Document::new();
        for _ in all {
            document.start_page().finish();
        }
        document.finish().unwrap().len()
    });
    for size in Size::ALL {
        let one =
            timed(&format!("{size}, all in one file"), &|| printer.pdf(*size, "bench", all).unwrap().len());
        println!("{:<44} {:>9.1} times a symbol, {:.0} times an empty sheet", "", one / symbols, one / empty);
    }
    timed("a4, one file each", &|| {
        let file =
            |facts: &PosterFacts| printer.pdf(Size::A4, "bench", std::slice::from_ref(facts)).unwrap().len();
        all.iter().map(file).sum()
    });
}

fn smallness(printer: &Printer, facts: &PosterFacts) {
    let dpi = 10.0 * WITH_QUIET as f32 / 128.0 * MM_PER_INCH;
    let pdf = printer.pdf(Size::A4, "bench", std::slice::from_ref(facts)).unwrap();
    let symbol: Picture = pages(&pdf, dpi)[0].part(dpi, 41.0, 63.0, 128.0, 128.0);
    println!(
        "\nHow often a symbol is read, turned by up to 20 degrees, 70 % contrast, noise; {LOOKS} looks each"
    );
    let widths = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0];
    println!("pixels for a module{}", widths.map(|px| format!("{px:>6}")).concat());
    let mut enough = f32::INFINITY;
    for (blur_px, usual) in [(0.0, false), (0.5, false), (0.7, true), (1.0, false)] {
        let shares = widths.map(|px| read_share(&symbol, WITH_QUIET, px, LOOKS, blur_px));
        println!("blur {blur_px:<14}{}", shares.map(|share| format!("{:>5.0}%", share * 100.0)).concat());
        if usual {
            let reads = widths.iter().zip(shares).filter(|(_, share)| *share >= 0.9);
            enough = reads.map(|(px, _)| *px).fold(enough, f32::min);
        }
    }
    println!("\nEnough, with a blur of 0.7 pixels: {enough} pixels for a module");
    let scanned = enough * MODULES as f32 / 300.0 * MM_PER_INCH;
    println!("Smallest symbol that a scan at 300 dpi reads: {scanned:.1} mm");
    let across = 2.0 * (VIEW_DEG / 2.0).to_radians().tan();
    println!("\nRead from, by a camera of {PREVIEW_PX} pixels across {VIEW_DEG} degrees:");
    for (name, side_mm) in SYMBOLS {
        let module_mm = side_mm / WITH_QUIET as f32;
        let distance_m = module_mm * PREVIEW_PX / (enough * across) / 1000.0;
        println!(
            "{name:<16} symbol {:>5.1} mm, module {module_mm:.2} mm: {distance_m:.2} m",
            module_mm * MODULES as f32
        );
    }
    let near_mm = 250.0 * enough * across / PREVIEW_PX;
    println!("From 0.25 m, nearer than which phones do not focus: {:.1} mm", near_mm * MODULES as f32);
}
