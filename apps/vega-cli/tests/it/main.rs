//! `vega` as a user meets it: help, and what it says when it cannot start. Nothing here needs a network or a browser.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world should stop there"
)]

use std::path::Path;

use assert_cmd::Command;
use rstest::rstest;

/// `vega` in an empty home, with nothing of the environment but what is given.
fn vega(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vega").unwrap();
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/nowhere")
        .env("COLUMNS", "100")
        .envs(settings.iter().copied())
        .current_dir(home)
        .args(arguments);
    command
}

/// Everything it said, with the changing home folder taken out.
fn said(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = vega(home, settings, arguments).output().unwrap();
    let text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    text.replace(&home.display().to_string(), "[home]")
}

const ONE_API: &[(&str, &str)] = &[
    ("UPSTOX_MOBILE_NUMBER", "9000000001"),
    ("UPSTOX_CLIENT_ID_0", "key-0"),
    ("UPSTOX_CLIENT_SECRET_0", "CANARY-secret"),
];

#[rstest]
#[case::help("help", &["--help"])]
#[case::help_status("help_status", &["status", "--help"])]
#[case::help_verify("help_verify", &["verify", "--help"])]
#[case::help_config("help_config", &["config", "--help"])]
#[case::help_token("help_token", &["token", "--help"])]
#[case::unknown_command("unknown_argument", &["--nonsense"])]
#[case::bad_api_name("bad_api_name", &["token", "primary"])]
fn usage(#[case] name: &str, #[case] arguments: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(name, said(home.path(), &[], arguments));
}

#[test]
fn nothing_configured_is_explained() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(home.path(), &[], &["status"]));
    assert_eq!(
        std::fs::read_dir(home.path()).unwrap().count(),
        0,
        "nothing half-written"
    );
}

#[rstest]
#[case::gap("gap", &[("UPSTOX_CLIENT_ID_2", "key-2"), ("UPSTOX_CLIENT_SECRET_2", "s")])]
#[case::no_secret("no_secret", &[("UPSTOX_CLIENT_ID_1", "key-1")])]
#[case::same_client_twice("same_client_twice", &[("UPSTOX_CLIENT_ID_1", "key-0"), ("UPSTOX_CLIENT_SECRET_1", "s")])]
#[case::bad_redirect("bad_redirect", &[("UPSTOX_REDIRECT_URI", "localhost:28020/cb")])]
#[case::bad_mobile("bad_mobile", &[("UPSTOX_MOBILE_NUMBER", "+919000000001")])]
#[case::bad_duration("bad_duration", &[("VEGA__SIGN_IN__OTP_WINDOW", "11 parsecs")])]
#[case::endless_duration("endless_duration", &[("VEGA__SIGN_IN__OTP_WINDOW", "300000 years")])]
#[case::relative_database("relative_database", &[("VEGA__DATABASE__URL", "sqlite://vega.db")])]
#[case::unknown_key("unknown_key", &[("VEGA__BROWSER__HEDLESS", "true")])]
#[case::other_database("other_database", &[("VEGA__DATABASE__URL", "mysql://x")])]
fn a_wrong_setting_is_named_with_its_place(#[case] name: &str, #[case] wrong: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let settings = [ONE_API, wrong].concat();
    let said = said(home.path(), &settings, &["status"]);
    assert!(!said.contains("CANARY"), "{said}");
    insta::assert_snapshot!(name, said);
}

#[test]
fn status_of_a_fresh_installation() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(home.path(), ONE_API, &["status"]));
    insta::assert_snapshot!("status_json", said(home.path(), ONE_API, &["status", "--json"]));
}

#[test]
fn a_missing_token_is_explained() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(home.path(), ONE_API, &["token", "PRIMARY"]));
}

#[test]
fn an_api_that_is_not_configured_is_a_usage_error() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(home.path(), ONE_API, &["token", "WEBSOCKET1"]));
}

#[test]
fn without_a_browser_nobody_is_asked_for_anything() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(home.path(), ONE_API, &["--yes"]));
}

#[test]
fn a_bad_line_in_env_is_named_but_never_quoted() {
    let home = tempfile::tempdir().unwrap();
    let text = "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_SECRET_0=abc CANARY\n";
    std::fs::write(home.path().join(".env"), text).unwrap();
    let said = said(home.path(), &[], &["status"]);
    assert!(!said.contains("CANARY"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn a_foreign_env_in_the_working_directory_hides_nothing() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".config/vega");
    std::fs::create_dir_all(&config).unwrap();
    let ours = "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\nUPSTOX_CLIENT_SECRET_0='a$b #c'\n";
    std::fs::write(config.join(".env"), ours).unwrap();
    std::fs::write(home.path().join(".env"), "FOO=bar\nUPSTOX_API_NAME_0=WINS\n").unwrap();
    let said = said(home.path(), &[], &["status"]);
    assert!(said.starts_with("exit 3") && said.contains("WINS"), "{said}");
}

#[test]
fn an_env_that_names_no_app_is_mentioned() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".env"), "FOO=bar\n").unwrap();
    insta::assert_snapshot!(said(home.path(), &[], &["status"]));
}

#[test]
fn toml_wins_over_env_files_and_the_environment_over_toml() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".env"), "VEGA__SIGN_IN__OTP_BUDGET=1\n").unwrap();
    let left = |settings: &[(&str, &str)]| {
        let settings = [ONE_API, settings].concat();
        let said = said(home.path(), &settings, &["status", "--json"]);
        said.split("\"otp_presses_left\": ")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(left(&[]), "1");
    std::fs::write(home.path().join("vega.toml"), "[sign_in]\notp_budget = 2\n").unwrap();
    assert_eq!(left(&[]), "2");
    assert_eq!(left(&[("VEGA__SIGN_IN__OTP_BUDGET", "3")]), "3");
}

const TWO_ACCOUNTS: &str = r#"
[[accounts]]
name = "family"
mobile_number = "9000000002"
user_id = "CD5678"
redirect_uri = "https://desk.example/cb"

[[accounts.apis]]
name = "FAMILY1"
client_id = "key-f1"
client_secret_file = "secret"

[[accounts]]
name = "firm"
mobile_number = "9000000003"

[[accounts.apis]]
name = "FIRM1"
client_id = "key-g1"
client_secret = "CANARY-secret"
"#;

#[test]
fn several_accounts_come_from_toml_beside_the_one_of_the_variables() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("secret"), "CANARY-file\n").unwrap();
    std::fs::write(home.path().join("vega.toml"), TWO_ACCOUNTS).unwrap();
    insta::assert_snapshot!(said(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::secret_file("toml_secret_file", "")]
#[case::mobile(
    "toml_mobile",
    "[[accounts]]\nname = \"a\"\nmobile_number = \"1\"\napis = [{ name = \"A\", client_id = \"a\", client_secret = \"s\" }]"
)]
#[case::no_apis("toml_no_apis", "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"")]
#[case::unknown_key("toml_unknown_key", "[browser]\nhedless = true")]
#[case::not_toml("toml_not_toml", "[browser]\nclient_secret = \"CANARY\n")]
#[case::secret_is_a_number(
    "toml_secret_number",
    "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"\napis = [{ name = \"A\", client_id = \"k\", client_secret = [\"424242\"] }]"
)]
#[case::same_app(
    "toml_same_app",
    "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"\napis = [{ name = \"A\", client_id = \"key-0\", client_secret = \"CANARY\" }]"
)]
#[case::same_name(
    "toml_same_name",
    "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"\napis = [{ name = \"PRIMARY\", client_id = \"k\", client_secret = \"CANARY\" }]"
)]
#[case::same_account(
    "toml_same_account",
    "[[accounts]]\nname = \"default\"\nmobile_number = \"9000000004\"\napis = [{ name = \"A\", client_id = \"k\", client_secret = \"CANARY\" }]"
)]
fn a_wrong_toml_is_named_with_its_place(#[case] name: &str, #[case] toml: &str) {
    let home = tempfile::tempdir().unwrap();
    let toml = if toml.is_empty() { TWO_ACCOUNTS } else { toml };
    std::fs::write(home.path().join("vega.toml"), toml).unwrap();
    let said = said(home.path(), ONE_API, &["status"]);
    assert!(
        said.starts_with("exit 9") && !said.contains("CANARY") && !said.contains("424242"),
        "{said}"
    );
    insta::assert_snapshot!(name, said);
}

#[test]
fn config_shows_what_is_in_force_and_where_from_but_no_secret() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("secret"), "CANARY-file\n").unwrap();
    std::fs::write(
        home.path().join("vega.toml"),
        format!("[sign_in]\notp_budget = 3\n{TWO_ACCOUNTS}"),
    )
    .unwrap();
    std::fs::write(
        home.path().join(".env"),
        "VEGA__SIGN_IN__HUMAN_TIMEOUT=90s\nUPSTOX_PIN=424242\n",
    )
    .unwrap();
    let settings = [
        ONE_API,
        &[("VEGA__BROWSER__HEADLESS", "true"), ("UPSTOX_USER_ID", "AB1234")],
    ]
    .concat();
    let said = said(home.path(), &settings, &["config", "--json"]);
    assert!(
        !said.contains("CANARY") && !said.contains("424242") && !said.contains("9000000001"),
        "{said}"
    );
    insta::assert_snapshot!(said);
    assert!(!home.path().join(".local").exists(), "looking makes no database");
}
