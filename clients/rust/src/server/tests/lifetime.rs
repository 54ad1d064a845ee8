//! Beginning and end of a source, inside and outside of runtimes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::FutureExt;
use tokio::runtime::Runtime;

use crate::error::Error;
use crate::server::Server;
use crate::server::scripted_server::{KEY, ScriptedServer, hurried, next, until};
use crate::source::TokenSource;

#[tokio::test]
async fn the_follower_ends_with_the_last_handle() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let (clone, changes) = (tokens.clone(), tokens.changes());
    drop(tokens);
    drop(clone);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.listeners(), 1, "the stream of changes goes on");
    drop(changes);
    until(|| server.listeners() == 0).await;
}

#[tokio::test]
async fn current_is_ready_at_once_and_cancelling_it_is_harmless() {
    let server = ScriptedServer::start().await;
    server.holds(true);
    let tokens = server.tokens_with(hurried());
    for _ in 0..10 {
        assert!(tokens.current(Duration::ZERO).now_or_never().is_none());
    }
    server.holds(false);
    tokens.current(Duration::ZERO).await.unwrap();
    server.goes_away();
    assert!(tokens.current(Duration::ZERO).now_or_never().unwrap().is_ok());
    assert_eq!(server.asked("token").len(), 1);
}

#[test]
fn a_source_is_used_and_dropped_outside_of_its_runtime() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(ScriptedServer::start());
    let tokens = {
        let _inside = runtime.enter();
        server.tokens_with(hurried())
    };
    // An executor that has no timers of tokio.
    let token = futures_util::future::select_ok([tokens.current(Duration::ZERO)]);
    let (token, _) = block_on(token).unwrap();
    assert_eq!(token.expose(), "canary-1");
    assert_eq!(server.listeners(), 1);
    drop(tokens);
    runtime.block_on(until(|| server.listeners() == 0));
}

#[test]
fn a_runtime_that_ends_ends_the_source_and_nobody_waits_for_ever() {
    let (others, own) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let server = others.block_on(ScriptedServer::start());
    let tokens = own.block_on(server.tokens());
    let mut changes = tokens.changes();
    assert_eq!(block_on(next(&mut changes)), Some(1));
    drop(own);
    assert_eq!(
        block_on(tokens.current(Duration::ZERO)).unwrap_err(),
        Error::Ended
    );
    assert_eq!(
        block_on(changes.collect::<Vec<_>>()),
        [None],
        "a program stops trading"
    );
    let generation = crate::token::Generation::new(1);
    assert_eq!(block_on(tokens.report_rejected(generation)), Err(Error::Ended));
}

#[tokio::test]
async fn a_source_that_is_closed_gives_nothing_and_asks_nobody() {
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let (clone, changes) = (tokens.clone(), tokens.changes());
    tokens.close();
    assert_eq!(clone.current(Duration::ZERO).await.unwrap_err(), Error::Ended);
    assert_eq!(changes.collect::<Vec<_>>().await, [None]);
    until(|| server.listeners() == 0).await;
}

#[test]
fn a_source_that_is_made_outside_of_a_runtime_says_what_to_do() {
    let server = Server::at("/nowhere/vega.sock").build().unwrap();
    let error = server.tokens("PRIMARY").unwrap_err();
    assert!(
        error.to_string().contains("call Server::tokens inside of"),
        "{error}"
    );
}

/// What is logged goes here.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_text_of_anything_holds_a_secret() {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || written.clone())
        .finish();
    // The runtime of this test has one thread.
    let _logging = tracing::subscriber::set_default(subscriber);
    let server = ScriptedServer::start().await;
    let tokens = server.tokens().await;
    let generation = tokens.current(Duration::ZERO).await.unwrap().generation();
    tokens.report_rejected(generation).await.unwrap();
    server.cuts();
    until(|| server.asked("token").len() == 2).await;
    let texts = format!(
        "{tokens:?} {:?} {:?} {:?} {:?}",
        tokens.current(Duration::ZERO).await,
        tokens.current(Duration::MAX).await,
        server.builder(),
        server.builder().build().unwrap(),
    );
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("was reported") && logged.contains("asked for again"),
        "{logged}"
    );
    for text in [texts, logged] {
        assert!(!text.contains("canary") && !text.contains(KEY), "{text}");
    }
}

/// The plainest of executors.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}
