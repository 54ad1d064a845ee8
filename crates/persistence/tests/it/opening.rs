//! Opening a database: what is checked, what is refused, what it looks like afterwards.

use std::os::unix::fs::PermissionsExt;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::{AuditTrail, UpstoxTokenRepository};
use vega_persistence::{DataSource, KeyError, OpenError, SqlAuditTrail, SqlTokenRepository};

use crate::database_fixture::{DatabaseFixture, at, database_path, entry, key_path, open, token, url};

async fn pragma(fixture: &DatabaseFixture, name: &'static str) -> String {
    let raw = fixture.raw().await;
    let text: Result<String, _> = sqlx::query_scalar(name).fetch_one(&raw).await;
    match text {
        Ok(text) => text,
        Err(_) => sqlx::query_scalar::<_, i64>(name)
            .fetch_one(&raw)
            .await
            .unwrap()
            .to_string(),
    }
}

#[tokio::test]
async fn the_file_is_private_ours_and_in_wal_mode() {
    let fixture = DatabaseFixture::new().await;
    for path in [database_path(&fixture.dir), key_path(&fixture.dir)] {
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&path), mode(path.parent().unwrap())),
            (0o600, 0o700),
            "{}",
            path.display()
        );
    }
    let wal = database_path(&fixture.dir).with_extension("db-wal");
    assert_eq!(
        std::fs::metadata(wal).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(pragma(&fixture, "PRAGMA journal_mode").await, "wal");
    assert_eq!(
        pragma(&fixture, "PRAGMA application_id").await,
        0x5645_4741.to_string()
    );
}

#[tokio::test]
async fn every_table_is_strict() {
    let fixture = DatabaseFixture::new().await;
    let loose: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0
         AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&fixture.raw().await)
    .await
    .unwrap();
    assert!(loose.is_empty(), "{loose:?}");
}

#[tokio::test]
async fn audit_events_can_be_added_but_never_changed_or_removed() {
    let fixture = DatabaseFixture::new().await;
    let audit = SqlAuditTrail::new(fixture.data.clone());
    let line = AuditEntry::new(at(0), AuditKind::PlanDeclined, "no");
    audit.append(&line).await.unwrap();
    for attack in [
        "UPDATE audit_events SET detail = 'yes'",
        "DELETE FROM audit_events",
        "INSERT INTO audit_events (at, kind, detail) VALUES ('2026-11-23T00:00:00+00:00', 'run_ended', '')",
    ] {
        assert!(
            sqlx::query(attack).execute(&fixture.raw().await).await.is_err(),
            "{attack}"
        );
    }
    assert_eq!(fixture.audit_kinds().await, ["plan_declined"]);
}

#[tokio::test]
async fn it_opens_again_with_what_was_stored() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    fixture
        .tokens
        .store(&token(attempt, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    fixture.data.close().await;
    let tokens = SqlTokenRepository::new(open(&fixture.dir).await);
    assert_eq!(tokens.load_all().await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_may_open_at_once_at_the_very_first_start() {
    let dir = tempfile::tempdir().unwrap();
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let (url, key) = (url(&dir), key_path(&dir));
            tokio::spawn(async move { DataSource::open(&url, &key).await.map(drop) })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

/// The list of migrations is there before the first of them has given the file its id.
#[tokio::test]
async fn a_first_start_that_did_not_come_far_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = DatabaseFixture::new().await;
    let query = "SELECT sql FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let list: String = sqlx::query_scalar(query)
        .fetch_one(&fixture.raw().await)
        .await
        .unwrap();
    let path = database_path(&dir);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let begun = SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(list))
        .execute(&begun)
        .await
        .unwrap();
    begun.close().await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    open(&dir).await;
}

/// The locks that this machine's programs hold on the database and on what lies beside it, as the kernel tells them.
#[cfg(target_os = "linux")]
fn locks(fixture: &DatabaseFixture) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let files = ["vega_trade.db", "vega_trade.db-shm"].map(|name| fixture.dir.path().join("data").join(name));
    let inodes = files.map(|file| format!(":{} ", std::fs::metadata(file).unwrap().ino()));
    let all = std::fs::read_to_string("/proc/locks").unwrap();
    let mut ours: Vec<String> = all
        .lines()
        .filter(|line| inodes.iter().any(|inode| line.contains(inode)))
        // Without the number of the line.
        .filter_map(|line| Some(line.split_once(": ")?.1.to_owned()))
        .collect();
    ours.sort();
    // The kernel tells this file in pieces, and may tell a line twice.
    ours.dedup();
    ours
}

/// A process that closes a file gives up all its locks on it, SQLite's too: then another program could take the log away
/// under a connection that is open.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_opening_takes_no_locks_away() {
    let fixture = DatabaseFixture::new().await;
    let before = locks(&fixture);
    assert!(
        before.len() >= 2,
        "the kernel knows of a lock on each: {before:?}"
    );
    let second = open(&fixture.dir).await;
    assert_eq!(
        locks(&fixture),
        before,
        "a second one in this process shares them"
    );
    second.close().await;
    assert_eq!(locks(&fixture), before);
    fixture
        .data
        .back_up(&fixture.dir.path().join("copy.db"), at(1))
        .await
        .unwrap();
    assert_eq!(locks(&fixture), before);
    fixture.data.rotate_key(at(2), |_| ()).await.unwrap();
    assert_eq!(locks(&fixture), before);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let other = SqlitePool::connect_with(options.journal_mode(SqliteJournalMode::Wal))
        .await
        .unwrap();
    sqlx::query("CREATE TABLE theirs (x)")
        .execute(&other)
        .await
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|file| !file.to_string_lossy().ends_with("-shm"))
            .map(|file| (std::fs::read(&file).unwrap(), file))
            .collect();
        files.sort();
        files
    };
    let before = files();
    let refused = DataSource::open(&format!("sqlite://{}", path.display()), &key_path(&dir)).await;
    assert!(matches!(refused, Err(OpenError::NotOurs(_))), "{refused:?}");
    assert_eq!(
        files(),
        before,
        "neither the file nor its WAL is touched, and nothing is added"
    );
}

/// Damage that is not in the first page, where every open would stumble over it.
#[tokio::test]
async fn a_damaged_database_is_refused_and_left_as_it_was() {
    let fixture = DatabaseFixture::new().await;
    fixture.data.close().await;
    let path = database_path(&fixture.dir);
    let whole = std::fs::read(&path).unwrap();
    // A page's kind, how many rows are in it, the kind of the first page, and how many pages there are.
    for place in [4096 * 7, 4096 * 7 + 4, 100, 28] {
        let mut damaged = whole.clone();
        damaged[place] ^= 0xff;
        std::fs::write(&path, &damaged).unwrap();
        let refused = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir))
            .await
            .map(drop);
        assert!(
            matches!(refused, Err(OpenError::Damaged { .. })),
            "{place}: {refused:?}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cut = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir))
        .await
        .map(drop);
    assert!(matches!(cut, Err(OpenError::Damaged { .. })), "{cut:?}");
    std::fs::write(&path, whole).unwrap();
    open(&fixture.dir).await;
}

/// SQLite would remove the log, and Vega would begin anew over what it holds.
#[tokio::test]
async fn no_database_is_made_over_the_log_of_one_that_is_gone() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.answered(run, "PRIMARY", 1).await;
    let path = database_path(&fixture.dir);
    let wal = path.with_extension("db-wal");
    let log = std::fs::read(&wal).unwrap();
    assert!(!log.is_empty());
    fixture.data.close().await;
    for empty in [true, false] {
        std::fs::remove_file(&path).unwrap();
        if empty {
            std::fs::write(&path, "").unwrap();
        }
        std::fs::write(&wal, &log).unwrap();
        let refused = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir))
            .await
            .map(drop);
        assert!(matches!(refused, Err(OpenError::WalAlone { .. })), "{refused:?}");
        assert_eq!(std::fs::read(&wal).unwrap(), log);
        assert_eq!(path.exists(), empty);
        std::fs::write(&path, "").unwrap();
    }
}

/// All that lies beside the database holds what it holds.
#[tokio::test]
async fn files_beside_the_database_that_others_can_read_are_refused() {
    for name in ["vega_trade.db-wal", "vega_trade.db-shm", "vega_trade.open.lock"] {
        let fixture = DatabaseFixture::new().await;
        let file = fixture.dir.path().join("data").join(name);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir))
            .await
            .map(drop)
            .unwrap_err();
        let words = refused.to_string();
        assert!(words.contains(name) && words.contains("chmod 600"), "{words}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let fixture = DatabaseFixture::new().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&fixture.raw().await)
    .await
    .unwrap();
    let refused = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir)).await;
    assert!(matches!(refused, Err(OpenError::Newer(_))), "{refused:?}");
}

#[tokio::test]
async fn a_missing_or_other_key_over_sealed_tokens_is_refused() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.answered(run, "PRIMARY", 1).await;
    fixture.data.close().await;
    let other = fixture.dir.path().join("config/other.key");
    let missing = DataSource::open(&url(&fixture.dir), &other).await;
    assert!(
        matches!(
            missing,
            Err(OpenError::Key(KeyError::MissingOverSealedData { .. }))
        ),
        "{missing:?}"
    );
    assert!(!other.exists(), "no new key over old data");

    let elsewhere = tempfile::tempdir().unwrap();
    open(&elsewhere).await.close().await;
    std::fs::copy(key_path(&elsewhere), &other).unwrap();
    let wrong = DataSource::open(&url(&fixture.dir), &other).await;
    assert!(matches!(wrong, Err(OpenError::WrongKey { .. })), "{wrong:?}");
}

#[tokio::test]
async fn a_database_that_others_can_read_is_refused() {
    let fixture = DatabaseFixture::new().await;
    fixture.data.close().await;
    std::fs::set_permissions(
        database_path(&fixture.dir),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let refused = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("chmod 600"), "{refused}");
}
