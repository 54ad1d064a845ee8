//! A second start in the same process joins the run that is under way.

use std::sync::Arc;

use vega_domain::event::Event;
use vega_domain::run::RunState;
use vega_orchestration::WaitPolicy;

use crate::orchestration_fixture::{OrchestrationFixture, end_of, steps};
use crate::sign_ins::Script;

#[tokio::test(start_paused = true)]
async fn a_second_start_gets_the_run_that_is_under_way() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let orchestrator = fixture.orchestrator();
    let plan = fixture.plan().await;
    fixture.sign_ins.script("PRIMARY", Script::Waits);
    assert!(orchestrator.under_way().is_none());
    let first = orchestrator.start(plan.clone(), WaitPolicy::NoWait);
    let second = orchestrator.start(plan.clone(), WaitPolicy::NoWait);
    assert_eq!((first.is_joined(), second.is_joined()), (false, true));
    assert!(orchestrator.under_way().is_some());
    tokio::task::yield_now().await;

    second.cancel();
    let (one, two) = (end_of(&first).await.unwrap(), end_of(&second).await.unwrap());
    assert_eq!(one.id, two.id);
    assert_eq!(steps(&two), ["PRIMARY failed cancelled"]);
    assert_eq!(fixture.database.runs().len(), 1);
    assert_eq!(fixture.log.take_only(&["lease taken", "open main"]).len(), 2);

    assert!(orchestrator.under_way().is_none(), "it is over");
    let third = orchestrator.start(plan, WaitPolicy::NoWait);
    assert!(!third.is_joined());
    assert_eq!(end_of(&third).await.unwrap().state, RunState::Completed);
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_hears_what_happens_from_then_on() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let orchestrator = fixture.orchestrator();
    let plan = fixture.plan().await;
    let first = orchestrator.start(plan.clone(), WaitPolicy::NoWait);
    let mut heard = orchestrator.start(plan, WaitPolicy::NoWait).events();
    let run = end_of(&first).await.unwrap();
    let mut events = Vec::new();
    while let Ok(event) = heard.try_recv() {
        events.push(event);
    }
    let ended = Event::RunEnded {
        run: run.id,
        state: RunState::Completed,
    };
    assert_eq!(events.last(), Some(&ended));
    assert_eq!(
        events,
        *fixture.events.0.lock().unwrap(),
        "the program hears the same"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_reaches_everybody_who_waits() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let orchestrator = fixture.orchestrator();
    let plan = fixture.plan().await;
    fixture.faults.fail_at("PRIMARY done");
    let first = orchestrator.start(plan.clone(), WaitPolicy::NoWait);
    let second = orchestrator.start(plan, WaitPolicy::NoWait);
    let (one, two) = (
        end_of(&first).await.unwrap_err(),
        end_of(&second).await.unwrap_err(),
    );
    assert!(Arc::ptr_eq(&one, &two), "{one}");
}
