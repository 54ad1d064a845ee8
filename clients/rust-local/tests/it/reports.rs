//! A program reports a token that Upstox refused.

use std::time::Duration;

use vega_client::{Error, Generation, TokenSource, Verdict};
use vega_domain::audit::{AuditFilter, AuditOrder};
use vega_domain::ports::AuditHistory;
use vega_local::LocalSource;
use vega_persistence::SqlAuditHistory;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::desk::{API, Desk, next};

const GOOD: &str = r#"{"status":"success","data":{"user_id":"AB1234"}}"#;
const DEAD: &str = r#"{"status":"error","errors":[{"errorCode":"UDAPI100050","message":"Invalid token used to access API"}]}"#;

/// A source beside an Upstox that answers so.
async fn source(desk: &Desk, status: u16, body: &str) -> (LocalSource, MockServer) {
    let upstox = MockServer::start().await;
    let answer = ResponseTemplate::new(status).set_body_string(body);
    Mock::given(any()).respond_with(answer).mount(&upstox).await;
    let stored = desk
        .builder()
        .upstox(upstox.uri())
        .consumer("strategy-a")
        .open()
        .await
        .unwrap();
    (stored.tokens(API).unwrap(), upstox)
}

async fn calls(upstox: &MockServer) -> usize {
    upstox.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn a_token_that_upstox_takes_stays() {
    let desk = Desk::with_a_token().await;
    let (tokens, upstox) = source(&desk, 200, GOOD).await;
    assert_eq!(
        tokens.report_rejected(Generation::new(1)).await,
        Ok(Verdict::Alive)
    );
    assert!(tokens.current(Duration::ZERO).await.is_ok());
    assert_eq!(calls(&upstox).await, 1);
}

#[tokio::test]
async fn a_dead_token_is_gone_when_the_report_returns_and_the_report_is_on_record() {
    let desk = Desk::with_a_token().await;
    let (tokens, _upstox) = source(&desk, 401, DEAD).await;
    let mut changes = tokens.changes();
    next(&mut changes).await;
    assert_eq!(
        tokens.report_rejected(Generation::new(1)).await,
        Ok(Verdict::Dead)
    );
    assert!(tokens.current(Duration::ZERO).await.is_err());
    assert_eq!(next(&mut changes).await, None);
    let history = SqlAuditHistory::new(desk.data.clone());
    let entries = history
        .page(&AuditFilter::default(), AuditOrder::NewestFirst, None, 100)
        .await
        .unwrap();
    let told = format!("{entries:?}");
    assert!(told.contains("generation 1, by strategy-a"), "{told}");
}

#[tokio::test]
async fn a_newer_token_is_there_when_the_report_returns() {
    let desk = Desk::with_a_token().await;
    let (tokens, upstox) = source(&desk, 401, DEAD).await;
    // Often: without the look into the database it would be there by luck, most of the time.
    for newest in 2..30 {
        desk.signs_in(newest).await;
        let former = Generation::new(newest - 1);
        assert_eq!(tokens.report_rejected(former).await, Ok(Verdict::Newer));
        let given = tokens.current(Duration::ZERO).await.unwrap().generation();
        assert_eq!(given, Generation::new(newest));
    }
    assert_eq!(calls(&upstox).await, 0);
}

#[tokio::test]
async fn what_does_not_exist_cannot_have_been_refused() {
    let desk = Desk::with_a_token().await;
    let (tokens, _upstox) = source(&desk, 200, GOOD).await;
    for generation in [0, 7] {
        let error = tokens
            .report_rejected(Generation::new(generation))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unexpected { .. }), "{error:?}");
    }
}
