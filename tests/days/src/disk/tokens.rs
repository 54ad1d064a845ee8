//! Tokens in their rows, and in the spool while the database does not take them.

use async_trait::async_trait;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{LoadedToken, StoreError, TokenCheck, UpstoxTokenRepository};
use vega_domain::token::{NewToken, StoredToken};

use super::{Done, KeptToken, Stands, Store, Tables};
use crate::locked::locked;
use crate::plants::Plant;

impl Tables {
    /// Stores a token if it is the next one of its API and its attempt waits for it.
    pub(super) fn store(&mut self, new: &NewToken, audit: &AuditEntry) -> Result<Done<()>, StoreError> {
        let before = self.newest_token(&new.token.api).map(|token| token.generation);
        if new.token.generation != Generation::after(before) {
            return Err(StoreError::Conflict("a newer token was stored first".into()));
        }
        let ended = self.ended(audit.at);
        let attempt = self.attempt(new.attempt)?;
        if !matches!(attempt.stands, Stands::CodeSealed | Stands::Answered) {
            return Err(StoreError::Conflict(
                "the attempt behind the token is not open".into(),
            ));
        }
        attempt.stands = Stands::Stored;
        attempt.ended = Some(ended);
        attempt.code = None;
        attempt.answer = None;
        self.tokens.push(new.token.clone());
        Ok(Done::with((), audit))
    }
}

#[async_trait]
impl UpstoxTokenRepository for Store {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        let world = &self.here.world;
        self.look(|_| ()).await?;
        let apis = world.accounts.iter().flat_map(|account| &account.apis);
        let newest = apis.filter_map(|api| world.disk.newest_token(&api.name));
        Ok(newest.map(Ok).collect())
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        self.look(|_| ()).await?;
        let newest = self.here.world.disk.newest_token(api);
        Ok(newest.map(|token| token.generation))
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.look(|tables| {
            let verified = tables
                .tokens
                .iter()
                .filter(|token| token.account == *account && token.verified_at.is_some());
            verified
                .max_by_key(|token| token.verified_at)
                .map(|token| token.user_id.clone())
        })
        .await
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let (api, generation) = (&new.token.api, new.token.generation);
        if self.here.is_planted(Plant::PublishBeforeCommit)
            && let Some(registry) = self.here.process.registry.get()
        {
            registry.publish(&new.token);
        }
        let what = format!("token {generation} of {api}, {}", worth(&new.token));
        let stored = self
            .commit(&what, &[AuditKind::TokenStored], |tables| {
                let done = tables.store(new, audit)?;
                self.here.world.facts(|facts| facts.settled(api));
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
        self.is_safe(new.attempt);
        world.facts(|facts| facts.settled(api));
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
            self.here.tell(&format!("notes in the spool: {what}"));
            self.here.point().await;
            return Ok(true);
        }
        self.commit(&what, &[AuditKind::TokenChecked], |tables| {
            let newest = tables.newest_token(&check.api).map(|token| token.generation);
            let mut tokens = tables.tokens.iter_mut();
            if let Some(token) =
                tokens.find(|token| token.api == check.api && token.generation == check.generation)
            {
                token.apply(check.check);
            }
            Ok(Done::with(newest == Some(check.generation), audit))
        })
        .await
    }
}

fn worth(token: &StoredToken) -> &'static str {
    match (token.verified_at, token.rejected_at) {
        (_, Some(_)) => "rejected",
        (Some(_), None) => "verified",
        (None, None) => "unverified",
    }
}
