//! Tokens in their rows, and in the spool while the database does not take them.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{LoadedToken, StoreError, TokenCheck, UpstoxTokenRepository};
use vega_domain::token::{NewToken, StoredToken};

use super::{Effect, Store};
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
        self.commit(&what, &[AuditKind::TokenStored], call, |(), effect| {
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

    async fn record_check(&self, check: &TokenCheck, audit: &AuditEntry) -> Result<bool, StoreError> {
        let api = &check.api;
        let what = format!("check of {api} {}: {:?}", check.generation, check.check.result);
        let call = self.memory().record_check(check, audit);
        let is_known = self.has_generation(api, check.generation);
        self.commit(&what, &[AuditKind::TokenChecked], call, |_, _| {
            if is_known {
                self.here.world.token_changed(api);
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
    /// Whether this generation is in a row or in the spool.
    fn has_generation(&self, api: &ApiName, generation: Generation) -> bool {
        let is_it = |token: &StoredToken| token.api == *api && token.generation == generation;
        self.here.world.disk.read(|tables| {
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
