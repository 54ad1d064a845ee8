//! Opens a database on a server for a program that only looks: one connection, and neither the server's settings nor its news are looked
//! into.

use std::sync::Arc;

use sqlx::postgres::PgPoolOptions;

use crate::audit::recorder::Recorder;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::key_in_use::KeyInUse;
use crate::database::move_state::OpenedFor;
use crate::database::opening_to_read::{Looked, STATE};
use crate::database::place::DatabasePlace;
use crate::files::{Place, refuse_if_others_may_change};
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::postgres::connection::{CONNECT, find, options};
use crate::postgres::engine::PostgresEngine;
use crate::postgres::history::{History, QUESTION, Remembered};
use crate::postgres::opening::{MIGRATIONS, server_of};
use crate::postgres::poll::Poll;
use crate::postgres::primary::{Connections, Primary};
use crate::postgres::session::{PgSession, READ};
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;

/// Opens the database on this server to look at it. `None` where something else has to be done or said first.
pub(crate) async fn open(place: &DatabasePlace, key_source: KeySource) -> Option<(DataSource, Looked)> {
    let server = server_of(place).ok()?;
    let path = server.local_file(&place.folder);
    refuse_if_others_may_change(path.parent()?, Place::Folder).ok()?;
    let key = RootKey::load_from(&key_source).ok()?;
    let remembered = Remembered::of(path.parent()?);
    let options = match &server.hosts[..] {
        [host] => options(&server, host),
        _ => find(&server, remembered.newest()).await.ok()?.options,
    };
    let reader = PgPoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .acquire_timeout(CONNECT)
        .connect_lazy_with(options.clone());
    let last = remembered.newest()?;
    let mut session = PgSession::acquire(&reader, last, READ).await.ok()?;
    // What only follows another server, and what was replaced by one, may be behind. What took another one's place may have lost something.
    let history: History = session
        .ask(async |connection| sqlx::query_as(QUESTION).fetch_optional(connection).await)
        .await
        .ok()??;
    if history != last {
        return None;
    }
    let state = session.ask(async |connection| sqlx::query_as(STATE).fetch_one(connection).await);
    let state = state.await.ok();
    drop(session);
    let spool = Spool::beside(&path, Arc::new(Sealer::new(&key)));
    let connections = Connections::to_look(reader, options, history).await;
    let primary = Arc::new(Primary::new(server, remembered, connections));
    let poll = Poll::new(Arc::clone(&primary), spool.clone());
    let looked = Looked {
        state,
        newest_schema: MIGRATIONS.iter().map(|migration| migration.version).max(),
    };
    let opened = DataSource::over(
        Engine::Postgres(PostgresEngine {
            primary,
            poll,
            lease: Arc::default(),
            folder: None,
        }),
        KeyInUse::new(&key, Recorder::new(&key, &key_source, OpenedFor::Use)),
        &key,
        key_source,
        path,
        spool,
    );
    Some((opened, looked))
}
