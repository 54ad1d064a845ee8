//! Accounts from `vega.toml`: right ones beside the one of the variables, and wrong ones with their place.

use rstest::rstest;

use crate::world::{ONE_API, refused, said, write};

pub(crate) const TWO_ACCOUNTS: &str = r#"
[[accounts]]
name = "family"
mobile_number = "9000000002"
user_id = "CD5678"
redirect_uri = "https://desk.example/cb"

[[accounts.apis]]
name = "FAMILY1"
client_id = "key-f1"
client_secret_file = "secret"

[[accounts]]
name = "firm"
mobile_number = 9000000003

[[accounts.apis]]
name = "FIRM1"
client_id = "key-g1"
client_secret = "CANARY-secret"
"#;

#[test]
fn several_accounts_come_from_toml_beside_the_one_of_the_variables() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("secret"), "CANARY-file\n");
    write(&home.path().join("vega.toml"), TWO_ACCOUNTS);
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
        "name = \"A\"\nclient_id = \"a\"\nclient_secret = \"CANARY\""
    )
)]
#[case::no_name("no_name", "[[accounts]]\nmobile_number = \"9000000004\"\napis = [{ name = \"A\", client_id = \"k\", client_secret = \"CANARY\" }]".into())]
#[case::no_apis("no_apis", "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"".into())]
#[case::no_secret(
    "no_secret",
    account("a", "\"9000000004\"", "", "name = \"A\"\nclient_id = \"k\"")
)]
#[case::secret_in_a_list(
    "secret_in_a_list",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"k\"\nclient_secret = [\"CANARY\"]"
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
        "name = \"PRIMARY\"\nclient_id = \"k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::same_account(
    "same_account",
    account(
        "default",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::unknown_key(
    "unknown_account_key",
    account(
        "a",
        "\"9000000004\"",
        "pin = \"CANARY\"",
        "name = \"A\"\nclient_id = \"k\"\nclient_secret = \"CANARY\""
    )
)]
#[case::unknown_api_key(
    "unknown_api_key",
    account(
        "a",
        "\"9000000004\"",
        "",
        "name = \"A\"\nclient_id = \"k\"\nsecret = \"CANARY\""
    )
)]
#[case::no_list("no_list", "[accounts]\nname = \"a\"".into())]
#[case::no_table("no_table", "accounts = [\"CANARY\"]".into())]
#[case::apis_are_names("apis_are_names", "[[accounts]]\nname = \"a\"\nmobile_number = \"9000000004\"\napis = \"A\"".into())]
fn a_wrong_account_is_named_with_its_place(#[case] name: &str, #[case] toml: String) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("vega.toml"), toml);
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}

#[rstest]
#[case::missing("secret_file_missing", None)]
#[case::empty("secret_file_empty", Some(&b"\n"[..]))]
#[case::not_text("secret_file_not_text", Some(&b"CANARY\xff"[..]))]
fn a_secrets_file_that_gives_none_is_named(#[case] name: &str, #[case] content: Option<&[u8]>) {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("vega.toml"), TWO_ACCOUNTS);
    if let Some(content) = content {
        write(&home.path().join("secret"), content);
    }
    insta::assert_snapshot!(name, refused(home.path(), ONE_API, &["status"]));
}
