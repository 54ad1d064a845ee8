//! `SignInJournal` over SQLite.

use std::time::Duration;

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::MobileNumber;
use vega_domain::moment::{Moment, SinceBoot};
use vega_domain::ports::{ExecutionStateRepository, LeftAnswer, OtpGrant, SignInJournal, StoreError};
use vega_domain::run::StepState;
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::sign_in::OtpBudget;

use crate::world::{World, api, at, attempt, entry, mobile, open};

const BUDGET: OtpBudget = OtpBudget {
    presses: 2,
    window: Duration::from_mins(11),
};

#[tokio::test]
async fn presses_are_recorded_counted_and_never_doubled() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let mut attempts = Vec::new();
    for _ in 0..4 {
        let attempt = attempt(run, "PRIMARY", 1);
        world
            .journal
            .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
            .await
            .unwrap();
        attempts.push(attempt.id);
    }
    let press = async |index: usize, number: &MobileNumber, seconds| {
        world
            .journal
            .request_otp(attempts[index], number, BUDGET, &wall(seconds))
            .await
            .unwrap()
    };
    let other = MobileNumber::new("9000000002").unwrap();

    assert_eq!(press(0, &mobile(), 0).await, OtpGrant::Granted);
    assert_eq!(
        press(0, &mobile(), 1).await,
        OtpGrant::PressedBefore,
        "one press per attempt"
    );
    assert_eq!(press(1, &mobile(), 2).await, OtpGrant::Granted);
    assert_eq!(
        press(2, &mobile(), 3).await,
        OtpGrant::BudgetUsedUp { until: at(660) }
    );
    assert_eq!(
        press(2, &other, 4).await,
        OtpGrant::Granted,
        "the budget belongs to the number"
    );
    assert_eq!(
        press(3, &mobile(), 660).await,
        OtpGrant::Granted,
        "the first press has left the window"
    );

    assert_eq!(
        world.journal.otp_presses(&mobile(), 9).await.unwrap(),
        [wall(0), wall(2), wall(660)]
    );
    let kinds = world.audit_kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "otp_requested").count(), 4);
    assert_eq!(kinds.iter().filter(|kind| *kind == "otp_withheld").count(), 1);
}

#[tokio::test]
async fn a_press_in_the_window_counts_once_and_is_never_refused() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let mut attempts = Vec::new();
    for _ in 0..4 {
        let attempt = attempt(run, "PRIMARY", 1);
        world
            .journal
            .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
            .await
            .unwrap();
        attempts.push(attempt.id);
    }
    let note = async |index: usize, seconds| {
        world
            .journal
            .note_otp(attempts[index], &mobile(), &wall(seconds))
            .await
            .unwrap();
    };
    let press = async |index: usize, seconds| {
        world
            .journal
            .request_otp(attempts[index], &mobile(), BUDGET, &wall(seconds))
            .await
            .unwrap()
    };

    note(0, 0).await;
    note(0, 1).await;
    assert_eq!(
        press(0, 2).await,
        OtpGrant::PressedBefore,
        "this attempt has its press"
    );
    assert_eq!(press(1, 3).await, OtpGrant::Granted);
    note(1, 4).await;
    assert_eq!(
        press(2, 5).await,
        OtpGrant::BudgetUsedUp { until: at(660) },
        "the human's press counts as Vega's"
    );
    note(2, 6).await;
    assert_eq!(
        press(3, 660).await,
        OtpGrant::BudgetUsedUp { until: at(663) },
        "the one beyond the budget counts as well"
    );

    assert_eq!(
        world.journal.otp_presses(&mobile(), 9).await.unwrap(),
        [wall(0), wall(3), wall(6)],
        "one row per attempt, with its first time"
    );
    let kinds = world.audit_kinds().await;
    let count = |wanted| kinds.iter().filter(|kind| *kind == wanted).count();
    assert_eq!((count("otp_requested_in_window"), count("otp_requested")), (2, 1));
}

#[tokio::test]
async fn the_ledger_survives_a_restart() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let attempt = attempt(run, "PRIMARY", 1);
    world
        .journal
        .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    world
        .journal
        .request_otp(attempt.id, &mobile(), BUDGET, &wall(0))
        .await
        .unwrap();
    world.data.close().await;

    let journal = vega_persistence::SqliteSignInJournal::new(open(&world.dir).await);
    assert_eq!(journal.otp_presses(&mobile(), 9).await.unwrap(), [wall(0)]);
    let again = journal
        .request_otp(attempt.id, &mobile(), BUDGET, &wall(9))
        .await
        .unwrap();
    assert_eq!(again, OtpGrant::PressedBefore);
}

/// The clock is set, and set again; the time since boot tells the truth, and after a new boot nothing is held for ever.
#[tokio::test]
async fn setting_the_clock_neither_opens_the_ledger_nor_holds_it() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let press = async |wall_clock: i64, boot: &str, elapsed: u64| {
        let attempt = attempt(run, "PRIMARY", 1);
        let journal = &world.journal;
        journal
            .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
            .await
            .unwrap();
        let now = Moment {
            at: at(wall_clock),
            since_boot: Some(SinceBoot {
                boot: boot.into(),
                elapsed: Duration::from_secs(elapsed),
            }),
        };
        journal
            .request_otp(attempt.id, &mobile(), BUDGET, &now)
            .await
            .unwrap()
    };
    let used_up = |until| OtpGrant::BudgetUsedUp { until: at(until) };
    assert_eq!(press(0, "a", 100).await, OtpGrant::Granted);
    assert_eq!(press(7_200, "a", 101).await, OtpGrant::Granted, "set forward");
    assert_eq!(
        press(14_400, "a", 759).await,
        used_up(14_401),
        "set forward again"
    );
    assert_eq!(
        press(14_400, "a", 760).await,
        OtpGrant::Granted,
        "11 minutes after the first"
    );
    assert_eq!(press(10, "b", 5).await, used_up(670), "set back over a new boot");
    assert_eq!(
        press(669, "b", 664).await,
        used_up(670),
        "the wait does not begin anew"
    );
    assert_eq!(press(670, "b", 665).await, OtpGrant::Granted);
}

fn wall(seconds: i64) -> Moment {
    Moment::by_wall_clock(at(seconds))
}

#[tokio::test]
async fn a_code_is_taken_once() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let attempt = attempt(run, "PRIMARY", 1);
    world
        .journal
        .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let seal = async || {
        let code = AuthorizationCode::new("CANARY");
        world
            .journal
            .seal_code(attempt.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
            .await
    };
    seal().await.unwrap();
    assert!(
        matches!(seal().await, Err(StoreError::Conflict(_))),
        "the first writer wins"
    );
}

#[tokio::test]
async fn an_answer_needs_an_intended_exchange_and_comes_once() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let attempt = attempt(run, "PRIMARY", 1);
    world
        .journal
        .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let answer = RawAnswer::new(200, b"CANARY".to_vec(), true);
    let seal = async || {
        world
            .journal
            .seal_answer(attempt.id, &answer, at(2), &entry(AuditKind::AnswerReceived))
            .await
    };
    assert!(
        matches!(seal().await, Err(StoreError::Conflict(_))),
        "no exchange was intended"
    );
    let code = AuthorizationCode::new("CANARY");
    world
        .journal
        .seal_code(attempt.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
        .await
        .unwrap();
    seal().await.unwrap();
    assert!(
        matches!(seal().await, Err(StoreError::Conflict(_))),
        "an answer came already"
    );
}

#[tokio::test]
async fn unfinished_attempts_tell_how_far_they_came() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let opened = attempt(run, "PRIMARY", 1);
    world
        .journal
        .open_attempt(&opened, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let sent = attempt(run, "PRIMARY", 1);
    world
        .journal
        .open_attempt(&sent, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let code = AuthorizationCode::new("CANARY");
    world
        .journal
        .seal_code(sent.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
        .await
        .unwrap();
    let answered = world.answered(run, "PRIMARY", 1).await;
    let closed = world.answered(run, "PRIMARY", 1).await;
    let end = Failure::new(FailureReason::WrongUser, "");
    world
        .journal
        .close(closed, &end, at(5), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();

    let unfinished = world.journal.unfinished().await.unwrap();
    let find = |id| unfinished.iter().find(|attempt| attempt.id == id);
    assert_eq!(unfinished.len(), 3);
    assert_eq!(find(opened.id).unwrap().exchange_sent_at, None);
    assert_eq!(find(sent.id).unwrap().exchange_sent_at, Some(at(1)));
    assert!(matches!(find(sent.id).unwrap().answer, LeftAnswer::None));
    let LeftAnswer::Sealed(answer) = &find(answered).unwrap().answer else {
        panic!("the answer must open")
    };
    assert_eq!(
        (answer.status, answer.complete, answer.expose()),
        (200, true, &b"CANARY-answer"[..])
    );
}

#[tokio::test]
async fn closing_erases_secrets_but_an_answer_that_needs_review_is_kept() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    for (reason, kept) in [
        (FailureReason::WrongUser, false),
        (FailureReason::NeedsReview, true),
    ] {
        let id = world.answered(run, "PRIMARY", 1).await;
        let end = Failure::new(reason, "words");
        world
            .journal
            .close(id, &end, at(5), &entry(AuditKind::AttemptClosed))
            .await
            .unwrap();
        world
            .journal
            .close(
                id,
                &Failure::new(FailureReason::Interrupted, ""),
                at(9),
                &entry(AuditKind::AttemptClosed),
            )
            .await
            .unwrap();
        let (failure, code, answer): (String, Option<Vec<u8>>, Option<Vec<u8>>) =
            sqlx::query_as("SELECT failure, sealed_code, sealed_answer FROM sign_in_attempts WHERE id = $1")
                .bind(id.as_uuid())
                .fetch_one(&world.raw().await)
                .await
                .unwrap();
        assert_eq!(failure, reason.code(), "closing a closed attempt changes nothing");
        assert_eq!((code, answer.is_some()), (None, kept), "{reason}");
    }
    let closings = world
        .audit_kinds()
        .await
        .iter()
        .filter(|kind| *kind == "attempt_closed")
        .count();
    assert_eq!(closings, 2);
}

#[tokio::test]
async fn an_answer_that_does_not_open_hides_no_other_attempt() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let broken = world.answered(run, "PRIMARY", 1).await;
    let good = world.answered(run, "PRIMARY", 1).await;
    sqlx::query("UPDATE sign_in_attempts SET sealed_answer = x'00' WHERE id = $1")
        .bind(broken.as_uuid())
        .execute(&world.raw().await)
        .await
        .unwrap();
    let unfinished = world.journal.unfinished().await.unwrap();
    let find = |id| &unfinished.iter().find(|attempt| attempt.id == id).unwrap().answer;
    assert!(matches!(find(broken), LeftAnswer::Unreadable(_)));
    assert!(matches!(find(good), LeftAnswer::Sealed(_)));
}

/// Its process died between the attempt's end and the step's, or before the attempt was even opened again.
#[tokio::test]
async fn a_failure_that_no_step_tells_of_is_found() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let unsaved = async || world.journal.unsaved_failure(run, &api("PRIMARY")).await.unwrap();
    let save = async |seconds, state: &StepState| {
        let mut audit = entry(AuditKind::StepChanged);
        audit.at = at(seconds);
        world
            .runs
            .save_step(run, &api("PRIMARY"), state, &audit)
            .await
            .unwrap();
    };
    save(1, &StepState::SigningIn).await;
    let attempt = attempt(run, "PRIMARY", 1);
    let audit = entry(AuditKind::AttemptOpened);
    world.journal.open_attempt(&attempt, &audit).await.unwrap();
    assert_eq!(unsaved().await, None, "it is open");
    let refused = Failure::new(FailureReason::PinRefused, "words");
    world
        .journal
        .close(attempt.id, &refused, at(5), &audit)
        .await
        .unwrap();
    assert_eq!(unsaved().await, Some(refused));
    let other = world
        .journal
        .unsaved_failure(run, &api("WEBSOCKET1"))
        .await
        .unwrap();
    assert_eq!(other, None);
    save(6, &StepState::Pending).await;
    assert_eq!(unsaved().await, None, "the step came later");
}
