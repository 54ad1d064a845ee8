//! Which programs use which token: kept in memory, where a call notes itself without waiting, written down from there, and whom the
//! operator has stopped. What a server serves is decided by whoever asks here; nothing that was seen takes anything from anybody.

mod uses;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::TimeDelta;
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::consumer::{Consumer, ConsumerIdentity, ConsumerStop, ConsumerUse};
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::{Clock, Consumers, StoreError, TokenChanges};

pub use self::uses::KnownConsumer;
use self::uses::Uses;
use crate::backoff::until_caught_up;

/// How often it is looked for what is to be written down. A program that has moved to another token is found in the database so soon.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often everything that was seen is written down.
const WRITE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// So many rows go into one commit: others want to write, too.
const ROWS_AT_ONCE: usize = 200;

/// Knows consumers.
pub struct ConsumerService {
    store: Arc<dyn Consumers>,
    changes: Arc<dyn TokenChanges>,
    clock: Arc<dyn Clock>,
    uses: Uses,
    stops: ArcSwap<HashMap<ConsumerIdentity, Arc<ConsumerStop>>>,
    /// What is stored and what is in memory of stops change together, one after the other. Whoever looks up takes no part in this.
    changing: Mutex<()>,
    /// Counts what others are told of: a consumer that came, moved, connected, or was stopped.
    news: watch::Sender<u64>,
}

/// A stream that a consumer listens to, until it is dropped.
pub struct Connection {
    service: Arc<ConsumerService>,
    place: uses::Place,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let now = self.service.clock.now();
        self.service.uses.disconnect(&self.place, now);
        self.service.tell();
    }
}

impl ConsumerService {
    /// With nothing in memory; `catch_up` reads it. `changes` must belong to this service alone.
    pub fn new(store: Arc<dyn Consumers>, changes: Arc<dyn TokenChanges>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            changes,
            clock,
            uses: Uses::default(),
            stops: ArcSwap::default(),
            changing: Mutex::default(),
            news: watch::Sender::default(),
        }
    }

    /// Takes note that this consumer was here for the token of `api`; `has` is the token that it has now, where that is known. Waits for
    /// nobody.
    pub fn saw(&self, consumer: Consumer, api: &ApiName, has: Option<Generation>) {
        if self.uses.note(consumer, api, has, self.clock.now()) {
            self.tell();
        }
    }

    /// Takes note that this consumer listens to how the token of `api` stands.
    pub fn connects(self: &Arc<Self>, consumer: Consumer, api: &ApiName) -> Connection {
        let place = self.uses.connect(consumer, api, self.clock.now());
        self.tell();
        Connection {
            service: Arc::clone(self),
            place,
        }
    }

    /// Since when and why this consumer gets nothing, if so. Answers from memory.
    pub fn stop_of(&self, identity: &ConsumerIdentity) -> Option<Arc<ConsumerStop>> {
        let stops = self.stops.load();
        // Mostly nobody is.
        if stops.is_empty() {
            return None;
        }
        let of_user = || stops.get(&identity.of_user()?);
        let of_user_anywhere = || stops.get(&identity.of_user_anywhere()?);
        let stop = stops.get(identity).or_else(of_user).or_else(of_user_anywhere);
        stop.cloned()
    }

    /// Every consumer that is known here, by name and API.
    pub fn known(&self) -> Vec<KnownConsumer> {
        let mut known = self.uses.all(self.clock.now());
        for consumer in &mut known {
            consumer.stop = self.stop_of(&consumer.seen.consumer.identity);
        }
        known.sort_by(|one, other| {
            let key = |known: &KnownConsumer| {
                let consumer = &known.seen.consumer;
                (
                    consumer.name().to_owned(),
                    known.seen.api.clone(),
                    consumer.identity.clone(),
                )
            };
            key(one).cmp(&key(other))
        });
        known
    }

    /// Everybody who is stopped, by identity.
    pub fn stops(&self) -> Vec<Arc<ConsumerStop>> {
        let mut stops: Vec<_> = self.stops.load().values().cloned().collect();
        stops.sort_by(|one, other| one.identity.cmp(&other.identity));
        stops
    }

    /// Tells when a consumer came, moved to another token, connected or went, or was stopped or opened. The value counts.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Stops a consumer: from now on in this process, in others as soon as they follow. `by` is who asks for it, for the audit trail.
    /// Returns whether it was not stopped before.
    ///
    /// # Errors
    /// It could not be stored; nothing changed then.
    pub async fn stop(
        &self,
        identity: &ConsumerIdentity,
        name: &str,
        by: &str,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let stop = ConsumerStop {
            identity: identity.clone(),
            name: name.to_owned(),
            since: now,
            reason: reason.to_owned(),
        };
        let because = if reason.is_empty() { "" } else { ": " };
        let words = format!("{name} ({identity}), by {by}{because}{reason}");
        let audit = AuditEntry::new(now, AuditKind::ConsumerStopped, words);
        let _alone = self.changing.lock().await;
        let is_new = self.store.stop(&stop, &audit).await?;
        self.read_stops().await?;
        Ok(is_new)
    }

    /// Opens it again, by lifting the stop that is in force for it: that of its whole user, if so. Returns the stop that was lifted, if there
    /// was one. Another one may still be in force: `stop_of` tells.
    ///
    /// # Errors
    /// It could not be stored; nothing changed then.
    pub async fn open(
        &self,
        identity: &ConsumerIdentity,
        name: &str,
        by: &str,
    ) -> Result<Option<Arc<ConsumerStop>>, StoreError> {
        let stop = self.stop_of(identity);
        let (identity, name) = match &stop {
            Some(stop) => (&stop.identity, &*stop.name),
            None => (identity, name),
        };
        let words = format!("{name} ({identity}), by {by}");
        let audit = AuditEntry::new(self.clock.now(), AuditKind::ConsumerOpened, words);
        let _alone = self.changing.lock().await;
        let was_stopped = self.store.open(identity, &audit).await?;
        self.read_stops().await?;
        Ok(stop.filter(|_| was_stopped))
    }

    /// Reads into memory what is stored, of whichever server.
    ///
    /// # Errors
    /// The database did not answer; what is in memory stays.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        self.catch_up_stops().await?;
        self.catch_up_uses().await
    }

    async fn catch_up_uses(&self) -> Result<(), StoreError> {
        let stored = self.store.uses().await?;
        if self.uses.take_in(stored, self.clock.now()) {
            self.tell();
        }
        Ok(())
    }

    async fn catch_up_stops(&self) -> Result<(), StoreError> {
        let _alone = self.changing.lock().await;
        self.read_stops().await
    }

    async fn read_stops(&self) -> Result<(), StoreError> {
        let stored = self.store.stops().await?.into_iter();
        let stops: HashMap<_, _> = stored
            .map(|stop| (stop.identity.clone(), Arc::new(stop)))
            .collect();
        if **self.stops.load() != stops {
            self.stops.store(Arc::new(stops));
            self.tell();
        }
        Ok(())
    }

    /// Keeps stops in memory in step with the stored ones, and writes down what was seen, for as long as it is polled. A database that does
    /// not answer opens nobody. Dropping it is safe at any time.
    pub async fn follow(&self) -> Infallible {
        tokio::select! {
            never = self.watch_database() => never,
            never = self.write_down() => never,
        }
    }

    async fn watch_database(&self) -> Infallible {
        loop {
            self.changes.changed().await;
            until_caught_up("the programs that are stopped", || self.catch_up_stops()).await;
        }
    }

    async fn write_down(&self) -> Infallible {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut written_at = self.clock.now();
        let mut is_behind = false;
        loop {
            look.tick().await;
            let now = self.clock.now();
            let is_time = (now - written_at).abs() >= WRITE_EVERY;
            if is_time {
                written_at = now;
            }
            match self.write(is_time).await {
                Ok(()) => is_behind = false,
                Err(error) if !is_behind => {
                    tracing::warn!(%error, "which programs use tokens is not on record yet");
                    is_behind = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Writes down what is not yet, before the database is closed.
    ///
    /// # Errors
    /// The database did not take it; it is lost with this process.
    pub async fn write_last(&self) -> Result<(), StoreError> {
        self.write(true).await
    }

    /// Writes down who moved, and where `everything` is set, whoever was seen.
    async fn write(&self, everything: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        let due = self.uses.unwritten(everything, now);
        let forgotten_before = ConsumerUse::forgotten_before(now);
        for rows in due.chunks(ROWS_AT_ONCE) {
            self.store.record(rows, forgotten_before).await?;
            self.uses.are_written(rows);
        }
        if everything {
            self.uses.forget(forgotten_before);
            self.catch_up_uses().await?;
        }
        Ok(())
    }

    fn tell(&self) {
        self.news.send_modify(|news| *news += 1);
    }
}
