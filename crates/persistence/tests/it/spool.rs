//! The spool over real files: what the database does not take is kept, found by readers, and moved when it does.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::event::Event;
use vega_domain::ids::{AttemptId, Generation, RunId};
use vega_domain::ports::{LeftAnswer, SignInAttempts, StoreError, TokenSpool, UpstoxTokenRepository};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::token::StoredToken;
use vega_persistence::{
    DataSource, FileTokenSpool, RotationError, SpoolingSignInAttempts, SpoolingTokenRepository,
    SqlSignInJournal, SqlTokenRepository, tokens_without_opening,
};

use vega_testing::RecordedEvents;

use crate::database_fixture::{DatabaseFixture, api, at, attempt, entry, key_path, open, token, url};

pub(crate) struct Desk {
    pub(crate) fixture: DatabaseFixture,
    pub(crate) spool: FileTokenSpool,
    pub(crate) tokens: SpoolingTokenRepository,
    journal: SpoolingSignInAttempts,
    heard: Arc<RecordedEvents>,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::over(DatabaseFixture::new().await)
    }

    pub(crate) fn over(fixture: DatabaseFixture) -> Self {
        let spool = FileTokenSpool::new(fixture.data.clone());
        let heard = Arc::new(RecordedEvents::default());
        Self {
            tokens: SpoolingTokenRepository::new(
                SqlTokenRepository::new(fixture.data.clone()),
                spool.clone(),
                heard.clone(),
            ),
            journal: SpoolingSignInAttempts::new(
                Arc::new(SqlSignInJournal::new(fixture.data.clone())),
                spool.clone(),
                heard.clone(),
            ),
            spool,
            heard,
            fixture,
        }
    }

    /// From now on this table takes nothing, as on a full disk.
    pub(crate) async fn table_fails(&self, table: &'static str) {
        let raw = self.fixture.raw().await;
        for (number, what) in ["INSERT", "UPDATE"].iter().enumerate() {
            let sql = format!(
                "CREATE TRIGGER full_disk_{number}_{table} BEFORE {what} ON {table}
                 BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&raw).await.unwrap();
        }
    }

    pub(crate) async fn table_works(&self, table: &'static str) {
        let raw = self.fixture.raw().await;
        for number in 0..2 {
            let sql = format!("DROP TRIGGER full_disk_{number}_{table}");
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&raw).await.unwrap();
        }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.fixture.data.path().with_extension("spool")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.slot"))
    }

    async fn newest(&self, name: &str) -> Option<u32> {
        let newest = self.tokens.newest_generation(&api(name)).await.unwrap();
        newest.map(Generation::get)
    }

    async fn access_token(&self, name: &str) -> Option<String> {
        let all = self.tokens.load_all().await.unwrap();
        let mut all = all.into_iter().map(Result::unwrap);
        let token = all.find(|token| token.api == api(name))?;
        Some(token.access_token.expose().to_owned())
    }

    /// A token of `PRIMARY` that the database did not take: it is in the spool, and the table still takes none.
    pub(crate) async fn kept_token(&self) -> (RunId, AttemptId) {
        let run = self.fixture.running(&["PRIMARY"]).await;
        let attempt = self.fixture.answered(run, "PRIMARY", 1).await;
        self.table_fails("upstox_tokens").await;
        let (new, stored) = (token(attempt, "PRIMARY", 1), entry(AuditKind::TokenStored));
        self.tokens.store(&new, &stored).await.unwrap();
        (run, attempt)
    }

    /// A code is about to be sent.
    async fn exchanging(&self, name: &str) -> AttemptId {
        let run = self.fixture.running(&[name]).await;
        let attempt = attempt(run, name, 1);
        self.journal
            .open_attempt(&attempt, &entry(AuditKind::AttemptOpened))
            .await
            .unwrap();
        let code = AuthorizationCode::new("CANARY-code");
        self.journal
            .seal_code(attempt.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
            .await
            .unwrap();
        attempt.id
    }

    async fn receive(&self, attempt: AttemptId) -> Result<(), StoreError> {
        let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
        let audit = entry(AuditKind::AnswerReceived);
        self.journal.seal_answer(attempt, &answer, at(2), &audit).await
    }

    pub(crate) async fn audit(&self) -> Vec<(String, String)> {
        sqlx::query_as("SELECT kind, detail FROM audit_events ORDER BY id")
            .fetch_all(&self.fixture.raw().await)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_token_that_the_database_does_not_take_can_be_used_and_is_moved_later() {
    let desk = Desk::new().await;
    let (_, attempt) = desk.kept_token().await;
    let heard = std::mem::take(&mut *desk.heard.0.lock().unwrap());
    let [Event::KeptInSpool { api: whose, why }] = &heard[..] else {
        panic!("nobody was told")
    };
    assert_eq!(
        (whose, why.contains("the disk is full")),
        (&api("PRIMARY"), true),
        "{why}"
    );

    let kept = desk.access_token("PRIMARY").await;
    assert_eq!(kept.as_deref(), Some("CANARY-token-PRIMARY-1"));
    assert_eq!(desk.newest("PRIMARY").await, Some(1));
    assert!(
        desk.fixture.tokens.load_all().await.unwrap().is_empty(),
        "it is in no row"
    );
    let refused = desk.spool.import(at(8)).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    assert_eq!(
        desk.access_token("PRIMARY").await,
        kept,
        "it is kept all the same"
    );

    desk.table_works("upstox_tokens").await;
    assert_eq!(desk.spool.import(at(9)).await.unwrap(), [api("PRIMARY")]);
    let row = desk.fixture.token("PRIMARY").await;
    assert_same(&row, &token(attempt, "PRIMARY", 1).token);
    assert_eq!(desk.access_token("PRIMARY").await, kept);
    assert!(
        desk.spool.import(at(9)).await.unwrap().is_empty(),
        "it is moved once"
    );
    assert!(
        desk.fixture.journal.unfinished().await.unwrap().is_empty(),
        "its attempt is closed"
    );
    let (kind, detail) = desk.audit().await.pop().unwrap();
    assert_eq!(kind, "token_stored");
    assert!(detail.starts_with("kept in the spool since "), "{detail}");
}

#[tokio::test]
async fn an_answer_that_the_journal_does_not_take_is_no_lost_answer() {
    let desk = Desk::new().await;
    let attempt = desk.exchanging("PRIMARY").await;
    desk.table_fails("sign_in_attempts").await;
    desk.receive(attempt).await.unwrap();
    assert_eq!(desk.heard.0.lock().unwrap().len(), 1);
    desk.table_works("sign_in_attempts").await;

    desk.spool.import(at(9)).await.unwrap();
    let left = desk.fixture.journal.unfinished().await.unwrap();
    let LeftAnswer::Sealed(answer) = &left[0].answer else {
        panic!("{left:?}")
    };
    assert_eq!((answer.status, answer.complete), (200, true));
    assert_eq!(answer.expose(), b"CANARY-answer");
    assert!(desk.spool.import(at(9)).await.unwrap().is_empty());
}

/// Neither the answer nor the token could be stored: one sign-in, two records.
#[tokio::test]
async fn a_token_whose_answer_is_in_the_spool_too_is_moved_with_it() {
    let desk = Desk::new().await;
    let attempt = desk.exchanging("PRIMARY").await;
    desk.table_fails("sign_in_attempts").await;
    desk.receive(attempt).await.unwrap();
    let stored = entry(AuditKind::TokenStored);
    desk.tokens
        .store(&token(attempt, "PRIMARY", 1), &stored)
        .await
        .unwrap();
    desk.table_works("sign_in_attempts").await;
    assert_eq!(desk.spool.import(at(9)).await.unwrap(), [api("PRIMARY")]);
    assert_eq!(desk.fixture.token("PRIMARY").await.generation, Generation::FIRST);
    assert!(desk.fixture.journal.unfinished().await.unwrap().is_empty());
}

/// A process died between the commit and the clearing.
#[tokio::test]
async fn what_the_database_knows_already_is_only_removed() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    desk.table_works("upstox_tokens").await;
    let kept = std::fs::read(desk.file("PRIMARY")).unwrap();
    desk.spool.import(at(9)).await.unwrap();
    let before = desk.audit().await.len();
    std::fs::write(desk.file("PRIMARY"), kept).unwrap();
    assert!(desk.spool.import(at(10)).await.unwrap().is_empty());
    assert_eq!(desk.audit().await.len(), before);
    assert!(
        std::fs::read(desk.file("PRIMARY"))
            .unwrap()
            .iter()
            .all(|byte| *byte == 0)
    );
}

#[tokio::test]
async fn a_newer_token_of_the_database_wins_over_the_spool() {
    let desk = Desk::new().await;
    let (run, _) = desk.kept_token().await;
    let stored = entry(AuditKind::TokenStored);
    desk.table_works("upstox_tokens").await;
    for generation in 1..=2 {
        let attempt = desk.fixture.answered(run, "PRIMARY", generation).await;
        let newer = token(attempt, "PRIMARY", generation);
        desk.fixture.tokens.store(&newer, &stored).await.unwrap();
    }
    assert_eq!(
        desk.access_token("PRIMARY").await.as_deref(),
        Some("CANARY-token-PRIMARY-2")
    );
    assert_eq!(desk.newest("PRIMARY").await, Some(2));
    assert!(desk.spool.import(at(9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn room_is_made_for_its_owner_alone_and_leaves_what_is_kept() {
    let desk = Desk::new().await;
    desk.spool
        .prepare(&[api("PRIMARY"), api("WEBSOCKET1")])
        .await
        .unwrap();
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&desk.folder()), 0o700);
    for name in ["PRIMARY", "WEBSOCKET1"] {
        let file = std::fs::metadata(desk.file(name)).unwrap();
        assert_eq!((mode(&desk.file(name)), file.len()), (0o600, 1024 * 1024));
        assert!(
            file.blocks() * 512 >= 1024 * 1024,
            "the room is real: {}",
            file.blocks()
        );
    }
    let attempt = desk.exchanging("PRIMARY").await;
    desk.table_fails("sign_in_attempts").await;
    desk.receive(attempt).await.unwrap();
    desk.spool.prepare(&[api("PRIMARY")]).await.unwrap();
    desk.table_works("sign_in_attempts").await;
    assert_eq!(desk.spool.import(at(9)).await.unwrap(), [api("PRIMARY")]);
}

#[tokio::test]
async fn where_no_room_can_be_made_nothing_begins_and_nothing_is_called_kept() {
    let desk = Desk::new().await;
    let attempt = desk.exchanging("PRIMARY").await;
    std::fs::write(desk.folder(), "a file where the folder belongs").unwrap();
    let refused = desk.spool.prepare(&[api("PRIMARY")]).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    desk.table_fails("sign_in_attempts").await;
    let lost = desk.receive(attempt).await.unwrap_err().to_string();
    assert!(lost.contains("the disk is full"), "{lost}");
    assert!(desk.heard.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_kept_can_be_read_without_the_key() {
    let desk = Desk::new().await;
    let attempt = desk.exchanging("PRIMARY").await;
    desk.table_fails("sign_in_attempts").await;
    desk.receive(attempt).await.unwrap();
    let stored = entry(AuditKind::TokenStored);
    desk.tokens
        .store(&token(attempt, "PRIMARY", 1), &stored)
        .await
        .unwrap();
    let file = std::fs::read(desk.file("PRIMARY")).unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(!text.contains("CANARY"));
    let canary = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "CANARY-answer");
    assert!(!text.contains(&canary));
}

#[rstest]
#[case::moved_to_another_api(|bytes: &mut Vec<u8>| replace(bytes, b"PRIMARY", b"SECONDY"))]
#[case::another_generation(|bytes: &mut Vec<u8>| replace(bytes, b"\"generation\":1", b"\"generation\":2"))]
#[case::cut(|bytes: &mut Vec<u8>| bytes.truncate(512 * 1024 + 100))]
#[case::torn(|bytes: &mut Vec<u8>| bytes[512 * 1024 + 512..].fill(0))]
#[tokio::test]
async fn a_damaged_record_is_not_believed_and_hides_no_other(#[case] damage: fn(&mut Vec<u8>)) {
    let desk = Desk::new().await;
    let run = desk.fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let (one, two) = (
        desk.fixture.answered(run, "PRIMARY", 1).await,
        desk.fixture.answered(run, "WEBSOCKET1", 1).await,
    );
    desk.table_fails("upstox_tokens").await;
    let stored = entry(AuditKind::TokenStored);
    desk.tokens
        .store(&token(one, "PRIMARY", 1), &stored)
        .await
        .unwrap();
    desk.tokens
        .store(&token(two, "WEBSOCKET1", 1), &stored)
        .await
        .unwrap();
    let mut bytes = std::fs::read(desk.file("PRIMARY")).unwrap();
    damage(&mut bytes);
    std::fs::write(desk.file("PRIMARY"), bytes).unwrap();
    assert_eq!(desk.access_token("PRIMARY").await, None);
    assert_eq!(desk.access_token("SECONDY").await, None);
    assert!(desk.access_token("WEBSOCKET1").await.is_some());
    desk.table_works("upstox_tokens").await;
    assert_eq!(desk.spool.import(at(9)).await.unwrap(), [api("WEBSOCKET1")]);
}

/// `Debug` shows everything but the secret.
fn assert_same(one: &StoredToken, other: &StoredToken) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    assert_eq!(one.access_token.expose(), other.access_token.expose());
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|place| bytes[*place..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
}

#[tokio::test]
async fn a_database_that_does_not_open_leaves_readers_the_spool() {
    let desk = Desk::new().await;
    let (_, attempt) = desk.kept_token().await;
    desk.fixture.data.close().await;
    std::fs::write(desk.fixture.data.path(), "no database").unwrap();

    let (url, key) = (url(&desk.fixture.dir), key_path(&desk.fixture.dir));
    let tokens = tokens_without_opening(&url, &key).await.unwrap();
    assert_eq!(tokens.len(), 1);
    assert_same(&tokens[0], &token(attempt, "PRIMARY", 1).token);
    std::fs::remove_file(&key).unwrap();
    assert!(tokens_without_opening(&url, &key).await.is_none());
    assert!(!key.exists(), "no key is made");
}

/// The database is locked by another program beyond its patience.
#[tokio::test]
async fn a_database_that_stays_busy_is_one_that_fails() {
    let desk = Desk::new().await;
    let run = desk.fixture.running(&["PRIMARY"]).await;
    let attempt = desk.fixture.answered(run, "PRIMARY", 1).await;
    let raw = desk.fixture.raw().await;
    let mut other = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("UPDATE execution_runs SET started_at = started_at")
        .execute(&mut *other)
        .await
        .unwrap();
    let stored = entry(AuditKind::TokenStored);
    desk.tokens
        .store(&token(attempt, "PRIMARY", 1), &stored)
        .await
        .unwrap();
    assert!(desk.access_token("PRIMARY").await.is_some());
    other.rollback().await.unwrap();
    assert_eq!(desk.spool.import(at(9)).await.unwrap(), [api("PRIMARY")]);
}

/// What is there would stay sealed with the old key.
#[tokio::test]
async fn the_key_is_not_rotated_while_the_spool_holds_something() {
    let desk = Desk::new().await;
    desk.spool.prepare(&[api("PRIMARY")]).await.unwrap();
    let attempt = desk.exchanging("PRIMARY").await;
    desk.table_fails("sign_in_attempts").await;
    desk.receive(attempt).await.unwrap();
    let data = &desk.fixture.data;
    let refused = data.rotate_key(at(3), |_| ()).await;
    assert!(matches!(refused, Err(RotationError::Spooled)), "{refused:?}");
    desk.table_works("sign_in_attempts").await;
    desk.spool.import(at(4)).await.unwrap();
    data.rotate_key(at(5), |_| ()).await.unwrap();
    let again = open(&desk.fixture.dir).await;
    let left = SqlSignInJournal::new(again).unfinished().await.unwrap();
    assert!(matches!(left[0].answer, LeftAnswer::Sealed(_)), "{left:?}");
}

#[tokio::test]
async fn a_spool_that_others_can_read_is_refused() {
    let desk = Desk::new().await;
    desk.spool.prepare(&[api("PRIMARY")]).await.unwrap();
    std::fs::set_permissions(desk.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = DataSource::open(&url(&desk.fixture.dir), &key_path(&desk.fixture.dir)).await;
    let words = refused.map(drop).unwrap_err().to_string();
    assert!(
        words.contains("vega_trade.spool") && words.contains("chmod 700"),
        "{words}"
    );
    std::fs::set_permissions(desk.folder(), std::fs::Permissions::from_mode(0o700)).unwrap();
    open(&desk.fixture.dir).await;
}
