//! When nothing may be signed in for, whatever is dead; and what only the operator's force gets.

use chrono::TimeDelta;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use vega_domain::audit::AuditKind;
use vega_domain::clock_check::ClockCheck;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::plan::{Decision, ForceReason, NotNow, SignInCause, Wanted};
use vega_domain::ports::Clock;
use vega_domain::run::RunState;

use vega_orchestration::WaitPolicy;

use crate::orchestration_fixture::{OrchestrationFixture, Standing, in_india, steps};
use crate::sign_ins::Script;

fn one_dead() -> OrchestrationFixture {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.has("PRIMARY", Standing::Valid);
    fixture
}

fn force() -> ForceReason {
    ForceReason::new("the token leaked").unwrap()
}

#[rstest]
#[case::right(0, ClockCheck::Good)]
#[case::ahead(90, ClockCheck::Off(TimeDelta::seconds(89)))]
#[case::behind(-90, ClockCheck::Off(TimeDelta::seconds(-90)))]
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_slightly_off_is_said_and_stops_nothing(
    #[case] ahead: i64,
    #[case] check: ClockCheck,
) {
    let fixture = one_dead();
    let upstox = fixture.clock.now() - TimeDelta::seconds(ahead);
    fixture.broker.dates(Some(upstox));
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(verification.clock, check);
    assert!(matches!(verification.decision, Decision::SignIn(_)));
}

#[rstest]
#[case::plain(None)]
#[case::forced(Some(force()))]
#[tokio::test(start_paused = true)]
async fn with_a_wrong_clock_nothing_is_signed_in_for(#[case] force: Option<ForceReason>) {
    let fixture = one_dead();
    fixture
        .broker
        .dates(Some(fixture.clock.now() + TimeDelta::hours(2)));
    let verification = fixture
        .orchestrator()
        .verify(Wanted {
            force: force.as_ref(),
            ..Wanted::default()
        })
        .await
        .unwrap();
    let two_hours = TimeDelta::hours(-2);
    assert_eq!(
        verification.decision,
        Decision::NotNow(NotNow::ClockOff(two_hours))
    );
    let entry = fixture.database.audit().pop().unwrap();
    assert_eq!(entry.kind, AuditKind::SignInRefused);
    assert!(entry.detail.contains("2 h 0 min behind"), "{entry:?}");
}

#[tokio::test(start_paused = true)]
async fn with_nothing_dead_a_wrong_clock_is_only_said() {
    let fixture = one_dead();
    fixture.has("WEBSOCKET1", Standing::Valid);
    fixture
        .broker
        .dates(Some(fixture.clock.now() + TimeDelta::hours(2)));
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(verification.decision, Decision::AllValid);
    assert!(matches!(verification.clock, ClockCheck::TooFarOff(_)));
}

/// Nobody's token could be asked about, because there is none: the question for the time tells it.
#[tokio::test(start_paused = true)]
async fn when_upstox_is_out_of_reach_no_otp_is_wasted_on_a_first_morning() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.broker.is_out_of_reach();
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(
        verification.decision,
        Decision::Unreachable(Failure::new(FailureReason::Network, "timed out"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_answered_outweighs_a_lost_question_for_the_time() {
    let fixture = one_dead();
    fixture.broker.is_out_of_reach();
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert!(matches!(verification.decision, Decision::SignIn(_)));
    assert_eq!(verification.clock, ClockCheck::NotKnown);
}

#[tokio::test(start_paused = true)]
async fn around_0330_nothing_is_signed_in_for_without_force() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.clock.set(in_india("2026-11-24T03:20:00"));
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    let until = in_india("2026-11-24T03:31:00");
    assert_eq!(
        verification.decision,
        Decision::NotNow(NotNow::ClosedHours { until })
    );
    let entry = fixture.database.audit().pop().unwrap();
    assert!(
        entry.kind == AuditKind::SignInRefused && entry.detail.contains("03:31"),
        "{entry:?}"
    );

    let forced = fixture
        .orchestrator()
        .verify(Wanted {
            force: Some(&force()),
            ..Wanted::default()
        })
        .await
        .unwrap();
    assert!(matches!(forced.decision, Decision::SignIn(_)), "{forced:?}");
}

/// The run began in time, but the human was slow.
#[tokio::test(start_paused = true)]
async fn a_step_whose_turn_comes_too_near_0330_is_left_for_the_next_day() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.clock.set(in_india("2026-11-24T03:19:00"));
    let clock = fixture.clock.clone();
    let slow = Script::Meanwhile(Box::new(move || clock.set(in_india("2026-11-24T03:21:00"))));
    fixture.sign_ins.script("PRIMARY", slow);
    let run = fixture.run().await.unwrap();
    assert_eq!(steps(&run), ["PRIMARY done", "WEBSOCKET1 skipped closed_hours"]);
    assert_eq!(run.state, RunState::Incomplete);
}

#[tokio::test(start_paused = true)]
async fn force_replaces_a_valid_token_once() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.has("PRIMARY", Standing::Valid);
    let forced = fixture
        .orchestrator()
        .verify(Wanted {
            force: Some(&force()),
            ..Wanted::default()
        })
        .await
        .unwrap();
    let Decision::SignIn(plan) = forced.decision else {
        panic!("{forced:?}")
    };
    assert_eq!(plan.apis()[0].cause, SignInCause::Forced);
    let cancel = CancellationToken::new();
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &cancel)
        .await
        .unwrap();
    assert_eq!(steps(&run), ["PRIMARY done"]);
    assert_eq!(fixture.database.token("PRIMARY").unwrap().generation.get(), 2);

    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &cancel)
        .await
        .unwrap();
    assert_eq!(
        steps(&run),
        ["PRIMARY skipped already_servable"],
        "the token that came after it is not the one to replace"
    );
}

#[rstest]
#[case::never_verified(Standing::NeverVerified)]
#[case::last_check_failed(Standing::LastCheckFailed)]
#[tokio::test(start_paused = true)]
async fn force_never_replaces_an_unknown_token(#[case] standing: Standing) {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.has("PRIMARY", Standing::Valid);
    fixture.has("WEBSOCKET1", standing);
    fixture.broker.is_unreachable_for("WEBSOCKET1");
    let forced = fixture
        .orchestrator()
        .verify(Wanted {
            force: Some(&force()),
            ..Wanted::default()
        })
        .await
        .unwrap();
    let Decision::SignIn(plan) = forced.decision else {
        panic!("{forced:?}")
    };
    let planned: Vec<_> = plan.apis().iter().map(|planned| planned.api.as_str()).collect();
    assert_eq!(planned, ["PRIMARY"]);
}
