//! A backup that takes the place of the database, in a file and on a server: examined first, never beside others, with what was there
//! kept aside, and made safe for what nobody remembers.

use std::path::PathBuf;

use rstest::rstest;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use vega_domain::audit::{AuditFault, AuditKind};
use vega_domain::ports::{
    AuditHistory, AuditTrail, LeaseError, OtpLedger, SignInAttempts, UpstoxTokenRepository,
};
use vega_domain::row_faults::RowFaults;
use vega_persistence::{
    BackupError, DataSource, DatabasePlace, ExaminedBackup, KeySource, OpenError, RestoreError, Restored,
    RowScope, SqlAuditHistory, SqlAuditTrail, SqlSignInJournal, SqlTokenRepository, UnfitBackup,
    examine_backup, restore,
};
use vega_testing::{PostgresServer, TestClock};

use crate::database_fixture::{at, entry, mobile};
use crate::key_rotation::assert_all_opens;
use crate::relocation::{Places, Side};

fn backup_file(places: &Places) -> PathBuf {
    places.dir.path().join("backup.db")
}

async fn append(data: &DataSource, kind: AuditKind) {
    SqlAuditTrail::new(data.clone())
        .append(&entry(kind))
        .await
        .unwrap();
}

/// A database with a backup, and two more entries, of which one must not be undone unnoticed.
async fn with_older_backup(side: Side) -> Places {
    let places = Places::new().filled(side).await;
    let data = places.open(side).await.unwrap();
    data.back_up(&backup_file(&places), at(100)).await.unwrap();
    append(&data, AuditKind::PlanDeclined).await;
    append(&data, AuditKind::TokenRevoked).await;
    data.close().await;
    places
}

async fn put_back(places: &Places, side: Side) -> Result<Restored, RestoreError> {
    let key = KeySource::from(&places.key());
    restore(&places.place(side), &key, &backup_file(places), at(200)).await
}

async fn kinds(data: &DataSource) -> Vec<String> {
    let history = SqlAuditHistory::new(data.clone());
    let filter = vega_domain::audit::AuditFilter::default();
    let page = history.page(&filter, vega_domain::audit::AuditOrder::OldestFirst, None, 1000);
    page.await
        .unwrap()
        .iter()
        .map(|found| found.entry.kind.code().to_owned())
        .collect()
}

/// Of the backup itself, as of any file of Vega's.
async fn opens(places: &Places, file: &std::path::Path) -> DataSource {
    let folder = places.dir.path().join("looked-into");
    vega_persistence::create_private_dir(&folder).unwrap();
    let copy = folder.join("copy.db");
    std::fs::copy(file, &copy).unwrap();
    let url = format!("sqlite://{}", copy.display());
    DataSource::open(&url, &places.key()).await.unwrap()
}

#[tokio::test]
async fn a_backup_from_a_server_is_a_file_with_all_that_is_there() {
    let places = Places::new().filled(Side::Server).await;
    let data = places.open(Side::Server).await.unwrap();
    let before = kinds(&data).await;
    let backup = data.back_up(&backup_file(&places), at(100)).await.unwrap();
    assert_eq!((backup.apis, backup.audit_entries), (1, before.len() as u64));
    assert_eq!(kinds(&data).await[before.len()..], ["backup_made"]);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&backup.file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = std::fs::read_dir(places.dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert!(
        left.iter().all(|name| !name.to_string_lossy().contains("draft")),
        "{left:?}"
    );
    let again = data.back_up(&backup_file(&places), at(100)).await.unwrap_err();
    assert!(matches!(again, BackupError::IsThere(_)), "{again}");
    let copy = opens(&places, &backup.file).await;
    assert_all_opens(&copy).await;
    assert_eq!(kinds(&copy).await, before);
}

#[rstest]
#[tokio::test]
async fn an_older_backup_counts_on_record_and_says_what_is_missing(
    #[values(Side::File, Side::Server)] side: Side,
) {
    let places = with_older_backup(side).await;
    let before = kinds(&places.open(side).await.unwrap()).await;
    let restored = put_back(&places, side).await.unwrap();
    // The entry of the backup itself is missing, too.
    assert_eq!(
        (restored.audit_entries + 3, restored.missing),
        (before.len() as u64, 3)
    );
    assert_eq!((restored.opened, restored.unreadable.len()), (6, 0));
    let data = places.open(side).await.unwrap();
    assert_eq!(data.mistrust().await.unwrap(), None);
    assert_eq!(
        data.row_faults(RowScope::All).await.unwrap(),
        RowFaults::default()
    );
    let verdict = SqlAuditHistory::new(data.clone()).verify(None).await.unwrap();
    assert_eq!(verdict.fault, None);
    let now = kinds(&data).await;
    let copied = usize::try_from(restored.audit_entries).unwrap();
    assert_eq!(now[..copied], before[..copied]);
    assert_eq!(now[copied], "database_restored");
    let tokens = SqlTokenRepository::new(data.clone()).load_all().await.unwrap();
    assert_eq!(
        tokens[0].as_ref().unwrap().access_token.expose(),
        "CANARY-token-PRIMARY-1"
    );
    // It goes on.
    append(&data, AuditKind::PlanDeclined).await;
    data.close().await;

    let kept = restored.kept.unwrap();
    let kept = opens(&places, &kept).await;
    assert_eq!(kinds(&kept).await, before, "what was there before is whole");
}

/// What was done after the backup was made is not known: presses, and codes that were sent.
#[rstest]
#[tokio::test]
async fn what_nobody_remembers_counts_as_done(#[values(Side::File, Side::Server)] side: Side) {
    let places = with_older_backup(side).await;
    put_back(&places, side).await.unwrap();
    let data = places.open(side).await.unwrap();
    let journal = SqlSignInJournal::new(data.clone());
    let presses = journal.otp_presses(&[mobile()], 4).await.unwrap();
    let of_restore = presses[0].iter().filter(|press| press.at == at(200)).count();
    assert_eq!(of_restore, 4);
    // One has an answer, and is finished as always; the other may have sent its code.
    let left = journal.unfinished().await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(kinds(&data).await.contains(&"attempt_closed".to_owned()));
}

#[rstest]
#[tokio::test]
async fn a_damaged_backup_is_refused_and_nothing_is_changed(#[values(Side::File, Side::Server)] side: Side) {
    let places = with_older_backup(side).await;
    let before = kinds(&places.open(side).await.unwrap()).await;
    let whole = std::fs::read(backup_file(&places)).unwrap();
    let mut torn = whole.clone();
    torn[4096 * 7] ^= 0xff;
    for damaged in [&torn[..], &whole[..whole.len() / 2], b"dear diary", b""] {
        std::fs::write(backup_file(&places), damaged).unwrap();
        let refused = put_back(&places, side).await.unwrap_err();
        assert!(
            matches!(
                refused,
                RestoreError::Backup(
                    UnfitBackup::Open(_) | UnfitBackup::NoBackup(_) | UnfitBackup::NotTrusted(_)
                )
            ),
            "{refused}"
        );
        assert_eq!(std::fs::read(backup_file(&places)).unwrap(), damaged);
    }
    std::fs::write(backup_file(&places), whole).unwrap();
    for edit in [
        "UPDATE audit_events SET detail = 'nothing' WHERE id = 2",
        "UPDATE latest_changes SET marks = '{}'",
    ] {
        let kept = std::fs::read(backup_file(&places)).unwrap();
        let options = SqliteConnectOptions::new().filename(backup_file(&places));
        let raw = SqlitePool::connect_with(options).await.unwrap();
        let edit =
            format!("DROP TRIGGER audit_events_are_never_changed; {edit}; PRAGMA wal_checkpoint(TRUNCATE)");
        crate::row_values::sql(&raw, &edit).await;
        raw.close().await;
        let refused = put_back(&places, side).await.unwrap_err();
        assert!(
            matches!(
                refused,
                RestoreError::Trail(_) | RestoreError::Backup(UnfitBackup::NotTrusted(_))
            ),
            "{refused}"
        );
        std::fs::write(backup_file(&places), kept).unwrap();
    }
    let data = places.open(side).await.unwrap();
    assert_eq!(
        (kinds(&data).await, data.mistrust().await.unwrap()),
        (before, None)
    );
}

#[rstest]
#[tokio::test]
async fn a_backup_of_another_key_is_refused(#[values(Side::File, Side::Server)] side: Side) {
    let places = with_older_backup(side).await;
    let other = places.dir.path().join("config/other.key");
    let url = format!("sqlite://{}", places.dir.path().join("data/other.db").display());
    DataSource::open(&url, &other).await.unwrap().close().await;
    let key = KeySource::from(&other);
    let refused = restore(&places.place(side), &key, &backup_file(&places), at(200))
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            RestoreError::Backup(UnfitBackup::Open(OpenError::WrongKey { .. }))
        ),
        "{refused}"
    );
}

#[rstest]
#[tokio::test]
async fn nothing_is_restored_beside_others(#[values(Side::File, Side::Server)] side: Side) {
    let places = with_older_backup(side).await;
    let data = places.open(side).await.unwrap();
    let before = kinds(&data).await;
    let refused = put_back(&places, side).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Held(_)), "{refused}");
    assert_eq!(kinds(&data).await, before);
    append(&data, AuditKind::PlanDeclined).await;
    data.close().await;
    put_back(&places, side).await.unwrap();
}

/// A server counts the connections of a program for a moment after that has ended.
#[tokio::test]
async fn who_goes_just_then_is_in_nobodys_way() {
    let places = with_older_backup(Side::Server).await;
    let data = places.open(Side::Server).await.unwrap();
    let going = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        data.close().await;
    };
    let (restored, ()) = tokio::join!(put_back(&places, Side::Server), going);
    restored.unwrap();
}

/// A process of before may be held up somewhere: its epoch does not come again.
#[tokio::test]
async fn whoever_had_the_lease_has_it_no_more() {
    let places = with_older_backup(Side::Server).await;
    let epoch = || {
        PostgresServer::shared()
            .ask(&places.server, "SELECT epoch FROM writer")
            .parse::<i64>()
            .unwrap()
    };
    let data = places.open(Side::Server).await.unwrap();
    drop(data.login_lease(TestClock::at(at(0))).acquire().await.unwrap());
    data.close().await;
    let before = epoch();
    put_back(&places, Side::Server).await.unwrap();
    assert!(epoch() > before);
    let data = places.open(Side::Server).await.unwrap();
    let taken: Result<_, LeaseError> = data.login_lease(TestClock::at(at(0))).acquire().await;
    taken.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_database_that_is_gone_or_damaged_is_replaced(#[values(true, false)] is_damaged: bool) {
    let places = with_older_backup(Side::File).await;
    let file = places.dir.path().join("data/vega_trade.db");
    if is_damaged {
        std::fs::write(&file, b"no database").unwrap();
    } else {
        std::fs::remove_file(&file).unwrap();
    }
    let restored = put_back(&places, Side::File).await.unwrap();
    assert_eq!(restored.kept.is_some(), is_damaged);
    // The checkpoint beside the key knows of the revocation.
    assert_eq!(restored.missing, 3);
    let data = places.open(Side::File).await.unwrap();
    assert_eq!(data.mistrust().await.unwrap(), None);
}

/// A server that has it open goes on in the damaged file, which nobody would look into any more.
#[tokio::test]
async fn a_damaged_database_that_others_have_open_is_not_replaced() {
    let places = with_older_backup(Side::File).await;
    let file = places.dir.path().join("data/vega_trade.db");
    // A process of its own: the system does not tell a process of its own locks.
    let mut other = std::process::Command::new("sqlite3")
        .arg(&file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut says = other.stdin.take().unwrap();
    std::io::Write::write_all(&mut says, b"SELECT count(*) > 0 FROM audit_events;\n").unwrap();
    let mut answer = [0; 2];
    std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut answer).unwrap();
    std::fs::write(&file, b"no database").unwrap();
    let refused = put_back(&places, Side::File).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Held(_)), "{refused}");
    drop(says);
    other.wait().unwrap();
    put_back(&places, Side::File).await.unwrap();
}

#[tokio::test]
async fn a_database_that_has_moved_away_is_not_brought_back() {
    let places = with_older_backup(Side::File).await;
    places.relocate(Side::File, |_| ()).await.unwrap();
    let refused = put_back(&places, Side::File).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Moved(_)), "{refused}");
    // Where it is now, it is restored: a backup of a file, onto a server.
    put_back(&places, Side::Server).await.unwrap();
    let data = places.open(Side::Server).await.unwrap();
    assert_eq!(data.mistrust().await.unwrap(), None);
}

#[tokio::test]
async fn what_is_no_backup_is_refused_by_name() {
    let places = with_older_backup(Side::File).await;
    let key = KeySource::from(&places.key());
    let nowhere = places.dir.path().join("nowhere.db");
    let refused = restore(&places.place(Side::File), &key, &nowhere, at(1))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, RestoreError::Backup(UnfitBackup::NoFile(_))),
        "{refused}"
    );
    let itself = places.dir.path().join("data/vega_trade.db");
    let refused = restore(&places.place(Side::File), &key, &itself, at(1))
        .await
        .unwrap_err();
    assert!(matches!(refused, RestoreError::Itself(_)), "{refused}");
}

/// A backup is an archive of the trail: the key and the checkpoints prove it, and no database is needed.
#[rstest]
#[tokio::test]
async fn a_backup_is_examined_without_the_database(#[values(Side::File, Side::Server)] side: Side) {
    let places = with_older_backup(side).await;
    let examined = async || {
        let key = KeySource::from(&places.key());
        let folder = places.dir.path().join("elsewhere");
        examine_backup(&key, &folder, &backup_file(&places), None).await
    };
    if side == Side::File {
        std::fs::remove_file(places.dir.path().join("data/vega_trade.db")).unwrap();
    }
    let before = std::fs::read(backup_file(&places)).unwrap();
    let found = examined().await.unwrap();
    assert!(matches!(
        found,
        ExaminedBackup {
            written_up_to: Some(_),
            is_trusted: true,
            ..
        }
    ));
    assert_eq!(found.verdict.fault, None);
    assert!(
        found.verdict.entries > 0 && found.verdict.checkpoints > 0,
        "{found:?}"
    );
    assert_eq!(std::fs::read(backup_file(&places)).unwrap(), before);
    let left: Vec<_> = std::fs::read_dir(places.dir.path().join("elsewhere"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(left, ["backup-examination.lock"]);

    // Whoever rewrites a checkpoint, or the trail, is found.
    let kept = places.key().with_file_name("vega.checkpoints");
    let lines = std::fs::read_to_string(&kept).unwrap();
    let others: Vec<String> = lines
        .lines()
        .filter_map(|line| {
            let (head, value) = line.rsplit_once(' ')?;
            Some(format!("{head} {}\n", "0".repeat(value.len())))
        })
        .collect();
    std::fs::write(&kept, others.concat()).unwrap();
    let fault = examined().await.unwrap().verdict.fault;
    assert!(matches!(fault, Some(AuditFault::Rewritten { .. })), "{fault:?}");
    std::fs::write(backup_file(&places), b"dear diary").unwrap();
    let refused = examined().await.unwrap_err();
    assert!(matches!(refused, UnfitBackup::NoBackup(_)), "{refused}");
}

/// An archive that was made before an older backup was put back is whole, though the trail goes on otherwise.
#[rstest]
#[tokio::test]
async fn an_archive_of_a_branch_that_was_left_is_whole(#[values(Side::File, Side::Server)] side: Side) {
    let places = with_older_backup(side).await;
    let data = places.open(side).await.unwrap();
    let archive = places.dir.path().join("archive.db");
    append(&data, AuditKind::KeyRevoked).await;
    data.back_up(&archive, at(150)).await.unwrap();
    data.close().await;
    put_back(&places, side).await.unwrap();
    let data = places.open(side).await.unwrap();
    let after_it = places.dir.path().join("after-it.db");
    data.back_up(&after_it, at(250)).await.unwrap();
    for _ in 0..9 {
        append(&data, AuditKind::KeyRevoked).await;
    }
    data.close().await;
    let key = KeySource::from(&places.key());
    let folder = places.dir.path().join("elsewhere");
    let found = examine_backup(&key, &folder, &archive, None).await.unwrap();
    assert_eq!(found.verdict.fault, None);
    assert!(found.verdict.checkpoints > 0, "{found:?}");
    // The branch that was left was longer, and is not missing in an archive of the one that goes on.
    let kept = places.key().with_file_name("vega.checkpoints");
    let lines = std::fs::read_to_string(&kept).unwrap();
    let put_away = places.dir.path().join("put-away");
    let of_then: Vec<&str> = lines.lines().rev().skip(9).collect();
    let of_then: Vec<&str> = of_then.into_iter().rev().collect();
    std::fs::write(&put_away, of_then.join("\n")).unwrap();
    let found = examine_backup(&key, &folder, &after_it, Some(&put_away))
        .await
        .unwrap();
    assert_eq!((found.verdict.fault, found.written_up_to), (None, None));

    let options = SqliteConnectOptions::new().filename(&archive);
    let raw = SqlitePool::connect_with(options).await.unwrap();
    let edit = "DROP TRIGGER audit_events_are_never_changed; UPDATE audit_events SET detail = 'nothing' WHERE id = 2;
        PRAGMA wal_checkpoint(TRUNCATE)";
    crate::row_values::sql(&raw, edit).await;
    raw.close().await;
    let found = examine_backup(&key, &folder, &archive, None).await.unwrap();
    assert_eq!(found.verdict.fault, Some(AuditFault::Edited { entry: 2 }));
}

/// What the server's administrator copies is whole, and Vega goes on in it.
#[tokio::test]
async fn a_dump_that_is_restored_is_verified() {
    let places = Places::new().filled(Side::Server).await;
    let before = kinds(&places.open(Side::Server).await.unwrap()).await;
    let dump = places.dir.path().join("vega.dump");
    std::fs::write(&dump, PostgresServer::shared().dump(&places.server)).unwrap();
    let server = PostgresServer::shared().fresh_database();
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(places.dir.path(), readable).unwrap();
    PostgresServer::shared().restore(&server, &dump);
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(places.dir.path(), private).unwrap();
    let place = DatabasePlace {
        folder: places.dir.path().join("elsewhere"),
        ..DatabasePlace::from(&server)
    };
    let data = DataSource::open(&place, &places.key()).await.unwrap();
    assert_all_opens(&data).await;
    assert_eq!(
        data.row_faults(RowScope::All).await.unwrap(),
        RowFaults::default()
    );
    let verdict = SqlAuditHistory::new(data.clone()).verify(None).await.unwrap();
    assert_eq!((verdict.entries, verdict.fault), (before.len() as u64, None));
    // Numbers go on, and what a trail must not have is refused there too.
    append(&data, AuditKind::PlanDeclined).await;
    let said = PostgresServer::shared().refusal(&server, "DELETE FROM audit_events");
    assert!(said.contains("never removed"), "{said}");
}
