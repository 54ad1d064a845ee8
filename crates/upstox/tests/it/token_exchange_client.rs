//! `TokenExchange` over HTTP.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rstest::rstest;
use url::Url;
use vega_domain::account::{Api, RedirectUri};
use vega_domain::broker_code::BROKER_CODES;
use vega_domain::failure::FailureReason;
use vega_domain::ids::{ApiName, ClientId};
use vega_domain::ports::{ExchangeError, TokenExchange};
use vega_domain::secret::{AuthorizationCode, ClientSecret};
use vega_upstox::{HttpClient, TokenExchangeClient};
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::broken_server;

const TIMEOUT: Duration = Duration::from_secs(20);

fn api() -> Api {
    Api {
        name: ApiName::new("PRIMARY").unwrap(),
        client_id: ClientId::new("the-key").unwrap(),
        client_secret: ClientSecret::new("the secret&"),
        redirect_uri: RedirectUri::new("http://localhost:28020/cb").unwrap(),
    }
}

fn client(base: &str) -> TokenExchangeClient {
    TokenExchangeClient::new(&HttpClient::new().unwrap(), &Url::parse(base).unwrap(), TIMEOUT).unwrap()
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v2/login/authorization/token"))
        .respond_with(template)
        .expect(1)
        .mount(&server)
        .await;
    server
}

async fn failure_of(template: ResponseTemplate) -> vega_domain::Failure {
    let server = answering(template).await;
    let client = client(&server.uri());
    let answer = client
        .exchange(&api(), &AuthorizationCode::new("abc123"))
        .await
        .unwrap();
    client.read(&answer).unwrap_err()
}

fn error_body(code: &str) -> String {
    format!(
        r#"{{"status":"error","errors":[{{"errorCode":"{code}","message":"broker's words","error_code":"{code}"}}]}}"#
    )
}

#[tokio::test]
async fn the_call_is_a_form_and_the_flat_answer_is_read() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v2/login/authorization/token"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(header("accept", "application/json"))
        .and(body_string(
            "code=abc123&client_id=the-key&client_secret=the+secret%26\
             &redirect_uri=http%3A%2F%2Flocalhost%3A28020%2Fcb&grant_type=authorization_code",
        ))
        .respond_with(ResponseTemplate::new(200).set_body_string(
            r#"{"email":"a@example.com","exchanges":["NSE"],"user_id":"AB1234","is_active":true,"expires_in":86400,
                "access_token":"h.eyJzdWIiOiJBQjEyMzQiLCJleHAiOjE3ODkyNTA0MDB9.s","extended_token":"ext","new":{}}"#,
        ))
        .expect(1)
        .mount(&server)
        .await;
    let client = client(&server.uri());
    let answer = client
        .exchange(&api(), &AuthorizationCode::new("abc123"))
        .await
        .unwrap();
    let token = client.read(&answer).unwrap();
    assert_eq!(
        token.access_token.expose(),
        "h.eyJzdWIiOiJBQjEyMzQiLCJleHAiOjE3ODkyNTA0MDB9.s"
    );
    assert_eq!(token.extended_token.unwrap().expose(), "ext");
    assert_eq!(
        (token.user_id.as_str(), token.exp.unwrap().timestamp()),
        ("AB1234", 1_789_250_400)
    );
}

/// Every code that Vega knows, under each HTTP status that Upstox declares: the code decides.
#[tokio::test]
async fn every_known_code_means_the_same_under_every_status() {
    for known in BROKER_CODES {
        for status in [400, 401, 403, 405, 422, 423, 429, 500] {
            let failure =
                failure_of(ResponseTemplate::new(status).set_body_string(error_body(known.code))).await;
            let expected = match known.reason {
                // The call arrived and broke inside: a token may have been made.
                FailureReason::BrokerDown => FailureReason::OutcomeUnknown,
                // There is no token yet of which this could be said.
                FailureReason::ServiceHours
                | FailureReason::TokenRejected
                | FailureReason::WrongTokenKind => FailureReason::CodeRejected,
                reason => reason,
            };
            assert_eq!(failure.reason, expected, "{} under {status}", known.code);
            assert_eq!(failure.detail, format!("{} broker's words", known.code));
        }
    }
}

#[rstest]
#[case::snake(r#"{"errors":[{"error_code":"UDAPI100069","message":"m"}]}"#, "UDAPI100069 m")]
#[case::camel(r#"{"errors":[{"errorCode":"UDAPI100069","message":"m"}]}"#, "UDAPI100069 m")]
#[case::both_and_a_second(
    r#"{"errors":[{"errorCode":"x","error_code":"UDAPI100069","message":"m"},{"errorCode":"y"}]}"#,
    "UDAPI100069 m; x m; y"
)]
#[case::the_second_is_known(
    r#"{"errors":[{"errorCode":"y"},{"errorCode":"UDAPI100069","message":"m"}]}"#,
    "y; UDAPI100069 m"
)]
#[tokio::test]
async fn both_spellings_are_read(#[case] body: &str, #[case] detail: &str) {
    let failure = failure_of(ResponseTemplate::new(401).set_body_string(body)).await;
    assert_eq!(
        (failure.reason, failure.detail.as_str()),
        (FailureReason::ClientRejected, detail)
    );
}

#[rstest]
#[case(400, FailureReason::NeedsReview)]
#[case(401, FailureReason::NeedsReview)]
#[case(423, FailureReason::CodeRejected)]
#[case(429, FailureReason::Throttled)]
#[case(500, FailureReason::OutcomeUnknown)]
#[case(503, FailureReason::OutcomeUnknown)]
#[tokio::test]
async fn without_a_known_code_the_status_decides(#[case] status: u16, #[case] reason: FailureReason) {
    for body in [error_body("UDAPI999999"), "{}".into(), String::new()] {
        let failure = failure_of(ResponseTemplate::new(status).set_body_string(body.clone())).await;
        assert_eq!(failure.reason, reason, "{status} {body}");
    }
}

#[rstest]
#[case::not_utf8(
    200,
    b"{\"access_token\":\"\xff\xfe\",\"user_id\":\"AB1234\"}",
    FailureReason::NeedsReview
)]
#[case::not_utf8_error(400, b"{\"errors\":[{\"errorCode\":\"\xff\"}]}", FailureReason::NeedsReview)]
#[case::nul(200, b"\0\0\0", FailureReason::NeedsReview)]
#[tokio::test]
async fn bytes_that_are_no_text_are_kept_for_review(
    #[case] status: u16,
    #[case] body: &[u8],
    #[case] reason: FailureReason,
) {
    assert_eq!(
        failure_of(ResponseTemplate::new(status).set_body_bytes(body))
            .await
            .reason,
        reason
    );
}

#[rstest]
#[case::not_json(200, "hello", FailureReason::NeedsReview)]
#[case::empty(200, "", FailureReason::NeedsReview)]
#[case::no_token(200, r#"{"user_id":"AB1234"}"#, FailureReason::NeedsReview)]
#[case::null_token(
    200,
    r#"{"user_id":"AB1234","access_token":null}"#,
    FailureReason::NeedsReview
)]
#[case::no_user(200, r#"{"access_token":"t"}"#, FailureReason::NeedsReview)]
#[case::two_tokens(
    200,
    r#"{"access_token":"a","access_token":"b","user_id":"AB1234"}"#,
    FailureReason::NeedsReview
)]
#[case::cloudflare(403, "<html>error 1010</html>", FailureReason::Blocked)]
#[case::bad_gateway(502, "<html>", FailureReason::OutcomeUnknown)]
#[case::redirect_is_not_followed(302, "", FailureReason::NeedsReview)]
#[tokio::test]
async fn odd_bodies_are_never_a_token(
    #[case] status: u16,
    #[case] body: &str,
    #[case] reason: FailureReason,
) {
    let template = ResponseTemplate::new(status)
        .insert_header("location", "/elsewhere")
        .set_body_string(body);
    assert_eq!(failure_of(template).await.reason, reason);
}

#[tokio::test]
async fn a_huge_answer_is_cut_and_kept_for_review() {
    let body = format!(
        r#"{{"access_token":"t","user_id":"AB1234","x":"{}"}}"#,
        "y".repeat(300 * 1024)
    );
    let server = answering(ResponseTemplate::new(200).set_body_string(body)).await;
    let client = client(&server.uri());
    let answer = client
        .exchange(&api(), &AuthorizationCode::new("abc123"))
        .await
        .unwrap();
    assert_eq!((answer.complete, answer.expose().len()), (false, 256 * 1024));
    assert_eq!(
        client.read(&answer).unwrap_err().reason,
        FailureReason::NeedsReview
    );
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_never_repeated() {
    let (url, requests) = broken_server::hanging_up("").await;
    let client = TokenExchangeClient::new(&HttpClient::new().unwrap(), &url, TIMEOUT).unwrap();
    let lost = client
        .exchange(&api(), &AuthorizationCode::new("CANARY"))
        .await
        .unwrap_err();
    assert!(matches!(lost, ExchangeError::OutcomeUnknown(_)), "{lost:?}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    assert!(!format!("{lost} {lost:?}").contains("CANARY"));
}

#[tokio::test]
async fn a_cut_off_answer_is_kept_as_far_as_it_came() {
    let (url, requests) =
        broken_server::hanging_up("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"access_token\":\"t")
            .await;
    let client = TokenExchangeClient::new(&HttpClient::new().unwrap(), &url, TIMEOUT).unwrap();
    let answer = client
        .exchange(&api(), &AuthorizationCode::new("abc123"))
        .await
        .unwrap();
    assert_eq!(
        (answer.complete, answer.expose()),
        (false, &b"{\"access_token\":\"t"[..])
    );
    assert_eq!(
        client.read(&answer).unwrap_err().reason,
        FailureReason::NeedsReview
    );
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_call_that_never_left_may_be_made_again() {
    let client = TokenExchangeClient::new(
        &HttpClient::new().unwrap(),
        &broken_server::nobody().await,
        TIMEOUT,
    )
    .unwrap();
    let refused = client
        .exchange(&api(), &AuthorizationCode::new("abc123"))
        .await
        .unwrap_err();
    assert!(matches!(refused, ExchangeError::NotSent(_)), "{refused:?}");
}

#[tokio::test]
async fn a_silent_broker_is_given_up_on() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_mins(10))).await;
    let client = TokenExchangeClient::new(
        &HttpClient::new().unwrap(),
        &Url::parse(&server.uri()).unwrap(),
        Duration::from_millis(300),
    )
    .unwrap();
    let lost = client
        .exchange(&api(), &AuthorizationCode::new("abc123"))
        .await
        .unwrap_err();
    assert!(matches!(lost, ExchangeError::OutcomeUnknown(_)), "{lost:?}");
}
