//! Which server takes writes now, and the connections to it. Of several hosts that changes while Vega runs: a standby takes the place of a
//! server that is gone. Decides which one is used, never one that was replaced; `poll` says when to look again.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::{fmt, io};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Error};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use crate::postgres::connection::{CONNECT, Found, NoConnection, find};
use crate::postgres::fitness::About;
use crate::postgres::history::{History, Remembered};
use crate::postgres::server::Server;
use crate::postgres::session::{self, READ, WRITE};

const READERS: u32 = 4;

/// The connections to the server that takes writes.
pub(crate) struct Connections {
    options: PgConnectOptions,
    pub(crate) writer: PgPool,
    pub(crate) reader: PgPool,
    /// Where in its history the server was when it was found.
    pub(crate) history: History,
    host: String,
}

impl Connections {
    pub(crate) fn to(found: Found) -> Self {
        let history = found.history;
        let pool_of = |connections, patience| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(patience)
                .after_connect(move |connection, _| Box::pin(history.prove(connection)))
                .connect_lazy_with(found.options.clone())
        };
        Self {
            writer: pool_of(1, WRITE),
            reader: pool_of(READERS, READ),
            options: found.options,
            history: found.history,
            host: found.host,
        }
    }

    /// One connection, for a program that only looks: whatever it writes fails.
    pub(crate) async fn to_look(reader: PgPool, options: PgConnectOptions, history: History) -> Self {
        let writer = PgPoolOptions::new().connect_lazy_with(options.clone());
        writer.close().await;
        Self {
            options,
            writer,
            reader,
            history,
            host: String::new(),
        }
    }

    /// One connection beside the pools.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Error> {
        let mut connection = self.options.connect().await?;
        self.history.prove(&mut connection).await?;
        Ok(connection)
    }

    /// A pool for one connection that listens.
    pub(crate) fn to_listen(&self) -> PgPool {
        let history = self.history;
        PgPoolOptions::new()
            .max_connections(1)
            .after_connect(move |connection, _| Box::pin(history.prove(connection)))
            .connect_lazy_with(self.options.clone())
    }

    async fn close(&self) {
        tokio::join!(session::close(&self.reader), session::close(&self.writer));
    }
}

/// The server that takes writes.
pub(crate) struct Primary {
    server: Server,
    remembered: Remembered,
    /// What was remembered when this program began.
    seen_before: Option<History>,
    /// Where all that this machine knows was found last.
    whole_at: std::sync::Mutex<Option<History>>,
    now: RwLock<Now>,
    /// Whoever looks is alone.
    looks: Mutex<()>,
    replaced: watch::Sender<()>,
}

struct Now {
    connections: Arc<Connections>,
    /// Why they must not be used.
    refused: Option<String>,
}

/// Without the options, which show the password.
impl fmt::Debug for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Primary")
            .field("server", &self.server)
            .field("history", &self.now().connections.history)
            .finish_non_exhaustive()
    }
}

/// A host that is new to this program, if it keeps what it acknowledges.
async fn fit(found: Found) -> Result<Found, NoConnection> {
    let asked = async {
        let mut asked = found.options.connect().await?;
        About::ask(&mut asked).await
    };
    let about = timeout(CONNECT, asked)
        .await
        .unwrap_or_else(|_| Err(session::missed()));
    let host = found.host.clone();
    match about.map(|about| about.unfit()) {
        Ok(None) => Ok(found),
        Ok(Some(unfit)) => Err(NoConnection::Unfit { host, unfit }),
        Err(source) => Err(NoConnection::Unreached { host, source }),
    }
}

impl Primary {
    pub(crate) fn new(server: Server, remembered: Remembered, connections: Connections) -> Self {
        let now = Now {
            connections: Arc::new(connections),
            refused: None,
        };
        let seen_before = remembered.newest();
        Self {
            server,
            remembered,
            seen_before,
            whole_at: std::sync::Mutex::new(seen_before),
            now: RwLock::new(now),
            looks: Mutex::default(),
            replaced: watch::Sender::new(()),
        }
    }

    fn now(&self) -> RwLockReadGuard<'_, Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections to use. Fails where none may be.
    pub(crate) fn connections(&self) -> Result<Arc<Connections>, Error> {
        let now = self.now();
        match &now.refused {
            None => Ok(Arc::clone(&now.connections)),
            Some(why) => Err(Error::Io(io::Error::new(
                io::ErrorKind::NotConnected,
                why.clone(),
            ))),
        }
    }

    /// What was remembered when this program began.
    pub(crate) fn seen_before(&self) -> Option<History> {
        self.seen_before
    }

    /// Remembers where the server is in its history. Not before all that this machine knows was found there, or made safe: until then the
    /// next start has to notice a loss, too.
    pub(crate) fn is_whole_at(&self, history: History) {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if *whole_at == Some(history) {
            return;
        }
        match self.remembered.remember(history) {
            Ok(()) => *whole_at = Some(history),
            Err(error) => tracing::warn!(%error, "which database server was used last is not remembered"),
        }
    }

    /// Changes when other connections have to be used, or none.
    pub(crate) fn replaced(&self) -> watch::Receiver<()> {
        self.replaced.subscribe()
    }

    /// Looks which server takes writes, and uses that one from now on.
    pub(crate) async fn look_again(&self) -> Result<(), NoConnection> {
        let _alone = self.looks.lock().await;
        let before = Arc::clone(&self.now().connections);
        let newest = self.remembered.newest();
        let newest = newest.filter(|newest| before.history.is_before(*newest));
        let found = match find(&self.server, Some(newest.unwrap_or(before.history))).await {
            Ok(found) if found.history == before.history && found.host == before.host => Ok(found),
            Ok(found) => fit(found).await,
            Err(why) => Err(why),
        };
        match found {
            Ok(found) if found.history == before.history && found.host == before.host => {
                self.set(|now| now.refused = None);
                Ok(())
            }
            Ok(found) => {
                tracing::info!(host = %found.host, timeline = found.history.timeline, "another database server takes the writes");
                let connections = Arc::new(Connections::to(found));
                self.set(|now| {
                    *now = Now {
                        connections,
                        refused: None,
                    };
                });
                self.replaced.send_replace(());
                // What is under way there has deadlines.
                tokio::spawn(async move { before.close().await });
                Ok(())
            }
            Err(why) => {
                // One that is away may come back as it was. One that was replaced must not be used, and what somebody has to decide is
                // waited for.
                let comes_back = why.is_away() && !matches!(why, NoConnection::Replaced { .. });
                let refused = (!comes_back).then(|| why.to_string());
                let is_refused = refused.is_some();
                self.set(|now| now.refused = refused);
                if is_refused {
                    self.replaced.send_replace(());
                }
                Err(why)
            }
        }
    }

    fn set(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.now.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) async fn close(&self) {
        let connections = Arc::clone(&self.now().connections);
        connections.close().await;
    }
}
