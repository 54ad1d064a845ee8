//! The place that a database is copied into. Decides whether it may be: nothing is there, or nothing that Vega does not make by itself, or
//! what an earlier try of the same move left. Everything else is refused by name before anything is written.

use std::fs::File;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqlitePoolOptions, SqliteSynchronous};
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::move_state::{COLUMNS, DatabaseMove, MoveState};
use crate::database::open_error::{OpenError, broken};
use crate::database::place::DatabasePlace;
use crate::files;
use crate::maintenance::copy::{self, Counts};
use crate::maintenance::relocation_error::MoveError;
use crate::maintenance::tables::{self, COPIED, LEFT_OUT};
use crate::postgres;
use crate::postgres::engine::PostgresEngine;
use crate::postgres::opening::FitServer;
use crate::postgres::poll::Poll;
use crate::postgres::primary::{Connections, Primary};
use crate::repositories::audit_rows;
use crate::spool::slots::Spool;
use crate::sql::{self, CommitError, Session};
use crate::sqlite;
use crate::sqlite::database_file::{self, beside, lock_for_opening};
use crate::sqlite::engine::SqliteEngine;
use crate::sqlite::watch::Watch;

const DOING: &str = "copy the database";

/// What is in the other place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum There {
    /// Nothing that counts.
    Nothing,
    /// A copy that was left halfway, or that does not count yet.
    Arriving(Trail),
    /// Something that may count there.
    Something(Option<Trail>),
}

/// Which trail a database has, and where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trail {
    pub(crate) chain_id: Vec<u8>,
    pub(crate) last: i64,
    pub(crate) value: Option<Vec<u8>>,
}

impl Trail {
    pub(crate) async fn of(session: &mut Session) -> Result<Self, StoreError> {
        let end: Option<(i64, Option<Vec<u8>>)> =
            sql::query_as("SELECT id, chain FROM audit_events ORDER BY id DESC LIMIT 1")
                .fetch_optional(session)
                .await
                .map_err(failed(DOING))?;
        let (last, value) = end.unwrap_or_default();
        Ok(Self {
            chain_id: audit_rows::chain_id(session).await?,
            last,
            value,
        })
    }

    /// Whether the database of this session has all of it.
    pub(crate) async fn is_in(&self, session: &mut Session) -> Result<bool, StoreError> {
        if audit_rows::chain_id(session).await? != self.chain_id {
            return Ok(false);
        }
        let there: Option<(Option<Vec<u8>>,)> = sql::query_as("SELECT chain FROM audit_events WHERE id = $1")
            .bind(self.last)
            .fetch_optional(session)
            .await
            .map_err(failed(DOING))?;
        Ok(match there {
            Some((value,)) => value == self.value,
            None => self.last == 0,
        })
    }
}

/// The move on record in this database, if there is one.
pub(crate) async fn move_of(session: &mut Session) -> Result<Option<DatabaseMove>, StoreError> {
    let found = sql::query_as(COLUMNS).fetch_optional(session).await;
    Ok(found
        .map_err(failed("look where the database is"))?
        .map(DatabaseMove::of_columns))
}

/// An open place with the tables of this version.
pub(crate) struct Arrival {
    engine: Engine,
    /// Nobody opens the file meanwhile.
    _lock: Option<File>,
}

impl Arrival {
    /// Opens the place for what this database holds. Fails where it is not free for that.
    pub(crate) async fn at(place: &DatabasePlace, source: &DataSource) -> Result<Self, MoveError> {
        if postgres::server::is_of_server(&place.url) {
            Self::on_server(place, source).await
        } else {
            Self::in_file(place, source).await
        }
    }

    /// What is in the other place, where nothing is to be written.
    pub(crate) async fn look(place: &DatabasePlace, source: &DataSource) -> Result<There, MoveError> {
        if postgres::server::is_of_server(&place.url) {
            let fit = postgres::opening::fit_server(place).await?;
            let engine = server_engine(place, &fit, source);
            let there = look(&engine, place, source).await;
            engine.close().await;
            return there;
        }
        let path = database_file::path_of(&place.url)?;
        if path.metadata().map_or(0, |there| there.len()) == 0 {
            return Ok(There::Nothing);
        }
        let path = database_file::make_ready(&path).await?;
        look_into_file(&path, place, source).await
    }

    async fn on_server(place: &DatabasePlace, source: &DataSource) -> Result<Self, MoveError> {
        let mut fit = postgres::opening::fit_server(place).await?;
        let engine = server_engine(place, &fit, source);
        let may_be_used = async {
            let there = look(&engine, place, source).await?;
            refuse_unless_free(&there, place, source).await?;
            postgres::opening::migrate(&mut fit).await?;
            Ok(())
        };
        match may_be_used.await {
            Ok(()) => Ok(Self { engine, _lock: None }),
            Err(error) => {
                engine.close().await;
                Err(error)
            }
        }
    }

    async fn in_file(place: &DatabasePlace, source: &DataSource) -> Result<Self, MoveError> {
        let path = database_file::make_ready(&database_file::path_of(&place.url)?).await?;
        let lock = lock_for_opening(&path).await?;
        let spool = Spool::beside(&path, source.sealer());
        if !spool.is_clear() {
            return Err(MoveError::SpooledThere(
                sqlite::database_file::private_neighbours(&path)[2].clone(),
            ));
        }
        if path.metadata().is_ok_and(|there| there.len() > 0) {
            let there = look_into_file(&path, place, source).await?;
            refuse_unless_free(&there, place, source).await?;
            if matches!(there, There::Arriving(_)) {
                // What it holds is in the source, as was just found.
                for file in [beside(&path, "-wal"), beside(&path, "-shm"), path.clone()] {
                    match std::fs::remove_file(&file) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(OpenError::from(files::io("remove", &file)(error)).into());
                        }
                        _ => {}
                    }
                }
                database_file::make_ready(&path).await?;
            }
        }
        let options = sqlite::opening::options(&path, SqliteSynchronous::Full);
        let writer = sqlite::opening::connect_writer(&options).await;
        let writer = writer.map_err(|error| broken("open", &path)(error.into()))?;
        if let Err(error) = sqlite::opening::migrate(&writer, &path).await {
            writer.close().await;
            return Err(error.into());
        }
        let engine = Engine::Sqlite(SqliteEngine {
            reader: writer.clone(),
            watch: Watch::new(writer.clone(), &path, spool),
            log: beside(&path, "-wal"),
            writer,
        });
        Ok(Self {
            engine,
            _lock: Some(lock),
        })
    }

    /// Copies all that this database holds, in one transaction. It does not count there before the move has ended.
    pub(crate) async fn take_in(
        &self,
        source: &DataSource,
        url: &str,
        at: DateTime<Utc>,
    ) -> Result<Counts, StoreError> {
        let mut from = source.engine().begin_read().await.map_err(failed(DOING))?;
        let mut to = self.engine.begin_write().await.map_err(failed(DOING))?;
        note(&mut to, &DatabaseMove::new(MoveState::Arriving, url), at).await?;
        copy::clear(&mut to).await?;
        let counts = copy::copy(&mut from, &mut to).await?;
        from.rollback().await.map_err(failed(DOING))?;
        match to.commit().await {
            Ok(()) => {}
            Err(CommitError::Refused(error) | CommitError::Unanswered(error)) => {
                return Err(failed(DOING)(error));
            }
        }
        Ok(counts)
    }

    pub(crate) async fn close(self) {
        self.engine.close().await;
    }
}

/// Puts a move on record, in place of the one that is there.
pub(crate) async fn note(
    session: &mut Session,
    moves: &DatabaseMove,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "INSERT INTO database_move (id, state, url, machine, since) VALUES (1, $1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, url = excluded.url, machine = excluded.machine,
                                        since = excluded.since",
    )
    .bind(moves.state.code())
    .bind(&moves.url)
    .bind(moves.machine())
    .bind(at)
    .execute(session)
    .await
    .map(drop)
    .map_err(failed("put the move on record"))
}

fn server_engine(place: &DatabasePlace, fit: &FitServer, source: &DataSource) -> Engine {
    let path = fit.server.local_file(&place.folder);
    let remembered = postgres::opening::remembered(place, &fit.server);
    let connections = Connections::to(fit.found.clone());
    let primary = Arc::new(Primary::new(fit.server.clone(), remembered, connections));
    let poll = Poll::new(Arc::clone(&primary), Spool::beside(&path, source.sealer()));
    Engine::Postgres(PostgresEngine {
        primary,
        poll,
        lease: Arc::default(),
        folder: None,
    })
}

async fn look_into_file(
    path: &std::path::Path,
    place: &DatabasePlace,
    source: &DataSource,
) -> Result<There, MoveError> {
    // Not immutable: its log may hold all that there is.
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(database_file::BUSY_TIMEOUT)
        .pragma("query_only", "ON")
        .pragma("trusted_schema", "OFF");
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await;
    let pool = pool.map_err(|error| broken("read", path)(error.into()))?;
    let engine = Engine::Sqlite(SqliteEngine {
        writer: pool.clone(),
        watch: Watch::new(pool.clone(), path, source.spool()),
        log: beside(path, "-wal"),
        reader: pool,
    });
    let there = look(&engine, place, source).await;
    engine.close().await;
    there
}

/// What is there. Fails where it is not Vega's, or belongs to another key.
async fn look(engine: &Engine, place: &DatabasePlace, source: &DataSource) -> Result<There, MoveError> {
    let read = failed("look at what is in the other place");
    let mut session = engine.acquire().await.map_err(read)?;
    let names = tables::names(&mut session).await.map_err(failed(DOING))?;
    let has = |name: &str| names.iter().any(|there| there == name);
    let is_ours =
        |name: &String| LEFT_OUT.contains(&&**name) || COPIED.iter().any(|table| table.name == *name);
    if names.iter().all(|name| name == "_sqlx_migrations") {
        return Ok(There::Nothing);
    }
    if !has("_sqlx_migrations") || !has("audit_events") || !names.iter().all(is_ours) {
        return Err(MoveError::NotOurs(place.url.clone()));
    }
    if has("seal_key") {
        let key: Option<Vec<u8>> = sql::query_scalar("SELECT key_id FROM seal_key")
            .fetch_optional(&mut session)
            .await
            .map_err(failed(DOING))?;
        if key.is_some_and(|key| key != source.sealer().key_id().0) {
            return Err(MoveError::AnotherKey(place.url.clone()));
        }
    }
    let moves = if has("database_move") {
        move_of(&mut session).await?
    } else {
        None
    };
    let is_arriving = moves
        .as_ref()
        .is_some_and(|moves| moves.state == MoveState::Arriving);
    if is_arriving {
        return Ok(There::Arriving(Trail::of(&mut session).await?));
    }
    if moves.is_none()
        && !tables::holds_something(&mut session, &names)
            .await
            .map_err(failed(DOING))?
    {
        return Ok(There::Nothing);
    }
    // Of an old schema it is not asked.
    let trail = if has("database_move") && moves.is_none() {
        Some(Trail::of(&mut session).await?)
    } else {
        None
    };
    Ok(There::Something(trail))
}

/// A copy that was left halfway may be made anew where the source has all that is in it.
async fn refuse_unless_free(
    there: &There,
    place: &DatabasePlace,
    source: &DataSource,
) -> Result<(), MoveError> {
    match there {
        There::Nothing => Ok(()),
        There::Something(_) => Err(MoveError::NotEmpty(place.url.clone())),
        There::Arriving(trail) => {
            if trail.is_in(&mut source.session().await?).await? {
                return Ok(());
            }
            Err(MoveError::OfAnotherMove(place.url.clone()))
        }
    }
}
