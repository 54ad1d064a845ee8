//! The defects around the stored tokens and the token endpoint.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::account::Api;
use vega_domain::audit::AuditEntry;
use vega_domain::event::Event;
use vega_domain::failure::Failure;
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{
    ExchangeError, LoadedToken, RecordedCheck, StoreError, TokenAnswer, TokenExchange, UpstoxTokenRepository,
};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::token::NewToken;

use super::{COMMIT_TAKES, Defective, EarlyTokens};

#[async_trait]
impl UpstoxTokenRepository for EarlyTokens {
    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        self.registry.publish(&new.token);
        let (api, generation) = (new.token.api.clone(), new.token.generation);
        self.events.emit(Event::TokenPublished { api, generation });
        tokio::time::sleep(COMMIT_TAKES).await;
        self.port.store(new, audit).await
    }

    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        self.port.load_all().await
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        self.port.newest_generation(api).await
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        self.port.owner(account).await
    }

    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        self.port.record_checks(checks).await
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.port.erase_dead(now).await
    }
}

/// `send-twice`.
#[async_trait]
impl TokenExchange for Defective<dyn TokenExchange> {
    async fn exchange(&self, api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError> {
        let answer = self.port.exchange(api, code).await;
        let _ = self.port.exchange(api, code).await;
        answer
    }

    fn read(&self, answer: &RawAnswer) -> Result<TokenAnswer, Failure> {
        self.port.read(answer)
    }
}
