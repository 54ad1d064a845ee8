//! Opens a database on a server for a program that only looks: one connection, and neither the server's settings nor its news are looked
//! into.

use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::audit::recorder::Recorder;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::opening_to_read::{Looked, STATE};
use crate::database::place::DatabasePlace;
use crate::files::{Place, refuse_if_others_may_change};
use crate::key_files::key_source::KeySource;
use crate::key_files::root_key::RootKey;
use crate::postgres::connection::{CONNECT, options, primary};
use crate::postgres::engine::PostgresEngine;
use crate::postgres::opening::{MIGRATIONS, server_of};
use crate::postgres::poll::Poll;
use crate::postgres::session::{PgSession, READ};
use crate::sealing::listener_proof::KeyedListenerProof;
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;

/// Opens the database on this server to look at it. `None` where something else has to be done or said first.
pub(crate) async fn open(place: &DatabasePlace, key_source: KeySource) -> Option<(DataSource, Looked)> {
    let server = server_of(place).ok()?;
    let path = server.local_file(&place.folder);
    refuse_if_others_may_change(path.parent()?, Place::Folder).ok()?;
    let key = RootKey::load_from(&key_source).ok()?;
    let options = match &server.hosts[..] {
        [host] => options(&server, host),
        _ => primary(&server).await.ok()?,
    };
    let reader = PgPoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .acquire_timeout(CONNECT)
        .connect_lazy_with(options.clone());
    let sealer = Arc::new(Sealer::new(&key));
    let poll = Poll::new(
        options.clone(),
        reader.clone(),
        Spool::beside(&path, Arc::clone(&sealer)),
    );
    let state = async {
        let mut session = PgSession::acquire(&reader, READ).await.ok()?;
        // What only follows another server may be behind.
        let takes_writes: bool = session
            .ask(async |connection| {
                sqlx::query_scalar("SELECT NOT pg_is_in_recovery()")
                    .fetch_one(connection)
                    .await
            })
            .await
            .ok()?;
        takes_writes.then_some(())?;
        let state = session.ask(async |connection| sqlx::query_as(STATE).fetch_one(connection).await);
        state.await.ok()
    };
    let looked = Looked {
        state: state.await,
        newest_schema: MIGRATIONS.iter().map(|migration| migration.version).max(),
    };
    let opened = DataSource {
        engine: Engine::Postgres(PostgresEngine {
            writer: nowhere(options).await,
            reader,
            poll,
            lease: Arc::default(),
            folder: None,
        }),
        sealer,
        listener_proof: Arc::new(KeyedListenerProof::new(&key)),
        recorder: Recorder::new(&key, &key_source),
        key_source,
        path,
    };
    Some((opened, looked))
}

/// Connections that nobody gets: whoever only looks writes nothing.
async fn nowhere(options: PgConnectOptions) -> sqlx::PgPool {
    let writer = PgPoolOptions::new().connect_lazy_with(options);
    writer.close().await;
    writer
}
