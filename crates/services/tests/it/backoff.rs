//! Upstox is out of reach: the sign-in is tried again while no OTP was asked for in the attempt, and never after.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vega_domain::event::Event;
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::ids::Generation;
use vega_domain::sign_in::Notice;

use crate::generation_fixture::GenerationFixture;
use vega_testing::memory_store::End;

fn fails(reason: FailureReason) -> Failure {
    Failure::new(reason, "words of the page")
}

/// The notices of tries to come: why, and after how many seconds.
fn told(fixture: &GenerationFixture) -> Vec<(FailureReason, u64)> {
    let events = fixture.events.all.lock().unwrap();
    let tries = events.iter().filter_map(|event| match event {
        Event::Noticed {
            api,
            notice: Notice::TriesAgain { because, after },
        } => {
            assert_eq!(*api, fixture.account.apis[0].name);
            Some((*because, after.as_secs()))
        }
        _ => None,
    });
    tries.collect()
}

fn count(log: &[String], what: &str) -> usize {
    log.iter().filter(|effect| *effect == what).count()
}

#[rstest]
#[case::network(FailureReason::Network)]
#[case::broker_down(FailureReason::BrokerDown)]
#[tokio::test(start_paused = true)]
async fn it_comes_through_as_soon_as_upstox_is_back(
    #[case] reason: FailureReason,
    #[values(1, 2)] times: usize,
) {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.fails_first = std::iter::repeat_n(fails(reason), times).collect();
    let began = Instant::now();
    assert_eq!(fixture.generate_with(&mut human).await, Ok(Generation::FIRST));

    let pauses = [5, 20];
    assert_eq!(began.elapsed().as_secs(), pauses[..times].iter().sum::<u64>());
    let expected: Vec<_> = pauses[..times].iter().map(|pause| (reason, *pause)).collect();
    assert_eq!(told(&fixture), expected);
    let log = fixture.log.take();
    assert_eq!(count(&log, "sign_in"), times + 1);
    assert_eq!(
        count(&log, "open_attempt"),
        1,
        "one attempt, tried again: {log:?}"
    );
    assert_eq!(count(&log, "press"), 1);
    human.states.dedup();
    assert_eq!(human.states.len(), 1, "with the same state");
}

#[tokio::test(start_paused = true)]
async fn after_three_tries_the_step_fails() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.fails_first = std::iter::repeat_n(fails(FailureReason::BrokerDown), 4).collect();
    let failure = fixture.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure, fails(FailureReason::BrokerDown));
    assert_eq!(human.fails_first.len(), 1, "three tries in all");
    assert_eq!(fixture.database.ends(), [End::Closed(FailureReason::BrokerDown)]);
    assert!(!fixture.log.take().contains(&"request_otp".to_owned()));
}

/// The OTP may be spent, and another press is not Vega's to make.
#[rstest]
#[case::its_own(1, false)]
#[case::the_humans(0, true)]
#[tokio::test(start_paused = true)]
async fn after_a_press_nothing_is_tried_again(
    #[case] presses: u32,
    #[case] in_the_window: bool,
    #[values(FailureReason::Network, FailureReason::BrokerDown)] reason: FailureReason,
) {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    (human.presses, human.presses_in_the_window) = (presses, in_the_window);
    human.fails = Some(fails(reason));
    // One try before the press is harmless.
    human.fails_first = [fails(reason)].into();
    let began = Instant::now();
    let failure = fixture.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure.reason, reason);
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(told(&fixture).len(), 1);
    assert_eq!(count(&fixture.log.take(), "sign_in"), 2);
}

#[tokio::test(start_paused = true)]
async fn only_an_upstox_out_of_reach_is_tried_again() {
    for &reason in FailureReason::ALL {
        let tries = match reason {
            reason if reason.recovery_action() == RecoveryAction::RetryBeforePress => 3,
            _ => 1,
        };
        let fixture = GenerationFixture::new();
        let mut human = fixture.human();
        human.fails_first = std::iter::repeat_n(fails(reason), 9).collect();
        assert_eq!(fixture.generate_with(&mut human).await, Err(fails(reason)));
        assert_eq!(9 - human.fails_first.len(), tries, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_pause() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.fails_first = [fails(FailureReason::Network), fails(FailureReason::Network)].into();
    let cancel = CancellationToken::new();
    let began = Instant::now();
    let (made, ()) = tokio::join!(fixture.generate_until(&mut human, &cancel), async {
        // In the second pause, which lasts from 5 to 25 s.
        tokio::time::sleep(Duration::from_secs(8)).await;
        cancel.cancel();
    });
    assert_eq!(made.unwrap_err().reason, FailureReason::Cancelled);
    assert_eq!(began.elapsed().as_secs(), 8);
    assert_eq!(fixture.database.ends(), [End::Closed(FailureReason::Cancelled)]);
    assert_eq!(count(&fixture.log.take(), "sign_in"), 2);
}
