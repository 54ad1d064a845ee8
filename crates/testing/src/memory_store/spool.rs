//! The spool: keeps an answer and a token of each API that has room there while commits fail, shows them to readers, and
//! moves them into the tables.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::{StoreError, TokenCheck, TokenSpool};
use vega_domain::token::CheckResult;

use super::store::{MemoryStore, full};
use super::tables::{KeptToken, Spool, Tables};

impl KeptToken {
    fn check(&mut self, check: &TokenCheck, audit: &AuditEntry) {
        let is_refusal = matches!(check.check.result, CheckResult::Invalid | CheckResult::Revoked);
        let was_revoked = self.new.token.is_revoked();
        self.new.token.apply(check.check);
        if is_refusal && !was_revoked {
            self.rejection = Some((check.clone(), audit.clone()));
        }
    }
}

impl Spool {
    /// This generation of an API's token, if it is here.
    fn token(&mut self, api: &ApiName, generation: Generation) -> Option<&mut KeptToken> {
        let kept = self.tokens.get_mut(api);
        kept.filter(|kept| kept.new.token.generation == generation)
    }
}

impl Tables {
    /// Whether a token that is not the kept one has its place, or a later one: another machine may have made one of the same number.
    pub fn is_another_in_its_row(&self, api: &ApiName) -> bool {
        let kept = self.spool.tokens.get(api).map(|kept| &kept.new.token);
        let rows = self.tokens.iter().filter(|row| row.token.api == *api);
        let newest = rows.map(|row| &row.token).max_by_key(|token| token.generation);
        let (Some(kept), Some(row)) = (kept, newest) else {
            return false;
        };
        row.generation >= kept.generation && row.access_token.expose() != kept.access_token.expose()
    }
}

impl MemoryStore {
    /// What a commit did not take goes into the spool, where there is room for it.
    pub(super) fn or_kept(
        &self,
        taken: Result<(), StoreError>,
        api: &ApiName,
        keep: impl FnOnce(&mut Spool),
    ) -> Result<(), StoreError> {
        let Err(error @ (StoreError::Failed { .. } | StoreError::TakenOver(_))) = taken else {
            return taken;
        };
        let mut tables = self.tables();
        if !tables.spool.rooms.contains(api) || self.watcher.spools(api).is_err() {
            return Err(match error {
                StoreError::TakenOver(_) => full(),
                error => error,
            });
        }
        keep(&mut tables.spool);
        self.is_changed();
        Ok(())
    }

    /// Notes a check of a token that is in the spool, and says whether it is there.
    pub(super) fn is_checked_in_spool(&self, check: &TokenCheck, audit: &AuditEntry) -> bool {
        let mut tables = self.tables();
        if tables.is_another_in_its_row(&check.api) {
            return false;
        }
        let kept = tables.spool.token(&check.api, check.generation);
        let is_there = kept.map(|kept| kept.check(check, audit)).is_some();
        if is_there {
            self.is_changed();
        }
        is_there
    }
}

/// A conflict says that the tables know better by now.
fn is_moved(taken: Result<(), StoreError>) -> Result<bool, StoreError> {
    match taken {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One thing in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The answer for this API.
    Answer(ApiName),
    /// Its token.
    Token(ApiName),
}

impl Kept {
    /// What it is of.
    pub fn api(&self) -> &ApiName {
        match self {
            Self::Answer(api) | Self::Token(api) => api,
        }
    }
}

/// The steps of an import, between which a process may die: into its row, its rejection too, and out of the spool.
impl MemoryStore {
    /// What is to be moved, answers first.
    pub fn kept(&self) -> Vec<Kept> {
        self.read(|tables| {
            let answers = tables.spool.answers.keys().cloned().map(Kept::Answer);
            let tokens = tables.spool.tokens.keys().cloned().map(Kept::Token);
            answers.chain(tokens).collect()
        })
    }

    /// Moves one thing into its row, and says whether it was moved: the tables may know better by now.
    pub fn take_in(&self, kept: &Kept, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let spool = self.tables().spool.clone();
        match kept {
            Kept::Answer(api) => {
                let Some(kept) = spool.answers.get(api) else {
                    return Ok(false);
                };
                let audit = AuditEntry {
                    at,
                    ..kept.audit.clone()
                };
                is_moved(self.commit(&format!("import answer {api}"), |tables| {
                    tables.seal_answer(kept.attempt, &kept.answer, kept.received_at, &audit)
                }))
            }
            Kept::Token(api) => {
                let Some(kept) = spool.tokens.get(api) else {
                    return Ok(false);
                };
                let audit = AuditEntry {
                    at,
                    ..kept.audit.clone()
                };
                is_moved(self.commit(&format!("import token {api}"), |tables| {
                    tables.store(&kept.new, &audit)
                }))
            }
        }
    }

    /// Notes in its row the check that rejected a token while it was kept, if there was one.
    pub fn take_in_rejection(&self, kept: &Kept, at: DateTime<Utc>) -> Result<(), StoreError> {
        let rejection = self.read(|tables| {
            if tables.is_another_in_its_row(kept.api()) {
                return None;
            }
            let kept = tables.spool.tokens.get(kept.api());
            kept.and_then(|kept| kept.rejection.clone())
        });
        let (Some((check, audit)), Kept::Token(_)) = (rejection, kept) else {
            return Ok(());
        };
        self.check_in_rows(&[(check, AuditEntry { at, ..audit })])
            .map(drop)
    }

    /// Removes what was moved.
    pub fn remove(&self, kept: &Kept) {
        let mut tables = self.tables();
        match kept {
            Kept::Answer(api) => drop(tables.spool.answers.remove(api)),
            Kept::Token(api) => drop(tables.spool.tokens.remove(api)),
        }
        self.is_changed();
    }
}

#[async_trait]
impl TokenSpool for MemoryStore {
    async fn prepare(&self, apis: &[ApiName]) -> Result<(), StoreError> {
        for api in apis {
            self.watcher.asked(&format!("prepare {api}"))?;
            self.tables().spool.rooms.insert(api.clone());
        }
        Ok(())
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.watcher.asked("is_empty")?;
        Ok(self.kept().is_empty())
    }

    async fn import(&self, at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError> {
        self.watcher.asked("import")?;
        let mut moved = Vec::new();
        for kept in self.kept() {
            if self.take_in(&kept, at)? {
                moved.push(kept.api().clone());
            }
            self.take_in_rejection(&kept, at)?;
            self.remove(&kept);
        }
        moved.dedup();
        Ok(moved)
    }
}
