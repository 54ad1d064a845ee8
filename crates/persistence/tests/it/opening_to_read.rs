//! A database that is opened to be looked at: what is read, what stays as it was, and when everything else has to come first.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::ids::RunId;
use vega_domain::ports::{
    AccessKeys, AuditTrail, ExecutionStateRepository, SignInAttempts, TokenSpool, UpstoxTokenRepository,
};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_persistence::{
    DataSource, DatabasePlace, SqlAuditTrail, SqlExecutionStateRepository, SqlSignInJournal,
    SqlTokenRepository,
};

use crate::database_fixture::{
    DatabaseFixture, api, at, attempt, database_path, entry, key_path, run, token, url,
};
use crate::older_database::File;
use crate::postgres_desk;
use crate::row_values::Stage;
use crate::spool::Desk;

async fn store(fixture: &DatabaseFixture, run: RunId, name: &str) {
    let attempt = fixture.answered(run, name, 1).await;
    let stored = entry(AuditKind::TokenStored);
    let new = token(attempt, name, 1);
    fixture.tokens.store(&new, &stored).await.unwrap();
}

/// Not at its first start, after which the file says whose it is.
async fn started_before() -> DatabaseFixture {
    let first = DatabaseFixture::new().await;
    first.data.close().await;
    DatabaseFixture::over(first.dir).await
}

/// With a stored token of PRIMARY.
async fn with_a_token() -> DatabaseFixture {
    let fixture = started_before().await;
    let run = fixture.running(&["PRIMARY"]).await;
    store(&fixture, run, "PRIMARY").await;
    fixture
}

async fn look(dir: &tempfile::TempDir) -> Option<DataSource> {
    DataSource::open_to_read(&url(dir), &key_path(dir)).await
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let files = files.filter(|file| file.path().is_file());
    let mut contents: Vec<_> = files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read(file.path()).unwrap())
        })
        .collect();
    contents.sort();
    contents
}

#[tokio::test]
async fn it_is_read_and_nothing_of_it_changes() {
    let fixture = with_a_token().await;
    fixture.data.close().await;
    let folder = database_path(&fixture.dir).parent().unwrap().to_owned();
    let before = contents(&folder);

    let data = look(&fixture.dir).await.unwrap();
    let loaded = SqlTokenRepository::new(data.clone()).load_all().await.unwrap();
    let [Ok(token)] = &loaded[..] else {
        panic!("{loaded:?}");
    };
    assert_eq!(token.access_token.expose(), "CANARY-token-PRIMARY-1");
    assert!(data.is_undamaged().await);
    assert!(
        data.prove_writable().await.is_err(),
        "nothing is written through it"
    );
    data.close().await;
    assert!(
        contents(&folder) == before,
        "what lay there is not what lies there"
    );
}

/// A server runs, and its commits are in the log alone.
#[tokio::test]
async fn what_another_process_commits_meanwhile_is_seen() {
    let fixture = started_before().await;
    let run = fixture.running(&["PRIMARY", "CHAIN"]).await;
    store(&fixture, run, "PRIMARY").await;
    let data = look(&fixture.dir).await.unwrap();
    let tokens = SqlTokenRepository::new(data.clone());
    let count = async || tokens.load_all().await.unwrap().len();
    assert_eq!(count().await, 1);
    store(&fixture, run, "CHAIN").await;
    assert_eq!(count().await, 2);
    data.close().await;
}

async fn raw(fixture: &DatabaseFixture, statement: &'static str) {
    let pool = fixture.raw().await;
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[rstest]
#[case::nothing_is_there(|dir: &tempfile::TempDir| std::fs::remove_file(database_path(dir)).unwrap())]
#[case::empty_with_a_log(|dir: &tempfile::TempDir| {
    std::fs::rename(database_path(dir), database_path(dir).with_extension("db-wal")).unwrap();
    std::fs::write(database_path(dir), "").unwrap();
    chmod(&database_path(dir), 0o600);
})]
#[case::no_database(|dir: &tempfile::TempDir| std::fs::write(database_path(dir), "a note of somebody's ".repeat(9)).unwrap())]
#[case::of_another_program(|dir: &tempfile::TempDir| {
    let mut bytes = std::fs::read(database_path(dir)).unwrap();
    bytes[68..72].fill(7);
    std::fs::write(database_path(dir), bytes).unwrap();
})]
#[case::others_can_read_it(|dir: &tempfile::TempDir| chmod(&database_path(dir), 0o644))]
#[case::others_can_read_its_log(|dir: &tempfile::TempDir| {
    std::fs::write(database_path(dir).with_extension("db-wal"), "").unwrap();
    chmod(&database_path(dir).with_extension("db-wal"), 0o644);
})]
#[case::others_can_change_its_folder(|dir: &tempfile::TempDir| chmod(&dir.path().join("data"), 0o777))]
#[case::no_key(|dir: &tempfile::TempDir| std::fs::remove_file(key_path(dir)).unwrap())]
#[tokio::test]
async fn where_a_start_has_something_to_say_it_is_left_to_it(#[case] change: fn(&tempfile::TempDir)) {
    let fixture = with_a_token().await;
    fixture.data.close().await;
    change(&fixture.dir);
    let folder = fixture.dir.path().join("data");
    let before = contents(&folder);
    assert!(look(&fixture.dir).await.is_none());
    assert!(contents(&folder) == before, "the look changed something");
}

#[rstest]
#[case::newer(
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
     VALUES (99999999999999, 'newer', TRUE, X'00', 0)"
)]
#[case::older("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")]
#[case::without_a_named_key("DELETE FROM seal_key")]
#[case::without_the_list_of_changes("DELETE FROM latest_changes")]
#[tokio::test]
async fn what_no_start_of_this_version_left_is_left_to_a_start(#[case] change: &'static str) {
    let fixture = with_a_token().await;
    look(&fixture.dir).await.unwrap().close().await;
    raw(&fixture, change).await;
    fixture.data.close().await;
    assert!(look(&fixture.dir).await.is_none());
}

/// Or the same edit, made again, would not be on record again.
#[tokio::test]
async fn a_row_that_fits_again_is_recorded_by_a_start_first() {
    let fixture = with_a_token().await;
    raw(&fixture, "UPDATE upstox_tokens SET generation = generation + 1").await;
    assert_eq!(fixture.data.examine_rows(at(9)).await.unwrap().len(), 2);
    raw(&fixture, "UPDATE upstox_tokens SET generation = generation - 1").await;
    assert!(look(&fixture.dir).await.is_none());
    fixture.data.examine_rows(at(9)).await.unwrap();
    look(&fixture.dir).await.unwrap().close().await;
}

#[tokio::test]
async fn a_database_of_another_key_is_left_to_a_start() {
    let (fixture, other) = (with_a_token().await, DatabaseFixture::new().await);
    fixture.data.close().await;
    let found = DataSource::open_to_read(&url(&fixture.dir), &key_path(&other.dir)).await;
    assert!(found.is_none());
}

async fn gives_nothing(dir: &tempfile::TempDir) {
    let data = look(dir).await.unwrap();
    let loaded = SqlTokenRepository::new(data.clone()).load_all().await.unwrap();
    assert!(loaded.iter().all(Result::is_err), "{loaded:?}");
    assert!(data.mistrust().await.unwrap().is_some());
    data.close().await;
}

#[tokio::test]
async fn a_database_that_was_changed_as_a_whole_gives_nothing() {
    let fixture = with_a_token().await;
    raw(&fixture, "UPDATE latest_changes SET marks = '{}'").await;
    fixture.data.close().await;
    gives_nothing(&fixture.dir).await;
}

#[tokio::test]
async fn an_older_database_gives_nothing() {
    let stage = Stage::new().await;
    let older = File::keep(&stage.fixture).await;
    let audit = entry(AuditKind::KeyRevoked);
    assert!(stage.access.revoke_key(stage.key, &audit).await.unwrap());
    older.put_back(&stage.fixture).await.close().await;
    gives_nothing(&stage.fixture.dir).await;
}

#[tokio::test]
async fn what_is_in_the_spool_has_to_be_moved_first() {
    let desk = Desk::over(started_before().await);
    desk.spool.prepare(&[api("PRIMARY")]).await.unwrap();
    let empty = look(&desk.fixture.dir).await;
    empty.expect("room alone is nothing to move").close().await;
    desk.kept_token().await;
    assert!(look(&desk.fixture.dir).await.is_none());
    // What cannot be read is told by a start.
    let slot = desk.folder().join("PRIMARY.slot");
    let mut bytes = std::fs::read(&slot).unwrap();
    let record = bytes.windows(8).rposition(|eight| eight == b"VEGASPL1").unwrap();
    bytes[record + 40] ^= 0x55;
    std::fs::write(&slot, bytes).unwrap();
    assert!(look(&desk.fixture.dir).await.is_none());
}

#[tokio::test]
async fn a_database_on_a_server_is_looked_at_through_one_connection() {
    let desk = postgres_desk::Desk::new();
    let place = DatabasePlace {
        folder: desk.dir.path().join("desk1"),
        ..DatabasePlace::from(&desk.url)
    };
    let look = async || DataSource::open_to_read(&place, &key_path(&desk.dir)).await;
    assert!(look().await.is_none(), "nothing is there yet");
    let data = desk.machine("desk1").await;
    let run = run(&["PRIMARY"]);
    let runs = SqlExecutionStateRepository::new(data.clone());
    runs.begin(&run, &entry(AuditKind::RunStarted)).await.unwrap();
    let journal = SqlSignInJournal::new(data.clone());
    let opened = attempt(run.id, "PRIMARY", 1);
    journal
        .open_attempt(&opened, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let code = AuthorizationCode::new("CANARY-code");
    journal
        .seal_code(opened.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
        .await
        .unwrap();
    let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
    journal
        .seal_answer(opened.id, &answer, at(2), &entry(AuditKind::AnswerReceived))
        .await
        .unwrap();
    SqlTokenRepository::new(data.clone())
        .store(&token(opened.id, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    data.close().await;

    let looking = look().await.unwrap();
    let loaded = SqlTokenRepository::new(looking.clone()).load_all().await.unwrap();
    assert_eq!(loaded.len(), 1);
    assert!(loaded[0].is_ok(), "{loaded:?}");
    let audit = SqlAuditTrail::new(looking.clone());
    audit.append(&entry(AuditKind::PlanDeclined)).await.unwrap_err();
    looking.close().await;

    desk.change("UPDATE seal_key SET key_id = '\\x0102030405060708'");
    assert!(look().await.is_none(), "it belongs to another key");
}
