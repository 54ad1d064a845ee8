//! The storage ports as one process has them: the `MemoryStore` on the disk, reached through time that passes, faults, and points
//! at which the process dies before or after a commit. What the rules have to know of a commit is noted together with it.

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

pub(crate) use self::changes::DiskChanges;
use crate::fault_state::Storage;
use crate::here::Here;
use crate::injected_defects::InjectedDefect;
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

/// The disk as one process reaches it: all ports over durable state.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) here: Here,
}

impl Store {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }

    fn memory(&self) -> &MemoryStore {
        &self.here.world.disk.memory
    }

    /// By the computer's clock.
    fn now(&self) -> DateTime<Utc> {
        self.here.world.time.now()
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
        self.commit_of(what, (kinds, 1), call, then).await
    }

    /// The same, where so many entries tell of one commit.
    async fn commit_of<T>(
        &self,
        what: &str,
        told_as: (&[AuditKind], usize),
        call: impl Future<Output = Result<T, StoreError>> + Send,
        then: impl FnOnce(&T, Effect) + Send,
    ) -> Result<T, StoreError> {
        let here = &self.here;
        here.point().await;
        here.rest(Duration::from_millis(3)).await;
        let disk = &here.world.disk;
        let (faults, rng) = (here.world.faults(), &here.world.rng);
        let is_shut = faults.storage != Storage::Works || rng.permille(faults.storm / 6);
        let is_spool_shut = is_shut && (faults.spool_fails || rng.permille(faults.storm));
        disk.gate.is_database_shut.store(is_shut, Ordering::Relaxed);
        disk.gate.is_call_refused.store(is_shut, Ordering::Relaxed);
        disk.gate.is_spool_shut.store(is_spool_shut, Ordering::Relaxed);
        let (commits, spooled) = disk.gate.counts();
        let told = disk.read(|tables| tables.audit.len());
        // The memory store never waits, so nothing comes between.
        let outcome = call.await;
        disk.gate.is_call_refused.store(false, Ordering::Relaxed);
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
        self.check_entries(told, commits, told_as);
        if let Ok(value) = &outcome {
            then(value, effect);
        }
        here.point().await;
        outcome
    }

    /// Every commit that is to be in the trail is there, and as what it is.
    fn check_entries(&self, told: usize, commits: usize, (kinds, each): (&[AuditKind], usize)) {
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
        if !kinds.is_empty() && commits * each != entries.len() {
            let words = format!("{commits} changes and {} entries", entries.len());
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
        if here.world.faults().storage == Storage::Fails {
            return Err(StoreError::Failed {
                doing: "read",
                source: "the disk does not answer".into(),
            });
        }
        call.await
    }
}
