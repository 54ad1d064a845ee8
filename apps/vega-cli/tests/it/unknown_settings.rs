//! Keys that Vega does not know: in a file they are a mistake that nobody would notice, in the environment they may be
//! meant for another program.

use rstest::rstest;

use crate::world::{ONE_API, refused, said, write};

#[rstest]
#[case::a_key("env_key", "VEGA__BROWSER__HEDLESS=CANARY")]
#[case::a_section("env_section", "VEGA__BROWSR__HEADLESS=CANARY")]
#[case::no_section("env_no_section", "VEGA__OTP_BUDGET=3")]
#[case::nothing_alike("env_nothing_alike", "VEGA__FROBNICATE__IT=CANARY")]
#[case::small_letters("env_small_letters", "VEGA__browser__headless=true")]
#[case::accounts("env_accounts", "VEGA__ACCOUNTS=CANARY")]
#[case::empty("env_empty", "VEGA__KEYFILE=")]
#[case::all_small("env_all_small", "vega__browser__headless=true")]
#[case::one_underscore("env_one_underscore", "VEGA_BROWSER_HEADLESS=true")]
#[case::one_underscore_in_between("env_one_underscore_in_between", "VEGA__SIGN__IN__OTP_BUDGET=3")]
#[case::one_underscore_and_wrong("env_one_underscore_and_wrong", "VEGA_HEDLESS=CANARY")]
#[case::upstox_small("env_upstox_small", "upstox_user_id=CANARY")]
#[case::upstox_mixed("env_upstox_mixed", "Upstox_Client_Secret_0=CANARY")]
fn in_env_it_is_named_with_its_file(#[case] name: &str, #[case] line: &str) {
    let home = tempfile::tempdir().unwrap();
    write(
        &home.path().join(".config/vega/.env"),
        format!("# mine\n{line}\n"),
    );
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::a_key("toml_key", "[browser]\nheadless = true\nhedless = \"CANARY\"")]
#[case::a_dotted_key("toml_dotted_key", "browser.hedless = true")]
#[case::a_quoted_key("toml_quoted_key", "\"browser.headless\" = true")]
#[case::a_section(
    "toml_section",
    "[sign_in]\notp_budget = 3\n[browsr]\nclient_secret = \"CANARY\""
)]
#[case::no_section("toml_no_section", "headless = true")]
#[case::a_key_in_a_section("toml_key_file_in_a_section", "[database]\nkey_file = \"vega.key\"")]
#[case::small_and_capital("toml_capital", "[Browser]\nheadless = true")]
fn in_toml_it_is_named_with_its_line(#[case] name: &str, #[case] toml: &str) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".config/vega/vega.toml"), toml);
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[test]
fn in_the_environment_it_is_not_read() {
    let home = tempfile::tempdir().unwrap();
    let settings = [
        ONE_API,
        &[
            ("VEGA__BROWSER__HEDLESS", "CANARY"),
            ("VEGA__browser__headless", "nonsense"),
            ("VEGA__ACCOUNTS", "CANARY"),
        ],
    ]
    .concat();
    let said = said(home.path(), &settings, &["config"]);
    assert!(
        said.starts_with("exit 0") && said.ends_with("--- stderr\n"),
        "{said}"
    );
    assert!(!said.to_lowercase().contains("hedless"), "{said}");
}
