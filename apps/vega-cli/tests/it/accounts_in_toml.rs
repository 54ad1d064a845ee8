//! Accounts from `vega.toml`: right ones beside the one of the variables, and wrong ones with their place.

use std::path::Path;

use rstest::rstest;

use crate::world::{ONE_API, refused, said, sign_ins_are_open, write};

const TWO_ACCOUNTS: &str = r#"
[[accounts]]
name = "family"
mobile_number = "9000000002"
user_id = "CD5678"
redirect_uri = "https://desk.example/cb"

[[accounts.apis]]
name = "FAMILY1"
client_id = "key-f1"
client_secret_file = "[home]/secret"

[[accounts]]
name = "firm"
mobile_number = 9000000003

[[accounts.apis]]
name = "FIRM1"
client_id = "key-g1"
client_secret = "CANARY-secret"
"#;

/// Two accounts; the secret of one lies in this home.
pub(crate) fn two_accounts(home: &Path) -> String {
    TWO_ACCOUNTS.replace("[home]", &home.display().to_string())
}

#[test]
fn several_accounts_come_from_toml_beside_the_one_of_the_variables() {
    sign_ins_are_open();
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("secret"), "CANARY-file\n");
    write(
        &home.path().join(".config/vega/vega.toml"),
        two_accounts(home.path()),
    );
    insta::assert_snapshot!(said(home.path(), ONE_API, &["status"]));
}

/// An account `a` with what is given, and an app with what is given.
fn account(name: &str, mobile: &str, more: &str, api: &str) -> String {
    format!("[[accounts]]\nname = \"{name}\"\nmobile_number = {mobile}\n{more}\n[[accounts.apis]]\n{api}\n")
}

#[rstest]
#[case::mobile(
    "mobile",
    account(
        "a",
        "\"1\"",
        "",
        "name = \"A\"\nclient_id = \"key-a\"\nclient_secret = \"CANARY\""
    )
)]
#[case::no_name("no_name", "[[accounts]]\nmobile_number = \"9000000004\"\napis = [{ name = \"A\", client_id = \"key-k\", client_secret = \"CANARY\" }]".into())]
#[case::no_apis("no_apis", "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"".into())]
#[case::no_secret(
    "no_secret",
    account("a", "\"9000000004\"", "", "name = \"A\"\nclient_id = \"key-k\"")
)]
#[case::secret_in_a_list(
    "secret_in_a_list",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret = [\"CANARY\"]"
    )
)]
#[case::same_app(
    "same_app",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"key-0\"\nclient_secret = \"CANARY\""
    )
)]
#[case::same_name(
    "same_name",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"PRIMARY\"\nclient_id = \"key-k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::same_account(
    "same_account",
    account(
        "default",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::same_mobile(
    "same_mobile",
    account(
        "a",
        "\"9000000001\"",
        "",
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::two_secrets(
    "two_secrets",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret = \"CANARY\"\nclient_secret_file = \"/run/k\""
    )
)]
#[case::relative_secret_file(
    "relative_secret_file",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret_file = \"CANARY\""
    )
)]
#[case::redirect_with_a_password(
    "redirect_with_a_password",
    account(
        "a",
        "\"9000000004\"",
        "redirect_uri = \"http://me:CANARY@localhost/cb\"",
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::unknown_key(
    "unknown_account_key",
    account(
        "a",
        "\"9000000004\"",
        "pin = \"CANARY\"",
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::unknown_api_key(
    "unknown_api_key",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"key-k\"\nsecret = \"CANARY\""
    )
)]
#[case::unknown_route(
    "unknown_route",
    account(
        "a",
        "\"9000000004\"",
        "route = \"phone\"",
        "name = \"A\"\nclient_id = \"key-a\"\nclient_secret = \"CANARY\""
    )
)]
#[case::no_list("no_list", "[accounts]\nname = \"a\"".into())]
#[case::no_table("no_table", "accounts = [\"CANARY\"]".into())]
#[case::apis_are_names("apis_are_names", "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"\napis = \"A\"".into())]
fn a_wrong_account_is_named_with_its_place(#[case] name: &str, #[case] toml: String) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".config/vega/vega.toml"), toml);
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::missing("secret_file_missing", None)]
#[case::empty("secret_file_empty", Some(&b"\n"[..]))]
#[case::not_text("secret_file_not_text", Some(&b"CANARY\xff"[..]))]
fn a_secrets_file_that_gives_none_is_named(#[case] name: &str, #[case] content: Option<&[u8]>) {
    let home = tempfile::tempdir().unwrap();
    write(
        &home.path().join(".config/vega/vega.toml"),
        two_accounts(home.path()),
    );
    if let Some(content) = content {
        write(&home.path().join("secret"), content);
    }
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::alike("AB1234")]
#[case::in_small_letters("ab1234")]
fn two_accounts_of_one_person_are_one_login(#[case] user: &str) {
    let home = tempfile::tempdir().unwrap();
    let toml = account(
        "a",
        "9000000004",
        &format!("user_id = \"{user}\""),
        "name = \"A\"\nclient_id = \"key-k\"\nclient_secret = \"CANARY\"",
    );
    write(&home.path().join(".config/vega/vega.toml"), toml);
    let settings = [ONE_API, &[("UPSTOX_USER_ID", "AB1234")]].concat();
    let refused = refused(home.path(), &settings, &["status"]);
    insta::assert_snapshot!("same_user", refused);
}
