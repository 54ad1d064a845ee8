//! Accepts connections: so many at once, without delay, with limits on headers and their time, and an end that waits for
//! nobody for long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
#[cfg(target_os = "linux")]
use nix::sys::socket::sockopt::TcpUserTimeout;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at once. Others wait in the system's queue.
const CONNECTIONS: usize = 256;
/// A request line and its headers, in bytes; and how long they may take, also between two requests.
const HEADERS: usize = 16 * 1024;
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// How long what was sent may stay with a client that does not read it.
#[cfg(target_os = "linux")]
const READ_WITHIN: Duration = Duration::from_secs(20);
/// Whoever is not done by then is cut off.
const END_WITHIN: Duration = Duration::from_secs(5);
/// When no connection could be accepted, because there are no file descriptors left, say.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Serves until `stop`, then lets the requests under way end.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, place)) = accepted else {
            tokio::time::sleep(TRY_AGAIN).await;
            continue;
        };
        // Small events must not wait for an acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        cut_off_who_does_not_read(&stream);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            // Whoever hangs up or sends nonsense is no news.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(END_WITHIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("connections were still open and are cut off");
    }
}

/// A client that takes nothing holds its connection, and a stream's place, for so long.
#[cfg(target_os = "linux")]
fn cut_off_who_does_not_read(stream: &tokio::net::TcpStream) {
    let milliseconds = u32::try_from(READ_WITHIN.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = nix::sys::socket::setsockopt(stream, TcpUserTimeout, &milliseconds) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT");
    }
}

/// Elsewhere it holds them until the system gives up.
#[cfg(not(target_os = "linux"))]
fn cut_off_who_does_not_read(_stream: &tokio::net::TcpStream) {}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use futures_util::stream;
    use tokio::io::AsyncWriteExt;
    use tokio::sync::oneshot;

    use super::*;

    /// Tells when it is dropped, by dropping the sender.
    struct Told(#[expect(dead_code, reason = "dropped, never used")] oneshot::Sender<()>);

    #[tokio::test]
    async fn who_does_not_read_is_cut_off() {
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
        let router = Router::new().route("/", get(move || endless()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router, stop.clone()));
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            .await
            .unwrap();
        let cut_off = tokio::time::timeout(Duration::from_mins(2), is_dropped).await;
        assert!(cut_off.is_ok(), "its place is never free again");
        drop(client);
        stop.cancel();
        serving.await.unwrap();
    }
}
