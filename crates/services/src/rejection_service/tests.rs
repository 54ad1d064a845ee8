//! Who is answered how, and how often Upstox is asked for that.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use rstest::rstest;
use vega_domain::accounts::Accounts;
use vega_domain::ids::{ClientId, UserId};
use vega_domain::ports::{
    LoadedToken, MockAuditTrail, MockEventSink, MockLastPriceApi, MockUpstoxTokenRepository, ProfileAnswer,
    ProfileApi, TokenCheck, UnreadableToken,
};
use vega_domain::secret::AccessToken;
use vega_domain::token::LastCheck;

use super::*;
use crate::test_builders::{PausedClock, account, api, at, stored};

/// Answers each call after a second, and counts them.
struct Profiles {
    calls: AtomicUsize,
    answers: Mutex<Vec<ProfileAnswer>>,
}

#[async_trait]
impl ProfileApi for Profiles {
    async fn profile(&self, _token: &AccessToken) -> ProfileAnswer {
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 {
            return answers.remove(0);
        }
        answers[0].clone()
    }
}

struct RejectionFixture {
    service: Arc<RejectionService>,
    registry: Arc<HotTokenRegistry>,
    profiles: Arc<Profiles>,
    audited: Arc<Mutex<Vec<String>>>,
    stored: Arc<Mutex<Vec<StoredToken>>>,
}

fn alive() -> ProfileAnswer {
    ProfileAnswer::Valid(UserId::new("AB1234").unwrap())
}

fn failing() -> StoreError {
    StoreError::Unreadable("the disk is full".into())
}

impl RejectionFixture {
    fn new(tokens: Vec<StoredToken>, answers: Vec<ProfileAnswer>) -> Self {
        let accounts = Accounts::from(vec![account(&["PRIMARY", "WEBSOCKET1"])]);
        Self::within(RegistryScope::Configured(accounts), tokens, answers)
    }

    fn within(scope: RegistryScope, tokens: Vec<StoredToken>, answers: Vec<ProfileAnswer>) -> Self {
        let clock = PausedClock::at(at(0));
        let registry = Arc::new(HotTokenRegistry::new(clock.clone()));
        for token in &tokens {
            registry.publish(token);
        }
        let stored = Arc::new(Mutex::new(tokens));
        let mut tokens = MockUpstoxTokenRepository::new();
        let held = Arc::clone(&stored);
        tokens.expect_load_all().returning(move || {
            Ok(held
                .lock()
                .unwrap()
                .iter()
                .cloned()
                .map(LoadedToken::Ok)
                .collect())
        });
        let held = Arc::clone(&stored);
        tokens.expect_newest_generation().returning(move |api| {
            let held = held.lock().unwrap();
            let of_api = held.iter().filter(|token| token.api == *api);
            Ok(of_api.map(|token| token.generation).max())
        });
        let held = Arc::clone(&stored);
        tokens.expect_record_checks().returning(move |checks| {
            let mut held = held.lock().unwrap();
            let mut is_newest = |check: &TokenCheck| {
                let newest = held.iter_mut().find(|token| token.api == check.api);
                let token = newest.filter(|token| token.generation == check.generation);
                token.map(|token| token.apply(check.check)).is_some()
            };
            Ok(checks.iter().map(|(check, _)| is_newest(check)).collect())
        });
        let tokens = Arc::new(tokens);
        let mut prices = MockLastPriceApi::new();
        prices
            .expect_last_price()
            .return_const(vega_domain::ports::LastPriceAnswer::TokenDead);
        let mut events = MockEventSink::new();
        events.expect_emit().return_const(());
        let audited = Arc::new(Mutex::new(Vec::new()));
        let mut audit = MockAuditTrail::new();
        let told = Arc::clone(&audited);
        audit.expect_append_about().returning(move |entry, _| {
            let words = format!("{}: {}", entry.kind.code(), entry.detail);
            told.lock().unwrap().push(words);
            Ok(())
        });
        let profiles = Arc::new(Profiles {
            calls: AtomicUsize::default(),
            answers: Mutex::new(answers),
        });
        let verification = ProfileVerificationService::new(
            profiles.clone(),
            Arc::new(prices),
            tokens.clone(),
            Arc::clone(&registry),
            Arc::new(events),
            clock.clone(),
            6,
        );
        let service = RejectionService::new(RejectionPorts {
            scope,
            tokens,
            verification: Arc::new(verification),
            registry: Arc::clone(&registry),
            audit: Arc::new(audit),
            clock,
        });
        Self {
            service: Arc::new(service),
            registry,
            profiles,
            audited,
            stored,
        }
    }

    async fn report(&self, name: &str, reported: u32) -> Outcome {
        let reported = Generation::new(reported).unwrap();
        self.service.report(&api(name), reported, "key trader").await
    }

    fn calls(&self) -> usize {
        self.profiles.calls.load(Ordering::SeqCst)
    }

    fn is_served(&self, name: &str) -> bool {
        self.registry.get(&api(name)).is_some()
    }
}

fn unreachable() -> ProfileAnswer {
    ProfileAnswer::Unknown(Failure::new(FailureReason::StaticIp, "UDAPI1221"))
}

#[rstest]
#[case::alive(alive(), ReportedToken::Alive, true)]
#[case::dead(ProfileAnswer::Invalid, ReportedToken::Dead, false)]
#[case::unknown(
    unreachable(),
    ReportedToken::Unknown(Failure::new(FailureReason::StaticIp, "")),
    true
)]
#[tokio::test(start_paused = true)]
async fn upstox_is_asked_once_for_any_number_of_reports(
    #[case] says: ProfileAnswer,
    #[case] token: ReportedToken,
    #[case] served: bool,
) {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![says]);
    let answers = join_all((0..200).map(|_| fixture.report("PRIMARY", 3))).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.token, token);
        assert_eq!((answer.reported.get(), answer.newest.get()), (3, 3));
        assert_eq!(answer.checked_at, Some(at(1)));
    }
    assert_eq!(fixture.is_served("PRIMARY"), served);
    tokio::time::sleep(Duration::from_millis(3_900)).await;
    assert_eq!(fixture.report("PRIMARY", 3).await.unwrap().token, token);
    assert_eq!(fixture.calls(), 1);
    assert_eq!(
        *fixture.audited.lock().unwrap(),
        ["token_reported: generation 3, by key trader"]
    );
}

/// It may have died since Upstox was asked, and a program that was told "alive" uses it on.
#[tokio::test(start_paused = true)]
async fn a_report_that_came_after_the_answer_leads_to_another_look_by_itself() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![alive(), ProfileAnswer::Invalid]);
    for _ in 0..50 {
        let answer = fixture.report("PRIMARY", 3).await.unwrap();
        assert_eq!(answer.token, ReportedToken::Alive);
        assert_eq!(answer.checked_at, Some(at(1)));
    }
    tokio::time::sleep(Duration::from_millis(3_900)).await;
    assert_eq!((fixture.calls(), fixture.is_served("PRIMARY")), (1, true));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!((fixture.calls(), fixture.is_served("PRIMARY")), (2, false));
    assert_eq!(
        *fixture.audited.lock().unwrap(),
        [
            "token_reported: generation 3, by key trader",
            "token_reported: generation 3, by key trader, soon after the last answer",
        ]
    );
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_report_leads_to_one_look() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![alive()]);
    fixture.report("PRIMARY", 3).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(fixture.calls(), 1);
}

/// Another process stored it, and this one has not heard of it yet.
#[tokio::test(start_paused = true)]
async fn whoever_is_told_of_a_newer_token_can_get_it() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![ProfileAnswer::Invalid]);
    let generation =
        |fixture: &RejectionFixture| fixture.registry.get(&api("PRIMARY")).unwrap().generation.get();
    *fixture.stored.lock().unwrap() = vec![stored("PRIMARY", 4)];
    assert_eq!(generation(&fixture), 3);
    let answer = fixture.report("PRIMARY", 3).await.unwrap();
    assert_eq!((answer.token, answer.newest.get()), (ReportedToken::Newer, 4));
    assert_eq!((generation(&fixture), fixture.calls()), (4, 0));

    // The same while Upstox is asked.
    let reporting = fixture.report("PRIMARY", 4);
    let replacing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        *fixture.stored.lock().unwrap() = vec![stored("PRIMARY", 5)];
    };
    let (answer, ()) = tokio::join!(reporting, replacing);
    let answer = answer.unwrap();
    assert_eq!((answer.token, answer.newest.get()), (ReportedToken::Newer, 5));
    assert_eq!(generation(&fixture), 5);
}

#[tokio::test(start_paused = true)]
async fn after_five_seconds_upstox_is_asked_anew() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![alive(), ProfileAnswer::Invalid]);
    assert_eq!(
        fixture.report("PRIMARY", 3).await.unwrap().token,
        ReportedToken::Alive
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(
        fixture.report("PRIMARY", 3).await.unwrap().token,
        ReportedToken::Dead
    );
    assert!(!fixture.is_served("PRIMARY"));
    assert_eq!(fixture.calls(), 2);
    // What is known to be dead is not asked about again.
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(
        fixture.report("PRIMARY", 3).await.unwrap().token,
        ReportedToken::Dead
    );
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_api_is_asked_about_for_itself() {
    let tokens = vec![stored("PRIMARY", 3), stored("WEBSOCKET1", 3)];
    let fixture = RejectionFixture::new(tokens, vec![alive()]);
    let (first, second) = tokio::join!(fixture.report("PRIMARY", 3), fixture.report("WEBSOCKET1", 3));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(fixture.calls(), 2);
}

/// The caller hangs up; the word that the token is dead is not lost.
#[tokio::test(start_paused = true)]
async fn an_examination_goes_on_without_its_caller() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![ProfileAnswer::Invalid]);
    let gone = tokio::time::timeout(Duration::from_millis(100), fixture.report("PRIMARY", 3)).await;
    assert!(gone.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!fixture.is_served("PRIMARY"));
    assert_eq!(fixture.calls(), 1);
}

/// The answer of the morning is none for the afternoon, also where nobody was there to hear it.
#[tokio::test(start_paused = true)]
async fn an_examination_that_nobody_waited_for_answers_nobody_later() {
    let answers = vec![alive(), ProfileAnswer::Invalid];
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], answers);
    let gone = tokio::time::timeout(Duration::from_millis(100), fixture.report("PRIMARY", 3)).await;
    assert!(gone.is_err());
    tokio::time::sleep(Duration::from_hours(4)).await;
    let answer = fixture.report("PRIMARY", 3).await.unwrap();
    assert_eq!((answer.token, fixture.calls()), (ReportedToken::Dead, 2));
}

#[tokio::test(start_paused = true)]
async fn an_older_generation_is_newer_without_a_call() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![ProfileAnswer::Invalid]);
    for reported in [1, 2] {
        let answer = fixture.report("PRIMARY", reported).await.unwrap();
        assert_eq!(answer.token, ReportedToken::Newer);
        assert_eq!((answer.reported.get(), answer.newest.get()), (reported, 3));
    }
    assert_eq!(fixture.calls(), 0);
    assert!(fixture.is_served("PRIMARY"));
    assert!(fixture.audited.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_cannot_have_been_refused() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![ProfileAnswer::Invalid]);
    let words = async |name: &str, reported| fixture.report(name, reported).await.unwrap_err().to_string();
    assert_eq!(
        words("PRIMARY", 4).await,
        "PRIMARY has no generation 4 yet; its newest is 3"
    );
    assert_eq!(
        words("WEBSOCKET1", 1).await,
        "WEBSOCKET1 has no generation 1 yet; its newest is none"
    );
    assert_eq!(words("REMOVED", 1).await, "no API REMOVED is configured");
    assert_eq!(fixture.calls(), 0);
    assert!(fixture.is_served("PRIMARY"));
}

/// Such a program reads whatever is stored, and may report all of it.
#[tokio::test(start_paused = true)]
async fn a_program_that_knows_no_configuration_reports_any_stored_token() {
    let tokens = vec![stored("REMOVED", 3)];
    let fixture = RejectionFixture::within(RegistryScope::Everything, tokens, vec![ProfileAnswer::Invalid]);
    assert_eq!(
        fixture.report("REMOVED", 3).await.unwrap().token,
        ReportedToken::Dead
    );
    assert!(!fixture.is_served("REMOVED"));
    let unknown = fixture.report("OTHER", 1).await.unwrap_err().to_string();
    assert_eq!(unknown, "OTHER has no generation 1 yet; its newest is none");
}

/// By time, by the operator's word, by Upstox's, or because its app is configured no more.
#[tokio::test(start_paused = true)]
async fn what_is_over_is_dead_without_a_call() {
    let mut expired = stored("PRIMARY", 3);
    expired.valid_until = at(0);
    let mut revoked = stored("PRIMARY", 3);
    revoked.apply(LastCheck {
        at: at(-5),
        result: CheckResult::Revoked,
    });
    let mut rejected = stored("PRIMARY", 3);
    rejected.rejected_at = Some(at(-5));
    let mut other_app = stored("PRIMARY", 3);
    other_app.client_id = ClientId::new("an-earlier-app").unwrap();
    for token in [expired, revoked, rejected, other_app] {
        let fixture = RejectionFixture::new(vec![token], vec![alive()]);
        assert_eq!(
            fixture.report("PRIMARY", 3).await.unwrap().token,
            ReportedToken::Dead
        );
        assert_eq!(
            fixture.report("PRIMARY", 2).await.unwrap().token,
            ReportedToken::Newer
        );
        assert_eq!(fixture.calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_in_memory_alone_is_asked_about_too() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 2)], vec![alive()]);
    fixture.registry.publish_unstored(&stored("PRIMARY", 3));
    assert_eq!(
        fixture.report("PRIMARY", 3).await.unwrap().token,
        ReportedToken::Alive
    );
    assert_eq!(
        fixture.report("PRIMARY", 2).await.unwrap().token,
        ReportedToken::Newer
    );
    assert!(fixture.report("PRIMARY", 4).await.is_err());
}

/// A run brings the next one while Upstox is asked about the one before.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_replaced_meanwhile_is_an_older_one() {
    let fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![ProfileAnswer::Invalid]);
    let reporting = fixture.report("PRIMARY", 3);
    let replacing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        *fixture.stored.lock().unwrap() = vec![stored("PRIMARY", 4)];
        fixture.registry.publish(&stored("PRIMARY", 4));
    };
    let (answer, ()) = tokio::join!(reporting, replacing);
    let answer = answer.unwrap();
    assert_eq!((answer.token, answer.newest.get()), (ReportedToken::Newer, 4));
    assert!(fixture.is_served("PRIMARY"), "the new one stays");
}

/// Within a minute of its issue one refusal is no death.
#[tokio::test(start_paused = true)]
async fn a_new_token_is_asked_about_for_a_while() {
    let mut token = stored("PRIMARY", 3);
    token.issued_at = at(-10);
    let refused = || ProfileAnswer::Invalid;
    let fixture = RejectionFixture::new(vec![token], vec![refused(), refused(), refused(), alive()]);
    let answers = join_all((0..20).map(|_| fixture.report("PRIMARY", 3))).await;
    assert!(
        answers
            .into_iter()
            .all(|answer| answer.unwrap().token == ReportedToken::Alive)
    );
    assert_eq!(fixture.calls(), 4);
    assert!(fixture.is_served("PRIMARY"));
    assert_eq!(fixture.audited.lock().unwrap().len(), 1);
}

/// Nobody is kept waiting for a word on a token that is replaced.
#[tokio::test(start_paused = true)]
async fn a_newer_token_ends_the_wait_for_a_word_on_a_new_one() {
    let mut token = stored("PRIMARY", 3);
    token.issued_at = at(-10);
    let fixture = RejectionFixture::new(vec![token], vec![ProfileAnswer::Invalid]);
    let began = tokio::time::Instant::now();
    let replacing = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        *fixture.stored.lock().unwrap() = vec![stored("PRIMARY", 4)];
        fixture.registry.publish(&stored("PRIMARY", 4));
    };
    let (answer, ()) = tokio::join!(fixture.report("PRIMARY", 3), replacing);
    assert_eq!(answer.unwrap().token, ReportedToken::Newer);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(fixture.is_served("PRIMARY"), "the new one stays");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_open_is_unknown() {
    let mut fixture = RejectionFixture::new(Vec::new(), vec![alive()]);
    let mut tokens = MockUpstoxTokenRepository::new();
    tokens.expect_load_all().returning(|| {
        Ok(vec![Err(UnreadableToken {
            api: api("PRIMARY"),
            generation: Generation::new(3).unwrap(),
            valid_until: at(60),
            error: StoreError::Unreadable("moved".into()),
        })])
    });
    let service = Arc::get_mut(&mut fixture.service).unwrap();
    Arc::get_mut(&mut service.ports).unwrap().tokens = Arc::new(tokens);
    let answer = fixture.report("PRIMARY", 3).await.unwrap();
    assert!(
        matches!(answer.token, ReportedToken::Unknown(failure) if failure.reason == FailureReason::Unreadable)
    );
    assert!(fixture.report("PRIMARY", 4).await.is_err());
}

/// What cannot go on record is not done, and the next report tries anew.
#[tokio::test(start_paused = true)]
async fn a_failed_examination_answers_nobody_else() {
    let mut fixture = RejectionFixture::new(vec![stored("PRIMARY", 3)], vec![alive()]);
    let mut audit = MockAuditTrail::new();
    audit
        .expect_append_about()
        .times(1)
        .returning(|_, _| Err(failing()));
    audit.expect_append_about().returning(|_, _| Ok(()));
    let service = Arc::get_mut(&mut fixture.service).unwrap();
    Arc::get_mut(&mut service.ports).unwrap().audit = Arc::new(audit);
    assert_eq!(
        fixture.report("PRIMARY", 3).await.unwrap_err().to_string(),
        "the disk is full"
    );
    assert_eq!(fixture.calls(), 0);
    assert_eq!(
        fixture.report("PRIMARY", 3).await.unwrap().token,
        ReportedToken::Alive
    );
}
