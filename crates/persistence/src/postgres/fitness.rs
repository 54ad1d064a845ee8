//! Which servers are fit: those that keep what they acknowledge. What the operator may want beyond that is said once.

use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use thiserror::Error;

#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects;
use crate::postgres::settings::SETTINGS;

/// Its number as the server gives it: 15.0.
const OLDEST: i32 = 150_000;

/// What makes a server unfit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// An old version.
    #[error("runs PostgreSQL {0}; Vega needs 15 or newer")]
    Old(String),
    /// Text in another encoding.
    #[error("keeps this database in {0}; Vega needs one that was made with ENCODING 'UTF8'")]
    Encoding(String),
    /// Commits that a power cut can undo.
    #[error(
        "has {0} off, so a power cut can undo what it acknowledged, or damage the database. Have its administrator switch it on"
    )]
    NotDurable(&'static str),
    /// Something between that gives each transaction another connection.
    #[error(
        "is behind a pooler that does not keep a connection for this program (PgBouncer in transaction mode): news of changes \
         does not come through, and each write needs its connection to its end. Name the server itself in VEGA__DATABASE__URL"
    )]
    Pooled,
    /// Something between that drops what a connection begins with.
    #[error(
        "is behind a pooler that does not pass on the settings of a connection ({0} is not what Vega asked for): they keep what was \
         acknowledged, and others from waiting without end. Name the server itself in VEGA__DATABASE__URL"
    )]
    SettingDropped(&'static str),
}

/// What a server says of itself.
#[derive(FromRow)]
pub(crate) struct About {
    number: i32,
    version: String,
    encoding: String,
    fsync: String,
    full_page_writes: String,
    synchronous_standby_names: String,
    data_checksums: String,
    /// Those with which each connection begins, in that order.
    settings: Vec<String>,
}

impl About {
    pub(crate) async fn ask(database: &mut PgConnection) -> Result<Self, sqlx::Error> {
        sqlx::query_as(
            "SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
                    current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
                    current_setting('full_page_writes') AS full_page_writes,
                    current_setting('synchronous_standby_names') AS synchronous_standby_names,
                    current_setting('data_checksums') AS data_checksums,
                    ARRAY(SELECT current_setting(asked.name) FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place)
                          ORDER BY asked.place) AS settings",
        )
        .bind(SETTINGS.map(|(name, _)| name))
        .fetch_one(database)
        .await
    }

    /// Why it must not be used.
    pub(crate) fn unfit(&self) -> Option<Unfit> {
        match self {
            Self { number, version, .. } if *number < OLDEST => Some(Unfit::Old(version.clone())),
            Self { encoding, .. } if encoding != "UTF8" => Some(Unfit::Encoding(encoding.clone())),
            Self { fsync, .. } if fsync != "on" => Some(Unfit::NotDurable("fsync")),
            Self { full_page_writes, .. } if full_page_writes != "on" => {
                Some(Unfit::NotDurable("full_page_writes"))
            }
            _ => self.dropped_setting().map(Unfit::SettingDropped),
        }
    }

    /// The first setting that this connection was to begin with and has not got.
    fn dropped_setting(&self) -> Option<&'static str> {
        #[cfg(feature = "injected-defects")]
        if injected_defects::weakens_settings() {
            return None;
        }
        let mut settings = SETTINGS.iter().zip(&self.settings);
        let dropped = settings.find(|((_, asked), found)| asked != found)?;
        Some(dropped.0.0)
    }

    /// Says what the operator should know and may want. A server says it at each start, a command only where asked for more.
    pub(crate) fn say_what_is_missing(&self) {
        if self.synchronous_standby_names.is_empty() {
            tracing::info!(
                "the database server has no synchronous standby: if it is lost and another one takes its place, the last commits \
                 may be lost with it"
            );
        }
        if self.data_checksums != "on" {
            tracing::info!(
                "the database server does not check its pages: damage of its disk may go unnoticed"
            );
        }
    }
}
