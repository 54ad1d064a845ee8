//! What is stored, and what it is worth by the clock: the 03:30 IST rule of `domain::expiry` over the repository.
//! Also which of the tokens that were read a program may have. Asks nobody outside.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use vega_domain::account::{Account, Api};
use vega_domain::accounts::Accounts;
use vega_domain::expiry;
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::ids::ApiName;
use vega_domain::overview::Statuses;
use vega_domain::ports::{Clock, LastFailure, LoadedToken, RunHistory, StoreError, UpstoxTokenRepository};
use vega_domain::token::{ApiStatus, StoredToken, TokenStatus};
use vega_domain::token_kind::{TokenKind, WantedKind};

/// Time-based validity of the stored tokens.
pub struct TokenValidityService {
    accounts: Accounts,
    tokens: Arc<dyn UpstoxTokenRepository>,
    runs: Arc<dyn RunHistory>,
    clock: Arc<dyn Clock>,
}

impl TokenValidityService {
    /// Over the configured accounts.
    pub fn new(
        accounts: Accounts,
        tokens: Arc<dyn UpstoxTokenRepository>,
        runs: Arc<dyn RunHistory>,
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
        Ok(self.all_statuses().await?.apis)
    }

    /// The status of every configured API, and of the analytics tokens of the configured accounts that have one that was not revoked,
    /// each in the configuration's order.
    pub async fn all_statuses(&self) -> Result<Statuses, StoreError> {
        let stored = self.tokens.load_all().await?;
        let failures = self.runs.last_failures().await?;
        let now = self.clock.now();
        let stored = by_api(&stored);
        let mut told: HashMap<&ApiName, &LastFailure> = HashMap::new();
        for last in failures.iter().filter(|last| !is_overdue(last, now)) {
            told.entry(&last.api).or_insert(last);
        }
        let apis = self.accounts.apis().map(|(account, api)| {
            let mut status = missing(account, &api.name);
            let failure = told.get(&api.name).copied();
            status.last_failure = failure.map(|last| last.failure.clone());
            status.last_attempt = failure.and_then(|last| last.attempt);
            if let Some(loaded) = current(&stored, account, api) {
                take_in(&mut status, loaded, now);
            }
            status
        });
        let analytics = self.accounts.iter().filter_map(|account| {
            let name = ApiName::of_analytics(&account.id);
            let loaded = *stored.get(&name)?;
            let mut status = missing(account, &name);
            take_in(&mut status, loaded, now);
            // One that was taken back is wanted no more, and nothing calls for another one.
            let is_none =
                matches!(loaded, Ok(token) if token.is_revoked() || !token.is_analytics_of(account));
            (!is_none).then_some(status)
        });
        Ok(Statuses {
            apis: apis.collect(),
            analytics: analytics.collect(),
        })
    }

    /// The status of what is kept under this name. `None`: no such API is configured, or the account has no analytics token.
    pub async fn status(&self, name: &ApiName) -> Result<Option<ApiStatus>, StoreError> {
        let Statuses { apis, analytics } = self.all_statuses().await?;
        let mut statuses = apis.into_iter().chain(analytics);
        Ok(statuses.find(|status| status.api == *name))
    }

    /// The newest token of each configured API that may be alive, be it that Upstox called it dead before.
    pub async fn living(&self) -> Result<Vec<StoredToken>, StoreError> {
        Ok(self.all_living().await?.0)
    }

    /// The same, and the analytics tokens of the configured accounts.
    pub async fn all_living(&self) -> Result<(Vec<StoredToken>, Vec<StoredToken>), StoreError> {
        let stored = self.tokens.load_all().await?;
        let stored = by_api(&stored);
        let now = self.clock.now();
        let names = self.accounts.apis().map(|(_, api)| api.name.clone());
        let analytics = self.accounts.iter();
        let names = names.chain(analytics.map(|account| ApiName::of_analytics(&account.id)));
        let living = names
            .filter_map(|name| stored.get(&name)?.as_ref().ok())
            .filter(|token| self.accounts.fit(token) && token.may_live(now));
        Ok(living
            .cloned()
            .partition(|token| token.kind() == TokenKind::Trade))
    }

    /// Erases what died more than a day ago by `upstox`, Upstox's time: what is erased is gone, and this computer's clock
    /// may be set ahead at any moment.
    pub async fn erase_dead(&self, upstox: DateTime<Utc>) -> Result<u64, StoreError> {
        self.tokens.erase_dead(upstox).await
    }
}

/// Takes into a status what is stored.
fn take_in(status: &mut ApiStatus, loaded: &LoadedToken, now: DateTime<Utc>) {
    match loaded {
        Ok(token) => {
            status.status = token.status(now);
            status.servable = token.is_servable(now);
            status.generation = Some(token.generation);
            status.valid_until = Some(token.valid_until);
            status.verified_at = token.verified_at;
            status.last_check = token.last_check;
        }
        Err(unreadable) => {
            let is_erased = matches!(unreadable.error, StoreError::Erased);
            let is_changed = matches!(unreadable.error, StoreError::ChangedOutside(_));
            status.status = if is_erased || now >= unreadable.valid_until {
                TokenStatus::Expired
            } else if is_changed {
                // Whatever it was, it counts for nothing: a sign-in is the way out.
                TokenStatus::Invalid
            } else {
                // Before its time has come nobody can say that it is dead.
                TokenStatus::Unknown
            };
            status.generation = Some(unreadable.generation);
            status.valid_until = Some(unreadable.valid_until);
            if !is_erased {
                let words = unreadable.error.to_string();
                status.last_failure = Some(Failure::new(FailureReason::Unreadable, words));
            }
        }
    }
}

/// An unresolved outcome ends at 03:30 IST: by then the OTP is worth nothing, and the token that nobody has is dead. Every other failure
/// is told until a sign-in ends otherwise.
fn is_overdue(last: &LastFailure, now: DateTime<Utc>) -> bool {
    last.failure.reason.recovery_action() == RecoveryAction::AskBeforeAgain
        && last.stored < expiry::day_start(now)
}

/// The stored tokens, to be found by their APIs.
pub(crate) fn by_api(stored: &[LoadedToken]) -> HashMap<&ApiName, &LoadedToken> {
    let each = stored.iter().map(|loaded| match loaded {
        Ok(token) => (&token.api, loaded),
        Err(unreadable) => (&unreadable.api, loaded),
    });
    each.collect()
}

/// The stored token of an API, if it was made for the app and the person that are configured now.
pub(crate) fn current<'a>(
    stored: &HashMap<&ApiName, &'a LoadedToken>,
    account: &Account,
    api: &Api,
) -> Option<&'a LoadedToken> {
    let found = *stored.get(&api.name)?;
    let is_for_another = matches!(found, Ok(token) if !token.fits(account, api));
    (!is_for_another).then_some(found)
}

/// The token that a program may have at `now` where it asks for this kind for `api`, of those that were read.
pub fn servable_of(
    stored: Vec<StoredToken>,
    accounts: &Accounts,
    api: &ApiName,
    wanted: WantedKind,
    now: DateTime<Utc>,
) -> Option<StoredToken> {
    let (account, api) = accounts.find(api)?;
    let mut stored: Vec<StoredToken> = stored
        .into_iter()
        .filter(|token| accounts.fit(token) && token.is_servable(now))
        .collect();
    let mut names = wanted.names(&account.id, &api.name).into_iter();
    let place = names.find_map(|name| stored.iter().position(|token| token.api == name))?;
    Some(stored.swap_remove(place))
}

fn missing(account: &Account, name: &ApiName) -> ApiStatus {
    ApiStatus {
        api: name.clone(),
        account: account.id.clone(),
        status: TokenStatus::Missing,
        servable: false,
        generation: None,
        valid_until: None,
        verified_at: None,
        last_check: None,
        last_failure: None,
        last_attempt: None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use rstest::rstest;
    use vega_domain::ids::{ClientId, Generation, UserId};
    use vega_domain::ports::{LastFailure, MockRunHistory, MockUpstoxTokenRepository, UnreadableToken};

    use vega_domain::token::{CheckResult, LastCheck};

    use super::*;
    use crate::test_builders::{TestClock, account, api, at, stored};

    fn service(tokens: Vec<LoadedToken>, clock: Arc<TestClock>) -> TokenValidityService {
        service_after(FailureReason::Throttled, tokens, clock)
    }

    /// WEBSOCKET2's last sign-in failed so at 08:44:55 IST.
    fn service_after(
        reason: FailureReason,
        tokens: Vec<LoadedToken>,
        clock: Arc<TestClock>,
    ) -> TokenValidityService {
        let mut repository = MockUpstoxTokenRepository::new();
        let tokens = std::sync::Mutex::new(Some(tokens));
        repository
            .expect_load_all()
            .returning(move || Ok(tokens.lock().unwrap().take().unwrap_or_default()));
        let mut runs = MockRunHistory::new();
        runs.expect_last_failures().returning(move || {
            Ok(vec![LastFailure {
                api: api("WEBSOCKET2"),
                run_began: at(-6),
                stored: at(-5),
                failure: Failure::new(reason, "words"),
                attempt: None,
            }])
        });
        TokenValidityService::new(
            Accounts::from(vec![account(&[
                "PRIMARY",
                "WEBSOCKET1",
                "WEBSOCKET2",
                "WEBSOCKET3",
                "OPTIONCHAIN1",
                "OPTIONCHAIN2",
            ])]),
            Arc::new(repository),
            Arc::new(runs),
            clock,
        )
    }

    fn unreadable(name: &str, valid_until: DateTime<Utc>) -> LoadedToken {
        Err(UnreadableToken {
            api: api(name),
            generation: Generation::FIRST,
            valid_until,
            error: StoreError::Unreadable("moved".into()),
        })
    }

    fn tokens() -> Vec<LoadedToken> {
        let mut expired = stored("WEBSOCKET1", 4);
        expired.valid_until = at(0);
        let mut other_app = stored("WEBSOCKET3", 2);
        other_app.client_id = ClientId::new("an-earlier-app").unwrap();
        let mut stranger = stored("OPTIONCHAIN2", 1);
        stranger.user_id = UserId::new("ZZ9999").unwrap();
        vec![
            Ok(stored("PRIMARY", 1)),
            Ok(expired),
            Ok(other_app),
            unreadable("OPTIONCHAIN1", at(60)),
            Ok(stranger),
            Ok(stored("REMOVED", 1)),
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
                ("OPTIONCHAIN2", TokenStatus::Missing),
            ]
        );
        assert_eq!(
            seen[2].last_failure.as_ref().unwrap().reason,
            FailureReason::Throttled
        );
        assert_eq!(
            seen[4].last_failure.as_ref().unwrap().reason,
            FailureReason::Unreadable
        );
    }

    #[tokio::test]
    async fn an_unresolved_outcome_ends_at_0330_and_no_other_failure_does() {
        let before = at(0) + TimeDelta::hours(18);
        let after = at(0) + TimeDelta::hours(19);
        for &reason in FailureReason::ALL {
            let is_told = async |now| {
                let service = service_after(reason, Vec::new(), TestClock::at(now));
                service.statuses().await.unwrap()[2].last_failure.is_some()
            };
            assert!(is_told(before).await, "{reason}");
            let is_unresolved = reason.recovery_action() == RecoveryAction::AskBeforeAgain;
            assert_eq!(is_told(after).await, !is_unresolved, "{reason}");
        }
    }

    #[tokio::test]
    async fn an_unreadable_token_dies_by_time_like_any_other() {
        let seen = service(vec![unreadable("PRIMARY", at(0))], TestClock::at(at(0)))
            .statuses()
            .await
            .unwrap();
        assert_eq!(
            seen[0].status,
            TokenStatus::Expired,
            "a new sign-in is the way out"
        );
    }

    /// Not even with a clock that was set back: its bytes are gone.
    #[tokio::test]
    async fn an_erased_token_is_expired_and_nothing_is_wrong_with_it() {
        let erased = Err(UnreadableToken {
            api: api("PRIMARY"),
            generation: Generation::FIRST,
            valid_until: at(60),
            error: StoreError::Erased,
        });
        let seen = service(vec![erased], TestClock::at(at(0)))
            .statuses()
            .await
            .unwrap();
        assert_eq!(seen[0].status, TokenStatus::Expired);
        assert_eq!(seen[0].generation, Some(Generation::FIRST));
        assert_eq!(seen[0].last_failure, None);
    }

    /// One refusal may have been a mistake; the operator's word is none.
    #[tokio::test]
    async fn what_upstox_called_dead_is_asked_about_again_and_nothing_that_was_revoked() {
        let checked = |name, result| {
            let mut token = stored(name, 1);
            token.apply(LastCheck { at: at(-5), result });
            Ok(token)
        };
        let tokens = vec![
            checked("PRIMARY", CheckResult::Invalid),
            checked("WEBSOCKET1", CheckResult::Revoked),
            checked("WEBSOCKET2", CheckResult::Unknown(FailureReason::StaticIp)),
        ];
        let service = service(tokens, TestClock::at(at(0)));
        let living = service.living().await.unwrap();
        let names: Vec<_> = living.iter().map(|token| token.api.as_str()).collect();
        assert_eq!(names, ["PRIMARY", "WEBSOCKET2"]);
    }

    /// Whoever took it back wants none, and is not called for another one.
    #[rstest]
    #[case::good(CheckResult::Valid, Some(TokenStatus::Valid))]
    #[case::refused_by_upstox(CheckResult::Invalid, Some(TokenStatus::Invalid))]
    #[case::taken_back(CheckResult::Revoked, None)]
    #[tokio::test]
    async fn an_analytics_token_that_was_revoked_is_none(
        #[case] result: CheckResult,
        #[case] told: Option<TokenStatus>,
    ) {
        let name = ApiName::of_analytics(&account(&["PRIMARY"]).id);
        let mut token = stored("PRIMARY", 1);
        token.api = name.clone();
        token.apply(LastCheck { at: at(-5), result });
        let service = service(vec![Ok(token)], TestClock::at(at(0)));
        let status = service.status(&name).await.unwrap();
        assert_eq!(status.map(|status| status.status), told);
    }

    #[rstest]
    #[case::as_configured("PRIMARY", 0, true)]
    #[case::before_its_last_minute("PRIMARY", 67_439, true)]
    #[case::in_its_last_minute("PRIMARY", 67_440, false)]
    #[case::dead_by_time("WEBSOCKET1", 0, false)]
    #[case::of_another_app("WEBSOCKET3", 0, false)]
    #[case::of_another_person("OPTIONCHAIN2", 0, false)]
    #[case::of_no_configured_api("REMOVED", 0, false)]
    fn a_program_gets_what_was_read_only_if_it_may_have_it(
        #[case] name: &str,
        #[case] seconds: i64,
        #[case] is_given: bool,
    ) {
        let names = ["PRIMARY", "WEBSOCKET1", "WEBSOCKET3", "OPTIONCHAIN2"];
        let accounts = Accounts::from(vec![account(&names)]);
        let read = tokens().into_iter().flatten().collect();
        let given = servable_of(read, &accounts, &api(name), WantedKind::Trade, at(seconds));
        assert_eq!(given.map(|token| token.api), is_given.then(|| api(name)));
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
