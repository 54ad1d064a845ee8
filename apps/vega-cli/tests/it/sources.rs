//! Which source wins, and how `vega config` shows what is in force.

use std::path::Path;

use crate::accounts_in_toml::two_accounts;
use crate::world::{ONE_API, said, write};

#[test]
fn nothing_configured_is_explained() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(crate::world::refused(home.path(), &[], &["status"]));
}

#[test]
fn an_env_that_names_no_app_is_mentioned() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".config/vega/.env"), "FOO=bar\n");
    insta::assert_snapshot!(crate::world::refused(home.path(), &[], &["status"]));
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
    write(
        &home.join(".config/vega/vega.toml"),
        "[sign_in]\notp_budget = 3\n",
    );
    assert_eq!(budget(home, &[]), "3 [home]/.config/vega/vega.toml");
    let set = [("VEGA__SIGN_IN__OTP_BUDGET", "6")];
    assert_eq!(budget(home, &set), "6 the environment");
    write(
        &home.join(".config/vega/vega.toml"),
        "[sign_in]\notp_budget = \"\"\n",
    );
    let empty = [("VEGA__SIGN_IN__OTP_BUDGET", " ")];
    assert_eq!(
        budget(home, &empty),
        "1 [home]/.config/vega/.env",
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
    let set = set
        .join("\n")
        .replace("/home/me", &home.path().display().to_string());
    write(&home.path().join(".config/vega/.env"), set);
    write(
        &home.path().join(".config/vega/database.password"),
        "CANARY-password\n",
    );
    let said = said(home.path(), ONE_API, &["config"]);
    assert!(said.starts_with("exit 0"), "{said}");
    assert!(!said.contains("CANARY"), "{said}");
    // The places of files are told by the environment and the command line alone.
    let of_a_file = |line: &&str| {
        ["│ default.", "│ config_dir ", "│ env_file "]
            .iter()
            .all(|key| !line.contains(key))
    };
    let defaults: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(" default ") && of_a_file(line))
        .collect();
    assert!(defaults.is_empty(), "missing in .env.example: {defaults:#?}");
}

#[test]
fn config_shows_what_is_in_force_and_where_from_but_no_secret() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("secret"), "CANARY-file\n");
    write(
        &home.path().join(".config/vega/vega.toml"),
        format!("[sign_in]\notp_budget = 3\n{}", two_accounts(home.path())),
    );
    write(
        &home.path().join(".config/vega/.env"),
        "VEGA__SIGN_IN__HUMAN_TIMEOUT=90s\nUPSTOX_PIN=424242\nUPSTOX_CLIENT_IDENTITY_0=k\n",
    );
    let settings = [
        ONE_API,
        &[
            ("VEGA__BROWSER__HEADLESS", "true"),
            ("VEGA__BROWSER__WEBDRIVER_URL", "http://127.0.0.1:9515/wd"),
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

#[test]
fn what_is_not_set_is_shown_as_the_default_and_a_secrets_file_with_its_key() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    write(&secret, "CANARY\n");
    let text = format!(
        "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\nUPSTOX_CLIENT_SECRET_0_FILE={}\n",
        secret.display()
    );
    write(&home.path().join(".config/vega/.env"), text);
    let settings = [
        ("UPSTOX_CLIENT_ID_1", "key-1"),
        ("UPSTOX_CLIENT_SECRET_1", "CANARY"),
    ];
    let said = said(home.path(), &settings, &["config"]);
    let shown: Vec<_> = said.lines().filter(|line| line.contains("│ default.")).collect();
    insta::assert_snapshot!(without_widths(&shown.join("\n")));
}

#[test]
fn a_later_files_secret_wins_in_whichever_way_it_is_given() {
    let home = tempfile::tempdir().unwrap();
    let ours = "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\nUPSTOX_CLIENT_SECRET_0=CANARY\n";
    write(&home.path().join(".config/vega/.env"), ours);
    let secret = home.path().join("secret");
    write(&secret, "CANARY\n");
    write(
        &home.path().join("later.env"),
        format!("UPSTOX_CLIENT_SECRET_0_FILE={}\n", secret.display()),
    );
    let said = said(home.path(), &[], &["config", "--env-file", "later.env"]);
    assert!(
        said.contains("UPSTOX_CLIENT_SECRET_0_FILE in [home]/later.env"),
        "{said}"
    );
}

/// What is said of the key's file with this line in `.env`.
fn key_file(home: &Path, line: impl AsRef<[u8]>) -> String {
    write(&home.join(".config/vega/.env"), line);
    let said = said(home, ONE_API, &["config"]);
    let line = said.lines().find(|line| line.contains("key_file"));
    let words = line.expect(&said).replace('│', " ");
    words.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn env_values_are_taken_as_they_stand() {
    let home = tempfile::tempdir().unwrap();
    for (line, value) in [
        ("VEGA__KEY_FILE='/a$b-${HOME}'", "/a$b-${HOME}"),
        (r"VEGA__KEY_FILE=/a\$b", "/a$b"),
        (r#"VEGA__KEY_FILE="/a\$b""#, "/a$b"),
        ("VEGA__KEY_FILE=/ab # costs $5", "/ab"),
        ("export VEGA__KEY_FILE=/ab", "/ab"),
        ("VEGA__KEY_FILE=/ab\r\nUPSTOX_REDIRECT_URI=\r\n", "/ab"),
        ("VEGA__KEY_FILE=/ab\nVEGA__KEY_FILE=", "/ab"),
        ("\u{feff}VEGA__KEY_FILE=/ab", "/ab"),
        ("\u{feff}# mine\nVEGA__KEY_FILE=/ab", "/ab"),
        ("FOO=$HOME/x\nVEGA__KEY_FILE=/ab", "/ab"),
        ("FOO=it\nFOO=twice\nVEGA__KEY_FILE=/ab", "/ab"),
        (
            "FOO=bar baz\nexport PATH=$PATH:/opt/x\nBAR=\"open\nVEGA__KEY_FILE=/ab",
            "/ab",
        ),
        ("VEGA__KEY_FILE='\"/ab\"'", "/ab"),
        ("VEGA__KEY_FILE=\u{200b}/ab\u{a0}", "/ab"),
    ] {
        assert_eq!(key_file(home.path(), line), value, "{line:?}");
    }
    let utf16 = "VEGA__KEY_FILE=/ab\r\n".encode_utf16().flat_map(u16::to_le_bytes);
    let saved_as_unicode: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16).collect();
    assert_eq!(key_file(home.path(), saved_as_unicode), "/ab");
}

#[test]
fn a_file_with_secrets_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let (env, toml) = (
        home.path().join(".config/vega/.env"),
        home.path().join(".config/vega/vega.toml"),
    );
    write(&home.path().join("secret"), "CANARY\n");
    write(&toml, two_accounts(home.path()));
    write(&env, "UPSTOX_CLIENT_SECRET_0=CANARY\n");
    let warned = |mode| {
        for path in [&env, &toml] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let said = said(home.path(), ONE_API, &["config"]);
        said.split_once("--- stderr\n").unwrap().1.to_owned()
    };
    assert_eq!(warned(0o600), "");
    insta::assert_snapshot!(warned(0o640));
    write(&env, "UPSTOX_USER_ID=AB1234\n");
    write(&toml, "[browser]\nheadless = true\n");
    assert_eq!(warned(0o644), "", "there is no secret in them");
}
