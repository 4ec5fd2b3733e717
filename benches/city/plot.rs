//! The two plots: recall by scanning rate, and recall against how many are listed.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::prelude::*;

use crate::measure::{Measured, Trail};

const SIZE: (u32, u32) = (900, 600);

/// One line a pack: recall as more visits are scanned, the case's way told in an interview.
pub(crate) fn recall(measured: &[Measured], file: &Path) {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&root)
        .caption("Recall by scanning rate", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..140.0, 0.0..1.0)
        .unwrap();
    chart
        .configure_mesh()
        .x_desc("of a hundred visits, so many are scanned")
        .y_desc("share of those infected at places who get a colour")
        .draw()
        .unwrap();
    let mut by_pack: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for row in measured.iter().filter(|row| row.trail == Trail::Told) {
        by_pack.entry(&row.pack).or_default().push((f64::from(row.percent), row.recall()));
    }
    for (at, (pack, line)) in by_pack.into_iter().enumerate() {
        let colour = Palette99::pick(at).mix(0.9);
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))
            .unwrap()
            .label(pack)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 10))
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .draw()
        .unwrap();
    root.present().unwrap();
}

/// One dot a pack, with half of the visits scanned: how many are listed for how much recall.
pub(crate) fn trade(measured: &[Measured], file: &Path) {
    let rows: Vec<&Measured> =
        measured.iter().filter(|row| row.percent == 50 && row.trail == Trail::Told).collect();
    let listed = |row: &Measured| f64::from(u32::try_from(row.listed_median).unwrap_or(u32::MAX)).max(1.0);
    let most = rows.iter().map(|row| listed(row)).fold(10.0, f64::max) * 3.0;
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&root)
        .caption("What recall costs, with half of the visits scanned", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d((1.0..most).log_scale(), 0.0..1.0)
        .unwrap();
    chart
        .configure_mesh()
        .x_desc("people who get a colour for one case (median)")
        .y_desc("recall")
        .draw()
        .unwrap();
    for (at, row) in rows.iter().enumerate() {
        let colour = Palette99::pick(at).mix(0.9);
        let dot = (listed(row), row.recall());
        chart
            .draw_series(std::iter::once(
                EmptyElement::at(dot)
                    + Circle::new((0, 0), 4, colour.filled())
                    + Text::new(row.pack.clone(), (6, -4), ("sans-serif", 10)),
            ))
            .unwrap();
    }
    root.present().unwrap();
}
