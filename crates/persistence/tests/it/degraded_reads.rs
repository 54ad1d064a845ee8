//! A database that does not open, because the file that SQLite makes beside it cannot be made: its tokens are still read.

use std::path::Path;

use vega_domain::audit::AuditKind;
use vega_domain::ports::UpstoxTokenRepository;
use vega_domain::token::StoredToken;
use vega_persistence::{DataSource, SqlTokenRepository, tokens_without_opening};

use crate::database_fixture::{DatabaseFixture, database_path, entry, key_path, token, url};

/// A fixture that is not at its first start, with a stored token of PRIMARY.
async fn with_a_token() -> DatabaseFixture {
    let first = DatabaseFixture::new().await;
    first.data.close().await;
    let fixture = DatabaseFixture::over(first.dir).await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    let stored = entry(AuditKind::TokenStored);
    let tokens = SqlTokenRepository::new(fixture.data.clone());
    tokens
        .store(&token(attempt, "PRIMARY", 1), &stored)
        .await
        .unwrap();
    fixture
}

/// SQLite follows no link to this file, so it can no more be made than on a full disk.
fn take_the_place_of_shm(database: &Path) {
    std::os::unix::fs::symlink("nowhere", database.with_extension("db-shm")).unwrap();
}

async fn read(url: &str, key: &Path) -> Vec<StoredToken> {
    let opened = DataSource::open(url, key).await;
    assert!(opened.is_err(), "the case is about a database that does not open");
    tokens_without_opening(url, key).await.unwrap()
}

#[tokio::test]
async fn a_token_in_its_rows_is_read() {
    let fixture = with_a_token().await;
    fixture.data.close().await;
    take_the_place_of_shm(&database_path(&fixture.dir));
    let tokens = read(&url(&fixture.dir), &key_path(&fixture.dir)).await;
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].access_token.expose(), "CANARY-token-PRIMARY-1");
}

/// Its process died, or could not fold the log into the file: what is only in the log must not be missed.
#[tokio::test]
async fn a_token_in_the_write_ahead_log_is_read() {
    let fixture = with_a_token().await;
    let copy = tempfile::tempdir().unwrap();
    let (old, new) = (database_path(&fixture.dir), copy.path().join("vega.db"));
    for ending in ["db", "db-wal"] {
        std::fs::copy(old.with_extension(ending), new.with_extension(ending)).unwrap();
    }
    take_the_place_of_shm(&new);
    let url = format!("sqlite://{}", new.display());
    let tokens = read(&url, &key_path(&fixture.dir)).await;
    assert_eq!(tokens.len(), 1);
}

#[tokio::test]
async fn what_a_newer_vega_wrote_is_not_read() {
    let fixture = with_a_token().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99999999999999, 'newer', TRUE, X'00', 0)",
    )
    .execute(&fixture.raw().await)
    .await
    .unwrap();
    fixture.data.close().await;
    let tokens = read(&url(&fixture.dir), &key_path(&fixture.dir)).await;
    assert!(tokens.is_empty(), "{tokens:?}");
}
