//! Group commit: all scans that arrive while one append is on its way go out together in the next. They go
//! into the log in Redis, and while that is away into the inbox in Postgres.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::app::App;
use crate::domain::scan::Scan;
use crate::intake::IntakeError;
use crate::intake::entry::encode;
use crate::intake::log::{Accepted, ENTRY_SCANS_MAX};
use crate::store::{StoreError, inbox};

/// How many callers one append serves at the most.
const BATCH_MAX: usize = 512;

/// How many callers may wait; beyond it they wait for a place, which slows them down.
const QUEUE_MAX: usize = 8192;

/// How many appends are under way at the same time.
const LANES: usize = 2;

/// How long Postgres may take for an append before the scans are refused.
const INBOX_PATIENCE: Duration = Duration::from_secs(2);

struct Waiting {
    accepted: Vec<Accepted>,
    reply: oneshot::Sender<Result<(), IntakeError>>,
}

/// Hands scans to the appends. Clones share them.
#[derive(Clone, Debug)]
pub struct Appender(mpsc::Sender<Waiting>);

impl Appender {
    /// Starts appending, on the runtime of the caller.
    pub fn start(app: &App) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..LANES {
            tokio::spawn(work(app.clone(), receiver.clone()));
        }
        Self(sender)
    }

    /// Returns when the scans are durable.
    pub async fn append(&self, accepted: Vec<Accepted>) -> Result<(), IntakeError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || IntakeError::Busy("the service is stopping".to_owned());
        self.0.send(Waiting { accepted, reply }).await.map_err(|_closed| stopped())?;
        answer.await.map_err(|_dropped| stopped())?
    }
}

async fn work(app: App, receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    loop {
        let mut waiting = Vec::new();
        {
            let mut receiver = receiver.lock().await;
            if receiver.recv_many(&mut waiting, BATCH_MAX).await == 0 {
                return;
            }
        }
        let (batches, replies): (Vec<_>, Vec<_>) = waiting.into_iter().map(|w| (w.accepted, w.reply)).unzip();
        let accepted: Vec<Accepted> = batches.into_iter().flatten().collect();
        let result = keep(&app, &accepted).await;
        for reply in replies {
            // A caller that has gone away needs no answer; its scan is kept all the same.
            let _gone = reply.send(result.clone());
        }
    }
}

/// Makes scans durable. An append to Redis that failed may have happened all the same; the same scans in
/// the inbox are the same scans, since their ids are.
async fn keep(app: &App, accepted: &[Accepted]) -> Result<(), IntakeError> {
    match app.intake.append(accepted).await {
        Err(IntakeError::Busy(_)) => {}
        done => return done,
    }
    let kept = tokio::time::timeout(INBOX_PATIENCE, keep_in_inbox(app, accepted)).await;
    match kept {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(IntakeError::Full),
        Ok(Err(_)) | Err(_) => Err(IntakeError::Away),
    }
}

async fn keep_in_inbox(app: &App, accepted: &[Accepted]) -> Result<bool, StoreError> {
    let mut by_shard: BTreeMap<i16, Vec<&Scan>> = BTreeMap::new();
    for one in accepted {
        by_shard.entry(app.intake.shard_of(one.scan.visitor.spread())).or_default().push(&one.scan);
    }
    let entries: Vec<(i16, Vec<u8>)> = by_shard
        .iter()
        .flat_map(|(shard, scans)| {
            scans.chunks(ENTRY_SCANS_MAX).map(|part| (*shard, encode(part.iter().copied())))
        })
        .collect();
    let mut conn = app.store.conn().await?;
    inbox::append(&mut conn, &entries, app.config.inbox_max).await
}
