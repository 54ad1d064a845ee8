//! Connections to a server: with TLS that proves who answers, unless the server is on this machine, and with settings that neither a
//! role nor the server's configuration can weaken. Of several hosts, the one that takes writes is found here.

use std::io::ErrorKind;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection, Error};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use vega_domain::ports::{StorageCause, StorageKind};

use crate::database::causes::cause_of;
use crate::postgres::fitness::Unfit;
use crate::postgres::history::{History, QUESTION};
use crate::postgres::server::{Address, Server};
use crate::postgres::settings::SETTINGS;

/// A SQLSTATE: others may end theirs soon.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// What a pooler says to a setting that a connection begins with, instead of passing it on.
const UNSUPPORTED_PARAMETER: &str = "unsupported startup parameter";
/// SQLSTATEs of statements that were prepared on another connection: there is one of this name already, or none.
const PREPARED_ELSEWHERE: [&str; 2] = ["42P05", "26000"];

/// For a connection to be there.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);

/// For the other hosts, when one that takes writes was found: nobody waits for what is switched off.
const OTHERS: Duration = Duration::from_secs(1);

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
    /// It is a pooler that takes away what Vega needs.
    #[error(
        "{host} is a pooler that does not keep a connection with its settings for this program ({source}). Name the database server \
         itself in VEGA__DATABASE__URL"
    )]
    Pooler {
        /// Where it is.
        host: String,
        /// What it said.
        source: Error,
    },
    /// It does not keep what it is given.
    #[error("{host} {unfit}")]
    Unfit {
        /// Where it is.
        host: String,
        /// What is wrong with it.
        unfit: Unfit,
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
    /// It takes writes, and was replaced by one that is away now.
    #[error(
        "{host} was replaced by another server (it is on timeline {timeline}, and {newest} was seen), so what was stored since is not \
         there. Vega waits for the newer one. If that one is gone for good, remove the file history in Vega's folder for this database"
    )]
    Replaced {
        /// The one that was replaced.
        host: String,
        /// Where it is in its history.
        timeline: i64,
        /// Where the newer one was.
        newest: i64,
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
            Self::Silent { .. } | Self::OnlyStandby { .. } | Self::Replaced { .. } => true,
            Self::TwoPrimaries { .. } | Self::Unproven { .. } | Self::Pooler { .. } | Self::Unfit { .. } => {
                false
            }
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

/// The host that takes writes.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) host: String,
    pub(crate) options: PgConnectOptions,
    pub(crate) history: History,
}

/// The one host of this server that takes writes. Never one that was replaced by one that was seen.
pub(crate) async fn find(server: &Server, seen: Option<History>) -> Result<Found, NoConnection> {
    let hosts = server.hosts.iter().map(ToString::to_string);
    let mut silent: Vec<String> = hosts.collect();
    let asked = server.hosts.iter().map(async |address| {
        let options = options(server, address);
        let answer = place_in_history(&options).await;
        (address.to_string(), options, answer)
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut until = Instant::now() + CONNECT;
    let (mut found, mut failed): (Option<Found>, _) = (None, Vec::new());
    while let Ok(Some((host, options, answer))) = timeout_at(until, asked.next()).await {
        silent.retain(|other| *other != host);
        match answer {
            Ok(Some(history)) => match (seen.filter(|seen| history.is_before(*seen)), &found) {
                (Some(seen), _) => failed.push(NoConnection::Replaced {
                    host,
                    timeline: history.timeline,
                    newest: seen.timeline,
                }),
                (None, Some(one)) => {
                    let one = one.host.clone();
                    return Err(NoConnection::TwoPrimaries { one, other: host });
                }
                (None, None) => {
                    found = Some(Found {
                        host,
                        options,
                        history,
                    });
                    until = until.min(Instant::now() + OTHERS);
                }
            },
            Ok(None) => failed.push(NoConnection::OnlyStandby { host }),
            Err(source) if is_of_tls(&source) => failed.push(NoConnection::Unproven { host, source }),
            Err(source) if is_of_a_pooler(&source) => failed.push(NoConnection::Pooler { host, source }),
            Err(source) => failed.push(NoConnection::Unreached { host, source }),
        }
    }
    if let Some(found) = found {
        return Ok(found);
    }
    failed.extend(silent.into_iter().map(|host| NoConnection::Silent { host }));
    // One that was replaced says most; one that may come back is waited for; else what somebody has to mend is said.
    let replaced = |why: &NoConnection| matches!(why, NoConnection::Replaced { .. });
    let first = failed.iter().position(replaced);
    let why = match first.or_else(|| failed.iter().position(NoConnection::is_away)) {
        Some(told) => Some(failed.swap_remove(told)),
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

/// Whether a pooler answered: none of this ever comes from a server whose connection is this program's own.
pub(crate) fn is_of_a_pooler(error: &Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let code = error.code().unwrap_or_default();
        PREPARED_ELSEWHERE.contains(&&*code) || error.message().starts_with(UNSUPPORTED_PARAMETER)
    })
}

/// Where the server is in its history. `None` where it only follows another one.
async fn place_in_history(options: &PgConnectOptions) -> Result<Option<History>, Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let history = sqlx::query_as(QUESTION).fetch_optional(&mut connection).await?;
    connection.close().await?;
    Ok(history)
}
