//! Where visitors live and what other systems call them, on its way from a channel's assertion to Postgres: beside the
//! answer, never before it.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::app::App;
use crate::store::residences::{self, Told};
use crate::store::{StoreError, aliases};

/// How many words wait at the most. What comes beyond it is let go, and told again with the visitor's next token.
const WAITING_MAX: usize = 16_384;

/// How many words one statement carries.
const BATCH_MAX: usize = 1000;

/// How long Postgres may take for a statement.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it is left alone after it failed.
const REST: Duration = Duration::from_secs(2);

/// Hands residences to the one task that writes them. Clones share it.
#[derive(Clone, Debug)]
pub struct Residences(mpsc::Sender<Told>);

impl Residences {
    /// Starts writing, on the runtime of the caller.
    pub fn start(app: &App) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(work(app.clone(), receiver));
        Self(sender)
    }

    /// Takes a word, at once and whether or not Postgres is there: no token waits for it or fails by it.
    pub fn tell(&self, told: Told) {
        // A queue that is full loses the word, which comes again with the next token, within the hour.
        let _full = self.0.try_send(told);
    }
}

async fn work(app: App, mut receiver: mpsc::Receiver<Told>) {
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, BATCH_MAX).await > 0 {
        // What was taken is kept until it is written; meanwhile the queue fills, and is bounded.
        while let Err(error) = write(&app, &batch).await {
            tracing::warn!(error = error.to_string(), count = batch.len(), "residences wait for postgres");
            if receiver.is_closed() {
                return;
            }
            tokio::time::sleep(REST).await;
        }
        batch.clear();
    }
}

async fn write(app: &App, batch: &[Told]) -> Result<(), StoreError> {
    let written = async {
        let mut conn = app.store.conn().await?;
        residences::keep(&mut conn, batch).await?;
        aliases::keep(&mut conn, batch).await
    };
    let late = |late: tokio::time::error::Elapsed| StoreError::Busy(late.to_string());
    tokio::time::timeout(PATIENCE, written).await.map_err(late)?
}
