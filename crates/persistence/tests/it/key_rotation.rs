//! Rotating the root key: everything opens afterwards, nothing of the old key is left, and the audit trail goes on.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use vega_domain::audit::{AuditEntry, AuditFault, AuditKind};
use vega_domain::ports::{
    AccessKeys, AuditHistory, AuditTrail, CodeDelivery, LeftAnswer, SignInAttempts, StoreError,
    UpstoxTokenRepository,
};
use vega_domain::secret::AuthorizationCode;
use vega_persistence::{
    DataSource, KeySource, OpenError, Rotation, RotationError, SqlAccessRepository, SqlAuditHistory,
    SqlAuditTrail, SqlSignInJournal, SqlTokenRepository, WalState,
};

use crate::access_repository::key;
use crate::database_fixture::{DatabaseFixture, at, attempt, entry, key_path, open, token, url};

/// A token with its extended one, an answer, and a code that is on its way: one value in every sealed column but the
/// chain keys' and the access keys'.
pub(crate) async fn sealed(fixture: &DatabaseFixture) {
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]).await;
    let stored = fixture.answered(run, "PRIMARY", 1).await;
    fixture
        .tokens
        .store(&token(stored, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    fixture.answered(run, "WEBSOCKET1", 1).await;
    let waiting = attempt(run, "WEBSOCKET2", 1);
    fixture
        .journal
        .open_attempt(&waiting, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let code = AuthorizationCode::new("CANARY-delivered");
    fixture
        .journal
        .deliver_code(&waiting.state, &code, at(1))
        .await
        .unwrap();
}

/// Everything that `sealed` sealed opens, as it was.
pub(crate) async fn assert_all_opens(data: &DataSource) {
    let tokens = SqlTokenRepository::new(data.clone()).load_all().await.unwrap();
    let [Ok(stored)] = &tokens[..] else {
        panic!("{tokens:?}")
    };
    assert_eq!(stored.access_token.expose(), "CANARY-token-PRIMARY-1");
    let left = SqlSignInJournal::new(data.clone()).unfinished().await.unwrap();
    let mut found = (false, false);
    for attempt in &left {
        match &attempt.answer {
            LeftAnswer::Sealed(answer) => found.0 = answer.expose() == b"CANARY-answer",
            LeftAnswer::None => {
                found.1 = attempt.delivered.as_ref().unwrap().expose() == "CANARY-delivered";
            }
            LeftAnswer::Unreadable(why) => panic!("{why}"),
        }
    }
    assert_eq!(found, (true, true), "{left:?}");
    assert_eq!(
        data.examine_seals(at(0)).await.unwrap(),
        [],
        "the extended token, too"
    );
}

pub(crate) async fn fault(data: &DataSource) -> Option<AuditFault> {
    let history = SqlAuditHistory::new(data.clone());
    history.verify(None).await.unwrap().fault
}

async fn rotate(data: &DataSource) -> Rotation {
    data.rotate_key(at(100), |_| ()).await.unwrap()
}

async fn append(data: &DataSource, words: &str) {
    let entry = AuditEntry::new(at(5), AuditKind::PlanConfirmed, words);
    SqlAuditTrail::new(data.clone()).append(&entry).await.unwrap();
}

fn key_files(fixture: &DatabaseFixture) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(fixture.dir.path().join("config"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.to_string_lossy().contains("vega.key"))
        .collect();
    files.sort();
    files
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn raw(path: &Path) -> SqlitePool {
    SqlitePool::connect_with(SqliteConnectOptions::new().filename(path))
        .await
        .unwrap()
}

#[tokio::test]
async fn everything_opens_with_the_new_key_and_nothing_of_the_old_one_is_left() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let old_id: Vec<u8> = sqlx::query_scalar("SELECT key_id FROM seal_key")
        .fetch_one(&fixture.raw().await)
        .await
        .unwrap();
    assert!(
        contains(&fixture.bytes_on_disk(), &old_id),
        "the search below can find it"
    );
    let old_key = std::fs::read(key_path(&fixture.dir)).unwrap();

    let rotation = rotate(&fixture.data).await;
    assert_eq!((rotation.sealed, &rotation.unreadable), (5, &Vec::new()));
    assert_eq!(rotation.wal, WalState::Emptied);
    assert!(
        !contains(&fixture.bytes_on_disk(), &old_id),
        "also before any connection is closed"
    );
    fixture.data.close().await;
    assert!(!contains(&fixture.bytes_on_disk(), &old_id));

    assert_eq!(
        key_files(&fixture),
        [rotation.key_file.clone(), rotation.old_key.clone()]
    );
    let name = rotation.old_key.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("vega.key.2026-09-21."),
        "the day in India: {name}"
    );
    assert_eq!(std::fs::read(&rotation.old_key).unwrap(), old_key);
    assert_ne!(std::fs::read(&rotation.key_file).unwrap(), old_key);
    for file in key_files(&fixture) {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    let again = open(&fixture.dir).await;
    assert_all_opens(&again).await;
    assert_eq!(fixture.audit_kinds().await.last().unwrap(), "key_rotated");
}

#[tokio::test]
async fn the_audit_trail_is_intact_over_rotations() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let trail = SqlAuditTrail::new(fixture.data.clone());
    trail.keep_checkpoint(run, at(9)).await.unwrap();
    rotate(&fixture.data).await;
    let data = open(&fixture.dir).await;
    append(&data, "between").await;
    rotate(&data).await;
    let data = open(&fixture.dir).await;
    append(&data, "after").await;
    SqlAuditTrail::new(data.clone())
        .keep_checkpoint(run, at(9))
        .await
        .unwrap();
    let verdict = SqlAuditHistory::new(data).verify(None).await.unwrap();
    // Each rotation leaves one too.
    assert_eq!(
        (verdict.entries, verdict.checkpoints, verdict.fault),
        (5, 4, None)
    );
}

#[tokio::test]
async fn a_trail_that_began_with_the_rotation_is_intact() {
    let fixture = DatabaseFixture::new().await;
    rotate(&fixture.data).await;
    let data = open(&fixture.dir).await;
    assert_eq!(fault(&data).await, None);
    rotate(&data).await;
    assert_eq!(fault(&open(&fixture.dir).await).await, None);
}

/// Whoever stole the old key can write entries that fit in themselves, but not under what came after.
#[tokio::test]
async fn an_entry_that_was_forged_with_the_old_key_is_found() {
    let fixture = DatabaseFixture::new().await;
    append(&fixture.data, "first").await;
    fixture.data.close().await;
    let stolen = tempfile::tempdir().unwrap();
    for folder in ["data", "config"] {
        std::fs::create_dir(stolen.path().join(folder)).unwrap();
        for file in std::fs::read_dir(fixture.dir.path().join(folder)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), stolen.path().join(folder).join(file.file_name())).unwrap();
        }
    }
    let forger = open(&stolen).await;
    append(&forger, "forged").await;
    forger.close().await;

    let data = open(&fixture.dir).await;
    append(&data, "second").await;
    rotate(&data).await;
    let data = open(&fixture.dir).await;
    assert_eq!(fault(&data).await, None);
    let attacker = raw(data.path()).await;
    sqlx::raw_sql("DROP TRIGGER audit_events_are_never_changed")
        .execute(&attacker)
        .await
        .unwrap();
    let forgery = "UPDATE audit_events SET (detail, chain) = (SELECT $1, $2) WHERE id = 2";
    let (detail, chain): (String, Vec<u8>) =
        sqlx::query_as("SELECT detail, chain FROM audit_events WHERE id = 2")
            .fetch_one(&raw(&stolen.path().join("data/vega_trade.db")).await)
            .await
            .unwrap();
    assert_eq!(detail, "forged");
    sqlx::query(forgery)
        .bind(detail)
        .bind(chain)
        .execute(&attacker)
        .await
        .unwrap();
    assert_eq!(fault(&data).await, Some(AuditFault::Edited { entry: 3 }));
}

#[tokio::test]
async fn a_kept_chain_key_that_is_gone_moved_or_changed_is_found() {
    for (attack, expected) in [
        ("DELETE FROM audit_chain_keys", AuditFault::Edited { entry: 1 }),
        (
            "UPDATE audit_chain_keys SET last_entry = 1",
            AuditFault::Edited { entry: 1 },
        ),
        (
            "UPDATE audit_chain_keys SET sealed_key = randomblob(81)",
            AuditFault::Edited { entry: 1 },
        ),
        (
            "DROP TRIGGER audit_events_are_never_removed; DELETE FROM audit_events WHERE id = 3;
             UPDATE sqlite_sequence SET seq = 2 WHERE name = 'audit_events'",
            AuditFault::Cut { last: 2, written: 3 },
        ),
    ] {
        let fixture = DatabaseFixture::new().await;
        append(&fixture.data, "one").await;
        append(&fixture.data, "two").await;
        rotate(&fixture.data).await;
        let data = open(&fixture.dir).await;
        assert_eq!(fault(&data).await, None);
        sqlx::raw_sql(attack).execute(&fixture.raw().await).await.unwrap();
        assert_eq!(fault(&data).await, Some(expected), "{attack}");
    }
}

#[tokio::test]
async fn a_program_that_runs_takes_the_new_key_up() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let other = open(&fixture.dir).await;
    for round in 0..2 {
        let (rotates, goes_on) = if round == 0 {
            (&fixture.data, &other)
        } else {
            (&other, &fixture.data)
        };
        rotate(rotates).await;
        assert_all_opens(goes_on).await;
        for data in [goes_on, rotates] {
            append(data, "under the new key").await;
            assert_eq!(fault(data).await, None);
            data.prove_key().unwrap();
        }
        assert_eq!(goes_on.key_id(), rotates.key_id());
    }
    assert_eq!(key_files(&fixture).len(), 3);
    assert_all_opens(&open(&fixture.dir).await).await;
}

#[tokio::test]
async fn a_program_that_has_the_old_key_still_writes_nothing() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let other = open(&fixture.dir).await;
    let rotation = rotate(&fixture.data).await;
    // The new one is not there any more, and the old one in its place.
    let away = fixture.dir.path().join("away.key");
    std::fs::rename(&rotation.key_file, &away).unwrap();
    std::fs::copy(&rotation.old_key, &rotation.key_file).unwrap();
    let entries = fixture.audit_kinds().await.len();
    for data in [&fixture.data, &other] {
        let refused = SqlAuditTrail::new(data.clone())
            .append(&entry(AuditKind::PlanDeclined))
            .await;
        let Err(StoreError::Unreadable(words)) = refused else {
            panic!("{refused:?}")
        };
        assert!(
            words.contains("this machine does not have the new one"),
            "{words}"
        );
        assert!(matches!(
            data.rotate_key(at(101), |_| ()).await,
            Err(RotationError::Store(_))
        ));
        // As a whole, as when the database fails: tokens that are in memory stay there.
        let loaded = SqlTokenRepository::new(data.clone()).load_all().await;
        let words = loaded.unwrap_err().to_string();
        assert!(words.contains("the key was rotated"), "{words}");
    }
    assert_eq!(fixture.audit_kinds().await.len(), entries);
    // And goes on when it is there.
    std::fs::rename(&away, &rotation.key_file).unwrap();
    for data in [&fixture.data, &other] {
        assert_all_opens(data).await;
        append(data, "under the new key").await;
    }
}

/// Kept old keys lie beside the one in force: naming one of them in the database brings none of them back.
#[tokio::test]
async fn a_kept_old_key_is_never_taken_up() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let old: Vec<u8> = sqlx::query_scalar("SELECT key_id FROM seal_key")
        .fetch_one(&fixture.raw().await)
        .await
        .unwrap();
    rotate(&fixture.data).await;
    assert_all_opens(&fixture.data).await;
    sqlx::query("UPDATE seal_key SET key_id = $1")
        .bind(old)
        .execute(&fixture.raw().await)
        .await
        .unwrap();
    let refused = SqlAuditTrail::new(fixture.data.clone())
        .append(&entry(AuditKind::PlanDeclined))
        .await;
    assert!(matches!(refused, Err(StoreError::Unreadable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_value_that_does_not_open_is_named_and_not_in_the_way() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    sqlx::query("UPDATE upstox_tokens SET sealed_extended_token = zeroblob(60)")
        .execute(&fixture.raw().await)
        .await
        .unwrap();
    let rotation = rotate(&fixture.data).await;
    assert_eq!(rotation.sealed, 4);
    assert!(
        rotation.unreadable[0].contains("extended_token of PRIMARY"),
        "{rotation:?}"
    );
    assert_eq!(
        open(&fixture.dir).await.examine_seals(at(0)).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_credential_is_used_and_never_written() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    fixture.data.close().await;
    let credentials = fixture.dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let key = credentials.join("vega.key");
    std::fs::rename(key_path(&fixture.dir), &key).unwrap();
    // As systemd does it for a service with a user of its own.
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o440)).unwrap();
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o500)).unwrap();
    let source = KeySource::Credential {
        key: key.clone(),
        folder: fixture.dir.path().join("config"),
    };
    let data = DataSource::open(&url(&fixture.dir), &source).await.unwrap();
    assert_all_opens(&data).await;
    let run = vega_domain::ids::RunId::at(at(0));
    SqlAuditTrail::new(data.clone())
        .keep_checkpoint(run, at(9))
        .await
        .unwrap();
    assert!(fixture.dir.path().join("config/vega.checkpoints").exists());
    let refused = data.rotate_key(at(100), |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("systemd-creds"), "{refused}");
    assert_eq!(std::fs::read_dir(&credentials).unwrap().count(), 1);
    assert_all_opens(&data).await;
    data.close().await;

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o444)).unwrap();
    let open = DataSource::open(&url(&fixture.dir), &source)
        .await
        .unwrap_err()
        .to_string();
    assert!(open.contains("read by other users"), "{open}");
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert!(DataSource::open(&url(&fixture.dir), &source).await.is_err());
    assert!(!key.exists(), "none is made where systemd puts them");
}

/// The key may serve several databases: one that was not rotated says where its key is now.
#[tokio::test]
async fn another_database_with_the_old_key_is_told_where_it_is() {
    let fixture = DatabaseFixture::new().await;
    let other_url = format!(
        "sqlite://{}",
        fixture.dir.path().join("other/vega_trade.db").display()
    );
    DataSource::open(&other_url, &key_path(&fixture.dir))
        .await
        .unwrap()
        .close()
        .await;
    let rotation = rotate(&fixture.data).await;
    let refused = DataSource::open(&other_url, &key_path(&fixture.dir))
        .await
        .unwrap_err();
    let OpenError::WrongKey { kept, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(kept.as_ref(), Some(&rotation.old_key));
    assert!(
        refused
            .to_string()
            .contains("put it in the place of the other one"),
        "{refused}"
    );
    DataSource::open(&other_url, &rotation.old_key).await.unwrap();
    assert_eq!(
        key_files(&fixture).len(),
        2,
        "and nothing was put in any other place"
    );
}

/// A sealed column that the list does not know would stay with the old key.
#[tokio::test]
async fn every_sealed_column_of_the_schema_is_sealed_anew() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    append(&fixture.data, "so that there is a chain key").await;
    let access = SqlAccessRepository::new(fixture.data.clone());
    let audit = entry(AuditKind::KeyAdded);
    access.add_key(&key("trader", 1), &audit).await.unwrap();
    rotate(&fixture.data).await;
    let data = open(&fixture.dir).await;
    rotate(&data).await;
    let raw = fixture.raw().await;
    let id: Vec<u8> = sqlx::query_scalar("SELECT key_id FROM seal_key")
        .fetch_one(&raw)
        .await
        .unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
         WHERE t.schema = 'main' AND c.type = 'BLOB' AND c.name LIKE 'sealed%'",
    )
    .fetch_all(&raw)
    .await
    .unwrap();
    assert_eq!(columns.len(), 6, "{columns:?}");
    for (table, column) in columns {
        let query = format!("SELECT substr({column}, 2, 8) FROM {table} WHERE {column} IS NOT NULL");
        let keys: Vec<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_all(&raw)
            .await
            .unwrap();
        assert!(
            !keys.is_empty() && keys.iter().all(|key| *key == id),
            "{table}.{column}: {keys:?}"
        );
    }
}
