//! A small broker on a free port: each test says what it answers. And a listener that keeps what it was sent.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What the broker answers.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    status: u16,
    kind: &'static str,
    body: String,
    location: Option<String>,
}

impl Page {
    pub(crate) fn html(body: impl Into<String>) -> Self {
        Self::with(200, "text/html; charset=utf-8", body)
    }

    pub(crate) fn with(status: u16, kind: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            body: body.into(),
            location: None,
        }
    }

    pub(crate) fn to(location: impl Into<String>) -> Self {
        let location = Some(location.into());
        Self {
            location,
            ..Self::with(302, "text/plain", "")
        }
    }

    async fn answer(&self, mut connection: TcpStream) -> Result<()> {
        let location = self.location.as_deref();
        let location = location
            .map(|to| format!("location: {to}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {} X\r\ncontent-type: {}\r\ncontent-length: {}\r\ncache-control: no-store\r\n{location}connection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body.len()
        );
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(self.body.as_bytes()).await?;
        Ok(connection.shutdown().await?)
    }
}

/// One request: `GET /login?x=1`.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
}

impl Request {
    /// A parameter of its address.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let (_, path) = self.line.split_once(' ')?;
        let url = Url::parse("http://broker").ok()?.join(path).ok()?;
        let mut pairs = url.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    async fn read(connection: &mut TcpStream) -> Result<Self> {
        let mut bytes = Vec::new();
        loop {
            let mut part = [0; 4096];
            let read = connection.read(&mut part).await?;
            bytes.extend(&part[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse().ok())?
                });
                body.len() >= length.unwrap_or(0)
            });
            if whole || read == 0 {
                let line = text.lines().next().unwrap_or_default();
                return Ok(Self {
                    line: line.rsplit_once(' ').map_or(line, |(line, _)| line).to_owned(),
                });
            }
        }
    }
}

/// Answers until the test ends, and keeps what was asked.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Broker {
    pub(crate) async fn start(answer: impl Fn(&Request) -> Page + Send + Sync + 'static) -> Result<Self> {
        Self::at("127.0.0.1:0", answer).await
    }

    /// At this address.
    pub(crate) async fn at(
        address: &str,
        answer: impl Fn(&Request) -> Page + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let port = listener.local_addr()?.port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, heard) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let (answer, heard) = (Arc::clone(&answer), Arc::clone(&heard));
                tokio::spawn(async move {
                    let Ok(request) = Request::read(&mut connection).await else {
                        return;
                    };
                    heard.lock().unwrap().push(request.clone());
                    let _ = answer(&request).answer(connection).await;
                });
            }
        });
        Ok(Self { port, asked })
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}", self.port)).unwrap()
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}
