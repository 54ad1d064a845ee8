//! What is durable: tables that change in commits, and the spool beside them. A commit is made whole or not at all, and a
//! process that dies at it has either made it or not. The contracts of the ports are kept as the SQLite adapters do.

mod audit;
mod changes;
mod cooldowns;
mod journal;
mod runs;
mod spool;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::Failure;
use vega_domain::ids::{ApiName, AttemptId, MobileNumber};
use vega_domain::ports::{NewAttempt, StoreError};
use vega_domain::run::RunRecord;
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::sign_in::AttemptState;
use vega_domain::token::{NewToken, StoredToken};

pub(crate) use self::changes::DiskChanges;
use crate::fault_state::Storage;
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;
use crate::process::Here;
use crate::rules::Rule;

/// For so many days rows are of interest.
const DAYS_KEPT: usize = 3;

/// When something was written: the time that was told, and its place in the order of all commits, which no clock changes
/// and no program sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ended {
    pub(crate) commit: usize,
    pub(crate) at: DateTime<Utc>,
}

#[derive(Clone)]
pub(crate) struct AttemptRow {
    /// In which commit it was opened.
    pub(crate) commit: usize,
    pub(crate) new: NewAttempt,
    pub(crate) state: AttemptState,
    pub(crate) code: Option<AuthorizationCode>,
    pub(crate) sent_at: Option<DateTime<Utc>>,
    pub(crate) answer: Option<RawAnswer>,
    pub(crate) answered_at: Option<DateTime<Utc>>,
    pub(crate) ended: Option<Ended>,
    pub(crate) failure: Option<Failure>,
}

impl AttemptRow {
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_open()
    }
}

/// A token in the database. The row stays when its bytes are erased, for its generation counts.
#[derive(Clone)]
pub(crate) struct TokenRow {
    /// In which commit it was stored.
    pub(crate) commit: usize,
    pub(crate) token: StoredToken,
    pub(crate) erased: Option<Erased>,
}

/// The bytes of a token are gone.
#[derive(Debug, Clone)]
pub(crate) struct Erased {
    /// What they were. Only the rules know it.
    pub(crate) text: String,
}

#[derive(Clone)]
pub(crate) struct PressRow {
    pub(crate) commit: usize,
    pub(crate) attempt: AttemptId,
    pub(crate) mobile: MobileNumber,
    pub(crate) at: ClockReading,
}

pub(crate) struct RunRow {
    /// In which commit it was moved last.
    pub(crate) commit: usize,
    pub(crate) record: RunRecord,
    pub(crate) updated: BTreeMap<ApiName, Ended>,
    pub(crate) resumed_at: Option<DateTime<Utc>>,
    pub(crate) cancel_requested: bool,
    /// Which process moves it.
    pub(crate) holder: u32,
}

/// What the database holds.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) tokens: Vec<TokenRow>,
    pub(crate) attempts: Vec<AttemptRow>,
    pub(crate) presses: Vec<PressRow>,
    pub(crate) runs: Vec<RunRow>,
    pub(crate) cooldowns: Vec<Cooldown>,
    pub(crate) audit: Vec<AuditEntry>,
    /// How many changes were made that must be in the audit trail.
    changes: usize,
    pub(crate) commits: usize,
    /// How many commits had been made at the end of each day.
    days: Vec<usize>,
}

impl Tables {
    /// In the commit under way.
    pub(crate) fn ended(&self, at: DateTime<Utc>) -> Ended {
        Ended {
            commit: self.commits,
            at,
        }
    }

    pub(crate) fn attempt(&mut self, id: AttemptId) -> Result<&mut AttemptRow, StoreError> {
        let found = self.attempts.iter_mut().find(|row| row.new.id == id);
        found.ok_or_else(|| StoreError::Conflict("this sign-in attempt does not exist".into()))
    }

    pub(crate) fn is_pressed(&self, id: AttemptId) -> bool {
        self.presses.iter().any(|press| press.attempt == id)
    }

    /// The sign-in for this API that ended last.
    pub(crate) fn last_ended(&self, api: &ApiName) -> Option<&AttemptRow> {
        let mut ended = self.attempts.iter().rev();
        ended.find(|row| row.new.api == *api && !row.is_open())
    }

    pub(crate) fn newest_token(&self, api: &ApiName) -> Option<&TokenRow> {
        let of_api = self.tokens.iter().filter(|row| row.token.api == *api);
        of_api.max_by_key(|row| row.token.generation)
    }
}

/// A token that the database did not take, with its entry.
pub(crate) struct KeptToken {
    pub(crate) new: NewToken,
    pub(crate) audit: AuditEntry,
}

/// An answer that the database did not take, with its entry.
#[derive(Clone)]
pub(crate) struct KeptAnswer {
    pub(crate) attempt: AttemptId,
    pub(crate) answer: RawAnswer,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) audit: AuditEntry,
}

/// The files beside the database: one place for an answer and one for a token of each API.
#[derive(Default)]
pub(crate) struct SpoolFiles {
    pub(crate) answers: BTreeMap<ApiName, KeptAnswer>,
    pub(crate) tokens: BTreeMap<ApiName, KeptToken>,
}

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) tables: Mutex<Tables>,
    pub(crate) spool: Mutex<SpoolFiles>,
    changed: watch::Sender<u64>,
}

impl Disk {
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&locked(&self.tables))
    }

    /// Counts what is changed from now on.
    fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Something durable is another than before.
    fn is_changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// A day is over: takes out what was over before the last days; the newest token of each API stays. What rows say of
    /// their time does not count, for the clock may have been anywhere.
    pub(crate) fn forget_old(&self) {
        let mut tables = locked(&self.tables);
        let tables = &mut *tables;
        tables.days.push(tables.commits);
        let first = tables.days.iter().rev().nth(DAYS_KEPT).copied().unwrap_or(0);
        let newest = |rows: &[TokenRow], token: &StoredToken| {
            let mut of_api = rows.iter().filter(|other| other.token.api == token.api);
            of_api.all(|other| other.token.generation <= token.generation)
        };
        let rows = std::mem::take(&mut tables.tokens);
        let kept = rows
            .iter()
            .filter(|row| row.commit > first || newest(&rows, &row.token));
        tables.tokens = kept.cloned().collect();
        tables.attempts.retain(|row| row.is_open() || row.commit > first);
        tables.presses.retain(|press| press.commit > first);
        tables
            .runs
            .retain(|row| row.record.finished_at.is_none() || row.commit > first);
        tables.audit.clear();
        tables.changes = 0;
    }

    /// The newest token of an API, in its row or in the spool.
    pub(crate) fn newest_token(&self, api: &ApiName) -> Option<TokenRow> {
        let row = self.read(|tables| tables.newest_token(api).cloned());
        let spool = locked(&self.spool);
        let kept = spool.tokens.get(api).map(|kept| &kept.new.token);
        match (row, kept) {
            (Some(row), Some(kept)) if row.token.generation >= kept.generation => Some(row),
            (_, Some(kept)) => Some(TokenRow {
                commit: usize::MAX,
                token: kept.clone(),
                erased: None,
            }),
            (row, None) => row,
        }
    }

    /// Whether a token with this text can be read, in its row or in the spool.
    pub(crate) fn has_token(&self, text: &str) -> bool {
        let is_it = |token: &StoredToken| token.access_token.expose() == text;
        self.read(|tables| tables.tokens.iter().any(|row| is_it(&row.token)))
            || locked(&self.spool)
                .tokens
                .values()
                .any(|kept| is_it(&kept.new.token))
    }

    /// Whether a token with this text is or was there: what is erased is not lost.
    pub(crate) fn had_token(&self, text: &str) -> bool {
        let was_it = |row: &TokenRow| row.erased.as_ref().is_some_and(|erased| erased.text == text);
        self.has_token(text) || self.read(|tables| tables.tokens.iter().any(was_it))
    }
}

/// What a commit did: the entry that tells of it, which must be of this kind; or nothing.
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) entry: Option<AuditEntry>,
}

impl<T> Done<T> {
    pub(super) fn with(value: T, entry: &AuditEntry) -> Self {
        Self {
            value,
            entry: Some(entry.clone()),
        }
    }

    pub(super) fn nothing(value: T) -> Self {
        Self { value, entry: None }
    }
}

pub(crate) fn full() -> StoreError {
    StoreError::Failed {
        doing: "write",
        source: "the disk is full".into(),
    }
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

    /// One commit. `kinds` are those of the entry that may come with it.
    pub(super) async fn commit<T>(
        &self,
        what: &str,
        kinds: &[AuditKind],
        change: impl FnOnce(&mut Tables) -> Result<Done<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let here = &self.here;
        here.point().await;
        here.rest(Duration::from_millis(3)).await;
        let faults = here.world.faults();
        if faults.storage != Storage::Works || here.world.rng.permille(faults.storm / 6) {
            here.tell(&format!("cannot commit: {what}"));
            return Err(full());
        }
        let done = {
            let mut tables = locked(&here.world.disk.tables);
            tables.commits += 1;
            let done = change(&mut tables);
            if let Ok(Done {
                entry: Some(entry), ..
            }) = &done
            {
                tables.changes += 1;
                let is_skipped =
                    here.is_injected(InjectedDefect::SkipAudit) && entry.kind == AuditKind::AttemptClosed;
                if !is_skipped {
                    tables.audit.push(entry.clone());
                }
            }
            done
        };
        match &done {
            Ok(Done { entry: None, .. }) => {}
            Ok(Done {
                entry: Some(entry), ..
            }) => {
                here.world.disk.is_changed();
                here.tell(&format!("commits {what}"));
                self.check_entry(entry, kinds);
            }
            Err(error) => here.tell(&format!("is refused: {what}: {error}")),
        }
        here.point().await;
        done.map(|done| done.value)
    }

    fn check_entry(&self, entry: &AuditEntry, kinds: &[AuditKind]) {
        self.here.world.check_text(&entry.detail);
        if !kinds.contains(&entry.kind) {
            let words = format!("{:?} was told as {:?}", kinds, entry.kind);
            self.here.broken(Rule::Unaudited, &words);
        }
        let (changes, entries) = self
            .here
            .world
            .disk
            .read(|tables| (tables.changes, tables.audit.len()));
        if changes != entries {
            self.here.broken(
                Rule::Unaudited,
                &format!("{changes} changes and {entries} entries"),
            );
        }
    }

    /// One look at the tables.
    pub(super) async fn look<T>(&self, look: impl FnOnce(&Tables) -> T) -> Result<T, StoreError> {
        let here = &self.here;
        here.stay().await;
        here.rest(Duration::from_millis(1)).await;
        if here.world.faults().storage == Storage::Fails {
            return Err(StoreError::Failed {
                doing: "read",
                source: "the disk does not answer".into(),
            });
        }
        Ok(here.world.disk.read(look))
    }
}
