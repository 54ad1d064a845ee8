//! `UpstoxTokenRepository` over SQLite: what it erases, seals and reads of older rows.

use vega_domain::audit::AuditKind;
use vega_domain::ports::{StoreError, UpstoxTokenRepository};
use vega_domain::token::CheckResult;

use crate::database_fixture::{DatabaseFixture, entry, token};

#[tokio::test]
async fn storing_closes_the_attempt_and_erases_its_code_and_answer() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    fixture
        .tokens
        .store(&token(attempt, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    let (status, code, answer): (String, Option<Vec<u8>>, Option<Vec<u8>>) =
        sqlx::query_as("SELECT status, sealed_code, sealed_answer FROM sign_in_attempts")
            .fetch_one(&fixture.raw().await)
            .await
            .unwrap();
    assert_eq!((status.as_str(), code, answer), ("stored", None, None));

    let again = fixture
        .tokens
        .store(&token(attempt, "PRIMARY", 2), &entry(AuditKind::TokenStored))
        .await;
    assert!(
        matches!(again, Err(StoreError::Conflict(_))),
        "one attempt, one token"
    );
}

/// From before there was a column for what the operator revoked.
#[tokio::test]
async fn a_rejection_of_an_earlier_vega_stays_for_good() {
    let fixture = DatabaseFixture::new().await;
    let migration = include_str!("../../../../migrations/sqlite/0014_revoked_tokens.sql");
    let update = migration.lines().last().unwrap();
    assert!(
        update.starts_with("UPDATE upstox_tokens SET revoked_at"),
        "{update}"
    );
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    for name in ["PRIMARY", "WEBSOCKET1"] {
        let attempt = fixture.answered(run, name, 1).await;
        let stored = entry(AuditKind::TokenStored);
        fixture
            .tokens
            .store(&token(attempt, name, 1), &stored)
            .await
            .unwrap();
    }
    fixture.check("PRIMARY", 1, CheckResult::Invalid).await;
    sqlx::query(update).execute(&fixture.raw().await).await.unwrap();
    // Read as it stands there: the migration comes before rows have their values.
    let revoked: Vec<String> =
        sqlx::query_scalar("SELECT api FROM upstox_tokens WHERE revoked_at IS NOT NULL")
            .fetch_all(&fixture.raw().await)
            .await
            .unwrap();
    assert_eq!(revoked, ["PRIMARY"]);
}

#[tokio::test]
async fn a_token_that_was_moved_to_another_row_does_not_open() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    for name in ["PRIMARY", "WEBSOCKET1"] {
        let attempt = fixture.answered(run, name, 1).await;
        fixture
            .tokens
            .store(&token(attempt, name, 1), &entry(AuditKind::TokenStored))
            .await
            .unwrap();
    }
    // Somebody with write access swaps the tokens of two rows.
    sqlx::query(
        "UPDATE upstox_tokens SET sealed_access_token =
             (SELECT sealed_access_token FROM upstox_tokens WHERE api = 'WEBSOCKET1') WHERE api = 'PRIMARY'",
    )
    .execute(&fixture.raw().await)
    .await
    .unwrap();
    let all = fixture.tokens.load_all().await.unwrap();
    let Err(moved) = &all[0] else {
        panic!("a moved value must not open")
    };
    assert!(matches!(&moved.error, StoreError::ChangedOutside(words) if words.contains("moved it there")));
    assert_eq!(moved.api.as_str(), "PRIMARY");
}

#[tokio::test]
async fn no_secret_is_readable_on_disk() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    fixture
        .tokens
        .store(&token(attempt, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    fixture.answered(run, "WEBSOCKET1", 1).await;
    let bytes = fixture.bytes_on_disk();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
    assert!(holds(b"PRIMARY"), "the look must see the file's text");
    assert!(!holds(b"CANARY"), "a secret is on disk in clear");
}
