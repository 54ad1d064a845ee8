//! Tokens in memory, for readers that cannot wait. Secondary to the database: only what is stored and verified gets in,
//! a newer generation is never replaced by an older one, and time alone takes a token out.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::Clock;
use vega_domain::token::StoredToken;

type Snapshot = HashMap<ApiName, Arc<StoredToken>>;

/// The hot registry. Reads take no lock.
pub struct HotTokenRegistry {
    snapshot: ArcSwap<Snapshot>,
    clock: Arc<dyn Clock>,
}

impl HotTokenRegistry {
    /// An empty registry.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            snapshot: ArcSwap::default(),
            clock,
        }
    }

    /// The token of one API, if a program may have it now.
    pub fn get(&self, api: &ApiName) -> Option<Arc<StoredToken>> {
        let snapshot = self.snapshot.load();
        snapshot
            .get(api)
            .filter(|token| token.is_servable(self.clock.now()))
            .cloned()
    }

    /// Takes a stored token in. Returns whether readers see it now: a token that is not servable, or older than the
    /// one that is here, changes nothing.
    pub fn publish(&self, token: &StoredToken) -> bool {
        if !token.is_servable(self.clock.now()) {
            return false;
        }
        let token = Arc::new(token.clone());
        let mut published = false;
        self.snapshot.rcu(|current| {
            let mut next = Snapshot::clone(current);
            published = next
                .get(&token.api)
                .is_none_or(|held| held.generation <= token.generation);
            if published {
                next.insert(token.api.clone(), Arc::clone(&token));
            }
            next
        });
        published
    }

    /// Takes a token out that Upstox called dead. A newer one stays.
    pub fn remove(&self, api: &ApiName, generation: Generation) {
        self.snapshot.rcu(|current| {
            let mut next = Snapshot::clone(current);
            if next.get(api).is_some_and(|held| held.generation <= generation) {
                next.remove(api);
            }
            next
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::test_world::{TestClock, api, at, stored};

    #[test]
    fn never_6_a_token_served_that_is_not_servable() {
        let clock = TestClock::at(at(0));
        let registry = HotTokenRegistry::new(clock.clone());
        let mut unverified = stored("PRIMARY", 1);
        unverified.verified_at = None;
        assert!(!registry.publish(&unverified));
        assert!(registry.get(&api("PRIMARY")).is_none());

        let token = stored("PRIMARY", 1);
        assert!(registry.publish(&token));
        assert_eq!(registry.get(&api("PRIMARY")).unwrap().generation.get(), 1);

        clock.set(token.valid_until - TimeDelta::seconds(60));
        assert!(registry.get(&api("PRIMARY")).is_none(), "not in its last minute");
    }

    #[test]
    fn never_6_a_token_served_that_is_older_than_the_newest() {
        let registry = HotTokenRegistry::new(TestClock::at(at(0)));
        assert!(registry.publish(&stored("PRIMARY", 2)));
        assert!(!registry.publish(&stored("PRIMARY", 1)));
        registry.remove(&api("PRIMARY"), Generation::FIRST);
        assert_eq!(registry.get(&api("PRIMARY")).unwrap().generation.get(), 2);
        registry.remove(&api("PRIMARY"), Generation::new(2).unwrap());
        assert!(registry.get(&api("PRIMARY")).is_none());
    }
}
