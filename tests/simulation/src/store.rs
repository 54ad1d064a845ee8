//! The storage ports as one process has them: the `MemoryStore` on the disk, reached through time that passes, faults, and points
//! at which the process dies before or after a commit. Where several machines share the database, a write of a sign-in compares the
//! lease's epoch. What the rules have to know of a commit is noted together with it.

mod audit;
mod changes;
mod cooldowns;
mod journal;
mod runs;
mod spool;
mod tokens;

#[cfg(test)]
mod contract;

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::{Clock, StoreError};
use vega_testing::MemoryStore;
use vega_testing::memory_store::Tables;

pub(crate) use self::changes::DiskChanges;
use crate::disk::Refusal;
pub(crate) use crate::disk::away;
use crate::fault_state::Storage;
use crate::here::Here;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;
use crate::rules::Rule;

/// Where a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing is different.
    Nothing,
    /// Into its rows, with its entry.
    Committed,
    /// Into the spool, for the database did not take it.
    Spooled,
}

/// Who may make a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Everybody at any time.
    Anybodys,
    /// Whoever has the lease.
    Holders,
}

/// A change as it is told, and who may make it.
struct Change<'a> {
    what: &'a str,
    /// Of its entries.
    kinds: &'a [AuditKind],
    /// So many entries tell of one commit, by what is stored just before it.
    entries: &'a (dyn Fn() -> usize + Sync),
    whose: Whose,
}

/// So often a database that does not answer is tried, within the 3 s that a connection may take.
const CONNECT_TRIES: u32 = 30;
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The disk as one process reaches it: all ports over durable state.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) here: Here,
}

impl Store {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }

    /// With the spool of this process's machine.
    fn memory(&self) -> &MemoryStore {
        let disk = &self.here.world.disk;
        disk.turn_to(self.here.process.machine.number);
        &disk.memory
    }

    /// What this process can read, without a call.
    fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        self.here
            .world
            .disk
            .read_at(self.here.process.machine.number, look)
    }

    /// By the process's clock.
    fn now(&self) -> DateTime<Utc> {
        self.here.process.clock.now()
    }

    /// One call that changes something, if storage takes it. `kinds` are those of the entry that comes with the change; `then` is
    /// what the rules note of it before the process can die.
    async fn commit<T>(
        &self,
        what: &str,
        kinds: &[AuditKind],
        call: impl Future<Output = Result<T, StoreError>> + Send,
        then: impl FnOnce(&T, Effect) + Send,
    ) -> Result<T, StoreError> {
        let change = Change {
            what,
            kinds,
            entries: &|| 1,
            whose: Whose::Anybodys,
        };
        self.change(change, call, then).await
    }

    /// The same for a write of a sign-in, which whoever was taken over does not make any more.
    async fn sign_in<T>(
        &self,
        what: &str,
        kinds: &[AuditKind],
        call: impl Future<Output = Result<T, StoreError>> + Send,
        then: impl FnOnce(&T, Effect) + Send,
    ) -> Result<T, StoreError> {
        let change = Change {
            what,
            kinds,
            entries: &|| 1,
            whose: Whose::Holders,
        };
        self.change(change, call, then).await
    }

    /// Waits a little for a database that does not answer this machine. Returns whether it does.
    async fn reaches_database(&self) -> bool {
        let here = &self.here;
        for _ in 0..CONNECT_TRIES {
            if !here.process.machine.is_cut_off() {
                return true;
            }
            here.rest(TRY_AGAIN).await;
        }
        false
    }

    /// Why this change is refused now, if it is.
    async fn refusal(&self, whose: Whose) -> Option<Refusal> {
        if !self.reaches_database().await {
            return Some(Refusal::Away);
        }
        let here = &self.here;
        let (faults, rng) = (here.world.faults(), &here.world.rng);
        if faults.storage != Storage::Works || rng.permille(faults.storm / 6) {
            return Some(Refusal::Full);
        }
        let is_refused = whose != Whose::Anybodys
            && here.world.is_without_lease(&here.process)
            && !here.is_injected(InjectedDefect::EpochNotCompared);
        is_refused.then_some(Refusal::TakenOver)
    }

    async fn change<T>(
        &self,
        change: Change<'_>,
        call: impl Future<Output = Result<T, StoreError>> + Send,
        then: impl FnOnce(&T, Effect) + Send,
    ) -> Result<T, StoreError> {
        let (here, what) = (&self.here, change.what);
        here.point().await;
        here.rest(Duration::from_millis(3)).await;
        let refusal = self.refusal(change.whose).await;
        let disk = &here.world.disk;
        let (faults, rng) = (here.world.faults(), &here.world.rng);
        let is_spool_shut = refusal.is_some() && (faults.spool_fails || rng.permille(faults.storm));
        let before = std::mem::replace(&mut *locked(&disk.gate.refusal), refusal);
        disk.gate
            .is_call_refused
            .store(refusal.is_some(), Ordering::Relaxed);
        disk.gate.is_spool_shut.store(is_spool_shut, Ordering::Relaxed);
        disk.turn_to(here.process.machine.number);
        let (commits, spooled) = disk.gate.counts();
        let told = disk.read(|tables| tables.audit.len());
        let entries = (change.entries)();
        // The memory store never waits, so nothing comes between.
        let outcome = call.await;
        disk.gate.is_call_refused.store(false, Ordering::Relaxed);
        *locked(&disk.gate.refusal) = before;
        let (commits, spooled) = (disk.gate.counts().0 - commits, disk.gate.counts().1 - spooled);
        let effect = match (commits, spooled) {
            (0, 0) => Effect::Nothing,
            (_, 0) => Effect::Committed,
            _ => Effect::Spooled,
        };
        match (&outcome, effect) {
            (Err(StoreError::Failed { .. }), _) => here.tell(&format!("cannot commit: {what}")),
            (Err(error), _) => here.tell(&format!("is refused: {what}: {error}")),
            (Ok(_), Effect::Nothing) => {}
            (Ok(_), Effect::Committed) => here.tell(&format!("commits {what}")),
            (Ok(_), Effect::Spooled) => here.tell(&format!("keeps in the spool: {what}")),
        }
        if effect == Effect::Committed {
            here.check_write(change.whose, what);
        }
        self.check_entries(told, commits * entries, change.kinds);
        if let Ok(value) = &outcome {
            then(value, effect);
        }
        here.point().await;
        outcome
    }

    /// Every commit that is to be in the trail is there, and as what it is.
    fn check_entries(&self, told: usize, expected: usize, kinds: &[AuditKind]) {
        if self.here.is_injected(InjectedDefect::SkipAudit) {
            self.memory().edit(|tables| {
                let skipped = tables.audit.iter().skip(told);
                if skipped
                    .map(|entry| entry.kind)
                    .any(|kind| kind == AuditKind::AttemptClosed)
                {
                    tables.audit.truncate(told);
                }
            });
        }
        let entries: Vec<AuditEntry> = self.memory().read(|tables| tables.audit[told..].to_vec());
        for entry in &entries {
            self.here.world.check_text(&entry.detail);
            if !kinds.contains(&entry.kind) {
                let words = format!("{kinds:?} was told as {:?}", entry.kind);
                self.here.broken(Rule::Unaudited, &words);
            }
        }
        if !kinds.is_empty() && expected != entries.len() {
            let words = format!("{} entries instead of {expected}", entries.len());
            self.here.broken(Rule::Unaudited, &words);
        }
    }

    /// One call that only looks, if the database answers.
    async fn look<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let here = &self.here;
        here.stay().await;
        here.rest(Duration::from_millis(1)).await;
        if !self.reaches_database().await {
            return Err(away());
        }
        if here.world.faults().storage == Storage::Fails {
            return Err(StoreError::Failed {
                doing: "read",
                source: "the disk does not answer".into(),
            });
        }
        here.world.disk.turn_to(here.process.machine.number);
        call.await
    }
}
