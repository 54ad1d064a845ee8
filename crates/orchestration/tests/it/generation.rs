//! The whole use case, as both programs call it: what a request comes to, in which stages, and what is spent on the way.

use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use vega_domain::account::{Account, Route};
use vega_domain::accounts::ApiSelection;
use vega_domain::audit::AuditKind;
use vega_domain::failure::FailureReason;
use vega_domain::plan::{ForceReason, Plan};
use vega_domain::ports::{Answer, Approver, Clock, MockApprover};
use vega_domain::run::RunState;
use vega_orchestration::{FinishedRun, GenerationRequest, Outcome, Stage, WaitPolicy};

use crate::orchestration_fixture::{OrchestrationFixture, Standing, in_india};
use crate::requirements::Requirement;

fn request() -> GenerationRequest {
    GenerationRequest {
        apis: ApiSelection::All,
        force: None,
        again: Vec::new(),
        wait_policy: WaitPolicy::NoWait,
    }
}

fn answering(answer: Answer) -> MockApprover {
    let mut operator = MockApprover::new();
    operator.expect_confirm().return_const(answer);
    operator
}

/// The outcome, and the stages on the way.
async fn generate(fixture: &OrchestrationFixture, operator: &dyn Approver) -> (Outcome, Vec<&'static str>) {
    let stages = Mutex::new(Vec::new());
    let enter = |stage: Stage<'_>| {
        stages.lock().unwrap().push(match stage {
            Stage::Verified(_) => "verified",
            Stage::Confirming(_) => "confirming",
            Stage::Running => "running",
        });
    };
    let cancel = CancellationToken::new();
    let outcome = fixture
        .orchestrator()
        .generate(&request(), operator, &cancel, &enter)
        .await;
    (outcome, stages.into_inner().unwrap())
}

fn one_dead() -> OrchestrationFixture {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    fixture.has("PRIMARY", Standing::Valid);
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_yes_leads_to_a_run_and_its_end() {
    let fixture = one_dead();
    let (outcome, stages) = generate(&fixture, &answering(Answer::Yes)).await;
    let Outcome::Ran(finished) = outcome else {
        panic!("{outcome:?}")
    };
    let FinishedRun { run, plan, whole } = *finished;
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(
        (plan.names().as_str(), whole.names().as_str()),
        ("WEBSOCKET1", "WEBSOCKET1")
    );
    assert_eq!(stages, ["verified", "confirming", "running"]);
}

/// What is no run, with the words that say what to do, and nothing spent.
#[rstest]
#[case::all_valid(|fixture: &OrchestrationFixture| fixture.has("WEBSOCKET1", Standing::Valid), "AllValid", "no sign-in is needed", &["verified"])]
#[case::unknown(|fixture: &OrchestrationFixture| fixture.has("WEBSOCKET1", Standing::LastCheckFailed), "AllValid", "no sign-in is needed", &["verified"])]
#[case::clock_off(|fixture: &OrchestrationFixture| fixture.broker.dates(Some(fixture.clock.now() + TimeDelta::hours(2))), "NotNow", "2 h 0 min behind Upstox's", &["verified"])]
#[case::closed_hours(|fixture: &OrchestrationFixture| fixture.clock.set(in_india("2026-11-24T03:20:00")), "NotNow", "closed until 03:31 IST", &["verified"])]
#[case::no(|_: &OrchestrationFixture| (), "Declined", "declined", &["verified", "confirming"])]
#[tokio::test(start_paused = true)]
async fn without_a_run_the_outcome_says_why(
    #[case] given: fn(&OrchestrationFixture),
    #[case] outcome: &str,
    #[case] words: &str,
    #[case] stages: &[&str],
) {
    let fixture = one_dead();
    given(&fixture);
    let (found, entered) = generate(&fixture, &answering(Answer::No)).await;
    assert!(format!("{found:?}").starts_with(outcome), "{found:?}");
    assert!(found.words().contains(words), "{}", found.words());
    assert_eq!(entered, stages);
    assert_eq!(
        fixture.log.take_only(&["open"]),
        Vec::<String>::new(),
        "no browser"
    );
}

/// Each is on record, and found before the operator is asked.
#[rstest]
#[case::key(Requirement::Key, "key: the key is gone")]
#[case::browser(Requirement::Browser, "browser: no browser")]
#[case::nobody_can_answer(Requirement::Window, "human: nobody could answer")]
#[tokio::test(start_paused = true)]
async fn what_is_missing_is_told_before_anybody_is_asked(#[case] missing: Requirement, #[case] entry: &str) {
    let fixture = one_dead();
    fixture.requirements.lack(missing);
    // Without an expectation, a question would panic.
    let (outcome, stages) = generate(&fixture, &MockApprover::new()).await;
    assert!(matches!(outcome, Outcome::NotReady(_)), "{outcome:?}");
    assert_eq!(stages, ["verified"]);
    let told = fixture.database.audit().pop().unwrap();
    assert_eq!(told.kind, AuditKind::PreflightFailed);
    assert!(told.detail.starts_with(entry), "{told:?}");
    assert!(fixture.database.is_lease_free());
}

/// Links need somebody who reads them, or a program that opens them; a code needs a way back.
#[rstest]
#[case::nobody_reads(false, false, "the own-browser route shows a link")]
#[case::no_way_back(
    true,
    false,
    "a sign-in for PRIMARY in your own browser is not possible here: the port is taken"
)]
#[case::all_is_there(true, true, "")]
#[tokio::test(start_paused = true)]
async fn the_own_browser_route_has_needs_of_its_own(
    #[case] opens_links: bool,
    #[case] comes_back: bool,
    #[case] words: &str,
) {
    let mut fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    let own_browser = |account: &Account| Account {
        route: Route::OwnBrowser,
        ..account.clone()
    };
    fixture.accounts = fixture.accounts.iter().map(own_browser).collect();
    if opens_links {
        fixture.requirements.open_links();
    }
    if !comes_back {
        fixture.requirements.lack(Requirement::Callback);
    }
    // No browser of Vega's is looked for.
    fixture.requirements.lack(Requirement::Browser);
    let (outcome, _) = generate(&fixture, &answering(Answer::Yes)).await;
    match &outcome {
        Outcome::Ran(_) => assert_eq!(words, ""),
        other => assert!(other.words().contains(words) && !words.is_empty(), "{other:?}"),
    }
}

/// A yes that was given before opens no stopped account, whoever gave it and whether or not somebody could be asked.
#[rstest]
#[case::standing_yes(Answer::StandingYes)]
#[case::nobody(Answer::NobodyToAsk)]
#[tokio::test(start_paused = true)]
async fn nothing_covered_is_told_with_what_does(#[case] answer: Answer) {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.fails("PRIMARY", FailureReason::PinRefused);
    let (first, _) = generate(&fixture, &answering(Answer::Yes)).await;
    assert!(matches!(first, Outcome::Ran(_)), "{first:?}");
    let (outcome, stages) = generate(&fixture, &answering(answer)).await;
    assert!(matches!(outcome, Outcome::NotCovered(_)), "{outcome:?}");
    assert!(
        outcome.words().contains("only your yes at a terminal opens one"),
        "{}",
        outcome.words()
    );
    assert_eq!(stages, ["verified", "confirming"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_to_ask_is_no_yes() {
    let fixture = one_dead();
    let (outcome, _) = generate(&fixture, &answering(Answer::NobodyToAsk)).await;
    assert!(matches!(outcome, Outcome::Unconfirmed(_)), "{outcome:?}");
    assert_eq!(fixture.log.take_only(&["open"]), Vec::<String>::new());
}

/// While the operator is asked, and before.
#[rstest]
#[case::before(true)]
#[case::while_asked(false)]
#[tokio::test(start_paused = true)]
async fn a_cancelled_request_begins_nothing(#[case] before: bool) {
    let fixture = Arc::new(one_dead());
    let cancel = CancellationToken::new();
    if before {
        cancel.cancel();
    }
    let enter = |stage: Stage<'_>| {
        if matches!(stage, Stage::Confirming(_)) {
            cancel.cancel();
        }
    };
    let waits = Waits;
    let outcome = fixture
        .orchestrator()
        .generate(&request(), &waits, &cancel, &enter)
        .await;
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome:?}");
    assert_eq!(fixture.log.take_only(&["open"]), Vec::<String>::new());
}

/// Stored state that fails is the outcome, not a panic, and no yes to it is acted upon.
#[tokio::test(start_paused = true)]
async fn a_database_that_fails_is_the_outcome() {
    let fixture = one_dead();
    fixture.faults.fail_at("append");
    let (outcome, stages) = generate(&fixture, &answering(Answer::Yes)).await;
    assert!(
        matches!(outcome, Outcome::NotReady(_) | Outcome::Failed(_)),
        "{outcome:?}"
    );
    assert!(!stages.contains(&"running"), "{stages:?}");
    assert_eq!(fixture.log.take_only(&["open"]), Vec::<String>::new());
}

/// Forced, valid tokens are replaced too.
#[tokio::test(start_paused = true)]
async fn force_reaches_the_plan() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.has("PRIMARY", Standing::Valid);
    let request = GenerationRequest {
        force: Some(ForceReason::new("the token leaked").unwrap()),
        ..request()
    };
    let outcome = fixture
        .orchestrator()
        .generate(
            &request,
            &answering(Answer::Yes),
            &CancellationToken::new(),
            &|_| (),
        )
        .await;
    assert!(
        matches!(&outcome, Outcome::Ran(finished) if finished.run.state == RunState::Completed),
        "{outcome:?}"
    );
}

/// Never answers a plan.
struct Waits;

#[async_trait]
impl Approver for Waits {
    async fn confirm(&self, _: &Plan) -> Answer {
        pending().await
    }

    async fn confirm_again(&self, _: &Plan) -> Answer {
        pending().await
    }
}
