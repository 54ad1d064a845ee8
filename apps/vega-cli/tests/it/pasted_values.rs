//! Values as people paste them: with their names, from other places' files, or other things altogether. Each is refused by
//! the name of its setting before anything is made or sent, and nothing of it is shown.

use rstest::rstest;

use crate::world::{ONE_API, refused, said, write};

const SECRET: &str = "UPSTOX_CLIENT_SECRET_0";
const ID: &str = "UPSTOX_CLIENT_ID_0";
const USER: &str = "UPSTOX_USER_ID";
const MOBILE: &str = "UPSTOX_MOBILE_NUMBER";

/// What is not on any page that Vega was built from.
const PASTED: &[(&str, &str)] = &[
    (SECRET, "API_SECRET=CANARY12"),
    (SECRET, "api_key: CANARY12"),
    (SECRET, "secret=CANARY12"),
    (SECRET, "client_secret=CANARY12"),
    (SECRET, "clientSecret: 'CANARY12'"),
    (SECRET, "\"apiSecret\": \"CANARY12\","),
    (SECRET, "{\"secret\":\"CANARY12\"}"),
    (SECRET, "export UPSTOX_API_SECRET=CANARY12"),
    (SECRET, "$env:API_SECRET=CANARY12"),
    (SECRET, "&client_secret=CANARY12&grant_type=authorization_code"),
    (SECRET, "11111111-2222-3333-4444-555555555555:CANARY12"),
    (SECRET, "<key>CANARY12</key>"),
    (SECRET, "CANARY12;"),
    (SECRET, "CANARY12\\n"),
    (SECRET, "CANARY12, CANARY34"),
    (SECRET, "eyJhbGciOiJI.CANARY.CANARY"),
    (SECRET, "/run/secrets/CANARY"),
    (SECRET, "%CANARY%"),
    (SECRET, "$(pass CANARY)"),
    (SECRET, "vault:kv/upstox#CANARY"),
    (SECRET, "CANARY@example.com"),
    (SECRET, "••••CANARY"),
    (SECRET, "CANARY..."),
    (SECRET, "271828"),
    (SECRET, "919000000001"),
    (SECRET, "undefined"),
    (SECRET, "x9"),
    (ID, "api_key=CANARY"),
    (ID, "API Key: CANARY"),
    (ID, "CANARY:s3cret"),
    (ID, "?client_id=CANARY"),
    (ID, "https://account.upstox.com/CANARY"),
    (ID, "{\"client_id\": \"CANARY\"}"),
    (ID, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
    (ID, "k1"),
    (USER, "user_id=CANARY"),
    (USER, "UCC: AB1234"),
    (MOBILE, "mobile=9000000001"),
    (MOBILE, "+91-9000000001 (CANARY)"),
];

#[test]
fn what_is_pasted_with_more_is_refused_by_its_settings_name() {
    for (name, value) in PASTED {
        let home = tempfile::tempdir().unwrap();
        let settings = [ONE_API, &[(*name, *value)]].concat();
        for command in [&["status"][..], &["--yes", "PRIMARY"]] {
            let words = refused(home.path(), &settings, command);
            let (_, stderr) = words.split_once("--- stderr\n").unwrap();
            assert!(
                stderr.starts_with(&format!("error: {name} in the environment: ")),
                "{value}: {words}"
            );
            assert_eq!(stderr.lines().count(), 1, "{value}: {words}");
        }
    }
}

/// Where a file holds it, its place is named as well.
#[rstest]
#[case::env(
    ".config/vega/.env",
    "UPSTOX_CLIENT_SECRET_0='API_SECRET=CANARY12'\n",
    "UPSTOX_CLIENT_SECRET_0 in [home]/.config/vega/.env line 1: "
)]
#[case::file(
    "primary",
    "api_secret: CANARY12\n",
    "UPSTOX_CLIENT_SECRET_0_FILE in the environment (the file [home]/primary): "
)]
fn so_it_is_in_files(#[case] file: &str, #[case] text: &str, #[case] named: &str) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(file), text);
    let path = home.path().join(file).display().to_string();
    let mut settings: Vec<(&str, &str)> = ONE_API
        .iter()
        .copied()
        .filter(|(name, _)| *name != SECRET)
        .collect();
    if file == "primary" {
        settings.push(("UPSTOX_CLIENT_SECRET_0_FILE", &path));
    }
    let words = refused(home.path(), &settings, &["status"]);
    assert!(words.contains(&format!("error: {named}")), "{words}");
}

#[test]
fn secrets_and_ids_of_two_apps_in_each_others_place_are_seen() {
    let home = tempfile::tempdir().unwrap();
    let second = [
        ("UPSTOX_CLIENT_ID_0", "key-zero"),
        ("UPSTOX_CLIENT_ID_1", "key-one"),
        ("UPSTOX_CLIENT_SECRET_1", "key-zero"),
    ];
    let settings = [ONE_API, &second].concat();
    let words = refused(home.path(), &settings, &["status"]);
    assert!(
        words.contains("UPSTOX_CLIENT_ID_0") && words.contains("UPSTOX_CLIENT_SECRET_1"),
        "{words}"
    );
}

#[test]
fn a_file_with_the_secret_of_another_app_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("second");
    write(&file, "key-zero\n");
    let file = file.display().to_string();
    let second = [
        ("UPSTOX_CLIENT_ID_0", "key-zero"),
        ("UPSTOX_CLIENT_ID_1", "key-one"),
        ("UPSTOX_CLIENT_SECRET_1_FILE", &*file),
    ];
    let words = refused(home.path(), &[ONE_API, &second].concat(), &["status"]);
    let told = "UPSTOX_CLIENT_SECRET_1_FILE in the environment (the file [home]/second) have the same value";
    assert!(words.contains(told), "{words}");
}

/// As Upstox gives them out, and with what editors and tools put around.
#[test]
fn what_upstox_gives_out_is_taken() {
    for secret in [
        "1ab2cd3ef4",
        "\"1ab2cd3ef4\"",
        "\u{feff}1ab2cd3ef4\r\n",
        "s0mulated0",
    ] {
        let home = tempfile::tempdir().unwrap();
        let pair = [(ID, "11111111-2222-3333-4444-555555555555"), (SECRET, secret)];
        let words = said(home.path(), &[ONE_API, &pair].concat(), &["status"]);
        assert!(words.starts_with("exit 3\n"), "{secret}: {words}");
    }
}
