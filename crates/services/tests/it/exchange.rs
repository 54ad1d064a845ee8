//! The token call: made again only while no byte of it has left, and never after.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use tokio::time::{Instant, sleep};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::Generation;
use vega_domain::ports::ExchangeError;
use vega_domain::secret::RawAnswer;

use crate::generation_fixture::{GenerationFixture, another_process, ist, raw_answer};
use vega_testing::memory_store::End;

impl GenerationFixture {
    fn posts(&self) -> usize {
        self.log.take().iter().filter(|effect| *effect == "POST").count()
    }
}

fn not_sent() -> Result<RawAnswer, ExchangeError> {
    Err(ExchangeError::NotSent(Failure::new(
        FailureReason::Network,
        "connection refused",
    )))
}

fn lost() -> Result<RawAnswer, ExchangeError> {
    Err(ExchangeError::OutcomeUnknown("connection reset".into()))
}

#[rstest]
#[case::sent_at_once(vec![Ok(raw_answer())], 1, Ok(()))]
#[case::sent_at_the_second_try(vec![not_sent(), Ok(raw_answer())], 2, Ok(()))]
#[case::sent_at_the_third_try(vec![not_sent(), not_sent(), Ok(raw_answer())], 3, Ok(()))]
#[case::never_sent(vec![not_sent(), not_sent(), not_sent(), Ok(raw_answer())], 3, Err(FailureReason::Network))]
#[case::lost_at_once(vec![lost(), Ok(raw_answer())], 1, Err(FailureReason::OutcomeUnknown))]
#[case::lost_at_the_second_try(
    vec![not_sent(), lost(), Ok(raw_answer())], 2, Err(FailureReason::OutcomeUnknown)
)]
#[tokio::test(start_paused = true)]
async fn a_code_is_sent_again_only_while_it_never_left(
    #[case] script: Vec<Result<RawAnswer, ExchangeError>>,
    #[case] posts: usize,
    #[case] outcome: Result<(), FailureReason>,
) {
    let fixture = GenerationFixture::new();
    let began = Instant::now();
    fixture.broker.answers(Duration::ZERO, script);
    let made = fixture.generate().await;
    assert!(began.elapsed() <= Duration::from_mins(1));

    let mut expected = vec!["seal_code".to_owned()];
    expected.extend(std::iter::repeat_n("POST".to_owned(), posts));
    match outcome {
        Ok(()) => {
            assert_eq!(made, Ok(Generation::FIRST));
            expected.extend(
                [
                    "seal_answer",
                    "record verifying",
                    "read",
                    "profile",
                    "store",
                    "publish",
                ]
                .map(str::to_owned),
            );
        }
        Err(reason) => {
            assert_eq!(made.unwrap_err().reason, reason);
            expected.push(format!("close {reason}"));
            assert_eq!(fixture.database.ends(), [End::Closed(reason)]);
            assert!(!fixture.is_served());
        }
    }
    assert_eq!(fixture.log.take()[6..], expected);
}

/// Another machine took this one for dead, cleared up, and may have made a token that this call would end.
#[rstest]
#[case::who_has_it(false)]
#[case::who_had_it_and_is_done(true)]
#[tokio::test(start_paused = true)]
async fn who_lost_the_lease_between_two_tries_sends_nothing_more(#[case] is_given_back: bool) {
    let fixture = GenerationFixture::new();
    fixture
        .broker
        .answers(Duration::ZERO, vec![not_sent(), Ok(raw_answer())]);
    let (made, ()) = tokio::join!(fixture.generate(), async {
        sleep(Duration::from_secs(2)).await;
        fixture.database.lease_is_held_by(Some(another_process()));
        if is_given_back {
            fixture.database.lease_is_held_by(None);
        }
    });
    assert_eq!(made.unwrap_err().reason, FailureReason::TakenOver);
    assert_eq!(fixture.posts(), 1);
    // Whose it is now closes it.
    assert_eq!(fixture.database.ends(), [End::Open]);
}

/// It stood still with the code announced, and not yet sent.
#[tokio::test(start_paused = true)]
async fn who_was_taken_over_before_the_call_sends_nothing() {
    let fixture = GenerationFixture::new();
    let database = Arc::clone(&fixture.database);
    fixture.faults.happens_at("seal_code", move || {
        database.lease_is_held_by(Some(another_process()));
    });
    let made = fixture.generate().await;
    assert_eq!(made.unwrap_err().reason, FailureReason::TakenOver);
    assert_eq!(fixture.posts(), 0);
}

/// It gives the lease to nobody as long as it is away, and the human's work is not wasted.
#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_say_whose_the_sign_in_is_costs_no_code() {
    let fixture = GenerationFixture::new();
    fixture.faults.fail_at("refuse_taken_over");
    let began = Instant::now();
    assert_eq!(fixture.generate().await, Ok(Generation::FIRST));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn tries_are_seconds_apart() {
    let fixture = GenerationFixture::new();
    let began = Instant::now();
    fixture
        .broker
        .answers(Duration::ZERO, vec![not_sent(), not_sent(), not_sent()]);
    fixture.generate().await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::from_secs(25));
}

#[tokio::test(start_paused = true)]
async fn validity_counts_from_the_try_that_left() {
    let fixture = GenerationFixture::at(ist("2026-11-23T03:29:58"));
    fixture
        .broker
        .answers(Duration::from_secs(1), vec![not_sent(), Ok(raw_answer())]);
    fixture.generate().await.unwrap();
    let token = fixture.database.tokens().remove(0).token;
    assert_eq!(token.issued_at, ist("2026-11-23T03:30:04"));
    assert_eq!(token.valid_until, ist("2026-11-24T03:30:00"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_keeps_the_words_that_came_with_it() {
    let fixture = GenerationFixture::new();
    fixture.broker.answers(Duration::ZERO, vec![lost()]);
    let failure = fixture.generate().await.unwrap_err();
    assert_eq!(
        failure,
        Failure::new(FailureReason::OutcomeUnknown, "connection reset")
    );
    let closed = fixture.database.audit().pop().unwrap();
    assert!(closed.detail.contains("outcome_unknown") && closed.detail.contains("connection reset"));
}
