//! A run that ended incomplete is taken up again: verified first, only what is not servable, the last failed step first.

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use vega_domain::audit::AuditKind;
use vega_domain::failure::FailureReason;
use vega_domain::plan::{Decision, ForceReason, Wanted};
use vega_domain::run::{RunRecord, RunState};
use vega_orchestration::WaitPolicy;

use crate::orchestration_fixture::{OrchestrationFixture, Standing, in_india, steps};

impl OrchestrationFixture {
    async fn run_forced(&self) -> RunRecord {
        let force = ForceReason::new("a test").unwrap();
        let wanted = Wanted {
            force: Some(&force),
            ..Wanted::default()
        };
        let decision = self.orchestrator().verify(wanted).await.unwrap().decision;
        let Decision::SignIn(plan) = decision else {
            panic!("{decision:?}")
        };
        assert_eq!(plan.taken_up(), None);
        let cancel = CancellationToken::new();
        self.resume()
            .execute(&plan, WaitPolicy::NoWait, &cancel)
            .await
            .unwrap()
    }

    /// Left by an earlier start: one done, one failed, one that was never begun.
    async fn incomplete() -> (Self, RunRecord) {
        let fixture = Self::of(&[
            ("main", &["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]),
            ("second", &["OPTIONCHAIN1"]),
        ]);
        fixture.fails("WEBSOCKET1", FailureReason::BrowserGone);
        let run = fixture.run().await.unwrap();
        assert_eq!(
            steps(&run),
            [
                "PRIMARY done",
                "WEBSOCKET1 failed browser_gone",
                "WEBSOCKET2 pending",
                "OPTIONCHAIN1 done"
            ]
        );
        assert_eq!(run.state, RunState::Incomplete);
        fixture.log.take();
        (fixture, run)
    }
}

#[tokio::test(start_paused = true)]
async fn the_plan_names_the_run_and_begins_with_what_failed_last() {
    let (fixture, run) = OrchestrationFixture::incomplete().await;
    fixture.has("OPTIONCHAIN1", Standing::Rejected);
    let plan = fixture.plan().await;
    let taken_up = plan.taken_up().unwrap();
    assert_eq!((taken_up.run, taken_up.settled, taken_up.of), (run.id, 2, 4));
    assert_eq!(plan.names(), "WEBSOCKET1, WEBSOCKET2, OPTIONCHAIN1");
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_with_what_is_missing_and_is_completed() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    let run = fixture.run().await.unwrap();
    assert_eq!((run.id, run.state), (left.id, RunState::Completed));
    assert_eq!(
        steps(&run),
        [
            "PRIMARY done",
            "OPTIONCHAIN1 done",
            "WEBSOCKET1 done",
            "WEBSOCKET2 done"
        ]
    );
    assert_eq!(
        fixture.log.take_only(&["sign in", "take_up", "begin"]),
        ["take_up", "sign in WEBSOCKET1", "sign in WEBSOCKET2"]
    );
    let taken_up = fixture.database.audit();
    let taken_up = taken_up
        .iter()
        .find(|entry| entry.kind == AuditKind::RunTakenUp)
        .unwrap();
    assert_eq!(taken_up.run, Some(left.id));
    assert_eq!(
        taken_up.detail,
        "2 of 4 steps were settled; WEBSOCKET1 (missing), WEBSOCKET2 (missing)"
    );
    assert!(fixture.database.cooldowns().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_lost_meanwhile_is_made_again_before_the_run_is_completed() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    fixture.has("PRIMARY", Standing::Rejected);
    let run = fixture.run().await.unwrap();
    assert_eq!((run.id, run.state), (left.id, RunState::Completed));
    let signed_in = fixture.log.take_only(&["sign in"]);
    assert_eq!(
        signed_in,
        ["sign in WEBSOCKET1", "sign in PRIMARY", "sign in WEBSOCKET2"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_chosen_stays_open_and_the_run_incomplete() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    let plan = fixture.plan().await;
    let chosen = [fixture.accounts[0].apis[2].name.clone()];
    let plan = plan.only(&chosen).unwrap();
    let cancel = CancellationToken::new();
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &cancel)
        .await
        .unwrap();
    assert_eq!((run.id, run.state), (left.id, RunState::Incomplete));
    assert_eq!(
        steps(&run),
        [
            "PRIMARY done",
            "WEBSOCKET1 failed browser_gone",
            "OPTIONCHAIN1 done",
            "WEBSOCKET2 done"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn when_verification_finds_everything_good_the_run_is_completed_without_a_sign_in() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    fixture.has("WEBSOCKET1", Standing::Valid);
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert!(verification.completed.is_none(), "one is missing");
    fixture.has("WEBSOCKET2", Standing::Valid);
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(verification.decision, Decision::AllValid);
    let completed = verification.completed.unwrap();
    assert_eq!((completed.id, completed.state), (left.id, RunState::Completed));
    assert!(fixture.database.is_lease_free());
    assert_eq!(fixture.log.take_only(&["sign in", "open"]), [""; 0]);
    assert!(fixture.resume().queries().open().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn on_the_next_day_it_is_abandoned_and_a_fresh_one_begins() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    fixture.clock.set(in_india("2026-11-24T08:45:00"));
    let orchestrator = fixture.orchestrator();
    let verification = orchestrator.verify(Wanted::default()).await.unwrap();
    let [abandoned] = &*verification.left_over.abandoned else {
        panic!("{:?}", verification.left_over)
    };
    assert_eq!((abandoned.id, abandoned.state), (left.id, RunState::Abandoned));
    assert!(fixture.database.is_lease_free());
    let Decision::SignIn(plan) = verification.decision else {
        panic!("{:?}", verification.decision)
    };
    assert_eq!(plan.taken_up(), None);
    assert_eq!(plan.apis().len(), 4, "every token has died");
    let verification = orchestrator.verify(Wanted::default()).await.unwrap();
    assert!(verification.left_over.abandoned.is_empty(), "it is told once");

    let run = fixture.run().await.unwrap();
    assert_ne!(run.id, left.id);
    assert_eq!(run.state, RunState::Completed);
}

/// Sign-ins of the night belong to the day that ends at 03:30.
#[tokio::test(start_paused = true)]
async fn until_0330_it_is_the_same_day() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    fixture.clock.set(in_india("2026-11-24T03:10:00"));
    assert_eq!(
        fixture.resume().queries().open().await.unwrap().unwrap().id,
        left.id
    );
    fixture.clock.set(in_india("2026-11-24T03:30:00"));
    assert!(fixture.resume().queries().open().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_forced_plan_is_a_run_of_its_own_and_leaves_the_open_one_open() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    tokio::time::advance(TimeDelta::seconds(1).to_std().unwrap()).await;
    fixture.has("WEBSOCKET1", Standing::Valid);
    fixture.has("WEBSOCKET2", Standing::LastCheckFailed);
    let forced = fixture.run_forced().await;
    assert_ne!(forced.id, left.id);
    assert_eq!(forced.steps.len(), 4);
    assert_eq!(
        fixture.resume().queries().open().await.unwrap().unwrap().id,
        left.id
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_not_taken_up() {
    let (fixture, left) = OrchestrationFixture::incomplete().await;
    let plan = fixture.plan().await;
    let resume = fixture.resume();
    let running = async {
        let cancel = CancellationToken::new();
        fixture
            .sign_ins
            .script("WEBSOCKET1", crate::sign_ins::Script::Waits);
        resume.execute(&plan, WaitPolicy::NoWait, &cancel).await.unwrap()
    };
    let cancelling = async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        assert_eq!(resume.queries().request_cancel().await.unwrap(), Some(left.id));
    };
    let (run, ()) = tokio::join!(running, cancelling);
    assert_eq!((run.id, run.state), (left.id, RunState::Cancelled));
    assert!(fixture.resume().queries().open().await.unwrap().is_none());
    assert_eq!(fixture.plan().await.taken_up(), None);
}
