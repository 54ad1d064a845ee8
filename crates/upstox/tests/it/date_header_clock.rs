//! `BrokerClock` over HTTP.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rstest::rstest;
use url::Url;
use vega_domain::failure::FailureReason;
use vega_domain::ports::BrokerClock;
use vega_upstox::{DateHeaderClock, HttpClient};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::broken_server;

const TIMEOUT: Duration = Duration::from_secs(20);

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

#[rstest]
#[case::plain(200, "Mon, 23 Nov 2026 03:15:07 GMT", None, Some("2026-11-23T03:15:07Z"))]
#[case::refused_but_dated(403, "Mon, 23 Nov 2026 03:15:07 GMT", None, Some("2026-11-23T03:15:07Z"))]
#[case::kept_by_a_cache(
    200,
    "Mon, 23 Nov 2026 03:15:07 GMT",
    Some("60"),
    Some("2026-11-23T03:16:07Z")
)]
#[case::no_date(200, "yesterday", None, None)]
#[tokio::test]
async fn any_answer_tells_the_time(
    #[case] status: u16,
    #[case] date: &str,
    #[case] age: Option<&str>,
    #[case] expected: Option<&str>,
) {
    let server = MockServer::start().await;
    let mut template = ResponseTemplate::new(status).insert_header("date", date);
    if let Some(age) = age {
        template = template.insert_header("age", age);
    }
    Mock::given(method("GET"))
        .and(path("/v2/market/holidays"))
        .respond_with(template)
        .expect(1)
        .mount(&server)
        .await;
    let clock = DateHeaderClock::new(
        &HttpClient::new().unwrap(),
        &Url::parse(&server.uri()).unwrap(),
        TIMEOUT,
    )
    .unwrap();
    assert_eq!(clock.time().await.unwrap(), expected.map(at));
}

#[tokio::test]
async fn without_an_answer_nobody_knows() {
    let clock = DateHeaderClock::new(
        &HttpClient::new().unwrap(),
        &broken_server::nobody().await,
        TIMEOUT,
    )
    .unwrap();
    assert_eq!(clock.time().await.unwrap_err().reason, FailureReason::Network);
}
