//! Help, and arguments that are wrong.

use rstest::rstest;

use crate::world::{ONE_API, said};

#[rstest]
#[case::help("help", &["--help"])]
#[case::help_status("help_status", &["status", "--help"])]
#[case::help_verify("help_verify", &["verify", "--help"])]
#[case::help_config("help_config", &["config", "--help"])]
#[case::help_audit("help_audit", &["audit", "--help"])]
#[case::help_seal("help_seal", &["seal", "--help"])]
#[case::help_seal_rotate("help_seal_rotate", &["seal", "rotate", "--help"])]
#[case::help_backup("help_backup", &["backup", "--help"])]
#[case::help_key("help_key", &["key", "--help"])]
#[case::help_key_add("help_key_add", &["key", "add", "--help"])]
#[case::help_revoke("help_revoke", &["revoke", "--help"])]
#[case::help_console("help_console", &["console", "--help"])]
#[case::key_without_scope("key_without_scope", &["key", "add", "trader"])]
#[case::key_bad_scope("key_bad_scope", &["key", "add", "trader", "--scope", "status,everything"])]
#[case::key_bad_name("key_bad_name", &["key", "add", "two words", "--scope", "status"])]
#[case::since_when("audit_since_when", &["audit", "--since", "yesterday"])]
#[case::help_token("help_token", &["token", "--help"])]
#[case::unknown_command("unknown_argument", &["--nonsense"])]
#[case::bad_api_name("bad_api_name", &["token", "primary"])]
fn usage(#[case] name: &str, #[case] arguments: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(name, said(home.path(), &[], arguments));
}

#[test]
fn an_api_that_is_not_configured_is_a_usage_error() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(home.path(), ONE_API, &["token", "WEBSOCKET1"]));
}
