//! Access keys in memory, for calls that cannot wait for the database, and when each was used.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::access::{AccessKey, SecretHash};
use vega_domain::ids::AccessKeyId;
use vega_domain::ports::StoredKey;

/// A key's use is stored once in this time at most.
const STORE_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Before any time that is noted.
const NEVER: i64 = i64::MIN;

/// Uses of one key, in microseconds of Unix time.
struct Uses {
    last: AtomicI64,
    /// The last one that is stored.
    stored: AtomicI64,
    /// When storing one was last tried.
    tried_at: AtomicI64,
}

#[derive(Clone)]
struct Held {
    key: Arc<AccessKey>,
    uses: Arc<Uses>,
}

/// Looking up takes no lock. Changes are made one after the other: the service sees to that.
#[derive(Default)]
pub(super) struct Keyring(ArcSwap<HashMap<SecretHash, Held>>);

impl Keyring {
    /// The key of this hash, if it counts at `now`; that it was used then is noted.
    pub(super) fn show(&self, hash: &SecretHash, now: DateTime<Utc>) -> Option<Arc<AccessKey>> {
        let keys = self.0.load();
        let held = keys.get(hash).filter(|held| held.key.is_live(now))?;
        held.uses
            .last
            .fetch_max(now.timestamp_micros(), Ordering::Relaxed);
        Some(Arc::clone(&held.key))
    }

    /// Whether the key of this id counts at `now`.
    pub(super) fn counts(&self, id: AccessKeyId, now: DateTime<Utc>) -> bool {
        let keys = self.0.load();
        let mut keys = keys.values();
        keys.any(|held| held.key.id == id && held.key.is_live(now))
    }

    /// From now on these are all keys. What is known of their uses stays.
    pub(super) fn replace(&self, stored: Vec<StoredKey>) {
        let before = self.0.load();
        let uses: HashMap<AccessKeyId, &Arc<Uses>> =
            before.values().map(|held| (held.key.id, &held.uses)).collect();
        let hold = |stored: StoredKey| {
            let uses = uses.get(&stored.key.id).map(|uses| Arc::clone(uses));
            let uses = uses.unwrap_or_else(|| Arc::new(Uses::of(&stored.key)));
            let key = Arc::new(stored.key);
            (stored.hash, Held { key, uses })
        };
        self.0.store(Arc::new(stored.into_iter().map(hold).collect()));
    }

    pub(super) fn add(&self, new: StoredKey) {
        let mut keys = HashMap::clone(&self.0.load());
        let uses = Arc::new(Uses::of(&new.key));
        let key = Arc::new(new.key);
        keys.insert(new.hash, Held { key, uses });
        self.0.store(Arc::new(keys));
    }

    pub(super) fn remove(&self, id: AccessKeyId) {
        let mut keys = HashMap::clone(&self.0.load());
        keys.retain(|_, held| held.key.id != id);
        self.0.store(Arc::new(keys));
    }

    /// When the key was last used, as far as it is known here.
    pub(super) fn last_use(&self, id: AccessKeyId) -> Option<DateTime<Utc>> {
        let keys = self.0.load();
        let held = keys.values().find(|held| held.key.id == id)?;
        DateTime::from_timestamp_micros(held.uses.last.load(Ordering::Relaxed))
    }

    /// The uses that it is time to store.
    pub(super) fn unstored_uses(&self, now: DateTime<Utc>) -> Vec<(AccessKeyId, DateTime<Utc>)> {
        let mut due = Vec::new();
        for held in self.0.load().values() {
            let uses = &held.uses;
            let last = uses.last.load(Ordering::Relaxed);
            let is_stored = last == uses.stored.load(Ordering::Relaxed);
            let tried_at = DateTime::from_timestamp_micros(uses.tried_at.load(Ordering::Relaxed));
            let is_due = tried_at.is_none_or(|tried_at| (now - tried_at).abs() >= STORE_EVERY);
            if let Some(last) = DateTime::from_timestamp_micros(last).filter(|_| is_due && !is_stored) {
                uses.tried_at.store(now.timestamp_micros(), Ordering::Relaxed);
                due.push((held.key.id, last));
            }
        }
        due
    }

    /// These are stored now.
    pub(super) fn uses_are_stored(&self, stored: &[(AccessKeyId, DateTime<Utc>)]) {
        for held in self.0.load().values() {
            if let Some((_, at)) = stored.iter().find(|(id, _)| *id == held.key.id) {
                held.uses.stored.store(at.timestamp_micros(), Ordering::Relaxed);
            }
        }
    }
}

impl Uses {
    fn of(key: &AccessKey) -> Self {
        let last = key.last_used_at.map_or(NEVER, |at| at.timestamp_micros());
        Self {
            last: last.into(),
            stored: last.into(),
            tried_at: NEVER.into(),
        }
    }
}
