//! The bounds on releases, as they are set.

use super::App;
use crate::domain::release::Limits;

impl App {
    /// The bounds on releases, in people.
    pub fn release_limits(&self) -> Limits {
        Limits {
            warning: self.config.release_warning.into(),
            cap: self.config.release_cap.into(),
            block_hour: self.config.release_block_hour.into(),
        }
    }
}
