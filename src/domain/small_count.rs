//! Counts of visitors as a venue may see them: small ones are hidden, since they could tell who was there.

use serde::Serialize;

/// Counts from here on are shown. Five is the usual threshold of official statistics for cells of a table.
pub const SHOWN_FROM: u64 = 5;

/// A count as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// As many.
    Exact(u64),
    /// Somebody, but fewer than this.
    Below(u64),
    /// As many or more: the sum of a table that hides some of its cells.
    AtLeast(u64),
}

impl Shown {
    /// A count that stands alone.
    pub fn of(count: u64) -> Self {
        if (1..SHOWN_FROM).contains(&count) { Self::Below(SHOWN_FROM) } else { Self::Exact(count) }
    }

    /// The sum of cells that are shown beside it. A hidden cell counts for one, the least it can be, since
    /// the difference between a true sum and the cells shown would tell the hidden ones.
    pub fn sum(cells: impl IntoIterator<Item = u64>) -> Self {
        let mut sum = 0;
        let mut hidden = 0;
        for cell in cells {
            match Self::of(cell) {
                Self::Exact(count) => sum += count,
                Self::Below(_) | Self::AtLeast(_) => hidden += 1,
            }
        }
        if hidden == 0 { Self::Exact(sum) } else { Self::AtLeast(sum + hidden) }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(count) => write!(f, "{count}"),
            Self::Below(count) => write!(f, "<{count}"),
            Self::AtLeast(count) => write!(f, "≥{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_counts_are_hidden() {
        assert_eq!([0, 1, 4, 5].map(|count| Shown::of(count).to_string()), ["0", "<5", "<5", "5"]);
        assert_eq!(Shown::sum([7, 0, 5]), Shown::Exact(12));
        assert_eq!(Shown::sum([7, 2, 5]), Shown::AtLeast(13));
        assert_eq!(Shown::sum([2, 0, 1]), Shown::AtLeast(2));
    }

    proptest! {
        #[test]
        fn a_sum_tells_nothing_of_what_its_cells_hide(cells in proptest::collection::vec(0u64..12, 1..8), other in 1u64..SHOWN_FROM) {
            let hidden = |cell: &u64| (1..SHOWN_FROM).contains(cell);
            let changed: Vec<u64> = cells.iter().map(|cell| if hidden(cell) { other } else { *cell }).collect();
            prop_assert_eq!(Shown::sum(cells), Shown::sum(changed));
        }
    }
}
