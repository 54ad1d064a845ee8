//! The database fails at one effect. Nothing that depends on it happens, what was sealed stays, and a later start
//! makes of it what can still be made.

use std::sync::Arc;

use rstest::rstest;
use vega_domain::event::Event;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::Generation;
use vega_domain::ports::{MockTokenChanges, MockUpstoxTokenRepository, StoreError, TokenSpool};
use vega_services::{RegistryFollower, RegistryScope};

use crate::generation_fixture::GenerationFixture;
use vega_testing::memory_store::{End, full};

/// All effects of a good sign-in, in order.
const GOOD: [&str; 14] = [
    "record signing_in",
    "open_attempt",
    "sign_in",
    "request_otp",
    "press",
    "record exchanging",
    "seal_code",
    "POST",
    "seal_answer",
    "record verifying",
    "read",
    "profile",
    "store",
    "publish",
];

/// What a later start finds.
enum Left {
    /// No attempt.
    Nothing,
    /// An attempt that is closed without a human.
    Closed(FailureReason),
    /// An answer that becomes a token without a human.
    Token,
}

#[rstest]
#[case::record_signing_in("record signing_in", Left::Nothing)]
#[case::open_attempt("open_attempt", Left::Nothing)]
#[case::request_otp("request_otp", Left::Closed(FailureReason::Interrupted))]
#[case::record_exchanging("record exchanging", Left::Closed(FailureReason::InterruptedPastPress))]
#[case::seal_code("seal_code", Left::Closed(FailureReason::InterruptedPastPress))]
#[case::store("store", Left::Token)]
#[tokio::test(start_paused = true)]
async fn never_7_a_received_token_lost_to_a_failing_database(
    #[case] fails_at: &'static str,
    #[case] left: Left,
) {
    let fixture = GenerationFixture::new();
    fixture.faults.fail_at(fails_at);
    let failure = fixture.generate().await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::Storage);
    assert!(failure.detail.contains("the disk is full"), "{failure}");
    // A token that neither the database nor the spool took is lost at the end of the process, and not before.
    assert_eq!(fixture.is_served(), fails_at == "store");
    let is_alarm = |event: &Event| matches!(event, Event::KeptInMemoryOnly { .. });
    let alarms = fixture
        .events
        .all
        .lock()
        .unwrap()
        .iter()
        .filter(|event| is_alarm(event))
        .count();
    assert_eq!(alarms, usize::from(fails_at == "store"));

    let position = GOOD.iter().position(|effect| *effect == fails_at).unwrap();
    let mut expected: Vec<String> = GOOD[..position].iter().map(|&effect| effect.into()).collect();
    expected.push(format!("{fails_at} fails"));
    assert_eq!(
        fixture.log.take(),
        expected,
        "nothing follows, and the attempt is not closed"
    );

    fixture.faults.heal();
    let accounts = [fixture.account.clone()];
    let mut recovered = fixture.service().recover(&accounts).await.unwrap();
    match left {
        Left::Nothing => {
            assert!(recovered.is_empty());
            assert!(fixture.log.take().is_empty());
        }
        Left::Closed(reason) => {
            assert_eq!(recovered.remove(0).outcome.unwrap_err().reason, reason);
            assert_eq!(fixture.log.take(), [format!("close {reason}")]);
            assert!(!fixture.is_served());
        }
        Left::Token => {
            assert_eq!(recovered.remove(0).outcome, Ok(Generation::FIRST));
            let mut log = fixture.log.take();
            // What was in memory only is served already.
            log.retain(|effect| effect != "served before it is stored" || fails_at != "store");
            assert_eq!(log, ["read", "profile", "store", "publish"]);
            assert!(fixture.is_served());
        }
    }
}

/// The answer is in the spool, for the next start; whoever has the lease now may have another one.
#[tokio::test(start_paused = true)]
async fn nothing_more_is_made_of_an_answer_of_a_run_that_was_taken_over() {
    let fixture = GenerationFixture::new();
    let api = fixture.account.apis[0].name.clone();
    fixture.database.prepare(&[api]).await.unwrap();
    fixture
        .faults
        .refuse_at("seal_answer", || StoreError::TakenOver(None));
    let failure = fixture.generate().await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::TakenOver);
    assert!(!fixture.is_served());
    assert!(fixture.log.take_only(&["profile", "store"]).is_empty());
}

/// The answer is in this process alone: what it brings is not left to its end.
#[rstest]
#[case::full(full)]
#[case::not_accepted(|| StoreError::NotAccepted("it is another one".into()))]
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_sealed_still_becomes_a_token(#[case] why: fn() -> StoreError) {
    let fixture = GenerationFixture::new();
    fixture.faults.refuse_at("seal_answer", why);
    assert_eq!(fixture.generate().await, Ok(Generation::FIRST));
    assert!(fixture.is_served());
    assert_eq!(fixture.database.ends(), [End::Stored]);
    let log = fixture.log.take();
    assert_eq!(
        log[log.len() - 6..],
        [
            "seal_answer fails",
            "record verifying",
            "read",
            "profile",
            "store",
            "publish"
        ]
    );
}

/// A token that is here is brought home, whatever becomes of the record of it.
#[tokio::test(start_paused = true)]
async fn a_step_that_cannot_be_recorded_does_not_hold_up_a_token_that_was_received() {
    let fixture = GenerationFixture::new();
    fixture.faults.fail_at("record verifying");
    assert_eq!(fixture.generate().await, Ok(Generation::FIRST));
    assert!(fixture.is_served());
    let log = fixture.log.take();
    assert_eq!(
        log[log.len() - 5..],
        ["record verifying fails", "read", "profile", "store", "publish"]
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_newest_generation_nothing_begins() {
    let fixture = GenerationFixture::new();
    fixture.faults.fail_at("newest_generation");
    assert_eq!(
        fixture.generate().await.unwrap_err().reason,
        FailureReason::Storage
    );
    assert_eq!(fixture.log.take(), ["newest_generation fails"]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_cannot_be_closed_stays_for_the_next_start() {
    let fixture = GenerationFixture::new();
    fixture.faults.fail_at("close");
    let mut human = fixture.human();
    human.fails = Some(Failure::new(FailureReason::OtpRefused, ""));
    let failure = fixture.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::Storage);
    assert_eq!(fixture.database.ends(), [End::Open]);
}

/// A registry that follows the database must not take out what the database never had.
#[tokio::test(start_paused = true)]
async fn a_token_in_memory_alone_outlives_a_look_into_the_database() {
    let fixture = GenerationFixture::new();
    fixture.faults.fail_at("store");
    fixture.generate().await.unwrap_err();
    let mut tokens = MockUpstoxTokenRepository::new();
    tokens.expect_load_all().returning(|| Ok(Vec::new()));
    let mut changes = MockTokenChanges::new();
    changes.expect_losses().returning(|| 0);
    let follower = RegistryFollower::new(
        Arc::clone(&fixture.registry),
        RegistryScope::Everything,
        Arc::new(tokens),
        Arc::new(changes),
        fixture.clock.clone(),
    );
    follower.catch_up().await.unwrap();
    assert!(fixture.is_served());
}
