//! `SignInAttempts` over SQLite: what it erases, and what it says of an answer that comes too late.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{SignInAttempts, StoreError};
use vega_domain::secret::RawAnswer;

use crate::database_fixture::{DatabaseFixture, at, entry};

#[tokio::test]
async fn closing_erases_secrets_but_an_answer_that_needs_review_is_kept() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    for (reason, kept) in [
        (FailureReason::WrongUser, false),
        (FailureReason::NeedsReview, true),
    ] {
        let id = fixture.answered(run, "PRIMARY", 1).await;
        let end = Failure::new(reason, "words");
        fixture
            .journal
            .close(id, &end, at(5), &entry(AuditKind::AttemptClosed))
            .await
            .unwrap();
        fixture
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
                .fetch_one(&fixture.raw().await)
                .await
                .unwrap();
        assert_eq!(failure, reason.code(), "closing a closed attempt changes nothing");
        assert_eq!((code, answer.is_some()), (None, kept), "{reason}");
    }
    let closings = fixture
        .audit_kinds()
        .await
        .iter()
        .filter(|kind| *kind == "attempt_closed")
        .count();
    assert_eq!(closings, 2);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_on_record_by_its_fingerprint() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let late = fixture.answered(run, "PRIMARY", 1).await;
    let end = Failure::new(FailureReason::WrongUser, "words");
    let closed = entry(AuditKind::AttemptClosed);
    fixture.journal.close(late, &end, at(5), &closed).await.unwrap();
    let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
    let received = entry(AuditKind::AnswerReceived);
    let refused = fixture.journal.seal_answer(late, &answer, at(6), &received).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let words: Vec<String> =
        sqlx::query_scalar("SELECT detail FROM audit_events WHERE kind = 'answer_received' ORDER BY id")
            .fetch_all(&fixture.raw().await)
            .await
            .unwrap();
    let [taken, late] = &words[..] else {
        panic!("{words:?}")
    };
    let fingerprint = taken.rsplit_once("answer ").unwrap().1;
    assert!(late.contains("too late") && late.ends_with(fingerprint), "{late}");
    assert!(!late.contains("CANARY"), "{late}");
}
