//! The client's end of a socket: whoever listens there is known by the kernel and by its proof, and what it answers ends at a limit.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::Query;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use vega_domain::ports::ListenerProof;
use vega_listening::{Answers, CalledAt, ConnectionSlots, Door, LocalSocket, SocketConnection, serve_at};
use vega_testing::KeyedProof;

#[derive(Deserialize)]
struct LivezQuery {
    challenge: String,
}

/// A server at a socket, with this key.
struct Server {
    folder: TempDir,
    _stop: DropGuard,
}

impl Server {
    fn new(key: &'static str) -> Self {
        let live = async move |called: Extension<CalledAt>, Query(asked): Query<LivezQuery>| {
            let proof = KeyedProof(key).answer(&asked.challenge, &called.0.0);
            axum::Json(
                serde_json::json!({ "v": 1, "program": "vega-server", "version": "1", "proof": proof }),
            )
        };
        let said = async |headers: HeaderMap, body: String| {
            let named = headers.get("x-name").map_or("", |name| name.to_str().unwrap());
            format!("{named}: {body}")
        };
        let router = Router::new()
            .route("/livez", get(live))
            .route("/said", post(said))
            .route("/long", get(async || "x".repeat(5_000)));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vega.sock");
        let socket = LocalSocket::bind(&path, None, Arc::new(|_| Ok(()))).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve_at(
            Door::Local(socket),
            Answers::of(router),
            ConnectionSlots::default(),
            stop.clone(),
        ));
        Self {
            folder,
            _stop: stop.drop_guard(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("vega.sock")
    }
}

async fn proves_itself(path: &Path, key: &'static str) -> bool {
    let mut connection = SocketConnection::open(path).await.unwrap();
    connection.proves_itself(&KeyedProof(key)).await
}

#[tokio::test]
async fn a_socket_proves_itself_by_its_key_at_its_own_place_alone() {
    let server = Server::new("key");
    let path = server.path();
    assert!(proves_itself(&path, "key").await);
    assert!(!proves_itself(&path, "another").await);
    // However it is called, it is one place.
    let link = server.folder.path().join("link");
    std::os::unix::fs::symlink(server.folder.path(), &link).unwrap();
    assert!(proves_itself(&link.join("vega.sock"), "key").await);
    // Whoever passes everything on stands at another one.
    let between = server.folder.path().join("between.sock");
    let listener = UnixListener::bind(&between).unwrap();
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            let mut server = UnixStream::connect(&path).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut caller, &mut server).await });
        }
    });
    assert!(!proves_itself(&between, "key").await);
}

/// The refusal may be there before the question, or after it.
#[tokio::test]
async fn whoever_is_not_let_in_hears_why_whenever_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vega.sock");
    let socket = LocalSocket::bind(&path, None, Arc::new(|_| Err(b"{\"words\":1}".to_vec()))).unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve_at(
        Door::Local(socket),
        Answers::of(Router::new()),
        ConnectionSlots::default(),
        stop.clone(),
    ));
    let _stop = stop.drop_guard();
    for wait in [0, 100] {
        let mut connection = SocketConnection::open(&path).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        let answer = connection.ask("GET", "/said", &[], None).await.unwrap();
        assert_eq!(answer.status, 403, "after {wait} ms");
        assert_eq!(*answer.body(100).await.unwrap(), b"{\"words\":1}");
    }
}

#[tokio::test]
async fn one_thing_after_the_other_is_asked_and_an_answer_ends_at_a_limit() {
    let server = Server::new("key");
    let mut connection = SocketConnection::open(&server.path()).await.unwrap();
    let own = std::os::unix::fs::MetadataExt::uid(&server.folder.path().metadata().unwrap());
    assert_eq!(connection.listener(), own);
    for body in ["one", "two"] {
        let asked = connection.ask("POST", "/said", &[("x-name", "a")], Some(body.into()));
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(
            *answer.body(100).await.unwrap(),
            format!("a: {body}").into_bytes()
        );
    }
    let answer = connection.ask("GET", "/long", &[], None).await.unwrap();
    let too_long = answer.body(4_999).await.unwrap_err();
    assert_eq!(too_long.kind(), ErrorKind::InvalidData);
    for (name, value) in [("x-name", "a\r\nx-other: b"), ("x name", "a")] {
        let mut connection = SocketConnection::open(&server.path()).await.unwrap();
        let refused = connection
            .ask("GET", "/long", &[(name, value)], None)
            .await
            .map(drop);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput, "{name}");
    }
    let nobody = SocketConnection::open(&server.folder.path().join("nobody"))
        .await
        .map(drop);
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::NotFound);
}
