//! Who may connect, and what TLS does to whoever is silent. Certificates that change are tested beside the code that looks at them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ipnet::IpNet;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use vega_listening::{
    AllowedPeers, Answers, CalledAt, ConnectionSlots, Door, Limits, Listener, Scheme, ServerTls, TlsFiles,
    Transport, serve_at, who_listens,
};
use vega_testing::KeyedProof;

async fn tls() -> ServerTls {
    let folder = TempDir::new().unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["desk.example".to_owned()]).unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("desk.pem"),
        key: folder.path().join("desk.key"),
    };
    std::fs::write(&files.certificate, cert.pem()).unwrap();
    std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
    ServerTls::load(files).await.unwrap()
}

/// Counts the requests that it gets. Its `/livez` is one of a `vega-server` with the key "key".
async fn server(transport: Transport, limits: Limits) -> (SocketAddr, Arc<AtomicUsize>, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counted = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&counted);
    let proven = async |axum::Extension(CalledAt(address)): axum::Extension<CalledAt>,
                        uri: axum::http::Uri| {
        let challenge = uri
            .query()
            .and_then(|query| query.split_once('='))
            .unwrap()
            .1
            .to_owned();
        let proof = vega_domain::ports::ListenerProof::answer(&KeyedProof("key"), &challenge, &address);
        axum::Json(serde_json::json!({ "program": "vega-server", "proof": proof }))
    };
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/livez", get(proven));
    let stop = CancellationToken::new();
    tokio::spawn(serve_at(
        Door::Network(listener, transport),
        Answers::at_once_or(
            Arc::new(move |_, _| {
                count.fetch_add(1, Ordering::Relaxed);
                None
            }),
            router,
        ),
        ConnectionSlots::new(limits),
        stop.clone(),
    ));
    (address, counted, stop.drop_guard())
}

async fn from(peer: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(peer), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

async fn ask(mut stream: TcpStream) -> String {
    let _ = stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_peer_that_is_not_named_is_closed_before_anything_of_it_is_read() {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&refused);
    let networks: [IpNet; 1] = ["127.0.0.2/32".parse().unwrap()];
    let peers = AllowedPeers::new(&networks, move |peer| told.lock().unwrap().push(peer));
    let transport = Transport {
        tls: None,
        peers: Some(peers),
    };
    let (address, requests, _stop) = server(transport, Limits::default()).await;
    assert_eq!(ask(from(Ipv4Addr::LOCALHOST, address).await).await, "");
    assert_eq!(requests.load(Ordering::Relaxed), 0);
    assert_eq!(*refused.lock().unwrap(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let answer = ask(from(Ipv4Addr::new(127, 0, 0, 2), address).await).await;
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn whoever_has_the_key_is_known_over_tls_and_plain_text_is_not_answered() {
    let transport = Transport {
        tls: Some(tls().await),
        peers: None,
    };
    let (address, requests, _stop) = server(transport, Limits::default()).await;
    let proof = KeyedProof("key");
    assert_eq!(who_listens(address, Scheme::Https, &proof).await, Listener::Ours);
    assert_eq!(
        who_listens(address, Scheme::Https, &KeyedProof("other")).await,
        Listener::Unproven
    );
    assert_eq!(
        who_listens(address, Scheme::Http, &proof).await,
        Listener::Another
    );
    assert_eq!(requests.load(Ordering::Relaxed), 2);
    let answer = ask(TcpStream::connect(address).await.unwrap()).await;
    assert!(!answer.contains("hello"), "{answer}");
    assert_eq!(requests.load(Ordering::Relaxed), 2);
}

/// They would hold slots and memory; a handshake takes a moment.
#[tokio::test]
async fn whoever_is_silent_before_its_handshake_is_sent_off() {
    let transport = Transport {
        tls: Some(tls().await),
        peers: None,
    };
    let limits = Limits {
        strangers: 3,
        known: 3,
    };
    let (address, _, _stop) = server(transport, limits).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut halfway = TcpStream::connect(address).await.unwrap();
    halfway.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    let began = Instant::now();
    for stream in [&mut silent, &mut halfway] {
        let closed = timeout(Duration::from_secs(30), stream.read(&mut [0; 64])).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    // More of them than slots: the longest silent one goes, and whoever asks is answered.
    let mut crowd = Vec::new();
    for _ in 0..20 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(
        who_listens(address, Scheme::Https, &KeyedProof("key")).await,
        Listener::Ours
    );
}
