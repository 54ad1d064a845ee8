//! Whole commands in a terminal of their own, made by `script`: colours and widths as an operator sees them.

use std::path::Path;
use std::process::{Command, Stdio};

use rstest::rstest;

use crate::world::ONE_API;

/// Six apps with the names that they have by themselves.
fn six_apis() -> Vec<(String, String)> {
    let mut settings = vec![("UPSTOX_MOBILE_NUMBER".to_owned(), "9000000001".to_owned())];
    for number in 0..6 {
        settings.push((format!("UPSTOX_CLIENT_ID_{number}"), format!("key-{number}")));
        settings.push((
            format!("UPSTOX_CLIENT_SECRET_{number}"),
            "CANARY-secret".to_owned(),
        ));
    }
    settings
}

/// What the terminal got from one `vega` in it, and the exit code.
fn shown(home: &Path, columns: u16, settings: &[(String, String)], arguments: &str) -> String {
    let vega = format!(
        "stty cols {columns} rows 24 && exec '{}' {arguments}",
        env!("CARGO_BIN_EXE_vega")
    );
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &vega, "/dev/null"])
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm-256color")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    assert!(!text.contains("CANARY"), "{text}");
    let text = text.replace(&home.display().to_string(), "[home]");
    format!("exit {}\n{text}", output.status.code().unwrap())
}

fn and(mut settings: Vec<(String, String)>, more: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    settings
}

/// Escape codes as they would stand in a source.
fn visible(text: &str) -> String {
    text.replace('\u{1b}', "\\e")
}

#[rstest]
#[case::wide("status_in_100_columns", 100)]
#[case::narrow("status_in_60_columns", 60)]
#[case::very_narrow("status_in_40_columns", 40)]
fn status_has_colours_and_fits(#[case] name: &str, #[case] columns: u16) {
    let home = tempfile::tempdir().unwrap();
    let shown = shown(home.path(), columns, &six_apis(), "status");
    let widest = shown.lines().map(console::measure_text_width).max();
    assert!(widest <= Some(columns.into()), "{shown}");
    assert!(shown.starts_with("exit 3"), "{shown}");
    insta::assert_snapshot!(name, visible(&shown));
}

#[rstest]
#[case::wide("status_without_colours", 100)]
#[case::very_narrow("status_in_40_columns_without_colours", 40)]
fn no_color_is_respected(#[case] name: &str, #[case] columns: u16) {
    let home = tempfile::tempdir().unwrap();
    let settings = and(six_apis(), &[("NO_COLOR", "1")]);
    let shown = shown(home.path(), columns, &settings, "status");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    insta::assert_snapshot!(name, shown);
}

/// An error's label is red; with `NO_COLOR` it is plain.
#[test]
fn errors_have_colours_only_where_they_are_wanted() {
    let home = tempfile::tempdir().unwrap();
    let shown_with = |more: &[(&str, &str)]| {
        let one: Vec<_> = and(Vec::new(), ONE_API);
        shown(home.path(), 100, &and(one, more), "token PRIMARY")
    };
    insta::assert_snapshot!("error_in_colour", visible(&shown_with(&[])));
    let plain = shown_with(&[("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    insta::assert_snapshot!("error_without_colour", plain);
}

#[test]
fn config_keeps_its_paths_whole_where_they_do_not_fit() {
    let home = tempfile::tempdir().unwrap();
    let settings = and(
        Vec::new(),
        &[ONE_API, &[("VEGA__KEY_FILE", "/home/me/.config/vega/vega.key")]].concat(),
    );
    let shown = shown(home.path(), 40, &settings, "config");
    assert!(
        shown
            .lines()
            .any(|line| line.trim() == "/home/me/.config/vega/vega.key"),
        "{shown}"
    );
    insta::assert_snapshot!(shown);
}
