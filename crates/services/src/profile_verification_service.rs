//! Asks Upstox about stored tokens, a few at a time. Each answer is recorded as it comes; a dead token leaves the hot
//! registry in the same step, a proven one enters it.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::event::Event;
use vega_domain::failure::FailureReason;
use vega_domain::ports::{
    Clock, EventSink, ProfileAnswer, ProfileApi, StoreError, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::token::{CheckResult, LastCheck, StoredToken};

use crate::hot_token_registry::HotTokenRegistry;

/// Verification by profile.
pub struct ProfileVerificationService {
    profiles: Arc<dyn ProfileApi>,
    tokens: Arc<dyn UpstoxTokenRepository>,
    registry: Arc<HotTokenRegistry>,
    events: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    parallel: usize,
}

impl ProfileVerificationService {
    /// `parallel` calls at once at most.
    pub fn new(
        profiles: Arc<dyn ProfileApi>,
        tokens: Arc<dyn UpstoxTokenRepository>,
        registry: Arc<HotTokenRegistry>,
        events: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        parallel: usize,
    ) -> Self {
        Self {
            profiles,
            tokens,
            registry,
            events,
            clock,
            parallel: parallel.max(1),
        }
    }

    /// Verifies all of `tokens` and returns them with what is known now. Ends with the first answer that the database
    /// does not take; what was recorded before stays.
    pub async fn verify(&self, tokens: Vec<StoredToken>) -> Result<Vec<StoredToken>, StoreError> {
        let checks = tokens.into_iter().map(|token| self.verify_one(token));
        let mut checked = stream::iter(checks).buffer_unordered(self.parallel);
        let mut verified = Vec::new();
        while let Some(token) = checked.next().await {
            verified.push(token?);
        }
        Ok(verified)
    }

    async fn verify_one(&self, mut token: StoredToken) -> Result<StoredToken, StoreError> {
        let answer = self.profiles.profile(&token.access_token).await;
        let check = LastCheck {
            at: self.clock.now(),
            result: result_of(&answer, &token),
        };
        let detail = match &answer {
            ProfileAnswer::Valid(user) => format!("generation {}: profile of {user}", token.generation),
            ProfileAnswer::Invalid => format!("generation {}: Upstox calls it dead", token.generation),
            ProfileAnswer::Unknown(failure) => format!("generation {}: {failure}", token.generation),
        };
        tracing::debug!(api = %token.api, detail, "profile checked");
        let audit =
            AuditEntry::new(check.at, AuditKind::TokenChecked, detail).about(&token.account, &token.api);
        let record = TokenCheck {
            api: token.api.clone(),
            generation: token.generation,
            check,
        };
        let newest = self.tokens.record_check(&record, &audit).await?;
        token.apply(check);
        if newest {
            self.registry.publish(&token);
        } else if token.is_refused() {
            self.registry.remove(&token.api, token.generation);
        }
        self.events.emit(Event::TokenChecked {
            api: token.api.clone(),
            status: token.status(check.at),
        });
        Ok(token)
    }
}

fn result_of(answer: &ProfileAnswer, token: &StoredToken) -> CheckResult {
    match answer {
        ProfileAnswer::Valid(user) if *user == token.user_id => CheckResult::Valid,
        ProfileAnswer::Valid(_) => CheckResult::Unknown(FailureReason::WrongUser),
        ProfileAnswer::Invalid => CheckResult::Invalid,
        ProfileAnswer::Unknown(failure) => CheckResult::Unknown(failure.reason),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use rstest::rstest;
    use vega_domain::failure::Failure;
    use vega_domain::ids::UserId;
    use vega_domain::ports::{MockEventSink, MockProfileApi, MockUpstoxTokenRepository};
    use vega_domain::secret::AccessToken;
    use vega_domain::token::TokenStatus;

    use super::*;
    use crate::test_world::{TestClock, api, at, stored};

    struct World {
        tokens: MockUpstoxTokenRepository,
        registry: Arc<HotTokenRegistry>,
        clock: Arc<TestClock>,
    }

    impl World {
        fn new() -> Self {
            let clock = TestClock::at(at(0));
            let registry = Arc::new(HotTokenRegistry::new(clock.clone()));
            Self {
                tokens: MockUpstoxTokenRepository::new(),
                registry,
                clock,
            }
        }

        fn service(self, profiles: impl ProfileApi + 'static, parallel: usize) -> ProfileVerificationService {
            let mut events = MockEventSink::new();
            events.expect_emit().return_const(());
            ProfileVerificationService::new(
                Arc::new(profiles),
                Arc::new(self.tokens),
                self.registry,
                Arc::new(events),
                self.clock,
                parallel,
            )
        }
    }

    fn unreachable() -> ProfileAnswer {
        ProfileAnswer::Unknown(Failure::new(FailureReason::Network, "refused"))
    }

    #[rstest]
    #[case::valid(ProfileAnswer::Valid(UserId::new("AB1234").unwrap()), TokenStatus::Valid, true)]
    #[case::dead(ProfileAnswer::Invalid, TokenStatus::Invalid, false)]
    #[case::outage(unreachable(), TokenStatus::Unknown, true)]
    #[case::other_user(ProfileAnswer::Valid(UserId::new("ZZ9999").unwrap()), TokenStatus::Unknown, false)]
    #[tokio::test]
    async fn each_answer_is_recorded_and_the_registry_follows(
        #[case] answer: ProfileAnswer,
        #[case] status: TokenStatus,
        #[case] hot: bool,
    ) {
        let mut world = World::new();
        let token = stored("PRIMARY", 3);
        assert!(world.registry.publish(&token));
        let registry = Arc::clone(&world.registry);
        world
            .tokens
            .expect_record_check()
            .withf(|check, audit| {
                check.generation.get() == 3
                    && check.check.at == at(0)
                    && audit.kind == AuditKind::TokenChecked
            })
            .times(1)
            .returning(|_, _| Ok(true));
        let mut profiles = MockProfileApi::new();
        profiles.expect_profile().times(1).return_const(answer);

        let verified = world.service(profiles, 6).verify(vec![token]).await.unwrap();
        assert_eq!(verified[0].status(at(0)), status);
        assert_eq!(registry.get(&api("PRIMARY")).is_some(), hot);
    }

    #[tokio::test]
    async fn a_superseded_token_is_not_published_by_a_late_answer() {
        let mut world = World::new();
        world.tokens.expect_record_check().returning(|_, _| Ok(false));
        let registry = Arc::clone(&world.registry);
        let mut profiles = MockProfileApi::new();
        profiles
            .expect_profile()
            .return_const(ProfileAnswer::Valid(UserId::new("AB1234").unwrap()));
        world
            .service(profiles, 6)
            .verify(vec![stored("PRIMARY", 1)])
            .await
            .unwrap();
        assert!(registry.get(&api("PRIMARY")).is_none());
    }

    /// Counts how many calls are under way at once.
    struct SlowProfiles {
        under_way: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl ProfileApi for SlowProfiles {
        async fn profile(&self, _token: &AccessToken) -> ProfileAnswer {
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            ProfileAnswer::Valid(UserId::new("AB1234").unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_run_in_parallel_but_never_more_than_allowed() {
        let mut world = World::new();
        world
            .tokens
            .expect_record_check()
            .times(20)
            .returning(|_, _| Ok(true));
        let most = Arc::new(AtomicUsize::new(0));
        let profiles = SlowProfiles {
            under_way: Arc::default(),
            most: Arc::clone(&most),
        };
        let tokens = (0..20).map(|index| stored(&format!("API{index}"), 1)).collect();
        world.service(profiles, 6).verify(tokens).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), 6);
    }
}
