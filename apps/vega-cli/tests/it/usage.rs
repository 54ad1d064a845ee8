//! Help, and arguments that are wrong.

use rstest::rstest;

use crate::world::{NO_UPSTOX, ONE_API, said, vega};

#[rstest]
#[case::help("help", &["--help"])]
#[case::help_status("help_status", &["status", "--help"])]
#[case::help_verify("help_verify", &["verify", "--help"])]
#[case::help_config("help_config", &["config", "--help"])]
#[case::help_audit("help_audit", &["audit", "--help"])]
#[case::help_seal("help_seal", &["seal", "--help"])]
#[case::help_seal_rotate("help_seal_rotate", &["seal", "rotate", "--help"])]
#[case::help_seal_machines("help_seal_machines", &["seal", "machines", "--help"])]
#[case::without_and_no_step("without_and_no_step", &["seal", "rotate", "--without", "desk3"])]
#[case::both_steps("both_steps", &["seal", "rotate", "--prepare", "--commit"])]
#[case::help_backup("help_backup", &["backup", "--help"])]
#[case::help_restore("help_restore", &["restore", "--help"])]
#[case::help_move("help_move", &["move", "--help"])]
#[case::help_key("help_key", &["key", "--help"])]
#[case::help_key_add("help_key_add", &["key", "add", "--help"])]
#[case::help_revoke("help_revoke", &["revoke", "--help"])]
#[case::help_console("help_console", &["console", "--help"])]
#[case::key_without_scope("key_without_scope", &["key", "add", "trader"])]
#[case::key_bad_scope("key_bad_scope", &["key", "add", "trader", "--scope", "status,everything"])]
#[case::key_bad_name("key_bad_name", &["key", "add", "two words", "--scope", "status"])]
#[case::since_when("audit_since_when", &["audit", "--since", "yesterday"])]
#[case::help_files("help_files", &["files", "--help"])]
#[case::help_token("help_token", &["token", "--help"])]
#[case::unknown_command("unknown_argument", &["--nonsense"])]
#[case::bad_api_name("bad_api_name", &["token", "pri-mary"])]
#[case::typo_without_settings("typo_without_settings", &["stauts"])]
#[case::typo_with_options("typo_with_options", &["tokne", "PRIMARY", "--format", "env"])]
#[case::typo_of_an_option("typo_of_an_option", &["status", "--jsno"])]
#[case::typo_of_a_value("typo_of_a_value", &["token", "PRIMARY", "--format", "evn"])]
#[case::typo_below_a_command("typo_below_a_command", &["seal", "rotaet"])]
fn usage(#[case] name: &str, #[case] arguments: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(name, said(home.path(), &[], arguments));
}

#[test]
fn an_api_that_is_not_configured_is_a_usage_error() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(home.path(), ONE_API, &["token", "WEBSOCKET1"]));
}

#[rstest]
#[case::command("typo_command", &["stauts"])]
#[case::command_in_capitals("typo_command_in_capitals", &["STATUS", "--json"])]
#[case::api("typo_api", &["primry"])]
#[case::api_of_token("typo_api_of_token", &["token", "Primray"])]
#[case::api_of_a_scope("typo_api_of_a_scope", &["key", "add", "bot", "--scope", "token:primry"])]
#[case::nothing_alike("typo_nothing_alike", &["xyz"])]
fn a_slip_of_the_finger_is_answered_with_what_may_be_meant(#[case] name: &str, #[case] arguments: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let said = said(home.path(), ONE_API, arguments);
    assert!(said.starts_with("exit 2\n--- stdout\n--- stderr\n"), "{said}");
    insta::assert_snapshot!(name, said);
}

/// Wherever a name stands on the line; what is shown is the one spelling.
#[rstest]
#[case(&["token", "primary"], 3)]
#[case(&["verify", "Primary", "--json"], 5)]
#[case(&["revoke", "pRiMaRy", "--yes"], 0)]
#[case(&["primary", "--yes", "--again", "primary", "--json"], 5)]
#[case(&["audit", "--api", "primary"], 0)]
#[case(&["key", "add", "bot", "--scope", "token:primary"], 0)]
fn an_api_may_be_typed_in_any_case(#[case] arguments: &[&str], #[case] code: i32) {
    let home = tempfile::tempdir().unwrap();
    let settings = [ONE_API, &[NO_UPSTOX]].concat();
    let said = said(home.path(), &settings, arguments);
    assert!(said.starts_with(&format!("exit {code}\n")), "{said}");
    assert!(!said.to_lowercase().contains("not configured"), "{said}");
}

/// As a shell evaluates it: nothing of yesterday is left, and `set -e` notices, however it went wrong.
#[rstest]
#[case::no_token(ONE_API, &["token", "PRIMARY", "--format", "env"], 3)]
#[case::no_such_api(ONE_API, &["token", "PRIMRY", "--format", "env"], 2)]
#[case::no_settings(&[], &["token", "PRIMARY", "--format=env"], 9)]
#[case::a_typo(ONE_API, &["tokne", "PRIMARY", "--format", "env"], 2)]
#[case::no_api(ONE_API, &["token", "--format", "env"], 2)]
#[case::two_formats(ONE_API, &["token", "PRIMARY", "--json", "--format", "env"], 2)]
#[case::bad_min_valid(ONE_API, &["token", "PRIMARY", "--min-valid", "soon", "--format", "env"], 2)]
fn a_shell_gets_what_unsets_the_variable_and_fails(
    #[case] settings: &[(&str, &str)],
    #[case] arguments: &[&str],
    #[case] code: i32,
) {
    let home = tempfile::tempdir().unwrap();
    let output = vega(home.path(), settings, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(output.stdout, b"unset UPSTOX_ACCESS_TOKEN; false\n", "{output:?}");
    assert!(output.stderr.starts_with(b"error: "), "{output:?}");
}

/// As over HTTP.
#[rstest]
#[case("30m", 3)]
#[case("1800", 3)]
#[case("1h 30m", 3)]
#[case("-5", 2)]
#[case("1800 apples", 2)]
fn how_long_a_token_must_live_is_a_length_or_seconds(#[case] length: &str, #[case] code: i32) {
    let home = tempfile::tempdir().unwrap();
    let wanted = format!("--min-valid={length}");
    let output = vega(home.path(), ONE_API, &["token", "PRIMARY", &wanted]).output();
    assert_eq!(output.unwrap().status.code(), Some(code));
}

#[rstest]
#[case("raw")]
#[case("json")]
#[case("header")]
fn other_formats_print_nothing_without_a_token(#[case] format: &str) {
    let home = tempfile::tempdir().unwrap();
    let output = vega(home.path(), ONE_API, &["token", "PRIMARY", "--format", format]);
    let output = { output }.output().unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(3), &b""[..]),
        "{output:?}"
    );
}

/// In every shell that is here, with what a script does about it.
#[test]
fn a_script_stops_where_there_is_no_token() {
    let home = tempfile::tempdir().unwrap();
    let shells = ["sh", "bash", "dash", "zsh", "ksh", "busybox"];
    let mut tried = 0;
    for shell in shells.map(|shell| format!("/bin/{shell}")) {
        if !std::path::Path::new(&shell).exists() {
            continue;
        }
        tried += 1;
        let script = format!(
            "UPSTOX_ACCESS_TOKEN=of_yesterday; export UPSTOX_ACCESS_TOKEN\n\
             eval \"$('{vega}' token PRIMARY --format env)\" || echo \"failed ${{UPSTOX_ACCESS_TOKEN-unset}}\"\n\
             set -e\n\
             eval \"$('{vega}' token PRIMARY --format env)\"\n\
             echo not stopped",
            vega = env!("CARGO_BIN_EXE_vega")
        );
        let mut command = std::process::Command::new(&shell);
        if shell.ends_with("busybox") {
            command.arg("sh");
        }
        let output = command
            .args(["-c", &script])
            .env_clear()
            .env("HOME", home.path())
            .envs(ONE_API.iter().copied())
            .current_dir(home.path())
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "failed unset\n",
            "{shell}: {output:?}"
        );
        assert!(!output.status.success(), "{shell}");
    }
    assert!(tried > 0, "there is no shell");
}
