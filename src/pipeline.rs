//! The flow: one file per arrow, each a step that says what it did.

pub mod appeals;
pub mod batch;
pub mod conclude;
pub mod deliver;
pub mod dispatch;
pub mod drain;
pub mod expire;
pub mod extend;
pub mod find;
pub mod follow_up;
pub mod hand_over;
pub mod measure;
pub mod pack;
pub mod post;
pub mod progress;
pub mod propose;
pub mod publish;
pub mod reconcile;
pub mod release;
pub mod replay;
pub mod restate;
pub mod rules;
pub mod run;
pub mod settle_stays;
pub mod summary;
pub mod trace;
pub mod watch;
pub mod withdraw;

use crate::app::App;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So much was moved; there may be more.
    Worked(usize),
    /// There was nothing to do.
    Idle,
}

impl Outcome {
    /// The outcome of moving `count` things.
    pub fn of(count: usize) -> Self {
        if count == 0 { Self::Idle } else { Self::Worked(count) }
    }
}

/// Adds up what several parts of a step did.
impl std::iter::Sum for Outcome {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        Self::of(parts.map(|part| if let Self::Worked(count) = part { count } else { 0 }).sum())
    }
}

/// The name that the pipeline signs its own acts with.
pub const ACTOR: &str = "pipeline";

/// Shared by the steps: the day that `at` lies in, by UTC, as partitions are cut.
fn day_of(at: chrono::DateTime<chrono::Utc>) -> chrono::NaiveDate {
    at.date_naive()
}

/// Runs a step until it is idle; for tests and for commands that end.
pub async fn settle<F, Fut>(app: &App, step: F) -> anyhow::Result<usize>
where
    F: Fn(App) -> Fut,
    Fut: Future<Output = anyhow::Result<Outcome>>,
{
    let mut moved = 0;
    while let Outcome::Worked(count) = step(app.clone()).await? {
        moved += count;
    }
    Ok(moved)
}
