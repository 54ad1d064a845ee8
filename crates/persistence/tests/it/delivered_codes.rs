//! Codes that come back, in SQLite: sealed at once, erased at the end, and nobody waits for the writer in vain.

use std::time::Duration;

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::ports::{CodeDelivery, Delivery, NewAttempt, SignInAttempts};
use vega_domain::secret::{AuthorizationCode, OAuthState};

use crate::database_fixture::{DatabaseFixture, at, attempt, entry};

fn code(text: &str) -> AuthorizationCode {
    AuthorizationCode::new(text)
}

fn primary() -> ApiName {
    ApiName::new("PRIMARY").unwrap()
}

async fn waiting(fixture: &DatabaseFixture) -> NewAttempt {
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = attempt(run, "PRIMARY", 1);
    let audit = entry(AuditKind::AttemptOpened);
    fixture.journal.open_attempt(&attempt, &audit).await.unwrap();
    attempt
}

/// Anybody may send redirects; they must not queue up for the one writer, nor wait for it.
#[tokio::test]
async fn a_redirect_that_brings_nothing_new_does_not_wait_for_the_writer() {
    let fixture = DatabaseFixture::new().await;
    let NewAttempt { id, state, .. } = waiting(&fixture).await;
    let foreign = OAuthState::new("somebody else's");
    let deliver = async |state: &OAuthState| {
        let code = code("mk404x");
        let delivered = fixture.journal.deliver_code(state, &code, at(2));
        let soon = tokio::time::timeout(Duration::from_secs(2), delivered).await;
        soon.expect("it waits for the writer").unwrap()
    };
    assert_eq!(deliver(&state).await, Delivery::Taken(primary()));

    let raw = fixture.raw().await;
    let busy = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(deliver(&foreign).await, Delivery::Unknown);
    assert_eq!(deliver(&state).await, Delivery::CameBefore(primary()));
    drop(busy);

    let failure = Failure::new(FailureReason::RedirectTimeout, "");
    let audit = entry(AuditKind::AttemptClosed);
    fixture.journal.close(id, &failure, at(3), &audit).await.unwrap();
    let _busy = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(deliver(&state).await, Delivery::TooLate(primary()));
}

#[tokio::test]
async fn a_delivered_code_is_sealed_and_erased_when_its_sign_in_ends() {
    let fixture = DatabaseFixture::new().await;
    let NewAttempt { id, state, .. } = waiting(&fixture).await;
    fixture
        .journal
        .deliver_code(&state, &code("CANARY-code"), at(1))
        .await
        .unwrap();
    let stored = async || -> Option<Vec<u8>> {
        let query = sqlx::query_scalar("SELECT sealed_code FROM sign_in_attempts WHERE id = $1");
        query
            .bind(id.as_uuid())
            .fetch_one(&fixture.raw().await)
            .await
            .unwrap()
    };
    let sealed = stored().await.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("CANARY"));
    let failure = Failure::new(FailureReason::Interrupted, "");
    let audit = entry(AuditKind::AttemptClosed);
    fixture.journal.close(id, &failure, at(2), &audit).await.unwrap();
    assert_eq!(stored().await, None);
}
