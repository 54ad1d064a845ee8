//! Watches the database and its spool for the whole process: one connection, one look every so often, for however many wait;
//! while nothing is written, little more than the times of the files.
//! SQLite's `data_version` changes on one connection when any other has committed, in any process; reading it costs a few bytes
//! of shared memory and no table. For the spool, modification times are compared.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, watch};

use crate::spool::slots::Spool;
use crate::sqlite::database_file::beside;

/// Half of the delay that the port `TokenChanges` promises.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Who commits writes the log first and makes it visible when the log is on disk, and Vega then leaves a trace. For other
/// programs, and for a Vega that dies in between, the looks go on for ten seconds after a trace.
const LOOKS_AFTER_A_TRACE: u32 = 200;

/// For what leaves no trace that this process can see: once a second.
const LOOK_IN_ANY_CASE: u32 = 20;

/// What a write changes on disk, whoever makes it.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    /// Time and length of the write-ahead log.
    log: Option<(Option<SystemTime>, u64)>,
    spooled: Vec<(PathBuf, Option<SystemTime>)>,
}

/// While this state is the same, no token and no access key has changed.
#[derive(Debug, PartialEq, Eq)]
struct State {
    version: i64,
    spooled: Vec<(PathBuf, Option<SystemTime>)>,
}

/// What the next look needs of the last one.
#[derive(Debug, Default)]
struct Last {
    /// Held from look to look: to take it out of its pool and put it back wakes its thread twice more.
    connection: Option<PoolConnection<Sqlite>>,
    /// The state; `None` before the first look, and while the database does not answer.
    seen: Option<State>,
}

/// The watch over one database.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Always the same connection, which must not write: the changes of others are seen from its own point of view.
    pool: SqlitePool,
    log: PathBuf,
    spool: Spool,
    last: Mutex<Last>,
    changes: watch::Sender<u64>,
    is_looking: AtomicBool,
}

impl Watch {
    /// Over a pool of one connection that is never replaced while it works.
    pub(crate) fn new(pool: SqlitePool, database: &Path, spool: Spool) -> Arc<Self> {
        Arc::new(Self {
            pool,
            log: beside(database, "-wal"),
            spool,
            last: Mutex::default(),
            changes: watch::Sender::new(0),
            is_looking: AtomicBool::new(false),
        })
    }

    /// Counts what changes from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Looks now, in a task of its own: a caller that is not polled for a while holds nobody up. Returns whether somebody
    /// goes on looking; then all subscribers are told of what changes.
    pub(crate) async fn look_now(self: &Arc<Self>) -> bool {
        let watch = Arc::clone(self);
        let answered = tokio::spawn(async move { watch.look().await }).await;
        answered.unwrap_or(false) && self.goes_on()
    }

    /// Begins the looks, or begins them again where they ended. They go on until the database is closed.
    fn goes_on(self: &Arc<Self>) -> bool {
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return true;
        }
        let looking = Looking(Arc::downgrade(self));
        let thread = std::thread::Builder::new().name("vega-watch".into());
        let begun = thread.spawn(move || look_on_this_thread(&looking));
        if let Err(error) = &begun {
            tracing::error!(%error, "nobody watches what other processes change");
        }
        begun.is_ok()
    }

    /// Looks, and tells all subscribers if something changed since the last look. Returns whether the database answered.
    async fn look(&self) -> bool {
        let mut last = self.last.lock().await;
        // Taken out, so that a look which is dropped halfway leaves no connection with half an answer.
        let held = last.connection.take();
        let connection = if let Some(connection) = held {
            Ok(connection)
        } else {
            // It may be another one than before.
            last.seen = None;
            self.pool.acquire().await
        };
        let (state, connection) = match connection {
            Ok(connection) => self.state(connection).await,
            Err(_) => (None, None),
        };
        last.connection = connection;
        let answered = state.is_some();
        // A new connection counts anew, so that what was seen before means nothing any more.
        if last.seen != state || !answered {
            last.seen = state;
            self.changes.send_modify(|changes| *changes += 1);
        }
        answered
    }

    fn traces(&self) -> Traces {
        let log = self.log.metadata().ok();
        Traces {
            log: log.map(|log| (log.modified().ok(), log.len())),
            spooled: self.spool.written(),
        }
    }

    async fn state(
        &self,
        mut connection: PoolConnection<Sqlite>,
    ) -> (Option<State>, Option<PoolConnection<Sqlite>>) {
        let version = sqlx::query_scalar("PRAGMA data_version");
        let Ok(version) = version.fetch_one(&mut *connection).await else {
            return (None, None);
        };
        let spooled = self.spool.written();
        (Some(State { version, spooled }), Some(connection))
    }

    pub(crate) async fn close(&self) {
        // Closed from here on, so that no look takes the connection once more.
        let closing = self.pool.close();
        self.last.lock().await.connection = None;
        closing.await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // On its way back to the pool it would need a runtime, and the last one who has the watch may be outside.
        let connection = self.last.get_mut().connection.take();
        drop(connection.map(PoolConnection::detach));
    }
}

/// Who looks again and again. However that ends, those who wait are told, so that they ask once more and it begins anew.
struct Looking(Weak<Watch>);

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(watch) = self.0.upgrade() {
            watch.is_looking.store(false, Ordering::Release);
            watch.changes.send_modify(|changes| *changes += 1);
        }
    }
}

/// Marks the log as written now, after a commit that is visible: however long the disk took, those who watch look once more. SQLite
/// locks nothing of this file, and it is not opened here.
#[cfg(unix)]
pub(crate) fn leave_trace(log: &Path) {
    use nix::fcntl::AT_FDCWD;
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;

    let (accessed, modified) = (TimeSpec::UTIME_OMIT, TimeSpec::UTIME_NOW);
    if let Err(error) = utimensat(AT_FDCWD, log, &accessed, &modified, UtimensatFlags::FollowSymlink) {
        tracing::debug!(%error, "a commit left no trace");
    }
}

#[cfg(not(unix))]
pub(crate) fn leave_trace(_log: &Path) {}

/// A thread of its own: on the threads of the program each look wakes several of them.
fn look_on_this_thread(looking: &Looking) {
    match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime.block_on(look_again_and_again(&looking.0)),
        Err(error) => tracing::error!(%error, "nobody watches what other processes change"),
    }
}

async fn look_again_and_again(watch: &Weak<Watch>) {
    let mut pace = Pace::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(watch) = watch.upgrade() else { return };
        if pace.is_look_due(watch.traces()) {
            watch.look().await;
        }
        if watch.pool.is_closed() {
            return;
        }
    }
}

/// Decides when to look.
#[derive(Debug, Default)]
struct Pace {
    traces: Option<Traces>,
    looks_left: u32,
    ticks: u32,
}

impl Pace {
    /// To be asked at each tick.
    fn is_look_due(&mut self, found: Traces) -> bool {
        self.ticks = self.ticks.wrapping_add(1);
        let found = Some(found);
        if self.traces != found {
            (self.traces, self.looks_left) = (found, LOOKS_AFTER_A_TRACE);
        }
        let is_due = self.looks_left > 0 || self.ticks.is_multiple_of(LOOK_IN_ANY_CASE);
        self.looks_left = self.looks_left.saturating_sub(1);
        is_due
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;
    use crate::key_files::root_key::RootKey;
    use crate::sealing::seal::Sealer;

    fn log(length: u64) -> Traces {
        Traces {
            log: Some((Some(SystemTime::UNIX_EPOCH), length)),
            spooled: Vec::new(),
        }
    }

    #[tokio::test]
    async fn where_nobody_looks_any_more_those_who_wait_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let key = RootKey::create(&dir.path().join("key")).unwrap();
        let path = dir.path().join("vega.db");
        let spool = Spool::beside(&path, Arc::new(Sealer::new(&key)));
        let pool = SqlitePoolOptions::new().connect_lazy("sqlite::memory:").unwrap();
        let watch = Watch::new(pool, &path, spool);
        let waits = watch.subscribe();
        watch.is_looking.store(true, Ordering::Release);
        drop(Looking(Arc::downgrade(&watch)));
        assert!(waits.has_changed().unwrap());
        assert!(!watch.is_looking.load(Ordering::Acquire), "it can begin again");
    }

    /// Which of so many ticks are looks.
    fn looks(pace: &mut Pace, ticks: u32, found: impl Fn() -> Traces) -> u32 {
        (0..ticks).map(|_| u32::from(pace.is_look_due(found()))).sum()
    }

    #[test]
    fn each_tick_is_a_look_for_ten_seconds_after_a_write_and_one_in_a_second_then() {
        let mut pace = Pace::default();
        assert_eq!(
            looks(&mut pace, LOOKS_AFTER_A_TRACE, || log(1)),
            LOOKS_AFTER_A_TRACE
        );
        assert_eq!(looks(&mut pace, 10 * LOOK_IN_ANY_CASE, || log(1)), 10);
        assert!(pace.is_look_due(log(2)), "at once");
        assert_eq!(
            looks(&mut pace, LOOKS_AFTER_A_TRACE - 1, || log(2)),
            LOOKS_AFTER_A_TRACE - 1
        );
        assert_eq!(looks(&mut pace, 10 * LOOK_IN_ANY_CASE, || log(2)), 10);
        let spooled = || Traces {
            spooled: vec![(PathBuf::from("PRIMARY.slot"), None)],
            ..log(2)
        };
        assert!(pace.is_look_due(spooled()), "the spool leaves traces too");
    }
}
