//! A run that a dead process left is cleared up, without a human, before a new one begins.

use chrono::TimeDelta;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AttemptId, Generation};
use vega_domain::ports::{Clock, ExecutionStateRepository, LeaseHolder, NewAttempt, SignInAttempts};
use vega_domain::run::{RunRecord, RunState, StepState};
use vega_domain::secret::{AuthorizationCode, OAuthState};

use vega_orchestration::{RunError, WaitPolicy};

use vega_domain::plan::Wanted;

use crate::broker;
use crate::orchestration_fixture::{OrchestrationFixture, Standing, steps};

/// How far the dead process came with PRIMARY.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Reached {
    NoAttempt,
    Opened,
    CodeSealed,
    AnswerSealed,
}

impl OrchestrationFixture {
    /// The attempt for PRIMARY that a process made in this run.
    pub(crate) fn first_attempt(&self, run: &RunRecord) -> NewAttempt {
        self.attempt(run, "PRIMARY")
    }

    fn attempt(&self, run: &RunRecord, api: &str) -> NewAttempt {
        let mut apis = self.accounts[0].apis.iter();
        let api = apis.find(|known| known.name.as_str() == api).unwrap();
        NewAttempt {
            id: AttemptId::at(run.started_at),
            run: run.id,
            account: self.accounts[0].id.clone(),
            api: api.name.clone(),
            client_id: api.client_id.clone(),
            generation: Generation::FIRST,
            state: OAuthState::new("CANARY-state"),
            opened_at: run.started_at,
        }
    }

    /// Another process's sign-in for this API of the account `main` failed like this just now, and its run is over.
    pub(crate) async fn failed(&self, api: &str, reason: FailureReason) {
        let run = self.left_run(&[(api, StepState::Pending)]);
        let audit = AuditEntry::new(self.clock.now(), AuditKind::RunStarted, "");
        self.database.begin(&run, &audit).await.unwrap();
        let attempt = self.attempt(&run, api);
        self.database.open_attempt(&attempt, &audit).await.unwrap();
        self.closes_newest_attempt(&Failure::new(reason, "words"), &audit)
            .await;
        let moved = self.database.move_run(run.id, RunState::Cancelled, &audit);
        moved.await.unwrap();
        self.log.take();
    }

    /// Closes the newest attempt, and says nothing of its step.
    pub(crate) async fn closes_newest_attempt(&self, failure: &Failure, audit: &AuditEntry) {
        let newest = self.database.attempts().pop().unwrap();
        let closed = SignInAttempts::close(&*self.database, newest.id, failure, audit.at, audit);
        closed.await.unwrap();
    }

    /// Leaves a run whose second step was under way.
    async fn left(&self, state: StepState, reached: Reached) -> RunRecord {
        let run = self.left_run(&[
            ("WEBSOCKET2", StepState::Done),
            ("PRIMARY", state),
            ("WEBSOCKET1", StepState::Pending),
        ]);
        let now = run.started_at;
        let audit = AuditEntry::new(now, AuditKind::RunStarted, "");
        self.database.begin(&run, &audit).await.unwrap();
        let attempt = self.first_attempt(&run);
        let id = attempt.id;
        if reached >= Reached::Opened {
            self.database.open_attempt(&attempt, &audit).await.unwrap();
        }
        if reached >= Reached::CodeSealed {
            let code = AuthorizationCode::new("CANARY-code-PRIMARY-0");
            self.database.seal_code(id, &code, now, &audit).await.unwrap();
        }
        if reached >= Reached::AnswerSealed {
            let answer = broker::answer("PRIMARY");
            self.database.seal_answer(id, &answer, now, &audit).await.unwrap();
        }
        self.log.take();
        run
    }
}

#[rstest]
#[case::nothing_recorded(StepState::SigningIn, Reached::NoAttempt, "failed interrupted")]
#[case::human_at_work(StepState::SigningIn, Reached::Opened, "failed interrupted")]
#[case::code_not_sealed(StepState::Exchanging, Reached::Opened, "failed interrupted")]
#[case::answer_lost(StepState::Exchanging, Reached::CodeSealed, "failed outcome_unknown")]
#[case::answer_sealed(StepState::Exchanging, Reached::AnswerSealed, "done")]
#[case::answer_unread(StepState::Verifying, Reached::AnswerSealed, "done")]
#[tokio::test(start_paused = true)]
async fn a_left_over_run_ends_incomplete_with_its_open_step_settled(
    #[case] state: StepState,
    #[case] reached: Reached,
    #[case] becomes: &str,
) {
    let fixture = OrchestrationFixture::two_accounts();
    let left = fixture.left(state, reached).await;
    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(cleared.id, left.id);
    assert_eq!(cleared.state, RunState::Incomplete);
    assert_eq!(
        steps(&cleared),
        [
            "WEBSOCKET2 done".into(),
            format!("PRIMARY {becomes}"),
            "WEBSOCKET1 pending".into()
        ]
    );
    assert_eq!(steps(&fixture.database.runs()[0]), steps(&cleared));
    assert_eq!(fixture.database.open_attempts(), 0);
    let is_served = fixture.registry.get(&fixture.accounts[0].apis[0].name).is_some();
    assert_eq!(is_served, becomes == "done");

    let log = fixture.log.take();
    assert!(!log.iter().any(|effect| {
        ["open", "sign in", "POST"]
            .iter()
            .any(|word| effect.starts_with(word))
    }));
    assert_eq!(log.first().unwrap(), "lease taken");
    assert_eq!(log.last().unwrap(), "lease given back");
    assert!(
        fixture.resume().recover().await.unwrap().cut_off.is_none(),
        "it is cleared up once"
    );
}

/// The process died after the page had refused the PIN: before it said so, or before the account was stopped.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_a_dead_process_saw_stops_the_account() {
    let fixture = OrchestrationFixture::two_accounts();
    let left = fixture.left(StepState::SigningIn, Reached::Opened).await;
    let audit = AuditEntry::new(left.started_at, AuditKind::AttemptClosed, "");
    let refused = Failure::new(FailureReason::PinRefused, "words");
    fixture.closes_newest_attempt(&refused, &audit).await;

    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(steps(&cleared)[1], "PRIMARY failed pin_refused");
    let [stop] = &*fixture.database.cooldowns() else {
        panic!("{:?}", fixture.database.cooldowns())
    };
    assert!(stop.is_stop() && stop.account.as_str() == "main", "{stop:?}");
}

#[rstest]
#[case::somebody_elses(Failure::new(FailureReason::WrongUser, ""))]
#[case::dormant(Failure::new(FailureReason::AccountDormant, "UDAPI100058"))]
#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_the_account_does_so_at_the_next_start(#[case] failure: Failure) {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.left(StepState::Exchanging, Reached::AnswerSealed).await;
    fixture.broker.reads(failure.clone());
    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(
        steps(&cleared)[1],
        format!("PRIMARY failed {}", failure.reason.code())
    );
    assert_eq!(fixture.database.cooldowns().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_entries_of_a_cleared_run_name_that_run_its_api_and_account() {
    let fixture = OrchestrationFixture::two_accounts();
    let left = fixture.left(StepState::SigningIn, Reached::Opened).await;
    fixture.resume().recover().await.unwrap();
    let audit = fixture.database.audit();
    let changed = audit
        .iter()
        .find(|entry| entry.kind == AuditKind::StepChanged)
        .unwrap();
    assert_eq!(changed.run, Some(left.id));
    assert_eq!(changed.api.as_ref().unwrap().as_str(), "PRIMARY");
    assert_eq!(changed.account.as_ref().unwrap().as_str(), "main");
    let ended = audit.last().unwrap();
    assert_eq!((ended.kind, ended.run), (AuditKind::RunEnded, Some(left.id)));
    assert_eq!(fixture.database.checkpoints(), [(left.id, audit.len())]);
}

#[tokio::test(start_paused = true)]
async fn a_left_over_run_is_taken_up_only_after_it_has_ended() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    let left = fixture.left(StepState::Verifying, Reached::AnswerSealed).await;
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(run.id, left.id);
    let primary = run.steps.iter().position(|step| step.api.as_str() == "PRIMARY");
    assert_eq!(
        steps(&run)[primary.unwrap()],
        "PRIMARY skipped already_servable",
        "the recovered token is good"
    );
    assert_eq!(
        fixture.log.take()[..7],
        [
            "lease taken",
            "store PRIMARY",
            "PRIMARY done",
            "run incomplete",
            "take_up",
            "PRIMARY skipped already_servable",
            "open main"
        ]
    );
    assert_eq!(run.state, RunState::Completed);
}

#[tokio::test(start_paused = true)]
async fn verification_clears_up_first_and_tells_of_it() {
    let fixture = OrchestrationFixture::two_accounts();
    let left = fixture.left(StepState::Verifying, Reached::AnswerSealed).await;
    let verification = fixture.orchestrator().verify(Wanted::default()).await.unwrap();
    assert_eq!(verification.left_over.cut_off.unwrap().id, left.id);
    assert!(verification.statuses[0].servable, "the recovered token counts");
    assert!(fixture.database.is_lease_free());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_a_run_is_finished_too() {
    let fixture = OrchestrationFixture::two_accounts();
    let left = fixture.left(StepState::Verifying, Reached::AnswerSealed).await;
    let audit = AuditEntry::new(left.started_at, AuditKind::RunEnded, "");
    fixture
        .database
        .move_run(left.id, RunState::Incomplete, &audit)
        .await
        .unwrap();
    assert!(fixture.resume().recover().await.unwrap().cut_off.is_none());
    assert_eq!(fixture.database.open_attempts(), 0);
    assert!(fixture.database.token("PRIMARY").is_some());
}

#[tokio::test(start_paused = true)]
async fn while_another_process_holds_the_lease_nothing_is_cleared_up() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.left(StepState::Exchanging, Reached::AnswerSealed).await;
    fixture.database.lease_is_held_by(Some(LeaseHolder {
        pid: 4711,
        host: "desk-2".into(),
        since: fixture.clock.now(),
        is_this_process: false,
    }));
    assert!(fixture.resume().recover().await.unwrap().cut_off.is_none());
    assert!(fixture.log.take().is_empty());
    assert_eq!(fixture.database.open_attempts(), 1, "it may be alive there");
    assert_eq!(fixture.database.runs()[0].state, RunState::Running);
}

#[rstest]
#[case::token("store PRIMARY")]
#[case::step("PRIMARY done")]
#[case::run("run incomplete")]
#[tokio::test(start_paused = true)]
async fn a_clearing_up_that_the_database_broke_is_finished_by_the_next(#[case] fails_at: &str) {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.left(StepState::Exchanging, Reached::AnswerSealed).await;
    fixture.faults.fail_at(fails_at);
    let _ = fixture.resume().recover().await;
    assert!(fixture.database.is_lease_free());
    fixture.faults.heal();
    fixture.resume().recover().await.unwrap();
    assert_eq!(fixture.database.runs()[0].state, RunState::Incomplete);
    assert_eq!(fixture.database.open_attempts(), 0);
    assert!(
        fixture.database.token("PRIMARY").is_some(),
        "the received token is not lost"
    );
}

#[tokio::test(start_paused = true)]
async fn an_earlier_failure_of_the_left_over_run_is_kept() {
    let fixture = OrchestrationFixture::two_accounts();
    let failed = StepState::Failed(Failure::new(FailureReason::Throttled, "words"));
    fixture.left(failed, Reached::NoAttempt).await;
    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(steps(&cleared)[1], "PRIMARY failed throttled");
    assert_eq!(
        fixture.log.take(),
        ["lease taken", "run incomplete", "lease given back"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_received_token_that_cannot_be_stored_stops_the_next_run_before_anybody_is_asked() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    fixture.left(StepState::Exchanging, Reached::AnswerSealed).await;
    fixture.faults.fail_at("store PRIMARY");
    let refused = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await;
    let Err(RunError::NotRecovered { api, failure }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (api.as_str(), failure.reason),
        ("PRIMARY", FailureReason::Storage)
    );
    assert_eq!(
        fixture.log.take(),
        ["lease taken", "store PRIMARY fails", "lease given back"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_token_was_overtaken_is_closed_and_asked_for_once() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.left(StepState::Exchanging, Reached::AnswerSealed).await;
    fixture.has("PRIMARY", Standing::Valid);
    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(steps(&cleared)[1], "PRIMARY failed superseded");
    assert_eq!(fixture.database.open_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_stored_just_before_the_end_counts_as_done() {
    let fixture = OrchestrationFixture::two_accounts();
    let left = fixture.left(StepState::Verifying, Reached::NoAttempt).await;
    let mut token = fixture.token("PRIMARY", Standing::Valid);
    token.verified_at = Some(left.started_at);
    fixture.database.put(token);
    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(steps(&cleared)[1], "PRIMARY done");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_an_earlier_run_does_not() {
    let fixture = OrchestrationFixture::two_accounts();
    let left = fixture.left(StepState::SigningIn, Reached::NoAttempt).await;
    let mut token = fixture.token("PRIMARY", Standing::Valid);
    token.verified_at = Some(left.started_at - TimeDelta::seconds(1));
    fixture.database.put(token);
    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(steps(&cleared)[1], "PRIMARY failed interrupted");
}

/// It was made by the same run in an earlier start, and Upstox has rejected it since.
#[tokio::test(start_paused = true)]
async fn a_token_that_was_lost_since_does_not_either() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.left(StepState::SigningIn, Reached::NoAttempt).await;
    fixture.has("PRIMARY", Standing::Rejected);
    let cleared = fixture.resume().recover().await.unwrap().cut_off.unwrap();
    assert_eq!(steps(&cleared)[1], "PRIMARY failed interrupted");
}

#[tokio::test(start_paused = true)]
async fn a_run_from_before_0330_is_abandoned() {
    let fixture = OrchestrationFixture::two_accounts();
    let mut run = fixture.left_run(&[("PRIMARY", StepState::SigningIn)]);
    run.started_at -= TimeDelta::days(1);
    fixture
        .database
        .begin(&run, &AuditEntry::new(run.started_at, AuditKind::RunStarted, ""))
        .await
        .unwrap();
    let cleared = fixture.resume().recover().await.unwrap();
    assert!(cleared.cut_off.is_none(), "nobody goes on with it");
    assert_eq!(cleared.abandoned[0].state, RunState::Abandoned);
}
