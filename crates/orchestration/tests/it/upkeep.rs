//! What is done unasked: tokens that Upstox could not confirm are confirmed later, without a sign-in.

use std::time::Duration;

use tokio::time::sleep;
use vega_domain::ports::ProfileAnswer;
use vega_orchestration::WaitPolicy;

use crate::sign_ins::Script;
use crate::world::{Standing, World, end_of, steps, user};

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_token_is_confirmed_while_the_run_still_goes_on() {
    let world = World::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let orchestrator = world.orchestrator();
    let plan = world.plan().await;
    world.broker.is_unreachable_for("PRIMARY");
    world.sign_ins.script("WEBSOCKET1", Script::Waits);
    let run = orchestrator.start(plan, WaitPolicy::NoWait);
    let primary = &world.accounts[0].apis[0].name;
    sleep(Duration::from_secs(20)).await;
    assert!(world.registry.get(primary).is_none(), "nobody has confirmed it");

    world.broker.says("PRIMARY", ProfileAnswer::Valid(user("AB1234")));
    sleep(Duration::from_secs(20)).await;
    assert!(world.registry.get(primary).is_some());
    run.cancel();
    let run = end_of(&run).await.unwrap();
    assert_eq!(steps(&run)[0], "PRIMARY failed unverified");
    assert_eq!(
        world.log.take_only(&["sign in"]),
        ["sign in PRIMARY", "sign in WEBSOCKET1"],
        "no sign-in was made for it"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_for_is_not_asked_about_again() {
    let world = World::of(&[("main", &["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"])]);
    world.has("PRIMARY", Standing::Valid);
    world.has("WEBSOCKET1", Standing::LastCheckFailed);
    world.has("WEBSOCKET2", Standing::Rejected);
    world.log.take();
    world.orchestrator().upkeep().once().await.unwrap();
    assert!(world.log.take().is_empty());
    assert_eq!(world.faults.spool.take(), ["import"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_upstox_calls_dead_is_told_so_and_not_replaced() {
    let world = World::of(&[("main", &["PRIMARY"])]);
    world.has("PRIMARY", Standing::NeverVerified);
    world.broker.says("PRIMARY", ProfileAnswer::Invalid);
    world.log.take();
    world.orchestrator().upkeep().once().await.unwrap();
    assert_eq!(world.log.take(), ["record_check PRIMARY"]);
    assert!(world.database.token("PRIMARY").unwrap().rejected_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_spool_that_cannot_be_moved_keeps_nobody_from_being_asked() {
    let world = World::of(&[("main", &["PRIMARY"])]);
    world.has("PRIMARY", Standing::NeverVerified);
    world.faults.spool_fails();
    world.orchestrator().upkeep().once().await.unwrap_err();
    assert_eq!(
        world
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
    let world = World::of(&[("main", &["PRIMARY"])]);
    world.has("PRIMARY", Standing::NeverVerified);
    world.broker.is_unreachable_for("PRIMARY");
    world.log.take();
    let upkeep = world.orchestrator().upkeep();
    let _ = tokio::time::timeout(Duration::from_hours(2), upkeep.go_on()).await;
    let asked = world.log.take_only(&["record_check PRIMARY"]).len();
    assert!((5..=20).contains(&asked), "{asked} times in two hours");
}
