//! What every handler shares.

use chrono::{DateTime, Utc};

use super::appender::Appender;
use super::follow::Heard;
use super::known::Known;
use super::remembered::Remembered;
use super::residences::Residences;
use super::screens::KnownScreens;
use super::shed::Load;
use crate::app::App;
use crate::domain::visitor::Visitor;
use crate::intake::limits::tally::Tally;
use crate::intake::points::PointCache;
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
    /// Cards that were scanned, by their keyed hash.
    pub cards: Remembered<[u8; 32], CardRow>,
    /// Channels, devices and staff at the door, for when Postgres is away.
    pub known: Known,
    /// Where visitors live, on its way to Postgres.
    pub residences: Residences,
    /// Scans that were counted for fair use.
    pub tally: Tally,
    /// How many requests are under way.
    pub load: Load,
}

impl Web {
    /// Starts the appends on the runtime of the caller.
    pub fn new(app: App) -> Self {
        Self {
            appender: Appender::start(&app),
            points: PointCache::default(),
            heard: Heard::default(),
            screens: KnownScreens::default(),
            cards: Remembered::default(),
            known: Known::default(),
            residences: Residences::start(&app),
            tally: Tally::start(&app.intake, app.keys.token()),
            load: Load::default(),
            app,
        }
    }

    /// Under which name the answers to a visitor's writes are kept: a keyed hash, never the pseudonym.
    pub fn visitor_principal(&self, visitor: Visitor) -> String {
        let mac = self.app.keys.token().mac("placecode/principal/1", &[visitor.to_uuid().as_bytes()]);
        format!("visitor:{}", data_encoding::HEXLOWER.encode(&mac))
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
