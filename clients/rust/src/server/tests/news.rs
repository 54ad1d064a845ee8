//! What the server tells once a token is there.

use std::time::Duration;

use crate::error::Error;
use crate::server::ServerTokens;
use crate::server::scripted_server::{ScriptedServer, event, hurried, next, problem, token, until};
use crate::server::timing::Timing;
use crate::source::TokenSource;
use crate::token::Token;

async fn current(tokens: &ServerTokens) -> Result<Token, Error> {
    tokens.current(Duration::ZERO).await
}

async fn given(tokens: &ServerTokens) -> Option<u32> {
    current(tokens).await.ok().map(|token| token.generation().get())
}

#[tokio::test]
async fn the_old_token_is_given_until_the_new_one_is_there() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let mut changes = tokens.changes();
    assert_eq!(next(&mut changes).await, Some(1));

    server.holds(true);
    server.says(token(2, 1_000));
    server.tells(event(true));
    until(|| server.asked("token").len() == 2).await;
    assert_eq!(given(&tokens).await, Some(1));
    server.holds(false);
    assert_eq!(next(&mut changes).await, Some(2));
    assert_eq!(current(&tokens).await.unwrap().expose(), "canary-2");
    let asked = server.asked("token");
    assert_eq!(asked[1].headers["if-none-match"], "\"1-1000\"");
}

#[tokio::test]
async fn a_token_that_is_over_is_gone_at_once_whatever_is_under_way() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let mut changes = tokens.changes();
    changes.next().await;
    server.holds(true);
    server.tells(event(true));
    until(|| server.asked("token").len() == 2).await;

    server.says(problem(409, "human_needed", None));
    server.tells(event(false));
    assert_eq!(next(&mut changes).await, None);
    let at_once = current(&tokens).await.unwrap_err();
    assert!(
        at_once.to_string().contains("Run `vega PRIMARY`, and sign in"),
        "{at_once}"
    );

    server.holds(false);
    let in_words = async {
        while !current(&tokens)
            .await
            .unwrap_err()
            .to_string()
            .contains("words of human_needed")
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), in_words)
        .await
        .unwrap();
    assert_eq!(
        given(&tokens).await,
        None,
        "the question of before did not bring it back"
    );

    server.says(token(2, 1_000));
    server.tells(event(true));
    assert_eq!(next(&mut changes).await, Some(2));
}

#[tokio::test]
async fn an_older_generation_never_follows_a_newer_one() {
    let server = ScriptedServer::start().await;
    server.says(token(4, 1_000));
    let tokens = server.tokens_with(hurried());
    assert_eq!(given(&tokens).await, Some(4));
    server.says(token(3, 1_000));
    server.tells(event(true));
    until(|| server.asked("token").len() >= 2).await;
    assert_eq!(given(&tokens).await, Some(4));
    server.says(token(5, 1_000));
    server.tells(event(true));
    let mut changes = tokens.changes();
    while next(&mut changes).await != Some(5) {}
}

#[tokio::test]
async fn a_slow_reader_is_told_the_newest_alone() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let mut changes = tokens.changes();
    changes.next().await;
    for generation in 2..=9 {
        server.says(token(generation, 1_000));
        server.tells(event(true));
        let before = server.asked("token").len();
        until(|| server.asked("token").len() > before).await;
        while given(&tokens).await != Some(generation) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    assert_eq!(next(&mut changes).await, Some(9));
    let more = tokio::time::timeout(Duration::from_millis(50), changes.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn the_cause_is_asked_for_again_for_it_changes_without_an_event() {
    let server = ScriptedServer::start().await;
    server.says(problem(409, "human_needed", None));
    server.begins_streams_with(&event(false));
    let tokens = server.tokens_with(Timing {
        cause_again: Duration::from_millis(20),
        ..hurried()
    });
    assert!(
        current(&tokens)
            .await
            .unwrap_err()
            .to_string()
            .contains("human_needed")
    );
    server.says(problem(429, "cooling_down", None));
    let in_words = async {
        while !current(&tokens)
            .await
            .unwrap_err()
            .to_string()
            .contains("cooling_down")
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), in_words)
        .await
        .unwrap();
    assert_eq!(server.asked("events").len(), 1);
}

#[tokio::test]
async fn events_and_fields_that_are_not_known_change_nothing() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    server.tells("event: gossip\ndata: no json\n\n: a comment\n\nretry: 5\n\n");
    server.tells("event: token\ndata: {\"servable\":true,\"more\":[1]}\n\n");
    until(|| server.asked("token").len() == 2).await;
    assert_eq!(given(&tokens).await, Some(1));
    assert_eq!(server.asked("events").len(), 1, "the stream is the same");
}
