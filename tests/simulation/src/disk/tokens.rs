//! Tokens in their rows, and in the spool while the database does not take them.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{LoadedToken, StoreError, TokenCheck, UnreadableToken, UpstoxTokenRepository};
use vega_domain::secret::AccessToken;
use vega_domain::sign_in::AttemptState;
use vega_domain::token::{NewToken, StoredToken};

use super::audit::{Subject, about};
use super::{AttemptRow, Done, Erased, KeptToken, Store, Tables, TokenRow};
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;

/// How long a token is kept after its end, and an answer after the end of what it may have brought.
const KEPT: TimeDelta = TimeDelta::hours(24);
const LONGEST_LIFE: TimeDelta = TimeDelta::hours(24);

impl Tables {
    /// Stores a token if it is the next one of its API and its attempt waits for it.
    pub(super) fn store(&mut self, new: &NewToken, audit: &AuditEntry) -> Result<Done<()>, StoreError> {
        let before = self.newest_token(&new.token.api).map(|row| row.token.generation);
        if new.token.generation != Generation::after(before) {
            return Err(StoreError::Conflict("a newer token was stored first".into()));
        }
        let ended = self.ended(audit.at);
        let attempt = self.attempt(new.attempt)?;
        if !matches!(attempt.state, AttemptState::CodeSealed | AttemptState::Answered) {
            return Err(StoreError::Conflict(
                "the attempt behind the token is not open".into(),
            ));
        }
        attempt.state = AttemptState::Stored;
        attempt.ended = Some(ended);
        attempt.code = None;
        attempt.answer = None;
        self.tokens.push(TokenRow {
            commit: self.commits,
            token: new.token.clone(),
            erased: None,
        });
        Ok(Done::with(
            (),
            &about(audit, &Subject::Token(&new.token.access_token)),
        ))
    }

    /// Erases what died a day before `now`, and names it.
    fn erase_dead(&mut self, now: DateTime<Utc>) -> Vec<String> {
        let mut names = Vec::new();
        let is_dead = |row: &&mut TokenRow| row.erased.is_none() && row.token.valid_until < now - KEPT;
        for row in self.tokens.iter_mut().filter(is_dead) {
            let gone = std::mem::replace(&mut row.token.access_token, AccessToken::new(""));
            row.erased = Some(Erased {
                text: gone.expose().to_owned(),
            });
            names.push(format!("token {} {}", row.token.api, row.token.generation));
        }
        let is_old = |row: &&mut AttemptRow| {
            let came = row.answered_at.is_some_and(|at| at < now - LONGEST_LIFE - KEPT);
            !row.is_open() && row.answer.is_some() && came
        };
        for row in self.attempts.iter_mut().filter(is_old) {
            row.answer = None;
            names.push(format!("answer {} {}", row.new.api, row.new.generation));
        }
        names
    }
}

fn loaded(row: TokenRow) -> LoadedToken {
    match row.erased {
        None => Ok(row.token),
        Some(_) => Err(UnreadableToken {
            api: row.token.api,
            generation: row.token.generation,
            valid_until: row.token.valid_until,
            error: StoreError::Erased,
        }),
    }
}

#[async_trait]
impl UpstoxTokenRepository for Store {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        let world = &self.here.world;
        self.look(|_| ()).await?;
        let apis = world.accounts.apis();
        let newest = apis.filter_map(|(_, api)| world.disk.newest_token(&api.name));
        Ok(newest.map(loaded).collect())
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        self.look(|_| ()).await?;
        let newest = self.here.world.disk.newest_token(api);
        Ok(newest.map(|row| row.token.generation))
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.look(|tables| {
            let stored = tables.tokens.iter().map(|row| &row.token);
            let verified = stored.filter(|token| token.account == *account && token.verified_at.is_some());
            verified
                .max_by_key(|token| token.verified_at)
                .map(|token| token.user_id.clone())
        })
        .await
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let (api, generation) = (&new.token.api, new.token.generation);
        if self.here.is_injected(InjectedDefect::PublishBeforeCommit)
            && let Some(registry) = self.here.process.registry.get()
        {
            registry.publish(&new.token);
        }
        let what = format!("token {generation} of {api}, {}", worth(&new.token));
        let stored = self
            .commit(&what, &[AuditKind::TokenStored], |tables| {
                let done = tables.store(new, audit)?;
                self.here.world.truth(|truth| truth.settled(api));
                self.here.world.token_changed(api);
                Ok(done)
            })
            .await;
        let error = match stored {
            Err(error @ StoreError::Failed { .. }) => error,
            Ok(()) => {
                self.here.process.knows(api, generation);
                return Ok(());
            }
            refused => return refused,
        };
        let kept = KeptToken {
            new: new.clone(),
            audit: audit.clone(),
        };
        if !self.spool_takes(&format!("token {generation} of {api}")) {
            return Err(error);
        }
        let world = &self.here.world;
        locked(&world.disk.spool).tokens.insert(api.clone(), kept);
        world.token_changed(api);
        world.disk.is_changed();
        self.is_safe(new.attempt);
        world.truth(|truth| truth.settled(api));
        self.here.point().await;
        self.here.process.knows(api, generation);
        Ok(())
    }

    async fn record_check(&self, check: &TokenCheck, audit: &AuditEntry) -> Result<bool, StoreError> {
        let what = format!(
            "check of {} {}: {:?}",
            check.api, check.generation, check.check.result
        );
        let is_kept = {
            let mut spool = locked(&self.here.world.disk.spool);
            let kept = spool.tokens.get_mut(&check.api);
            let kept = kept.filter(|kept| kept.new.token.generation == check.generation);
            kept.map(|kept| kept.new.token.apply(check.check)).is_some()
        };
        if is_kept {
            self.here.world.token_changed(&check.api);
            self.here.world.disk.is_changed();
            self.here.tell(&format!("notes in the spool: {what}"));
            self.here.point().await;
            return Ok(true);
        }
        self.commit(&what, &[AuditKind::TokenChecked], |tables| {
            let newest = tables.newest_token(&check.api).map(|row| row.token.generation);
            let is_newest = newest == Some(check.generation);
            let mut rows = tables.tokens.iter_mut();
            let checked =
                rows.find(|row| row.token.api == check.api && row.token.generation == check.generation);
            let Some(row) = checked else {
                return Ok(Done::with(is_newest, audit));
            };
            row.token.apply(check.check);
            self.here.world.token_changed(&check.api);
            if row.erased.is_some() {
                return Ok(Done::with(is_newest, audit));
            }
            let entry = about(audit, &Subject::Token(&row.token.access_token));
            Ok(Done::with(is_newest, &entry))
        })
        .await
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let is_early = self.here.is_injected(InjectedDefect::EraseLiving);
        let dead_by = if is_early { now + KEPT * 2 } else { now };
        let world = &self.here.world;
        let erased = self
            .commit(
                "what died long ago is erased",
                &[AuditKind::TokensErased],
                |tables| {
                    let names = tables.erase_dead(dead_by);
                    if names.is_empty() {
                        return Ok(Done::nothing(0));
                    }
                    let entry = AuditEntry::new(now, AuditKind::TokensErased, names.join(", "));
                    Ok(Done::with(names.len() as u64, &entry))
                },
            )
            .await?;
        world.check_erased();
        Ok(erased)
    }
}

fn worth(token: &StoredToken) -> &'static str {
    match (token.verified_at, token.rejected_at) {
        (_, Some(_)) => "rejected",
        (Some(_), None) => "verified",
        (None, None) => "unverified",
    }
}
