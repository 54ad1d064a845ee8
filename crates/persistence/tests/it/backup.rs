//! Backups: whole, private, never over anything, and good for a restore.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vega_domain::audit::{AuditEntry, AuditFault, AuditKind};
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_persistence::{BackupError, DataSource, OpenError, SqliteAuditHistory, SqliteAuditTrail};

use crate::key_rotation::{assert_all_opens, fault, sealed};
use crate::world::{World, at, database_path, key_path, open, url};

async fn append(data: &DataSource) {
    let entry = AuditEntry::new(at(5), AuditKind::PlanConfirmed, "PRIMARY");
    SqliteAuditTrail::new(data.clone()).append(&entry).await.unwrap();
}

fn file(world: &World) -> PathBuf {
    world.dir.path().join("backup.db")
}

/// What lies beside the backup that a backup might have made.
fn left(world: &World) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(world.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["data", "config"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// As the guide tells it: the database's files are moved away, and the backup takes the place of the first.
fn put_in_place(world: &World) {
    let database = database_path(&world.dir);
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.clone().into_os_string();
        name.push(suffix);
        let _ = std::fs::rename(&name, world.dir.path().join(format!("old{suffix}")));
    }
    std::fs::copy(file(world), &database).unwrap();
}

#[tokio::test]
async fn a_backup_is_whole_and_private_and_goes_on_record() {
    let world = World::new().await;
    sealed(&world).await;
    let entries = world.audit_kinds().await.len();
    let backup = world.data.back_up(&file(&world), at(50)).await.unwrap();
    assert_eq!((backup.apis, backup.audit_entries), (1, entries as u64));
    assert_eq!(
        (&backup.file, &backup.key_file),
        (&file(&world), &key_path(&world.dir))
    );
    let made = std::fs::metadata(&backup.file).unwrap();
    assert_eq!(
        (made.len(), made.permissions().mode() & 0o777),
        (backup.bytes, 0o600)
    );
    assert_eq!(left(&world), ["backup.db"]);
    assert_eq!(world.audit_kinds().await[entries..], ["backup_made"]);
    let key = std::fs::read(key_path(&world.dir)).unwrap();
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
    let world = World::new().await;
    sealed(&world).await;
    let trail = SqliteAuditTrail::new(world.data.clone());
    let run = vega_domain::ids::RunId::at(at(0));
    trail.keep_checkpoint(run, at(40)).await.unwrap();
    world.data.back_up(&file(&world), at(50)).await.unwrap();
    let copied = world.audit_kinds().await.len() - 1;
    append(&world.data).await;
    // As after a death: the log was not folded in, and would not fit the backup.
    put_in_place(&world);
    let data = open(&world.dir).await;
    assert_all_opens(&data).await;
    let verdict = SqliteAuditHistory::new(data.clone()).verify(None).await.unwrap();
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
    let world = World::new().await;
    append(&world.data).await;
    world.data.back_up(&file(&world), at(50)).await.unwrap();
    append(&world.data).await;
    let run = vega_domain::ids::RunId::at(at(0));
    SqliteAuditTrail::new(world.data.clone())
        .keep_checkpoint(run, at(60))
        .await
        .unwrap();
    world.data.close().await;
    put_in_place(&world);
    let data = open(&world.dir).await;
    assert_eq!(fault(&data).await, Some(AuditFault::Cut { last: 1, written: 3 }));
}

#[tokio::test]
async fn a_backup_of_before_a_rotation_opens_with_the_key_that_was_kept() {
    let world = World::new().await;
    sealed(&world).await;
    world.data.back_up(&file(&world), at(50)).await.unwrap();
    let rotation = world.data.rotate_key(at(60), |_| ()).await.unwrap();
    world.data.close().await;
    put_in_place(&world);
    let refused = DataSource::open(&url(&world.dir), &key_path(&world.dir))
        .await
        .unwrap_err();
    let OpenError::WrongKey { kept, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(kept, Some(rotation.old_key.clone()));
    let data = DataSource::open(&url(&world.dir), &rotation.old_key)
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
    let world = World::new().await;
    let file = file(&world);
    std::fs::write(&file, "precious").unwrap();
    let refused = world.data.back_up(&file, at(50)).await;
    assert!(matches!(refused, Err(BackupError::IsThere(_))), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/nowhere", &file).unwrap();
    assert!(matches!(
        world.data.back_up(&file, at(50)).await,
        Err(BackupError::IsThere(_))
    ));
    let refused = world.data.back_up(world.data.path(), at(50)).await;
    assert!(
        matches!(refused, Err(BackupError::IsThere(_))),
        "not even the database itself"
    );
    assert_eq!(left(&world), ["backup.db"]);
    assert_eq!(world.audit_kinds().await, Vec::<String>::new());
}

#[tokio::test]
async fn one_that_cannot_be_written_leaves_nothing() {
    let world = World::new().await;
    let nowhere = world.dir.path().join("folder/backup.db");
    let refused = world.data.back_up(&nowhere, at(50)).await.unwrap_err();
    assert!(matches!(refused, BackupError::File(_)), "{refused:?}");
    let refused = world
        .data
        .back_up(Path::new("/dev/full/x"), at(50))
        .await
        .unwrap_err();
    assert!(matches!(refused, BackupError::File(_)), "{refused:?}");
    assert_eq!(left(&world), Vec::<String>::new());
}
