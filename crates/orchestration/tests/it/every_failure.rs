//! Every failure, wherever it may strike, with everything that may follow: no combination ends a run with an error of its
//! own, leaves one that goes on though nobody carries it out, sends a code twice, or takes anything from another account.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::cooldown::AccountHold;
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::plan::{Decision, Wanted};
use vega_domain::ports::{
    Answer, Clock, CooldownRepository, ExecutionStateRepository, ProfileAnswer, SignInAttempts,
};
use vega_domain::run::{RunRecord, RunState, SkipReason, StepState};
use vega_orchestration::WaitPolicy;

use crate::broker::Exchanged;
use crate::orchestration_fixture::{OrchestrationFixture, steps, user};
use crate::sign_ins::Script;

/// Where in a step the failure strikes, and so in which state the step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strikes {
    /// Pending: the account's session does not open.
    Opening,
    /// Signing in, no OTP asked for.
    SigningIn,
    /// Signing in, an OTP is spent.
    PastPress,
    /// Verifying: Upstox's answer to the code reads like this.
    Exchange,
    /// Exchanging, for the step's next state could not be saved.
    UnrecordedExchange,
    /// Verifying: the new token's profile cannot be asked for.
    Profile,
}

const EVERYWHERE: [Strikes; 6] = [
    Strikes::Opening,
    Strikes::SigningIn,
    Strikes::PastPress,
    Strikes::Exchange,
    Strikes::UnrecordedExchange,
    Strikes::Profile,
];

/// What follows where the account comes again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// Nobody waits for it.
    Leaving,
    /// The wait is over, and the human says this if asked; `None` when nobody is there.
    Waiting(Option<Answer>),
    /// The program is stopped during the wait.
    Stopped,
    /// Another process asks the run to end.
    AskedToEnd,
    /// The operator clears the cooldown in another process.
    Cleared,
    /// Another process stops the account.
    Closed,
}

const EVERYTHING: [Follows; 8] = [
    Follows::Leaving,
    Follows::Waiting(Some(Answer::Yes)),
    Follows::Waiting(Some(Answer::No)),
    Follows::Waiting(None),
    Follows::Stopped,
    Follows::AskedToEnd,
    Follows::Cleared,
    Follows::Closed,
];

/// More often than any run comes again.
const ALWAYS: usize = 12;

fn world_where(reason: FailureReason, strikes: Strikes, times: usize) -> OrchestrationFixture {
    let fixture = OrchestrationFixture::of(&[
        ("main", &["PRIMARY", "WEBSOCKET1"]),
        ("second", &["OPTIONCHAIN1"]),
    ]);
    let failure = Failure::new(reason, "words");
    // While no OTP was asked for, one sign-in is up to three tries.
    let tries =
        if reason.recovery_action() == RecoveryAction::RetryBeforePress && strikes == Strikes::SigningIn {
            3
        } else {
            1
        };
    for _ in 0..times * tries {
        match strikes {
            Strikes::Opening => fixture.sign_ins.script("main", Script::Fails(failure.clone())),
            Strikes::SigningIn => fixture.sign_ins.script("PRIMARY", Script::Fails(failure.clone())),
            Strikes::PastPress => fixture
                .sign_ins
                .script("PRIMARY", Script::FailsPastPress(failure.clone())),
            Strikes::Exchange | Strikes::UnrecordedExchange => {
                fixture
                    .broker
                    .exchanges("PRIMARY", Exchanged::Refused(failure.clone()));
            }
            Strikes::Profile => fixture
                .broker
                .says("PRIMARY", ProfileAnswer::Unknown(failure.clone())),
        }
    }
    if strikes == Strikes::UnrecordedExchange {
        fixture.faults.fail_once_at("PRIMARY verifying");
    }
    fixture
}

/// Carries the plan out while this follows.
async fn run(fixture: &OrchestrationFixture, follows: Follows) -> RunRecord {
    let answer = match follows {
        Follows::Waiting(answer) => answer,
        _ => Some(Answer::Yes),
    };
    for _ in 0..ALWAYS {
        if let Some(answer) = answer {
            fixture.human.will_say(answer);
        }
    }
    let wait_policy = if follows == Follows::Leaving {
        WaitPolicy::NoWait
    } else {
        WaitPolicy::Wait
    };
    let (plan, cancel) = (fixture.plan().await, CancellationToken::new());
    let runs = fixture.resume();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_mins(2)).await;
        let audit = AuditEntry::new(fixture.clock.now(), AuditKind::AccountOpened, "");
        match follows {
            Follows::Stopped => cancel.cancel(),
            Follows::AskedToEnd => {
                fixture
                    .database
                    .request_cancel(fixture.clock.now())
                    .await
                    .unwrap();
            }
            Follows::Cleared => fixture.database.opens_all(),
            Follows::Closed => {
                for mut stop in fixture.database.cooldowns() {
                    stop.hold = AccountHold::Stop;
                    CooldownRepository::close(&*fixture.database, &stop, &audit)
                        .await
                        .unwrap();
                }
            }
            Follows::Leaving | Follows::Waiting(_) => {}
        }
    };
    let run = runs.execute(&plan, wait_policy, &cancel);
    // The day is paused time, so a run that hangs fails at once.
    let run = tokio::time::timeout(Duration::from_hours(24), async { tokio::join!(run, meanwhile).0 });
    run.await.unwrap().unwrap()
}

/// How often the account has been closed for a while, and for good.
fn closings(fixture: &OrchestrationFixture) -> (usize, usize) {
    let audit = fixture.database.audit();
    let count = |kind| audit.iter().filter(|entry| entry.kind == kind).count();
    (count(AuditKind::CooldownBegun), count(AuditKind::AccountStopped))
}

fn state<'r>(run: &'r RunRecord, api: &str) -> &'r StepState {
    let step = run.steps.iter().find(|step| step.api.as_str() == api);
    &step.unwrap().state
}

/// Reading an answer touches no database, so it never fails for one.
fn may_strike(reason: FailureReason, strikes: Strikes) -> bool {
    let reads = matches!(strikes, Strikes::Exchange | Strikes::UnrecordedExchange);
    !(reads && reason.is_of_storage())
}

/// The reason for which the step fails.
fn comes_to(reason: FailureReason, strikes: Strikes) -> FailureReason {
    match strikes {
        Strikes::Profile => FailureReason::Unverified,
        _ => reason,
    }
}

fn holds(
    fixture: &OrchestrationFixture,
    run: &RunRecord,
    seen: FailureReason,
    strikes: Strikes,
    follows: Follows,
    case: &str,
) {
    let next = seen.recovery_action();
    assert_eq!(fixture.database.runs().len(), 1, "{case}");
    assert_eq!(fixture.database.runs()[0].state, run.state, "{case}");
    assert!(!run.state.is_active(), "{case}: {:?}", run.state);
    assert!(fixture.database.is_lease_free(), "{case}");
    assert!(!fixture.sign_ins.is_a_session_open(), "{case}");
    assert_eq!(
        fixture.database.open_attempts(),
        open_attempts(seen, strikes),
        "{case}"
    );

    let primary = state(run, "PRIMARY");
    assert!(primary.is_final(), "{case}: {primary:?}");
    match primary {
        StepState::Failed(failure) => assert_eq!(failure.reason, seen, "{case}"),
        StepState::Skipped(why) => assert_eq!(*why, SkipReason::AccountStopped, "{case}"),
        other => assert_eq!(*other, StepState::Done, "{case}"),
    }
    let comes_again = matches!(
        next,
        RecoveryAction::CoolDown | RecoveryAction::CoolDownThenAsk | RecoveryAction::WaitForBudget
    );
    assert!(
        comes_again || *primary != StepState::Done,
        "{case}: no failure is forgotten"
    );
    let others = state(run, "OPTIONCHAIN1");
    if next == RecoveryAction::EndRun {
        assert_eq!(*others, StepState::Pending, "{case}");
    } else {
        assert_eq!(*others, StepState::Done, "{case}: another account goes on");
    }
    let (cooldowns, stops) = closings(fixture);
    let is_closed_by_now =
        |cooldown| matches!(next, RecoveryAction::CoolDown | RecoveryAction::CoolDownThenAsk) == cooldown;
    assert!(is_closed_by_now(cooldowns > 0), "{case}: {cooldowns} cooldowns");
    assert_eq!(
        stops > 0,
        next == RecoveryAction::StopAccount,
        "{case}: {stops} stops"
    );
    let waits = follows != Follows::Leaving && next == RecoveryAction::CoolDown;
    let goes_on = matches!(follows, Follows::Waiting(_) | Follows::Cleared);
    if waits && goes_on && cooldowns == 1 {
        assert_eq!(
            *primary,
            StepState::Done,
            "{case}: the confirmed run goes on by itself"
        );
    }
}

/// An attempt whose failure is that nothing can be stored stays open for the next start.
fn open_attempts(seen: FailureReason, strikes: Strikes) -> usize {
    usize::from(seen.is_of_storage() && strikes != Strikes::Opening)
}

/// Once everything is mended, the next yes brings every token that is missing.
async fn is_made_good(fixture: &OrchestrationFixture, case: &str) {
    fixture.sign_ins.forget_scripts();
    fixture.broker.is_well();
    fixture.database.opens_all();
    let verified = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    if let Decision::SignIn(plan) = verified.decision {
        let run = fixture
            .resume()
            .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
            .await
            .unwrap();
        let of_plan = run
            .steps
            .iter()
            .filter(|step| plan.apis().iter().any(|planned| planned.api == step.api));
        for step in of_plan {
            assert_eq!(step.state, StepState::Done, "{case}: {:?}", steps(&run));
        }
    }
    let verified = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert!(matches!(verified.decision, Decision::AllValid), "{case}");
    for status in &verified.statuses {
        assert!(status.servable, "{case}: {}", status.api);
    }
}

#[tokio::test(start_paused = true)]
async fn no_failure_anywhere_ends_a_run_with_an_error_of_its_own() {
    for &reason in FailureReason::ALL {
        for strikes in EVERYWHERE
            .into_iter()
            .filter(|strikes| may_strike(reason, *strikes))
        {
            for follows in EVERYTHING {
                for times in [1, ALWAYS] {
                    let case = format!("{reason}, {strikes:?}, {follows:?}, {times} times");
                    let fixture = world_where(reason, strikes, times);
                    let run = run(&fixture, follows).await;
                    let seen = comes_to(reason, strikes);
                    holds(&fixture, &run, seen, strikes, follows, &case);
                    is_made_good(&fixture, &case).await;
                }
            }
        }
    }
}

/// What the issue was about, by itself: the token call is answered with 429.
#[tokio::test(start_paused = true)]
async fn a_throttled_token_call_closes_the_account_and_sends_no_code_again() {
    let fixture = world_where(FailureReason::Throttled, Strikes::Exchange, 1);
    let run = run(&fixture, Follows::Waiting(None)).await;
    assert_eq!(
        steps(&run),
        ["PRIMARY done", "WEBSOCKET1 done", "OPTIONCHAIN1 done"]
    );
    let calls = ["sign in", "POST", "close account"];
    assert_eq!(
        fixture.log.take_only(&calls),
        [
            "sign in PRIMARY",
            "POST PRIMARY",
            "close account main",
            "sign in OPTIONCHAIN1",
            "POST OPTIONCHAIN1",
            "sign in PRIMARY",
            "POST PRIMARY",
            "sign in WEBSOCKET1",
            "POST WEBSOCKET1",
        ]
    );
    assert_eq!(run.state, RunState::Completed);
}

/// A token call that is never answered, or never leaves.
#[tokio::test(start_paused = true)]
async fn a_token_call_without_an_answer_ends_no_run_either() {
    for follows in EVERYTHING {
        for (exchanged, tries, reason) in [
            (Exchanged::NotSent, 3, FailureReason::Network),
            (Exchanged::Lost, 1, FailureReason::OutcomeUnknown),
        ] {
            let case = format!("{reason}, {follows:?}");
            let fixture = OrchestrationFixture::of(&[
                ("main", &["PRIMARY", "WEBSOCKET1"]),
                ("second", &["OPTIONCHAIN1"]),
            ]);
            for _ in 0..tries {
                fixture.broker.exchanges("PRIMARY", exchanged.clone());
            }
            let run = run(&fixture, follows).await;
            holds(&fixture, &run, reason, Strikes::Exchange, follows, &case);
            is_made_good(&fixture, &case).await;
        }
    }
}

/// Each write of a run fails once, or for good: the run is not left as one that goes on.
#[tokio::test(start_paused = true)]
async fn a_write_that_fails_leaves_no_run_that_goes_on() {
    let effects = [
        "run running",
        "PRIMARY signing_in",
        "open_attempt PRIMARY",
        "PRIMARY exchanging",
        "PRIMARY verifying",
        "store PRIMARY",
        "PRIMARY done",
        "PRIMARY failed throttled",
        "PRIMARY pending",
        "close account main",
        "run waiting",
        "run completed",
        "run incomplete",
    ];
    for effect in effects {
        for follows in EVERYTHING {
            for for_good in [false, true] {
                for reason in [
                    None,
                    Some(FailureReason::Throttled),
                    Some(FailureReason::PinRefused),
                ] {
                    let case = format!("{effect}, {follows:?}, for good: {for_good}, {reason:?}");
                    let fixture = match reason {
                        Some(reason) => world_where(reason, Strikes::Exchange, 1),
                        None => OrchestrationFixture::of(&[("main", &["PRIMARY"])]),
                    };
                    if for_good {
                        fixture.faults.fail_at(effect);
                    } else {
                        fixture.faults.fail_once_at(effect);
                    }
                    let ran = ran(&fixture, follows).await;
                    let active = || fixture.database.runs().iter().any(|run| run.state.is_active());
                    if !for_good {
                        assert!(!active(), "{case}: {ran:?}");
                    }
                    fixture.faults.heal();
                    fixture.orchestrator().clear_up().await.unwrap();
                    assert!(!active(), "{case}: {ran:?}");
                    assert!(
                        fixture.database.is_lease_free() && !fixture.sign_ins.is_a_session_open(),
                        "{case}"
                    );
                    is_made_good(&fixture, &case).await;
                }
            }
        }
    }
}

/// As `run`, but the run may not come to its end.
async fn ran(fixture: &OrchestrationFixture, follows: Follows) -> Result<RunRecord, String> {
    let wait_policy = if follows == Follows::Leaving {
        WaitPolicy::NoWait
    } else {
        WaitPolicy::Wait
    };
    let (plan, cancel) = (fixture.plan().await, CancellationToken::new());
    let runs = fixture.resume();
    let stop = async {
        tokio::time::sleep(Duration::from_mins(2)).await;
        match follows {
            Follows::Stopped => cancel.cancel(),
            Follows::Cleared => fixture.database.opens_all(),
            _ => {}
        }
    };
    let run = runs.execute(&plan, wait_policy, &cancel);
    let run = tokio::time::timeout(Duration::from_hours(24), async { tokio::join!(run, stop).0 });
    run.await.unwrap().map_err(|error| error.to_string())
}

/// A process may die in any state of a step, with any failure of its attempt on record: the next start ends the run, and
/// the one after that is as good as any.
#[tokio::test(start_paused = true)]
async fn whatever_a_dead_process_left_is_cleared_up_and_made_good() {
    let deaths = [
        StepState::Pending,
        StepState::SigningIn,
        StepState::Exchanging,
        StepState::Verifying,
        StepState::Failed(Failure::new(FailureReason::Throttled, "words")),
        StepState::Skipped(SkipReason::CoolingDown),
    ];
    for &reason in FailureReason::ALL {
        for death in &deaths {
            for run_state in [RunState::Planned, RunState::Running, RunState::Waiting] {
                let case = format!("{reason}, {death:?}, {run_state:?}");
                let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
                let mut left = fixture.left_run(&[("PRIMARY", death.clone())]);
                left.state = run_state;
                let now = fixture.clock.now();
                let audit = AuditEntry::new(now, AuditKind::AttemptOpened, "");
                fixture.database.begin(&left, &audit).await.unwrap();
                if !matches!(death, StepState::Pending) {
                    let attempt = fixture.first_attempt(&left);
                    fixture.database.open_attempt(&attempt, &audit).await.unwrap();
                    let failure = Failure::new(reason, "words");
                    fixture.closes_newest_attempt(&failure, &audit).await;
                }
                let left_over = fixture.orchestrator().clear_up().await.unwrap();
                assert_eq!(
                    left_over.cut_off.map(|run| run.state),
                    Some(RunState::Incomplete),
                    "{case}"
                );
                assert!(fixture.database.is_lease_free(), "{case}");
                is_made_good(&fixture, &case).await;
            }
        }
    }
}

/// The owner's word for a new token is asked again: a token that is refused at once is no token.
#[tokio::test(start_paused = true)]
async fn a_token_of_another_profile_or_none_ends_no_run_either() {
    for follows in EVERYTHING {
        for answer in [ProfileAnswer::Invalid, ProfileAnswer::Valid(user("ZZ9999"))] {
            let case = format!("{answer:?}, {follows:?}");
            let fixture = OrchestrationFixture::of(&[
                ("main", &["PRIMARY", "WEBSOCKET1"]),
                ("second", &["OPTIONCHAIN1"]),
            ]);
            fixture.broker.says("PRIMARY", answer.clone());
            let run = run(&fixture, follows).await;
            let seen = match answer {
                ProfileAnswer::Invalid => FailureReason::TokenRejected,
                _ => FailureReason::Unverified,
            };
            holds(&fixture, &run, seen, Strikes::Profile, follows, &case);
            is_made_good(&fixture, &case).await;
        }
    }
}
