//! A machine's way to the database: carries PostgreSQL's messages between a port of this computer and the server's socket, and can be cut,
//! held, forgotten, or made to lose notifications. It changes no message.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a write of Vega's begins with.
const BEGIN_WRITE: &[u8] = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE\0";
/// Longer than any message here, so that a stream that is out of step is noticed.
const LONGEST: usize = 64 * 1024 * 1024;

/// How the way is now.
#[derive(Debug, Clone, Default)]
struct Way {
    is_cut: bool,
    is_held: bool,
    loses_news: bool,
    /// Connections before this one are carried no more, and nobody is told.
    forgotten: u64,
    /// How many writes begin before the way is held within the next one.
    writes_left: Option<u32>,
}

/// The way of one machine.
#[derive(Debug)]
pub(crate) struct Link {
    port: u16,
    way: Arc<watch::Sender<Way>>,
    accepts: JoinHandle<()>,
    next: Arc<std::sync::atomic::AtomicU64>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepts.abort();
        self.cut();
    }
}

impl Link {
    /// Opens a way to the server behind this socket.
    pub(crate) async fn open(socket: PathBuf) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let way = Arc::new(watch::Sender::new(Way::default()));
        let next = Arc::new(std::sync::atomic::AtomicU64::new(1));
        let accepts = tokio::spawn(accept(listener, socket, Arc::clone(&way), Arc::clone(&next)));
        Ok(Self {
            port,
            way,
            accepts,
            next,
        })
    }

    /// Where a machine finds the database of this name.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://vega@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends every connection and lets none begin.
    pub(crate) fn cut(&self) {
        self.way.send_modify(|way| way.is_cut = true);
    }

    /// Carries nothing, and tells nobody.
    pub(crate) fn hold(&self) {
        self.way.send_modify(|way| way.is_held = true);
    }

    /// Carries everything again; what was held comes late.
    pub(crate) fn let_go(&self) {
        self.way.send_modify(|way| {
            *way = Way {
                forgotten: way.forgotten,
                ..Way::default()
            };
        });
    }

    /// Carries nothing more on the connections that there are, as a router does that was started anew. New ones are carried.
    pub(crate) fn forget(&self) {
        let next = self.next.load(std::sync::atomic::Ordering::SeqCst);
        self.way.send_modify(|way| way.forgotten = next);
    }

    /// Loses each notification from now on.
    pub(crate) fn lose_news(&self) {
        self.way.send_modify(|way| way.loses_news = true);
    }

    /// Holds the way as soon as so many writes are done and the next one has its lock.
    pub(crate) fn hold_within_a_write(&self, after: u32) {
        self.way.send_modify(|way| way.writes_left = Some(after));
    }

    pub(crate) fn is_held(&self) -> bool {
        self.way.borrow().is_held
    }
}

async fn accept(
    listener: TcpListener,
    socket: PathBuf,
    way: Arc<watch::Sender<Way>>,
    next: Arc<std::sync::atomic::AtomicU64>,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // No file handles: somebody else's end gives some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let (socket, way) = (socket.clone(), Arc::clone(&way));
        tokio::spawn(async move {
            let _ = client.set_nodelay(true);
            let mut gone = way.subscribe();
            let carried = async {
                wait_until_open(&way, number).await;
                let server = UnixStream::connect(socket).await?;
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                // Whichever side ends, the other one is told.
                tokio::select! {
                    ended = carry_questions(from_client, to_server, &way, number) => ended,
                    ended = carry_answers(from_server, to_client, &way, number) => ended,
                }
            };
            tokio::select! {
                _ = carried => {}
                _ = gone.wait_for(|way| way.is_cut) => {}
            }
        });
    }
}

/// Waits while nothing is carried on this connection.
async fn wait_until_open(way: &watch::Sender<Way>, number: u64) {
    let mut changes = way.subscribe();
    // The sender lives as long as its connections.
    let _ = changes
        .wait_for(|way| !way.is_held && number >= way.forgotten)
        .await;
}

async fn carry_questions(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: &watch::Sender<Way>,
    number: u64,
) -> std::io::Result<()> {
    // Its first message has no type.
    let mut message = read_message(&mut from, 0).await?;
    // Statements of the write that is open, where there is one.
    let mut statements = None;
    loop {
        if message[0] == b'Q' && message.ends_with(BEGIN_WRITE) {
            statements = Some(0);
        }
        // The first statement locked the row, and its answer was seen.
        if statements == Some(1) && matches!(message[0], b'P' | b'B' | b'Q') {
            hold_in_time(way);
            statements = None;
        }
        if message[0] == b'E' {
            statements = statements.map(|count| count + 1);
        }
        wait_until_open(way, number).await;
        to.write_all(&message).await?;
        message = read_message(&mut from, 1).await?;
    }
}

/// Counts the writes, and holds the way in the one that was chosen.
fn hold_in_time(way: &watch::Sender<Way>) {
    way.send_if_modified(|way| match way.writes_left {
        Some(0) => {
            (way.is_held, way.writes_left) = (true, None);
            true
        }
        Some(left) => {
            way.writes_left = Some(left - 1);
            false
        }
        None => false,
    });
}

async fn carry_answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: &watch::Sender<Way>,
    number: u64,
) -> std::io::Result<()> {
    loop {
        let message = read_message(&mut from, 1).await?;
        wait_until_open(way, number).await;
        if message[0] == b'A' && way.borrow().loses_news {
            continue;
        }
        to.write_all(&message).await?;
    }
}

/// One message: so many bytes that tell its type, and a length that counts itself.
async fn read_message(from: &mut (impl AsyncRead + Unpin), kind: usize) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; kind + 4];
    from.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([
        message[kind],
        message[kind + 1],
        message[kind + 2],
        message[kind + 3],
    ]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(4..LONGEST).contains(&length) {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    message.resize(kind + length, 0);
    from.read_exact(&mut message[kind + 4..]).await?;
    Ok(message)
}
