//! Allows one sign-in at a time on all machines. A row says who has the lease, with an epoch that is never used twice and a heartbeat
//! that grows while the holder lives. Free is what was given back, and what stayed the same for a while in this process's own looks: no
//! wall clock counts, and an outage of the database takes the lease from nobody who lives. On one machine the lock of a file comes first;
//! a holder that had it is dead as soon as it is free.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Error;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::{Clock, Lease, LeaseError, LeaseHolder, LoginLease, StoreError};

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::files::process_lock::{host_name, this_process};
use crate::postgres::connection::CONNECT;
use crate::postgres::engine::PostgresEngine;
use crate::postgres::history::History;
use crate::postgres::lease_row::LeaseRow;
use crate::postgres::machine_lock::{HeldLock, Machine, MachineLock};
use crate::postgres::primary::{Connections, Primary};
use crate::postgres::session::{self, READ};
use crate::repositories::audit_trail;
use crate::sql;

/// So often a holder says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// So long nothing is heard of a holder before it counts as dead.
const SILENCE: Duration = Duration::from_secs(15);

/// While a holder is listened to.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

const DOING: &str = "take the sign-in lease";

/// `LoginLease` over a row of the database.
pub(crate) struct RowLoginLease {
    data: DataSource,
    engine: PostgresEngine,
    clock: Arc<dyn Clock>,
    lock: MachineLock,
}

impl RowLoginLease {
    /// The lease of the open database.
    pub(crate) fn new(data: DataSource, engine: PostgresEngine, clock: Arc<dyn Clock>) -> Self {
        Self {
            lock: MachineLock::beside(data.path()),
            data,
            engine,
            clock,
        }
    }

    /// What tells the boots of this machine apart.
    fn boot(&self) -> Option<String> {
        Some(self.clock.reading().since_boot?.boot)
    }

    /// Whether the holder's process is dead, as far as this process has seen. `free` is the lock of this machine that no other process
    /// has.
    fn is_dead(&self, row: &LeaseRow, free: Option<&Machine>) -> bool {
        let silence = self.engine.poll.silence_of(row.epoch, row.heartbeat);
        row.had(free) || silence.is_some_and(|silence| silence >= SILENCE)
    }

    /// Listens to whoever has the lease until he says something, or counts as dead. Of one that was heard just now that is known.
    async fn hear_the_holder(&self, free: Option<&Machine>) -> Result<(), StoreError> {
        let mut is_told = false;
        loop {
            self.engine.poll.look_now().await;
            let found = LeaseRow::read(&mut self.data.session().await?).await?;
            let Some(row) = found.filter(|row| !row.released) else {
                return Ok(());
            };
            if self.is_dead(&row, free) || self.engine.poll.spoke_within(row.epoch, 2 * HEARTBEAT) {
                return Ok(());
            }
            if !is_told && self.engine.poll.silence_of(row.epoch, row.heartbeat) > Some(HEARTBEAT) {
                let (holder, silence) = (row.holder(), SILENCE.as_secs());
                tracing::warn!(
                    "{holder} has the sign-in lease, and nothing is heard of it. After {silence} s it counts as dead"
                );
                is_told = true;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// The epoch under which this process has the lease now, or who has it.
    async fn take(&self, machine: Option<&Machine>) -> Result<Result<i64, LeaseHolder>, StoreError> {
        let mut tx = self.data.write().await?;
        let found = LeaseRow::read_locked(&mut tx).await?;
        let held = found.as_ref().filter(|row| !row.released);
        if let Some(row) = held.filter(|row| !self.is_dead(row, machine)) {
            return Ok(Err(row.holder()));
        }
        // No other write is open, so nobody else takes it now; and an epoch is used once, also by one process.
        // Not one that another process had in a commit that was lost with a server.
        let first = tx.history().map_or(0, History::first_epoch);
        let take = "UPDATE writer SET epoch = greatest(epoch, $1) + 1 WHERE id = 1 RETURNING epoch";
        let epoch: i64 = sql::query_scalar(take)
            .bind(first)
            .fetch_one(&mut tx)
            .await
            .map_err(failed(DOING))?;
        sql::query(
            "INSERT INTO login_lease (id, epoch, heartbeat, released, pid, host, since, process, machine)
             VALUES (1, $1, 0, false, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, heartbeat = 0, released = false, pid = excluded.pid,
                 host = excluded.host, since = excluded.since, process = excluded.process, machine = excluded.machine",
        )
        .bind(epoch)
        .bind(std::process::id())
        .bind(host_name())
        .bind(self.clock.now())
        .bind(this_process())
        .bind(machine.map(ToString::to_string))
        .execute(&mut tx)
        .await
        .map_err(failed(DOING))?;
        // In the folder of this machine everything is found that its process kept.
        if let Some(dead) = held.filter(|dead| !dead.had_the_folder_of(machine)) {
            let words = format!(
                "{}; nothing was heard of it for {} s",
                dead.holder(),
                SILENCE.as_secs()
            );
            let entry = AuditEntry::new(self.clock.now(), AuditKind::LeaseTakenOver, words);
            audit_trail::insert(&mut tx, &entry).await?;
        }
        tx.commit().await.map_err(failed(DOING))?;
        Ok(Ok(epoch))
    }
}

#[async_trait]
impl LoginLease for RowLoginLease {
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError> {
        // What this process gave back is on its way.
        self.engine.lease.settle().await;
        let Some(lock) = self.lock.take(self.boot().as_deref()).await? else {
            let found = LeaseRow::read(&mut self.data.session().await?).await?;
            let held = found.filter(|row| !row.released);
            return Err(LeaseError::Held(held.map(|row| row.holder())));
        };
        let machine = lock.machine.as_ref();
        self.hear_the_holder(machine).await?;
        match self.take(machine).await? {
            Err(holder) => Err(LeaseError::Held(Some(holder))),
            Ok(epoch) => Ok(Box::new(HeldLease::begin(&self.engine, epoch, lock))),
        }
    }

    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError> {
        self.engine.lease.settle().await;
        let found = LeaseRow::read(&mut self.data.session().await?).await?;
        let Some(row) = found.filter(|row| !row.released) else {
            return Ok(None);
        };
        let free = self.lock.if_free(self.boot().as_deref());
        Ok((!self.is_dead(&row, free.as_ref())).then(|| row.holder()))
    }

    async fn refuse_taken_over(&self) -> Result<(), StoreError> {
        let epoch = timeout(CONNECT, epoch_in_force(&self.engine.primary));
        let epoch = epoch.await.unwrap_or_else(|_| Err(session::missed()));
        let epoch = epoch.map_err(failed("look who has the sign-in lease"))?;
        if self.engine.lease.is_under(epoch) {
            return Ok(());
        }
        // That it is somebody else's is certain; its name is not.
        Err(StoreError::TakenOver(self.holder().await.unwrap_or_default()))
    }
}

/// On a connection of its own: one that lay ready may have died without a word, and a code waits for this. Where another server took the
/// place meanwhile, that one tells.
async fn epoch_in_force(primary: &Primary) -> Result<i64, Error> {
    let ask = async || {
        let mut connection = primary.connections()?.connect().await?;
        sqlx::query_scalar("SELECT epoch FROM writer WHERE id = 1")
            .fetch_one(&mut connection)
            .await
    };
    match ask().await {
        Ok(epoch) => Ok(epoch),
        Err(error) => {
            let found = primary.look_again().await;
            found.map_err(|why| {
                tracing::debug!("{why}");
                error
            })?;
            ask().await
        }
    }
}

/// A held lease. Dropping it gives it back.
#[derive(Debug)]
struct HeldLease {
    engine: PostgresEngine,
    epoch: i64,
    heartbeat: JoinHandle<()>,
    lost: watch::Receiver<bool>,
    /// Held for its lock.
    lock: Option<HeldLock>,
}

impl HeldLease {
    fn begin(engine: &PostgresEngine, epoch: i64, lock: HeldLock) -> Self {
        let (loses, lost) = watch::channel(false);
        engine.lease.begin(epoch);
        let primary = Arc::clone(&engine.primary);
        Self {
            engine: engine.clone(),
            heartbeat: tokio::spawn(beat(primary, epoch, loses)),
            epoch,
            lost,
            lock: Some(lock),
        }
    }
}

#[async_trait]
impl Lease for HeldLease {
    async fn lost(&self) {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.heartbeat.abort();
        // Without a runtime nothing is said, and the lease is free when nothing was heard of it for a while.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (primary, epoch, lock) = (Arc::clone(&self.engine.primary), self.epoch, self.lock.take());
        let going_back = self.engine.lease.goes_back();
        runtime.spawn(async move {
            let given_back = async {
                let mut connection = primary.connections()?.connect().await?;
                let update = "UPDATE login_lease SET released = true WHERE id = 1 AND epoch = $1";
                sqlx::query(update).bind(epoch).execute(&mut connection).await
            };
            match timeout(READ, given_back).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the sign-in lease was not given back"),
                Err(_) => tracing::warn!("the sign-in lease was not given back: the database did not answer"),
            }
            drop(lock);
            drop(going_back);
        });
    }
}

/// Says again and again that the holder lives, until somebody else has the lease.
async fn beat(primary: Arc<Primary>, epoch: i64, loses: watch::Sender<bool>) {
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    loop {
        ticks.tick().await;
        match timeout(CONNECT, one_beat(&primary, &mut connection, epoch)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => {
                loses.send_replace(true);
                return;
            }
            // Who cannot say it has not lost the lease: another one's writes would tell.
            Ok(Err(_)) | Err(_) => connection = None,
        }
    }
}

/// Whether the lease is still this one's. On the server that takes writes now, whichever it was before.
async fn one_beat(
    primary: &Primary,
    connection: &mut Option<(Arc<Connections>, PgConnection)>,
    epoch: i64,
) -> Result<bool, Error> {
    let now = primary.connections()?;
    let kept = connection.take().filter(|(of, _)| Arc::ptr_eq(of, &now));
    let (_, connection) = if let Some(kept) = kept {
        connection.insert(kept)
    } else {
        let opened = now.connect().await?;
        connection.insert((now, opened))
    };
    let update =
        "UPDATE login_lease SET heartbeat = heartbeat + 1 WHERE id = 1 AND epoch = $1 AND NOT released";
    let beaten = sqlx::query(update).bind(epoch).execute(connection).await?;
    Ok(beaten.rows_affected() == 1)
}
