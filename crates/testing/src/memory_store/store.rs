//! The tables of one store, and how they are looked at and changed: a commit changes a copy, which takes their place when
//! nobody objects.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use vega_domain::audit::AuditEntry;
use vega_domain::ids::ApiName;
use vega_domain::ports::StoreError;
use vega_domain::token::StoredToken;

use super::tables::{LeaseState, Tables};

/// Sees each effect by a name such as `store PRIMARY`, and may refuse it. A look has a name too.
pub trait Watcher: Send + Sync {
    /// The store is asked for this.
    fn asked(&self, what: &str) -> Result<(), StoreError> {
        let _ = what;
        Ok(())
    }

    /// It is about to change like this.
    fn commits(&self, what: &str) -> Result<(), StoreError> {
        let _ = what;
        Ok(())
    }

    /// Something of this API is about to be kept in the spool.
    fn spools(&self, api: &ApiName) -> Result<(), StoreError> {
        let _ = api;
        Ok(())
    }

    /// The lease was taken, or is given back.
    fn leases(&self, what: &str) {
        let _ = what;
    }

    /// This token is about to be stored.
    fn stores(&self, token: &StoredToken) {
        let _ = token;
    }
}

/// Objects to nothing.
struct Nobody;

impl Watcher for Nobody {}

/// All storage ports over one set of tables.
pub struct MemoryStore {
    tables: Mutex<Tables>,
    pub(super) lease: Arc<Mutex<LeaseState>>,
    /// Whether a process delivers to files.
    pub(super) delivers: Arc<AtomicBool>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) watcher: Arc<dyn Watcher>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::watched_by(Arc::new(Nobody))
    }
}

impl MemoryStore {
    /// An empty store that asks this one before each effect.
    pub fn watched_by(watcher: Arc<dyn Watcher>) -> Self {
        Self {
            tables: Mutex::default(),
            lease: Arc::default(),
            delivers: Arc::default(),
            changed: watch::Sender::default(),
            watcher,
        }
    }

    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    pub(super) fn is_changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// What a test looks at, which is no call of the store.
    pub fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.tables())
    }

    /// What a test changes behind the store's back. It is no commit, and no news.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        change(&mut self.tables())
    }

    /// Counts the changes from now on.
    pub fn count_changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// One look at the tables.
    pub(super) fn look<T>(&self, what: &str, look: impl FnOnce(&Tables) -> T) -> Result<T, StoreError> {
        self.watcher.asked(what)?;
        Ok(look(&self.tables()))
    }

    /// One commit: what it refuses, and what the watcher refuses, changes nothing.
    pub(super) fn commit<T>(
        &self,
        what: &str,
        change: impl FnOnce(&mut Tables) -> Result<Done<T>, StoreError>,
    ) -> Result<T, StoreError> {
        self.watcher.asked(what)?;
        let mut tables = self.tables();
        let mut next = tables.clone();
        let done = change(&mut next)?;
        if done.is_change {
            self.watcher.commits(what)?;
            next.audit.extend(done.entries);
            *tables = next;
            self.is_changed();
        }
        Ok(done.value)
    }
}

/// What a commit does.
pub(super) struct Done<T> {
    value: T,
    is_change: bool,
    entries: Vec<AuditEntry>,
}

impl<T> Done<T> {
    /// A change with the entry that tells of it.
    pub(super) fn with(value: T, entry: &AuditEntry) -> Self {
        Self {
            value,
            is_change: true,
            entries: vec![entry.clone()],
        }
    }

    /// Several changes in one, with the entries that tell of them.
    pub(super) fn with_all(value: T, entries: Vec<AuditEntry>) -> Self {
        Self {
            value,
            is_change: true,
            entries,
        }
    }

    /// A change that no entry tells of.
    pub(super) fn untold(value: T) -> Self {
        Self {
            value,
            is_change: true,
            entries: Vec::new(),
        }
    }

    pub(super) fn nothing(value: T) -> Self {
        Self {
            value,
            is_change: false,
            entries: Vec::new(),
        }
    }
}

pub(super) fn conflict<T>(words: &str) -> Result<T, StoreError> {
    Err(StoreError::Conflict(words.into()))
}

/// What a test says when its database is to fail.
pub fn full() -> StoreError {
    StoreError::Failed {
        doing: "write",
        source: "the disk is full".into(),
    }
}
