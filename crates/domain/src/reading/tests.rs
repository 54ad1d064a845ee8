//! What each kind of value makes of what humans, editors and container tools leave.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::ids::{AccountId, ApiName, ClientId, MobileNumber, UserId};
use crate::secret::ClientSecret;

#[rstest]
#[case::nothing_to_do("s3cret", "s3cret")]
#[case::blanks_around("  s3cret\t\r\n", "s3cret")]
#[case::notepad("\u{feff}s3cret\r\n", "s3cret")]
#[case::docker("\"s3cret\"", "s3cret")]
#[case::shell("'s3cret'", "s3cret")]
#[case::word_processor("“s3cret”", "s3cret")]
#[case::german("„s3cret“", "s3cret")]
#[case::french("« s3cret »", "s3cret")]
#[case::markdown("`s3cret`", "s3cret")]
#[case::quotes_in_quotes("\"'s3cret'\"", "s3cret")]
#[case::json_in_a_variable("\\\"s3cret\\\"", "s3cret")]
#[case::no_width("s3\u{200b}cr\u{2060}et\u{200d}", "s3cret")]
#[case::soft_hyphen("s3\u{ad}cret", "s3cret")]
#[case::no_break_space("\u{a0}s3cret\u{202f}", "s3cret")]
#[case::written_from_right_to_left("\u{202e}s3cret\u{202c}", "s3cret")]
#[case::only_quotes("\"\"", "")]
#[case::one_quote("\"", "\"")]
#[case::open_quote("\"s3cret", "\"s3cret")]
#[case::quotes_of_two_kinds("\"s3cret'", "\"s3cret'")]
#[case::quotes_inside("s3\"cret", "s3\"cret")]
fn what_cannot_belong_is_taken_off(#[case] text: &str, #[case] left: &str) {
    assert_eq!(tidied(text), left);
}

#[rstest]
#[case::plain("s3cret-of-app", Some("s3cret-of-app"))]
#[case::docker("\"s3cret-of-app\"", Some("s3cret-of-app"))]
#[case::notepad("\u{feff}s3cret-of-app\r\n", Some("s3cret-of-app"))]
#[case::signs_of_all_kinds("a$b&c=d+e/f==", Some("a$b&c=d+e/f=="))]
#[case::capitals_stay("S3cReT", Some("S3cReT"))]
#[case::empty("", None)]
#[case::only_quotes("''", None)]
#[case::two_words("CANARY secret", None)]
#[case::two_lines("CANARY\nsecret", None)]
#[case::open_quote("\"CANARY", None)]
#[case::closing_quote("CANARY”", None)]
#[case::cyrillic("CAN\u{410}RY", None)]
#[case::dash_of_a_word_processor("CANARY–1", None)]
#[case::control("CANARY\u{7}", None)]
#[case::nul("CANARY\0", None)]
#[case::masked("••••••••••", None)]
#[case::masked_with_stars("**********", None)]
#[case::crossed_out("xxxxxxxxxx", None)]
#[case::placeholder("<CANARY>", None)]
#[case::template("{{ CANARY }}", None)]
#[case::variable("$UPSTOX_SECRET", None)]
#[case::variable_in_braces("${UPSTOX_SECRET:-CANARY}", None)]
#[case::to_be_filled_in("your-client-secret", None)]
#[case::reference("op://vault/upstox/CANARY", None)]
#[case::with_its_name("UPSTOX_CLIENT_SECRET_0=CANARY", None)]
#[case::with_its_name_in_words("Client Secret: CANARY", None)]
#[case::pem("-----BEGIN-PRIVATE-KEY-----CANARY", None)]
#[case::as_upstox_calls_it("API_SECRET=CANARY", None)]
#[case::in_small_letters("api_secret=CANARY", None)]
#[case::in_one_word("apiSecret=CANARY", None)]
#[case::of_the_id("api_key: CANARY", None)]
#[case::by_one_word("secret=CANARY", None)]
#[case::by_one_word_in_capitals("SECRET:CANARY", None)]
#[case::with_an_export("export API_SECRET=CANARY", None)]
#[case::of_a_form("client_secret=CANARY", None)]
#[case::of_a_query("?client_secret=CANARY&code=1", None)]
#[case::json("{\"client_secret\":\"CANARY\"}", None)]
#[case::json_without_braces("\"client_secret\": \"CANARY\"", None)]
#[case::json_with_its_comma("\"CANARY1\",", None)]
#[case::yaml("- secret: CANARY", None)]
#[case::ruby(":secret=>CANARY", None)]
#[case::full_width("secret：CANARY", None)]
#[case::access_token("access_token=CANARY", None)]
#[case::of_another_shell("$env:API_SECRET=CANARY", None)]
#[case::basic("11111111-2222-3333-4444-555555555555:CANARY", None)]
#[case::the_id_behind_it("CANARY1@11111111-2222-3333-4444-555555555555", None)]
#[case::jwt("eyJCANARY.eyJCANARY.CANARY", None)]
#[case::one_time_password("123456", None)]
#[case::mobile_number("+919000000001", None)]
#[case::mail("CANARY@example.com", None)]
#[case::path("/run/secrets/CANARY", None)]
#[case::path_at_home("~/CANARY", None)]
#[case::windows_variable("%CANARY%", None)]
#[case::command("$(cat/run/CANARY)", None)]
#[case::cloud("arn:aws:secretsmanager:CANARY", None)]
#[case::partly_masked("****CANARY", None)]
#[case::cut_short("CANARY1...", None)]
#[case::in_brackets("[CANARY]", None)]
#[case::two_in_a_list("CANARY1,CANARY2", None)]
#[case::end_of_a_statement("CANARY1;", None)]
#[case::escaped("CANARY1\\n", None)]
#[case::null("null", None)]
#[case::the_name_of_the_key("UPSTOX_CLIENT_SECRET_0", None)]
#[case::the_name_alone("api_secret", None)]
#[case::torn("s3cr", None)]
#[case::one_sign("s", None)]
#[case::as_short_as_it_may_be("s3cret", Some("s3cret"))]
#[case::base64("YWJjZGVmaWQ=", Some("YWJjZGVmaWQ="))]
#[case::base64_that_ends_like_a_name("YWJjZGVmkey==", Some("YWJjZGVmkey=="))]
#[case::as_upstox_makes_them("1ab2cd3ef4", Some("1ab2cd3ef4"))]
#[case::uuid(
    "11111111-2222-3333-4444-555555555555",
    Some("11111111-2222-3333-4444-555555555555")
)]
fn a_client_secret_is_one_word_and_nothing_else(#[case] text: &str, #[case] read: Option<&str>) {
    let secret = ClientSecret::read(text);
    assert_eq!(secret.as_ref().map(ClientSecret::expose).ok(), read);
    if let Err(refused) = secret {
        let refused = refused.to_string();
        assert!(
            refused.starts_with("client secret ") && !refused.contains("CANARY"),
            "{refused}"
        );
    }
}

#[test]
fn a_long_secret_is_refused() {
    assert!(ClientSecret::read(&"ab".repeat(128)).is_ok());
    assert!(ClientSecret::read(&"ab".repeat(129)).is_err());
}

#[rstest]
#[case::uuid(
    "11111111-2222-3333-4444-555555555555",
    Some("11111111-2222-3333-4444-555555555555")
)]
#[case::as_an_older_app_has_it("key-0", Some("key-0"))]
#[case::of_four_signs("k123", Some("k123"))]
#[case::of_three_signs("k12", None)]
#[case::one_sign("k", None)]
#[case::as_upstox_calls_it("api_key: CANARY", None)]
#[case::of_a_query("?client_id=CANARY&response_type=code", None)]
#[case::of_a_list("CANARY,CANARY", None)]
#[case::with_its_secret("CANARY:s3cret", None)]
#[case::address("https://CANARY.example", None)]
#[case::token("eyJCANARY.eyJCANARY.CANARY", None)]
#[case::uuid_without_its_value("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", None)]
#[case::docker(
    "\"11111111-2222-3333-4444-555555555555\"",
    Some("11111111-2222-3333-4444-555555555555")
)]
#[case::capitals_stay("ABCD-ef", Some("ABCD-ef"))]
#[case::with_its_name("client_id=CANARY", None)]
#[case::two_words("CANARY key", None)]
#[case::masked("xxxxxxxx-xxxx", None)]
#[case::empty(" ", None)]
fn a_client_id_is_refused_only_where_it_cannot_be(#[case] text: &str, #[case] read: Option<&str>) {
    let id = ClientId::read(text);
    assert_eq!(id.as_ref().map(ClientId::as_str).ok(), read);
    if let Err(refused) = id {
        assert!(!refused.to_string().contains("CANARY"), "{refused}");
    }
}

#[rstest]
#[case("AB1234", Some("AB1234"))]
#[case("hx7788", Some("HX7788"))]
#[case(" \"Hx7788\" ", Some("HX7788"))]
#[case("\u{feff}hx7788\r\n", Some("HX7788"))]
#[case("123456", Some("123456"))]
#[case("", None)]
#[case("me@example.com", None)]
#[case("HX 7788", None)]
#[case("9000000001", None)]
#[case("НХ7788", None)]
#[case("A234567890123456789012", None)]
fn a_user_id_is_letters_and_digits_in_capitals(#[case] text: &str, #[case] read: Option<&str>) {
    assert_eq!(UserId::read(text).as_ref().map(UserId::as_str).ok(), read);
}

#[test]
fn user_ids_are_compared_without_case() {
    let (ours, upstoxs) = (UserId::new("hx7788").unwrap(), UserId::new("HX7788").unwrap());
    assert_eq!(ours, upstoxs);
    assert_ne!(ours, UserId::new("HX7789").unwrap());
    assert_eq!(ours.as_str(), "hx7788", "it is kept as it came");
}

#[rstest]
#[case("9000000001")]
#[case("+919000000001")]
#[case("+91 90000 00001")]
#[case("+91-90000-00001")]
#[case("+91 (0) 90000 00001")]
#[case("91 9000000001")]
#[case("0091 9000000001")]
#[case("09000000001")]
#[case("0 90000-00001")]
#[case("(90000) 00001")]
#[case("90000\u{2011}00001")]
#[case("\u{202a}+91 90000 00001\u{202c}")]
#[case("\"9000000001\"")]
#[case("tel:+919000000001")]
#[case("९००००००००१")]
#[case("９０００００００0１")]
fn a_mobile_number_is_read_however_it_is_written(#[case] text: &str) {
    assert_eq!(MobileNumber::read(text).unwrap().digits(), "9000000001");
}

#[rstest]
#[case::nine("900000001")]
#[case::eleven("90000000011")]
#[case::of_another_country("+1 900 000 0001")]
#[case::plus_without_code("+9000000001")]
#[case::of_a_house("01123456789")]
#[case::of_a_desk("2223456789")]
#[case::user_id("HX7788")]
#[case::from_a_table("9.0E+09")]
#[case::a_fraction("9000000001.0")]
#[case::two("9000000001, 9000000002")]
#[case::extension("9000000001x2")]
#[case::empty("")]
#[case::only_a_sign("+")]
fn what_is_no_mobile_number_of_india_is_refused_without_its_digits(#[case] text: &str) {
    let refused = MobileNumber::read(text).unwrap_err().to_string();
    assert!(!refused.contains("000"), "{refused}");
}

#[test]
fn names_are_read_in_either_case() {
    assert_eq!(ApiName::read(" primary ").unwrap().as_str(), "PRIMARY");
    assert_eq!(ApiName::read("\"WebSocket1\"").unwrap().as_str(), "WEBSOCKET1");
    assert_eq!(AccountId::read("“Family”").unwrap().as_str(), "family");
    assert!(ApiName::read("my api").is_err());
    assert!(AccountId::read("").is_err());
}

proptest! {
    #[test]
    fn reading_again_changes_nothing(text in ".{0,40}") {
        let once = tidied(&text);
        prop_assert_eq!(tidied(&once), once);
    }

    #[test]
    fn what_is_read_is_within_its_alphabet(text in ".{0,40}") {
        if let Ok(secret) = ClientSecret::read(&text) {
            prop_assert!(secret.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        }
        if let Ok(number) = MobileNumber::read(&text) {
            prop_assert!(number.digits().len() == 10);
        }
        if let Ok(user) = UserId::read(&text) {
            prop_assert!(user.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        }
    }

    #[test]
    fn wrapping_takes_nothing_from_a_value(value in "[a-z0-9]{4,12}x1", open in "[ \t\u{feff}\u{200b}]{0,3}") {
        for (before, after) in [("\"", "\""), ("'", "'"), ("“", "”"), ("‘", "’"), ("", "\r\n")] {
            let text = format!("{open}{before}{value}{after}{open}");
            let read = ClientSecret::read(&text).unwrap();
            prop_assert_eq!(read.expose(), value.as_str());
        }
    }
}
