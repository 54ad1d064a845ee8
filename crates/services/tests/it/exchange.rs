//! The token call: made again only while no byte of it has left, and never after.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::Generation;
use vega_domain::ports::ExchangeError;
use vega_domain::secret::RawAnswer;

use crate::world::{World, ist, raw_answer};
use vega_testing::memory_store::End;

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
    let world = World::new();
    let began = Instant::now();
    world.broker.answers(Duration::ZERO, script);
    let made = world.generate().await;
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
            assert_eq!(world.database.ends(), [End::Closed(reason)]);
            assert!(!world.is_served());
        }
    }
    assert_eq!(world.log.take()[6..], expected);
}

#[tokio::test(start_paused = true)]
async fn tries_are_seconds_apart() {
    let world = World::new();
    let began = Instant::now();
    world
        .broker
        .answers(Duration::ZERO, vec![not_sent(), not_sent(), not_sent()]);
    world.generate().await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::from_secs(25));
}

#[tokio::test(start_paused = true)]
async fn validity_counts_from_the_try_that_left() {
    let world = World::at(ist("2026-11-23T03:29:58"));
    world
        .broker
        .answers(Duration::from_secs(1), vec![not_sent(), Ok(raw_answer())]);
    world.generate().await.unwrap();
    let token = world.database.tokens().remove(0).token;
    assert_eq!(token.issued_at, ist("2026-11-23T03:30:04"));
    assert_eq!(token.valid_until, ist("2026-11-24T03:30:00"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_keeps_the_words_that_came_with_it() {
    let world = World::new();
    world.broker.answers(Duration::ZERO, vec![lost()]);
    let failure = world.generate().await.unwrap_err();
    assert_eq!(
        failure,
        Failure::new(FailureReason::OutcomeUnknown, "connection reset")
    );
    let closed = world.database.audit().pop().unwrap();
    assert!(closed.detail.contains("outcome_unknown") && closed.detail.contains("connection reset"));
}
