//! Small closed sets of values that Postgres and the log keep as numbers.

/// A value of a closed set that is stored as a small number. The numbers are never used again for
/// something else: rows and log entries outlive releases.
pub trait Numbered: Copy + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The number that stands for the value.
    fn number(self) -> i16;

    /// The value that a number stands for; `None` when it stands for none.
    fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.number() == number)
    }
}
