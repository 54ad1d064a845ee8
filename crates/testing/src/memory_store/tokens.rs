//! Tokens. A row outlives its token's bytes, for its generation counts.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{
    LeftAnswer, LoadedToken, RecordedCheck, StoreError, TokenAdoption, UnreadableToken,
    UpstoxTokenRepository, entry_for_unchanged,
};
use vega_domain::secret::AccessToken;
use vega_domain::sign_in::AttemptState;
use vega_domain::token::{NewToken, StoredToken};

use super::audit::{Subject, about};
use super::store::{Done, MemoryStore, conflict};
use super::tables::{AttemptRow, KeptToken, Tables, TokenRow};

/// How long a token is kept after its end, and an answer after the end of what it may have brought.
const KEPT: TimeDelta = TimeDelta::hours(24);
const LONGEST_LIFE: TimeDelta = TimeDelta::hours(24);
/// Upstox says that an extended token lives for a year.
const EXTENDED_LIFE: TimeDelta = TimeDelta::days(366);

impl TokenRow {
    fn loaded(self) -> LoadedToken {
        if self.is_erased {
            return Err(UnreadableToken {
                api: self.token.api,
                generation: self.token.generation,
                valid_until: self.token.valid_until,
                error: StoreError::Erased,
            });
        }
        Ok(self.token)
    }
}

impl Tables {
    /// The newest row of an API, whether its bytes are there or not.
    pub fn newest_token(&self, api: &ApiName) -> Option<&TokenRow> {
        let of_api = self.tokens.iter().filter(|row| row.token.api == *api);
        of_api.max_by_key(|row| row.token.generation)
    }

    /// What readers get: the newer of what the rows and the spool have of each API.
    fn newest_tokens(&self) -> Vec<LoadedToken> {
        let rows = self.tokens.iter().map(|row| &row.token.api);
        let apis: BTreeSet<&ApiName> = rows.chain(self.spool.tokens.keys()).collect();
        let newest = apis.into_iter().filter_map(|api| {
            let row = self.newest_token(api);
            let kept = self.spool.tokens.get(api).map(|kept| &kept.new.token);
            match row.filter(|row| kept.is_none_or(|kept| row.token.generation >= kept.generation)) {
                Some(row) => Some(row.clone().loaded()),
                None => kept.cloned().map(Ok),
            }
        });
        newest.collect()
    }

    fn newest_generation(&self, api: &ApiName) -> Option<Generation> {
        let row = self.newest_token(api).map(|row| row.token.generation);
        let kept = self.spool.tokens.get(api);
        row.max(kept.map(|kept| kept.new.token.generation))
    }

    /// Stores a token if it is the next one of its API and its attempt waits for it.
    pub(super) fn store(&mut self, new: &NewToken, audit: &AuditEntry) -> Result<Done<()>, StoreError> {
        let before = self.newest_token(&new.token.api).map(|row| row.token.generation);
        if new.token.generation != Generation::after(before) {
            return conflict("a newer token was stored first");
        }
        let is_late_and_welcome = self.is_unknown_and_newest(new.attempt);
        let attempt = self.attempt(new.attempt)?;
        let is_open = matches!(attempt.state, AttemptState::CodeSealed | AttemptState::Answered);
        if !is_open && !is_late_and_welcome {
            return conflict("the attempt behind the token is not open");
        }
        attempt.failure = None;
        attempt.state = AttemptState::Stored;
        attempt.ended_at = Some(audit.at);
        attempt.code = None;
        attempt.answer = LeftAnswer::None;
        self.tokens.push(TokenRow {
            token: new.token.clone(),
            extended_token: new.extended_token.clone(),
            attempt: new.attempt,
            is_erased: false,
        });
        let subject = Subject::Token(&new.token.access_token);
        Ok(Done::with((), &about(audit, &subject)))
    }

    /// Erases what died a day before `now`, and names it.
    fn erase_dead(&mut self, now: DateTime<Utc>) -> Vec<String> {
        let mut names = Vec::new();
        let is_dead = |row: &&mut TokenRow| !row.is_erased && row.token.valid_until < now - KEPT;
        for row in self.tokens.iter_mut().filter(is_dead) {
            row.token.access_token = AccessToken::new("");
            row.is_erased = true;
            names.push(format!("token {} {}", row.token.api, row.token.generation));
        }
        let extended: Vec<(ApiName, Generation)> = self
            .tokens
            .iter()
            .filter(|row| row.extended_token.is_some())
            .map(|row| (row.token.api.clone(), row.token.generation))
            .collect();
        let is_replaced = |token: &StoredToken| {
            let mut extended = extended.iter();
            extended.any(|(api, generation)| *api == token.api && *generation > token.generation)
        };
        let is_over = |row: &&mut TokenRow| {
            let is_old = row.token.issued_at < now - EXTENDED_LIFE - KEPT;
            row.is_erased && row.extended_token.is_some() && (is_old || is_replaced(&row.token))
        };
        for row in self.tokens.iter_mut().filter(is_over) {
            row.extended_token = None;
            names.push(format!(
                "extended token {} {}",
                row.token.api, row.token.generation
            ));
        }
        let is_old = |row: &&mut AttemptRow| {
            let came = row.answered_at.is_some_and(|at| at < now - LONGEST_LIFE - KEPT);
            !row.is_open() && !matches!(row.answer, LeftAnswer::None) && came
        };
        for row in self.attempts.iter_mut().filter(is_old) {
            row.answer = LeftAnswer::None;
            names.push(format!("answer {} {}", row.new.api, row.new.generation));
        }
        names
    }
}

impl Tables {
    /// Applies a check to its row, and tells whether it changed what is known and which entry tells of it.
    fn check(&mut self, (check, audit): &RecordedCheck) -> (bool, AuditEntry) {
        let is_it =
            |row: &&mut TokenRow| row.token.api == check.api && row.token.generation == check.generation;
        let Some(row) = self.tokens.iter_mut().find(is_it) else {
            return (true, audit.clone());
        };
        let is_changed = row.is_erased || row.token.is_changed_by(check.check);
        row.token.apply(check.check);
        if row.is_erased {
            return (is_changed, audit.clone());
        }
        (is_changed, about(audit, &Subject::Token(&row.token.access_token)))
    }
}

impl MemoryStore {
    /// Notes checks in their rows, and says of each whether that is the newest of its API.
    pub(super) fn check_in_rows(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        let names: Vec<&str> = checks.iter().map(|(check, _)| check.api.as_str()).collect();
        self.commit(&format!("record_checks {}", names.join(" ")), |tables| {
            let (mut newest, mut entries, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
            for recorded in checks {
                let check = &recorded.0;
                let of_api = tables.newest_token(&check.api).map(|row| row.token.generation);
                newest.push(of_api == Some(check.generation));
                match tables.check(recorded) {
                    (true, entry) => entries.push(entry),
                    (false, entry) => unchanged.push((check.clone(), entry)),
                }
            }
            entries.extend(entry_for_unchanged(&unchanged.iter().collect::<Vec<_>>()));
            Ok(Done::with_all(newest, entries))
        })
    }
}

#[async_trait]
impl TokenAdoption for MemoryStore {
    async fn adopt(&self, token: &StoredToken, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("adopt {}", token.api), |tables| {
            let mut attempts = tables.attempts.iter();
            if attempts.any(|row| row.is_open() && row.new.api == token.api) {
                return conflict("a sign-in is open");
            }
            let before = tables.newest_token(&token.api).map(|row| row.token.generation);
            if token.generation != Generation::after(before) {
                return conflict("another token was stored first");
            }
            tables.tokens.push(TokenRow::put(token.clone()));
            let subject = Subject::Token(&token.access_token);
            Ok(Done::with((), &about(audit, &subject)))
        })
    }
}

#[async_trait]
impl UpstoxTokenRepository for MemoryStore {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        self.look("tokens", Tables::newest_tokens)
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        self.look("newest_generation", |tables| tables.newest_generation(api))
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.look("owner", |tables| {
            let stored = tables.tokens.iter().map(|row| &row.token);
            let of_account = stored.filter(|token| token.account == *account && !token.api.is_of_analytics());
            let verified = of_account.filter(|token| token.verified_at.is_some());
            verified
                .max_by_key(|token| token.verified_at)
                .map(|token| token.user_id.clone())
        })
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let api = &new.token.api;
        let taken = self.commit(&format!("store {api}"), |tables| {
            let done = tables.store(new, audit)?;
            self.watcher.stores(&new.token);
            Ok(done)
        });
        self.or_kept(taken, api, |spool| {
            let kept = KeptToken {
                new: new.clone(),
                audit: audit.clone(),
                rejection: None,
            };
            spool.tokens.insert(api.clone(), kept);
        })
    }

    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        let is_in_spool: Vec<bool> = checks
            .iter()
            .map(|(check, audit)| self.is_checked_in_spool(check, audit))
            .collect();
        let in_rows = checks
            .iter()
            .zip(&is_in_spool)
            .filter(|(_, in_spool)| !**in_spool);
        let in_rows: Vec<RecordedCheck> = in_rows.map(|(recorded, _)| recorded.clone()).collect();
        let stored = if in_rows.is_empty() {
            Vec::new()
        } else {
            self.check_in_rows(&in_rows)?
        };
        let mut stored = stored.into_iter();
        let is_newest = |in_spool| in_spool || stored.next().unwrap_or_default();
        Ok(is_in_spool.into_iter().map(is_newest).collect())
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.commit("erase_dead", |tables| {
            let names = tables.erase_dead(now);
            if names.is_empty() {
                return Ok(Done::nothing(0));
            }
            let entry = AuditEntry::new(now, AuditKind::TokensErased, names.join(", "));
            Ok(Done::with(names.len() as u64, &entry))
        })
    }
}
