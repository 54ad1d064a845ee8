//! Databases as a Vega before row values left them, and databases that somebody made to look like one.

use rstest::rstest;
use vega_domain::access::{AccessKey, Scope, SecretHash};
use vega_domain::ids::{AccessKeyId, KeyName, RunId};
use vega_domain::ports::{AccessKeys, StoredKey};

use super::*;
use crate::audit::chain::RawRow;
use crate::audit::checkpoints::{Cause, Checkpoint, CheckpointFile};
use crate::integrity::row_acceptance::Accepted;
use crate::integrity::row_values::RowScope;
use crate::key_files::key_source::KeySource;
use crate::repositories::access_repository::SqlAccessRepository;

async fn open(dir: &tempfile::TempDir) -> DataSource {
    let url = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
    DataSource::open(&url, &dir.path().join("config/vega.key"))
        .await
        .unwrap()
}

async fn raw(data: &DataSource, text: &'static str) {
    sqlx::raw_sql(text).execute(&data.sqlite().writer).await.unwrap();
}

async fn key_counts(data: &DataSource) -> bool {
    let keys = SqlAccessRepository::new(data.clone()).keys().await.unwrap();
    keys.len() == 1
}

const NO_VALUES: &str =
    "UPDATE access_keys SET row_entry = NULL, row_value = NULL; DELETE FROM latest_changes";

async fn add_key(data: &DataSource) {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let key = AccessKey {
        id: AccessKeyId::at(at),
        name: KeyName::new("bot").unwrap(),
        scopes: vec![Scope::Status],
        created_at: at,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let hash = SecretHash::from_bytes([7; 32]);
    let entry = AuditEntry::new(at, AuditKind::KeyAdded, "bot");
    SqlAccessRepository::new(data.clone())
        .add_key(&StoredKey { key, hash }, &entry)
        .await
        .unwrap();
}

/// A database with one key and one entry, as the Vega before row values would have left it.
async fn of_before(dir: &tempfile::TempDir) -> DataSource {
    let data = open(dir).await;
    add_key(&data).await;
    raw(&data, NO_VALUES).await;
    raw(&data, "DROP TRIGGER audit_events_are_never_changed").await;
    let mut connection = Session::SqliteAlone(data.sqlite().writer.acquire().await.unwrap());
    let id = audit_rows::chain_id(&mut connection).await.unwrap();
    let row: RawRow = sql::query_as(audit_rows::RAW_ROWS)
        .bind(1_i64)
        .bind(1_i64)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let value = data.chain().of_before(&data.chain().beginning(&id), &row);
    sql::query("UPDATE audit_events SET chain = $1")
        .bind(&value[..])
        .execute(&mut connection)
        .await
        .unwrap();
    drop(connection);
    let checkpoints = checkpoint_file(dir);
    std::fs::remove_file(checkpoints).unwrap();
    data
}

fn checkpoint_file(dir: &tempfile::TempDir) -> std::path::PathBuf {
    dir.path().join("config/vega.checkpoints")
}

#[tokio::test]
async fn rows_of_before_are_sealed_once_and_never_again() {
    let dir = tempfile::tempdir().unwrap();
    of_before(&dir).await.close().await;
    let data = open(&dir).await;
    assert!(key_counts(&data).await);
    let kinds: Vec<String> = sql::query_scalar("SELECT kind FROM audit_events ORDER BY id")
        .fetch_all(&mut data.session().await.unwrap())
        .await
        .unwrap();
    assert_eq!(kinds, ["key_added", "rows_sealed"]);
    data.close().await;
    let data = open(&dir).await;
    assert!(key_counts(&data).await, "also at the next start");
    raw(&data, NO_VALUES).await;
    data.close().await;
    let data = open(&dir).await;
    assert!(
        !key_counts(&data).await,
        "values that were taken away are not made anew"
    );
    assert!(data.mistrust().await.unwrap().is_some());
}

#[tokio::test]
async fn a_database_that_was_born_with_values_is_none_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let data = of_before(&dir).await;
    // The entry that this Vega would have made.
    let entry = AuditEntry::new(
        DateTime::from_timestamp(1_790_000_001, 0).unwrap(),
        AuditKind::PlanDeclined,
        "",
    );
    let mut tx = data.write_whatever_it_is().await.unwrap();
    audit_trail::insert(&mut tx, &entry).await.unwrap();
    tx.commit().await.unwrap();
    data.close().await;
    let data = open(&dir).await;
    assert!(!key_counts(&data).await);
}

/// A checkpoint that an earlier Vega kept at the end of a run.
async fn keep_checkpoint(data: &DataSource, dir: &tempfile::TempDir, entry: i64, value: Option<[u8; 32]>) {
    let mut connection = Session::SqliteAlone(data.sqlite().writer.acquire().await.unwrap());
    let chain_id = audit_rows::chain_id(&mut connection).await.unwrap();
    let stored: Vec<u8> =
        sql::query_scalar("SELECT coalesce(chain, zeroblob(32)) FROM audit_events WHERE id = 1")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    let checkpoint = Checkpoint {
        at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        cause: Cause::Run(RunId::from_uuid(uuid::Uuid::from_u128(7))),
        chain_id,
        entry,
        value: value.unwrap_or_else(|| stored.try_into().unwrap()),
    };
    CheckpointFile::at(&KeySource::File(dir.path().join("config/vega.key")))
        .append(&checkpoint)
        .unwrap();
}

async fn accept(data: &DataSource) -> Accepted {
    let at = DateTime::from_timestamp(1_790_000_100, 0).unwrap();
    data.accept("looked at it", at).await.unwrap()
}

#[tokio::test]
async fn a_torn_line_of_the_checkpoints_is_no_reason_to_ask() {
    let dir = tempfile::tempdir().unwrap();
    let data = of_before(&dir).await;
    keep_checkpoint(&data, &dir, 1, None).await;
    let mut text = std::fs::read_to_string(checkpoint_file(&dir)).unwrap();
    text.push_str("2026-09-21T14:1");
    std::fs::write(checkpoint_file(&dir), text).unwrap();
    data.close().await;
    let data = open(&dir).await;
    assert_eq!(data.mistrust().await.unwrap(), None);
    assert!(key_counts(&data).await);
}

/// States of a healthy installation in which this version may start for the first time.
#[rstest]
#[case::cut_by_a_backup_that_was_put_back(Some((5, None)), "", "last one that was written is 5")]
#[case::a_backup_that_was_written_to(Some((1, Some([9; 32]))), "", "written anew")]
#[case::entries_from_before_they_were_sealed(
    None,
    "UPDATE audit_events SET chain = NULL",
    "before Vega sealed"
)]
#[case::a_hole(None, "UPDATE audit_events SET id = 2", "entry 1 is missing")]
#[tokio::test]
async fn rows_that_nothing_proves_are_sealed_as_they_stand_when_the_operator_says_so(
    #[case] checkpoint: Option<(i64, Option<[u8; 32]>)>,
    #[case] edit: &'static str,
    #[case] why: &str,
) {
    let dir = tempfile::tempdir().unwrap();
    let data = of_before(&dir).await;
    if let Some((entry, value)) = checkpoint {
        keep_checkpoint(&data, &dir, entry, value).await;
    }
    raw(&data, edit).await;
    // Whoever could write the file would be in the console.
    raw(
        &data,
        "INSERT INTO console_sessions (id, secret_hash, opened_at, last_seen_at)
         VALUES (randomblob(16), randomblob(32), '2026-09-21T14:13:20+00:00', '2026-09-21T14:13:20+00:00')",
    )
    .await;
    data.close().await;

    let data = open(&dir).await;
    let mistrust = data.mistrust().await.unwrap().unwrap();
    assert!(
        mistrust.contains(why) && mistrust.contains("seals the rows as they stand"),
        "{mistrust}"
    );
    assert!(!mistrust.contains("changed outside"), "{mistrust}");
    assert!(!key_counts(&data).await, "first the operator decides");
    let faults = data.row_faults(RowScope::All).await.unwrap();
    assert_eq!(faults.rows, []);
    let accepted = accept(&data).await;
    assert_eq!(
        (accepted.sealed, accepted.rows.len()),
        (Some(1), 0),
        "{accepted:?}"
    );
    data.close().await;

    let data = open(&dir).await;
    assert_eq!(data.mistrust().await.unwrap(), None);
    assert!(key_counts(&data).await);
    let sessions: i64 = sql::query_scalar("SELECT count(*) FROM console_sessions")
        .fetch_one(&mut data.session().await.unwrap())
        .await
        .unwrap();
    assert_eq!(sessions, 0);
    let said: String = sql::query_scalar("SELECT detail FROM audit_events WHERE kind = 'database_accepted'")
        .fetch_one(&mut data.session().await.unwrap())
        .await
        .unwrap();
    assert!(
        said.starts_with("looked at it; ") && said.contains("1 rows sealed as they stood"),
        "{said}"
    );
}

#[tokio::test]
async fn another_process_learns_that_rows_of_before_were_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let data = of_before(&dir).await;
    raw(&data, "UPDATE audit_events SET chain = NULL").await;
    data.close().await;
    let (data, other) = (open(&dir).await, open(&dir).await);
    assert!(other.mistrust().await.unwrap().is_some());
    accept(&data).await;
    assert_eq!(other.mistrust().await.unwrap(), None);
    // And takes no values that are taken away later for none that were never made.
    raw(&data, NO_VALUES).await;
    let mistrust = other.mistrust().await.unwrap().unwrap();
    assert!(mistrust.contains("changed outside"), "{mistrust}");
    let accepted = accept(&other).await;
    assert_eq!(accepted.sealed, None);
    assert!(!key_counts(&other).await);
}

const CUT: &str =
    "DROP TRIGGER IF EXISTS audit_events_are_never_removed; DELETE FROM audit_events WHERE id > 1;
     UPDATE sqlite_sequence SET seq = 1 WHERE name = 'audit_events'";
const NO_TRAIL: &str = "DROP TRIGGER IF EXISTS audit_events_are_never_removed; DELETE FROM audit_events;
     DELETE FROM sqlite_sequence";
const ANOTHER: &str = "UPDATE audit_chain SET chain_id = randomblob(16)";
const UNCHAINED: &str =
    "DROP TRIGGER IF EXISTS audit_events_are_never_changed; UPDATE audit_events SET chain = NULL";
const EDITED: &str = "DROP TRIGGER IF EXISTS audit_events_are_never_changed; UPDATE audit_events SET detail = 'x' WHERE id = 1";

/// Somebody makes a database whose rows had values look like one from before row values, by every means that needs no
/// key.
#[rstest]
#[case::values_alone(false, &[])]
#[case::values_alone_of_one_that_was_born_so(true, &[])]
#[case::cut_back_to_before_the_values(false, &[CUT])]
#[case::unchained(false, &[UNCHAINED])]
#[case::unchained_of_one_that_was_born_so(true, &[UNCHAINED])]
#[case::edited(true, &[EDITED])]
#[case::without_a_trail(true, &[NO_TRAIL])]
#[case::another_trail(false, &[NO_TRAIL, ANOTHER])]
#[case::another_trail_of_one_that_was_born_so(true, &[NO_TRAIL, ANOTHER])]
#[case::another_name(true, &[UNCHAINED, ANOTHER])]
#[tokio::test]
async fn values_that_were_taken_away_are_never_made_anew(
    #[case] is_born_so: bool,
    #[case] edits: &[&'static str],
) {
    let dir = tempfile::tempdir().unwrap();
    let data = if is_born_so {
        let data = open(&dir).await;
        add_key(&data).await;
        data
    } else {
        of_before(&dir).await.close().await;
        open(&dir).await
    };
    assert!(key_counts(&data).await);
    raw(&data, NO_VALUES).await;
    for edit in edits {
        raw(&data, edit).await;
    }
    data.close().await;
    let data = open(&dir).await;
    let mistrust = data.mistrust().await.unwrap().unwrap();
    assert!(!mistrust.contains("seals the rows as they stand"), "{mistrust}");
    assert!(!key_counts(&data).await);
    let accepted = accept(&data).await;
    assert_eq!(accepted.sealed, None);
    assert!(!key_counts(&data).await, "nor by the operator's word");
    assert_eq!(data.mistrust().await.unwrap(), None);
}

/// The same where the checkpoints were lost.
#[tokio::test]
async fn one_value_that_was_forgotten_gives_it_away() {
    let dir = tempfile::tempdir().unwrap();
    of_before(&dir).await.close().await;
    let data = open(&dir).await;
    raw(&data, "DELETE FROM latest_changes").await;
    raw(&data, UNCHAINED).await;
    data.close().await;
    std::fs::remove_file(checkpoint_file(&dir)).unwrap();
    let data = open(&dir).await;
    assert!(
        data.mistrust()
            .await
            .unwrap()
            .unwrap()
            .contains("changed outside")
    );
}
