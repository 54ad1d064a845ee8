//! What lies in the working directory is anybody's: it is read only when it is named, and named when it looks like Vega's.

use std::path::Path;

use rstest::rstest;

use crate::world::{ONE_API, said, write};

const HOSTILE_ENV: &str =
    "VEGA__UPSTOX__API_BASE_URL=https://evil.example\nVEGA__BROWSER__CHROMEDRIVER=/tmp/evil\n";
const HOSTILE_TOML: &str = "[upstox]\napi_base_url = \"https://evil.example\"\n";

/// The API's address in force, where it came from, and what was said on stderr.
fn api(home: &Path, arguments: &[&str]) -> (String, String) {
    let said = said(home, ONE_API, &[arguments, &["config"]].concat());
    assert!(said.starts_with("exit 0"), "{said}");
    let (stdout, stderr) = said.split_once("--- stderr\n").unwrap();
    let line = stdout.lines().find(|line| line.contains("upstox.api_base_url"));
    let words = line.unwrap().replace('│', " ");
    let words: Vec<_> = words.split_whitespace().skip(1).collect();
    (words.join(" "), stderr.to_owned())
}

#[rstest]
#[case::env(&[(".env", HOSTILE_ENV)], ".env in the working directory is left alone: Vega reads [home]/.config/vega. Should it read it, say so with --env-file .env")]
#[case::toml(&[("vega.toml", HOSTILE_TOML)], "vega.toml in the working directory is left alone: Vega reads [home]/.config/vega. Should it read it, say so with --config-dir .")]
#[case::both(&[(".env", HOSTILE_ENV), ("vega.toml", HOSTILE_TOML)], ".env and vega.toml in the working directory are left alone: Vega reads [home]/.config/vega. Should it read them, say so with --config-dir .")]
#[case::accounts(&[("vega.toml", "[[accounts]]\nname = \"x\"\n")], "vega.toml in the working directory is left alone: Vega reads [home]/.config/vega. Should it read it, say so with --config-dir .")]
#[case::broken(&[(".env", "UPSTOX_PIN=\"123\n\0")], "")]
#[case::of_others(&[(".env", "FOO=bar baz\nexport PATH=$PATH:/opt/x\n"), ("vega.toml", "[stars]\nlyra = 1\n")], "")]
fn whoever_wrote_it_it_is_left_alone(#[case] there: &[(&str, &str)], #[case] note: &str) {
    let home = tempfile::tempdir().unwrap();
    for (name, content) in there {
        write(&home.path().join(name), content);
    }
    let (api, told) = api(home.path(), &[]);
    assert_eq!(api, "https://api.upstox.com/ default");
    let expected = if note.is_empty() {
        String::new()
    } else {
        format!("note: {note}\n")
    };
    assert_eq!(told, expected);
}

#[rstest]
#[case::env(&["--env-file", ".env"], "https://evil.example/ [home]/.env")]
#[case::env_in_full(&["--env-file", "./.env"], "https://evil.example/ [home]/.env")]
#[case::folder(&["--config-dir", "."], "https://evil.example/ [home]/vega.toml")]
fn what_is_named_is_read_and_nothing_is_noted(#[case] arguments: &[&str], #[case] in_force: &str) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".env"), HOSTILE_ENV);
    let only_env = arguments[0] == "--env-file";
    if !only_env {
        write(&home.path().join("vega.toml"), HOSTILE_TOML);
    }
    assert_eq!(api(home.path(), arguments), (in_force.to_owned(), String::new()));
}

#[test]
fn a_named_file_wins_over_that_of_the_folder_and_options_over_variables() {
    let home = tempfile::tempdir().unwrap();
    let budget = |presses: u8| format!("VEGA__SIGN_IN__OTP_BUDGET={presses}\n");
    for (presses, path) in [
        (1, "etc/.env"),
        (2, "one.env"),
        (3, "two.env"),
        (4, ".config/vega/.env"),
    ] {
        write(&home.path().join(path), budget(presses));
    }
    let path = |name: &str| home.path().join(name).display().to_string();
    let (etc, one, two) = (path("etc"), path("one.env"), path("two.env"));
    let in_force = |variables: &[(&str, &str)], arguments: &[&str]| {
        let settings = [ONE_API, variables].concat();
        let said = said(home.path(), &settings, &[&["config"], arguments].concat());
        let line = said.lines().find(|line| line.contains("sign_in.otp_budget"));
        line.expect(&said)
            .replace('│', " ")
            .split_whitespace()
            .nth(1)
            .unwrap()
            .to_owned()
    };
    let (dir, file) = (("VEGA__CONFIG_DIR", &*etc), ("VEGA__ENV_FILE", &*one));
    assert_eq!(in_force(&[], &[]), "4");
    assert_eq!(in_force(&[dir], &[]), "1");
    assert_eq!(in_force(&[file], &[]), "2");
    assert_eq!(in_force(&[dir, file], &[]), "2");
    assert_eq!(in_force(&[dir, file], &["--env-file", &two]), "3");
    assert_eq!(in_force(&[], &["--config-dir", "etc"]), "1");
    assert_eq!(in_force(&[dir], &["--config-dir", ".config/vega"]), "4");
}

#[test]
fn the_key_lies_in_the_folder_that_is_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("etc")).unwrap();
    let said = said(home.path(), ONE_API, &["--config-dir", "etc", "status"]);
    assert!(said.starts_with("exit 3"), "{said}");
    assert!(home.path().join("etc/vega.key").is_file());
    assert!(!home.path().join(".config").exists());
}

#[test]
fn a_pipe_in_the_working_directory_keeps_nobody_waiting() {
    let home = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(home.path().join(".env"))
        .status()
        .unwrap();
    assert!(made.success());
    // A reader of the pipe would never end, and nextest would end the test.
    assert_eq!(api(home.path(), &[]).1, "");
}
