//! What is done unasked: tokens that Upstox could not confirm are confirmed later, without a sign-in.

use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use tokio::time::{Instant, sleep, timeout};
use vega_domain::audit::AuditKind;
use vega_domain::ids::AttemptId;
use vega_domain::ports::{Clock, Lease, LeaseError, LeaseHolder, LoginLease, ProfileAnswer, StoreError};
use vega_orchestration::{WaitPolicy, import_under_lease};
use vega_testing::builders;
use vega_testing::memory_store::KeptToken;

use crate::lease::another_process;
use crate::orchestration_fixture::{OrchestrationFixture, Standing, end_of, steps, user};
use crate::sign_ins::Script;

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_token_is_confirmed_while_the_run_still_goes_on() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let orchestrator = fixture.orchestrator();
    let plan = fixture.plan().await;
    fixture.broker.is_unreachable_for("PRIMARY");
    fixture.sign_ins.script("WEBSOCKET1", Script::Waits);
    let run = orchestrator.start(plan, WaitPolicy::NoWait);
    let primary = &fixture.accounts[0].apis[0].name;
    sleep(Duration::from_secs(20)).await;
    assert!(fixture.registry.get(primary).is_none(), "nobody has confirmed it");

    fixture
        .broker
        .says("PRIMARY", ProfileAnswer::Valid(user("AB1234")));
    sleep(Duration::from_secs(20)).await;
    assert!(fixture.registry.get(primary).is_some());
    run.cancel();
    let run = end_of(&run).await.unwrap();
    assert_eq!(steps(&run)[0], "PRIMARY failed unverified");
    assert_eq!(
        fixture.log.take_only(&["sign in"]),
        ["sign in PRIMARY", "sign in WEBSOCKET1"],
        "no sign-in was made for it"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_for_is_not_asked_about_again() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"])]);
    fixture.has("PRIMARY", Standing::Valid);
    fixture.has("WEBSOCKET1", Standing::LastCheckFailed);
    fixture.has("WEBSOCKET2", Standing::Rejected);
    fixture.log.take();
    fixture.orchestrator().upkeep().once().await.unwrap();
    assert!(fixture.log.take().is_empty());
    assert_eq!(fixture.faults.spool.take(), ["is_empty"]);
}

/// Who has the sign-in lease when something is kept that the database did not take.
#[derive(Debug)]
enum Holder {
    Nobody,
    ARunOfThisProcess,
    AnotherProcess,
}

/// A token that the database did not take.
fn kept(fixture: &OrchestrationFixture) -> KeptToken {
    KeptToken {
        new: builders::token(AttemptId::at(fixture.clock.now()), "PRIMARY", 1),
        audit: builders::entry(AuditKind::TokenStored),
        rejection: None,
    }
}

#[rstest]
#[case::nobody_signs_in(Holder::Nobody, true, &["lease taken", "lease given back"])]
#[case::this_process_does(Holder::ARunOfThisProcess, true, &[])]
#[case::another_one_does(Holder::AnotherProcess, false, &[])]
#[tokio::test(start_paused = true)]
async fn what_is_kept_is_moved_beside_nobody_elses_sign_in(
    #[case] holder: Holder,
    #[case] is_moved: bool,
    #[case] leases: &[&str],
) {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let kept = kept(&fixture);
    let own = match holder {
        Holder::Nobody => None,
        Holder::ARunOfThisProcess => Some(fixture.database.acquire().await.unwrap()),
        Holder::AnotherProcess => {
            fixture.database.lease_is_held_by(Some(another_process(&fixture)));
            None
        }
    };
    fixture
        .database
        .edit(|tables| tables.spool.tokens.insert(kept.new.token.api.clone(), kept));
    fixture.log.take();
    fixture.orchestrator().upkeep().once().await.unwrap();
    assert_eq!(fixture.log.take_only(&["lease"]), leases, "{holder:?}");
    assert_eq!(fixture.database.kept().is_empty(), is_moved);
    drop(own);
}

/// Whether its holder lives is not known yet.
struct Unheard(LeaseHolder);

#[async_trait]
impl LoginLease for Unheard {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        std::future::pending().await
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        Ok(Some(self.0.clone()))
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_who_starts_waits_for_a_holder_of_whom_nothing_is_heard() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let kept = kept(&fixture);
    fixture
        .database
        .edit(|tables| tables.spool.tokens.insert(kept.new.token.api.clone(), kept));
    let lease = Unheard(another_process(&fixture));
    let began = Instant::now();
    let moved = import_under_lease(&*fixture.database, &lease, fixture.clock.now());
    let moved = timeout(Duration::from_hours(1), moved).await;
    moved.expect("it waits").unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(fixture.database.kept().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_upstox_calls_dead_is_told_so_and_not_replaced() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.has("PRIMARY", Standing::NeverVerified);
    fixture.broker.says("PRIMARY", ProfileAnswer::Invalid);
    fixture.log.take();
    fixture.orchestrator().upkeep().once().await.unwrap();
    assert_eq!(fixture.log.take(), ["record_checks PRIMARY"]);
    assert!(fixture.database.token("PRIMARY").unwrap().rejected_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_spool_that_cannot_be_moved_keeps_nobody_from_being_asked() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.has("PRIMARY", Standing::NeverVerified);
    fixture.faults.spool_fails();
    fixture.orchestrator().upkeep().once().await.unwrap_err();
    assert_eq!(
        fixture
            .database
            .token("PRIMARY")
            .unwrap()
            .last_check
            .unwrap()
            .result,
        vega_domain::CheckResult::Valid
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_asked_into_less_and_less_often() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.has("PRIMARY", Standing::NeverVerified);
    fixture.broker.is_unreachable_for("PRIMARY");
    fixture.log.take();
    let upkeep = fixture.orchestrator().upkeep();
    let _ = tokio::time::timeout(Duration::from_hours(2), upkeep.go_on()).await;
    let asked = fixture.log.take_only(&["record_checks PRIMARY"]).len();
    assert!((5..=20).contains(&asked), "{asked} times in two hours");
}
