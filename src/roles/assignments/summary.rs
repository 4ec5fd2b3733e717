//! How many assignments of each sort there are, and which colours they come to: equal numbers and an equal digest mean
//! that nobody's colour differs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::life::{Colours, Standing};
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::visitor::Visitor;
use crate::roles::terminal::{grouped, say};
use crate::store::histories::Life;

/// Counts and colours at one time.
pub(super) struct Summary {
    at: DateTime<Utc>,
    seen: BTreeSet<Uuid>,
    counts: BTreeMap<[String; 3], u64>,
    colours: Colours,
}

impl Summary {
    /// Nothing yet.
    pub(super) fn new(at: DateTime<Utc>) -> Self {
        Self { at, seen: BTreeSet::new(), counts: BTreeMap::new(), colours: Colours::default() }
    }

    /// Counts an assignment of a database in.
    pub(super) fn add_life(&mut self, life: &Life) {
        self.count(life.visitor, life.class, &life.row);
    }

    /// Counts an assignment of a file in; false when it was there before.
    pub(super) fn add(
        &mut self,
        id: Uuid,
        visitor: &str,
        class: Class,
        standing: &Standing,
    ) -> anyhow::Result<bool> {
        let visitor = Visitor::from_hex(visitor).context("`visitor` has 32 hexadecimal digits")?;
        if !self.seen.insert(id) {
            return Ok(false);
        }
        self.count(visitor, class, standing);
        Ok(true)
    }

    fn count(&mut self, visitor: Visitor, class: Class, standing: &Standing) {
        let key = [word(&class), word(&standing.colour), word(&standing.state)];
        *self.counts.entry(key).or_default() += 1;
        self.colours.add(visitor, standing.shown(self.at));
    }

    /// Prints all of it.
    pub(super) fn print(&self) {
        say(format!("at         {}", self.at.to_rfc3339()));
        for ([class, colour, state], count) in &self.counts {
            say(format!("{:>9}  {class} {colour} {state}", grouped(*count)));
        }
        let count = |colour| self.colours.count(colour);
        say(format!("visitors   {} red, {} yellow", count(Colour::Red), count(Colour::Yellow)));
        say(format!("digest     {}", self.colours.digest()));
    }
}

/// The word of a value as the API writes it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
