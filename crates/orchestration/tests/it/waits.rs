//! An account that cools down or has used up its OTP budget comes again by itself; the others go on meanwhile.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::AccountHold;
use vega_domain::event::Event;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{Answer, Clock, CooldownRepository};
use vega_domain::run::{RunRecord, RunState, WaitCause};
use vega_orchestration::WaitPolicy;

use crate::orchestration_fixture::{COOLDOWN, OrchestrationFixture, in_india, steps};
use crate::sign_ins::Script;

impl OrchestrationFixture {
    /// Carries the plan out, waits included. The day is paused time, so a run that hangs fails at once.
    async fn run_patiently(&self) -> RunRecord {
        let (plan, never) = (self.plan().await, CancellationToken::new());
        let runs = self.resume();
        let run = runs.execute(&plan, WaitPolicy::Wait, &never);
        tokio::time::timeout(Duration::from_hours(24), run)
            .await
            .unwrap()
            .unwrap()
    }

    fn kinds(&self) -> Vec<AuditKind> {
        self.database.audit().iter().map(|entry| entry.kind).collect()
    }
}

const OF_RUNS: &[&str] = &["open ", "close ", "sign in"];

fn main_and_second() -> OrchestrationFixture {
    OrchestrationFixture::of(&[
        ("main", &["PRIMARY", "WEBSOCKET1"]),
        ("second", &["OPTIONCHAIN1"]),
    ])
}

#[tokio::test(start_paused = true)]
async fn a_throttled_account_comes_again_after_its_cooldown_and_the_others_go_on_meanwhile() {
    let fixture = main_and_second();
    fixture.fails("WEBSOCKET1", FailureReason::Throttled);
    let began = Instant::now();
    let run = fixture.run_patiently().await;
    assert_eq!(
        steps(&run),
        ["PRIMARY done", "WEBSOCKET1 done", "OPTIONCHAIN1 done"]
    );
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(
        fixture.log.take_only(OF_RUNS),
        [
            "open main",
            "sign in PRIMARY",
            "sign in WEBSOCKET1",
            "close account main",
            "close main",
            "open second",
            "sign in OPTIONCHAIN1",
            "close second",
            "open main",
            "sign in WEBSOCKET1",
            "close main",
        ]
    );
    let waited = began.elapsed();
    assert!(
        waited >= COOLDOWN && waited < COOLDOWN + Duration::from_secs(2),
        "{waited:?}"
    );
    assert_eq!(fixture.human.asked(), [""; 0], "the yes still counts");
    let [wait] = &*fixture.human.waits() else {
        panic!("{:?}", fixture.human.waits())
    };
    assert_eq!(wait.account.as_str(), "main");
    let failure = Failure::new(FailureReason::Throttled, "words");
    assert_eq!(wait.cause, WaitCause::CoolingDown(failure));
    let kinds = fixture.kinds();
    let moved = kinds.iter().filter(|kind| **kind == AuditKind::RunMoved).count();
    assert_eq!(moved, 3, "to running, to waiting and back: {kinds:?}");
    let events = fixture.events.0.lock().unwrap();
    let waits = |event: &&Event| matches!(event, Event::RunWaits { .. } | Event::RunGoesOn { .. });
    assert_eq!(events.iter().filter(waits).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_waiting_the_run_ends_without_the_account() {
    let fixture = main_and_second();
    fixture.fails("PRIMARY", FailureReason::Throttled);
    let run = fixture.run().await.unwrap();
    let expected = [
        "PRIMARY failed throttled",
        "WEBSOCKET1 pending",
        "OPTIONCHAIN1 done",
    ];
    assert_eq!(steps(&run), expected);

    let again = fixture.run().await.unwrap();
    let expected = [
        "OPTIONCHAIN1 done",
        "PRIMARY skipped cooling_down",
        "WEBSOCKET1 skipped cooling_down",
    ];
    assert_eq!(steps(&again), expected, "the next start finds it cooling down");
    assert_eq!(fixture.log.take_only(&["sign in"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_later_run_waits_for_the_rest_of_the_cooldown() {
    let fixture = main_and_second();
    fixture.fails("PRIMARY", FailureReason::Throttled);
    fixture.run().await.unwrap();
    tokio::time::sleep(Duration::from_mins(6)).await;
    let began = Instant::now();
    let run = fixture.run_patiently().await;
    assert_eq!(
        steps(&run),
        ["OPTIONCHAIN1 done", "PRIMARY done", "WEBSOCKET1 done"]
    );
    let waited = began.elapsed();
    assert!(
        waited >= Duration::from_mins(5) && waited < Duration::from_secs(302),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_throttled_again_and_again_fails_in_the_end() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    for _ in 0..4 {
        fixture.fails("PRIMARY", FailureReason::Throttled);
    }
    let run = fixture.run_patiently().await;
    assert_eq!(steps(&run), ["PRIMARY failed throttled"]);
    assert_eq!(run.state, RunState::Incomplete);
    assert_eq!(fixture.log.take_only(&["sign in"]).len(), 4);
}

/// Nobody was at the desk, so the yes to the plan was somebody's who is not there.
#[rstest]
#[case::yes(Answer::Yes, "PRIMARY done", "WEBSOCKET1 done")]
#[case::no(Answer::No, "PRIMARY failed otp_timeout", "WEBSOCKET1 pending")]
#[case::standing_yes(Answer::StandingYes, "PRIMARY failed otp_timeout", "WEBSOCKET1 pending")]
#[tokio::test(start_paused = true)]
async fn after_a_human_timeout_a_fresh_yes_is_needed(
    #[case] answer: Answer,
    #[case] primary: &str,
    #[case] websocket: &str,
) {
    let fixture = main_and_second();
    fixture.human.will_say(answer);
    fixture.fails("PRIMARY", FailureReason::OtpTimeout);
    let run = fixture.run_patiently().await;
    assert_eq!(steps(&run), [primary, websocket, "OPTIONCHAIN1 done"]);
    assert_eq!(fixture.human.asked(), ["PRIMARY, WEBSOCKET1"]);
    let answers = [AuditKind::PlanConfirmed, AuditKind::PlanDeclined];
    assert!(
        fixture.kinds().iter().any(|kind| answers.contains(kind)),
        "it is on record"
    );
}

#[tokio::test(start_paused = true)]
async fn when_nobody_can_be_asked_a_human_timeout_is_not_waited_for() {
    let fixture = main_and_second();
    fixture.fails("PRIMARY", FailureReason::OtpTimeout);
    let began = Instant::now();
    let run = fixture.run_patiently().await;
    let expected = [
        "PRIMARY failed otp_timeout",
        "WEBSOCKET1 pending",
        "OPTIONCHAIN1 done",
    ];
    assert_eq!(steps(&run), expected);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_the_otp_budget_and_closes_nothing() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.fails("WEBSOCKET1", FailureReason::OtpBudget);
    // Four presses, of which the oldest leaves the window in three minutes.
    for ago in [8, 5, 3, 1] {
        let at = fixture.clock.now() - chrono::TimeDelta::minutes(ago);
        let mobile = &fixture.accounts[0].mobile_number;
        fixture.database.pressed(mobile, ClockReading::by_wall_clock(at));
    }
    let began = Instant::now();
    let run = fixture.run_patiently().await;
    assert_eq!(steps(&run), ["PRIMARY done", "WEBSOCKET1 done"]);
    let waited = began.elapsed();
    assert!(
        waited >= Duration::from_mins(3) && waited < Duration::from_secs(182),
        "{waited:?}"
    );
    assert_eq!(fixture.human.waits()[0].cause, WaitCause::OtpBudget);
    assert_eq!(fixture.database.cooldowns(), []);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_run_and_the_step_keeps_its_reason() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.fails("PRIMARY", FailureReason::Throttled);
    let run = {
        let plan = fixture.plan().await;
        fixture.orchestrator().start(plan, WaitPolicy::Wait)
    };
    tokio::time::sleep(Duration::from_mins(2)).await;
    run.cancel();
    let run = crate::orchestration_fixture::end_of(&run).await.unwrap();
    assert_eq!(steps(&run), ["PRIMARY failed throttled"]);
    assert_eq!(run.state, RunState::Incomplete);
    assert!(fixture.database.is_lease_free());
}

/// The operator knows better, in another process.
#[tokio::test(start_paused = true)]
async fn a_cooldown_that_is_cleared_ends_the_wait() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.fails("PRIMARY", FailureReason::Throttled);
    let began = Instant::now();
    let clear = async {
        tokio::time::sleep(Duration::from_mins(2)).await;
        let cooldown = fixture.database.cooldowns().remove(0);
        let audit = AuditEntry::new(fixture.clock.now(), AuditKind::AccountOpened, "");
        assert!(fixture.database.open(&cooldown, &audit).await.unwrap());
    };
    let (run, ()) = tokio::join!(fixture.run_patiently(), clear);
    assert_eq!(steps(&run), ["PRIMARY done"]);
    assert!(
        began.elapsed() < Duration::from_secs(122),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_stopped_while_it_waits_is_left_alone() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.fails("PRIMARY", FailureReason::Throttled);
    let stop = async {
        tokio::time::sleep(Duration::from_mins(2)).await;
        let mut stop = fixture.database.cooldowns().remove(0);
        stop.hold = AccountHold::Stop;
        let audit = AuditEntry::new(fixture.clock.now(), AuditKind::AccountStopped, "");
        fixture.database.close(&stop, &audit).await.unwrap();
    };
    let (run, ()) = tokio::join!(fixture.run_patiently(), stop);
    assert_eq!(steps(&run), ["PRIMARY skipped account_stopped"]);
}

/// A cooldown that seems to begin in the future lasts its length from now on.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_makes_no_cooldown_longer() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.fails("PRIMARY", FailureReason::Throttled);
    fixture
        .sign_ins
        .script("PRIMARY", Script::Meanwhile(Box::new(|| {})));
    fixture.run().await.unwrap();
    fixture.clock.set(in_india("2026-11-23T07:00:00"));
    let began = Instant::now();
    let run = fixture.run_patiently().await;
    assert_eq!(steps(&run), ["PRIMARY done"]);
    let waited = began.elapsed();
    assert!(
        waited >= COOLDOWN && waited < COOLDOWN + Duration::from_secs(2),
        "{waited:?}"
    );
}
