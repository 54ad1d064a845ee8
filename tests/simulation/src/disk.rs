//! What outlives a process: the rows of a `MemoryStore`, the spool of each machine, and what the rules have to know of them that no
//! program sees. Decides only when storage refuses a change.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use vega_domain::ids::{ApiName, AttemptId, Generation, RunId};
use vega_domain::ports::{NewAttempt, StorageCause, StorageKind, StoreError};
use vega_domain::token::StoredToken;
use vega_testing::memory_store::{Spool, Tables, TokenRow, full};
use vega_testing::{MemoryStore, Watcher};

use crate::locked::locked;

/// For so many days rows are of interest.
const DAYS_KEPT: usize = 3;

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    /// The machine does not reach the database.
    Away,
    /// Another process has the lease that this one had.
    TakenOver,
}

impl Refusal {
    fn error(self) -> StoreError {
        match self {
            Self::Full => full(),
            Self::Away => away(),
            Self::TakenOver => StoreError::TakenOver(None),
        }
    }
}

/// What a process is told that does not reach the database.
pub(crate) fn away() -> StoreError {
    StoreError::failed(
        "reach the database",
        (StorageCause::Away, StorageKind::Server),
        "no answer",
    )
}

/// Which changes the storage refuses, and how many it took.
#[derive(Default)]
pub(crate) struct Gate {
    /// Why the database takes no change, if it does not.
    pub(crate) refusal: Mutex<Option<Refusal>>,
    /// The call under way is one of those that change something, and the database takes none.
    pub(crate) is_call_refused: AtomicBool,
    pub(crate) is_spool_shut: AtomicBool,
    commits: AtomicUsize,
    spooled: AtomicUsize,
}

impl Gate {
    /// How many changes came into rows, and into the spool.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |taken: &AtomicUsize| taken.load(Ordering::Relaxed);
        (count(&self.commits), count(&self.spooled))
    }
}

impl Gate {
    fn refused(&self) -> Result<(), StoreError> {
        locked(&self.refusal).map_or(Ok(()), |refusal| Err(refusal.error()))
    }
}

impl Watcher for Gate {
    /// A call that changes nothing is refused too.
    fn asked(&self, _: &str) -> Result<(), StoreError> {
        if self.is_call_refused.load(Ordering::Relaxed) {
            return self.refused();
        }
        Ok(())
    }

    fn commits(&self, _: &str) -> Result<(), StoreError> {
        self.refused()?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn spools(&self, _: &ApiName) -> Result<(), StoreError> {
        if self.is_spool_shut.load(Ordering::Relaxed) {
            return Err(full());
        }
        self.spooled.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What was over at the end of a day.
struct Over {
    tokens: BTreeSet<(ApiName, Generation)>,
    attempts: BTreeSet<AttemptId>,
    presses: BTreeSet<AttemptId>,
    /// With its end, which is another one when the run is taken up again.
    runs: BTreeMap<RunId, Option<DateTime<Utc>>>,
}

impl Over {
    fn by_now(tables: &Tables) -> Self {
        let tokens = tables.tokens.iter().map(|row| &row.token);
        Self {
            tokens: tokens
                .map(|token| (token.api.clone(), token.generation))
                .collect(),
            attempts: tables.attempts.iter().map(|row| row.new.id).collect(),
            presses: tables.presses.iter().map(|press| press.attempt).collect(),
            runs: tables
                .runs
                .iter()
                .map(|row| (row.record.id, row.record.finished_at))
                .collect(),
        }
    }
}

/// The storage of one desk.
pub(crate) struct Disk {
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) gate: Arc<Gate>,
    /// Which process moves each run.
    pub(crate) holders: Mutex<BTreeMap<RunId, u32>>,
    /// What the tokens were whose bytes are gone.
    erased: Mutex<Vec<StoredToken>>,
    days: Mutex<VecDeque<Over>>,
    /// Those of the machines whose spool is not in the tables now.
    spools: Mutex<Spools>,
}

/// The spool of each machine. The store knows one, so that of the machine whose process calls is put into its tables.
struct Spools {
    in_tables: usize,
    kept: Vec<Spool>,
}

impl Disk {
    /// The storage of so many machines.
    pub(crate) fn of(machines: usize) -> Self {
        let gate = Arc::<Gate>::default();
        Self {
            memory: Arc::new(MemoryStore::watched_by(gate.clone())),
            gate,
            holders: Mutex::default(),
            erased: Mutex::default(),
            days: Mutex::default(),
            spools: Mutex::new(Spools {
                in_tables: 0,
                kept: vec![Spool::default(); machines],
            }),
        }
    }

    /// From now on the store has the spool of this machine.
    pub(crate) fn turn_to(&self, machine: usize) {
        let mut spools = locked(&self.spools);
        if spools.in_tables == machine {
            return;
        }
        let before = std::mem::replace(&mut spools.in_tables, machine);
        let next = std::mem::take(&mut spools.kept[machine]);
        spools.kept[before] = self
            .memory
            .edit(|tables| std::mem::replace(&mut tables.spool, next));
    }

    /// What a process of this machine can read.
    pub(crate) fn read_at<T>(&self, machine: usize, look: impl FnOnce(&Tables) -> T) -> T {
        self.turn_to(machine);
        self.read(look)
    }

    fn machines(&self) -> usize {
        locked(&self.spools).kept.len()
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        self.memory.read(look)
    }

    /// A day is over: takes out what was over before the last days; the newest token of each API stays. What rows say of
    /// their time does not count, for the clock may have been anywhere.
    pub(crate) fn forget_old(&self) {
        let mut days = locked(&self.days);
        self.memory.edit(|tables| {
            days.push_back(Over::by_now(tables));
            tables.audit.clear();
            tables.checkpoints.clear();
            if days.len() <= DAYS_KEPT {
                return;
            }
            let Some(old) = days.pop_front() else {
                return;
            };
            let newest = Newest::of(tables);
            tables.tokens.retain(|row| {
                let token = (row.token.api.clone(), row.token.generation);
                newest.is_one(&row.token) || !old.tokens.contains(&token)
            });
            tables
                .attempts
                .retain(|row| row.is_open() || !old.attempts.contains(&row.new.id));
            tables
                .presses
                .retain(|press| !old.presses.contains(&press.attempt));
            tables.runs.retain(|row| {
                let end = row.record.finished_at;
                end.is_none() || old.runs.get(&row.record.id) != Some(&end)
            });
        });
        let kept: BTreeSet<RunId> = self.read(|tables| tables.runs.iter().map(|row| row.record.id).collect());
        locked(&self.holders).retain(|run, _| kept.contains(run));
        let rows = self.read(|tables| Over::by_now(tables).tokens);
        locked(&self.erased).retain(|token| rows.contains(&(token.api.clone(), token.generation)));
    }

    /// The newest token of an API, in its row or in the spool of this machine.
    pub(crate) fn newest_token(&self, machine: usize, api: &ApiName) -> Option<TokenRow> {
        self.read_at(machine, |tables| {
            let row = tables.newest_token(api);
            let kept = tables.spool.tokens.get(api).map(|kept| &kept.new);
            match (row, kept) {
                (Some(row), Some(kept)) if row.token.generation >= kept.token.generation => Some(row.clone()),
                (_, Some(kept)) => Some(TokenRow {
                    token: kept.token.clone(),
                    extended_token: kept.extended_token.clone(),
                    attempt: kept.attempt,
                    is_erased: false,
                }),
                (row, None) => row.cloned(),
            }
        })
    }

    /// Whether a token with this text can be read, in its row or in a spool.
    pub(crate) fn has_token(&self, text: &str) -> bool {
        let is_it = |token: &StoredToken| token.access_token.expose() == text;
        (0..self.machines()).any(|machine| {
            self.read_at(machine, |tables| {
                let mut kept = tables.spool.tokens.values();
                tables.tokens.iter().any(|row| is_it(&row.token)) || kept.any(|kept| is_it(&kept.new.token))
            })
        })
    }

    /// Whether a token with this text is or was there: what is erased is not lost.
    pub(crate) fn had_token(&self, text: &str) -> bool {
        let mut erased = locked(&self.erased).clone().into_iter();
        self.has_token(text) || erased.any(|token| token.access_token.expose() == text)
    }

    /// The tokens whose bytes are there, for `note_erased`.
    pub(crate) fn before_erasure(&self) -> Vec<StoredToken> {
        self.read(|tables| {
            let rows = tables.tokens.iter().filter(|row| !row.is_erased);
            rows.map(|row| row.token.clone()).collect()
        })
    }

    /// Which of these tokens have no bytes any more.
    pub(crate) fn note_erased(&self, before: Vec<StoredToken>) {
        let gone = before
            .into_iter()
            .filter(|token| !self.has_token(token.access_token.expose()));
        locked(&self.erased).extend(gone);
    }

    /// The erased tokens that live after this by what is on record of them.
    pub(crate) fn erased_after(&self, end: DateTime<Utc>) -> Vec<StoredToken> {
        let erased = locked(&self.erased);
        erased
            .iter()
            .filter(|token| token.valid_until > end)
            .cloned()
            .collect()
    }

    pub(crate) fn attempt(&self, id: AttemptId) -> Option<NewAttempt> {
        self.read(|tables| {
            let mut rows = tables.attempts.iter();
            rows.find(|row| row.new.id == id).map(|row| row.new.clone())
        })
    }
}

/// The newest generation of each API.
struct Newest(BTreeMap<ApiName, Generation>);

impl Newest {
    fn of(tables: &Tables) -> Self {
        let mut newest = BTreeMap::new();
        for StoredToken { api, generation, .. } in tables.tokens.iter().map(|row| &row.token) {
            let known = newest.entry(api.clone()).or_insert(*generation);
            *known = (*known).max(*generation);
        }
        Self(newest)
    }

    fn is_one(&self, token: &StoredToken) -> bool {
        self.0.get(&token.api) == Some(&token.generation)
    }
}
