//! `ProfileApi` over HTTP.

use std::time::Duration;

use rstest::rstest;
use url::Url;
use vega_domain::broker_code::BROKER_CODES;
use vega_domain::failure::FailureReason;
use vega_domain::ids::UserId;
use vega_domain::ports::{ProfileAnswer, ProfileApi};
use vega_domain::secret::AccessToken;
use vega_upstox::{HttpClient, ProfileVerifier};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::broken_server;

const TIMEOUT: Duration = Duration::from_secs(20);

async fn ask(template: ResponseTemplate) -> ProfileAnswer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v2/user/profile"))
        .and(header("authorization", "Bearer CANARY"))
        .respond_with(template)
        .expect(1)
        .mount(&server)
        .await;
    let verifier = ProfileVerifier::new(
        &HttpClient::new().unwrap(),
        &Url::parse(&server.uri()).unwrap(),
        TIMEOUT,
    )
    .unwrap();
    verifier.profile(&AccessToken::new("CANARY")).await
}

const DEAD: &str = r#"{"status":"error","errors":[{"errorCode":"UDAPI100050","message":"Invalid token used to access API"}]}"#;

#[tokio::test]
async fn a_profile_means_valid_and_names_the_user() {
    let body = r#"{"status":"success","data":{"user_id":"AB1234","exchanges":["NSE"],"poa":null}}"#;
    let answer = ask(ResponseTemplate::new(200).set_body_string(body)).await;
    assert_eq!(answer, ProfileAnswer::Valid(UserId::new("AB1234").unwrap()));
}

fn error_body(codes: &[&str]) -> String {
    let errors: Vec<String> = codes
        .iter()
        .map(|code| format!(r#"{{"errorCode":"{code}","error_code":"{code}","message":"m"}}"#))
        .collect();
    format!(r#"{{"status":"error","errors":[{}]}}"#, errors.join(","))
}

/// Every code that Vega knows and some that it does not, under each status that would tempt to call the token dead.
#[tokio::test]
async fn only_one_code_under_one_status_means_invalid() {
    const UNKNOWN: [&str; 4] = ["UDAPI999999", "UDAPI1150", "UDAPI100051", ""];
    let known = BROKER_CODES.iter().map(|known| (known.code, Some(known.reason)));
    for (code, known) in known.chain(UNKNOWN.map(|code| (code, None))) {
        for status in [401, 403] {
            let template = ResponseTemplate::new(status).set_body_string(error_body(&[code]));
            match (ask(template).await, known) {
                (ProfileAnswer::Invalid, _) => assert_eq!((code, status), ("UDAPI100050", 401)),
                (ProfileAnswer::Unknown(failure), Some(reason)) if reason != FailureReason::TokenRejected => {
                    assert_eq!(failure.reason, reason, "{code} under {status}");
                }
                (ProfileAnswer::Unknown(failure), _) => {
                    assert_ne!((code, status), ("UDAPI100050", 401));
                    assert_eq!(
                        failure.reason,
                        FailureReason::UnclearRefusal,
                        "{code} under {status}"
                    );
                }
                (ProfileAnswer::Valid(_), _) => panic!("{code} under {status} is no profile"),
            }
        }
    }
}

/// What Upstox was reported to answer outside the registered static IP, with a plan too small, and so on.
#[rstest]
#[case("UDAPI1221", FailureReason::StaticIp, "register this one")]
#[case("UDAPI1149", FailureReason::PlanRequired, "Plus plan")]
#[case("UDAPI1161", FailureReason::SegmentClosed, "segment")]
#[case("UDAPI100067", FailureReason::WrongTokenKind, "only read")]
#[tokio::test]
async fn a_refusal_for_another_cause_says_what_to_do(
    #[case] code: &str,
    #[case] reason: FailureReason,
    #[case] advice: &str,
) {
    // A death beside it changes nothing, in whichever order they stand.
    for codes in [
        &[code][..],
        &[code, "UDAPI100050"],
        &["UDAPI100050", code],
        &["UDAPI999999", code],
    ] {
        let answer = ask(ResponseTemplate::new(401).set_body_string(error_body(codes))).await;
        let ProfileAnswer::Unknown(failure) = answer else {
            panic!("{codes:?}: {answer:?}")
        };
        assert_eq!(failure.reason, reason, "{codes:?}");
        assert!(
            failure.reason.advice().contains(advice),
            "{}",
            failure.reason.advice()
        );
        assert!(failure.detail.contains(code), "{}", failure.detail);
    }
}

#[rstest]
#[case::dead(401, DEAD)]
#[case::said_twice(
    401,
    r#"{"errors":[{"error_code":"UDAPI100050"},{"errorCode":"UDAPI100050"}]}"#
)]
#[tokio::test]
async fn upstoxs_own_word_that_the_token_is_dead_means_invalid(#[case] status: u16, #[case] body: &str) {
    assert_eq!(
        ask(ResponseTemplate::new(status).set_body_string(body)).await,
        ProfileAnswer::Invalid
    );
}

#[rstest]
#[case::forbidden(403, DEAD, FailureReason::UnclearRefusal)]
#[case::bad_request(400, DEAD, FailureReason::UnclearRefusal)]
#[case::under_200(200, DEAD, FailureReason::UnclearRefusal)]
#[case::fault_of_the_broker(500, DEAD, FailureReason::UnclearRefusal)]
#[case::beside_an_unknown_code(
    401,
    r#"{"errors":[{"error_code":"UDAPI100050"},{"error_code":"UDAPI7"}]}"#,
    FailureReason::UnclearRefusal
)]
#[case::beside_no_code(
    401,
    r#"{"errors":[{"error_code":"UDAPI100050"},{"message":"m"}]}"#,
    FailureReason::UnclearRefusal
)]
#[case::two_spellings_that_differ(
    401,
    r#"{"errors":[{"error_code":"UDAPI100050","errorCode":"UDAPI1221"}]}"#,
    FailureReason::StaticIp
)]
#[case::throttled_and_dead(
    401,
    r#"{"errors":[{"error_code":"UDAPI100050"},{"error_code":"UDAPI10005"}]}"#,
    FailureReason::Throttled
)]
#[case::a_profile_in_an_error(
    200,
    r#"{"status":"error","data":{"user_id":"AB1234"}}"#,
    FailureReason::BrokerDown
)]
#[tokio::test]
async fn a_death_that_something_contradicts_is_none(
    #[case] status: u16,
    #[case] body: &str,
    #[case] reason: FailureReason,
) {
    let answer = ask(ResponseTemplate::new(status).set_body_string(body)).await;
    let ProfileAnswer::Unknown(failure) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(failure.reason, reason, "{failure:?}");
}

#[tokio::test]
async fn a_death_that_was_cut_off_is_none() {
    let body = format!("{DEAD}{}", " ".repeat(300 * 1024));
    let answer = ask(ResponseTemplate::new(401).set_body_string(body)).await;
    assert!(matches!(answer, ProfileAnswer::Unknown(_)), "{answer:?}");
}

#[rstest]
#[case::proxy_401(401, "<html>who are you</html>", FailureReason::ForeignAnswer)]
#[case::empty_401(401, "", FailureReason::ForeignAnswer)]
#[case::service_hours(423, "", FailureReason::ServiceHours)]
#[case::throttled(429, "", FailureReason::Throttled)]
#[case::cloudflare(403, "<!DOCTYPE html>", FailureReason::Blocked)]
#[case::cloudflare_text(403, "error code: 1010", FailureReason::Blocked)]
#[case::bad_gateway(502, "<html>", FailureReason::BrokerDown)]
#[case::wrong_path(
    404,
    r#"{"errors":[{"errorCode":"UDAPI100060","message":"m"}]}"#,
    FailureReason::EndpointUnknown
)]
#[case::no_profile(200, r#"{"status":"success","data":null}"#, FailureReason::BrokerDown)]
#[case::two_users(200, r#"{"data":{"user_id":"A","user_id":"B"}}"#, FailureReason::BrokerDown)]
#[case::not_json(200, "hello", FailureReason::ForeignAnswer)]
#[case::captive_portal(200, "<html>Welcome to the hotel</html>", FailureReason::ForeignAnswer)]
#[case::captive_portal_by_its_status(511, "<html>", FailureReason::ForeignAnswer)]
#[case::not_found(404, "<html>nginx</html>", FailureReason::ForeignAnswer)]
#[case::proxy_wants_a_name(407, "<html>", FailureReason::Proxy)]
#[case::cloudflares_own_trouble(522, "error code: 522", FailureReason::BrokerDown)]
#[case::nothing_at_all(204, "", FailureReason::ForeignAnswer)]
#[case::text_for_throttled(429, "slow down", FailureReason::Throttled)]
#[case::redirect_is_not_followed(302, "", FailureReason::ForeignAnswer)]
#[tokio::test]
async fn everything_else_is_unknown(#[case] status: u16, #[case] body: &str, #[case] reason: FailureReason) {
    let template = ResponseTemplate::new(status)
        .insert_header("location", "/elsewhere")
        .set_body_string(body);
    let answer = ask(template).await;
    let ProfileAnswer::Unknown(failure) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(failure.reason, reason, "{failure:?}");
}

#[tokio::test]
async fn a_huge_profile_is_not_read_to_its_end() {
    let body = format!(
        r#"{{"data":{{"user_id":"AB1234"}},"x":"{}"}}"#,
        "y".repeat(300 * 1024)
    );
    let answer = ask(ResponseTemplate::new(200).set_body_string(body)).await;
    assert!(matches!(answer, ProfileAnswer::Unknown(_)), "{answer:?}");
}

#[tokio::test]
async fn an_unreachable_upstox_is_unknown_and_the_token_stays_out_of_the_words() {
    let (hanging_up, _) = broken_server::hanging_up("").await;
    for base in [broken_server::nobody().await, hanging_up] {
        let verifier = ProfileVerifier::new(&HttpClient::new().unwrap(), &base, TIMEOUT).unwrap();
        let answer = verifier.profile(&AccessToken::new("CANARY")).await;
        assert!(
            matches!(&answer, ProfileAnswer::Unknown(failure) if failure.reason == FailureReason::Network),
            "{answer:?}"
        );
        assert!(!format!("{answer:?}").contains("CANARY"));
    }
}

/// Who answered in Upstox's place is told, as far as the answer says.
#[rstest]
#[case::squid(
    403,
    "squid/6.1",
    "<html>",
    "",
    FailureReason::ForeignAnswer,
    "HTTP 403 from squid/6.1 with a web page"
)]
#[case::nginx(
    502,
    "nginx",
    "<html>",
    "",
    FailureReason::BrokerDown,
    "HTTP 502 from nginx with a web page"
)]
#[case::cloudflare(
    403,
    "cloudflare",
    "<html>",
    "",
    FailureReason::Blocked,
    "HTTP 403 with a web page of Cloudflare's"
)]
#[case::portal(
    302,
    "",
    "",
    "http://portal.example/login?token=x",
    FailureReason::ForeignAnswer,
    "HTTP 302 that leads to portal.example with no answer of Upstox's"
)]
#[case::router(
    200,
    "RouterOS",
    "<html>",
    "",
    FailureReason::ForeignAnswer,
    "HTTP 200 from RouterOS with a web page"
)]
#[tokio::test]
async fn who_answered_instead_is_told(
    #[case] status: u16,
    #[case] server: &str,
    #[case] body: &str,
    #[case] location: &str,
    #[case] reason: FailureReason,
    #[case] words: &str,
) {
    let template = ResponseTemplate::new(status)
        .insert_header("server", server)
        .insert_header("location", location)
        .set_body_string(body);
    let ProfileAnswer::Unknown(failure) = ask(template).await else {
        panic!("{status}")
    };
    assert_eq!((failure.reason, failure.detail.as_str()), (reason, words));
}
