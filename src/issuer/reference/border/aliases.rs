//! What other systems call the people here. It is made while a person is seen, since no identity is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::visitor::Visitor;
use crate::issuer::reference::Platform;
use crate::issuer::reference::identity::Identity;

/// How long vouching waits for aliases.
const PATIENCE: Duration = Duration::from_secs(1);

/// Names of a person, by the name of the key.
pub(in crate::issuer::reference) type Aliases = BTreeMap<String, String>;

impl Platform {
    /// What others call somebody, under every key that this system holds.
    pub(in crate::issuer::reference) fn aliases_of(&self, identity: &Identity) -> Aliases {
        let name =
            |key: &crate::domain::keyring::Key| Visitor::of(key.bytes(), identity.kind, &identity.number);
        self.border.alias_keys.iter().map(|(id, key)| (id.clone(), name(key).to_hex())).collect()
    }

    /// Keeps what others call people who were seen. Nobody is kept from signing in by a database that is slow or away:
    /// it is made again the next time.
    pub(in crate::issuer::reference) async fn know(&self, people: &[(Visitor, Aliases)]) {
        if self.border.alias_keys.is_empty() {
            return;
        }
        let kept = self.store.keep_aliases(people, self.clock.now());
        match tokio::time::timeout(PATIENCE, kept).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %error, "aliases were not kept"),
            Err(_late) => tracing::warn!("aliases were not kept in time"),
        }
    }

    /// What others call somebody who was seen before.
    pub(in crate::issuer::reference) async fn known_aliases(&self, visitor: Visitor) -> Aliases {
        if self.border.alias_keys.is_empty() {
            return Aliases::new();
        }
        let asked = tokio::time::timeout(PATIENCE, self.store.aliases(visitor)).await;
        let Ok(Ok(mut aliases)) = asked else {
            tracing::warn!("aliases were not told: the database did not answer");
            return Aliases::new();
        };
        aliases.retain(|key, _| self.border.alias_keys.contains_key(key));
        aliases
    }
}
