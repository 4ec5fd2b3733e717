//! Group commit: all scans that arrive while one append is on its way go out together in the next.

use tokio::sync::{mpsc, oneshot};

use super::log::Accepted;
use super::{Intake, IntakeError};

/// How many scans one append carries at the most.
const BATCH_MAX: usize = 512;

/// How many scans may wait; beyond it callers wait for a place, which slows them down.
const QUEUE_MAX: usize = 8192;

/// How many appends are under way at the same time.
const LANES: usize = 2;

struct Waiting {
    accepted: Vec<Accepted>,
    reply: oneshot::Sender<Result<(), IntakeError>>,
}

/// Hands scans to the appends. Clones share them.
#[derive(Clone, Debug)]
pub struct Appender(mpsc::Sender<Waiting>);

impl Appender {
    /// Starts appending to the log, on the runtime of the caller.
    pub fn start(intake: &Intake) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
        for _ in 0..LANES {
            tokio::spawn(work(intake.clone(), receiver.clone()));
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

async fn work(intake: Intake, receiver: std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting>>>) {
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
        let result = intake.append(&accepted).await;
        for reply in replies {
            // A caller that has gone away needs no answer; its scan is kept all the same.
            let _gone = reply.send(result.clone());
        }
    }
}
