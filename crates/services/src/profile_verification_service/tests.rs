//! What each answer comes to: on record, in the registry, and for the token's account.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use tokio::time::Instant;
use vega_domain::failure::Failure;
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{
    LoadedToken, MockEventSink, MockLastPriceApi, MockProfileApi, MockUpstoxTokenRepository, RecordedCheck,
};
use vega_domain::secret::AccessToken;
use vega_domain::token::{NewToken, TokenStatus};

use super::*;
use crate::test_builders::{TestClock, api, at, stored};

struct VerificationFixture {
    tokens: MockUpstoxTokenRepository,
    registry: Arc<HotTokenRegistry>,
    clock: Arc<TestClock>,
}

impl VerificationFixture {
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
        self.with_prices(profiles, MockLastPriceApi::new(), parallel)
    }

    fn with_prices(
        self,
        profiles: impl ProfileApi + 'static,
        prices: impl LastPriceApi + 'static,
        parallel: usize,
    ) -> ProfileVerificationService {
        let mut events = MockEventSink::new();
        events.expect_emit().return_const(());
        ProfileVerificationService::new(
            Arc::new(profiles),
            Arc::new(prices),
            Arc::new(self.tokens),
            self.registry,
            Arc::new(events),
            self.clock,
            parallel,
        )
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the port's answer")]
fn all_newest(checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
    Ok(vec![true; checks.len()])
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
    let mut fixture = VerificationFixture::new();
    let token = stored("PRIMARY", 3);
    assert!(fixture.registry.publish(&token));
    let registry = Arc::clone(&fixture.registry);
    fixture
        .tokens
        .expect_record_checks()
        .withf(|checks| {
            let (check, audit) = &checks[0];
            check.generation.get() == 3 && check.check.at == at(0) && audit.kind == AuditKind::TokenChecked
        })
        .times(1)
        .returning(all_newest);
    let mut profiles = MockProfileApi::new();
    profiles.expect_profile().times(1).return_const(answer);

    let mut prices = MockLastPriceApi::new();
    prices
        .expect_last_price()
        .return_const(LastPriceAnswer::TokenDead);

    let service = fixture.with_prices(profiles, prices, 6);
    let verified = service.verify(vec![token]).await.unwrap();
    assert_eq!(verified[0].status(at(0)), status);
    assert_eq!(registry.get(&api("PRIMARY")).is_some(), hot);
}

#[tokio::test]
async fn a_superseded_token_is_not_published_by_a_late_answer() {
    let mut fixture = VerificationFixture::new();
    fixture
        .tokens
        .expect_record_checks()
        .returning(|_| Ok(vec![false]));
    let registry = Arc::clone(&fixture.registry);
    let mut profiles = MockProfileApi::new();
    profiles
        .expect_profile()
        .return_const(ProfileAnswer::Valid(UserId::new("AB1234").unwrap()));
    fixture
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
    let mut fixture = VerificationFixture::new();
    fixture
        .tokens
        .expect_record_checks()
        .times(4)
        .returning(all_newest);
    let most = Arc::new(AtomicUsize::new(0));
    let profiles = SlowProfiles {
        under_way: Arc::default(),
        most: Arc::clone(&most),
    };
    let tokens = (0..20).map(|index| stored(&format!("API{index}"), 1)).collect();
    fixture.service(profiles, 6).verify(tokens).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 6);
}

/// Tokens whose profile call Upstox refuses, among those of one account; the others are good.
struct Refusing(Vec<&'static str>);

#[async_trait]
impl ProfileApi for Refusing {
    async fn profile(&self, token: &AccessToken) -> ProfileAnswer {
        let is_refused = self
            .0
            .iter()
            .any(|api| token.expose() == format!("token-{api}-1"));
        if is_refused {
            return ProfileAnswer::Invalid;
        }
        // After the refusals, so that they have to wait for it.
        tokio::time::sleep(Duration::from_secs(1)).await;
        ProfileAnswer::Valid(UserId::new("AB1234").unwrap())
    }
}

/// 08:45 IST's tokens at 10:00 IST: none is new any more.
fn mid_morning(fixture: &VerificationFixture) {
    fixture.clock.set(at(75 * 60));
}

const SIX: [&str; 6] = ["A", "B", "C", "D", "E", "F"];

/// Verifies tokens of one account of which Upstox's profile call refuses `refused`. Tells which are invalid and unknown
/// afterwards, and how often a price was asked for.
async fn verified(
    fixture: VerificationFixture,
    tokens: Vec<StoredToken>,
    refused: &[&'static str],
    price: LastPriceAnswer,
) -> (Vec<String>, Vec<String>, usize) {
    let mut fixture = fixture;
    fixture.tokens.expect_record_checks().returning(all_newest);
    let asked = Arc::new(AtomicUsize::new(0));
    let mut prices = MockLastPriceApi::new();
    let counted = Arc::clone(&asked);
    prices.expect_last_price().returning(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        price.clone()
    });
    let now = fixture.clock.now();
    let service = fixture.with_prices(Refusing(refused.to_vec()), prices, 6);
    let checked = service.verify(tokens).await.unwrap();
    let names = |status| {
        let mut names: Vec<String> = checked
            .iter()
            .filter(|token| token.status(now) == status)
            .map(|token| token.api.to_string())
            .collect();
        names.sort();
        names
    };
    (
        names(TokenStatus::Invalid),
        names(TokenStatus::Unknown),
        asked.load(Ordering::SeqCst),
    )
}

fn unclear() -> LastPriceAnswer {
    LastPriceAnswer::Unknown(Failure::new(FailureReason::Network, "timed out"))
}

/// Which of an account's tokens the profile call refuses, and what the call for a price says of those.
#[rstest]
#[case::one_of_six(&SIX, &["B"], unclear(), &["B"], &[], 0)]
#[case::five_of_six(&SIX, &["B", "C", "D", "E", "F"], unclear(), &["B", "C", "D", "E", "F"], &[], 0)]
#[case::all_and_a_price_is_given(&SIX, &SIX, LastPriceAnswer::Given, &[], &SIX, 6)]
#[case::all_and_nobody_can_tell(&SIX, &SIX, unclear(), &[], &SIX, 6)]
#[case::all_and_both_agree(&SIX, &SIX, LastPriceAnswer::TokenDead, &SIX, &[], 6)]
#[case::the_only_one_and_a_price_is_given(&["A"], &["A"], LastPriceAnswer::Given, &[], &["A"], 1)]
#[case::the_only_one_and_both_agree(&["A"], &["A"], LastPriceAnswer::TokenDead, &["A"], &[], 1)]
#[tokio::test(start_paused = true)]
async fn when_all_that_were_good_are_refused_a_second_call_must_agree(
    #[case] tokens: &[&str],
    #[case] refused: &[&'static str],
    #[case] price: LastPriceAnswer,
    #[case] invalid: &[&str],
    #[case] unknown: &[&str],
    #[case] asked: usize,
) {
    let fixture = VerificationFixture::new();
    mid_morning(&fixture);
    let tokens = tokens.iter().map(|api| stored(api, 1)).collect();
    let found = verified(fixture, tokens, refused, price).await;
    assert_eq!(found, (owned(invalid), owned(unknown), asked));
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Another account's tokens say nothing of this one's, and nor does one that came long after the others.
#[tokio::test(start_paused = true)]
async fn only_a_token_of_the_account_and_the_morning_vouches() {
    let mut stranger = stored("B", 1);
    stranger.account = vega_domain::ids::AccountId::new("other").unwrap();
    let mut late = stored("B", 1);
    late.issued_at += TimeDelta::minutes(61);
    for other in [stranger, late] {
        let fixture = VerificationFixture::new();
        mid_morning(&fixture);
        let tokens = vec![stored("A", 1), other];
        let found = verified(fixture, tokens, &["A"], LastPriceAnswer::Given).await;
        assert_eq!(found, (owned(&[]), owned(&["A"]), 1));
    }
}

/// What never was good, or is refused already, costs no second call; around 03:30 IST all die by themselves.
#[rstest]
#[case::never_verified(None, false, 75 * 60)]
#[case::refused_before(Some(at(-59)), true, 75 * 60)]
#[case::at_0325(Some(at(-59)), false, 18 * 3600 + 40 * 60)]
#[tokio::test(start_paused = true)]
async fn a_second_call_is_made_only_where_it_may_save_a_token(
    #[case] verified_at: Option<chrono::DateTime<chrono::Utc>>,
    #[case] is_refused: bool,
    #[case] seconds: i64,
) {
    let fixture = VerificationFixture::new();
    fixture.clock.set(at(seconds));
    let mut token = stored("A", 1);
    token.verified_at = verified_at;
    token.rejected_at = is_refused.then(|| at(-30));
    let found = verified(fixture, vec![token], &["A"], LastPriceAnswer::Given).await;
    assert_eq!(found, (owned(&["A"]), owned(&[]), 0));
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_is_refused_is_asked_about_for_20_seconds() {
    let mut fixture = VerificationFixture::new();
    fixture.tokens.expect_record_checks().returning(all_newest);
    let mut profiles = MockProfileApi::new();
    let mut calls = 0;
    profiles.expect_profile().times(4).returning(move |_| {
        calls += 1;
        if calls < 4 {
            return ProfileAnswer::Invalid;
        }
        ProfileAnswer::Valid(UserId::new("AB1234").unwrap())
    });
    let mut token = stored("PRIMARY", 1);
    token.issued_at = at(-59);
    let began = tokio::time::Instant::now();
    let checked = fixture.service(profiles, 6).verify(vec![token]).await.unwrap();
    assert_eq!(checked[0].status(at(7)), TokenStatus::Valid);
    assert_eq!(began.elapsed(), Duration::from_secs(7));
}

/// The token that `verify` never asked about again.
#[tokio::test]
async fn a_good_answer_takes_a_refusal_back() {
    let mut fixture = VerificationFixture::new();
    mid_morning(&fixture);
    fixture
        .tokens
        .expect_record_checks()
        .withf(|checks| checks[0].0.check.result == CheckResult::Valid)
        .times(1)
        .returning(all_newest);
    let mut token = stored("PRIMARY", 1);
    token.rejected_at = Some(at(0));
    let checked = fixture
        .service(Refusing(vec![]), 6)
        .verify(vec![token])
        .await
        .unwrap();
    assert_eq!(checked[0].status(at(75 * 60)), TokenStatus::Valid);
}

/// What is on record after each commit, with the results of its checks.
fn commits_of(fixture: &mut VerificationFixture) -> Arc<Mutex<Vec<Vec<String>>>> {
    let commits: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
    let told = Arc::clone(&commits);
    fixture.tokens.expect_record_checks().returning(move |checks| {
        let told_of = checks
            .iter()
            .map(|(check, _)| format!("{} {}", check.api, check.check.result));
        let mut told_of: Vec<String> = told_of.collect();
        told_of.sort();
        told.lock().unwrap().push(told_of);
        all_newest(checks)
    });
    commits
}

/// The answer about the token of A takes longest.
struct Slow(MockProfileApi);

#[async_trait]
impl ProfileApi for Slow {
    async fn profile(&self, token: &AccessToken) -> ProfileAnswer {
        let is_first = token.expose() == "token-A-1";
        tokio::time::sleep(Duration::from_secs(if is_first { 5 } else { 1 })).await;
        self.0.profile(token).await
    }
}

/// News is on record before the slowest call is over; what is as it was waits for the end of the round.
#[tokio::test(start_paused = true)]
async fn what_changed_is_recorded_as_it_comes_and_the_rest_in_one_commit() {
    let mut fixture = VerificationFixture::new();
    mid_morning(&fixture);
    let commits = commits_of(&mut fixture);
    let mut tokens: Vec<StoredToken> = SIX.iter().map(|api| stored(api, 1)).collect();
    tokens[1].verified_at = None;
    tokens[4].rejected_at = Some(at(-30));
    for token in [0, 2, 3, 5] {
        tokens[token].apply(LastCheck {
            at: at(-40),
            result: CheckResult::Valid,
        });
    }
    tokens[5].last_check = Some(LastCheck {
        at: at(-40),
        result: CheckResult::Unknown(FailureReason::Network),
    });
    let registry = Arc::clone(&fixture.registry);
    let mut profiles = MockProfileApi::new();
    profiles.expect_profile().returning(|token| match token.expose() {
        "token-F-1" => unreachable(),
        _ => ProfileAnswer::Valid(UserId::new("AB1234").unwrap()),
    });
    let service = fixture.service(Slow(profiles), 6);
    let verifying = tokio::spawn(async move { service.verify(tokens).await.map(|all| all.len()) });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(*commits.lock().unwrap(), [["B valid", "E valid"]]);
    assert!(registry.get(&api("B")).is_some(), "served since it is on record");
    assert_eq!(verifying.await.unwrap().unwrap(), 6);
    let last = commits.lock().unwrap().pop().unwrap();
    assert_eq!(last, ["A valid", "C valid", "D valid", "F unknown (network)"]);
    assert_eq!(commits.lock().unwrap().len(), 1);
}

/// A database on a disk that stalls.
struct StallingTokens;

const STALLS: Duration = Duration::from_secs(30);

#[async_trait]
impl UpstoxTokenRepository for StallingTokens {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        Ok(Vec::new())
    }

    async fn newest_generation(&self, _api: &ApiName) -> Result<Option<Generation>, StoreError> {
        Ok(None)
    }

    async fn owner(&self, _account: &AccountId) -> Result<Option<UserId>, StoreError> {
        Ok(None)
    }

    async fn store(&self, _new: &NewToken, _audit: &AuditEntry) -> Result<(), StoreError> {
        Ok(())
    }

    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        tokio::time::sleep(STALLS).await;
        all_newest(checks)
    }

    async fn erase_dead(&self, _now: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// Each call takes a second longer than the one before. Keeps when each answer was taken.
struct OneAfterTheOther {
    calls: AtomicUsize,
    began: Instant,
    taken: Arc<Mutex<Vec<u64>>>,
}

#[async_trait]
impl ProfileApi for OneAfterTheOther {
    async fn profile(&self, _token: &AccessToken) -> ProfileAnswer {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) as u64;
        tokio::time::sleep(Duration::from_secs(call + 1)).await;
        self.taken.lock().unwrap().push(self.began.elapsed().as_secs());
        ProfileAnswer::Valid(UserId::new("AB1234").unwrap())
    }
}

/// Otherwise a call whose time ends meanwhile would count as not answered.
#[tokio::test(start_paused = true)]
async fn calls_go_on_while_a_commit_is_made() {
    let fixture = VerificationFixture::new();
    let taken = Arc::default();
    let profiles = OneAfterTheOther {
        calls: AtomicUsize::new(0),
        began: Instant::now(),
        taken: Arc::clone(&taken),
    };
    let mut events = MockEventSink::new();
    events.expect_emit().return_const(());
    let service = ProfileVerificationService::new(
        Arc::new(profiles),
        Arc::new(MockLastPriceApi::new()),
        Arc::new(StallingTokens),
        fixture.registry,
        Arc::new(events),
        fixture.clock,
        2,
    );
    // Never checked before, so each answer changes what is known. Two at once: those behind them are asked meanwhile.
    let tokens = ["ONE", "TWO", "THREE", "FOUR", "FIVE"].map(|name| stored(name, 1));
    let began = Instant::now();
    let verified = service.verify(tokens.to_vec()).await.unwrap();
    assert_eq!(verified.len(), 5);
    assert_eq!(*taken.lock().unwrap(), [1, 2, 4, 6, 9]);
    // All that came during the first commit share the second one.
    assert_eq!(began.elapsed(), Duration::from_secs(1) + 2 * STALLS);
}
