//! Tokens in memory, for readers that cannot wait. Secondary to the database: only what is stored and verified gets in,
//! a newer generation is never replaced by an older one, also not when the newer one is gone already. Who looks at the
//! clock and at other processes is `RegistryFollower`; a reader gets nothing dead in any case.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::Clock;
use vega_domain::token::StoredToken;

/// What is known of one API's newest token.
enum Slot {
    /// Readers get it as long as it lives.
    Hot(Arc<StoredToken>),
    /// The same, though nothing durable took it: that the database lacks it takes it from nobody.
    OnlyHere(Arc<StoredToken>),
    /// It cannot be served now: its time is over, it was never verified, or the database has none any more.
    Gone(Generation),
    /// Upstox spoke against it. Only the database brings it back.
    Refused(Generation),
}

/// Each slot is made anew when it changes, so that two snapshots can be compared by address.
type Slots = HashMap<ApiName, Arc<Slot>>;

/// The hot registry. Reads take no lock, wait for nobody and allocate nothing (but for a thread's first one, which gets the
/// thread its place among the readers).
pub struct HotTokenRegistry {
    slots: ArcSwap<Slots>,
    /// Writers one after the other; no reader takes it.
    writing: Mutex<()>,
    /// How often what readers get has changed.
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

/// What the registry held at one moment, to tell what changed since.
pub(crate) struct Mark(Arc<Slots>);

/// Whether the registry is what the database was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reconciled {
    /// It is.
    Wholly,
    /// Somebody changed a slot while the tokens were loaded, so it was left alone: load again.
    ButForLaterChanges,
}

impl HotTokenRegistry {
    /// An empty registry.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            slots: ArcSwap::default(),
            writing: Mutex::default(),
            changes: watch::Sender::new(0),
            clock,
        }
    }

    /// The token of one API, if a program may have it now.
    pub fn get(&self, api: &ApiName) -> Option<Arc<StoredToken>> {
        let slots = self.slots.load();
        // After the snapshot: what was alive when it was looked up may be dead when it is handed out.
        let now = self.clock.now();
        let token = slots.get(api)?.token()?;
        token.is_servable(now).then(|| Arc::clone(token))
    }

    /// Tells when what readers get has changed: a token came, was replaced, was taken out, or began its last minute. The
    /// value counts the changes; `get` says what there is. Time and other processes are told of only while a
    /// `RegistryFollower` is at work.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes note of a token that was just stored. Returns whether readers see it now: one that is not servable only
    /// takes an older one out, and one that is older than what is known here changes nothing.
    pub fn publish(&self, token: &StoredToken) -> bool {
        self.put(token, Slot::of(token, self.clock.now()))
    }

    /// The same for a token that neither the database nor the spool took. It lives as long as this process.
    pub fn publish_unstored(&self, token: &StoredToken) -> bool {
        let slot = match Slot::of(token, self.clock.now()) {
            Slot::Hot(token) => Slot::OnlyHere(token),
            other => other,
        };
        self.put(token, slot)
    }

    fn put(&self, token: &StoredToken, slot: Slot) -> bool {
        let mut published = false;
        self.change(|slots| {
            let is_too_old = slots.get(&token.api).is_some_and(|slot| match **slot {
                Slot::Hot(_) | Slot::OnlyHere(_) | Slot::Gone(_) => token.generation < slot.generation(),
                Slot::Refused(refused) => token.generation <= refused,
            });
            if !is_too_old {
                published = slot.token().is_some();
                slots.insert(token.api.clone(), Arc::new(slot));
            }
        });
        published
    }

    /// Takes a token out that Upstox called dead or somebody else's. A newer one stays.
    pub fn remove(&self, api: &ApiName, generation: Generation) {
        self.change(|slots| {
            let held = slots.get(api).map(|slot| slot.generation());
            if held.is_none_or(|held| held <= generation) {
                slots.insert(api.clone(), Arc::new(Slot::Refused(generation)));
            }
        });
    }

    /// Takes out what is in its last minute or past it.
    pub(crate) fn expire(&self) {
        let now = self.clock.now();
        let has_died = |slot: &Slot| slot.token().is_some_and(|token| !token.is_servable(now));
        if self.slots.load().values().any(|slot| has_died(slot)) {
            self.change(|slots| {
                for slot in slots.values_mut().filter(|slot| has_died(slot)) {
                    *slot = Arc::new(Slot::Gone(slot.generation()));
                }
            });
        }
    }

    /// What is held now. To be taken before the tokens are loaded that `reconcile` gets.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.slots.load_full())
    }

    /// Makes the registry what the database is, `stored` being the newest token of each API that has one. Slots that
    /// changed since `mark` may know more than the database told, and stay.
    pub(crate) fn reconcile(&self, mark: &Mark, stored: Vec<StoredToken>) -> Reconciled {
        let now = self.clock.now();
        let mut outcome = Reconciled::Wholly;
        let mut stored: HashMap<ApiName, StoredToken> = stored
            .into_iter()
            .map(|token| (token.api.clone(), token))
            .collect();
        self.change(|slots| {
            let known = slots.keys().chain(stored.keys()).cloned();
            let apis: std::collections::HashSet<ApiName> = known.collect();
            for api in apis {
                let token = stored.remove(&api);
                let held = slots.get(&api);
                if held.map(Arc::as_ptr) != mark.0.get(&api).map(Arc::as_ptr) {
                    outcome = Reconciled::ButForLaterChanges;
                    continue;
                }
                let slot = match (token, held.map(Arc::as_ref)) {
                    (Some(token), held) if held.is_none_or(|held| held.generation() <= token.generation) => {
                        Slot::of(&token, now)
                    }
                    (_, Some(Slot::OnlyHere(_)) | None) => continue,
                    // A backup was put back, say: what it lacks is not durable, what it has is older.
                    (_, Some(held)) => Slot::Gone(held.generation()),
                };
                slots.insert(api, Arc::new(slot));
            }
        });
        outcome
    }

    fn change(&self, change: impl FnOnce(&mut Slots)) {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.slots.load_full();
        let mut after = Slots::clone(&before);
        change(&mut after);
        let served = |slots: &Slots, api| {
            slots
                .get(api)
                .and_then(|slot| slot.token())
                .map(|token| token.generation)
        };
        let differs = after
            .keys()
            .any(|api| served(&before, api) != served(&after, api));
        self.slots.store(Arc::new(after));
        if differs {
            self.changes.send_modify(|changes| *changes += 1);
        }
    }
}

impl Slot {
    fn of(token: &StoredToken, now: DateTime<Utc>) -> Self {
        if token.is_servable(now) {
            Self::Hot(Arc::new(token.clone()))
        } else if token.is_refused() {
            Self::Refused(token.generation)
        } else {
            Self::Gone(token.generation)
        }
    }

    /// What is older than this never gets in.
    fn generation(&self) -> Generation {
        match self {
            Self::Hot(token) | Self::OnlyHere(token) => token.generation,
            Self::Gone(generation) | Self::Refused(generation) => *generation,
        }
    }

    fn token(&self) -> Option<&Arc<StoredToken>> {
        match self {
            Self::Hot(token) | Self::OnlyHere(token) => Some(token),
            Self::Gone(_) | Self::Refused(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
