//! What is stored, and what it is worth by the clock: the 03:30 IST rule of `domain::expiry` over the repository.
//! Asks nobody outside.

use std::sync::Arc;

use vega_domain::account::{Account, Api};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::ports::{Clock, ExecutionStateRepository, LoadedToken, StoreError, UpstoxTokenRepository};
use vega_domain::token::{ApiStatus, StoredToken, TokenStatus};

/// Time-based validity of the stored tokens.
pub struct TokenValidityService {
    accounts: Arc<[Account]>,
    tokens: Arc<dyn UpstoxTokenRepository>,
    runs: Arc<dyn ExecutionStateRepository>,
    clock: Arc<dyn Clock>,
}

impl TokenValidityService {
    /// Over the configured accounts.
    pub fn new(
        accounts: Arc<[Account]>,
        tokens: Arc<dyn UpstoxTokenRepository>,
        runs: Arc<dyn ExecutionStateRepository>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            accounts,
            tokens,
            runs,
            clock,
        }
    }

    /// The status of every configured API, in the configuration's order.
    pub async fn statuses(&self) -> Result<Vec<ApiStatus>, StoreError> {
        let stored = self.tokens.load_all().await?;
        let failures = self.runs.last_failures().await?;
        let now = self.clock.now();
        Ok(self
            .configured()
            .map(|(account, api)| {
                let mut status = missing(account, api);
                let failure = failures.iter().find(|(name, _, _)| *name == api.name);
                status.last_failure = failure.map(|(_, _, failure)| failure.clone());
                match current(&stored, api) {
                    None => {}
                    Some(Ok(token)) => {
                        status.status = token.status(now);
                        status.servable = token.is_servable(now);
                        status.generation = Some(token.generation);
                        status.valid_until = Some(token.valid_until);
                        status.verified_at = token.verified_at;
                        status.last_check = token.last_check;
                    }
                    Some(Err(error)) => {
                        // Whatever it is, it is no proof that the token is dead.
                        status.status = TokenStatus::Unknown;
                        status.last_failure = Some(Failure::new(FailureReason::Storage, error.to_string()));
                    }
                }
                status
            })
            .collect())
    }

    /// The status of one API. `None`: not configured.
    pub async fn status(&self, api: &ApiName) -> Result<Option<ApiStatus>, StoreError> {
        Ok(self
            .statuses()
            .await?
            .into_iter()
            .find(|status| status.api == *api))
    }

    /// The newest token of each configured API that time and Upstox left alive so far.
    pub async fn living(&self) -> Result<Vec<StoredToken>, StoreError> {
        let stored = self.tokens.load_all().await?;
        let now = self.clock.now();
        Ok(self
            .configured()
            .filter_map(|(_, api)| current(&stored, api)?.as_ref().ok())
            .filter(|token| !token.status(now).needs_sign_in())
            .cloned()
            .collect())
    }

    fn configured(&self) -> impl Iterator<Item = (&Account, &Api)> {
        self.accounts
            .iter()
            .flat_map(|account| account.apis.iter().map(move |api| (account, api)))
    }
}

/// The stored token of an API, if it was made for the app that is configured now.
fn current<'a>(stored: &'a [LoadedToken], api: &Api) -> Option<&'a Result<StoredToken, StoreError>> {
    let (_, token) = stored.iter().find(|(name, _)| *name == api.name)?;
    match token {
        Ok(token) if token.client_id != api.client_id => None,
        token => Some(token),
    }
}

fn missing(account: &Account, api: &Api) -> ApiStatus {
    ApiStatus {
        api: api.name.clone(),
        account: account.id.clone(),
        status: TokenStatus::Missing,
        servable: false,
        generation: None,
        valid_until: None,
        verified_at: None,
        last_check: None,
        last_failure: None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use vega_domain::ids::ClientId;
    use vega_domain::ports::{MockExecutionStateRepository, MockUpstoxTokenRepository};

    use super::*;
    use crate::test_world::{TestClock, account, api, at, stored};

    fn service(tokens: Vec<LoadedToken>, clock: Arc<TestClock>) -> TokenValidityService {
        let mut repository = MockUpstoxTokenRepository::new();
        let tokens = std::sync::Mutex::new(Some(tokens));
        repository
            .expect_load_all()
            .returning(move || Ok(tokens.lock().unwrap().take().unwrap_or_default()));
        let mut runs = MockExecutionStateRepository::new();
        runs.expect_last_failures().returning(|| {
            Ok(vec![(
                api("WEBSOCKET2"),
                at(-5),
                Failure::new(FailureReason::Throttled, "words"),
            )])
        });
        TokenValidityService::new(
            Arc::from([account(&[
                "PRIMARY",
                "WEBSOCKET1",
                "WEBSOCKET2",
                "WEBSOCKET3",
                "OPTIONCHAIN1",
            ])]),
            Arc::new(repository),
            Arc::new(runs),
            clock,
        )
    }

    fn tokens() -> Vec<LoadedToken> {
        let mut expired = stored("WEBSOCKET1", 4);
        expired.valid_until = at(0);
        let mut other_app = stored("WEBSOCKET3", 2);
        other_app.client_id = ClientId::new("an-earlier-app").unwrap();
        vec![
            (api("PRIMARY"), Ok(stored("PRIMARY", 1))),
            (api("WEBSOCKET1"), Ok(expired)),
            (api("WEBSOCKET3"), Ok(other_app)),
            (api("OPTIONCHAIN1"), Err(StoreError::Unreadable("moved".into()))),
            (api("REMOVED"), Ok(stored("REMOVED", 1))),
        ]
    }

    #[tokio::test]
    async fn statuses_follow_the_configuration_the_clock_and_the_store() {
        let seen = service(tokens(), TestClock::at(at(0))).statuses().await.unwrap();
        let words: Vec<_> = seen
            .iter()
            .map(|status| (status.api.as_str(), status.status))
            .collect();
        assert_eq!(
            words,
            [
                ("PRIMARY", TokenStatus::Valid),
                ("WEBSOCKET1", TokenStatus::Expired),
                ("WEBSOCKET2", TokenStatus::Missing),
                ("WEBSOCKET3", TokenStatus::Missing),
                ("OPTIONCHAIN1", TokenStatus::Unknown),
            ]
        );
        assert_eq!(
            seen[2].last_failure.as_ref().unwrap().reason,
            FailureReason::Throttled
        );
        assert_eq!(
            seen[4].last_failure.as_ref().unwrap().reason,
            FailureReason::Storage
        );
    }

    #[tokio::test]
    async fn only_living_tokens_of_configured_apps_are_verified() {
        let living = service(tokens(), TestClock::at(at(0))).living().await.unwrap();
        assert_eq!(
            living.iter().map(|token| token.api.as_str()).collect::<Vec<_>>(),
            ["PRIMARY"]
        );
        let night = at(0) + TimeDelta::days(1);
        assert!(
            service(tokens(), TestClock::at(night))
                .living()
                .await
                .unwrap()
                .is_empty()
        );
    }
}
