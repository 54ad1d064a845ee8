//! The other end of a local socket: one connection to whoever listens there. Tells whose process that is and whether it proves itself
//! as a program of this installation; what follows from that, and what is asked then, is the caller's to decide.

use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use futures_util::{Stream, TryStreamExt};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use vega_domain::ports::{ListenerAddress, ListenerProof};
use zeroize::Zeroizing;

use crate::local_socket::resolved;
use crate::who::{LONGEST_ANSWER, Live, random_challenge};

/// No host but this has a socket.
const HOST: HeaderValue = HeaderValue::from_static("localhost");

/// One connection, on which one thing after the other is asked. All of its answers come from the program that accepted it.
pub struct SocketConnection {
    address: ListenerAddress,
    listener: u32,
    requests: SendRequest<Body>,
    running: AbortHandle,
    /// What was said before anything was asked, once the connection is over.
    unasked: Option<oneshot::Receiver<Bytes>>,
}

/// What was answered.
pub struct SocketAnswer {
    /// HTTP status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Body,
}

impl SocketConnection {
    /// Connects to whoever listens at `path`. Must be called in a tokio runtime, and waits as long as that one takes.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound` and `ConnectionRefused` where nobody listens.
    pub async fn open(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path).await?;
        let listener = stream.peer_cred()?.uid();
        let (requests, mut connection) = handshake(TokioIo::new(stream)).await.map_err(Error::other)?;
        let (over, unasked) = oneshot::channel();
        let running = tokio::spawn(async move {
            // How it ends is told by the requests.
            let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
            let _ = over.send(connection.into_parts().read_buf);
        });
        Ok(Self {
            address: ListenerAddress::Socket(resolved(path)),
            listener,
            requests,
            running: running.abort_handle(),
            unasked: Some(unasked),
        })
    }

    /// The user who made the listening socket, by the kernel's word.
    pub fn listener(&self) -> u32 {
        self.listener
    }

    /// Whether the program at the other end proves that it is of this installation. Sends nothing secret.
    pub async fn proves_itself(&mut self, proof: &dyn ListenerProof) -> bool {
        let challenge = random_challenge();
        let target = format!("/livez?challenge={challenge}");
        let Ok(answer) = self.ask("GET", &target, &[], None).await else {
            return false;
        };
        let Ok(body) = answer
            .body(usize::try_from(LONGEST_ANSWER).unwrap_or(usize::MAX))
            .await
        else {
            return false;
        };
        let live: Option<Live> = serde_json::from_slice(&body).ok();
        live.and_then(|live| live.proof)
            .is_some_and(|answer| proof.is_right(&challenge, &self.address, &answer))
    }

    /// Asks for `target`, a path with its query; a body is JSON. The body of the answer before must have been read.
    ///
    /// # Errors
    ///
    /// Where the connection or the answer broke, or a header cannot be sent.
    pub async fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<SocketAnswer> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method.parse::<Method>().map_err(invalid)?;
        *request.uri_mut() = target.parse().map_err(invalid)?;
        request.headers_mut().insert(header::HOST, HOST);
        for (name, value) in headers {
            let (name, value) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
            let (name, value) = (name.map_err(invalid)?, value.map_err(invalid)?);
            request.headers_mut().insert(name, value);
        }
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
            *request.body_mut() = Body::from(body);
        }
        match self.send(request).await {
            Ok(answer) => Ok(answer),
            Err(broken) => self.refusal().await.ok_or_else(|| Error::other(broken)),
        }
    }

    async fn send(&mut self, request: Request<Body>) -> hyper::Result<SocketAnswer> {
        self.requests.ready().await?;
        let answer = self.requests.send_request(request).await?;
        let (head, body) = answer.into_parts();
        Ok(SocketAnswer {
            status: head.status,
            headers: head.headers,
            body: Body::new(body),
        })
    }

    /// Whoever is not let in is told so at once, maybe before anything is asked: for an HTTP client that is no answer.
    async fn refusal(&mut self) -> Option<SocketAnswer> {
        let said = self.unasked.take()?.await.ok()?;
        let head = said.windows(4).position(|part| part == b"\r\n\r\n")?;
        let status = said.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        Some(SocketAnswer {
            status: StatusCode::from_bytes(status).ok()?,
            headers: HeaderMap::new(),
            body: Body::from(said.slice(head + 4..)),
        })
    }
}

impl Drop for SocketConnection {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl SocketAnswer {
    /// The whole body, wiped when it is dropped, for it may hold a token. One longer than `longest` is an error.
    ///
    /// # Errors
    ///
    /// Where it broke off, or is too long.
    pub async fn body(self, longest: usize) -> Result<Zeroizing<Vec<u8>>> {
        // At once as long as all of it, so that no copy is left where it was before it grew.
        let mut whole = Zeroizing::new(Vec::with_capacity(longest));
        let mut parts = self.parts();
        while let Some(part) = parts.try_next().await? {
            if whole.len() + part.len() > longest {
                return Err(Error::new(ErrorKind::InvalidData, "the answer is too long"));
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// The body as it comes.
    pub fn parts(self) -> impl Stream<Item = Result<Bytes>> + Unpin + Send {
        self.body.into_data_stream().map_err(Error::other)
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidInput, error)
}
