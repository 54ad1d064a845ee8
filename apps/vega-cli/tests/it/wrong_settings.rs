//! Values that their keys do not take, from each source: named with the key, the place, the value unless it may be
//! secret, and what is taken.

use rstest::rstest;

use crate::world::{ONE_API, refused, write};

#[rstest]
#[case::gap("gap", &[("UPSTOX_CLIENT_ID_2", "key-2"), ("UPSTOX_CLIENT_SECRET_2", "CANARY")])]
#[case::no_secret("no_secret", &[("UPSTOX_CLIENT_ID_1", "key-1")])]
#[case::secret_of_no_app("secret_of_no_app", &[("UPSTOX_CLIENT_SECRET_1", "CANARY")])]
#[case::name_of_no_app("name_of_no_app", &[("UPSTOX_API_NAME_1", "WEBSOCKET1")])]
#[case::no_number("no_number", &[("UPSTOX_CLIENT_ID_X", "key-1")])]
#[case::no_name("no_name", &[("UPSTOX_CLIENT_ID_0", ""), ("UPSTOX_CLIENT_SECRET_0", ""), ("UPSTOX_CLIENT_ID_1", "k"), ("UPSTOX_CLIENT_SECRET_1", "CANARY")])]
#[case::same_client_twice("same_client_twice", &[("UPSTOX_CLIENT_ID_1", "key-0"), ("UPSTOX_CLIENT_SECRET_1", "CANARY")])]
#[case::bad_redirect("bad_redirect", &[("UPSTOX_REDIRECT_URI", "localhost:28020/cb")])]
#[case::bad_mobile("bad_mobile", &[("UPSTOX_MOBILE_NUMBER", "+919000000001")])]
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
fn in_env(#[case] name: &str, #[case] line: &str) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".env"), format!("# mine\n{line}\n"));
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
    write(&home.path().join("vega.toml"), toml);
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::env("env_not_text", ".env")]
#[case::toml("toml_not_text", "vega.toml")]
fn a_file_that_is_no_text_is_named(#[case] name: &str, #[case] file: &str) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(file), b"UPSTOX_USER_ID=CANARY\xff\n");
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[test]
fn a_secrets_file_that_is_missing_is_named() {
    let home = tempfile::tempdir().unwrap();
    let text = "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\nUPSTOX_CLIENT_SECRET_0_FILE=secrets/primary\n";
    write(&home.path().join(".env"), text);
    insta::assert_snapshot!(refused(home.path(), &[], &["status"]));
}
