//! Dead tokens are erased a day after their end, and nothing of them is left in the files; others are not touched.

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{Generation, RunId};
use vega_domain::ports::{CodeDelivery, SignInAttempts, StoreError, UpstoxTokenRepository};

use crate::database_fixture::{DatabaseFixture, api, at, attempt, entry, open, token};

const DAY: TimeDelta = TimeDelta::days(1);

/// A token of this end, with an extended one.
async fn store(
    fixture: &DatabaseFixture,
    run: RunId,
    name: &str,
    generation: u32,
    valid_until: DateTime<Utc>,
) {
    let attempt = fixture.answered(run, name, generation).await;
    let mut new = token(attempt, name, generation);
    new.token.valid_until = valid_until;
    fixture
        .tokens
        .store(&new, &entry(AuditKind::TokenStored))
        .await
        .unwrap();
}

/// The sealed bytes in this column, in order of their rows.
async fn sealed(fixture: &DatabaseFixture, table_and_column: [&str; 2]) -> Vec<Vec<u8>> {
    let [table, column] = table_and_column;
    let query = format!("SELECT {column} FROM {table} WHERE length({column}) > 0 ORDER BY rowid");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .fetch_all(&fixture.raw().await)
        .await
        .unwrap()
}

const TOKENS: [&str; 2] = ["upstox_tokens", "sealed_access_token"];
const EXTENDED: [&str; 2] = ["upstox_tokens", "sealed_extended_token"];
const ANSWERS: [&str; 2] = ["sign_in_attempts", "sealed_answer"];

fn is_on_disk(fixture: &DatabaseFixture, envelope: &[u8]) -> bool {
    // Its cipher text is longer than any coincidence.
    let part = &envelope[envelope.len() - 24..];
    fixture
        .bytes_on_disk()
        .windows(part.len())
        .any(|window| window == part)
}

#[tokio::test]
async fn a_token_is_erased_a_day_after_its_end_and_not_before() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let end = at(1000);
    store(&fixture, run, "PRIMARY", 1, end).await;
    store(&fixture, run, "WEBSOCKET1", 1, end + TimeDelta::seconds(1)).await;
    assert_eq!(fixture.tokens.erase_dead(end + DAY).await.unwrap(), 0);
    assert_eq!(
        fixture.token("PRIMARY").await.access_token.expose(),
        "CANARY-token-PRIMARY-1"
    );
    let before = sealed(&fixture, TOKENS).await;
    assert!(
        before.iter().all(|envelope| is_on_disk(&fixture, envelope)),
        "the search can find them"
    );

    let entries = fixture.audit_kinds().await.len();
    let just_after = end + DAY + TimeDelta::microseconds(1);
    assert_eq!(fixture.tokens.erase_dead(just_after).await.unwrap(), 1);
    assert!(
        !is_on_disk(&fixture, &before[0]),
        "neither in the file nor in the log"
    );
    assert!(is_on_disk(&fixture, &before[1]));
    assert_eq!(fixture.tokens.erase_dead(just_after).await.unwrap(), 0, "once");

    let kinds = fixture.audit_kinds().await;
    assert_eq!(kinds[entries..], ["tokens_erased"]);
    let detail: String = sqlx::query_scalar("SELECT detail FROM audit_events ORDER BY id DESC LIMIT 1")
        .fetch_one(&fixture.raw().await)
        .await
        .unwrap();
    assert_eq!(detail, "token PRIMARY 1");

    let loaded = fixture.tokens.load_all().await.unwrap();
    let erased = loaded[0].as_ref().unwrap_err();
    assert!(matches!(erased.error, StoreError::Erased), "{erased:?}");
    assert_eq!((erased.generation.get(), erased.valid_until), (1, end));
    assert!(loaded[1].is_ok());
    let newest = fixture.tokens.newest_generation(&api("PRIMARY")).await.unwrap();
    assert_eq!(newest.map(Generation::get), Some(1), "its number counts on");
    store(&fixture, run, "PRIMARY", 2, end + DAY * 2).await;
    assert_eq!(fixture.token("PRIMARY").await.generation.get(), 2);
}

#[tokio::test]
async fn an_extended_token_lives_on_until_a_newer_one_or_its_year_is_over() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let end = at(1000);
    store(&fixture, run, "PRIMARY", 1, end).await;
    store(&fixture, run, "WEBSOCKET1", 1, end).await;
    let [first, other] = &sealed(&fixture, EXTENDED).await[..] else {
        panic!()
    };
    assert_eq!(fixture.tokens.erase_dead(end + DAY * 2).await.unwrap(), 2);
    assert!(is_on_disk(&fixture, first) && is_on_disk(&fixture, other));
    store(&fixture, run, "PRIMARY", 2, end + DAY * 3).await;
    assert_eq!(fixture.tokens.erase_dead(end + DAY * 2).await.unwrap(), 1);
    assert!(!is_on_disk(&fixture, first) && is_on_disk(&fixture, other));
    // The second token of PRIMARY goes too, and then both of the last extended ones.
    assert_eq!(fixture.tokens.erase_dead(at(0) + DAY * 368).await.unwrap(), 3);
    assert_eq!(sealed(&fixture, EXTENDED).await, Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn an_answer_that_was_kept_for_review_is_erased_when_no_token_in_it_can_live() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let reviewed = fixture.answered(run, "PRIMARY", 1).await;
    fixture.answered(run, "WEBSOCKET1", 1).await;
    let failure = Failure::new(FailureReason::NeedsReview, "");
    fixture
        .journal
        .close(reviewed, &failure, at(3), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();
    let [kept, open] = &sealed(&fixture, ANSWERS).await[..] else {
        panic!()
    };
    // It came at second 2.
    assert_eq!(fixture.tokens.erase_dead(at(2) + DAY * 2).await.unwrap(), 0);
    assert_eq!(fixture.tokens.erase_dead(at(3) + DAY * 2).await.unwrap(), 1);
    assert!(!is_on_disk(&fixture, kept));
    assert!(
        is_on_disk(&fixture, open),
        "one that is still to be read stays, however old"
    );
}

/// A reader in another program keeps old pages in the log; what it held back goes when the database is closed.
#[tokio::test]
async fn what_a_reader_held_back_goes_with_the_last_connection() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    store(&fixture, run, "PRIMARY", 1, at(1000)).await;
    let envelope = sealed(&fixture, TOKENS).await.remove(0);
    let raw = fixture.raw().await;
    let mut reader = raw.begin().await.unwrap();
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM upstox_tokens")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(fixture.tokens.erase_dead(at(1000) + DAY * 2).await.unwrap(), 1);
    assert!(is_on_disk(&fixture, &envelope), "the reader still sees it");
    reader.rollback().await.unwrap();
    raw.close().await;
    fixture.data.close().await;
    assert!(!is_on_disk(&fixture, &envelope));
    open(&fixture.dir).await;
}

/// A code that is on its way is none of erasure's business.
#[tokio::test]
async fn an_open_attempt_is_not_touched() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let waiting = attempt(run, "PRIMARY", 1);
    let journal = &fixture.journal;
    journal
        .open_attempt(&waiting, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let code = vega_domain::secret::AuthorizationCode::new("CANARY-delivered");
    journal.deliver_code(&waiting.state, &code, at(1)).await.unwrap();
    assert_eq!(fixture.tokens.erase_dead(at(0) + DAY * 400).await.unwrap(), 0);
    assert!(journal.delivered_code(&waiting.state).await.unwrap().is_some());
}
