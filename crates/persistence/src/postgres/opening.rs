//! Opens a database on a server: checks that the server keeps what it acknowledges, migrates the database, and fetches its root key.

use std::fs::File;
use std::sync::Arc;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;
use uuid::Uuid;

use crate::audit::recorder::Recorder;
use crate::database::data_source::DataSource;
use crate::database::engine::Engine;
use crate::database::key_in_use::KeyInUse;
use crate::database::move_state::{OpenedFor, refuse_moved_on_server};
use crate::database::open_error::OpenError;
use crate::database::place::DatabasePlace;
use crate::files::io;
use crate::integrity::row_upgrade;
use crate::key_files::key_source::KeySource;
use crate::key_files::key_to_copy::KeyToCopy;
use crate::key_files::root_key::{KeyId, RootKey};
use crate::key_files::{self, Fetched, FollowingKey, KeyInForce};
use crate::maintenance::key_following;
use crate::postgres::connection::{CONNECT, Found, find, is_of_a_pooler};
use crate::postgres::engine::PostgresEngine;
use crate::postgres::fitness::{About, Unfit};
use crate::postgres::history::Remembered;
use crate::postgres::machine_id;
use crate::postgres::own_folder;
use crate::postgres::poll::Poll;
use crate::postgres::primary::{Connections, Primary};
use crate::postgres::server::Server;
use crate::postgres::session::{self, READ};
use crate::sealing::seal::Sealer;
use crate::spool::slots::Spool;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// The server that this place names, with what is needed to get there.
pub(crate) fn server_of(place: &DatabasePlace) -> Result<Server, OpenError> {
    let mut server = Server::of(&place.url).map_err(|why| OpenError::ServerUrl { why })?;
    (server.password, server.ca) = (place.password.clone(), place.ca.clone());
    if let Some(ca) = &server.ca {
        // A file that is not there must not be taken for a server that is away.
        File::open(ca).map_err(io("read", ca))?;
    }
    Ok(server)
}

/// How to connect to the server that takes writes.
pub(crate) async fn reach(place: &DatabasePlace) -> Result<Found, OpenError> {
    let server = server_of(place)?;
    let newest = remembered(place, &server).newest();
    find(&server, newest)
        .await
        .map_err(|why| OpenError::NotConnected {
            server: server.to_string(),
            why: why.into(),
        })
}

/// What this machine remembers of the server's history.
pub(crate) fn remembered(place: &DatabasePlace, server: &Server) -> Remembered {
    Remembered::of(&place.folder.join(server.folder_name()))
}

/// A server that keeps what it is given, before anything of its database is looked at.
pub(crate) struct FitServer {
    pub(crate) server: Server,
    pub(crate) found: Found,
    pub(crate) asked: PgConnection,
}

/// Connects to the server that takes writes, and looks whether it keeps what it acknowledges.
pub(crate) async fn fit_server(place: &DatabasePlace) -> Result<FitServer, OpenError> {
    let server = server_of(place)?;
    let named = || server.to_string();
    let found = reach(place).await?;
    let options = found.options.clone();
    let failed = |doing| {
        move |source: sqlx::Error| OpenError::OnServer {
            doing,
            server: named(),
            source: source.into(),
        }
    };
    // Of its own, and not one of the pools: a pool asks without a deadline whether what comes back still works.
    let mut asked = timeout(CONNECT, options.connect())
        .await
        .unwrap_or_else(|_| Err(session::missed()))
        .map_err(failed("open"))?;
    let looked = in_time(About::ask(&mut asked)).await;
    let unfit = match &looked {
        Ok(about) => match about.unfit() {
            None => (!news_comes_through(&options, &mut asked)
                .await
                .map_err(failed("listen at"))?)
            .then_some(Unfit::Pooled),
            unfit => unfit,
        },
        Err(error) if is_of_a_pooler(error) => Some(Unfit::Pooled),
        Err(_) => None,
    };
    if let Some(unfit) = unfit {
        return Err(OpenError::Unfit {
            server: named(),
            unfit,
        });
    }
    looked
        .map_err(failed("ask for the settings of"))?
        .say_what_is_missing();
    Ok(FitServer { server, found, asked })
}

/// Opens the database on this server, migrating it where needed, with the root key from `key_source`.
pub(crate) async fn open(
    place: &DatabasePlace,
    key_source: KeySource,
    opened_for: OpenedFor,
) -> Result<DataSource, OpenError> {
    // Without a key there must be no database either; whether one may be made is known when the database is.
    RootKey::check(&key_source, true)?;
    let mut fit = fit_server(place).await?;
    migrate(&mut fit).await?;
    let FitServer {
        server,
        found,
        mut asked,
    } = fit;
    let path = server.local_file(&place.folder);
    let named = || server.to_string();
    let failed = |doing| {
        move |source: sqlx::Error| OpenError::OnServer {
            doing,
            server: named(),
            source: source.into(),
        }
    };
    refuse_moved_on_server(&mut asked, opened_for, failed("read")).await?;
    let fetched = fetch_key(&mut asked, &key_source, &server).await?;
    let spool = Spool::beside(&path, Arc::new(Sealer::new(fetched.key())));
    let trail = in_time(name_of_trail(&mut asked)).await.map_err(failed("read"))?;
    let _ = in_time(asked.close()).await;
    let folder = match path.parent() {
        Some(folder) => Some(Arc::new(own_folder::claim(folder, &trail, &spool)?)),
        None => None,
    };
    // Before anything asks which machine this is.
    machine_id::known_or_made(&path)?;
    let key = match fetched {
        InForce::InPlace(key) => key,
        // The folder is this database's for sure now.
        InForce::Following(following) => key_following::put_in_place(following, &path)?,
    };
    let remembered = remembered(place, &server);
    let primary = Arc::new(Primary::new(server.clone(), remembered, Connections::to(found)));
    let poll = Poll::new(Arc::clone(&primary), spool.clone());
    let data = DataSource::over(
        Engine::Postgres(PostgresEngine {
            primary,
            poll,
            lease: Arc::default(),
            folder,
        }),
        KeyInUse::new(&key, Recorder::new(&key, &key_source, opened_for)),
        &key,
        key_source,
        path,
        spool,
    );
    row_upgrade::prepare(&data)
        .await
        .map_err(|error| OpenError::OnServer {
            doing: "seal the rows of",
            server: named(),
            source: error.into(),
        })?;
    Ok(data)
}

/// Whether a notification to oneself arrives.
async fn news_comes_through(
    options: &PgConnectOptions,
    beside: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    let channel = format!("vega_{}", Uuid::new_v4().simple());
    let arrives = async {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect_lazy_with(options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(&channel).await?;
        sqlx::query("SELECT pg_notify($1, '')")
            .bind(&channel)
            .execute(&mut listener)
            .await?;
        listener.try_recv().await
    };
    match timeout(READ, arrives).await {
        Ok(Ok(Some(_))) => Ok(true),
        Ok(Ok(None)) => Err(session::missed()),
        Ok(Err(error)) if is_of_a_pooler(&error) => Ok(false),
        Ok(Err(error)) => Err(error),
        // Silence means that only where the server still answers.
        Err(_) => in_time(beside.ping()).await.map(|()| false),
    }
}

/// Migrates, unless that is done. One machine at a time: whoever migrates has a lock of the server for it. A migration may take
/// longer than any statement of later.
pub(crate) async fn migrate(fit: &mut FitServer) -> Result<(), OpenError> {
    let migrated = run_migrations(&fit.found.options, &mut fit.asked).await;
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(_) => OpenError::Newer(fit.server.to_string().into()),
        error => OpenError::OnServer {
            doing: "migrate",
            server: fit.server.to_string(),
            source: error.into(),
        },
    })
}

async fn run_migrations(options: &PgConnectOptions, asked: &mut PgConnection) -> Result<(), MigrateError> {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    let made = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(asked);
    let made: Result<Option<i64>, sqlx::Error> = in_time(made).await;
    if made.is_ok_and(|made| made == newest) {
        return Ok(());
    }
    let unhurried = options
        .clone()
        .options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT)
        .connect_lazy_with(unhurried);
    let done = MIGRATIONS.run(&pool).await;
    session::close(&pool).await;
    done
}

/// The key in force, as this machine has it.
enum InForce {
    InPlace(RootKey),
    Following(FollowingKey),
}

impl InForce {
    fn key(&self) -> &RootKey {
        match self {
            Self::InPlace(key) => key,
            Self::Following(following) => &following.key,
        }
    }
}

/// The root key of this database. It is made once, by the program that then names it there; other machines get its file by hand.
async fn fetch_key(
    asked: &mut PgConnection,
    source: &KeySource,
    server: &Server,
) -> Result<InForce, OpenError> {
    let failed = |error: sqlx::Error| OpenError::OnServer {
        doing: "read",
        server: server.to_string(),
        source: error.into(),
    };
    let wrong = |kept, elsewhere| OpenError::WrongKey {
        key_file: source.path().to_owned(),
        database: server.to_string().into(),
        kept,
        elsewhere,
    };
    if let Some(named) = in_time(key_in_force(asked)).await.map_err(failed)? {
        return match key_files::fetch(source, Some(&named))? {
            Fetched::Key(key) => Ok(InForce::InPlace(key)),
            Fetched::Following(following) => Ok(InForce::Following(following)),
            Fetched::Other(kept) => {
                // Before any rotation it is simply another one.
                let elsewhere = match named.since {
                    Some(_) => Some(KeyToCopy {
                        machines: in_time(machines_with(asked, named.id)).await.unwrap_or_default(),
                        to: key_files::place_of_next(source, named.id),
                    }),
                    None => None,
                };
                Err(wrong(kept, elsewhere))
            }
        };
    }
    let key = match key_files::fetch(source, None)? {
        Fetched::Key(key) => key,
        Fetched::Following(_) | Fetched::Other(_) => return Err(wrong(None, None)),
    };
    // Two machines may begin at once: one of them names its key, and the other one learns of it.
    let named = sqlx::query("INSERT INTO seal_key (id, key_id) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
        .bind(&key.id.0[..])
        .execute(&mut *asked);
    in_time(named).await.map_err(failed)?;
    let named = in_time(key_in_force(asked)).await.map_err(failed)?;
    match named {
        Some(named) if named.id == key.id => Ok(InForce::InPlace(key)),
        _ => Err(wrong(None, None)),
    }
}

/// An answer that is waited for as long as for any other.
async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(READ, answer)
        .await
        .unwrap_or_else(|_| Err(session::missed()))
}

/// No other database has this trail, and this one has it for good.
async fn name_of_trail(database: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT encode(chain_id, 'hex') FROM audit_chain")
        .fetch_one(database)
        .await
}

/// The machines that said that they have this key.
async fn machines_with(database: &mut PgConnection, key: KeyId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM machines WHERE position($1 IN key_ids) > 0 ORDER BY seen_at DESC")
        .bind(&key.0[..])
        .fetch_all(database)
        .await
}

async fn key_in_force(database: &mut PgConnection) -> Result<Option<KeyInForce>, sqlx::Error> {
    let row: Option<(Vec<u8>, Option<String>)> = sqlx::query_as("SELECT key_id, rotated_at FROM seal_key")
        .fetch_optional(database)
        .await?;
    Ok(row.and_then(|(id, since)| {
        let id = KeyId::of(&id)?;
        Some(KeyInForce { id, since })
    }))
}
