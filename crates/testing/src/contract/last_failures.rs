//! How the last sign-in of each API failed: by a step or by an attempt, whatever the clock said meanwhile.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::RunId;
use vega_domain::ports::LastFailure;
use vega_domain::run::{RunState, StepState};

use super::contract_fixture::ContractFixture;
use super::installation::Installation;
use crate::builders::{at, entry_at, run, run_at, token};

fn failed(reason: FailureReason) -> StepState {
    StepState::Failed(Failure::new(reason, "words"))
}

fn lost() -> Failure {
    Failure::new(FailureReason::OutcomeUnknown, "words")
}

impl<I: Installation> ContractFixture<I> {
    async fn takes_up(&self, id: RunId, seconds: i64) {
        let mut taken_up = run(&["PRIMARY"]);
        taken_up.id = id;
        let audit = entry_at(AuditKind::RunTakenUp, seconds);
        self.runs.take_up(&taken_up, &audit).await.unwrap();
    }

    async fn told(&self) -> LastFailure {
        self.run_history.last_failures().await.unwrap().remove(0)
    }
}

pub async fn the_last_failure_is_the_newest_ends_and_a_later_token_settles_it<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let fail = async |run, name: &str, reason, seconds| {
        let state = failed(reason);
        fixture.save_at(run, name, &state, seconds).await.unwrap();
    };
    let first = fixture.running(&["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]).await;
    fail(first, "PRIMARY", FailureReason::Network, -100).await;
    fail(first, "WEBSOCKET1", FailureReason::Network, -100).await;
    fail(first, "WEBSOCKET2", FailureReason::BrowserGone, -100).await;
    fixture.end(first, RunState::Incomplete).await;
    let second = run_at(&["PRIMARY", "WEBSOCKET1"], 1);
    fixture.begins(&second).await;
    fail(second.id, "PRIMARY", FailureReason::Throttled, -50).await;
    fixture.has(second.id, "WEBSOCKET1", 1).await;

    let failures = fixture.run_history.last_failures().await.unwrap();
    let failures: Vec<_> = failures
        .iter()
        .map(|last| {
            (
                last.api.as_str(),
                last.run_began,
                last.stored,
                last.failure.reason,
            )
        })
        .collect();
    assert_eq!(
        failures,
        [
            ("PRIMARY", at(1), at(-50), FailureReason::Throttled),
            ("WEBSOCKET2", at(0), at(-100), FailureReason::BrowserGone)
        ]
    );
}

/// Its run is over, and the start that clears up closes what was left of the sign-in.
pub async fn an_attempt_that_is_closed_after_its_step_tells_how_the_sign_in_failed<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let id = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(id, "PRIMARY", 1).await;
    fixture.save(id, "PRIMARY", &failed(FailureReason::Storage)).await;
    fixture.end(id, RunState::Incomplete).await;
    fixture.closes(attempt, &lost(), 9).await;
    let told = fixture.told().await;
    assert_eq!((told.stored, told.failure), (at(9), lost()));

    // And so it does while the step lies open again.
    fixture.takes_up(id, 10).await;
    assert_eq!(fixture.told().await.failure, lost());
}

/// Two unresolved outcomes may be in the same words, and the clock may be set back between them.
pub async fn a_failure_is_told_with_the_attempt_that_ended_last<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let id = fixture.running(&["PRIMARY"]).await;
    let first = fixture.answered(id, "PRIMARY", 1).await;
    fixture.closes(first, &lost(), 9).await;
    assert_eq!(fixture.told().await.attempt, Some(first));
    let second = fixture.answered(id, "PRIMARY", 1).await;
    assert_eq!(fixture.told().await.attempt, Some(first), "the other one goes on");
    fixture.closes(second, &lost(), 8).await;
    let told = fixture.told().await;
    assert_eq!((told.failure, told.attempt), (lost(), Some(second)));
}

/// The clock was set back between a failure in another run and the attempt that left its outcome unresolved.
pub async fn an_unresolved_outcome_that_the_last_attempt_left_is_not_hidden_by_what_the_clock_calls_later<
    I: Installation,
>() {
    let fixture = ContractFixture::<I>::new().await;
    let first = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    for state in [StepState::SigningIn, failed(FailureReason::Throttled)] {
        fixture.save_at(first, "PRIMARY", &state, 7200).await.unwrap();
    }
    fixture.end(first, RunState::Incomplete).await;
    let second = run_at(&["PRIMARY"], 1);
    fixture.begins(&second).await;
    let attempt = fixture.answered(second.id, "PRIMARY", 1).await;
    let unresolved = Failure::new(FailureReason::InterruptedPastPress, "");
    fixture.closes(attempt, &unresolved, 9).await;
    let told = fixture.told().await;
    assert_eq!((told.failure, told.stored), (unresolved, at(9)));
    // A later failure that is none goes by the clock again.
    let attempt = fixture.answered(second.id, "PRIMARY", 1).await;
    let gone = Failure::new(FailureReason::BrowserGone, "");
    fixture.closes(attempt, &gone, 10).await;
    assert_eq!(fixture.told().await.failure.reason, FailureReason::Throttled);
}

/// The clock ran ahead when the older token was verified.
pub async fn a_token_of_an_earlier_sign_in_settles_no_failure<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let id = fixture.running(&["PRIMARY"]).await;
    let stored = fixture.answered(id, "PRIMARY", 1).await;
    let mut older = token(stored, "PRIMARY", 1);
    older.token.verified_at = Some(at(7200));
    fixture.store(&older).await.unwrap();
    let attempt = fixture.answered(id, "PRIMARY", 2).await;
    fixture.closes(attempt, &lost(), 9).await;
    assert_eq!(fixture.told().await.failure, lost());
    // One that came after it does.
    let stored = fixture.answered(id, "PRIMARY", 2).await;
    let mut newer = token(stored, "PRIMARY", 2);
    newer.token.verified_at = Some(at(10));
    fixture.store(&newer).await.unwrap();
    assert_eq!(fixture.run_history.last_failures().await.unwrap(), []);
}

/// A forced run is another one, and the open run is taken up after it.
pub async fn the_step_that_ended_last_tells_and_not_the_run_that_began_last<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let first = fixture.running(&["PRIMARY"]).await;
    fixture.end(first, RunState::Incomplete).await;
    let second = run_at(&["PRIMARY"], 1);
    fixture.begins(&second).await;
    let save = async |run, state: StepState, seconds| {
        fixture.save_at(run, "PRIMARY", &state, seconds).await.unwrap();
    };
    save(second.id, StepState::SigningIn, 2).await;
    save(second.id, StepState::Done, 3).await;
    fixture.end(second.id, RunState::Completed).await;
    fixture.takes_up(first, 4).await;
    save(first, StepState::Failed(lost()), 5).await;
    assert_eq!(fixture.told().await.failure, lost());
}
