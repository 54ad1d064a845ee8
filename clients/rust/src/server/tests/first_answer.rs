//! Until the first answer is there.

use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;

use crate::error::Error;
use crate::server::scripted_server::{KEY, Said, ScriptedServer, event, hurried, problem, token, until};
use crate::server::timing::Timing;
use crate::source::TokenSource;

fn impatient() -> Timing {
    Timing {
        first_answer: Duration::from_millis(200),
        ..hurried()
    }
}

#[tokio::test]
async fn a_thousand_tasks_wait_for_one_question() {
    let server = ScriptedServer::start().await;
    server.holds(true);
    let tokens = server.tokens_with(hurried());
    let waiting = join_all((0..1_000).map(|_| tokens.current(Duration::ZERO)));
    let released = async {
        until(|| server.asked("token").len() == 1).await;
        server.holds(false);
    };
    let (given, ()) = tokio::join!(waiting, released);
    assert!(
        given
            .iter()
            .all(|token| token.as_ref().unwrap().expose() == "canary-1")
    );
    assert_eq!(
        (server.asked("token").len(), server.asked("events").len()),
        (1, 1)
    );
}

#[tokio::test]
async fn each_call_says_who_calls_and_asks_for_no_more_than_it_needs() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    tokens
        .report_rejected(tokens.current(Duration::ZERO).await.unwrap().generation())
        .await
        .unwrap();
    for route in ["events", "token", "rejections"] {
        let asked = server.asked(route);
        let header = |name: &str| {
            asked[0]
                .headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("authorization"), Some(format!("Bearer {KEY}")), "{route}");
        assert_eq!(
            header("x-vega-consumer").as_deref(),
            Some("strategy-a"),
            "{route}"
        );
    }
    assert!(server.asked("token")[0].headers.get("if-none-match").is_none());
}

#[rstest]
#[case::a_human(
    problem(409, "human_needed", None),
    "there is no token of PRIMARY now (human_needed). words of human_needed"
)]
#[case::a_cooldown(
    problem(429, "cooling_down", Some(9)),
    "there is no token of PRIMARY now (cooling_down). words of cooling_down"
)]
#[case::a_wrong_name(
    problem(404, "unknown_api", None),
    "Vega has no API PRIMARY. words of unknown_api"
)]
#[case::a_wrong_key(
    problem(401, "not_signed_in", None),
    "Vega refuses this program. words of not_signed_in"
)]
#[case::another_api(
    problem(403, "not_allowed", None),
    "Vega refuses this program. words of not_allowed"
)]
#[tokio::test]
async fn a_refusal_is_told_at_once_in_the_words_of_the_server(#[case] said: Said, #[case] words: &str) {
    let server = ScriptedServer::start().await;
    server.says(said);
    let tokens = server.tokens_with(hurried());
    let error = tokens.current(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), words);
    assert!(error.needs_a_human());
    let retry_at = error
        .retry_at()
        .map(|at| at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
    assert_eq!(retry_at, matches!(error, Error::NoToken { .. }).then_some(77));
}

/// The event says that there is none, and the answer why.
#[tokio::test]
async fn a_first_event_without_a_token_keeps_nobody_waiting() {
    let server = ScriptedServer::start().await;
    server.begins_streams_with(&event(false));
    server.says(problem(409, "human_needed", None));
    let tokens = server.tokens_with(hurried());
    let told = tokio::time::timeout(Duration::from_secs(5), tokens.current(Duration::ZERO)).await;
    let error = told.expect("at once").unwrap_err();
    assert!(error.to_string().ends_with("words of human_needed"), "{error}");
}

#[rstest]
#[case::not_known_yet(
    problem(503, "token_unknown", None),
    "(token_unknown). words of token_unknown"
)]
#[case::starting(
    problem(503, "starting", None),
    "cannot answer now (starting). words of starting"
)]
#[tokio::test]
async fn a_server_that_does_not_know_yet_is_waited_for(#[case] said: Said, #[case] words: &str) {
    let server = ScriptedServer::start().await;
    server.says(said);
    let tokens = server.tokens_with(impatient());
    let error = tokens.current(Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().ends_with(words), "{error}");
    assert!(!error.needs_a_human());

    server.says(token(1, 1_000));
    server.tells(event(true));
    assert!(tokens.current(Duration::ZERO).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_by_its_cause() {
    let server = ScriptedServer::start().await;
    server.goes_away();
    until(|| std::net::TcpStream::connect(server.address.trim_start_matches("http://")).is_err()).await;
    let error = server
        .tokens_with(impatient())
        .current(Duration::ZERO)
        .await
        .unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(
        words.contains("refused") && words.ends_with("Is vega-server running there?"),
        "{words}"
    );
}

#[tokio::test]
async fn a_stream_that_says_nothing_does_not_hold_the_token_back() {
    let server = ScriptedServer::start().await;
    server.begins_streams_with(":\n\n");
    let timing = Timing {
        first_event: Duration::from_millis(20),
        ..hurried()
    };
    assert!(server.tokens_with(timing).current(Duration::ZERO).await.is_ok());
}

#[tokio::test]
async fn a_server_without_room_for_another_stream_gives_the_token() {
    let server = ScriptedServer::start().await;
    server.gives_no_events(Some(problem(503, "too_many_streams", None)));
    assert!(
        server
            .tokens_with(hurried())
            .current(Duration::ZERO)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_key_follows_no_redirect() {
    let (elsewhere, server) = (ScriptedServer::start().await, ScriptedServer::start().await);
    let mut said = problem(307, "moved", None);
    said.headers.push((
        "location",
        format!("{}/api/v1/apis/PRIMARY/token", elsewhere.address),
    ));
    server.says(said.clone());
    let error = server
        .tokens_with(impatient())
        .current(Duration::ZERO)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }), "{error:?}");
    assert_eq!(elsewhere.asked("token").len(), 0);
}
