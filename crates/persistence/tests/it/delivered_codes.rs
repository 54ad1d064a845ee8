//! Codes that come back to whichever process listens: found by `state`, first writer wins, sealed at once.

use std::time::Duration;

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::ports::{Delivery, NewAttempt, SignInJournal, StoreError};
use vega_domain::secret::{AuthorizationCode, OAuthState};

use crate::world::{World, at, attempt, entry, open};

fn code(text: &str) -> AuthorizationCode {
    AuthorizationCode::new(text)
}

fn primary() -> ApiName {
    ApiName::new("PRIMARY").unwrap()
}

async fn waiting(world: &World) -> NewAttempt {
    let run = world.running(&["PRIMARY"]).await;
    let attempt = attempt(run, "PRIMARY", 1);
    let audit = entry(AuditKind::AttemptOpened);
    world.journal.open_attempt(&attempt, &audit).await.unwrap();
    attempt
}

async fn waits_for(journal: &impl SignInJournal, state: &OAuthState) -> Option<String> {
    let found = journal.delivered_code(state).await.unwrap();
    found.map(|code| code.expose().to_owned())
}

#[tokio::test]
async fn the_first_code_of_a_state_is_taken_and_no_other() {
    let world = World::new().await;
    let attempt = waiting(&world).await;
    let (state, journal) = (&attempt.state, &world.journal);
    assert_eq!(waits_for(journal, state).await, None);

    // From another process, as a server beside the waiting command line.
    let server = vega_persistence::SqliteSignInJournal::new(open(&world.dir).await);
    let foreign = OAuthState::new("somebody else's");
    let refused = server.deliver_code(&foreign, &code("x"), at(1)).await.unwrap();
    assert_eq!(refused, Delivery::Unknown);

    let (first, second) = (code("CANARY-first"), code("CANARY-second"));
    let (one, other) = tokio::join!(
        server.deliver_code(state, &first, at(2)),
        journal.deliver_code(state, &second, at(2)),
    );
    let outcomes = [one.unwrap(), other.unwrap()];
    let winner = outcomes
        .iter()
        .position(|outcome| *outcome == Delivery::Taken(primary()))
        .unwrap();
    assert_eq!(outcomes[1 - winner], Delivery::CameBefore(primary()));
    let expected = ["CANARY-first", "CANARY-second"][winner];
    assert_eq!(waits_for(journal, state).await.as_deref(), Some(expected));
    let told = world.audit_kinds().await;
    assert_eq!(told.iter().filter(|kind| *kind == "code_received").count(), 1);
}

#[tokio::test]
async fn a_delivered_code_is_sent_once() {
    let world = World::new().await;
    let NewAttempt { id, state, .. } = waiting(&world).await;
    let journal = &world.journal;
    journal
        .deliver_code(&state, &code("mk404x"), at(1))
        .await
        .unwrap();
    let intend = async || {
        let audit = entry(AuditKind::ExchangeIntended);
        journal.seal_code(id, &code("mk404x"), at(2), &audit).await
    };
    intend().await.unwrap();
    assert!(matches!(intend().await, Err(StoreError::Conflict(_))));
    assert_eq!(waits_for(journal, &state).await, None, "it is on its way");
    let again = journal
        .deliver_code(&state, &code("mk404x"), at(3))
        .await
        .unwrap();
    assert_eq!(again, Delivery::CameBefore(primary()));
}

#[tokio::test]
async fn a_code_for_a_sign_in_that_ended_comes_too_late() {
    let world = World::new().await;
    let NewAttempt { id, state, .. } = waiting(&world).await;
    let failure = Failure::new(FailureReason::RedirectTimeout, "");
    let audit = entry(AuditKind::AttemptClosed);
    world.journal.close(id, &failure, at(1), &audit).await.unwrap();
    let late = world.journal.deliver_code(&state, &code("mk404x"), at(2)).await;
    assert_eq!(late.unwrap(), Delivery::TooLate(primary()));
    assert_eq!(waits_for(&world.journal, &state).await, None);
}

/// Anybody may send redirects; they must not queue up for the one writer, nor wait for it.
#[tokio::test]
async fn a_redirect_that_brings_nothing_new_does_not_wait_for_the_writer() {
    let world = World::new().await;
    let NewAttempt { id, state, .. } = waiting(&world).await;
    let foreign = OAuthState::new("somebody else's");
    let deliver = async |state: &OAuthState| {
        let code = code("mk404x");
        let delivered = world.journal.deliver_code(state, &code, at(2));
        let soon = tokio::time::timeout(Duration::from_secs(2), delivered).await;
        soon.expect("it waits for the writer").unwrap()
    };
    assert_eq!(deliver(&state).await, Delivery::Taken(primary()));

    let raw = world.raw().await;
    let busy = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(deliver(&foreign).await, Delivery::Unknown);
    assert_eq!(deliver(&state).await, Delivery::CameBefore(primary()));
    drop(busy);

    let failure = Failure::new(FailureReason::RedirectTimeout, "");
    let audit = entry(AuditKind::AttemptClosed);
    world.journal.close(id, &failure, at(3), &audit).await.unwrap();
    let _busy = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(deliver(&state).await, Delivery::TooLate(primary()));
}

#[tokio::test]
async fn a_delivered_code_is_sealed_and_erased_when_its_sign_in_ends() {
    let world = World::new().await;
    let NewAttempt { id, state, .. } = waiting(&world).await;
    world
        .journal
        .deliver_code(&state, &code("CANARY-code"), at(1))
        .await
        .unwrap();
    let stored = async || -> Option<Vec<u8>> {
        let query = sqlx::query_scalar("SELECT sealed_code FROM sign_in_attempts WHERE id = $1");
        query
            .bind(id.as_uuid())
            .fetch_one(&world.raw().await)
            .await
            .unwrap()
    };
    let sealed = stored().await.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("CANARY"));
    let failure = Failure::new(FailureReason::Interrupted, "");
    let audit = entry(AuditKind::AttemptClosed);
    world.journal.close(id, &failure, at(2), &audit).await.unwrap();
    assert_eq!(stored().await, None);
}
