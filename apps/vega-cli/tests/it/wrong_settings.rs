//! Values that their keys do not take, from each source: named with the key, the place, the value unless it may be
//! secret, and what is taken.

use rstest::rstest;

use crate::world::{ONE_API, refused, said, write};

#[rstest]
#[case::gap("gap", &[("UPSTOX_CLIENT_ID_2", "key-2"), ("UPSTOX_CLIENT_SECRET_2", "CANARY")])]
#[case::no_secret("no_secret", &[("UPSTOX_CLIENT_ID_1", "key-1")])]
#[case::secret_of_no_app("secret_of_no_app", &[("UPSTOX_CLIENT_SECRET_1", "CANARY")])]
#[case::name_of_no_app("name_of_no_app", &[("UPSTOX_API_NAME_1", "WEBSOCKET1")])]
#[case::no_number("no_number", &[("UPSTOX_CLIENT_ID_X", "key-1")])]
#[case::no_name("no_name", &[("UPSTOX_CLIENT_ID_0", ""), ("UPSTOX_CLIENT_SECRET_0", ""), ("UPSTOX_CLIENT_ID_1", "k"), ("UPSTOX_CLIENT_SECRET_1", "CANARY")])]
#[case::same_client_twice("same_client_twice", &[("UPSTOX_CLIENT_ID_1", "key-0"), ("UPSTOX_CLIENT_SECRET_1", "CANARY")])]
#[case::bad_redirect("bad_redirect", &[("UPSTOX_REDIRECT_URI", "localhost:28020/cb")])]
#[case::bad_mobile("bad_mobile", &[("UPSTOX_MOBILE_NUMBER", "+19000000001")])]
#[case::bad_duration("bad_duration", &[("VEGA__SIGN_IN__OTP_WINDOW", "11 parsecs")])]
#[case::no_unit("no_unit", &[("VEGA__SIGN_IN__HUMAN_TIMEOUT", "11")])]
#[case::endless_duration("endless_duration", &[("VEGA__SIGN_IN__OTP_WINDOW", "300000 years")])]
#[case::no_time("no_time", &[("VEGA__VERIFICATION__TIMEOUT", "0s")])]
#[case::bad_bool("bad_bool", &[("VEGA__BROWSER__HEADLESS", "ture")])]
#[case::bad_number("bad_number", &[("VEGA__SIGN_IN__OTP_BUDGET", "four")])]
#[case::zero("zero", &[("VEGA__VERIFICATION__PARALLEL", "0")])]
#[case::bad_address("bad_address", &[("VEGA__SERVER__LISTEN", "localhost:28020")])]
#[case::bad_url("bad_url", &[("VEGA__UPSTOX__API_BASE_URL", "api.upstox.com")])]
#[case::relative_database("relative_database", &[("VEGA__DATABASE__URL", "sqlite://vega.db")])]
#[case::other_database("other_database", &[("VEGA__DATABASE__URL", "postgres://vega:CANARY@localhost/vega")])]
#[case::database_with_a_password("database_with_a_password", &[("VEGA__DATABASE__URL", "postgres://localhost/vega?password=CANARY")])]
#[case::redirect_with_a_password("redirect_with_a_password", &[("UPSTOX_REDIRECT_URI", "http://me:CANARY@localhost/cb")])]
#[case::api_with_a_query("api_with_a_query", &[("VEGA__UPSTOX__API_BASE_URL", "https://api.upstox.com/?key=CANARY")])]
#[case::api_with_a_password("api_with_a_password", &[("VEGA__UPSTOX__API_BASE_URL", "https://me:CANARY@api.upstox.com")])]
#[case::webdriver_with_a_password("webdriver_with_a_password", &[("VEGA__BROWSER__WEBDRIVER_URL", "http://me:CANARY@127.0.0.1:9515")])]
#[case::webdriver_elsewhere("webdriver_elsewhere", &[("VEGA__BROWSER__WEBDRIVER_URL", "http://10.0.0.7:9515")])]
#[case::api_in_the_clear("api_in_the_clear", &[("VEGA__UPSTOX__API_BASE_URL", "http://api.upstox.com")])]
#[case::host_forgotten("host_forgotten", &[("VEGA__DATABASE__URL", "postgres://vega:CANARY/db")])]
#[case::database_in_words("database_in_words", &[("VEGA__DATABASE__URL", "host=db user=vega password=CANARY")])]
#[case::two_words_for_a_secret("two_words_for_a_secret", &[("UPSTOX_CLIENT_SECRET_0", "CANARY secret")])]
#[case::open_quote("open_quote", &[("UPSTOX_CLIENT_SECRET_0", "\"CANARY")])]
#[case::masked_secret("masked_secret", &[("UPSTOX_CLIENT_SECRET_0", "**********")])]
#[case::secret_with_its_name("secret_with_its_name", &[("UPSTOX_CLIENT_SECRET_0", "UPSTOX_CLIENT_SECRET_0=CANARY")])]
#[case::secret_is_the_id("secret_is_the_id", &[("UPSTOX_CLIENT_ID_0", "key-of-0"), ("UPSTOX_CLIENT_SECRET_0", "key-of-0")])]
#[case::id_is_the_user("id_is_the_user", &[("UPSTOX_USER_ID", "hx7788"), ("UPSTOX_CLIENT_ID_0", "HX7788")])]
#[case::id_is_the_mobile_number("id_is_the_mobile_number", &[("UPSTOX_CLIENT_ID_0", "9000000001")])]
#[case::user_is_an_email("user_is_an_email", &[("UPSTOX_USER_ID", "me@example.com")])]
#[case::redirect_with_a_code("redirect_with_a_code", &[("UPSTOX_REDIRECT_URI", "http://localhost:28020/cb?code=CANARY&state=CANARY")])]
#[case::relative_config_dir("relative_config_dir", &[("VEGA__CONFIG_DIR", "config")])]
#[case::no_config_dir("no_config_dir", &[("VEGA__CONFIG_DIR", "/nowhere/vega")])]
#[case::no_env_file("no_env_file", &[("VEGA__ENV_FILE", "/nowhere.env")])]
#[case::relative_key_file("relative_key_file", &[("VEGA__KEY_FILE", "vega.key")])]
#[case::tilde("tilde", &[("VEGA__KEY_FILE", "~/vega.key")])]
#[case::relative_binary("relative_binary", &[("VEGA__BROWSER__BINARY", "chromium")])]
#[case::relative_driver("relative_driver", &[("VEGA__BROWSER__CHROMEDRIVER", "./chromedriver")])]
#[case::leading_zero("leading_zero", &[("UPSTOX_CLIENT_ID_01", "key-1"), ("UPSTOX_CLIENT_SECRET_01", "CANARY")])]
#[case::two_zeros("two_zeros", &[("UPSTOX_CLIENT_ID_00", "key-1")])]
#[case::plus("plus", &[("UPSTOX_CLIENT_ID_+1", "key-1")])]
#[case::secret_with_a_leading_zero("secret_with_a_leading_zero", &[("UPSTOX_CLIENT_SECRET_00", "CANARY")])]
#[case::name_of_no_number("name_of_no_number", &[("UPSTOX_API_NAME_0_FILE", "/x")])]
#[case::two_secrets("two_secrets", &[("UPSTOX_CLIENT_SECRET_0_FILE", "/run/secrets/CANARY")])]
fn in_the_environment(#[case] name: &str, #[case] wrong: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let settings = [ONE_API, wrong].concat();
    insta::assert_snapshot!(name, refused(home.path(), &settings, &["status"]));
}

#[rstest]
#[case::duration("env_duration", "VEGA__SIGN_IN__OTP_WINDOW=11")]
#[case::bool("env_bool", "VEGA__BROWSER__HEADLESS=maybe")]
#[case::number("env_number", "VEGA__SIGN_IN__OTP_BUDGET=4.5")]
#[case::a_bad_line("env_line", "UPSTOX_CLIENT_SECRET_0=abc CANARY")]
#[case::dollar("env_dollar", "UPSTOX_CLIENT_SECRET_0=CAN$ARY-x")]
#[case::dollar_in_quotes("env_dollar_in_quotes", "UPSTOX_CLIENT_SECRET_0=\"p${HOME}q\"")]
#[case::dollar_after_quotes("env_dollar_after_quotes", "UPSTOX_CLIENT_SECRET_0='a'$HOME")]
#[case::dollar_of_a_setting("env_dollar_of_a_setting", "VEGA__KEY_FILE=$HOME/vega.key")]
#[case::open_quote(
    "env_open_quote",
    "UPSTOX_CLIENT_SECRET_0=\"CANARY\nUPSTOX_USER_ID=AB1234\nFOO=\"b\""
)]
#[case::open_single_quote("env_open_single_quote", "UPSTOX_CLIENT_SECRET_0='CANARY")]
#[case::backslash_at_the_end("env_backslash_at_the_end", "UPSTOX_CLIENT_SECRET_0=CANARY\\")]
#[case::line_break("env_line_break", "UPSTOX_CLIENT_SECRET_0=\"CAN\\nARY\"")]
#[case::no_name("env_no_name", "=\"CANARY")]
#[case::twice(
    "env_twice",
    "UPSTOX_CLIENT_SECRET_0=CANARY\nFOO=b\nUPSTOX_CLIENT_SECRET_0=CANARY-2"
)]
#[case::two_secrets(
    "env_two_secrets",
    "UPSTOX_CLIENT_SECRET_0=CANARY\nUPSTOX_CLIENT_SECRET_0_FILE=/run/secrets/CANARY"
)]
#[case::says_where_it_is("env_says_where_it_is", "VEGA__CONFIG_DIR=/elsewhere")]
#[case::relative_path("env_relative_path", "VEGA__KEY_FILE=keys/vega.key")]
fn in_env(#[case] name: &str, #[case] line: &str) {
    let home = tempfile::tempdir().unwrap();
    write(
        &home.path().join(".config/vega/.env"),
        format!("# mine\n{line}\n"),
    );
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::duration("toml_duration", "[sign_in]\nhuman_timeout = \"5 m\"\notp_window = 11")]
#[case::bool("toml_bool", "[browser]\nheadless = \"maybe\"")]
#[case::number("toml_number", "[sign_in]\notp_budget = \"many\"")]
#[case::fraction("toml_fraction", "[sign_in]\notp_budget = 1.5")]
#[case::list("toml_list", "key_file = [\"a\", \"b\"]")]
#[case::section("toml_section_for_a_value", "[key_file]\nname = \"CANARY\"")]
#[case::value("toml_value_for_a_section", "browser = \"CANARY\"")]
#[case::not_toml("toml_not_toml", "[browser]\nclient_secret = \"CANARY\n")]
#[case::twice("toml_twice", "[browser]\nheadless = true\nheadless = false")]
#[case::section_twice(
    "toml_section_twice",
    "[browser]\nheadless = true\n[browser]\nbinary = \"CANARY\""
)]
fn in_toml(#[case] name: &str, #[case] toml: &str) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".config/vega/vega.toml"), toml);
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::env("env_not_text", ".env")]
#[case::toml("toml_not_text", "vega.toml")]
fn a_file_that_is_no_text_is_named(#[case] name: &str, #[case] file: &str) {
    let home = tempfile::tempdir().unwrap();
    write(
        &home.path().join(".config/vega").join(file),
        b"UPSTOX_USER_ID=CANARY\xff\n",
    );
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

/// A name with what stands in its place.
#[rstest]
#[case::env(".env")]
#[case::toml("vega.toml")]
fn what_is_no_file_is_not_passed_over(#[case] file: &str) {
    use std::os::unix::fs::symlink;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(".config/vega").join(file);
    std::fs::create_dir_all(home.path().join(".config/vega")).unwrap();
    let said = |what: &str| {
        let said = said(home.path(), ONE_API, &["status"]);
        insta::assert_snapshot!(format!("{what}_as_{}", file.trim_start_matches('.')), said);
    };
    std::fs::create_dir(&path).unwrap();
    said("folder");
    std::fs::remove_dir(&path).unwrap();
    symlink("/nowhere/at/all", &path).unwrap();
    said("dangling");
    std::fs::remove_file(&path).unwrap();
    symlink(file, &path).unwrap();
    said("loop");
}

#[test]
fn a_config_folder_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".config/vega"), "");
    insta::assert_snapshot!(refused(home.path(), ONE_API, &["status"]));
}

/// The secret itself may stand where its file belongs.
#[test]
fn a_secrets_file_with_a_relative_path_is_refused_without_it() {
    let home = tempfile::tempdir().unwrap();
    let text =
        "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\nUPSTOX_CLIENT_SECRET_0_FILE=CANARY\n";
    write(&home.path().join(".config/vega/.env"), text);
    insta::assert_snapshot!(refused(home.path(), &[], &["status"]));
}

#[test]
fn a_secrets_file_that_is_missing_is_named() {
    let home = tempfile::tempdir().unwrap();
    let text = "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\nUPSTOX_CLIENT_SECRET_0_FILE=/nowhere/primary\n";
    write(&home.path().join(".config/vega/.env"), text);
    insta::assert_snapshot!(refused(home.path(), &[], &["status"]));
}

/// What stands in the place of a secret's file, and what is said of it.
#[test]
fn a_secrets_file_that_gives_none_is_told_with_what_is_wrong_and_where() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    let settings = [
        ("UPSTOX_MOBILE_NUMBER", "9000000001"),
        ("UPSTOX_CLIENT_ID_0", "key-0"),
        ("UPSTOX_CLIENT_SECRET_0_FILE", secret.to_str().unwrap()),
    ];
    let mut told = Vec::new();
    for (what, content) in [
        ("empty", &b"\r\n"[..]),
        ("only a mark", b"\xef\xbb\xbf"),
        ("two lines", b"CANARY\nCANARY\n"),
        ("not UTF-8", b"CANARY\n\xff"),
        ("UTF-16 without its mark", b"C\0A\0"),
        ("with its name", b"client_secret: CANARY"),
        ("too large", &[b'x'; 5000]),
    ] {
        write(&secret, content);
        let refused = refused(home.path(), &settings, &["status"]);
        told.push(format!("{what}: {}", refused.lines().last().unwrap()));
    }
    std::fs::remove_file(&secret).unwrap();
    std::fs::create_dir(&secret).unwrap();
    let refused = said(home.path(), &settings, &["status"]);
    told.push(format!("a folder: {}", refused.lines().last().unwrap()));
    insta::assert_snapshot!(told.join("\n"));
}

/// As notepad, docker and others leave it.
#[rstest]
#[case::notepad(b"\xef\xbb\xbfs3cret-of-app\r")]
#[case::docker(b"\"s3cret-of-app\"")]
#[case::word_processor("\u{201c}s3cret-of-app\u{201d}\n".as_bytes())]
#[case::utf16(b"\xff\xfes\x003\0c\0r\0e\0t\0\r\0\n\0")]
fn a_secrets_file_is_read_whoever_saved_it(#[case] content: &[u8]) {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    write(&secret, content);
    let settings = [
        ("UPSTOX_MOBILE_NUMBER", "+91 90000-00001"),
        ("UPSTOX_USER_ID", "'hx7788'"),
        ("UPSTOX_CLIENT_ID_0", "\"key-0\""),
        ("UPSTOX_CLIENT_SECRET_0_FILE", secret.to_str().unwrap()),
    ];
    let said = said(home.path(), &settings, &["config"]);
    assert!(said.starts_with("exit 0") && said.contains("HX7788"), "{said}");
    assert!(said.contains(" key-0 ") && said.contains("******0001"), "{said}");
}
