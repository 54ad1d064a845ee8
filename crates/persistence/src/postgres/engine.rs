//! The connections of an open PostgreSQL database: one writes, a few read, and one is told of news. One row is locked by whoever
//! writes, on whichever machine.

use std::fs::File;
use std::sync::Arc;

use vega_domain::ports::StoreError;

use crate::database::causes::failed;
#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects::{self, InjectedDefect};
use crate::postgres::lease_row::LeaseRow;
use crate::postgres::own_lease::OwnLease;
use crate::postgres::poll::Poll;
use crate::postgres::primary::{Connections, Primary};
use crate::postgres::session::{PgSession, READ, WRITE};
use crate::sql::{self, Session};

/// The connections. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct PostgresEngine {
    pub(crate) primary: Arc<Primary>,
    pub(crate) poll: Arc<Poll>,
    pub(crate) lease: Arc<OwnLease>,
    /// Keeps this machine's folder that of this database. `None` for whoever only looks.
    #[expect(dead_code, reason = "held for its lock")]
    pub(crate) folder: Option<Arc<File>>,
}

impl PostgresEngine {
    /// The writer's row is locked at once, so that a read inside sees what the write will change. Each statement sees what was
    /// committed before it: one moment for the whole transaction would be one from before the wait for the lock.
    pub(crate) async fn begin_write(&self) -> Result<Session, sqlx::Error> {
        let mut session = self
            .on_the_primary(async |connections: &Connections| {
                let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
                PgSession::begin(&connections.writer, connections.history, WRITE, begin).await
            })
            .await?;
        #[cfg(feature = "injected-defects")]
        injected_defects::lock_joined(&mut session).await?;
        let lock = "SELECT pg_current_xact_id()::text FROM writer WHERE id = 1 FOR UPDATE";
        let number = session.ask(async |connection| sqlx::query_scalar(lock).fetch_one(connection).await);
        session.write = Some(number.await?);
        Ok(Session::Postgres(session))
    }

    /// A session on the server that takes writes. Who waits for one that was replaced goes on with the one that took its place.
    async fn on_the_primary(
        &self,
        begin: impl AsyncFn(&Connections) -> Result<PgSession, sqlx::Error>,
    ) -> Result<PgSession, sqlx::Error> {
        loop {
            let mut replaced = self.primary.replaced();
            let connections = self.primary.connections()?;
            tokio::select! {
                biased;
                session = begin(&connections) => return session,
                _ = replaced.changed() => {}
            }
        }
    }

    /// Fails if another process has the lease that this one had. Inside a write, whose lock keeps it so until the commit.
    pub(crate) async fn refuse_taken_over(&self, write: &mut Session) -> Result<(), StoreError> {
        #[cfg(feature = "injected-defects")]
        if InjectedDefect::EpochNotCompared.is_in_force() {
            return Ok(());
        }
        let epoch = sql::query_scalar("SELECT epoch FROM writer WHERE id = 1")
            .fetch_one(write)
            .await;
        let epoch = epoch.map_err(failed("look who has the sign-in lease"))?;
        #[cfg(feature = "injected-defects")]
        let epoch = injected_defects::joined().unwrap_or(epoch);
        if self.lease.is_under(epoch) {
            return Ok(());
        }
        // That it is somebody else's is certain; its name is not.
        let holder = LeaseRow::read(write).await.unwrap_or_default();
        let holder = holder.filter(|row| !row.released);
        Err(StoreError::TakenOver(holder.map(|row| row.holder())))
    }

    pub(crate) async fn begin_read(&self) -> Result<Session, sqlx::Error> {
        let session = self.on_the_primary(async |connections: &Connections| {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            PgSession::begin(&connections.reader, connections.history, READ, begin).await
        });
        Ok(Session::Postgres(session.await?))
    }

    pub(crate) async fn acquire(&self) -> Result<Session, sqlx::Error> {
        let session = self.on_the_primary(async |connections: &Connections| {
            PgSession::acquire(&connections.reader, connections.history, READ).await
        });
        Ok(Session::Postgres(session.await?))
    }

    pub(crate) async fn close(&self) {
        self.lease.settle().await;
        self.poll.close();
        self.primary.close().await;
    }
}
