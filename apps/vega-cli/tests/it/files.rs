//! `vega files` before there is a token, and rows that are refused when the settings are read. Deliveries are in `tests/stories/files.rs`.

use std::path::Path;

use rstest::rstest;

use crate::world::{ONE_API, refused, said, write};

fn configured(rows: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let rows = rows.replace("[home]", &home.path().display().to_string());
    write(&home.path().join(".config/vega/vega.toml"), rows);
    home
}

/// Two that will do, one that would be refused.
const ROWS: &str = r#"
[[files]]
api = "PRIMARY"
path = "[home]/token"

[[files]]
api = "PRIMARY"
path = "[home]/strategy.env"
format = "env"

[[files]]
api = "PRIMARY"
path = "[home]/nowhere/token"
format = "json"
"#;

/// The table is as wide as its home's name: spaces are left out.
fn narrow(said: &str) -> String {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_border =
        |line: &&str| !line.is_empty() && line.chars().all(|c| !c.is_alphanumeric() && !"{}[],".contains(c));
    said.lines()
        .filter(|line| !is_border(line))
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

#[rstest]
#[case::none("files_none", "", &["files"])]
#[case::table("files_table", ROWS, &["files"])]
#[case::json("files_json", ROWS, &["files", "--json"])]
fn each_file_is_shown_with_what_is_wrong(#[case] name: &str, #[case] rows: &str, #[case] arguments: &[&str]) {
    let home = configured(rows);
    insta::assert_snapshot!(name, narrow(&said(home.path(), ONE_API, arguments)));
    let touched = |name: &str| Path::new(home.path()).join(name).exists();
    assert!(!touched("token") && !touched("strategy.env") && !touched("nowhere"));
}

#[test]
fn what_is_configured_is_shown_among_the_settings() {
    let home = configured(ROWS);
    let said = said(home.path(), ONE_API, &["config"]);
    let row = "PRIMARY to [home]/strategy.env (env, 0600, on expiry remove)";
    assert!(narrow(&said).contains(row), "{said}");
}

#[rstest]
#[case::api("files_unknown_api", "api = \"PRIMRY\"\npath = \"/run/token\"")]
#[case::path("files_relative_path", "api = \"PRIMARY\"\npath = \"token\"")]
#[case::mode(
    "files_open_mode",
    "api = \"PRIMARY\"\npath = \"/run/token\"\nmode = \"0644\""
)]
#[case::template(
    "files_no_template",
    "api = \"PRIMARY\"\npath = \"/run/token\"\nformat = \"template\""
)]
#[case::own(
    "files_own_file",
    "api = \"PRIMARY\"\npath = \"[home]/.config/vega/vega.key\""
)]
#[case::twice(
    "files_twice",
    "api = \"PRIMARY\"\npath = \"/run/token\"\n[[files]]\napi = \"PRIMARY\"\npath = \"/run//token\""
)]
fn a_wrong_row_stops_vega_before_anything_is_done(#[case] name: &str, #[case] row: &str) {
    let home = configured(&format!("[[files]]\n{row}\n"));
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["--yes"]));
}
