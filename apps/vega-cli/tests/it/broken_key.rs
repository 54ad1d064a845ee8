//! A root key that is missing, wrong or no key at all: refused, and never made anew over sealed tokens.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rstest::rstest;

use crate::world::{ONE_API, files, refused, said, write};

/// How it was made: see `broken_database`.
const SEALED: &[u8] = include_bytes!("fixtures/sealed.sqlite");

/// Said where a token lies sealed; the key file stays as it is, and no other is made.
fn said_over_sealed_tokens(home: &Path) -> String {
    write(&home.join(".local/share/vega/vega_trade.db"), SEALED);
    let config = home.join(".config");
    std::fs::create_dir_all(&config).unwrap();
    let before = files(&config);
    let said = said(home, ONE_API, &["status"]);
    assert!(said.starts_with("exit 9\n--- stdout\n--- stderr\n"), "{said}");
    assert_eq!(files(&config), before);
    for left in ["vega_trade.db-wal", "vega_trade.db-shm"] {
        assert!(!home.join(".local/share/vega").join(left).exists(), "{left}");
    }
    said
}

#[test]
fn a_missing_one_is_named() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said_over_sealed_tokens(home.path()));
}

#[test]
fn a_wrong_one_is_named() {
    let home = tempfile::tempdir().unwrap();
    said(home.path(), ONE_API, &["status"]);
    assert!(home.path().join(".config/vega/vega.key").exists());
    insta::assert_snapshot!(said_over_sealed_tokens(home.path()));
}

#[rstest]
#[case::text("text", "CANARY and more".into())]
#[case::too_short("too_short", "vega-key-1 Q0FOQVJZ".into())]
#[case::empty("empty", Vec::new())]
#[case::bytes("bytes", vec![0xff; 32])]
fn one_that_is_no_key_is_named(#[case] name: &str, #[case] content: Vec<u8>) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".config/vega/vega.key"), content);
    insta::assert_snapshot!(format!("no_key_{name}"), said_over_sealed_tokens(home.path()));
}

#[test]
fn one_that_others_can_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(".config/vega/vega.key");
    write(&path, "vega-key-1 CANARY");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    insta::assert_snapshot!(said_over_sealed_tokens(home.path()));
}

#[test]
fn a_folder_in_its_place_is_named() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("keys");
    std::fs::create_dir(&key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o700)).unwrap();
    let key = key.display().to_string();
    let settings = [ONE_API, &[("VEGA__KEY_FILE", &key)]].concat();
    insta::assert_snapshot!(refused(home.path(), &settings, &["status"]));
}

/// Without a database of an earlier start.
#[test]
fn no_database_is_made_where_there_can_be_no_key() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let key = home.join(".config/vega/vega.key");
    write(&key, "CANARY and more");
    insta::assert_snapshot!("no_key", refused(home, ONE_API, &["status"]));
    std::fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink("/nowhere/vega.key", &key).unwrap();
    insta::assert_snapshot!("dangling", said(home, ONE_API, &["status"]));
    for (name, place) in [
        ("above_it_a_file", "file/vega.key"),
        ("far_above_it_a_file", "file/a/b/vega.key"),
    ] {
        write(&home.join("file"), "");
        let key = home.join(place).display().to_string();
        let settings = [ONE_API, &[("VEGA__KEY_FILE", &key)]].concat();
        let said = said(home, &settings, &["status"]);
        insta::assert_snapshot!(name, said);
    }
    insta::assert_snapshot!(
        "nowhere",
        said(
            home,
            &[ONE_API, &[("VEGA__KEY_FILE", "/proc/vega/vega.key")]].concat(),
            &["status"]
        )
    );
    assert!(!home.join(".local").exists());
}
