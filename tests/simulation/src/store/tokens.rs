//! Tokens in their rows, and in the spool while the database does not take them.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{LoadedToken, RecordedCheck, StoreError, TokenCheck, UpstoxTokenRepository};
use vega_domain::token::{NewToken, StoredToken};

use super::{Change, Effect, Store, Whose};
use crate::injected_defects::InjectedDefect;

#[async_trait]
impl UpstoxTokenRepository for Store {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        self.look(UpstoxTokenRepository::load_all(self.memory())).await
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        self.look(self.memory().newest_generation(api)).await
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.look(self.memory().owner(account)).await
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let (api, generation) = (&new.token.api, new.token.generation);
        if self.here.is_injected(InjectedDefect::PublishBeforeCommit)
            && let Some(registry) = self.here.process.registry.get()
        {
            registry.publish(&new.token);
        }
        let what = format!("token {generation} of {api}, {}", worth(&new.token));
        let world = &self.here.world;
        let call = self.memory().store(new, audit);
        self.sign_in(&what, &[AuditKind::TokenStored], call, |(), effect| {
            world.truth(|truth| truth.settled(api));
            world.token_changed(api);
            if effect == Effect::Spooled {
                self.is_safe(new.attempt);
            }
        })
        .await?;
        self.here.process.knows(api, generation);
        Ok(())
    }

    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        let told = checks.iter().map(|(check, _)| {
            let (api, generation, result) = (&check.api, check.generation, check.check.result);
            format!("check of {api} {generation}: {result:?}")
        });
        let what = told.collect::<Vec<_>>().join(", ");
        let kinds = [AuditKind::TokenChecked, AuditKind::TokensChecked];
        let call = self.memory().record_checks(checks);
        let known = checks.iter().map(|(check, _)| check);
        let known = known.filter(|check| self.has_generation(&check.api, check.generation));
        let known: Vec<&TokenCheck> = known.collect();
        let change = Change {
            what: &what,
            kinds: &kinds,
            entries: &|| self.entries_of(checks),
            whose: Whose::Anybodys,
        };
        self.change(change, call, |_, _| {
            for check in known {
                self.here.world.token_changed(&check.api);
            }
        })
        .await
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let is_early = self.here.is_injected(InjectedDefect::EraseLiving);
        let dead_by = if is_early { now + TimeDelta::hours(48) } else { now };
        let world = &self.here.world;
        let before = world.disk.before_erasure();
        let call = self.memory().erase_dead(dead_by);
        let what = "what died long ago is erased";
        self.commit(what, &[AuditKind::TokensErased], call, |_, _| {
            world.disk.note_erased(before);
            world.check_erased();
        })
        .await
    }
}

impl Store {
    /// How many entries tell of these checks: one of each that changes what is known, and one of all others. That of a token in the
    /// spool waits there.
    fn entries_of(&self, checks: &[RecordedCheck]) -> usize {
        self.read(|tables| {
            let is_kept = |check: &TokenCheck| {
                let kept = tables.spool.tokens.get(&check.api);
                kept.is_some_and(|kept| kept.new.token.generation == check.generation)
                    && !tables.is_another_in_its_row(&check.api)
            };
            let tells_more = |check: &&TokenCheck| {
                let mut rows = tables.tokens.iter();
                let row =
                    rows.find(|row| row.token.api == check.api && row.token.generation == check.generation);
                row.is_none_or(|row| row.is_erased || row.token.is_changed_by(check.check))
            };
            let in_rows = checks
                .iter()
                .map(|(check, _)| check)
                .filter(|check| !is_kept(check));
            let in_rows: Vec<&TokenCheck> = in_rows.collect();
            let changed = in_rows.iter().copied().filter(tells_more).count();
            changed + usize::from(changed < in_rows.len())
        })
    }

    /// Whether this generation is in a row or in the spool.
    fn has_generation(&self, api: &ApiName, generation: Generation) -> bool {
        let is_it = |token: &StoredToken| token.api == *api && token.generation == generation;
        self.read(|tables| {
            let mut kept = tables.spool.tokens.values();
            tables.tokens.iter().any(|row| is_it(&row.token)) || kept.any(|kept| is_it(&kept.new.token))
        })
    }
}

fn worth(token: &StoredToken) -> &'static str {
    match (token.verified_at, token.rejected_at) {
        (_, Some(_)) => "rejected",
        (Some(_), None) => "verified",
        (None, None) => "unverified",
    }
}
