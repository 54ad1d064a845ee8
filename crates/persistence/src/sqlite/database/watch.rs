//! Watches the database and its spool for the whole process: one connection, one look every so often, for however many wait.
//! SQLite's `data_version` changes on one connection when any other has committed, in any process; reading it costs a few bytes
//! of shared memory and no table. For the spool, modification times are compared.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use sqlx::sqlite::SqlitePool;
use tokio::sync::{Mutex, watch};

use crate::spool::slots::Spool;

/// Half of the delay that the port `TokenChanges` promises.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// While this state is the same, no token and no access key has changed.
#[derive(Debug, PartialEq, Eq)]
struct State {
    version: i64,
    spooled: Vec<(PathBuf, Option<SystemTime>)>,
}

/// The watch over one database.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Always the same connection, which must not write: the changes of others are seen from its own point of view.
    connection: SqlitePool,
    spool: Spool,
    /// The state at the last look; `None` before the first one, and while the database does not answer.
    seen: Mutex<Option<State>>,
    changes: watch::Sender<u64>,
    is_looking: OnceLock<()>,
}

impl Watch {
    /// Over a pool of one connection that is never replaced while it works.
    pub(crate) fn new(connection: SqlitePool, spool: Spool) -> Arc<Self> {
        Arc::new(Self {
            connection,
            spool,
            seen: Mutex::default(),
            changes: watch::Sender::new(0),
            is_looking: OnceLock::new(),
        })
    }

    /// Counts what changes from now on. The first subscriber begins the looks, which go on until the database is closed.
    pub(crate) fn subscribe(self: &Arc<Self>) -> watch::Receiver<u64> {
        self.is_looking.get_or_init(|| {
            tokio::spawn(look_again_and_again(Arc::downgrade(self)));
        });
        self.changes.subscribe()
    }

    /// Looks now, and tells all subscribers if something changed since the last look. Returns whether the database answered.
    pub(crate) async fn look(&self) -> bool {
        let mut seen = self.seen.lock().await;
        let state = self.state().await;
        let answered = state.is_some();
        // A new connection counts anew, so that what was seen before means nothing any more.
        if *seen != state || !answered {
            *seen = state;
            self.changes.send_modify(|changes| *changes += 1);
        }
        answered
    }

    async fn state(&self) -> Option<State> {
        let version = sqlx::query_scalar("PRAGMA data_version");
        let version = version.fetch_one(&self.connection).await.ok()?;
        let spooled = self.spool.written();
        Some(State { version, spooled })
    }

    pub(crate) async fn close(&self) {
        self.connection.close().await;
    }
}

async fn look_again_and_again(watch: Weak<Watch>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(watch) = watch.upgrade() else { return };
        watch.look().await;
        if watch.connection.is_closed() {
            return;
        }
    }
}
