//! Cancelling ends the wait for the human. Once a code is there, its token is brought home first.

use std::time::Duration;

use rstest::rstest;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::Generation;
use vega_domain::ports::ExchangeError;

use crate::generation_fixture::{GenerationFixture, raw_answer};
use vega_testing::memory_store::End;

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_closes_the_attempt_and_sends_nothing() {
    let fixture = GenerationFixture::new();
    let (_code, waits_for) = oneshot::channel();
    let mut human = fixture.human();
    human.waits_for = Some(waits_for);
    let cancel = CancellationToken::new();
    let (made, ()) = tokio::join!(fixture.generate_until(&mut human, &cancel), async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        cancel.cancel();
    });
    assert_eq!(made.unwrap_err().reason, FailureReason::Cancelled);
    assert_eq!(
        fixture.log.take(),
        [
            "record signing_in",
            "open_attempt",
            "sign_in",
            "request_otp",
            "press",
            "close cancelled"
        ]
    );
    assert_eq!(fixture.database.ends(), [End::Closed(FailureReason::Cancelled)]);
}

/// Ctrl-C after a refusal is no way to another PIN: the refusal is what the sign-in ends with.
#[tokio::test(start_paused = true)]
async fn a_cancel_after_a_refusal_ends_with_the_refusal() {
    let fixture = GenerationFixture::new();
    let (_code, waits_for) = oneshot::channel();
    let mut human = fixture.human();
    human.waits_for = Some(waits_for);
    human.refused = Some(Failure::new(FailureReason::PinRefused, "Incorrect PIN"));
    let cancel = CancellationToken::new();
    let (made, ()) = tokio::join!(fixture.generate_until(&mut human, &cancel), async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        cancel.cancel();
    });
    assert_eq!(made.unwrap_err().reason, FailureReason::PinRefused);
    assert_eq!(fixture.database.ends(), [End::Closed(FailureReason::PinRefused)]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_during_the_token_call_still_brings_the_token_home() {
    let fixture = GenerationFixture::new();
    fixture
        .broker
        .answers(Duration::from_secs(10), vec![Ok(raw_answer())]);
    let cancel = CancellationToken::new();
    let mut human = fixture.human();
    let (made, ()) = tokio::join!(fixture.generate_until(&mut human, &cancel), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    });
    assert_eq!(made, Ok(Generation::FIRST));
    assert!(fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_between_two_tries_still_brings_the_token_home() {
    let fixture = GenerationFixture::new();
    let not_sent = ExchangeError::NotSent(Failure::new(FailureReason::Network, "connection refused"));
    fixture
        .broker
        .answers(Duration::ZERO, vec![Err(not_sent), Ok(raw_answer())]);
    let cancel = CancellationToken::new();
    let mut human = fixture.human();
    let (made, ()) = tokio::join!(fixture.generate_until(&mut human, &cancel), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    });
    assert_eq!(made, Ok(Generation::FIRST));
}

/// Both are ready in the same moment; it must not be left to chance which one is seen first.
#[tokio::test(start_paused = true)]
async fn a_code_that_arrives_together_with_the_cancel_is_brought_home() {
    for _ in 0..32 {
        let fixture = GenerationFixture::new();
        let (code, waits_for) = oneshot::channel();
        let mut human = fixture.human();
        human.waits_for = Some(waits_for);
        let cancel = CancellationToken::new();
        let (made, ()) = tokio::join!(fixture.generate_until(&mut human, &cancel), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            code.send(()).unwrap();
            cancel.cancel();
        });
        assert_eq!(made, Ok(Generation::FIRST));
    }
}

/// The page said "Signed in", and in that moment the human's time was over or the operator pressed Ctrl-C.
#[rstest]
#[case::cancelled(None)]
#[case::too_late(Some(FailureReason::RedirectTimeout))]
#[tokio::test(start_paused = true)]
async fn a_code_that_was_delivered_before_the_end_is_brought_home(#[case] ends: Option<FailureReason>) {
    let fixture = GenerationFixture::new();
    let (code, waits_for) = oneshot::channel();
    let mut human = fixture.human();
    human.waits_for = Some(waits_for);
    human.fails = ends.map(|reason| Failure::new(reason, ""));
    let cancel = CancellationToken::new();
    let (made, _code) = tokio::join!(fixture.generate_until(&mut human, &cancel), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fixture.delivers().await;
        if ends.is_none() {
            cancel.cancel();
            return Some(code);
        }
        code.send(()).unwrap();
        None
    });
    assert_eq!(made, Ok(Generation::FIRST));
    assert_eq!(fixture.database.ends(), [End::Stored]);
}

/// What went wrong for another reason is not mended by a code.
#[tokio::test(start_paused = true)]
async fn a_code_beside_another_failure_is_not_looked_for() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.fails = Some(Failure::new(FailureReason::BrowserGone, ""));
    fixture.faults.fail_at("delivered_code");
    assert_eq!(
        fixture.generate_with(&mut human).await.unwrap_err().reason,
        FailureReason::BrowserGone
    );
}

/// Whether a code is there is not known, so the attempt stays for the next start.
#[tokio::test(start_paused = true)]
async fn a_database_that_cannot_say_leaves_the_attempt_open() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.fails = Some(Failure::new(FailureReason::RedirectTimeout, ""));
    fixture.faults.fail_at("delivered_code");
    assert_eq!(
        fixture.generate_with(&mut human).await.unwrap_err().reason,
        FailureReason::Storage
    );
    assert_eq!(fixture.database.ends(), [End::Open]);
}
