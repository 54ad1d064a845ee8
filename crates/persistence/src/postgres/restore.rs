//! A backup in the place of what a database on a server holds, in one transaction. Decides whether others have it: every session with
//! the database but this process's own one. What is there is copied into a file first.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::time::Instant;

use crate::database::causes::failed;
use crate::database::move_state::MoveState;
use crate::database::place::DatabasePlace;
use crate::files::{create_private_dir, io, private_options};
use crate::integrity::loss::no_lease_is_in_force;
use crate::maintenance::arrival::{Trail, move_of};
use crate::maintenance::backup::{copy_rows, take_in};
use crate::maintenance::backup_copy::BackupCopy;
use crate::maintenance::restore::{Before, InPlace, kept_name};
use crate::maintenance::restore_error::RestoreError;
use crate::maintenance::tables::{self, COPIED, LEFT_OUT};
use crate::postgres::opening::{self, fit_server};
use crate::postgres::primary::Connections;
use crate::postgres::session::{self, PgSession, WRITE};
use crate::sql::{self, CommitError, Session};

const DOING: &str = "restore the backup";

/// So long the server may take to see that a program has gone.
const GONE_AFTER: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Sessions of others, and of programs that are none of Vega's.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

/// The database, locked, with nobody else in it.
pub(crate) struct Place {
    connections: Connections,
    /// With the writer's lock.
    tx: Session,
    pub(crate) trail: Option<Trail>,
    holds_something: bool,
    /// The file that would be this machine's.
    file: PathBuf,
}

impl Place {
    /// The place, once nobody else has it. Nobody writes there from then on.
    pub(crate) async fn alone_in(place: &DatabasePlace) -> Result<InPlace, RestoreError> {
        let mut fit = fit_server(place).await?;
        let mut names: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'f')",
        )
        .fetch_all(&mut fit.asked)
        .await
        .map_err(failed(DOING))?;
        names.retain(|name| !LEFT_OUT.contains(&&**name) && !COPIED.iter().any(|table| table.name == *name));
        if !names.is_empty() {
            return Err(RestoreError::NotOurs(place.url.clone()));
        }
        opening::migrate(&mut fit).await?;
        let _ = fit.asked.close().await;
        let file = fit.server.local_file(&place.folder);
        let connections = Connections::to(fit.found);
        match Self::locked(&connections).await {
            Ok((tx, trail, holds_something)) => Ok(InPlace::Server(Box::new(Self {
                connections,
                tx,
                trail,
                holds_something,
                file,
            }))),
            Err(error) => {
                session::close(&connections.writer).await;
                Err(error)
            }
        }
    }

    async fn locked(connections: &Connections) -> Result<(Session, Option<Trail>, bool), RestoreError> {
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
        let session = PgSession::begin(&connections.writer, connections.history, WRITE, begin).await;
        let mut tx = Session::Postgres(session.map_err(failed(DOING))?);
        sql::query("SELECT id FROM writer WHERE id = 1 FOR UPDATE")
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        let since = Instant::now();
        loop {
            let others: i64 = sql::query_scalar(OTHERS)
                .fetch_one(&mut tx)
                .await
                .map_err(failed(DOING))?;
            if others == 0 {
                break;
            }
            // One whose program has just ended is not gone at once.
            if since.elapsed() > GONE_AFTER {
                return Err(RestoreError::Held(format!(
                    " ({others} connections to the server)"
                )));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            // Within a transaction the server shows what it saw first.
            sql::query("SELECT pg_stat_clear_snapshot()")
                .execute(&mut tx)
                .await
                .map_err(failed(DOING))?;
        }
        if let Some(moves) = move_of(&mut tx)
            .await?
            .filter(|moves| moves.state != MoveState::Leaving)
        {
            return Err(RestoreError::Moved(moves.stops_writes()));
        }
        let trail = Trail::of(&mut tx).await?;
        let names = COPIED.map(|table| table.name.to_owned());
        let holds_something = tables::holds_something(&mut tx, &names)
            .await
            .map_err(failed(DOING))?;
        Ok((tx, Some(trail), holds_something))
    }

    /// Copies what is there into a file, and puts the draft's rows in its place.
    pub(crate) async fn put(
        self,
        draft: &BackupCopy,
        end: &Trail,
        at: DateTime<Utc>,
    ) -> Result<Before, RestoreError> {
        let Self {
            connections,
            mut tx,
            holds_something,
            file,
            ..
        } = self;
        let put = async {
            let kept = kept_name(&file, at);
            if holds_something {
                if let Some(folder) = kept.parent() {
                    create_private_dir(folder)?;
                }
                private_options()
                    .create_new(true)
                    .open(&kept)
                    .map_err(io("make", &kept))?;
                copy_rows(&mut tx, &kept).await?;
            }
            let options = SqliteConnectOptions::new().filename(&draft.file).read_only(true);
            let pool = SqlitePoolOptions::new()
                .max_connections(1)
                .connect_with(options)
                .await;
            let pool = pool.map_err(failed(DOING))?;
            let from = pool.begin().await.map_err(failed(DOING))?;
            let mut from = Session::Sqlite(from);
            take_in(&mut from, &mut tx, "", at).await?;
            from.rollback().await.map_err(failed(DOING))?;
            pool.close().await;
            if let Some(history) = tx.history() {
                no_lease_is_in_force(&mut tx, history).await?;
            }
            match tx.commit().await {
                Ok(()) => {}
                Err(CommitError::Refused(error)) => return Err(failed(DOING)(error).into()),
                Err(CommitError::Unanswered(error)) => {
                    if !is_done(&connections, end).await? {
                        return Err(failed(DOING)(error).into());
                    }
                }
            }
            Ok(Before {
                kept: holds_something.then_some(kept),
            })
        };
        let put = put.await;
        session::close(&connections.writer).await;
        session::close(&connections.reader).await;
        put
    }
}

/// Whether a commit was done that nobody answered: the trail then ends where that of the draft does.
async fn is_done(connections: &Connections, end: &Trail) -> Result<bool, RestoreError> {
    let asked = PgSession::acquire(&connections.reader, connections.history, WRITE).await;
    let mut asked = Session::Postgres(asked.map_err(failed(DOING))?);
    Ok(Trail::of(&mut asked).await? == *end)
}
