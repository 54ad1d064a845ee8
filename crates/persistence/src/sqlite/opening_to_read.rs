//! Opens a database file for a program that only looks: decides whether the files are as a start leaves them.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::audit::recorder::Recorder;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::key_in_use::KeyInUse;
use crate::database::move_state::OpenedFor;
use crate::database::opening_to_read::{Looked, STATE};
use crate::files::{Place, refuse_if_others_may_change, refuse_open_one};
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;
use crate::sqlite::database_file::{APPLICATION_ID, BUSY_TIMEOUT, beside, path_of, private_neighbours};
use crate::sqlite::engine::SqliteEngine;
use crate::sqlite::filesystem;
use crate::sqlite::opening::{MIGRATIONS, quick_check};
use crate::sqlite::watch::Watch;

/// Opens the database at `url` to look at it. `None` where its files need something first. Not for a process that has this database
/// open already: it reads the file's header, and to close a file drops all locks that the process holds on it.
pub(crate) async fn open(url: &str, key_source: KeySource) -> Option<(DataSource, Looked)> {
    let path = path_of(url).ok()?;
    if filesystem::foreign_kind(&path).is_some() {
        return None;
    }
    refuse_if_others_may_change(path.parent()?, Place::Folder).ok()?;
    let path = path.canonicalize().ok()?;
    if !names_vega(&path).unwrap_or(false) {
        return None;
    }
    for file in private_neighbours(&path).iter().chain([&path]) {
        refuse_open_one(file).ok()?;
    }
    let key = RootKey::load_from(&key_source).ok()?;
    let database = connect(&path).await?;
    let spool = Spool::beside(&path, Arc::new(Sealer::new(&key)));
    let opened = DataSource::over(
        Engine::Sqlite(SqliteEngine {
            writer: database.clone(),
            watch: Watch::new(database.clone(), &path, spool.clone()),
            log: beside(&path, "-wal"),
            reader: database.clone(),
        }),
        KeyInUse::new(&key, Recorder::new(&key, &key_source, OpenedFor::Use)),
        &key,
        key_source,
        path,
        spool,
    );
    let looked = Looked {
        state: sqlx::query_as(STATE).fetch_one(&database).await.ok(),
        newest_schema: MIGRATIONS.iter().map(|migration| migration.version).max(),
    };
    Some((opened, looked))
}

impl DataSource {
    /// Whether SQLite finds no damage in the whole file.
    pub async fn is_undamaged(&self) -> bool {
        match &self.engine {
            Engine::Sqlite(engine) => quick_check(&engine.reader).await.is_ok_and(|found| found == "ok"),
            // The server looks after its pages.
            Engine::Postgres(_) => true,
        }
    }
}

/// Whether the file itself says that it is Vega's. Of another program's, and of one whose only content is in its log, SQLite
/// could change what lies there by opening it.
pub(crate) fn names_vega(path: &Path) -> io::Result<bool> {
    // SQLite file format, "The Database Header": the application id is at 68.
    let mut header = [0; 72];
    std::fs::File::open(path)?.read_exact(&mut header)?;
    let id = u32::from_be_bytes([header[68], header[69], header[70], header[71]]);
    Ok(i64::from(id) == APPLICATION_ID)
}

/// One connection, because a second one would read the schema once more. One that can write leaves no `-wal` and `-shm` behind
/// when it is closed; `query_only` keeps it from writing rows.
async fn connect(path: &Path) -> Option<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("query_only", "ON")
        .pragma("trusted_schema", "OFF");
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false);
    pool.connect_with(options).await.ok()
}
