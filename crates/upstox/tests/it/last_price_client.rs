//! `LastPriceApi` over HTTP.

use std::time::Duration;

use rstest::rstest;
use url::Url;
use vega_domain::failure::FailureReason;
use vega_domain::ports::{LastPriceAnswer, LastPriceApi};
use vega_domain::secret::AccessToken;
use vega_upstox::{HttpClient, LastPriceClient};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::broken_server;

const TIMEOUT: Duration = Duration::from_secs(20);

fn client(base: &Url) -> LastPriceClient {
    LastPriceClient::new(&HttpClient::new().unwrap(), base, TIMEOUT).unwrap()
}

async fn ask(status: u16, body: &str) -> LastPriceAnswer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v3/market-quote/ltp"))
        .and(query_param("instrument_key", "NSE_INDEX|Nifty 50"))
        .and(header("authorization", "Bearer CANARY"))
        .respond_with(ResponseTemplate::new(status).set_body_string(body))
        .expect(1)
        .mount(&server)
        .await;
    client(&Url::parse(&server.uri()).unwrap())
        .last_price(&AccessToken::new("CANARY"))
        .await
}

#[rstest]
#[case::a_price(
    r#"{"status":"success","data":{"NSE_INDEX:Nifty 50":{"last_price":24500.5,"instrument_token":"NSE_INDEX|Nifty 50"}}}"#
)]
#[case::no_price_now(r#"{"status":"success","data":{}}"#)]
#[tokio::test]
async fn whoever_gets_prices_has_a_living_token(#[case] body: &str) {
    assert_eq!(ask(200, body).await, LastPriceAnswer::Given);
}

#[tokio::test]
async fn upstoxs_own_word_calls_the_token_dead() {
    let dead = r#"{"status":"error","errors":[{"errorCode":"UDAPI100050","error_code":"UDAPI100050"}]}"#;
    assert_eq!(ask(401, dead).await, LastPriceAnswer::TokenDead);
}

#[rstest]
#[case::plan(401, r#"{"errors":[{"errorCode":"UDAPI1149"}]}"#, FailureReason::PlanRequired)]
#[case::address(401, r#"{"errors":[{"errorCode":"UDAPI1221"}]}"#, FailureReason::StaticIp)]
#[case::unknown(
    401,
    r#"{"errors":[{"errorCode":"UDAPI999999"}]}"#,
    FailureReason::UnclearRefusal
)]
#[case::forbidden(
    403,
    r#"{"errors":[{"errorCode":"UDAPI100050"}]}"#,
    FailureReason::UnclearRefusal
)]
#[case::proxy(401, "<html>", FailureReason::ForeignAnswer)]
#[case::no_route(
    404,
    r#"{"errors":[{"errorCode":"UDAPI100060"}]}"#,
    FailureReason::EndpointUnknown
)]
#[case::throttled(429, "", FailureReason::Throttled)]
#[case::broken(500, "", FailureReason::BrokerDown)]
#[case::no_data(200, r#"{"status":"success"}"#, FailureReason::BrokerDown)]
#[case::an_error_under_200(200, r#"{"status":"error","data":{}}"#, FailureReason::BrokerDown)]
#[case::not_json(200, "hello", FailureReason::BrokerDown)]
#[tokio::test]
async fn everything_else_is_unknown(#[case] status: u16, #[case] body: &str, #[case] reason: FailureReason) {
    let answer = ask(status, body).await;
    let LastPriceAnswer::Unknown(failure) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(failure.reason, reason, "{failure:?}");
}

#[tokio::test]
async fn an_unreachable_upstox_is_unknown_and_the_token_stays_out_of_the_words() {
    let answer = client(&broken_server::nobody().await)
        .last_price(&AccessToken::new("CANARY"))
        .await;
    let LastPriceAnswer::Unknown(failure) = &answer else {
        panic!("{answer:?}")
    };
    assert_eq!(failure.reason, FailureReason::Network);
    assert!(!format!("{answer:?}").contains("CANARY"));
}
