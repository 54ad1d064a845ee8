//! Which source wins, and how `vega config` shows what is in force.

use std::path::Path;

use crate::accounts_in_toml::TWO_ACCOUNTS;
use crate::world::{ONE_API, said, write};

#[test]
fn nothing_configured_is_explained() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(crate::world::refused(home.path(), &[], &["status"]));
}

#[test]
fn an_env_that_names_no_app_is_mentioned() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".env"), "FOO=bar\n");
    insta::assert_snapshot!(crate::world::refused(home.path(), &[], &["status"]));
}

#[test]
fn a_foreign_env_in_the_working_directory_hides_nothing() {
    let home = tempfile::tempdir().unwrap();
    let ours = "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\nUPSTOX_CLIENT_SECRET_0='a$b #c'\n";
    write(&home.path().join(".config/vega/.env"), ours);
    write(&home.path().join(".env"), "FOO=bar\nUPSTOX_API_NAME_0=WINS\n");
    let said = said(home.path(), &[], &["status"]);
    assert!(said.starts_with("exit 3") && said.contains("WINS"), "{said}");
}

/// The OTP budget in force and where it came from.
fn budget(home: &Path, settings: &[(&str, &str)]) -> String {
    let settings = [ONE_API, settings].concat();
    let said = said(home, &settings, &["config"]);
    let line = said.lines().find(|line| line.contains("sign_in.otp_budget"));
    let words = line.unwrap().replace(['│', ' '], " ");
    words.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn toml_wins_over_env_files_and_the_environment_over_toml() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert_eq!(budget(home, &[]), "4 default");
    write(&home.join(".config/vega/.env"), "VEGA__SIGN_IN__OTP_BUDGET=1\n");
    assert_eq!(budget(home, &[]), "1 [home]/.config/vega/.env");
    write(&home.join(".env"), "VEGA__SIGN_IN__OTP_BUDGET=2\n");
    assert_eq!(budget(home, &[]), "2 [home]/.env");
    write(
        &home.join(".config/vega/vega.toml"),
        "[sign_in]\notp_budget = 3\n",
    );
    assert_eq!(budget(home, &[]), "3 [home]/.config/vega/vega.toml");
    write(&home.join("vega.toml"), "[sign_in]\notp_budget = 5\n");
    assert_eq!(budget(home, &[]), "5 [home]/vega.toml");
    let set = [("VEGA__SIGN_IN__OTP_BUDGET", "6")];
    assert_eq!(budget(home, &set), "6 the environment");
    write(&home.join("vega.toml"), "[sign_in]\notp_budget = \"\"\n");
    let empty = [("VEGA__SIGN_IN__OTP_BUDGET", " ")];
    assert_eq!(
        budget(home, &empty),
        "3 [home]/.config/vega/vega.toml",
        "empty is none"
    );
}

#[test]
fn the_example_names_every_setting() {
    let home = tempfile::tempdir().unwrap();
    let example = include_str!("../../../../.env.example");
    let set: Vec<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with("VEGA__"))
        .collect();
    write(&home.path().join(".env"), set.join("\n"));
    let said = said(home.path(), ONE_API, &["config"]);
    assert!(said.starts_with("exit 0"), "{said}");
    let defaults: Vec<&str> = said.lines().filter(|line| line.contains(" default ")).collect();
    assert!(defaults.is_empty(), "missing in .env.example: {defaults:#?}");
}

#[test]
fn config_shows_what_is_in_force_and_where_from_but_no_secret() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("secret"), "CANARY-file\n");
    write(
        &home.path().join("vega.toml"),
        format!("[sign_in]\notp_budget = 3\n{TWO_ACCOUNTS}"),
    );
    write(
        &home.path().join(".env"),
        "VEGA__SIGN_IN__HUMAN_TIMEOUT=90s\nUPSTOX_PIN=424242\nUPSTOX_CLIENT_IDENTITY_0=k\n",
    );
    let settings = [
        ONE_API,
        &[
            ("VEGA__BROWSER__HEADLESS", "true"),
            (
                "VEGA__BROWSER__WEBDRIVER_URL",
                "http://me:CANARY@127.0.0.1:9515/wd",
            ),
            ("UPSTOX_USER_ID", "AB1234"),
        ],
    ]
    .concat();
    let json = said(home.path(), &settings, &["config", "--json"]);
    assert!(!json.contains("424242") && !json.contains("9000000001"), "{json}");
    insta::assert_snapshot!("config_json", json);
    let text = said(home.path(), &settings, &["config"]);
    insta::assert_snapshot!("config", without_widths(&text));
    assert!(!home.path().join(".local").exists(), "looking makes no database");
}

/// The widths follow the length of the home's path, which differs from run to run.
fn without_widths(table: &str) -> String {
    let lines = table
        .lines()
        .filter(|line| !line.starts_with(['┌', '╞', '└']))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}
