//! Backups: whole, private, never over anything, and good for a restore.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vega_domain::audit::{AuditEntry, AuditFault, AuditKind};
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_persistence::{BackupError, DataSource, OpenError, SqlAuditHistory, SqlAuditTrail};

use crate::database_fixture::{DatabaseFixture, at, database_path, key_path, open, url};
use crate::key_rotation::{assert_all_opens, fault, sealed};

async fn append(data: &DataSource) {
    let entry = AuditEntry::new(at(5), AuditKind::PlanConfirmed, "PRIMARY");
    SqlAuditTrail::new(data.clone()).append(&entry).await.unwrap();
}

fn file(fixture: &DatabaseFixture) -> PathBuf {
    fixture.dir.path().join("backup.db")
}

/// What lies beside the backup that a backup might have made.
fn left(fixture: &DatabaseFixture) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixture.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["data", "config"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// As the guide tells it: the database's files are moved away, and the backup takes the place of the first.
fn put_in_place(fixture: &DatabaseFixture) {
    let database = database_path(&fixture.dir);
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.clone().into_os_string();
        name.push(suffix);
        let _ = std::fs::rename(&name, fixture.dir.path().join(format!("old{suffix}")));
    }
    std::fs::copy(file(fixture), &database).unwrap();
}

#[tokio::test]
async fn a_backup_is_whole_and_private_and_goes_on_record() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let entries = fixture.audit_kinds().await.len();
    let backup = fixture.data.back_up(&file(&fixture), at(50)).await.unwrap();
    assert_eq!((backup.apis, backup.audit_entries), (1, entries as u64));
    assert_eq!(
        (&backup.file, &backup.key_file),
        (&file(&fixture), &key_path(&fixture.dir))
    );
    let made = std::fs::metadata(&backup.file).unwrap();
    assert_eq!(
        (made.len(), made.permissions().mode() & 0o777),
        (backup.bytes, 0o600)
    );
    assert_eq!(left(&fixture), ["backup.db"]);
    assert_eq!(fixture.audit_kinds().await[entries..], ["backup_made"]);
    let key = std::fs::read(key_path(&fixture.dir)).unwrap();
    let bytes = std::fs::read(&backup.file).unwrap();
    assert!(
        !bytes.windows(20).any(|part| part == &key[11..31]),
        "the key is not in it"
    );
    for canary in [
        "CANARY-token",
        "CANARY-code",
        "CANARY-answer",
        "CANARY-delivered",
        "CANARY-extended",
    ] {
        assert!(
            !bytes.windows(canary.len()).any(|part| part == canary.as_bytes()),
            "{canary}"
        );
    }
}

#[tokio::test]
async fn a_restored_backup_has_everything_and_the_trail_ends_where_it_was_made() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let trail = SqlAuditTrail::new(fixture.data.clone());
    let run = vega_domain::ids::RunId::at(at(0));
    trail.keep_checkpoint(run, at(40)).await.unwrap();
    fixture.data.back_up(&file(&fixture), at(50)).await.unwrap();
    let copied = fixture.audit_kinds().await.len() - 1;
    append(&fixture.data).await;
    // As after a death: the log was not folded in, and would not fit the backup.
    put_in_place(&fixture);
    let data = open(&fixture.dir).await;
    assert_all_opens(&data).await;
    let verdict = SqlAuditHistory::new(data.clone()).verify(None).await.unwrap();
    assert_eq!(
        (verdict.entries, verdict.checkpoints, verdict.fault),
        (copied as u64, 1, None),
        "no run ended since"
    );
    append(&data).await;
    assert_eq!(fault(&data).await, None);
}

/// The checkpoints know of more than the backup does, which is what a cut looks like.
#[tokio::test]
async fn what_a_backup_does_not_know_of_is_missed() {
    let fixture = DatabaseFixture::new().await;
    append(&fixture.data).await;
    fixture.data.back_up(&file(&fixture), at(50)).await.unwrap();
    append(&fixture.data).await;
    let run = vega_domain::ids::RunId::at(at(0));
    SqlAuditTrail::new(fixture.data.clone())
        .keep_checkpoint(run, at(60))
        .await
        .unwrap();
    fixture.data.close().await;
    put_in_place(&fixture);
    let data = open(&fixture.dir).await;
    assert_eq!(fault(&data).await, Some(AuditFault::Cut { last: 1, written: 3 }));
}

#[tokio::test]
async fn a_backup_of_before_a_rotation_opens_with_the_key_that_was_kept() {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    fixture.data.back_up(&file(&fixture), at(50)).await.unwrap();
    let rotation = fixture.data.rotate_key(at(60), |_| ()).await.unwrap();
    fixture.data.close().await;
    put_in_place(&fixture);
    let refused = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir))
        .await
        .unwrap_err();
    let OpenError::WrongKey { kept, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(kept, Some(rotation.old_key.clone()));
    let data = DataSource::open(&url(&fixture.dir), &rotation.old_key)
        .await
        .unwrap();
    // The rotation left a checkpoint that the backup does not reach.
    assert!(data.mistrust().await.unwrap().is_some());
    data.accept("a backup of before the rotation", at(70))
        .await
        .unwrap();
    assert_all_opens(&data).await;
}

#[tokio::test]
async fn nothing_is_replaced() {
    let fixture = DatabaseFixture::new().await;
    let file = file(&fixture);
    std::fs::write(&file, "precious").unwrap();
    let refused = fixture.data.back_up(&file, at(50)).await;
    assert!(matches!(refused, Err(BackupError::IsThere(_))), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/nowhere", &file).unwrap();
    assert!(matches!(
        fixture.data.back_up(&file, at(50)).await,
        Err(BackupError::IsThere(_))
    ));
    let refused = fixture.data.back_up(fixture.data.path(), at(50)).await;
    assert!(
        matches!(refused, Err(BackupError::IsThere(_))),
        "not even the database itself"
    );
    assert_eq!(left(&fixture), ["backup.db"]);
    assert_eq!(fixture.audit_kinds().await, Vec::<String>::new());
}

#[tokio::test]
async fn one_that_cannot_be_written_leaves_nothing() {
    let fixture = DatabaseFixture::new().await;
    let nowhere = fixture.dir.path().join("folder/backup.db");
    let refused = fixture.data.back_up(&nowhere, at(50)).await.unwrap_err();
    assert!(matches!(refused, BackupError::File(_)), "{refused:?}");
    let refused = fixture
        .data
        .back_up(Path::new("/dev/full/x"), at(50))
        .await
        .unwrap_err();
    assert!(matches!(refused, BackupError::File(_)), "{refused:?}");
    assert_eq!(left(&fixture), Vec::<String>::new());
}
