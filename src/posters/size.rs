//! The sheets: how large they are, and what lies where on a sheet of stickers.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// What is printed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// A poster on A4, for doors and walls.
    A4,
    /// A poster on A5, for counters and tables.
    A5,
    /// A4 with 3 by 7 stickers of 63.5 by 38.1 mm, for seats and stalls.
    Stickers,
    /// A4 with 2 by 4 stickers of 99.1 by 67.7 mm, for carriages and vehicles.
    LargeStickers,
}

/// Why a text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a4, a5, stickers or large_stickers")]
pub struct InvalidSize;

/// Stickers on A4, in millimetres; the sizes of common label sheets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    pub(super) columns: u8,
    pub(super) rows: u8,
    pub(super) left_mm: f32,
    pub(super) top_mm: f32,
    pub(super) width_mm: f32,
    pub(super) height_mm: f32,
    /// From the left edge of one sticker to that of the next; rows lie edge to edge.
    pub(super) pitch_mm: f32,
}

const SMALL: Grid = Grid {
    columns: 3,
    rows: 7,
    left_mm: 7.21,
    top_mm: 15.15,
    width_mm: 63.5,
    height_mm: 38.1,
    pitch_mm: 66.04,
};

const LARGE: Grid = Grid {
    columns: 2,
    rows: 4,
    left_mm: 4.65,
    top_mm: 13.1,
    width_mm: 99.1,
    height_mm: 67.7,
    pitch_mm: 101.6,
};

impl Size {
    /// All sizes.
    pub const ALL: &'static [Self] = &[Self::A4, Self::A5, Self::Stickers, Self::LargeStickers];

    /// The word by which the size is asked for.
    pub fn word(self) -> &'static str {
        match self {
            Self::A4 => "a4",
            Self::A5 => "a5",
            Self::Stickers => "stickers",
            Self::LargeStickers => "large_stickers",
        }
    }

    /// How many codes one sheet holds.
    pub fn per_sheet(self) -> usize {
        self.grid().map_or(1, |grid| usize::from(grid.columns) * usize::from(grid.rows))
    }

    /// Width and height of the sheet.
    pub(super) fn sheet_mm(self) -> (f32, f32) {
        match self {
            Self::A4 | Self::Stickers | Self::LargeStickers => (210.0, 297.0),
            Self::A5 => (148.0, 210.0),
        }
    }

    /// Where stickers lie; `None` for posters.
    pub(super) fn grid(self) -> Option<Grid> {
        match self {
            Self::A4 | Self::A5 => None,
            Self::Stickers => Some(SMALL),
            Self::LargeStickers => Some(LARGE),
        }
    }
}

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        Self::ALL.iter().copied().find(|size| size.word() == text).ok_or(InvalidSize)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_asked_for_by_its_word_and_no_other() {
        for size in Size::ALL {
            assert_eq!(size.word().parse(), Ok(*size));
            assert_eq!(serde_json::from_str::<Size>(&format!("\"{size}\"")).unwrap(), *size);
        }
        assert_eq!("A4".parse::<Size>(), Err(InvalidSize));
        assert_eq!("letter".parse::<Size>(), Err(InvalidSize));
    }

    #[test]
    fn stickers_lie_on_the_sheet_in_its_middle() {
        for grid in [SMALL, LARGE] {
            let (columns, rows) = (f32::from(grid.columns), f32::from(grid.rows));
            let right = 210.0 - grid.left_mm - (columns - 1.0) * grid.pitch_mm - grid.width_mm;
            let bottom = 297.0 - grid.top_mm - rows * grid.height_mm;
            assert!((right - grid.left_mm).abs() < 0.1 && (bottom - grid.top_mm).abs() < 0.1, "{grid:?}");
            assert!(grid.pitch_mm >= grid.width_mm);
        }
    }
}
