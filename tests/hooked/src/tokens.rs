//! The stored tokens with a point around each commit.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{LoadedToken, RecordedCheck, StoreError, UpstoxTokenRepository};
use vega_domain::token::NewToken;

use super::Hooked;

#[async_trait]
impl UpstoxTokenRepository for Hooked<dyn UpstoxTokenRepository> {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        self.port.load_all().await
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        self.port.newest_generation(api).await
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.port.owner(account).await
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        self.around("token_stored", self.port.store(new, audit)).await
    }

    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        self.around("checks_recorded", self.port.record_checks(checks))
            .await
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.around("dead_erased", self.port.erase_dead(now)).await
    }
}
