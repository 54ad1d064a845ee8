//! One sign-in at a time per installation: whoever comes second is told who is first, and changes nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vega_domain::ports::{Clock, Lease, LeaseError, LeaseHolder, LoginLease, StoreError};
use vega_orchestration::{OrchestrationPorts, ResumeOrchestrator, RunError, WaitPolicy};

use vega_domain::plan::Wanted;

use crate::orchestration_fixture::{OrchestrationFixture, end_of};
use crate::sign_ins::Script;

pub(crate) fn another_process(fixture: &OrchestrationFixture) -> LeaseHolder {
    LeaseHolder {
        pid: 4711,
        host: "desk-2".into(),
        since: fixture.clock.now(),
        is_this_process: false,
    }
}

#[tokio::test(start_paused = true)]
async fn while_another_process_signs_in_nothing_begins_and_its_name_is_told() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    let holder = another_process(&fixture);
    fixture.database.lease_is_held_by(Some(holder.clone()));
    let error = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap_err();
    let words = error.to_string();
    for part in ["4711", "desk-2", "08:45:00 IST"] {
        assert!(words.contains(part), "{words}");
    }
    assert!(matches!(error, RunError::Held(Some(told)) if told == holder));
    assert!(fixture.log.take().is_empty());
    assert!(fixture.database.runs().is_empty());

    fixture.database.lease_is_held_by(None);
    fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn tokens_can_be_verified_while_another_process_signs_in() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.database.lease_is_held_by(Some(another_process(&fixture)));
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(verification.statuses.len(), 5);
}

/// Two runs in one process: the first waits for its human when the second comes.
#[tokio::test(start_paused = true)]
async fn a_second_run_of_another_orchestrator_is_refused() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.sign_ins.script("PRIMARY", Script::Waits);
    let first = fixture.orchestrator().start(plan.clone(), WaitPolicy::NoWait);
    tokio::task::yield_now().await;
    assert!(!fixture.database.is_lease_free());

    let second = fixture.orchestrator().start(plan, WaitPolicy::NoWait);
    assert!(matches!(end_of(&second).await, Err(error) if matches!(*error, RunError::Held(Some(_)))));
    first.cancel();
    end_of(&first).await.unwrap();
    assert_eq!(fixture.database.runs().len(), 1);
    assert!(fixture.database.is_lease_free());
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_free_again_when_the_run_could_not_begin_or_end() {
    for (fails_at, has_begun) in [("begin", false), ("run completed", true)] {
        let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
        let plan = fixture.plan().await;
        fixture.faults.fail_at(fails_at);
        let error = fixture
            .resume()
            .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
            .await
            .unwrap_err();
        assert_eq!(error.run().is_some(), has_begun, "{error:?}");
        assert!(fixture.database.is_lease_free(), "{fails_at}");
        assert!(!fixture.sign_ins.is_a_session_open(), "{fails_at}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_run_in_the_database_no_browser_opens() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let plan = fixture.plan().await;
    fixture.faults.fail_at("begin");
    fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(
        fixture.log.take(),
        ["lease taken", "begin fails", "lease given back"]
    );
}

/// Another process takes it after so long.
#[derive(Debug, Clone)]
struct LostAfter(Duration);

#[async_trait]
impl Lease for LostAfter {
    async fn lost(&self) {
        sleep(self.0).await;
    }
}

#[async_trait]
impl LoginLease for LostAfter {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        Ok(Box::new(self.clone()))
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        Ok(None)
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Another process has it, and this one was held up and has not heard of it.
#[derive(Debug)]
struct LostUnheard;

impl Lease for LostUnheard {}

#[async_trait]
impl LoginLease for LostUnheard {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        Ok(Box::new(Self))
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        Ok(None)
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        Err(StoreError::TakenOver(None))
    }
}

fn losing_it(fixture: &OrchestrationFixture) -> ResumeOrchestrator {
    under(fixture, Arc::new(LostAfter(Duration::from_secs(1))))
}

fn under(fixture: &OrchestrationFixture, lease: Arc<dyn LoginLease>) -> ResumeOrchestrator {
    let ports = OrchestrationPorts {
        lease,
        ..fixture.ports()
    };
    ResumeOrchestrator::new(
        fixture.accounts.clone(),
        ports,
        fixture.validity(),
        fixture.generation(),
    )
}

fn was_taken_over(error: &RunError) -> bool {
    !matches!(error, RunError::Held(_)) && error.is_elsewhere()
}

#[rstest]
#[case::before_the_run("begin")]
#[case::within_the_run("run running")]
#[tokio::test(start_paused = true)]
async fn a_database_that_ended_the_session_of_one_that_was_held_up_is_not_the_cause(#[case] fails: &str) {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.faults.fail_at(fails);
    let error = under(&fixture, Arc::new(LostUnheard))
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(was_taken_over(&error), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_on_its_way_is_brought_home_when_the_lease_is_lost() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.broker.takes(Duration::from_secs(2));
    let run = losing_it(&fixture);
    let error = run
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(was_taken_over(&error), "{error}");
    assert_eq!(
        fixture.log.take_only(&["POST", "store"]),
        ["POST PRIMARY", "store PRIMARY"]
    );
    assert!(!fixture.sign_ins.is_a_session_open());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_when_the_lease_is_lost() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.sign_ins.script("PRIMARY", Script::Waits);
    let run = losing_it(&fixture);
    let error = run
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(was_taken_over(&error), "{error}");
    assert!(!fixture.sign_ins.is_a_session_open());
    assert!(fixture.log.take_only(&["POST"]).is_empty());
}
