//! Tokens in the database, with the spool as fallback while the database takes no writes. Readers get the newer of both.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::event::Event;
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{
    EventSink, LoadedToken, RecordedCheck, StoreError, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::token::{CheckResult, NewToken};

use crate::audit::latest_changes::Marks;
use crate::spool::import::FileTokenSpool;
use crate::spool::records::{KeptToken, is_same, put_kept};

/// Tokens in rows, with the knowledge of which are revoked, also for copies outside the rows.
#[async_trait]
pub(crate) trait TokenRows: UpstoxTokenRepository {
    /// The list of latest changes, if the database as a whole is trusted.
    async fn marks(&self) -> Result<Option<Arc<Marks>>, StoreError>;
}

/// `UpstoxTokenRepository` over the database and the spool.
pub struct SpoolingTokenRepository {
    database: Arc<dyn TokenRows>,
    spool: FileTokenSpool,
    events: Arc<dyn EventSink>,
}

impl SpoolingTokenRepository {
    /// Reports to `events` what goes into the spool.
    pub(crate) fn over(
        database: Arc<dyn TokenRows>,
        spool: FileTokenSpool,
        events: Arc<dyn EventSink>,
    ) -> Self {
        Self {
            database,
            spool,
            events,
        }
    }

    /// The kept tokens that the database does not know yet.
    async fn kept(&self) -> Result<Vec<NewToken>, StoreError> {
        let kept = self.spool.tokens().await?;
        kept.iter().map(KeptToken::token).collect()
    }

    /// Those whose place no row has taken meanwhile: another machine may have made a token of the same generation.
    async fn kept_as_newest(&self) -> Result<Vec<KeptToken>, StoreError> {
        let mut newest = Vec::new();
        let kept = self.spool.tokens().await?;
        if kept.is_empty() {
            return Ok(newest);
        }
        // A database that does not answer has taken no place.
        let rows = self.database.load_all().await.unwrap_or_default();
        for kept in kept {
            let token = kept.token()?.token;
            let mut rows = rows.iter().filter_map(|row| row.as_ref().ok());
            let row = rows.find(|row| row.api == token.api);
            if row.is_none_or(|row| row.generation < token.generation || is_same(row, &token)) {
                newest.push(kept);
            }
        }
        Ok(newest)
    }

    async fn revoked_in_database(&self, check: &TokenCheck, audit: &AuditEntry) -> bool {
        match self
            .database
            .record_checks(&[(check.clone(), audit.clone())])
            .await
        {
            Ok(_) => true,
            Err(error) => {
                let (api, generation) = (&check.api, check.generation);
                tracing::error!(%api, %generation, %error, "a revocation is in the spool alone until the database takes it");
                false
            }
        }
    }
}

#[async_trait]
impl UpstoxTokenRepository for SpoolingTokenRepository {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        // First the spool: what moves into the database meanwhile is then found in both, and never in neither.
        let kept = self.kept().await?;
        let mut loaded = self.database.load_all().await?;
        if !kept.is_empty()
            && let Some(marks) = self.database.marks().await?
        {
            for kept in kept {
                put_kept(&mut loaded, marks.as_revoked(kept));
            }
        }
        Ok(loaded)
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        let kept = self.kept().await?;
        let stored = self.database.newest_generation(api).await?;
        let kept = kept
            .iter()
            .filter(|kept| kept.token.api == *api)
            .map(|kept| kept.token.generation);
        Ok(stored.max(kept.max()))
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.database.owner(account).await
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let error = match self.database.store(new, audit).await {
            Err(
                error @ (StoreError::Failed { .. } | StoreError::NotAccepted(_) | StoreError::TakenOver(_)),
            ) => error,
            stored => return stored,
        };
        let api = new.token.api.clone();
        if let Err(spool) = self.spool.keep_token(KeptToken::of(new, audit)).await {
            tracing::error!(%api, %error, %spool, "neither the database nor the spool took a token");
            return Err(error);
        }
        let why = error.to_string();
        tracing::error!(%api, why, "the database did not take a token; it is in the spool");
        self.events.emit(Event::KeptInSpool { api, why });
        Ok(())
    }

    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        let kept = self.kept_as_newest().await?;
        let of = |check: &TokenCheck| kept.iter().find(|kept| kept.is(&check.api, check.generation));
        let (in_spool, in_rows): (Vec<_>, Vec<_>) =
            checks.iter().cloned().partition(|(check, _)| of(check).is_some());
        for (check, audit) in &in_spool {
            let Some(kept) = of(check) else { continue };
            // It is in no row yet: what was found goes with it. A revocation is also on record where nobody puts an earlier
            // file in the place of a later one.
            let is_on_record =
                check.check.result == CheckResult::Revoked && self.revoked_in_database(check, audit).await;
            self.spool
                .keep_token(kept.checked(check.check, audit, is_on_record)?)
                .await?;
        }
        if in_rows.is_empty() {
            return Ok(vec![true; checks.len()]);
        }
        let mut stored = self.database.record_checks(&in_rows).await?.into_iter();
        let is_newest = |(check, _): &RecordedCheck| of(check).is_some() || stored.next().unwrap_or_default();
        Ok(checks.iter().map(is_newest).collect())
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.database.erase_dead(now).await
    }
}
