//! Programs report a token that Upstox refused.

use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;

use crate::server::scripted_server::{Said, ScriptedServer, next, problem, token, until, verdict};
use crate::source::{TokenSource, Verdict};
use crate::token::Generation;

const FIRST: Generation = Generation::new(1);

#[rstest]
#[case("alive", Verdict::Alive, true)]
#[case("unknown", Verdict::Unknown, true)]
#[case("dead", Verdict::Dead, false)]
#[tokio::test]
async fn only_a_dead_token_is_taken_away(#[case] said: &str, #[case] answer: Verdict, #[case] stays: bool) {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    server.says_of_reports(verdict(said));
    assert_eq!(tokens.report_rejected(FIRST).await.unwrap(), answer);
    assert_eq!(tokens.current(Duration::ZERO).await.is_ok(), stays);
    tokens.report_rejected(FIRST).await.unwrap();
    let reports = if stays { 2 } else { 1 };
    assert_eq!(server.asked("rejections").len(), reports, "what is dead is known");
}

#[tokio::test]
async fn the_newer_token_is_there_when_the_report_returns() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    server.says(token(2, 1_000));
    server.says_of_reports(verdict("newer"));
    assert_eq!(tokens.report_rejected(FIRST).await.unwrap(), Verdict::Newer);
    assert_eq!(tokens.current(Duration::ZERO).await.unwrap().expose(), "canary-2");
    assert_eq!(tokens.report_rejected(FIRST).await.unwrap(), Verdict::Newer);
    assert_eq!(server.asked("rejections").len(), 1, "what is newer is here");
}

/// Another process stored it, and the server's memory follows.
#[tokio::test]
async fn a_newer_token_that_the_server_gives_a_moment_later_is_waited_for() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    server.says_of_reports(verdict("newer"));
    let reporting = tokens.report_rejected(FIRST);
    let comes = async {
        until(|| server.asked("token").len() >= 3).await;
        server.says(token(2, 1_000));
    };
    let (reported, ()) = tokio::join!(reporting, comes);
    assert_eq!(reported, Ok(Verdict::Newer));
    assert_eq!(tokens.current(Duration::ZERO).await.unwrap().expose(), "canary-2");
}

#[tokio::test]
async fn a_thousand_reports_of_one_token_are_one() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    server.says_of_reports(verdict("dead"));
    server.holds(true);
    let reports = join_all((0..1_000).map(|_| tokens.report_rejected(FIRST)));
    let released = async {
        until(|| server.asked("rejections").len() == 1).await;
        server.holds(false);
    };
    let (verdicts, ()) = tokio::join!(reports, released);
    assert!(verdicts.iter().all(|verdict| *verdict == Ok(Verdict::Dead)));
    assert_eq!(server.asked("rejections").len(), 1);
}

#[tokio::test]
async fn a_report_counts_though_its_caller_waits_no_more() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let mut changes = tokens.changes();
    changes.next().await;
    server.says_of_reports(verdict("dead"));
    server.holds(true);
    let impatient = tokio::time::timeout(Duration::from_millis(50), tokens.report_rejected(FIRST)).await;
    assert!(impatient.is_err());
    server.holds(false);
    assert_eq!(next(&mut changes).await, None);
}

#[rstest]
#[case::of_the_future(problem(400, "bad_request", None), "words of bad_request")]
#[case::away(problem(503, "storage", None), "words of storage")]
#[tokio::test]
async fn a_report_that_is_not_taken_says_why_and_changes_nothing(#[case] said: Said, #[case] words: &str) {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    server.says_of_reports(said);
    let error = tokens.report_rejected(Generation::new(7)).await.unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(tokens.current(Duration::ZERO).await.is_ok());
}
