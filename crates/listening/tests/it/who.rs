//! Who is believed to be ours: whoever answers the challenge for the address that was called, and nobody who passes it on.

#![expect(clippy::print_stderr, reason = "a test says what it leaves out")]

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use rstest::rstest;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use vega_domain::ports::ListenerProof;
use vega_listening::{CHALLENGE, CalledAt, ConnectionSlots, Listener, Scheme, serve, who_listens};
use vega_testing::KeyedProof;

#[derive(Deserialize)]
struct LivezQuery {
    challenge: String,
}

/// A server that proves itself with this key.
async fn vega(key: &'static str, at: &str) -> SocketAddr {
    let live = async move |called: axum::Extension<CalledAt>, Query(asked): Query<LivezQuery>| {
        assert!(CHALLENGE.contains(&asked.challenge.len()), "{}", asked.challenge);
        let proof = KeyedProof(key).answer(&asked.challenge, &called.0.0);
        axum::Json(serde_json::json!({ "v": 1, "program": "vega-server", "version": "1", "proof": proof }))
    };
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/livez", get(live));
    tokio::spawn(serve(
        listener,
        router,
        ConnectionSlots::default(),
        CancellationToken::new(),
    ));
    address
}

/// Says this to whoever comes.
async fn says(words: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(words.as_bytes()).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn only_a_holder_of_the_key_is_ours() {
    let ours = vega("key", "127.0.0.1:0").await;
    assert_eq!(
        who_listens(ours, Scheme::Http, &KeyedProof("key")).await,
        Listener::Ours
    );
    let theirs = vega("another", "127.0.0.1:0").await;
    assert_eq!(
        who_listens(theirs, Scheme::Http, &KeyedProof("key")).await,
        Listener::Unproven
    );
}

/// A socket for both kinds of addresses, as `[::]` and `::ffff:127.0.0.1` are: both sides must speak of one address.
#[rstest]
#[case::listens_as_version_6("[::ffff:127.0.0.1]:0", false, false)]
#[case::listens_everywhere("[::]:0", true, false)]
#[case::is_called_as_version_6("127.0.0.1:0", false, true)]
#[case::both("[::ffff:127.0.0.1]:0", false, true)]
#[tokio::test]
async fn an_address_of_either_kind_is_the_same(
    #[case] at: &str,
    #[case] everywhere: bool,
    #[case] as_version_6: bool,
) {
    // A machine may have no IPv6 at all.
    if TcpListener::bind(at).await.is_err() {
        eprintln!("not looked at: no socket can listen at {at} here");
        return;
    }
    let listens = vega("key", at).await;
    assert_eq!(listens.ip().is_unspecified(), everywhere);
    let host = if as_version_6 {
        "[::ffff:127.0.0.1]"
    } else {
        "127.0.0.1"
    };
    let called: SocketAddr = format!("{host}:{}", listens.port()).parse().unwrap();
    assert_eq!(
        who_listens(called, Scheme::Http, &KeyedProof("key")).await,
        Listener::Ours
    );
    assert_eq!(
        who_listens(called, Scheme::Http, &KeyedProof("other")).await,
        Listener::Unproven
    );
}

/// It reads the question to its end and fetches the right answer from the real server, which speaks of another address.
#[tokio::test]
async fn whoever_passes_the_question_on_is_not_believed() {
    let real = vega("key", "127.0.0.1:0").await;
    let squatter = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let squats_at = squatter.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = squatter.accept().await {
            let mut server = TcpStream::connect(real).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut caller, &mut server).await });
        }
    });
    assert_eq!(
        who_listens(squats_at, Scheme::Http, &KeyedProof("key")).await,
        Listener::Unproven
    );
    // Nor at the same port of another address of this machine.
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], real.port()));
    assert_eq!(
        who_listens(elsewhere, Scheme::Http, &KeyedProof("key")).await,
        Listener::Nobody
    );
}

#[rstest]
#[case::silence("", Listener::Another)]
#[case::no_http("220 mail.example ESMTP\r\n", Listener::Another)]
#[case::a_page("HTTP/1.1 200 OK\r\n\r\n<html>vega-server</html>", Listener::Another)]
#[case::another_program(
    "HTTP/1.1 200 OK\r\n\r\n{\"program\":\"caddy\",\"proof\":\"key\"}",
    Listener::Another
)]
#[case::a_claim(
    "HTTP/1.1 200 OK\r\n\r\n{\"v\":1,\"program\":\"vega-server\"}",
    Listener::Unproven
)]
#[case::a_guess(
    "HTTP/1.1 200 OK\r\n\r\n{\"program\":\"vega-server\",\"proof\":\"key//\"}",
    Listener::Unproven
)]
#[tokio::test]
async fn a_claim_is_no_proof(#[case] words: &'static str, #[case] expected: Listener) {
    assert_eq!(
        who_listens(says(words).await, Scheme::Http, &KeyedProof("key")).await,
        expected
    );
}

#[tokio::test]
async fn who_listens_and_says_nothing_is_another_and_who_does_not_is_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(
        who_listens(address, Scheme::Http, &KeyedProof("key")).await,
        Listener::Another
    );
    drop(listener);
    assert_eq!(
        who_listens(address, Scheme::Http, &KeyedProof("key")).await,
        Listener::Nobody
    );
}
