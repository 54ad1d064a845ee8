//! The lease as a row of a database on a server: who was taken over changes nothing any more, a silent holder is taken over, and a
//! living one is not.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::timeout;
use vega_domain::audit::{AuditFilter, AuditKind, AuditOrder};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::Generation;
use vega_domain::ports::{
    AuditHistory, AuditTrail, ExecutionStateRepository, LeaseError, OtpLedger, RunHistory, SignInAttempts,
    StoreError, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::run::{RunState, StepState};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::{
    DataSource, SqlAuditHistory, SqlAuditTrail, SqlExecutionStateRepository, SqlSignInJournal,
    SqlTokenRepository,
};
use vega_testing::TestClock;

use crate::database_fixture::{api, at, attempt, entry, mobile, run, token};
use crate::postgres_desk::Desk;

/// A holder counts as dead after 15 s; far longer than that.
const AT_MOST: Duration = Duration::from_secs(90);

fn is_refused<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    match outcome {
        Err(StoreError::TakenOver(Some(holder))) => assert_eq!(holder.host, "desk2"),
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn whoever_was_taken_over_changes_nothing_any_more() {
    let desk = Desk::new();
    let data = desk.machine("desk1").await;
    let (runs, journal) = (
        SqlExecutionStateRepository::new(data.clone()),
        SqlSignInJournal::new(data.clone()),
    );
    let tokens = SqlTokenRepository::new(data.clone());
    let lease = data.login_lease(TestClock::at(at(0)));
    let held = lease.acquire().await.unwrap();

    let record = run(&["PRIMARY", "WEBSOCKET1"]);
    runs.begin(&record, &entry(AuditKind::RunStarted)).await.unwrap();
    let (first, second) = (
        attempt(record.id, "PRIMARY", 1),
        attempt(record.id, "WEBSOCKET1", 1),
    );
    journal
        .open_attempt(&first, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let code = AuthorizationCode::new("CANARY-code");
    journal
        .seal_code(first.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
        .await
        .unwrap();

    lease.refuse_taken_over().await.unwrap();
    desk.is_taken_over();
    is_refused(lease.refuse_taken_over().await);
    let trail = SqlAuditHistory::new(data.clone());
    let entries = async || {
        let all = trail
            .page(&AuditFilter::default(), AuditOrder::OldestFirst, None, 100)
            .await
            .unwrap();
        all.len()
    };
    let before = entries().await;
    let step = StepState::SigningIn;
    is_refused(
        runs.begin(&run(&["PRIMARY"]), &entry(AuditKind::RunStarted))
            .await,
    );
    is_refused(
        runs.save_step(record.id, &api("PRIMARY"), &step, &entry(AuditKind::StepChanged))
            .await,
    );
    is_refused(
        runs.move_run(record.id, RunState::Incomplete, &entry(AuditKind::RunEnded))
            .await,
    );
    is_refused(
        journal
            .open_attempt(&second, &entry(AuditKind::AttemptOpened))
            .await,
    );
    is_refused(
        journal
            .seal_code(second.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
            .await,
    );
    let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
    is_refused(
        journal
            .seal_answer(first.id, &answer, at(2), &entry(AuditKind::AnswerReceived))
            .await,
    );
    let failure = Failure::new(FailureReason::Interrupted, "");
    is_refused(
        journal
            .close(first.id, &failure, at(3), &entry(AuditKind::AttemptClosed))
            .await,
    );
    let budget = OtpBudget {
        presses: 4,
        window: Duration::from_mins(11),
    };
    let now = ClockReading::by_wall_clock(at(4));
    is_refused(journal.request_otp(first.id, &mobile(), budget, &now).await);
    is_refused(journal.note_otp(first.id, &mobile(), &now).await);
    is_refused(
        tokens
            .store(&token(first.id, "PRIMARY", 1), &entry(AuditKind::TokenStored))
            .await,
    );
    assert_eq!(entries().await, before);

    what_is_no_part_of_a_sign_in_goes_on(&data).await;

    // And it hears of it by itself.
    timeout(AT_MOST, held.lost()).await.unwrap();
    drop(held);
    let other = lease.holder().await.unwrap().unwrap();
    assert_eq!(other.host, "desk2", "it gave back what it had, and nothing else");
    // Who has no lease at all has no right to it either.
    is_refused(
        runs.begin(&run(&["PRIMARY"]), &entry(AuditKind::RunStarted))
            .await,
    );
    data.close().await;
}

async fn what_is_no_part_of_a_sign_in_goes_on(data: &DataSource) {
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(5),
            result: CheckResult::Invalid,
        },
    };
    SqlTokenRepository::new(data.clone())
        .record_checks(&[(check, entry(AuditKind::TokenChecked))])
        .await
        .unwrap();
    SqlAuditTrail::new(data.clone())
        .append(&entry(AuditKind::PlanDeclined))
        .await
        .unwrap();
    assert_eq!(
        SqlExecutionStateRepository::new(data.clone())
            .active()
            .await
            .unwrap()
            .unwrap()
            .state,
        RunState::Running
    );
}

/// Their own clocks are twenty minutes apart, two OTP windows.
#[tokio::test]
async fn machines_with_clocks_of_their_own_have_one_time() {
    let desk = Desk::new();
    let mut now = Vec::new();
    for (name, minutes) in [("desk1", -10), ("desk2", 10)] {
        let data = desk.machine(name).await;
        let machine = TestClock::at(at(0) + TimeDelta::minutes(minutes));
        now.push(
            data.installation_clock(machine, |clock| clock)
                .await
                .unwrap()
                .now(),
        );
        data.close().await;
    }
    let apart = (now[1] - now[0]).abs();
    assert!(apart < TimeDelta::minutes(1), "{apart}");
    assert!(
        (now[0] - at(0)).abs() > TimeDelta::hours(1),
        "it is the database's"
    );
}

#[tokio::test]
async fn a_silent_holder_is_taken_over_and_a_living_one_is_not() {
    let (silent, living) = (Desk::new(), Desk::new());
    let (one, other) = (silent.machine("desk1").await, silent.machine("desk2").await);
    // Its machine loses its power: nothing is given back.
    std::mem::forget(one.login_lease(TestClock::at(at(0))).acquire().await.unwrap());
    silent.change("UPDATE login_lease SET epoch = epoch + 1; UPDATE writer SET epoch = epoch + 1");
    let alive = living.machine("desk1").await;
    let _held = alive.login_lease(TestClock::at(at(0))).acquire().await.unwrap();
    let beside = living.machine("desk2").await.login_lease(TestClock::at(at(0)));

    let taken = async {
        let lease = other.login_lease(TestClock::at(at(1)));
        timeout(AT_MOST, lease.acquire()).await.unwrap().unwrap()
    };
    let refused = async {
        loop {
            match beside.acquire().await {
                Err(LeaseError::Held(Some(holder))) => assert!(holder.is_this_process),
                outcome => panic!("{outcome:?}"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let taken = tokio::select! {
        taken = taken => taken,
        () = refused => unreachable!("it asks for ever"),
    };
    let history = SqlAuditHistory::new(other.clone());
    let filter = AuditFilter {
        kind: Some(AuditKind::LeaseTakenOver),
        ..AuditFilter::default()
    };
    let told = history
        .page(&filter, AuditOrder::OldestFirst, None, 10)
        .await
        .unwrap();
    assert_eq!(told.len(), 1);
    drop(taken);
}
