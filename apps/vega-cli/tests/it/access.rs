//! `vega key` and `vega console`: a secret stands alone on stdout, once, and nowhere else.

use std::net::TcpListener;
use std::path::Path;

use crate::world::{ONE_API, files, said, vega};

/// What it printed, in `[secret]`'s place where that is a key or a code, and which secrets there were.
fn with_secrets(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> (String, String) {
    let settings = [ONE_API, settings].concat();
    let output = vega(home, &settings, arguments).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let [line] = &stdout.lines().collect::<Vec<_>>()[..] else {
        panic!("{stdout:?} {stderr}")
    };
    let secret = line[line.len() - 43..].to_owned();
    assert!(!stderr.contains(&secret), "{stderr}");
    let text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{stderr}",
        output.status.code().unwrap(),
        stdout.replace(&secret, "[secret]"),
    );
    (text, secret)
}

fn say(home: &Path, arguments: &[&str]) -> String {
    said(home, ONE_API, arguments)
}

/// Ids and times are others each time.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let words = text.split_inclusive([' ', '\n', '"', '(', ')']);
    words
        .map(|word| {
            let id = word.trim_end_matches([' ', '\n', '"', '(', ')']);
            if is_id(id) {
                word.replace(id, "[id]")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

#[test]
fn a_key_is_printed_once_listed_and_revoked() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    insta::assert_snapshot!("key_list_nothing", say(home, &["key", "list"]));
    let scopes = "token:PRIMARY,status";
    let nowhere = [("VEGA__SERVER__LISTEN", "127.0.0.1:9")];
    let (added, secret) = with_secrets(home, &nowhere, &["key", "add", "trader", "--scope", scopes]);
    insta::assert_snapshot!("key_added", added);
    insta::assert_snapshot!(
        "key_name_taken",
        say(home, &["key", "add", "trader", "--scope", "runs"])
    );
    let list = say(home, &["key", "list"]);
    insta::assert_snapshot!("key_list", without_ids(&list));
    insta::assert_snapshot!("key_revoked", say(home, &["key", "revoke", "trader"]));
    insta::assert_snapshot!("key_revoked_before", say(home, &["key", "revoke", "trader"]));
    // Its name is free, and then means the new one.
    let (_, second) = with_secrets(home, &[], &["key", "add", "trader", "--scope", "admin"]);
    let list = say(home, &["key", "list", "--json"]);
    assert_eq!(list.matches(r#""state": "live""#).count(), 1, "{list}");
    assert_eq!(list.matches(r#""state": "revoked""#).count(), 1, "{list}");
    assert!(say(home, &["key", "revoke", "trader"]).contains("is worthless now"));
    insta::assert_snapshot!("key_unknown", say(home, &["key", "revoke", "nobody"]));

    let audit = say(home, &["audit"]);
    assert_eq!(
        (
            audit.matches(" key_added ").count(),
            audit.matches(" key_revoked ").count()
        ),
        (2, 2),
        "{audit}"
    );
    for secret in [&secret, &second] {
        assert!(!audit.contains(&**secret) && !list.contains(&**secret));
        let is_kept = |(_, bytes): &(_, Vec<u8>)| bytes.windows(43).any(|part| part == secret.as_bytes());
        assert!(!files(home).iter().any(is_kept), "the key itself is kept nowhere");
    }
}

#[test]
fn a_key_is_revoked_by_its_id_too() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    with_secrets(home, &[], &["key", "add", "trader", "--scope", "status"]);
    with_secrets(home, &[], &["key", "add", "other", "--scope", "status"]);
    let list = say(home, &["key", "list"]);
    let line = list.lines().find(|line| line.contains("trader")).unwrap();
    let id = line.split_whitespace().find(|word| word.len() == 36).unwrap();
    let revoked = say(home, &["key", "revoke", id]);
    assert!(
        revoked.contains("Key trader is worthless now, and stays so."),
        "{revoked}"
    );
    let unknown = say(home, &["key", "revoke", "nobody"]);
    assert!(unknown.contains("Living keys are: other\n"), "{unknown}");
}

#[test]
fn a_key_with_an_end_says_when_it_is() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let arguments = ["key", "add", "nightly", "--scope", "status", "--expires", "90d"];
    let (added, _) = with_secrets(home, &[], &arguments);
    assert!(added.contains(" IST.\n") && added.contains("; until "), "{added}");
    let list = say(home, &["key", "list", "--json"]);
    assert!(!list.contains(r#""expires_at": null"#), "{list}");
    for (length, name) in [("0s", "key_ends_at_once"), ("9999999years", "key_ends_never")] {
        let arguments = ["key", "add", "other", "--scope", "status", "--expires", length];
        insta::assert_snapshot!(name, say(home, &arguments));
    }
}

#[test]
fn a_key_for_an_unknown_api_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let arguments = ["key", "add", "trader", "--scope", "status,token:WEBSOCKET1"];
    insta::assert_snapshot!("key_unknown_api", say(home, &arguments));
    assert!(say(home, &["key", "list"]).contains("There are no keys."));
}

#[test]
fn there_is_no_link_into_the_console_where_no_server_of_ours_listens() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let nowhere = [ONE_API, &[("VEGA__SERVER__LISTEN", "127.0.0.1:9")]].concat();
    insta::assert_snapshot!("console_without_server", said(home, &nowhere, &["console"]));
    assert!(!say(home, &["audit"]).contains("console_link_made"));

    // Whoever listens could open the console with a link, and use a key.
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let there = [ONE_API, &[("VEGA__SERVER__LISTEN", address.as_str())]].concat();
    let refused = said(home, &there, &["console"]);
    assert!(
        refused.starts_with("exit 9") && refused.contains("another program"),
        "{refused}"
    );
    assert!(!refused.contains("/enter#"), "{refused}");
    let warned = said(home, &there, &["key", "add", "other", "--scope", "status"]);
    assert!(
        warned.contains("Show it no key") && warned.contains(&address),
        "{warned}"
    );
}
