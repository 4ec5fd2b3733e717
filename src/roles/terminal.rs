//! The only place that prints: results to standard output, progress and remarks to standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line of progress is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Prints one line of a result. A reader that has gone away (`| head`) is no error.
#[expect(clippy::let_underscore_must_use, reason = "nobody is left to be told")]
pub(crate) fn say(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", line.as_ref());
}

/// Prints one line about what is going on.
#[expect(clippy::let_underscore_must_use, reason = "nobody is left to be told")]
pub(crate) fn remark(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "placecode: {}", line.as_ref());
}

/// Prints text as it is, such as a script.
pub(crate) fn write(text: &[u8]) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text)
}

/// How far a long piece of work has come: a bar on a terminal, else one line every five seconds.
pub(crate) struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// Begins; `total` counts the same as what [`Progress::at`] is given.
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(total.max(1)));
        if let Some(bar) = &bar
            && let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} % {msg} {eta}")
        {
            bar.set_style(style);
            bar.set_prefix(what);
        }
        Self { what, bar, told: Instant::now() }
    }

    /// Tells that `done` of `total` are done; `count` things were seen so far.
    pub(crate) fn at(&mut self, done: u64, total: u64, count: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done.min(total));
            bar.set_message(grouped(count));
        } else if self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            let percent = done.min(total) * 100 / total.max(1);
            remark(format!("{}: {}, {percent} %", self.what, grouped(count)));
        }
    }

    /// Removes the bar, so that the result stands alone.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A number with separators, so that a person can read it.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_readable() {
        assert_eq!(
            [0, 999, 1000, 106_827, 1_000_000].map(grouped),
            ["0", "999", "1,000", "106,827", "1,000,000"]
        );
    }
}
