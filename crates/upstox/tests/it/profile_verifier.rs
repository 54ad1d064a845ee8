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

/// Every code that Vega knows, with the 401 that would tempt to call the token dead.
#[tokio::test]
async fn only_codes_about_the_token_mean_invalid() {
    for known in BROKER_CODES {
        let body = format!(
            r#"{{"errors":[{{"error_code":"{}","message":"m"}}]}}"#,
            known.code
        );
        let answer = ask(ResponseTemplate::new(401).set_body_string(body)).await;
        match known.reason {
            FailureReason::TokenRejected | FailureReason::ClientRejected => {
                assert_eq!(answer, ProfileAnswer::Invalid, "{}", known.code);
            }
            reason => {
                let ProfileAnswer::Unknown(failure) = answer else {
                    panic!("{}: {answer:?}", known.code)
                };
                assert_eq!(failure.reason, reason, "{}", known.code);
            }
        }
    }
}

#[rstest]
#[case::dead(401, DEAD)]
#[case::dead_under_403(403, DEAD)]
#[case::new_code(401, r#"{"errors":[{"error_code":"UDAPI999999","message":"m"}]}"#)]
#[tokio::test]
async fn upstoxs_own_refusal_of_the_token_means_invalid(#[case] status: u16, #[case] body: &str) {
    assert_eq!(
        ask(ResponseTemplate::new(status).set_body_string(body)).await,
        ProfileAnswer::Invalid
    );
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
