//! What is stored reaches programs.

use std::time::Duration;

use vega_client::{Error, TokenSource};
use vega_testing::builders::at;

use crate::desk::{API, Desk, next};

#[tokio::test]
async fn what_another_process_stores_is_given_and_told() {
    let desk = Desk::with_a_token().await;
    let tokens = desk.open().await.tokens("primary").unwrap();
    let token = tokens.current(Duration::from_hours(1)).await.unwrap();
    assert_eq!(
        (token.expose(), token.generation().get()),
        ("CANARY-token-PRIMARY-1", 1)
    );
    assert_eq!(token.valid_until(), at(50_000).into());
    assert!(!format!("{tokens:?} {token:?}").contains("CANARY"));

    let mut changes = tokens.changes();
    assert_eq!(next(&mut changes).await, Some(1));
    desk.signs_in(2).await;
    assert_eq!(next(&mut changes).await, Some(2));
    assert_eq!(
        tokens.current(Duration::ZERO).await.unwrap().expose(),
        "CANARY-token-PRIMARY-2"
    );
}

#[tokio::test]
async fn a_token_dies_by_the_clock() {
    let desk = Desk::with_a_token().await;
    let tokens = desk.open().await.tokens(API).unwrap();
    let mut changes = tokens.changes();
    next(&mut changes).await;
    desk.clock.set(at(49_000));
    let error = tokens.current(Duration::from_secs(1_001)).await.unwrap_err();
    assert!(matches!(error, Error::TooShort { .. }), "{error:?}");
    desk.clock.set(at(50_000));
    let error = tokens.current(Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("run `vega PRIMARY`"), "{error}");
    assert_eq!(next(&mut changes).await, None);
}

#[tokio::test]
async fn an_api_without_a_token_is_waited_for_without_a_wait() {
    let desk = Desk::new().await;
    let tokens = desk.open().await.tokens(API).unwrap();
    let mut changes = tokens.changes();
    assert_eq!(next(&mut changes).await, None);
    assert!(tokens.current(Duration::ZERO).await.unwrap_err().needs_a_human());
    desk.signs_in(1).await;
    assert_eq!(next(&mut changes).await, Some(1));
}

#[tokio::test]
async fn what_is_closed_gives_nothing_any_more() {
    let desk = Desk::with_a_token().await;
    let stored = desk.open().await;
    let tokens = stored.tokens(API).unwrap();
    let mut changes = tokens.changes();
    next(&mut changes).await;
    stored.close().await;
    assert_eq!(tokens.current(Duration::ZERO).await.unwrap_err(), Error::Ended);
    assert_eq!(next(&mut changes).await, None);
    assert!(changes.next().await.is_none());
}
