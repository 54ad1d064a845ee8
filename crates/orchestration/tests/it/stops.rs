//! A refused second factor stops its account on disk, and only a yes that saw the stop opens it again.

use rstest::rstest;
use tokio_util::sync::CancellationToken;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::cooldown::AccountHold;
use vega_domain::failure::{FailureReason, RecoveryAction};
use vega_domain::ids::{AccountId, MobileNumber};
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Clock, CooldownRepository, LeaseHolder, MockApprover};
use vega_orchestration::{Confirmation, WaitPolicy};

use crate::orchestration_fixture::{COOLDOWN, OrchestrationFixture, steps};

/// The account `main` is stopped after its first sign-in of two; `second` is done.
async fn stopped_by(reason: FailureReason) -> OrchestrationFixture {
    let fixture = OrchestrationFixture::of(&[
        ("main", &["PRIMARY", "WEBSOCKET1"]),
        ("second", &["OPTIONCHAIN1"]),
    ]);
    fixture.fails("PRIMARY", reason);
    fixture.run().await.unwrap();
    fixture
}

fn says(answer: Answer) -> MockApprover {
    let mut operator = MockApprover::new();
    operator.expect_confirm().times(1).return_const(answer);
    operator
}

fn planned(plan: &Plan) -> Vec<&str> {
    plan.apis().iter().map(|planned| planned.api.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_stops_an_account_is_stored_with_its_words_and_nothing_else_is() {
    for &reason in FailureReason::ALL {
        let fixture = stopped_by(reason).await;
        let cooldowns = fixture.database.cooldowns();
        if reason.recovery_action() == RecoveryAction::StopAccount {
            let [stop] = &*cooldowns else {
                panic!("{reason}: {cooldowns:?}")
            };
            assert_eq!(
                (stop.account.as_str(), stop.is_stop()),
                ("main", true),
                "{reason}"
            );
            assert_eq!((stop.failure.reason, &*stop.failure.detail), (reason, "words"));
            let audit = fixture.database.audit();
            let entry = audit
                .iter()
                .find(|entry| entry.kind == AuditKind::AccountStopped)
                .unwrap();
            assert!(entry.account.is_some() && entry.run.is_some(), "{entry:?}");
        } else if matches!(
            reason.recovery_action(),
            RecoveryAction::CoolDown | RecoveryAction::CoolDownThenAsk
        ) {
            let [cooldown] = &*cooldowns else {
                panic!("{reason}: {cooldowns:?}")
            };
            assert_eq!(
                cooldown.hold,
                AccountHold::Cooldown { length: COOLDOWN },
                "{reason}"
            );
            assert_eq!(
                (cooldown.failure.reason, &*cooldown.failure.detail),
                (reason, "words")
            );
            let audit = fixture.database.audit();
            assert!(audit.iter().any(|entry| entry.kind == AuditKind::CooldownBegun));
        } else {
            assert_eq!(cooldowns, [], "{reason}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_stop_is_on_disk_before_the_step_ends() {
    let fixture = stopped_by(FailureReason::PinRefused).await;
    assert_eq!(
        fixture.log.take_only(&["close account", "PRIMARY failed"]),
        ["close account main", "PRIMARY failed pin_refused"]
    );
}

/// Evidence takes seconds. Whoever ends Vega meanwhile must not make it forget what the page refused.
#[tokio::test(start_paused = true)]
async fn the_stop_and_the_step_are_on_disk_before_evidence_is_gathered() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"])]);
    fixture.fails("PRIMARY", FailureReason::OtpRefused);
    fixture.sign_ins.evidence_hangs();
    let (plan, resume, cancel) = (fixture.plan().await, fixture.resume(), CancellationToken::new());
    let run = resume.execute(&plan, WaitPolicy::NoWait, &cancel);
    // It dies while the evidence is gathered.
    let ended = tokio::time::timeout(std::time::Duration::from_hours(1), run).await;
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(
        fixture
            .log
            .take_only(&["close account", "PRIMARY failed", "keep evidence"]),
        [
            "close account main",
            "PRIMARY failed otp_refused",
            "keep evidence of main"
        ]
    );
    assert_eq!(fixture.database.open_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_yes_to_the_plan_opens_the_account_again() {
    let fixture = stopped_by(FailureReason::PinRefused).await;
    let plan = fixture.plan().await;
    assert_eq!(
        plan.stopped(),
        fixture.database.cooldowns(),
        "the operator is told"
    );
    let confirmed = fixture
        .orchestrator()
        .confirm(plan, &says(Answer::Yes))
        .await
        .unwrap();
    let Confirmation::Start(plan) = confirmed else {
        panic!("{confirmed:?}")
    };
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        steps(&run),
        ["OPTIONCHAIN1 done", "PRIMARY done", "WEBSOCKET1 done"]
    );
    assert_eq!(fixture.database.cooldowns(), []);
    let audit = fixture.database.audit();
    assert!(audit.iter().any(|entry| entry.kind == AuditKind::AccountOpened));
}

#[rstest]
#[case::no(Answer::No, Confirmation::Declined)]
#[case::nobody(Answer::NobodyToAsk, Confirmation::NobodyToAsk)]
#[tokio::test(start_paused = true)]
async fn without_a_yes_it_stays_stopped(#[case] answer: Answer, #[case] expected: Confirmation) {
    let fixture = stopped_by(FailureReason::OtpRefused).await;
    let plan = fixture.plan().await;
    let confirmed = fixture.orchestrator().confirm(plan, &says(answer)).await.unwrap();
    assert_eq!(confirmed, expected);
    assert_eq!(fixture.database.cooldowns().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_standing_yes_goes_on_without_what_is_stopped() {
    let fixture = stopped_by(FailureReason::PinRefused).await;
    let plan = fixture.plan().await;
    let standing = says(Answer::StandingYes);
    let confirmed = fixture.orchestrator().confirm(plan, &standing).await.unwrap();
    assert_eq!(confirmed, Confirmation::NothingCovered, "only `main` was planned");

    let rejected = fixture.token("OPTIONCHAIN1", crate::orchestration_fixture::Standing::Rejected);
    fixture.database.put(rejected);
    let plan = fixture.plan().await;
    assert_eq!(planned(&plan), ["PRIMARY", "WEBSOCKET1", "OPTIONCHAIN1"]);
    let standing = says(Answer::StandingYes);
    let confirmed = fixture.orchestrator().confirm(plan, &standing).await.unwrap();
    let Confirmation::Start(rest) = confirmed else {
        panic!("{confirmed:?}")
    };
    assert_eq!(planned(&rest), ["OPTIONCHAIN1"]);
    assert_eq!(fixture.database.cooldowns().len(), 1);
}

/// Another process stopped the account after this plan was confirmed.
#[tokio::test(start_paused = true)]
async fn a_run_leaves_an_account_alone_that_was_stopped_meanwhile() {
    let fixture = OrchestrationFixture::of(&[("main", &["PRIMARY"]), ("second", &["OPTIONCHAIN1"])]);
    let plan = fixture.plan().await;
    fixture.fails("PRIMARY", FailureReason::AccountLocked);
    fixture.run().await.unwrap();
    fixture.log.take();
    fixture
        .database
        .put(fixture.token("OPTIONCHAIN1", crate::orchestration_fixture::Standing::Rejected));
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        steps(&run),
        ["PRIMARY skipped account_stopped", "OPTIONCHAIN1 done"]
    );
    assert_eq!(fixture.log.take_only(&["sign in"]), ["sign in OPTIONCHAIN1"]);
}

/// While the operator read why the account was stopped, it was stopped anew.
#[tokio::test(start_paused = true)]
async fn a_yes_opens_only_the_stop_that_it_saw() {
    let fixture = stopped_by(FailureReason::PinRefused).await;
    let plan = fixture.plan().await;
    let mut newer = plan.stopped()[0].clone();
    newer.since.at += chrono::TimeDelta::seconds(1);
    newer.failure.reason = FailureReason::AccountLocked;
    let audit = AuditEntry::new(newer.since.at, AuditKind::AccountStopped, "");
    fixture.database.close(&newer, &audit).await.unwrap();
    let run = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        steps(&run),
        [
            "OPTIONCHAIN1 done",
            "PRIMARY skipped account_stopped",
            "WEBSOCKET1 skipped account_stopped"
        ]
    );
    assert_eq!(fixture.database.cooldowns(), [newer]);
}

/// The run could not be started, so nothing was opened.
#[tokio::test(start_paused = true)]
async fn a_yes_to_a_run_that_is_held_elsewhere_opens_nothing() {
    let fixture = stopped_by(FailureReason::PinRefused).await;
    let plan = fixture.plan().await;
    fixture.database.lease_is_held_by(Some(LeaseHolder {
        pid: 7,
        host: "desk".into(),
        since: fixture.clock.now(),
        is_this_process: false,
    }));
    let held = fixture
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &CancellationToken::new())
        .await;
    assert!(held.is_err());
    assert_eq!(fixture.database.cooldowns().len(), 1);
}

/// The stop belongs to the login: another name for the account opens nothing.
#[tokio::test(start_paused = true)]
async fn giving_an_account_another_name_keeps_its_stop() {
    let mut fixture = stopped_by(FailureReason::PinRefused).await;
    let mut accounts = fixture.accounts.to_vec();
    accounts[0].id = AccountId::new("renamed").unwrap();
    fixture.accounts = accounts.into();
    let plan = fixture.plan().await;
    let stopped: Vec<_> = plan.stopped().iter().map(|stop| stop.account.as_str()).collect();
    assert_eq!(stopped, ["renamed"]);

    let mut accounts = fixture.accounts.to_vec();
    accounts[0].mobile_number = MobileNumber::new("9000000009").unwrap();
    fixture.accounts = accounts.into();
    assert_eq!(fixture.plan().await.stopped(), [], "another login is not stopped");
}
