//! Verify first, then sign in for what is dead and for nothing else.

use std::time::Duration;

use rstest::rstest;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vega_domain::accounts::ApiSelection;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{ApiName, ClientId};
use vega_domain::plan::{Decision, ForceReason, Plan, Wanted};
use vega_domain::ports::{LastPriceAnswer, ProfileAnswer};
use vega_domain::token::{StoredToken, TokenStatus};
use vega_orchestration::{RunError, WaitPolicy};

use crate::orchestration_fixture::{OrchestrationFixture, Standing, steps};

const SIX: [&str; 6] = [
    "PRIMARY",
    "WEBSOCKET1",
    "WEBSOCKET2",
    "WEBSOCKET3",
    "OPTIONCHAIN1",
    "OPTIONCHAIN2",
];

fn six_valid() -> OrchestrationFixture {
    let fixture = OrchestrationFixture::of(&[("main", &SIX)]);
    for api in SIX {
        fixture.has(api, Standing::Valid);
    }
    fixture
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.apis().iter().map(|planned| planned.api.as_str()).collect()
}

fn api(name: &str) -> ApiName {
    ApiName::new(name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn with_every_token_valid_nobody_signs_in() {
    let fixture = six_valid();
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
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
    assert!(fixture.log.take_only(&["open", "sign in", "begin"]).is_empty());
    assert!(
        fixture.registry.get(&api("PRIMARY")).is_some(),
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
    let fixture = six_valid();
    fixture.has("WEBSOCKET2", standing);
    if outage {
        fixture.broker.is_unreachable_for("WEBSOCKET2");
    }
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    if outage {
        assert_eq!(
            verification.decision,
            Decision::OnlyUnknown(vec![api("WEBSOCKET2")])
        );
    } else {
        assert_eq!(verification.decision, Decision::AllValid);
    }

    fixture.has("PRIMARY", Standing::Expired);
    let run = fixture.run().await.unwrap();
    assert_eq!(run.steps.len(), 1);
    assert_eq!(fixture.log.take_only(&["sign in"]), ["sign in PRIMARY"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_all_profiles_plans_nothing() {
    let fixture = six_valid();
    for api in SIX {
        fixture.broker.is_unreachable_for(api);
    }
    let decision = fixture
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
    let fixture = six_valid();
    fixture.has("WEBSOCKET1", Standing::Expired);
    fixture.has("OPTIONCHAIN2", Standing::Rejected);
    let run = fixture.run().await.unwrap();
    assert_eq!(run.steps.len(), 2);
    assert_eq!(
        fixture.log.take_only(&["sign in"]),
        ["sign in WEBSOCKET1", "sign in OPTIONCHAIN2"]
    );
    let again = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(again.decision, Decision::AllValid);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_upstox_calls_dead_is_planned_and_not_served_any_more() {
    let fixture = six_valid();
    fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert!(fixture.registry.get(&api("WEBSOCKET3")).is_some());
    fixture.broker.says("WEBSOCKET3", ProfileAnswer::Invalid);
    assert_eq!(names(&fixture.plan().await), ["WEBSOCKET3"]);
    assert!(fixture.registry.get(&api("WEBSOCKET3")).is_none());
}

/// A fault of the profile call looks like the death of all. Before OTPs are asked for, another kind of call must agree.
#[rstest]
#[case::a_price_is_given(LastPriceAnswer::Given)]
#[case::not_from_this_address(LastPriceAnswer::Unknown(Failure::new(FailureReason::StaticIp, "UDAPI1221")))]
#[case::no_answer(LastPriceAnswer::Unknown(Failure::new(FailureReason::UnclearRefusal, "")))]
#[tokio::test(start_paused = true)]
async fn never_5_a_sign_in_because_one_call_refuses_all_tokens(#[case] price: LastPriceAnswer) {
    let fixture = six_valid();
    fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    fixture.broker.answers_price_calls(price);
    for name in SIX {
        fixture.broker.says(name, ProfileAnswer::Invalid);
    }
    sleep(Duration::from_mins(90)).await;
    let decision = fixture
        .orchestrator()
        .verify(Wanted::default())
        .await
        .unwrap()
        .decision;
    assert_eq!(decision, Decision::OnlyUnknown(SIX.map(api).to_vec()));
    // One by one either, and by force either.
    let reason = ForceReason::new("the desk wants new ones").unwrap();
    for name in SIX.map(api) {
        let wanted = Wanted {
            apis: &ApiSelection::Only(vec![name.clone()]),
            force: Some(&reason),
            ..Wanted::default()
        };
        let decision = fixture.orchestrator().verify(wanted).await.unwrap().decision;
        assert_eq!(decision, Decision::OnlyUnknown(vec![name.clone()]));
        assert!(
            fixture.registry.get(&name).is_some(),
            "programs keep what was proven"
        );
    }
    assert!(fixture.log.take_only(&["sign in"]).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_two_kinds_of_calls_refuse_is_planned() {
    let fixture = six_valid();
    for name in SIX {
        fixture.broker.says(name, ProfileAnswer::Invalid);
    }
    sleep(Duration::from_mins(90)).await;
    assert_eq!(names(&fixture.plan().await), SIX);
}

/// Upstox called it dead by mistake, and says so when it is asked again.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_taken_back_needs_no_sign_in() {
    let fixture = six_valid();
    fixture.has("WEBSOCKET3", Standing::Rejected);
    assert_eq!(names(&fixture.plan().await), ["WEBSOCKET3"]);
    fixture.broker.holds_good("WEBSOCKET3");
    let decision = fixture
        .orchestrator()
        .verify(Wanted::default())
        .await
        .unwrap()
        .decision;
    assert_eq!(decision, Decision::AllValid);
    assert!(fixture.log.take_only(&["sign in"]).is_empty());
}

/// What the operator took back stays so, whatever Upstox says.
#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_not_asked_about() {
    let fixture = six_valid();
    fixture.has("WEBSOCKET3", Standing::Revoked);
    assert_eq!(names(&fixture.plan().await), ["WEBSOCKET3"]);
    let checked = fixture.log.take_only(&["record_checks"]);
    assert!(
        !checked.iter().any(|checked| checked.contains("WEBSOCKET3")),
        "{checked:?}"
    );
}

/// Between the plan and its turn another process found the token good.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_taken_back_before_its_turn_costs_no_otp() {
    let fixture = six_valid();
    fixture.has("WEBSOCKET3", Standing::Rejected);
    let plan = fixture.plan().await;
    fixture.has("WEBSOCKET3", Standing::Valid);
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(steps(&run), ["WEBSOCKET3 skipped already_servable"]);
    assert!(fixture.log.take_only(&["sign in"]).is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_the_chosen_apis_are_asked_about_and_planned() {
    let fixture = OrchestrationFixture::of(&[("main", &SIX)]);
    fixture.has("PRIMARY", Standing::Valid);
    fixture.has("WEBSOCKET1", Standing::Valid);
    let chosen = ApiSelection::Only(vec![api("OPTIONCHAIN1"), api("PRIMARY")]);
    let verification = fixture
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
    assert_eq!(
        fixture.log.take_only(&["record_checks"]),
        ["record_checks PRIMARY"]
    );
}

/// No sign-in is made for it, so nobody who waits for a plan waits for it.
#[rstest]
#[case::soon(Duration::from_millis(1500), 2)]
#[case::late(Duration::from_mins(1), 1)]
#[tokio::test(start_paused = true)]
async fn an_analytics_token_is_heard_only_where_its_answer_comes_soon(
    #[case] takes: Duration,
    #[case] recorded: usize,
) {
    let fixture = six_valid();
    let account = fixture.accounts.iter().next().unwrap();
    let analytics = StoredToken {
        api: ApiName::of_analytics(&account.id),
        client_id: ClientId::of_no_app(),
        ..fixture.token("PRIMARY", Standing::Valid)
    };
    fixture.database.put(analytics);
    fixture.broker.takes_for_a_price(takes);
    let began = Instant::now();
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(verification.decision, Decision::AllValid);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(fixture.log.take_only(&["record_checks"]).len(), recorded);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_cannot_be_recorded_ends_verification_without_a_plan() {
    let fixture = six_valid();
    let all = "PRIMARY WEBSOCKET1 WEBSOCKET2 WEBSOCKET3 OPTIONCHAIN1 OPTIONCHAIN2";
    fixture.faults.fail_at(&format!("record_checks {all}"));
    let error = fixture
        .orchestrator()
        .verify(Wanted::default())
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::Store(_)), "{error:?}");
    assert!(fixture.database.is_lease_free());
}
