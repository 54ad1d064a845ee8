//! `SignInAttempts` over SQLite: what it erases.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::SignInAttempts;

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
