//! Notes how far a run is while it is computed, and hears when it is to end.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::app::App;
use crate::store::progress::{self, Progress};

/// How often progress is noted. A run that takes less time notes nothing.
const EVERY: Duration = Duration::from_secs(1);

/// Why a computation ends before it is done.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// It would find more than one run may hold; says what to narrow.
    #[error("{0}")]
    TooMany(String),
    /// An investigator has cancelled it.
    #[error("the run was cancelled")]
    Cancelled,
}

/// Who is told how far a computation is.
#[derive(Debug)]
pub enum Watch<'a> {
    /// Nobody.
    Nobody,
    /// Whoever looks at a run, over a connection of its own.
    Run {
        /// Where it is noted.
        app: &'a App,
        /// Which run.
        id: Uuid,
        /// When it was noted last.
        noted: Instant,
    },
}

impl<'a> Watch<'a> {
    /// Watches a run from now on.
    pub fn of(app: &'a App, id: Uuid) -> Self {
        Self::Run { app, id, noted: Instant::now() }
    }

    /// Notes how far the computation is, when the last note is old enough. Fails when it is to end. That a note
    /// cannot be written ends nothing.
    pub async fn note(&mut self, at: Progress) -> Result<(), Stopped> {
        let Self::Run { app, id, noted } = self else { return Ok(()) };
        if noted.elapsed() < EVERY {
            return Ok(());
        }
        *noted = Instant::now();
        match write(app, *id, at).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(Stopped::Cancelled),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the progress of a run was not noted");
                Ok(())
            }
        }
    }
}

async fn write(app: &App, id: Uuid, at: Progress) -> anyhow::Result<bool> {
    let mut conn = app.store.conn().await?;
    Ok(progress::note(&mut conn, id, at, app.clock.now()).await?)
}
