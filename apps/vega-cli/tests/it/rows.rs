//! What the operator is told, and may do, when somebody changed a row of the database or put an older file in its place.

use std::path::{Path, PathBuf};

use crate::world::{NO_UPSTOX, ONE_API, vega};

struct Said {
    code: Option<i32>,
    text: String,
}

fn run(home: &Path, arguments: &[&str]) -> Said {
    let settings = [ONE_API, &[NO_UPSTOX]].concat();
    let output = vega(home, &settings, arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Said {
        code: output.status.code(),
        text: String::from_utf8(text).unwrap(),
    }
}

fn database(home: &Path) -> PathBuf {
    home.join(".local/share/vega/vega_trade.db")
}

#[test]
fn an_older_database_counts_only_when_the_operator_says_so() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert_eq!(
        run(home, &["key", "add", "bot", "--scope", "status"]).code,
        Some(0)
    );
    let older = std::fs::read(database(home)).unwrap();
    assert_eq!(run(home, &["key", "revoke", "bot"]).code, Some(0));
    std::fs::write(database(home), older).unwrap();

    for arguments in [
        &["key", "list"][..],
        &["token", "PRIMARY"],
        &["--yes"],
        &["verify"],
        &["console"],
        &["cooldown"],
    ] {
        let refused = run(home, arguments);
        assert_eq!(refused.code, Some(9), "{arguments:?}: {}", refused.text);
        assert!(
            refused.text.contains("older than its checkpoint")
                && refused.text.contains("vega audit accept --reason"),
            "{arguments:?}: {}",
            refused.text
        );
    }
    for arguments in [&["status"][..], &["audit", "--verify"]] {
        let told = run(home, arguments);
        assert_eq!(told.code, Some(9), "{arguments:?}: {}", told.text);
        assert!(
            told.text.contains("older than its checkpoint"),
            "{arguments:?}: {}",
            told.text
        );
    }
    let told: serde_json::Value = serde_json::from_str(&json(home, &["status", "--json"])).unwrap();
    assert!(
        told["database"]["problem"].as_str().unwrap().contains("older"),
        "{told}"
    );

    let accepted = run(home, &["audit", "accept", "--reason", "restored Monday's backup"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.text);
    assert!(accepted.text.contains("counts from now on"), "{}", accepted.text);
    assert!(run(home, &["key", "list"]).text.contains("bot"), "as it was then");
    let verified = run(home, &["audit", "--verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.text);
    let trail = run(home, &["audit"]).text;
    assert!(
        trail.contains("database_accepted")
            && trail.contains("restored Monday's backup; the database is older"),
        "{trail}"
    );
    let again = run(home, &["audit", "accept", "--reason", "once more"]);
    assert!(again.text.contains("nothing to accept"), "{}", again.text);
    assert_eq!(
        run(home, &["key", "revoke", "bot"]).code,
        Some(0),
        "and it goes on"
    );
}

/// The answer alone, without what is said beside it.
fn json(home: &Path, arguments: &[&str]) -> String {
    let settings = [ONE_API, &[NO_UPSTOX]].concat();
    let output = vega(home, &settings, arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_edited_row_is_named_and_goes_out_of_force() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert_eq!(
        run(home, &["key", "add", "edited", "--scope", "status"]).code,
        Some(0)
    );
    // The row stands in the file before the entry that tells of it.
    let mut bytes = std::fs::read(database(home)).unwrap();
    let name = b"edited";
    let mut edits = 0;
    for at in 0..bytes.len() - name.len() {
        // The envelope follows the name in the key's row, and begins with its version.
        if bytes[at..].starts_with(name) && bytes[at + name.len()] == 1 {
            bytes[at] = b'E';
            edits += 1;
        }
    }
    assert_eq!(edits, 1);
    std::fs::write(database(home), bytes).unwrap();

    let listed = run(home, &["key", "list"]);
    assert!(
        listed.text.contains("There are no keys"),
        "it opens nothing: {}",
        listed.text
    );
    assert!(
        listed
            .text
            .contains("(edited or Edited) was changed or taken away outside Vega"),
        "but it is not passed over: {}",
        listed.text
    );
    let status = run(home, &["status"]);
    let words = "the access key Edited was changed outside Vega: it counts for nothing.";
    assert!(status.text.contains(words), "{}", status.text);
    let verified = run(home, &["audit", "--verify"]);
    assert_eq!(verified.code, Some(9), "{}", verified.text);
    assert!(verified.text.contains(words), "{}", verified.text);
    let told: serde_json::Value =
        serde_json::from_str(&json(home, &["audit", "--verify", "--json"])).unwrap();
    assert_eq!(
        (&told["intact"], &told["rows"][0]["kind"]),
        (&false.into(), &"changed".into()),
        "{told}"
    );

    // By the name that it had when it was made.
    let revoked = run(home, &["key", "revoke", "edited"]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.text);
    assert!(
        revoked.text.contains("worthless now, and stays so"),
        "{}",
        revoked.text
    );
    let trail = run(home, &["audit"]).text;
    assert_eq!(trail.matches("key_revoked").count(), 1, "{trail}");

    // Nothing more is needed to go on.
    let verified = run(home, &["audit", "--verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.text);
    let listed = run(home, &["key", "list"]);
    assert!(!listed.text.contains("outside Vega"), "{}", listed.text);
}

/// What must not be undone is kept beside the key, too; where that fails, whoever revokes is told.
#[cfg(unix)]
#[test]
fn a_revocation_without_its_checkpoint_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for name in ["one", "two"] {
        let added = run(home, &["key", "add", name, "--scope", "status"]);
        assert_eq!(added.code, Some(0), "{}", added.text);
    }
    let checkpoints = home.join(".config/vega/vega.checkpoints");
    let mode = |mode| std::fs::set_permissions(&checkpoints, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o666);
    let revoked = run(home, &["key", "revoke", "one"]);
    assert_eq!(revoked.code, Some(9), "{}", revoked.text);
    for told in [revoked, run(home, &["status"]), run(home, &["audit", "--verify"])] {
        assert!(
            told.text.contains("has no checkpoint beside the key") && told.text.contains("vega.checkpoints"),
            "{}",
            told.text
        );
    }
    let status: serde_json::Value = serde_json::from_str(&json(home, &["status", "--json"])).unwrap();
    assert!(status["database"]["checkpoint"].is_string(), "{status}");
    mode(0o600);
    let listed = run(home, &["key", "list"]);
    assert!(!listed.text.contains("checkpoint"), "{}", listed.text);
    let status: serde_json::Value = serde_json::from_str(&json(home, &["status", "--json"])).unwrap();
    assert!(status["database"]["checkpoint"].is_null(), "{status}");
    assert_eq!(run(home, &["key", "revoke", "two"]).code, Some(0));
}
