//! What nobody read of a request's body is read before its answer is sent. A connection that is closed with bytes unread takes the answer
//! along, and a proxy then says that the server is broken. Of a long or slow body only the beginning is read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::time::timeout;

/// Longer than any body that an answer depends on.
const AT_MOST: usize = 64 * 1024;
/// Who sends more slowly gets the answer, or not.
const WITHIN: Duration = Duration::from_secs(1);

/// A body that two may read: whoever answers, and whoever looks what is left.
pub(crate) struct SharedBody<B>(Arc<Mutex<B>>);

/// What is left of it.
pub(crate) struct UnreadBody<B>(Arc<Mutex<B>>);

/// The body for whoever answers, and what is left of it then.
pub(crate) fn shared<B>(body: B) -> (SharedBody<B>, UnreadBody<B>) {
    let body = Arc::new(Mutex::new(body));
    (SharedBody(Arc::clone(&body)), UnreadBody(body))
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for SharedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> UnreadBody<B> {
    /// Reads it to its end, if that comes soon.
    pub(crate) async fn read(self) {
        let mut body = SharedBody(self.0);
        let reading = async {
            let mut left = AT_MOST;
            while !body.is_end_stream()
                && let Some(Ok(frame)) =
                    std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        };
        // Otherwise it is closed with what is unread, as it came.
        let _ = timeout(WITHIN, reading).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::post;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{Instant, sleep};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::connection_slots::ConnectionSlots;
    use crate::serve::serve;

    #[tokio::test(start_paused = true)]
    async fn of_a_body_that_nobody_reads_the_beginning_is_read() {
        let began = Instant::now();
        let (body, unread) = shared(Body::from("short"));
        let look = SharedBody(Arc::clone(&unread.0));
        drop(body);
        unread.read().await;
        assert!(look.is_end_stream());
        // One that goes on and on, and one that never comes.
        let (_body, unread) = shared(Body::from_stream(stream::repeat_with(|| {
            Ok::<_, std::io::Error>("more and more")
        })));
        unread.read().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        let (_body, unread) = shared(Body::from_stream(stream::pending::<std::io::Result<&str>>()));
        unread.read().await;
        assert!(began.elapsed() >= WITHIN);
    }

    /// The body comes when the request was refused by its head.
    #[tokio::test]
    async fn a_refusal_arrives_where_the_body_comes_after_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(async || StatusCode::FORBIDDEN));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router, ConnectionSlots::default(), stop.clone()));
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        // A connection that was closed meanwhile takes the first half and refuses the second.
        for half in [b"bo", b"dy"] {
            client.write_all(half).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        stop.cancel();
        serving.await.unwrap();
    }
}
