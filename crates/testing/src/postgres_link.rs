//! A way to a database server: carries PostgreSQL's messages between a port of this computer and the server's socket, and can be cut,
//! held, forgotten, or made to lose notifications and the answers to commits. It changes no message.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a write of Vega's begins with.
const BEGIN_WRITE: &[u8] = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE\0";
/// What it ends with, where it counts.
const COMMIT: &[u8] = b"COMMIT\0";
/// What the holder of a lease says that it lives with.
const HEARTBEAT: &[u8] = b"SET heartbeat = heartbeat + 1";
/// Longer than any message here, so that a stream that is out of step is noticed.
const LONGEST: usize = 64 * 1024 * 1024;

/// Where a connection ends around a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    /// The server never hears of it.
    Before,
    /// The server did it, and its answer is lost.
    After,
}

/// What is carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Carries {
    #[default]
    Everything,
    /// Nothing, and nobody is told.
    Nothing,
    /// No connection is there.
    NoConnection,
}

/// How the way is now.
#[derive(Debug, Clone, Default)]
struct Way {
    carries: Carries,
    loses_news: bool,
    holds_heartbeats: bool,
    /// Connections before this one are carried no more, and nobody is told.
    forgotten: u64,
    /// How many writes begin before the way is held within the next one.
    writes_left: Option<u32>,
    /// How many commits are done before the connection of the next one ends, and where.
    commits_left: Option<(u32, Around)>,
    /// How many commits are done before the way is held in front of the next one.
    commits_before_hold: Option<u32>,
}

/// The way of one machine to its database server.
#[derive(Debug)]
pub struct PostgresLink {
    port: u16,
    way: Arc<watch::Sender<Way>>,
    accepts: JoinHandle<()>,
    next: Arc<AtomicU64>,
    socket: Arc<Mutex<PathBuf>>,
}

impl Drop for PostgresLink {
    fn drop(&mut self) {
        self.accepts.abort();
        self.cut();
    }
}

impl PostgresLink {
    /// Opens a way to the server behind this socket.
    ///
    /// # Errors
    ///
    /// Where no port is free.
    pub async fn open(socket: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let way = Arc::new(watch::Sender::new(Way::default()));
        let next = Arc::new(AtomicU64::new(1));
        let socket = Arc::new(Mutex::new(socket));
        let accepts = tokio::spawn(accept(
            listener,
            Arc::clone(&socket),
            Arc::clone(&way),
            Arc::clone(&next),
        ));
        Ok(Self {
            port,
            way,
            accepts,
            next,
            socket,
        })
    }

    /// Where a machine finds the database of this name.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://vega@{}/{database}", self.address())
    }

    /// The host and port that it is.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// New connections lead to the server behind this socket, as where a name is given to another one.
    pub fn leads_to(&self, socket: PathBuf) {
        *self.socket.lock().unwrap() = socket;
    }

    /// Ends every connection and lets none begin.
    pub fn cut(&self) {
        self.way.send_modify(|way| way.carries = Carries::NoConnection);
    }

    /// Carries nothing, and tells nobody.
    pub fn hold(&self) {
        self.way.send_modify(|way| way.carries = Carries::Nothing);
    }

    /// Carries everything again; what was held comes late.
    pub fn let_go(&self) {
        self.way.send_modify(|way| {
            *way = Way {
                forgotten: way.forgotten,
                ..Way::default()
            };
        });
    }

    /// Carries nothing more on the connections that there are, as a router does that was started anew. New ones are carried.
    pub fn forget(&self) {
        let next = self.next.load(Ordering::SeqCst);
        self.way.send_modify(|way| way.forgotten = next);
    }

    /// Loses each notification from now on.
    pub fn lose_news(&self) {
        self.way.send_modify(|way| way.loses_news = true);
    }

    /// Carries no heartbeat from now on, and everything else.
    pub fn hold_heartbeats(&self) {
        self.way.send_modify(|way| way.holds_heartbeats = true);
    }

    /// Holds the way as soon as so many writes are done and the next one has its lock.
    pub fn hold_within_a_write(&self, after: u32) {
        self.way.send_modify(|way| way.writes_left = Some(after));
    }

    /// Holds the way as soon as so many commits are done and the next one is about to be told: all that it wrote is locked then.
    pub fn hold_before_a_commit(&self, after: u32) {
        self.way.send_modify(|way| way.commits_before_hold = Some(after));
    }

    /// Ends the connection of the commit that comes after so many others.
    pub fn lose_a_commit(&self, after: u32, around: Around) {
        self.way
            .send_modify(|way| way.commits_left = Some((after, around)));
    }

    /// Whether that commit has come.
    pub fn has_lost_it(&self) -> bool {
        self.way.borrow().commits_left.is_none()
    }

    /// Whether nothing is carried.
    pub fn is_held(&self) -> bool {
        self.way.borrow().carries == Carries::Nothing
    }
}

async fn accept(
    listener: TcpListener,
    socket: Arc<Mutex<PathBuf>>,
    way: Arc<watch::Sender<Way>>,
    next: Arc<AtomicU64>,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // No file handles: somebody else's end gives some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let number = next.fetch_add(1, Ordering::SeqCst);
        let (socket, way) = (socket.lock().unwrap().clone(), Arc::clone(&way));
        tokio::spawn(async move {
            let _ = client.set_nodelay(true);
            let mut gone = way.subscribe();
            let carried = async {
                wait_until_open(&way, number).await;
                let server = UnixStream::connect(socket).await?;
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let loses_answer = AtomicBool::new(false);
                // Whichever side ends, the other one is told.
                tokio::select! {
                    ended = carry_questions(from_client, to_server, &way, number, &loses_answer) => ended,
                    ended = carry_answers(from_server, to_client, &way, number, &loses_answer) => ended,
                }
            };
            tokio::select! {
                _ = carried => {}
                _ = gone.wait_for(|way| way.carries == Carries::NoConnection) => {}
            }
        });
    }
}

/// Waits while nothing is carried on this connection.
async fn wait_until_open(way: &watch::Sender<Way>, number: u64) {
    let mut changes = way.subscribe();
    // The sender lives as long as its connections.
    let _ = changes
        .wait_for(|way| way.carries != Carries::Nothing && number >= way.forgotten)
        .await;
}

async fn carry_questions(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: &watch::Sender<Way>,
    number: u64,
    loses_answer: &AtomicBool,
) -> io::Result<()> {
    // Its first message has no type.
    let mut message = read_message(&mut from, 0).await?;
    // Statements of the write that is open, where there is one.
    let mut statements = None;
    let mut is_write = false;
    let mut has_heartbeats = false;
    loop {
        // Prepared once, and named from then on.
        has_heartbeats |=
            message[0] == b'P' && message.windows(HEARTBEAT.len()).any(|words| words == HEARTBEAT);
        if message[0] == b'Q' && message.ends_with(BEGIN_WRITE) {
            statements = Some(0);
            is_write = true;
        }
        if is_write && message[0] == b'Q' && message.ends_with(COMMIT) {
            is_write = false;
            match lose_in_time(way) {
                Some(Around::Before) => return Ok(()),
                Some(Around::After) => loses_answer.store(true, Ordering::SeqCst),
                None => {}
            }
            hold_in_time(way, |way| &mut way.commits_before_hold);
        }
        // The first statement locked the row, and its answer was seen.
        if statements == Some(1) && matches!(message[0], b'P' | b'B' | b'Q') {
            hold_in_time(way, |way| &mut way.writes_left);
            statements = None;
        }
        if message[0] == b'E' {
            statements = statements.map(|count| count + 1);
        }
        if has_heartbeats {
            let _ = way.subscribe().wait_for(|way| !way.holds_heartbeats).await;
        }
        wait_until_open(way, number).await;
        to.write_all(&message).await?;
        message = read_message(&mut from, 1).await?;
    }
}

/// Counts these, and holds the way at the one that was chosen.
fn hold_in_time(way: &watch::Sender<Way>, left: impl Fn(&mut Way) -> &mut Option<u32>) {
    way.send_if_modified(|way| {
        let left = left(way);
        match left {
            Some(0) => {
                *left = None;
                way.carries = Carries::Nothing;
                true
            }
            Some(more) => {
                *more -= 1;
                false
            }
            None => false,
        }
    });
}

/// Counts the commits, and says where the connection of the one that was chosen ends.
fn lose_in_time(way: &watch::Sender<Way>) -> Option<Around> {
    let mut lost = None;
    way.send_modify(|way| match way.commits_left {
        Some((0, around)) => (way.commits_left, lost) = (None, Some(around)),
        Some((left, around)) => way.commits_left = Some((left - 1, around)),
        None => {}
    });
    lost
}

async fn carry_answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: &watch::Sender<Way>,
    number: u64,
    loses_answer: &AtomicBool,
) -> io::Result<()> {
    loop {
        let message = read_message(&mut from, 1).await?;
        // It is done.
        if message[0] == b'C' && loses_answer.load(Ordering::SeqCst) {
            return Ok(());
        }
        wait_until_open(way, number).await;
        if message[0] == b'A' && way.borrow().loses_news {
            continue;
        }
        to.write_all(&message).await?;
    }
}

/// One message: so many bytes that tell its type, and a length that counts itself.
async fn read_message(from: &mut (impl AsyncRead + Unpin), kind: usize) -> io::Result<Vec<u8>> {
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
        return Err(io::ErrorKind::InvalidData.into());
    }
    message.resize(kind + length, 0);
    from.read_exact(&mut message[kind + 4..]).await?;
    Ok(message)
}
