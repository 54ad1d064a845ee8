//! A first start that was ended in its very first commit does not lock Vega out, and nobody else's database is taken for
//! one. `cargo xtask crash-images` found this state.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rstest::rstest;
use vega_persistence::{DataSource, OpenError};

use crate::database_fixture::{database_path, key_path, url};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = database_path(&dir);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    (dir, path)
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// SQLite's journal of a commit that was cut off, over a database that had so many pages before.
fn journal(pages_before: u8) -> Vec<u8> {
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    journal.extend([
        0,
        0,
        0,
        0,
        1,
        2,
        3,
        4,
        0,
        0,
        0,
        pages_before,
        0,
        0,
        2,
        0,
        0,
        0,
        0x10,
        0,
    ]);
    journal.resize(512, 0);
    journal
}

#[rstest]
#[case::torn(b"no header yet".repeat(300))]
#[case::whole([b"SQLite format 3\0".as_slice(), &[7; 4080]].concat())]
#[tokio::test]
async fn a_first_commit_that_was_cut_off_is_taken_back(#[case] written: Vec<u8>) {
    let (dir, path) = folder();
    write(&path, &written);
    write(&path.with_extension("db-journal"), &journal(0));
    DataSource::open(&url(&dir), &key_path(&dir))
        .await
        .unwrap()
        .close()
        .await;
}

#[tokio::test]
async fn another_programs_commit_that_was_cut_off_is_left_alone() {
    let (dir, path) = folder();
    let (database, journal) = (b"somebody else's".to_vec(), journal(1));
    let journal_path = path.with_extension("db-journal");
    write(&path, &database);
    write(&journal_path, &journal);
    let opened = DataSource::open(&url(&dir), &key_path(&dir)).await;
    assert!(matches!(opened, Err(OpenError::NotOurs(_))), "{opened:?}");
    assert_eq!(
        (
            std::fs::read(&path).unwrap(),
            std::fs::read(&journal_path).unwrap()
        ),
        (database, journal)
    );
}
