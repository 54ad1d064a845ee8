//! `SessionLogout` over HTTP.

use std::time::Duration;

use rstest::rstest;
use url::Url;
use vega_domain::failure::FailureReason;
use vega_domain::ports::SessionLogout;
use vega_domain::secret::AccessToken;
use vega_upstox::{HttpClient, SessionLogoutClient};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::broken_server;

const TIMEOUT: Duration = Duration::from_secs(20);

async fn log_out(template: ResponseTemplate) -> Result<(), FailureReason> {
    let server = MockServer::start().await;
    Mock::given(method("DELETE"))
        .and(path("/v2/logout"))
        .and(header("authorization", "Bearer CANARY"))
        .respond_with(template)
        .expect(1)
        .mount(&server)
        .await;
    let client = SessionLogoutClient::new(
        &HttpClient::new().unwrap(),
        &Url::parse(&server.uri()).unwrap(),
        TIMEOUT,
    )
    .unwrap();
    client
        .log_out(&AccessToken::new("CANARY"))
        .await
        .map_err(|failure| failure.reason)
}

#[rstest]
#[case::ended(200, r#"{"status":"success","data":true}"#, Ok(()))]
#[case::dead_already(401, r#"{"cause":null,"stackTrace":[],"oAuth2ErrorCode":"invalid_token"}"#, Ok(()))]
#[case::dead_already_in_the_envelope(401, r#"{"errors":[{"errorCode":"UDAPI100050"}]}"#, Ok(()))]
#[case::dead_without_a_code(401, r#"{"cause":null,"stackTrace":[],"message":"m"}"#, Ok(()))]
#[case::not_ended(200, r#"{"status":"success","data":false}"#, Err(FailureReason::BrokerDown))]
#[case::an_error_under_200(200, r#"{"status":"error"}"#, Err(FailureReason::BrokerDown))]
#[case::codes_under_200(
    200,
    r#"{"status":"error","errors":[{"errorCode":"UDAPI1221"}]}"#,
    Err(FailureReason::StaticIp)
)]
#[case::not_from_this_address(
    401,
    r#"{"errors":[{"errorCode":"UDAPI1221"}]}"#,
    Err(FailureReason::StaticIp)
)]
#[case::not_with_this_token(
    403,
    r#"{"errors":[{"errorCode":"UDAPI100067"}]}"#,
    Err(FailureReason::WrongTokenKind)
)]
#[case::unknown_code(
    401,
    r#"{"errors":[{"errorCode":"UDAPI999999"}]}"#,
    Err(FailureReason::UnclearRefusal)
)]
#[case::contradicted(
    401,
    r#"{"errors":[{"errorCode":"UDAPI100050"},{"errorCode":"UDAPI1221"}]}"#,
    Err(FailureReason::StaticIp)
)]
#[case::another_exception(
    401,
    r#"{"stackTrace":[],"oAuth2ErrorCode":"invalid_client"}"#,
    Err(FailureReason::BrokerDown)
)]
#[case::json_of_a_proxy(401, r#"{"message":"sign in to the proxy"}"#, Err(FailureReason::BrokerDown))]
#[case::captive_portal(
    200,
    "<html>Sign in to this network</html>",
    Err(FailureReason::ForeignAnswer)
)]
#[case::proxy(401, "", Err(FailureReason::ForeignAnswer))]
#[case::throttled(429, "", Err(FailureReason::Throttled))]
#[case::broken(500, "", Err(FailureReason::BrokerDown))]
#[case::cloudflare(403, "<html>", Err(FailureReason::Blocked))]
#[tokio::test]
async fn a_session_that_is_over_is_over(
    #[case] status: u16,
    #[case] body: &str,
    #[case] expected: Result<(), FailureReason>,
) {
    assert_eq!(
        log_out(ResponseTemplate::new(status).set_body_string(body)).await,
        expected
    );
}

#[tokio::test]
async fn an_unreachable_upstox_is_said() {
    let client = SessionLogoutClient::new(
        &HttpClient::new().unwrap(),
        &broken_server::nobody().await,
        TIMEOUT,
    )
    .unwrap();
    let failure = client.log_out(&AccessToken::new("CANARY")).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::Network);
    assert!(!format!("{failure:?}").contains("CANARY"));
}
