//! Accepts connections within their limits: the first request's head must come soon, who does not read its answer is cut off,
//! and the end waits for nobody for long.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::EXPECT;
use axum::http::{Request, Response};
use futures_util::future::{Either, ready};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
#[cfg(target_os = "linux")]
use nix::sys::socket::sockopt::TcpUserTimeout;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::{Service, service_fn};
use vega_domain::ports::ListenerAddress;

use crate::connection_slots::{Asking, ConnectionSlot, ConnectionSlots, Peer};
use crate::local_socket::{LocalCaller, LocalSocket};
use crate::tls::ServerTls;
use crate::transport::Transport;
use crate::unread_body;

/// So soon the first request's head must be there, drop by drop or at once.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(2);
/// How long a connection that was used may wait for its next request, head included.
const NEXT_HEAD_WITHIN: Duration = Duration::from_secs(75);
/// A request line and its headers, in bytes.
const HEADERS: usize = 16 * 1024;
/// How long what was sent may stay with a client that does not read it.
const READ_WITHIN: Duration = Duration::from_secs(20);
/// Whoever is not done by then is cut off.
const END_WITHIN: Duration = Duration::from_secs(5);
/// When no connection could be accepted, because there are no file descriptors left, say.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Where a request's connection was made to. Every request has it among its extensions, but for those of a local socket without a name.
#[derive(Debug, Clone)]
pub struct CalledAt(pub ListenerAddress);

/// Where connections come in.
pub enum Door {
    /// An address, with connections as its transport has them.
    Network(TcpListener, Transport),
    /// A socket of this machine.
    Local(LocalSocket),
}

/// A connection that came in.
enum Stream {
    Network(TcpStream),
    Local(UnixStream, LocalCaller, Option<ListenerAddress>),
}

impl Door {
    /// The next connection; `None` where the one that came is refused.
    async fn accept(&self) -> std::io::Result<Option<Stream>> {
        match self {
            Self::Network(listener, transport) => {
                let (stream, peer) = listener.accept().await?;
                let is_admitted = transport
                    .peers
                    .as_ref()
                    .is_none_or(|peers| peers.admit(peer.ip()));
                Ok(is_admitted.then_some(Stream::Network(stream)))
            }
            Self::Local(socket) => {
                let accepted = socket.accept().await?;
                let called_at = socket.address();
                Ok(accepted.map(|(stream, caller)| Stream::Local(stream, caller, called_at)))
            }
        }
    }

    fn tls(&self) -> Option<ServerTls> {
        match self {
            Self::Network(_, transport) => transport.tls.clone(),
            Self::Local(_) => None,
        }
    }

    /// A named proxy opens connections before it has requests for them. One that is closed just then costs a caller an answer: no
    /// proxy sends a request with a body twice.
    fn first_head_within(&self) -> Duration {
        match self {
            Self::Network(_, transport) => first_head_within(transport),
            Self::Local(_) => FIRST_HEAD_WITHIN,
        }
    }
}

/// Serves until `stop`, then lets the requests under way end. Dropping it cuts everybody off.
pub async fn serve(listener: TcpListener, router: Router, slots: ConnectionSlots, stop: CancellationToken) {
    let door = Door::Network(listener, Transport::default());
    serve_at(door, Answers::of(router), slots, stop).await;
}

/// The same at any door, with answers that may be replaced meanwhile.
pub async fn serve_at(door: Door, answers: Answers, slots: ConnectionSlots, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut builder = Builder::new();
    builder.max_buf_size(HEADERS);
    loop {
        let accepted = tokio::select! {
            accepted = door.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok(None) => {}
            Ok(Some(stream)) => {
                let slot = match &stream {
                    Stream::Network(_) => slots.take(),
                    Stream::Local(_, caller, _) => slots.take_for(Some(caller.clone())),
                };
                let connection = Connection {
                    stream,
                    tls: door.tls(),
                    slot,
                    answers: answers.clone(),
                    first_head_within: door.first_head_within(),
                };
                connections.spawn(connection.serve(builder.clone(), graceful.watcher()));
            }
            Err(error) => {
                tracing::debug!(%error, "no connection can be accepted");
                slots.close_one();
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
    drop(door);
    if timeout(END_WITHIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open and are cut off");
    }
}

/// Answers a request at once, or leaves it to the router. One type for all: what serves a connection is compiled here once, for
/// speed, whatever the program's own code is compiled for.
pub type AtOnce = Arc<dyn Fn(&Request<Incoming>, &Peer) -> Option<Response<Body>> + Send + Sync>;

/// What requests are answered with, at however many addresses. Once it is replaced, the next request gets the new answers, also one
/// of a connection that was open before.
#[derive(Clone)]
pub struct Answers(Arc<ArcSwap<Answering>>);

/// The answers in use.
struct Answering {
    at_once: AtOnce,
    router: Router,
}

impl Answers {
    /// Those of the router.
    pub fn of(router: Router) -> Self {
        Self::at_once_or(Arc::new(|_, _| None), router)
    }

    /// Those of `at_once`, which is asked first, and gets requests without extensions, or else of the router.
    pub fn at_once_or(at_once: AtOnce, router: Router) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Answering { at_once, router })))
    }

    /// Has these in their place from now on, wherever they are in use.
    pub fn replace(&self, at_once: AtOnce, router: Router) {
        self.0.store(Arc::new(Answering { at_once, router }));
    }
}

struct Connection {
    stream: Stream,
    tls: Option<ServerTls>,
    slot: ConnectionSlot,
    answers: Answers,
    first_head_within: Duration,
}

fn first_head_within(transport: &Transport) -> Duration {
    match transport.peers {
        None => FIRST_HEAD_WITHIN,
        Some(_) => NEXT_HEAD_WITHIN,
    }
}

impl Connection {
    async fn serve(self, builder: Builder, graceful: Watcher) {
        let Self {
            stream,
            tls,
            slot,
            answers,
            first_head_within,
        } = self;
        let stream = match stream {
            Stream::Network(stream) => stream,
            Stream::Local(stream, _, called_at) => {
                let requests = Requests {
                    called_at,
                    slot,
                    answers,
                    first_head_within,
                };
                // What TCP_USER_TIMEOUT is to the others.
                let mut stream = TimeoutStream::new(stream);
                stream.set_write_timeout(Some(READ_WITHIN));
                return Box::pin(requests.serve(Box::pin(stream), builder, graceful)).await;
            }
        };
        // Small events must not wait for an acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        cut_off_who_does_not_read(&stream);
        // Who is gone already is called nowhere.
        let Ok(called_at) = stream.local_addr() else {
            return;
        };
        let requests = Requests {
            // A socket for both kinds of addresses calls 127.0.0.1 by its name in the other kind.
            called_at: Some(SocketAddr::new(called_at.ip().to_canonical(), called_at.port()).into()),
            slot,
            answers,
            first_head_within,
        };
        let Some(tls) = tls else {
            return requests.serve(stream, builder, graceful).await;
        };
        let encrypted = tokio::select! {
            encrypted = timeout(FIRST_HEAD_WITHIN, tls.accept(stream)) => encrypted,
            () = requests.slot.is_closed() => return,
        };
        // Whoever does not speak TLS, or not in time, is no news either.
        if let Ok(Ok(encrypted)) = encrypted {
            // Apart, so that a connection without TLS has not the size of one with it.
            Box::pin(requests.serve(encrypted, builder, graceful)).await;
        }
    }
}

/// The requests of one connection.
struct Requests {
    called_at: Option<ListenerAddress>,
    slot: ConnectionSlot,
    answers: Answers,
    first_head_within: Duration,
}

impl Requests {
    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        builder: Builder,
        graceful: Watcher,
    ) {
        let Self {
            called_at,
            slot,
            answers,
            first_head_within,
        } = self;
        let peer = slot.peer().clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let asking = peer.asks();
            let answers = answers.0.load();
            let answer = if let Some(answer) = (answers.at_once)(&request, &peer) {
                Either::Left(ready(Ok(answer)))
            } else {
                if let Some(called_at) = &called_at {
                    request.extensions_mut().insert(CalledAt(called_at.clone()));
                }
                request.extensions_mut().insert(peer.clone());
                // Apart from the connection, which may live long after this with a stream.
                Either::Right(Box::pin(answered(answers.router.clone(), request)))
            };
            async move {
                let answer: Response<Body> = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| Underway {
                    body,
                    _asking: asking,
                }))
            }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = pin!(graceful.watch(connection));
        tokio::select! {
            // Whoever hangs up or sends nonsense is no news.
            _ = connection => {}
            () = slot.is_closed() => {}
            () = head_is_late(&slot, first_head_within) => {}
        }
    }
}

async fn answered(mut router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    // Whoever waits to be asked for a body sends none before that.
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return router.call(request).await;
    }
    let (head, body) = request.into_parts();
    let (body, unread) = unread_body::shared(body);
    let answer = router.call(Request::from_parts(head, Body::new(body))).await?;
    unread.read().await;
    Ok(answer)
}

/// Returns when a head is late: the first one, or the next one of a connection that was used. One look after the other, as a
/// timer for each head would cost each request.
async fn head_is_late(slot: &ConnectionSlot, first_within: Duration) {
    tokio::time::sleep(first_within).await;
    if !slot.has_asked() {
        return;
    }
    loop {
        let left = NEXT_HEAD_WITHIN.saturating_sub(slot.idle_for());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

/// A client that takes nothing holds its connection, and a stream's slot, for so long.
#[cfg(target_os = "linux")]
fn cut_off_who_does_not_read(stream: &TcpStream) {
    let milliseconds = u32::try_from(READ_WITHIN.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = nix::sys::socket::setsockopt(stream, TcpUserTimeout, &milliseconds) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT");
    }
}

/// Elsewhere it holds them until the system gives up.
#[cfg(not(target_os = "linux"))]
fn cut_off_who_does_not_read(_stream: &TcpStream) {}

/// An answer's body: its request is under way until it has been sent.
struct Underway {
    body: Body,
    _asking: Asking,
}

impl HttpBody for Underway {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep, timeout};

    use super::*;
    use crate::transport::AllowedPeers;

    /// When a connection is given up that does this meanwhile, in whole seconds.
    async fn given_up_after(slot: &ConnectionSlot, meanwhile: impl Future<Output = ()>) -> u64 {
        given_up_of(&Transport::default(), slot, meanwhile).await
    }

    async fn given_up_of(
        transport: &Transport,
        slot: &ConnectionSlot,
        meanwhile: impl Future<Output = ()>,
    ) -> u64 {
        let began = Instant::now();
        let late = async {
            let late = head_is_late(slot, first_head_within(transport));
            let late = timeout(Duration::from_hours(1), late).await;
            late.expect("it is never given up");
            began.elapsed().as_secs()
        };
        tokio::join!(late, meanwhile).0
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_is_late_by_when_the_one_before_was_answered() {
        let slots = ConnectionSlots::default();
        let silent = slots.take();
        assert_eq!(given_up_after(&silent, async {}).await, 2);

        let asked_once = slots.take();
        drop(asked_once.peer().asks());
        assert_eq!(given_up_after(&asked_once, async {}).await, 75);

        let of_proxies = Transport {
            peers: Some(AllowedPeers::new(&[], |_| ())),
            ..Transport::default()
        };
        let opened_beforehand = slots.take();
        let asks_at_last = async {
            sleep(Duration::from_mins(1)).await;
            drop(opened_beforehand.peer().asks());
        };
        assert_eq!(
            given_up_of(&of_proxies, &opened_beforehand, asks_at_last).await,
            60 + 75
        );

        // A long answer, and a request just in time.
        let busy = slots.take();
        let answer = busy.peer().asks();
        let meanwhile = async {
            sleep(Duration::from_secs(200)).await;
            drop(answer);
            sleep(Duration::from_secs(74)).await;
            drop(busy.peer().asks());
        };
        assert_eq!(given_up_after(&busy, meanwhile).await, 200 + 74 + 75);
    }
}
