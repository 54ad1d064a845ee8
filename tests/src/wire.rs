//! Requests byte by byte, as no client library would send them, and streams that are read as they come. Every answer but
//! that of a stream is read to the end of its connection.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{Answer, Caller, Server};

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Request {
    /// Without any header of its own, `Host` included.
    pub fn bare(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// As a program or a browser would send it to `server`.
    pub fn to(server: &Server, method: &str, target: &str) -> Self {
        Self::bare(method, target).with("Host", server.host())
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With what shows who calls, and nothing else: no metadata that a browser would add.
    #[must_use]
    pub fn by(self, caller: &Caller) -> Self {
        match caller {
            Caller::Stranger => self,
            Caller::Key(key) => self.with("Authorization", &format!("Bearer {key}")),
            Caller::Console(cookie, second) => self.with("Cookie", cookie).with("x-vega-session", second),
        }
    }

    /// With a body; its type is a header like any other.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn text(&self) -> String {
        let headers = self.headers.iter();
        let mut lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
        lines.insert(0, format!("{} {} HTTP/1.1", self.method, self.target));
        if let Some(body) = &self.body {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        let body = self.body.as_deref().unwrap_or_default();
        format!("{}\r\nConnection: close\r\n\r\n{body}", lines.join("\r\n"))
    }
}

impl Server {
    /// Its name and port, as `Host` has them.
    pub fn host(&self) -> &str {
        let (_, host) = self.address().split_once("://").unwrap_or_default();
        host
    }

    /// Sends a request and reads all of its answer.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
        let answer = self.send_text(&request.text()).await;
        answer.with_context(|| format!("{request:?}"))
    }

    /// The same with whatever text.
    pub async fn send_text(&self, text: &str) -> Result<Answer> {
        let mut stream = self.dial().await?;
        let mut bytes = Vec::new();
        let exchange = async {
            // Whoever refuses early need not read all of it.
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.read_to_end(&mut bytes).await;
        };
        timeout(PATIENCE, exchange).await.context("it never ends")?;
        answer(&bytes)
    }

    /// A connection on which nothing was said yet.
    pub async fn connect(&self) -> Result<TcpStream> {
        TcpStream::connect(self.host()).await.context("no connection")
    }

    /// The same, after the handshake where there is one.
    async fn dial(&self) -> Result<Box<dyn Stream>> {
        let way = self.way();
        let stream = TcpStream::connect(("127.0.0.1", way.port()));
        let stream = stream.await.context("no connection")?;
        Ok(match &way.trust {
            Some(trust) => Box::new(trust.connect(stream).await?),
            None => Box::new(stream),
        })
    }

    /// Opens the stream of all events, and reads its head.
    pub async fn events(&self, caller: &Caller) -> Result<Events> {
        self.events_at("/api/v1/events", caller).await
    }

    /// Opens a stream of events, and reads its head.
    pub async fn events_at(&self, path: &str, caller: &Caller) -> Result<Events> {
        let request = Request::to(self, "GET", path).by(caller);
        let mut stream = self.dial().await?;
        stream.write_all(request.text().as_bytes()).await?;
        let mut events = Events {
            stream,
            bytes: Vec::new(),
            status: 0,
        };
        events.until("\r\n\r\n").await?;
        events.status = answer(&events.bytes)?.status;
        Ok(events)
    }
}

/// Bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream of events.
pub struct Events {
    stream: Box<dyn Stream>,
    bytes: Vec<u8>,
    /// HTTP status.
    pub status: u16,
}

impl Events {
    /// Reads until these words have come.
    pub async fn until(&mut self, words: &str) -> Result<()> {
        let read = async {
            while !self.text().contains(words) {
                if self.stream.read_buf(&mut self.bytes).await? == 0 {
                    bail!("it ended before {words:?}: {}", self.text());
                }
            }
            Ok(())
        };
        timeout(PATIENCE, read).await.context("it does not come")?
    }

    /// Reads until it ends.
    pub async fn to_its_end(mut self) -> Result<String> {
        let read = self.stream.read_to_end(&mut self.bytes);
        timeout(PATIENCE, read).await.context("it goes on")??;
        Ok(self.text())
    }

    /// What came so far, head included.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

fn answer(bytes: &[u8]) -> Result<Answer> {
    let all = String::from_utf8_lossy(bytes);
    let (head, text) = all
        .split_once("\r\n\r\n")
        .with_context(|| format!("no answer: {all:?}"))?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some(format!("{}: {}", name.to_lowercase(), value.trim()))
    });
    Ok(Answer {
        status: status.context("a status")?.parse()?,
        headers: headers.collect(),
        text: text.to_owned(),
    })
}
