//! A server that answers as the test says: streams that it cuts, garbage, refusals and answers that it holds back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::changes::Changes;
use crate::clock::Clock;
use crate::server::timing::Timing;
use crate::server::{Server, ServerBuilder, ServerTokens};
use crate::source::TokenSource;
use crate::token::Generation;

pub(crate) const KEY: &str = "canary-key";

/// A time of day that the test sets.
#[derive(Clone, Default)]
pub(crate) struct TestClock(Arc<Mutex<u64>>);

impl TestClock {
    pub(crate) fn it_is(&self, seconds: u64) {
        *self.0.lock().unwrap() = seconds;
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(*self.0.lock().unwrap())
    }
}

#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) route: String,
    pub(crate) headers: HeaderMap,
}

enum Piece {
    Bytes(String),
    Cut,
}

struct Script {
    token: Mutex<Said>,
    rejection: Mutex<Said>,
    /// What the events are answered with, if not with a stream.
    no_events: Mutex<Option<Said>>,
    /// What each stream begins with.
    first: Mutex<String>,
    streams: Mutex<Vec<mpsc::UnboundedSender<Piece>>>,
    asked: Mutex<Vec<Asked>>,
    /// Whether answers with tokens, and to reports, are held back.
    held: watch::Sender<bool>,
}

pub(crate) struct ScriptedServer {
    pub(crate) address: String,
    pub(crate) clock: TestClock,
    key: TempDir,
    script: Arc<Script>,
    serving: JoinHandle<()>,
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn token(generation: u32, valid_until: u64) -> Said {
    Said {
        status: 200,
        body: format!(
            r#"{{"v":1,"api":"PRIMARY","access_token":"canary-{generation}","generation":{generation},"valid_until_unix":{valid_until}}}"#
        ),
        headers: vec![("etag", format!("\"{generation}-{valid_until}\""))],
    }
}

pub(crate) fn problem(status: u16, code: &str, retry_after: Option<u64>) -> Said {
    let retry_after = retry_after.map(|seconds| ("retry-after", seconds.to_string()));
    Said {
        status,
        body: format!(
            r#"{{"status":{status},"code":"{code}","detail":"words of {code}","retry_at_unix":77}}"#
        ),
        headers: retry_after.into_iter().collect(),
    }
}

pub(crate) fn verdict(answer: &str) -> Said {
    Said {
        status: 200,
        body: format!(r#"{{"v":1,"answer":"{answer}","generation":1,"newest_generation":2,"failure":null}}"#),
        headers: Vec::new(),
    }
}

pub(crate) fn event(servable: bool) -> String {
    format!("event: token\ndata: {{\"v\":1,\"servable\":{servable},\"generation\":null}}\n\n")
}

/// Everything happens at once, but for what the test is about.
pub(crate) fn hurried() -> Timing {
    let soon = Duration::from_millis(10);
    Timing {
        again: (soon, soon * 5),
        refused_again: soon * 5,
        after_clean_end: soon,
        look_at_clock: soon,
        ..Timing::default()
    }
}

impl ScriptedServer {
    /// It has a token of generation 1 that dies in the second 1000, and it is the second 0.
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Script {
            token: Mutex::new(token(1, 1_000)),
            rejection: Mutex::new(verdict("alive")),
            no_events: Mutex::default(),
            first: Mutex::new(event(true)),
            streams: Mutex::default(),
            asked: Mutex::default(),
            held: watch::Sender::new(false),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (server, key) = (serve(listener, Arc::clone(&script)), tempfile::tempdir().unwrap());
        std::fs::write(key.path().join("key"), KEY).unwrap();
        Self {
            address,
            clock: TestClock::default(),
            key,
            script,
            serving: server,
        }
    }

    pub(crate) fn builder(&self) -> ServerBuilder {
        Server::at(&self.address)
            .key_file(self.key.path().join("key"))
            .consumer("strategy-a")
            .clock(self.clock.clone())
    }

    pub(crate) fn tokens_with(&self, timing: Timing) -> ServerTokens {
        self.builder()
            .timing(timing)
            .build()
            .unwrap()
            .tokens("PRIMARY")
            .unwrap()
    }

    /// A source that has its token.
    pub(crate) async fn tokens(&self) -> ServerTokens {
        let tokens = self.tokens_with(hurried());
        assert_eq!(tokens.current(Duration::ZERO).await.unwrap().expose(), "canary-1");
        tokens
    }

    /// Answers questions for the token so from now on.
    pub(crate) fn says(&self, said: Said) {
        *lock(&self.script.token) = said;
    }

    pub(crate) fn says_of_reports(&self, said: Said) {
        *lock(&self.script.rejection) = said;
    }

    /// Gives no streams from now on.
    pub(crate) fn gives_no_events(&self, said: Option<Said>) {
        *lock(&self.script.no_events) = said;
    }

    /// Every stream begins so from now on.
    pub(crate) fn begins_streams_with(&self, text: &str) {
        text.clone_into(&mut lock(&self.script.first));
    }

    /// Tells all streams.
    pub(crate) fn tells(&self, text: impl Into<String>) {
        let text = text.into();
        for stream in lock(&self.script.streams).iter() {
            let _ = stream.send(Piece::Bytes(text.clone()));
        }
    }

    /// Breaks all streams off.
    pub(crate) fn cuts(&self) {
        for stream in lock(&self.script.streams).drain(..) {
            let _ = stream.send(Piece::Cut);
        }
    }

    /// Ends all streams.
    pub(crate) fn ends(&self) {
        lock(&self.script.streams).clear();
    }

    /// Holds answers back, or lets them go.
    pub(crate) fn holds(&self, held: bool) {
        self.script.held.send_replace(held);
    }

    /// How many streams are open.
    pub(crate) fn listeners(&self) -> usize {
        let mut streams = lock(&self.script.streams);
        streams.retain(|stream| !stream.is_closed());
        streams.len()
    }

    pub(crate) fn asked(&self, route: &str) -> Vec<Asked> {
        let asked = lock(&self.script.asked);
        asked
            .iter()
            .filter(|asked| asked.route == route)
            .cloned()
            .collect()
    }

    /// Is away from now on: connections break and none is accepted.
    pub(crate) fn goes_away(&self) {
        self.serving.abort();
        self.cuts();
    }
}

fn serve(listener: TcpListener, script: Arc<Script>) -> JoinHandle<()> {
    let routes = Router::new()
        .route("/api/v1/apis/PRIMARY/{route}", any(answer))
        .with_state(script);
    tokio::spawn(async move {
        axum::serve(listener, routes).await.unwrap();
    })
}

async fn answer(State(script): State<Arc<Script>>, Path(route): Path<String>, request: Request) -> Response {
    let headers = request.headers().clone();
    let known = headers.get(header::IF_NONE_MATCH).cloned();
    lock(&script.asked).push(Asked {
        route: route.clone(),
        headers,
    });
    if route == "events" {
        let refused = lock(&script.no_events).clone();
        return match refused {
            Some(said) => said.into_response(),
            None => stream(&script),
        };
    }
    let said = match route.as_str() {
        "token" => lock(&script.token).clone(),
        _ => lock(&script.rejection).clone(),
    };
    let mut held = script.held.subscribe();
    let _ = held.wait_for(|held| !held).await;
    let is_known = known.is_some_and(|known| said.headers.iter().any(|(_, value)| known == *value));
    if is_known && said.status == 200 {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    said.into_response()
}

fn stream(script: &Script) -> Response {
    let (sender, pieces) = mpsc::unbounded_channel();
    let _ = sender.send(Piece::Bytes(lock(&script.first).clone()));
    lock(&script.streams).push(sender);
    let pieces = tokio_stream::wrappers::UnboundedReceiverStream::new(pieces);
    let bytes = pieces.map(|piece| match piece {
        Piece::Bytes(text) => Ok(text),
        Piece::Cut => Err(std::io::Error::other("cut")),
    });
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(bytes),
    )
        .into_response()
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::from_u16(self.status).unwrap(), self.body).into_response();
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    }
}

/// What a stream of changes tells next.
pub(crate) async fn next(changes: &mut Changes) -> Option<u32> {
    changes.next().await.expect("it goes on").map(Generation::get)
}

/// Waits until it is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited: Result<(), _> = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    assert!(waited.is_ok(), "it does not come to be");
}
