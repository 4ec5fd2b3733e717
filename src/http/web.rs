//! What every handler shares.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ed25519_dalek::VerifyingKey;
use uuid::Uuid;

use super::follow::Heard;
use super::remembered::Remembered;
use super::screens::KnownScreens;
use crate::app::App;
use crate::intake::appender::Appender;
use crate::intake::points::PointCache;
use crate::store::access::DeviceRow;
use crate::store::cards::CardRow;

/// What every handler shares.
#[derive(Clone, Debug)]
pub struct Web {
    /// Settings, keys, pools, clock.
    pub app: App,
    /// Group commit of scans.
    pub appender: Appender,
    /// The register in memory.
    pub points: PointCache,
    /// When and what was last heard of the register.
    pub heard: Heard,
    /// Screens that were seen before, for when Postgres is away.
    pub screens: KnownScreens,
    /// The keys of the channels, by their id.
    pub channels: Remembered<(), HashMap<String, VerifyingKey>>,
    /// Devices that handed in scans.
    pub devices: Remembered<Uuid, DeviceRow>,
    /// Cards that were scanned, by their keyed hash.
    pub cards: Remembered<[u8; 32], CardRow>,
}

impl Web {
    /// Starts the appends on the runtime of the caller.
    pub fn new(app: App) -> Self {
        Self {
            appender: Appender::start(&app.intake),
            points: PointCache::default(),
            heard: Heard::default(),
            screens: KnownScreens::default(),
            channels: Remembered::default(),
            devices: Remembered::default(),
            cards: Remembered::default(),
            app,
        }
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }
}

/// The `Link` header that names the next page of a list, with all that the list was asked for.
pub fn next_page<const N: usize>(path: &str, query: &[(&str, Option<String>); N]) -> (&'static str, String) {
    let given = query.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    ("Link", format!("<{path}?{query}>; rel=\"next\""))
}
