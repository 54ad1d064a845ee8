//! `vega backup`, and the way back that the guide tells.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::world::{ONE_API, said, write};

fn vega(home: &Path, arguments: &[&str]) -> String {
    said(home, ONE_API, arguments)
}

/// The length of a database follows its schema.
fn without_length(text: &str) -> String {
    let mut words = String::new();
    for line in text.lines() {
        let line = match line
            .find(" bytes.")
            .or(line.find(',').filter(|_| line.contains("\"bytes\"")))
        {
            Some(end) => {
                let start = line[..end].rfind(' ').unwrap() + 1;
                format!("{}[length]{}", &line[..start], &line[end..])
            }
            None => line.to_owned(),
        };
        words.push_str(&line);
        words.push('\n');
    }
    words
}

#[test]
fn a_backup_is_made_and_said_to_lack_the_key() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    insta::assert_snapshot!("backup", without_length(&vega(home, &["backup", "copy.db"])));
    insta::assert_snapshot!(
        "backup_json",
        without_length(&vega(home, &["backup", "second.db", "--json"]))
    );
    let mode = std::fs::metadata(home.join("copy.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let audit = vega(home, &["audit"]);
    assert_eq!(audit.matches(" backup_made ").count(), 2, "{audit}");
}

#[test]
fn nothing_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(&home.join("copy.db"), "precious");
    insta::assert_snapshot!("backup_is_there", vega(home, &["backup", "copy.db"]));
    assert_eq!(std::fs::read_to_string(home.join("copy.db")).unwrap(), "precious");
    insta::assert_snapshot!("backup_no_folder", vega(home, &["backup", "nowhere/copy.db"]));
    let audit = vega(home, &["audit"]);
    assert!(audit.contains("Nothing is on record."), "{audit}");
}

#[test]
fn a_restored_backup_knows_what_it_knew() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    vega(home, &["backup", "one.db"]);
    vega(home, &["backup", "two.db"]);
    let data = home.join(".local/share/vega");
    std::fs::create_dir(home.join("old")).unwrap();
    for file in ["vega_trade.db", "vega_trade.db-wal", "vega_trade.db-shm"] {
        let _ = std::fs::rename(data.join(file), home.join("old").join(file));
    }
    std::fs::copy(home.join("two.db"), data.join("vega_trade.db")).unwrap();
    let status = vega(home, &["status"]);
    assert!(status.starts_with("exit 3"), "{status}");
    let audit = vega(home, &["audit"]);
    assert!(audit.contains("one.db") && !audit.contains("two.db"), "{audit}");
    let intact = vega(home, &["audit", "--verify"]);
    assert!(intact.contains("intact: 1 entry"), "{intact}");
}

#[test]
fn the_trail_of_a_backup_is_verified_without_the_database() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    vega(home, &["key", "add", "bot", "--scope", "status"]);
    vega(home, &["key", "revoke", "bot"]);
    vega(home, &["backup", "one.db"]);
    vega(home, &["backup", "two.db"]);
    std::fs::copy(home.join(".config/vega/vega.checkpoints"), home.join("put-away")).unwrap();
    vega(home, &["key", "add", "later", "--scope", "status"]);
    vega(home, &["key", "revoke", "later"]);
    std::fs::remove_dir_all(home.join(".local/share/vega")).unwrap();

    let verify = |file: &str, more: &[&str]| {
        let words = ["audit", "--verify", "--backup", file];
        vega(home, &[&words, more].concat())
    };
    insta::assert_snapshot!("backup_verified", verify("two.db", &[]));
    insta::assert_snapshot!("backup_verified_json", verify("two.db", &["--json"]));
    insta::assert_snapshot!(
        "backup_verified_as_put_away",
        verify("two.db", &["--checkpoints", "put-away"])
    );
    // As if it had been put in the place of a newer one.
    let newer = verify("two.db", &["--checkpoints", ".config/vega/vega.checkpoints"]);
    insta::assert_snapshot!("backup_older_than_its_checkpoints", newer);
    write(&home.join("diary.db"), "dear diary");
    insta::assert_snapshot!("backup_no_database", verify("diary.db", &[]));
    insta::assert_snapshot!("backup_nowhere", verify("nowhere.db", &[]));
    assert!(!home.join(".local/share/vega/vega_trade.db").exists());
}
