//! Who is heard while others are silent, slow or many.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::routing::get;
use axum::{Router, http::HeaderMap};
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use vega_listening::{Answers, ConnectionSlots, Door, Limits, LocalSocket, Peer, Transport, serve, serve_at};

struct Server {
    address: std::net::SocketAddr,
    _stop: DropGuard,
}

/// Whoever sends `x-key` is known.
async fn server(router: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve(
        listener,
        router,
        ConnectionSlots::new(limits),
        stop.clone(),
    ));
    Server {
        address,
        _stop: stop.drop_guard(),
    }
}

fn answers() -> Router {
    let hello = async |Extension(peer): Extension<Peer>, headers: HeaderMap| {
        if headers.contains_key("x-key") {
            peer.is_known_now();
        }
        "hello"
    };
    Router::new()
        .route("/", get(hello))
        .route("/slow", get(std::future::pending::<()>))
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// One request by a new connection.
    async fn ask(&self) -> String {
        let mut stream = self.connect().await;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nx-key: 1\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// Sends this, and hears the whole answer of a connection that stays.
async fn ask_on(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "it hung up");
    }
    String::from_utf8(answer).unwrap()
}

/// Whether the other side has hung up.
async fn is_shut(stream: &mut TcpStream) -> bool {
    let mut rest = [0; 64];
    loop {
        match timeout(Duration::from_millis(300), stream.read(&mut rest)).await {
            Err(_) => return false,
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
        }
    }
}

const KEEP: &str = "GET / HTTP/1.1\r\nHost: x\r\nx-key: 1\r\n\r\n";

#[tokio::test]
async fn whoever_asks_is_answered_at_once_while_hundreds_are_silent() {
    let server = server(answers(), Limits::default()).await;
    let mut known = server.connect().await;
    ask_on(&mut known, KEEP).await;
    let starts: [&[u8]; 4] = [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    let mut silent = Vec::new();
    for number in 0..600 {
        let mut stream = server.connect().await;
        // It may have been closed again already.
        let _ = stream.write_all(starts[number % starts.len()]).await;
        silent.push(stream);
        if number % 50 == 0 {
            let began = Instant::now();
            assert!(server.ask().await.ends_with("hello"));
            ask_on(&mut known, KEEP).await;
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        }
    }
    // They hold slots until they are sent off: no more than there are.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut open = 0;
    for stream in &mut silent {
        open += usize::from(
            stream
                .try_read(&mut [0; 1])
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
        );
    }
    assert!(open <= Limits::default().strangers, "{open}");
    assert!(server.ask().await.ends_with("hello"));
}

#[tokio::test]
async fn answers_are_replaced_and_no_connection_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let before = Answers::of(Router::new().fallback(async || "early, hello"));
    tokio::spawn(serve_at(
        Door::Network(listener, Transport::default()),
        before.clone(),
        ConnectionSlots::new(Limits::default()),
        stop.clone(),
    ));
    let server = Server {
        address,
        _stop: stop.drop_guard(),
    };
    let [mut used, mut half] = [server.connect().await, server.connect().await];
    assert!(ask_on(&mut used, KEEP).await.ends_with("early, hello"));
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    before.replace(Arc::new(|_, _| None), answers());
    for (stream, request) in [(&mut used, KEEP), (&mut half, "Host: x\r\n\r\n")] {
        let answer = ask_on(stream, request).await;
        assert!(!answer.contains("early"), "{answer}");
    }
    assert!(!server.ask().await.contains("early"));
}

#[tokio::test]
async fn a_head_that_is_late_ends_its_connection_and_no_other() {
    let server = server(answers(), Limits::default()).await;
    let mut known = server.connect().await;
    ask_on(&mut known, KEEP).await;
    let mut stranger = server.connect().await;
    ask_on(&mut stranger, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut silent = server.connect().await;
    let mut drop_by_drop = server.connect().await;
    let began = Instant::now();
    let drops = async {
        while drop_by_drop.write_all(b"G").await.is_ok() && began.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        began.elapsed()
    };
    let silence = async {
        let _ = silent.read(&mut [0; 1]).await;
        began.elapsed()
    };
    let (drops, silence) = tokio::join!(drops, silence);
    for took in [drops, silence] {
        assert!((1_900..5_000).contains(&took.as_millis()), "{took:?}");
    }
    // Who has asked once may take its time over the next request.
    for stream in [&mut known, &mut stranger] {
        ask_on(stream, KEEP).await;
    }
}

#[tokio::test]
async fn a_stream_of_a_known_one_outlives_a_crowd_and_a_strangers_slow_answer_does_not() {
    let limits = Limits {
        strangers: 4,
        known: 4,
    };
    let server = server(answers(), limits).await;
    let mut known = server.connect().await;
    ask_on(&mut known, KEEP).await;
    let slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
    known.write_all(slow).await.unwrap();
    let mut stranger = server.connect().await;
    stranger.write_all(slow).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _crowd = [
        server.connect().await,
        server.connect().await,
        server.connect().await,
        server.connect().await,
    ];
    assert!(is_shut(&mut stranger).await);
    assert!(!is_shut(&mut known).await);
}

/// Tells when it is dropped, by dropping the sender.
struct Told(#[expect(dead_code, reason = "dropped, never used")] oneshot::Sender<()>);

/// A router whose answer never ends, and what tells that nobody sends it any more.
fn endless() -> (Router, oneshot::Receiver<()>) {
    let (told, is_dropped) = oneshot::channel();
    let told = std::sync::Mutex::new(Some(Told(told)));
    let endless = move || {
        let told = told.lock().unwrap().take();
        let body = stream::repeat_with(move || {
            let _told = &told;
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 4096]))
        });
        std::future::ready(Body::from_stream(body))
    };
    let endless = Arc::new(endless);
    let router = answers().route("/endless", get(move || endless()));
    (router, is_dropped)
}

const ENDLESS: &[u8] = b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_does_not_read_is_cut_off() {
    let (router, is_dropped) = endless();
    let server = server(router, Limits::default()).await;
    let mut client = server.connect().await;
    client.write_all(ENDLESS).await.unwrap();
    let cut_off = timeout(Duration::from_mins(2), is_dropped).await;
    assert!(cut_off.is_ok(), "its slot is never free again");
    drop(client);
}

/// What TCP tells of itself has to be asked for here. Whoever reads is answered all the while, also over a connection that was there before.
#[tokio::test]
async fn who_does_not_read_at_a_socket_is_cut_off_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vega.sock");
    let (router, mut is_dropped) = endless();
    let door = Door::Local(LocalSocket::bind(&path, None, Arc::new(|_| Ok(()))).unwrap());
    let stop = CancellationToken::new();
    let slots = ConnectionSlots::new(Limits::default());
    tokio::spawn(serve_at(door, Answers::of(router), slots, stop.clone()));
    let _stop = stop.drop_guard();

    let mut deaf = UnixStream::connect(&path).await.unwrap();
    let mut before = UnixStream::connect(&path).await.unwrap();
    deaf.write_all(ENDLESS).await.unwrap();
    let begun = Instant::now();
    let mut asked = 0;
    while timeout(Duration::from_millis(250), &mut is_dropped)
        .await
        .is_err()
    {
        assert!(
            begun.elapsed() < Duration::from_mins(2),
            "its slot is never free again"
        );
        let answered = timeout(Duration::from_secs(5), ask_on(&mut before, KEEP));
        assert!(answered.await.unwrap().starts_with("HTTP/1.1 200 OK"));
        asked += 1;
    }
    assert!(
        asked > 4,
        "the others were answered while it was held up: {asked}"
    );
    // What was on its way is there, and nothing after it.
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(5), deaf.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "its connection is open still");
    ask_on(&mut before, KEEP).await;
}
