//! Notices changes in SQLite and in the spool. SQLite's `data_version` changes on one connection when any other has
//! committed, in any process; reading it costs a few bytes of shared memory and no table. For the spool, modification
//! times are compared.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Mutex;
use vega_domain::ports::TokenChanges;

use crate::spool::slots::Spool;
use crate::sqlite::database::data_source::DataSource;

/// Half of the delay that the port promises.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// `TokenChanges` over SQLite and the spool beside it.
#[derive(Debug)]
pub struct SqliteTokenChanges {
    data: DataSource,
    spool: Spool,
    /// The state at which the last call returned; `None` before the first call.
    seen: Mutex<Option<State>>,
}

/// While this state is the same, no token and no access key has changed.
#[derive(Debug, PartialEq, Eq)]
struct State {
    version: i64,
    spooled: Vec<(PathBuf, Option<SystemTime>)>,
}

impl SqliteTokenChanges {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self {
            spool: data.spool(),
            data,
            seen: Mutex::default(),
        }
    }

    /// `None` where the database does not answer.
    async fn state(&self) -> Option<State> {
        let version = sqlx::query_scalar("PRAGMA data_version");
        let version = version.fetch_one(self.data.watcher()).await.ok()?;
        let spool = self.spool.clone();
        let spooled = tokio::task::spawn_blocking(move || spool.written()).await.ok()?;
        Some(State { version, spooled })
    }
}

#[async_trait]
impl TokenChanges for SqliteTokenChanges {
    async fn changed(&self) {
        let mut seen = self.seen.lock().await;
        loop {
            // What is seen is noted only together with the return, so a call that is dropped has seen nothing.
            let state = self.state().await;
            if state.is_none() {
                // A new connection counts anew, so what was seen means nothing any more.
                *seen = None;
                tokio::time::sleep(ASK_EVERY).await;
                return;
            }
            if *seen != state {
                *seen = state;
                return;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}
