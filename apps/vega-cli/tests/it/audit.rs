//! `vega audit` at an installation in which little has happened, and at one that somebody tampered with.

use std::path::Path;

use crate::world::{ONE_API, free_redirect_uri, said, sign_ins_are_open, upstox, vega};

const SETTINGS: [(&str, &str); 1] = [("VEGA__UPSTOX__API_BASE_URL", "http://127.0.0.1:9")];

fn audit(home: &Path, arguments: &[&str]) -> String {
    let settings = [ONE_API, &SETTINGS].concat();
    said(home, &settings, &[&["audit"], arguments].concat())
}

/// Lets entries be written: all that is needed is there, but nobody can be asked, so the plan is declined.
fn declined(home: &Path) {
    sign_ins_are_open();
    let (upstox, redirect_uri) = (upstox(), free_redirect_uri());
    let ours = [
        ("VEGA__UPSTOX__API_BASE_URL", &*upstox),
        ("UPSTOX_REDIRECT_URI", &*redirect_uri),
    ];
    let settings = [ONE_API, &ours].concat();
    let status = vega(home, &settings, &["--route", "own-browser", "--open"])
        .output()
        .unwrap()
        .status;
    assert_eq!(status.code(), Some(3));
}

#[test]
fn nothing_is_on_record_at_first() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!("audit_nothing", audit(home.path(), &[]));
    insta::assert_snapshot!("audit_nothing_json", audit(home.path(), &["--json"]));
    insta::assert_snapshot!("audit_intact", audit(home.path(), &["--verify"]));
}

#[test]
fn entries_are_told_since_a_time_and_by_api() {
    let home = tempfile::tempdir().unwrap();
    declined(home.path());
    let all = audit(home.path(), &[]);
    assert!(
        all.contains(" IST  preflight_passed ") && all.contains(" IST  plan_declined "),
        "{all}"
    );
    assert_eq!(audit(home.path(), &["--since", "1h"]), all);
    let none = audit(home.path(), &["--since", "2999-01-01"]);
    assert!(none.contains("Nothing is on record."), "{none}");
    let none = audit(home.path(), &["--api", "OLD_API"]);
    assert!(none.contains("Nothing is on record."), "{none}");
    let intact = audit(home.path(), &["--verify"]);
    assert!(
        intact.contains("intact: 2 entries, 0 checkpoints checked."),
        "{intact}"
    );
}

#[test]
fn a_record_that_was_changed_is_named() {
    let home = tempfile::tempdir().unwrap();
    declined(home.path());
    let database = home.path().join(".local/share/vega/vega_trade.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let word = b"plan_declined";
    let place = bytes.windows(word.len()).rposition(|part| part == word).unwrap();
    bytes[place + word.len() - 1] = b'e';
    std::fs::write(&database, bytes).unwrap();
    insta::assert_snapshot!("audit_changed", audit(home.path(), &["--verify"]));
    insta::assert_snapshot!("audit_changed_json", audit(home.path(), &["--verify", "--json"]));
    insta::assert_snapshot!("audit_changed_read", audit(home.path(), &[]));
}

#[test]
fn a_copy_of_the_heads_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let copy = home.path().join("copy");
    let copy = copy.to_str().unwrap();
    insta::assert_snapshot!(
        "audit_no_copy",
        audit(home.path(), &["--verify", "--checkpoints", copy])
    );
    std::fs::write(copy, "no checkpoint\n").unwrap();
    insta::assert_snapshot!(
        "audit_no_checkpoint",
        audit(home.path(), &["--verify", "--checkpoints", copy])
    );
}
