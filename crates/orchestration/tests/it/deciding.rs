//! Verify first, then sign in for what is dead and for nothing else.

use rstest::rstest;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::plan::{Decision, Plan, Wanted};
use vega_domain::ports::ProfileAnswer;
use vega_domain::token::TokenStatus;
use vega_orchestration::RunError;

use crate::world::{Standing, World};

const SIX: [&str; 6] = [
    "PRIMARY",
    "WEBSOCKET1",
    "WEBSOCKET2",
    "WEBSOCKET3",
    "OPTIONCHAIN1",
    "OPTIONCHAIN2",
];

fn six_valid() -> World {
    let world = World::of(&[("main", &SIX)]);
    for api in SIX {
        world.has(api, Standing::Valid);
    }
    world
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.apis().iter().map(|planned| planned.api.as_str()).collect()
}

fn api(name: &str) -> ApiName {
    ApiName::new(name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn with_every_token_valid_nobody_signs_in() {
    let world = six_valid();
    let verification = world.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(verification.decision, Decision::AllValid);
    assert!(verification.left_over.cut_off.is_none());
    let seen: Vec<_> = verification
        .statuses
        .iter()
        .map(|status| status.api.as_str())
        .collect();
    assert_eq!(seen, SIX);
    assert!(
        verification
            .statuses
            .iter()
            .all(|status| status.status == TokenStatus::Valid)
    );
    assert!(world.log.take_only(&["open", "sign in", "begin"]).is_empty());
    assert!(
        world.registry.get(&api("PRIMARY")).is_some(),
        "a proven token is served"
    );
}

#[rstest]
#[case::outage_now(Standing::Valid, true)]
#[case::last_check_failed(Standing::LastCheckFailed, true)]
#[case::never_verified(Standing::NeverVerified, true)]
#[case::never_verified_but_proven_now(Standing::NeverVerified, false)]
#[tokio::test(start_paused = true)]
async fn an_unknown_token_never_leads_to_a_sign_in(#[case] standing: Standing, #[case] outage: bool) {
    let world = six_valid();
    world.has("WEBSOCKET2", standing);
    if outage {
        world.broker.is_unreachable_for("WEBSOCKET2");
    }
    let verification = world.orchestrator().verify(Wanted::default()).await.unwrap();
    if outage {
        assert_eq!(
            verification.decision,
            Decision::OnlyUnknown(vec![api("WEBSOCKET2")])
        );
    } else {
        assert_eq!(verification.decision, Decision::AllValid);
    }

    world.has("PRIMARY", Standing::Expired);
    let run = world.run().await.unwrap();
    assert_eq!(run.steps.len(), 1);
    assert_eq!(world.log.take_only(&["sign in"]), ["sign in PRIMARY"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_all_profiles_plans_nothing() {
    let world = six_valid();
    for api in SIX {
        world.broker.is_unreachable_for(api);
    }
    let decision = world
        .orchestrator()
        .verify(Wanted::default())
        .await
        .unwrap()
        .decision;
    assert_eq!(
        decision,
        Decision::Unreachable(Failure::new(FailureReason::Network, ""))
    );
}

#[tokio::test(start_paused = true)]
async fn two_dead_of_six_are_two_sign_ins() {
    let world = six_valid();
    world.has("WEBSOCKET1", Standing::Expired);
    world.has("OPTIONCHAIN2", Standing::Rejected);
    let run = world.run().await.unwrap();
    assert_eq!(run.steps.len(), 2);
    assert_eq!(
        world.log.take_only(&["sign in"]),
        ["sign in WEBSOCKET1", "sign in OPTIONCHAIN2"]
    );
    let again = world.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(again.decision, Decision::AllValid);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_upstox_calls_dead_is_planned_and_not_served_any_more() {
    let world = six_valid();
    world.orchestrator().verify(Wanted::default()).await.unwrap();
    assert!(world.registry.get(&api("WEBSOCKET3")).is_some());
    world.broker.says("WEBSOCKET3", ProfileAnswer::Invalid);
    assert_eq!(names(&world.plan().await), ["WEBSOCKET3"]);
    assert!(world.registry.get(&api("WEBSOCKET3")).is_none());
}

#[tokio::test(start_paused = true)]
async fn only_the_chosen_apis_are_asked_about_and_planned() {
    let world = World::of(&[("main", &SIX)]);
    world.has("PRIMARY", Standing::Valid);
    world.has("WEBSOCKET1", Standing::Valid);
    let chosen = [api("OPTIONCHAIN1"), api("PRIMARY")];
    let verification = world
        .orchestrator()
        .verify(Wanted {
            apis: &chosen,
            ..Wanted::default()
        })
        .await
        .unwrap();
    let Decision::SignIn(plan) = &verification.decision else {
        panic!("a missing token must be planned");
    };
    assert_eq!(names(plan), ["OPTIONCHAIN1"]);
    assert_eq!(verification.statuses.len(), 2);
    assert_eq!(world.log.take_only(&["record_check"]), ["record_check PRIMARY"]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_cannot_be_recorded_ends_verification_without_a_plan() {
    let world = six_valid();
    world.database.fail_at("record_check PRIMARY");
    let error = world.orchestrator().verify(Wanted::default()).await.unwrap_err();
    assert!(matches!(error, RunError::Store(_)), "{error:?}");
    assert!(world.lease.is_free());
}
