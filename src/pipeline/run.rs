//! The loop around the steps: pace, back-off, shutdown.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{
    Outcome, appeals, conclude, dispatch, drain, expire, follow_up, hand_over, measure, pack, propose,
    publish, reconcile, release, trace, watch as alarms, withdraw,
};
use crate::app::App;

/// One arrow of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Step {
    /// Scan log to Postgres.
    Drain,
    /// Case to contacts.
    Trace,
    /// Late scans to runs that follow up others.
    FollowUp,
    /// Contacts to proposals.
    Propose,
    /// Two officers' words to open assignments.
    Release,
    /// Withdrawn cases undone.
    Withdraw,
    /// Facts and days to weaker colours and ends.
    Conclude,
    /// Granted appeals and corrected stays carried out.
    Appeal,
    /// Outbox to issuing systems.
    Dispatch,
    /// What issuing systems hold to letters that mend it, and new systems filled.
    Reconcile,
    /// Hand-overs to the systems of other divisions.
    HandOver,
    /// What has ended is gone.
    Expire,
    /// Counts by hour to the judgement of each point's use.
    Measure,
    /// Counts of this hour to alarms about photos of codes.
    Watch,
    /// Stays of closed days to packs.
    Pack,
    /// The end of the audit log to signed heads.
    Publish,
}

impl Step {
    /// All of them, in the order of the flow.
    pub const ALL: [Self; 16] = [
        Self::Drain,
        Self::Trace,
        Self::FollowUp,
        Self::Propose,
        Self::Release,
        Self::Withdraw,
        Self::Conclude,
        Self::Appeal,
        Self::Dispatch,
        Self::Reconcile,
        Self::HandOver,
        Self::Expire,
        Self::Measure,
        Self::Watch,
        Self::Pack,
        Self::Publish,
    ];

    /// Takes the step once.
    pub async fn take(self, app: &App) -> anyhow::Result<Outcome> {
        match self {
            Self::Drain => drain::step(app).await,
            Self::Trace => trace::step(app).await,
            Self::FollowUp => follow_up::step(app).await,
            Self::Propose => propose::step(app).await,
            Self::Release => release::step(app).await,
            Self::Withdraw => withdraw::step(app).await,
            Self::Conclude => conclude::step(app).await,
            Self::Appeal => appeals::step(app).await,
            Self::Dispatch => dispatch::step(app).await,
            Self::Reconcile => reconcile::step(app).await,
            Self::HandOver => hand_over::step(app).await,
            Self::Expire => expire::step(app).await,
            Self::Measure => measure::step(app).await,
            Self::Watch => alarms::step(app).await,
            Self::Pack => pack::step(app).await,
            Self::Publish => publish::step(app).await,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Trace => "trace",
            Self::FollowUp => "follow-up",
            Self::Propose => "propose",
            Self::Release => "release",
            Self::Withdraw => "withdraw",
            Self::Conclude => "conclude",
            Self::Appeal => "appeal",
            Self::Dispatch => "dispatch",
            Self::Reconcile => "reconcile",
            Self::HandOver => "hand-over",
            Self::Expire => "expire",
            Self::Measure => "measure",
            Self::Watch => "watch",
            Self::Pack => "pack",
            Self::Publish => "publish",
        }
    }

    /// How long to let work gather after so much was done. A batch costs the same planning and the same fsync
    /// whether it is small or large: under load the drain gathers half a second's scans, which leaves the
    /// processors to those who scan; a trickle is drained as it comes, and a backlog without a rest.
    fn gather(self, count: usize) -> Option<Duration> {
        match (self, count) {
            (Self::Drain, 500..20_000) => Some(Duration::from_millis(500)),
            _ => None,
        }
    }

    /// How long one step may take before it is given up and begun anew: a network that swallows everything
    /// must not stop the flow for ever. A trace may have much to compute.
    fn patience(self) -> Duration {
        match self {
            Self::Drain => Duration::from_secs(20),
            Self::Trace | Self::Propose | Self::Release | Self::Withdraw | Self::Reconcile => {
                Duration::from_secs(3600)
            }
            _ => Duration::from_secs(600),
        }
    }

    /// How long to rest when there was nothing to do.
    fn rest(self) -> Duration {
        match self {
            Self::Drain => Duration::from_millis(50),
            Self::Trace | Self::Propose | Self::Release | Self::Withdraw | Self::Dispatch => {
                Duration::from_millis(250)
            }
            Self::FollowUp | Self::Conclude | Self::Appeal | Self::Reconcile | Self::HandOver => {
                Duration::from_secs(1)
            }
            Self::Expire => Duration::from_secs(10),
            Self::Watch => Duration::from_secs(15),
            Self::Measure | Self::Pack | Self::Publish => Duration::from_secs(60),
        }
    }
}

/// Takes the steps again and again until `shutdown` turns true. A failing step is logged and tried
/// again after a growing pause; the others go on.
pub async fn run(app: App, steps: Vec<Step>, shutdown: watch::Receiver<bool>) {
    let mut loops = JoinSet::new();
    for step in steps {
        loops.spawn(repeat(app.clone(), step, shutdown.clone()));
    }
    while loops.join_next().await.is_some() {}
}

async fn repeat(app: App, step: Step, mut shutdown: watch::Receiver<bool>) {
    const PAUSE_MAX: Duration = Duration::from_secs(10);
    let mut pause = Duration::from_millis(200);
    while !*shutdown.borrow() {
        let started = Instant::now();
        let taken = tokio::time::timeout(step.patience(), step.take(&app)).await;
        let rest = match taken.unwrap_or_else(|_late| Err(anyhow::anyhow!("it took too long"))) {
            Ok(Outcome::Worked(count)) => {
                tracing::debug!(step = step.name(), count, duration_ms = millis(started), "step worked");
                pause = Duration::from_millis(200);
                let Some(rest) = step.gather(count) else { continue };
                rest
            }
            Ok(Outcome::Idle) => {
                pause = Duration::from_millis(200);
                step.rest()
            }
            Err(error) => {
                tracing::error!(step = step.name(), error = format!("{error:#}"), "step failed");
                pause = (pause * 2).min(PAUSE_MAX);
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = shutdown.changed() => {}
        }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
