//! Channels, devices and staff at the door in memory, so that scans go on while Postgres is away.
//!
//! While Postgres answers, nobody goes by what is in memory for longer than a second or two: channels are asked
//! for every second by a task, and by whoever meets one that is not known; a device is asked for again when it
//! was last asked for a second ago. So what is disabled stops within two seconds. While Postgres is away, what
//! was known last goes on: nothing can be disabled then either.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use ed25519_dalek::VerifyingKey;
use tokio::sync::watch;
use uuid::Uuid;

use super::auth::{Actor, Staff, bearer, token_hash};
use super::error::ApiError;
use super::permissions::HandInScans;
use super::web::Web;
use crate::store::access::{self, ChannelRow, DeviceRow};

/// How often Postgres is asked for the channels.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How old what is known may be while Postgres answers; longer than the pause between two questions.
const CHANNELS_LIFE: Duration = Duration::from_millis(1500);

/// The same of a device.
const DEVICE_LIFE: Duration = Duration::from_secs(1);

/// How long staff who were verified may hand in scans while Postgres is away.
const STAFF_LIFE: Duration = Duration::from_secs(600);

/// How many devices one replica remembers.
const DEVICES_MAX: usize = 100_000;

/// How many members of staff one replica remembers.
const STAFF_MAX: usize = 10_000;

/// The channels that are in use.
#[derive(Debug)]
pub struct Channels {
    /// As they were made known.
    pub rows: Vec<ChannelRow>,
    /// Their keys, by their ids.
    pub keys: HashMap<String, VerifyingKey>,
}

/// What is known without Postgres. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// One question at a time: whoever waits takes the answer of the one before, if that was asked later.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    channels: Option<Arc<Channels>>,
    /// When the last question for channels was asked that was answered.
    answered_at: Option<Instant>,
    /// When the last one failed.
    failed_at: Option<Instant>,
    devices: HashMap<Uuid, (Instant, DeviceRow)>,
    /// By the hash of the token.
    staff: HashMap<Vec<u8>, (Instant, Actor, Vec<Uuid>)>,
}

impl State {
    fn is_away(&self) -> bool {
        self.failed_at > self.answered_at
    }
}

impl Known {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes without asking: what is recent, and what is old while Postgres is away.
    fn channels(&self) -> Option<Arc<Channels>> {
        let state = self.state();
        let is_recent = state.answered_at.is_some_and(|at| at.elapsed() < CHANNELS_LIFE);
        state.channels.clone().filter(|_| is_recent || state.is_away())
    }

    fn note(&self, asked_at: Instant, answer: Option<Channels>) {
        let mut state = self.state();
        match answer {
            Some(channels) => {
                state.channels = Some(Arc::new(channels));
                state.answered_at = Some(asked_at);
            }
            None => state.failed_at = Some(Instant::now()),
        }
    }

    fn keep_device(&self, id: Uuid, row: Option<&DeviceRow>) {
        let mut state = self.state();
        if state.devices.len() >= DEVICES_MAX {
            state.devices.clear();
        }
        match row {
            Some(row) => state.devices.insert(id, (Instant::now(), row.clone())),
            None => state.devices.remove(&id),
        };
    }

    fn keep_staff(&self, token: Vec<u8>, found: Option<(&Actor, &[Uuid])>) {
        let mut state = self.state();
        if state.staff.len() >= STAFF_MAX {
            state.staff.clear();
        }
        match found {
            Some((actor, venues)) if actor.is_person => {
                state.staff.insert(token, (Instant::now(), actor.clone(), venues.to_vec()));
            }
            _ => {
                state.staff.remove(&token);
            }
        }
    }

    fn staff(&self, token: &[u8]) -> Option<(Actor, Vec<Uuid>)> {
        let state = self.state();
        let (at, actor, venues) = state.staff.get(token)?;
        (at.elapsed() < STAFF_LIFE).then(|| (actor.clone(), venues.clone()))
    }
}

impl Web {
    /// The channels that are in use, among them all that are `needed` if there are such.
    pub async fn channels(&self, needed: &[String]) -> Result<Arc<Channels>, ApiError> {
        let arrived = Instant::now();
        let has_all = |channels: &Channels| needed.iter().all(|id| channels.keys.contains_key(id));
        if let Some(channels) = self.known.channels().filter(|channels| has_all(channels)) {
            return Ok(channels);
        }
        // While Postgres is away, the task alone asks whether it is back.
        let is_away = self.known.state().is_away();
        let asked = if is_away { Err(ApiError::Busy) } else { self.ask_for_channels(arrived).await };
        let known = self.known.state().channels.clone();
        match asked {
            Ok(()) => known.ok_or(ApiError::Busy),
            // What is not known now may be known to Postgres, so that it is not refused for good.
            Err(ApiError::Busy) => known.filter(|channels| has_all(channels)).ok_or(ApiError::Busy),
            Err(error) => Err(error),
        }
    }

    /// Asks Postgres for the channels, unless somebody has since `arrived`.
    async fn ask_for_channels(&self, arrived: Instant) -> Result<(), ApiError> {
        let _one = self.known.0.asking.lock().await;
        {
            let state = self.known.state();
            if state.answered_at.is_some_and(|at| at >= arrived) {
                return Ok(());
            }
            if state.failed_at.is_some_and(|at| at >= arrived) {
                return Err(ApiError::Busy);
            }
        }
        let asked_at = Instant::now();
        let rows = async {
            let mut conn = self.app.store.conn().await?;
            access::channels(&mut conn).await
        };
        let rows = rows.await;
        self.known.note(asked_at, rows.as_ref().ok().map(|rows| channels_of(rows)));
        Ok(rows.map(|_| ())?)
    }

    /// Takes over what becomes of channels until `shutdown` turns true.
    pub async fn follow_channels(self, mut shutdown: watch::Receiver<bool>) {
        while !*shutdown.borrow() {
            tokio::select! {
                // One failure is told by whoever follows the register.
                _asked = self.ask_for_channels(Instant::now()) => {}
                _ = shutdown.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                _ = shutdown.changed() => return,
            }
        }
    }

    /// Hears of a channel that was just changed here.
    pub async fn hear_of_channels(&self) {
        if let Err(error) = self.ask_for_channels(Instant::now()).await {
            tracing::warn!(error = %error, "a change of a channel was not heard at once");
        }
    }

    /// A device that is in use.
    pub async fn device(&self, id: Uuid) -> Result<Option<DeviceRow>, ApiError> {
        let (known, is_away) = {
            let state = self.known.state();
            (state.devices.get(&id).cloned(), state.is_away())
        };
        let is_recent = known.as_ref().is_some_and(|(at, _)| at.elapsed() < DEVICE_LIFE);
        let known = known.map(|(_, row)| row);
        if known.is_some() && (is_recent || is_away) {
            return Ok(known);
        }
        let asked = async {
            let mut conn = self.app.store.conn().await?;
            Ok(access::device(&mut conn, id).await?)
        };
        match asked.await {
            Ok(row) => {
                self.known.keep_device(id, row.as_ref());
                Ok(row)
            }
            Err(ApiError::Busy) => known.map(Some).ok_or(ApiError::Busy),
            Err(error) => Err(error),
        }
    }

    /// Who hands in scans by a bearer token, and the venues where they work. Staff who were verified in the
    /// last ten minutes go on while Postgres is away, for this and for nothing else.
    pub async fn handing_in(&self, request: &HttpRequest) -> Result<(Actor, Vec<Uuid>), ApiError> {
        let token = bearer(request).map(|token| token_hash(&token)).unwrap_or_default();
        let remembered = || self.known.staff(&token);
        let is_away = self.known.state().is_away();
        if is_away && let Some(found) = remembered() {
            return Ok(found);
        }
        let asked = async {
            let actor = Staff::<HandInScans>::from_request(request, &mut Payload::None).await?.0;
            let mut conn = self.app.store.conn().await?;
            let venues = access::venues_of(&mut conn, actor.id).await?;
            Ok((actor, venues))
        };
        match asked.await {
            Ok((actor, venues)) => {
                self.known.keep_staff(token, Some((&actor, &venues)));
                Ok((actor, venues))
            }
            Err(ApiError::Busy) => remembered().ok_or(ApiError::Busy),
            Err(error @ (ApiError::Unauthenticated(_) | ApiError::Forbidden(_))) => {
                self.known.keep_staff(token, None);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

fn channels_of(rows: &[ChannelRow]) -> Channels {
    let key = |bytes: &[u8]| VerifyingKey::from_bytes(bytes.try_into().ok()?).ok();
    let keys = rows.iter().filter_map(|row| Some((row.id.clone(), key(&row.public_key)?)));
    Channels { keys: keys.collect(), rows: rows.to_vec() }
}
