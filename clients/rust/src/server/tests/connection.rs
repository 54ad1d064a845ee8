//! What becomes of a token while the connection is bad.

use std::time::Duration;

use rstest::rstest;

use crate::error::Error;
use crate::server::ServerTokens;
use crate::server::scripted_server::{Said, ScriptedServer, event, hurried, next, problem, token, until};
use crate::server::timing::Timing;
use crate::source::TokenSource;
use crate::token::Token;

async fn current(tokens: &ServerTokens) -> Result<Token, Error> {
    tokens.current(Duration::ZERO).await
}

#[rstest]
#[case::cut(|server: &ScriptedServer| server.cuts())]
#[case::ended(|server: &ScriptedServer| server.ends())]
#[case::an_event_that_is_no_json(|server: &ScriptedServer| server.tells("event: token\ndata: {\n\n"))]
#[case::no_text(|server: &ScriptedServer| server.tells("event: token\ndata: \u{fffd}\n\n"))]
#[case::an_endless_event(|server: &ScriptedServer| server.tells("x".repeat(200_000)))]
#[case::endless_lines(|server: &ScriptedServer| server.tells("data: x\n".repeat(20_000)))]
#[tokio::test]
async fn a_stream_that_breaks_is_opened_again_and_the_token_stays(#[case] breaks: fn(&ScriptedServer)) {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    breaks(&server);
    until(|| server.asked("events").len() == 2 && server.asked("token").len() == 2).await;
    assert_eq!(current(&tokens).await.unwrap().expose(), "canary-1");
    let asked_anew = &server.asked("token")[1];
    assert_eq!(
        asked_anew.headers["if-none-match"], "\"1-1000\"",
        "after each reconnection"
    );

    server.says(token(2, 1_000));
    server.tells(event(true));
    let mut changes = tokens.changes();
    while next(&mut changes).await != Some(2) {}
}

#[tokio::test]
async fn a_stream_without_a_heartbeat_is_broken_and_one_with_them_is_not() {
    let server = ScriptedServer::start().await;
    let idle = Duration::from_millis(300);
    let tokens = server.tokens_with(Timing { idle, ..hurried() });
    current(&tokens).await.unwrap();
    for _ in 0..12 {
        tokio::time::sleep(idle / 6).await;
        server.tells(":\n\n");
    }
    assert_eq!(server.asked("events").len(), 1);
    until(|| server.asked("events").len() > 1).await;
    assert!(current(&tokens).await.is_ok());
}

#[tokio::test]
async fn a_token_is_given_while_the_server_is_away_until_it_dies() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let mut changes = tokens.changes();
    changes.next().await;
    server.goes_away();
    server.clock.it_is(999);
    assert!(current(&tokens).await.is_ok());
    let too_soon = tokens.current(Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(too_soon, Error::TooShort { .. }), "{too_soon:?}");

    until(|| server.listeners() == 0).await;
    server.clock.it_is(1_000);
    let died = current(&tokens).await.unwrap_err();
    assert!(
        matches!(died, Error::Unreachable { .. } | Error::NoToken { .. }),
        "{died:?}"
    );
    assert_eq!(next(&mut changes).await, None, "a program stops trading");
}

#[rstest]
#[case::revoked(problem(401, "not_signed_in", None))]
#[case::stopped(problem(403, "not_allowed", None))]
#[tokio::test]
async fn a_key_that_was_revoked_has_no_token_any_more(#[case] said: Said) {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let mut changes = tokens.changes();
    changes.next().await;
    server.gives_no_events(Some(said.clone()));
    server.says(said);
    server.ends();
    assert_eq!(next(&mut changes).await, None);
    let error = current(&tokens).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");

    server.says(token(1, 1_000));
    server.gives_no_events(None);
    assert_eq!(next(&mut changes).await, Some(1), "let in again");
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let busy = problem(503, "starting", Some(1));
    server.gives_no_events(Some(busy.clone()));
    server.says(busy);
    server.ends();
    until(|| server.asked("events").len() == 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        server.asked("events").len(),
        2,
        "within the second that it asked for"
    );
    assert!(current(&tokens).await.is_ok(), "it says nothing of the token");
    until(|| server.asked("events").len() == 3).await;
}

#[rstest]
#[case::no_json("canary")]
#[case::another_shape(r#"{"access_token":["canary"],"generation":2,"valid_until_unix":9}"#)]
#[case::half(r#"{"access_token":"canary"#)]
#[tokio::test]
async fn an_answer_that_cannot_be_read_takes_no_token_away_and_is_not_repeated(#[case] body: &str) {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let mut said = token(2, 1_000);
    said.body = body.to_owned();
    server.says(said);
    server.tells(event(true));
    until(|| server.asked("token").len() >= 3).await;
    assert!(current(&tokens).await.is_ok());
    server.clock.it_is(1_000);
    let error = current(&tokens).await.unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
}
