//! Connections to a server: with TLS that proves who answers, unless the server is on this machine, and with settings that neither a
//! role nor the server's configuration can weaken. Of several hosts, the one that takes writes is found here.

use std::io::ErrorKind;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection, Error};
use thiserror::Error;
use tokio::time::timeout;
use vega_domain::ports::{StorageCause, StorageKind};

use crate::database::causes::cause_of;
use crate::postgres::server::{Address, Server};

/// A SQLSTATE: others may end theirs soon.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// For a connection to be there.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);

/// What each connection begins with. Given at its beginning, they come before the settings of role and database.
const SETTINGS: [(&str, &str); 5] = [
    // A commit is durable before it is acknowledged.
    ("synchronous_commit", "on"),
    ("lock_timeout", "8s"),
    ("statement_timeout", "10s"),
    // A process that is stopped within a write holds up all others for so long.
    ("idle_in_transaction_session_timeout", "3s"),
    ("search_path", "public"),
];

/// Why there is no connection to a server that takes writes.
#[derive(Debug, Error)]
pub enum NoConnection {
    /// It was not reached, or lets nobody in.
    #[error("{host} gave no connection: {source}. {}", cause_of(.source).advice(StorageKind::Server))]
    Unreached {
        /// The last host that was tried.
        host: String,
        /// What the system or the server said.
        source: Error,
    },
    /// It did not prove who it is.
    #[error(
        "{host} did not prove that it is the database server: {source}. Let it speak TLS, name a file with the certificate of who \
         vouches for it with VEGA__DATABASE__CA, and write the host in VEGA__DATABASE__URL as its certificate has it"
    )]
    Unproven {
        /// The last host that was tried.
        host: String,
        /// What is wrong with its certificate.
        source: Error,
    },
    /// It did not answer.
    #[error("{host} did not answer within {} s. {}", CONNECT.as_secs(), StorageCause::Away.advice(StorageKind::Server))]
    Silent {
        /// The last host that was tried.
        host: String,
    },
    /// All that were reached only follow another one.
    #[error(
        "{host} follows another server and takes no writes. Name the one that takes writes too, after a comma: \
         postgres://USER@HOST1,HOST2/DATABASE"
    )]
    OnlyStandby {
        /// One that follows.
        host: String,
    },
    /// More than one takes writes.
    #[error(
        "{one} and {other} both take writes, so which of them has what was stored last is not known. Stop the one that was \
         replaced, or take it out of the URL"
    )]
    TwoPrimaries {
        /// One.
        one: String,
        /// Another one.
        other: String,
    },
}

impl NoConnection {
    /// Whether it may be reached later without anybody's help.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::OnlyStandby { .. } => true,
            Self::TwoPrimaries { .. } | Self::Unproven { .. } => false,
            Self::Unreached { source, .. } => match source {
                // A socket that is not there yet, and a name that is not known yet, too.
                Error::Io(error) => error.kind() != ErrorKind::PermissionDenied,
                Error::Database(error) if error.code().as_deref() == Some(TOO_MANY_CONNECTIONS) => true,
                source => cause_of(source) == StorageCause::Away,
            },
        }
    }
}

/// How to connect to one address of this server.
pub(crate) fn options(server: &Server, address: &Address) -> PgConnectOptions {
    // Everything is said: what is not would be taken from the environment.
    let options = PgConnectOptions::new_without_pgpass()
        .username(&server.user)
        .password(server.password.as_ref().map_or("", |password| password.as_str()))
        .database(&server.database)
        .application_name("vega")
        .ssl_mode(if address.is_this_machine() {
            PgSslMode::Disable
        } else {
            PgSslMode::VerifyFull
        })
        .options(SETTINGS);
    #[cfg(feature = "injected-defects")]
    let options = crate::postgres::injected_defects::among(options);
    let options = match address {
        Address::Network { host, port } => options.host(host).port(*port),
        Address::Socket { folder, port } => options.socket(folder).port(*port),
    };
    match &server.ca {
        Some(ca) => options.ssl_root_cert(ca),
        None => options,
    }
}

/// How to connect to the one host of this server that takes writes.
pub(crate) async fn primary(server: &Server) -> Result<PgConnectOptions, NoConnection> {
    let asked = server.hosts.iter().map(async |address| {
        let options = options(server, address);
        let answer = timeout(CONNECT, takes_writes(&options)).await;
        (address.to_string(), options, answer)
    });
    let (mut found, mut failed) = (None, Vec::new());
    for (host, options, answer) in join_all(asked).await {
        match answer {
            Ok(Ok(true)) => match found {
                None => found = Some((host, options)),
                Some((one, _)) => return Err(NoConnection::TwoPrimaries { one, other: host }),
            },
            Ok(Ok(false)) => failed.push(NoConnection::OnlyStandby { host }),
            Ok(Err(source)) if is_of_tls(&source) => failed.push(NoConnection::Unproven { host, source }),
            Ok(Err(source)) => failed.push(NoConnection::Unreached { host, source }),
            Err(_) => failed.push(NoConnection::Silent { host }),
        }
    }
    if let Some((_, options)) = found {
        return Ok(options);
    }
    // One that may come back is waited for; else what somebody has to mend is said.
    let why = match failed.iter().position(NoConnection::is_away) {
        Some(hopeful) => Some(failed.swap_remove(hopeful)),
        None => failed.pop(),
    };
    for other in failed {
        // Whoever waits asks each second.
        tracing::debug!("{other}");
    }
    Err(why.unwrap_or_else(|| NoConnection::Silent {
        host: server.to_string(),
    }))
}

/// Whether TLS refused the server: as an error of its own, or as what was read from the connection.
fn is_of_tls(error: &Error) -> bool {
    match error {
        Error::Tls(_) => true,
        Error::Io(error) => error.kind() == ErrorKind::InvalidData,
        _ => false,
    }
}

async fn takes_writes(options: &PgConnectOptions) -> Result<bool, Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let is_standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(!is_standby)
}
