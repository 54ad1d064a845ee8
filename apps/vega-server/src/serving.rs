//! Accepts connections: so many at once, without delay, with limits on headers and their time, and an end that waits for
//! nobody for long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at once. Others wait in the system's queue.
const CONNECTIONS: usize = 256;
/// A request line and its headers, in bytes; and how long they may take, also between two requests.
const HEADERS: usize = 16 * 1024;
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
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
