//! A database that cannot be opened or is not Vega's: refused, named, left as it was.
//!
//! The files in `fixtures/` were made once from the database that `vega status` makes, with SQLite's own program, as
//! only vega-persistence may use sqlx: `PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM;` to make it small,
//! one row, `PRAGMA journal_mode=WAL;`. The row of `newer.sqlite`:
//! `INSERT INTO _sqlx_migrations VALUES (9999, 'from the future', '2026-01-01', 1, x'00', 0)`; of `sealed.sqlite`: a token of
//! PRIMARY whose `sealed_access_token` is `zeroblob(64)`, so that no key fits. `other.sqlite` has one table, `theirs`, and
//! no application id.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rstest::rstest;

use crate::world::{ONE_API, files, refused, said, write};

const NEWER: &[u8] = include_bytes!("fixtures/newer.sqlite");
const OTHER: &[u8] = include_bytes!("fixtures/other.sqlite");

/// Refused with the database at this path of the home.
fn with_database(home: &Path, path: &str) -> String {
    let url = format!("sqlite://{}", home.join(path).display());
    refused(
        home,
        &[ONE_API, &[("VEGA__DATABASE__URL", &url)]].concat(),
        &["status"],
    )
}

#[test]
fn a_file_in_the_way_of_its_folder_is_named() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("file"), "");
    insta::assert_snapshot!("file_above", with_database(home.path(), "file/folder/vega.db"));
    insta::assert_snapshot!("file_as_folder", with_database(home.path(), "file/vega.db"));
}

#[test]
fn a_folder_in_its_place_is_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("vega.db")).unwrap();
    insta::assert_snapshot!(with_database(home.path(), "vega.db"));
}

#[rstest]
#[case::text("a_text", b"dear diary, CANARY\n")]
#[case::another_programs("another_programs_database", OTHER)]
fn a_file_that_is_not_ours_is_named(#[case] name: &str, #[case] content: &[u8]) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("vega.db"), content);
    insta::assert_snapshot!(name, with_database(home.path(), "vega.db"));
}

#[test]
fn one_that_others_can_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("vega.db");
    write(&path, OTHER);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(with_database(home.path(), "vega.db"));
}

#[test]
fn one_of_a_newer_vega_is_named() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("vega.db");
    write(&path, NEWER);
    let url = format!("sqlite://{}", path.display());
    let settings = [ONE_API, &[("VEGA__DATABASE__URL", &url)]].concat();
    let said = said(home.path(), &settings, &["status"]);
    insta::assert_snapshot!(said);
    assert_eq!(std::fs::read(&path).unwrap(), NEWER, "it is left as it was");
    let made: Vec<_> = files(home.path()).into_iter().map(|(path, _)| path).collect();
    assert!(
        !made.iter().any(|path| path.to_string_lossy().contains("key")),
        "no key is made: {made:?}"
    );
}

/// One page of a database of Vega's, overwritten.
#[test]
fn a_damaged_one_is_named_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    said(home.path(), ONE_API, &["status"]);
    let path = home.path().join(".local/share/vega/vega_trade.db");
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[4096 * 7..4096 * 8].fill(0xaa);
    std::fs::write(&path, &damaged).unwrap();
    let said = refused(home.path(), ONE_API, &["status"]);
    // The page's number follows the schema.
    let place = said.find("damaged: ").unwrap();
    let end = said.find(". Vega left").unwrap();
    insta::assert_snapshot!(format!("{}[what]{}", &said[..place + 9], &said[end..]));
    assert_eq!(std::fs::read(&path).unwrap(), damaged);
}

#[test]
fn the_log_of_one_that_is_gone_is_named() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("vega.db-wal"), "a log");
    insta::assert_snapshot!(with_database(home.path(), "vega.db"));
}
