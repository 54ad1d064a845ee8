//! What the commands report about a fresh installation, to a program or a file: no terminal, so no colours.

use rstest::rstest;

use crate::world::{NO_UPSTOX, ONE_API, said, sign_ins_are_open, upstox};

#[rstest]
#[case::status("status", &["status"])]
#[case::status_json("status_json", &["status", "--json"])]
#[case::verify("verify", &["verify"])]
#[case::verify_json("verify_json", &["verify", "--json"])]
#[case::token("token", &["token", "PRIMARY"])]
fn a_fresh_installation(#[case] name: &str, #[case] arguments: &[&str]) {
    sign_ins_are_open();
    let home = tempfile::tempdir().unwrap();
    let upstox = upstox();
    let settings = [ONE_API, &[("VEGA__UPSTOX__API_BASE_URL", &*upstox)]].concat();
    let said = said(home.path(), &settings, arguments);
    assert!(said.starts_with("exit 3") && !said.contains('\u{1b}'), "{said}");
    insta::assert_snapshot!(name, said);
}

#[test]
fn what_is_not_there_is_not_revoked_and_nothing_without_a_yes() {
    let home = tempfile::tempdir().unwrap();
    let settings = [ONE_API, &[NO_UPSTOX]].concat();
    let revoke = |arguments: &[&str]| said(home.path(), &settings, &[&["revoke"], arguments].concat());
    insta::assert_snapshot!("revoke_without_a_yes", revoke(&["PRIMARY"]));
    insta::assert_snapshot!("revoke_nothing", revoke(&["PRIMARY", "--yes"]));
    insta::assert_snapshot!("revoke_unknown", revoke(&["WEBSOCKET1", "--yes"]));
}

#[test]
fn an_upstox_that_cannot_be_reached_changes_no_verdict() {
    sign_ins_are_open();
    let home = tempfile::tempdir().unwrap();
    let settings = [ONE_API, &[NO_UPSTOX]].concat();
    let said = said(home.path(), &settings, &["verify"]);
    // There is nothing to generate after a check.
    assert!(!said.contains("generate again"), "{said}");
    insta::assert_snapshot!("verify_unreachable", said);
}

#[test]
fn it_stays_plain_where_colours_would_be_possible_but_nobody_looks() {
    let home = tempfile::tempdir().unwrap();
    let settings = [ONE_API, &[("TERM", "xterm-256color")]].concat();
    for arguments in [&["status"][..], &["config"], &["token", "PRIMARY"]] {
        let said = said(home.path(), &settings, arguments);
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}
