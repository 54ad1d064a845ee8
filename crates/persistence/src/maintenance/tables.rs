//! Which tables a copy of a database has, in which order, and which it leaves out and why. A test compares both lists with the schema of
//! each engine; the columns are read from the schemas themselves, so none is left out.

use sqlx::Error;

use crate::sql::value::{Bound, Stored};
use crate::sql::{self, EngineName, Row, Session};

/// A table whose rows are copied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CopiedTable {
    pub(crate) name: &'static str,
    /// The columns that tell its rows apart, and in whose order they are read.
    pub(crate) key: &'static [&'static str],
    /// Whether an empty database may have rows in it: what is made at the first start.
    is_made_at_first: bool,
}

const fn table(name: &'static str, key: &'static [&'static str]) -> CopiedTable {
    CopiedTable {
        name,
        key,
        is_made_at_first: false,
    }
}

const fn made_at_first(name: &'static str) -> CopiedTable {
    CopiedTable {
        name,
        key: &["id"],
        is_made_at_first: true,
    }
}

/// The number that SQLite gives each row, and a column of that name in PostgreSQL. Rows are told apart and ordered by it.
const ROW: &[&str] = &["rowid"];

/// All that are copied. Rows come after those that they refer to, and the list of latest changes after the entries.
pub(crate) const COPIED: [CopiedTable; 15] = [
    made_at_first("seal_key"),
    made_at_first("audit_chain"),
    table("audit_chain_keys", &["last_entry"]),
    table("execution_runs", &["id"]),
    table("execution_steps", &["run_id", "api"]),
    table("sign_in_attempts", ROW),
    table("otp_requests", &["id"]),
    table("upstox_tokens", ROW),
    table("cooldowns", ROW),
    table("access_keys", ROW),
    table("console_links", ROW),
    table("console_sessions", ROW),
    table("consumers", &["identity", "own_name", "api"]),
    table("audit_events", &["id"]),
    made_at_first("latest_changes"),
];

/// What belongs to one place and not to what is stored there.
pub(crate) const LEFT_OUT: [&str; 7] = [
    // The lock of whoever writes; the trail's length in it is set anew.
    "writer",
    // Who signs in there now.
    "login_lease",
    // Where it goes itself.
    "database_move",
    // Which machines share it, and which key they are to get: each says so anew.
    "machines",
    "next_key",
    // What each machine has in its files: each brings them up to date anew.
    "file_deliveries",
    // What was made of the schema.
    "_sqlx_migrations",
];

/// Columns of PostgreSQL whose next number is counted by the server.
pub(crate) const COUNTED: [(&str, &str); 7] = [
    ("sign_in_attempts", "rowid"),
    ("otp_requests", "id"),
    ("upstox_tokens", "rowid"),
    ("cooldowns", "rowid"),
    ("access_keys", "rowid"),
    ("console_links", "rowid"),
    ("console_sessions", "rowid"),
];

/// What a column holds, beside nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Text,
    Blob,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        match name {
            "INTEGER" | "bigint" => Some(Self::Integer),
            "TEXT" | "text" => Some(Self::Text),
            "BLOB" | "bytea" => Some(Self::Blob),
            _ => None,
        }
    }

    /// The same value, to be bound. PostgreSQL asks for the kind of what holds nothing.
    pub(crate) fn bound(self, stored: Stored<'_>) -> Bound {
        match (stored, self) {
            (Stored::Integer(number), _) => number.into(),
            (Stored::Text(text), _) => text.into(),
            (Stored::Blob(bytes), _) => bytes.into(),
            (Stored::Null, Self::Integer) => Bound::Integer(None),
            (Stored::Null, Self::Text) => Bound::Text(None),
            (Stored::Null, Self::Blob) => Bound::Blob(None),
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopiedColumn {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The columns of a table that are not made of others, by name.
pub(crate) async fn columns(session: &mut Session, table: &CopiedTable) -> Result<Vec<CopiedColumn>, Error> {
    let (question, numbers_rows) = match session.engine_name() {
        EngineName::Sqlite => (
            "SELECT name, type FROM pragma_table_xinfo($1) WHERE hidden = 0",
            table.key == ROW,
        ),
        EngineName::Postgres => (
            "SELECT column_name::text, data_type::text FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
            false,
        ),
    };
    let mut found: Vec<(String, String)> = sql::query_as(question)
        .bind(table.name)
        .fetch_all(session)
        .await?;
    if numbers_rows {
        found.push(("rowid".into(), "INTEGER".into()));
    }
    found.sort();
    let kind = |name: &str| {
        let words = format!(
            "a column of {} has the kind {name}, which is not copied",
            table.name
        );
        Kind::of(name).ok_or(Error::Protocol(words))
    };
    let columns = found.into_iter().map(|(name, of)| {
        Ok(CopiedColumn {
            name,
            kind: kind(&of)?,
        })
    });
    columns.collect()
}

/// The names of all tables.
pub(crate) async fn names(session: &mut Session) -> Result<Vec<String>, Error> {
    let question = match session.engine_name() {
        EngineName::Sqlite => {
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        EngineName::Postgres => {
            "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'f')"
        }
    };
    sql::query_scalar(question).fetch_all(session).await
}

/// Whether there are rows in it that Vega does not make by itself. `there` are the names of its tables.
pub(crate) async fn holds_something(session: &mut Session, there: &[String]) -> Result<bool, Error> {
    let tables = COPIED.iter().filter(|table| !table.is_made_at_first);
    for table in tables.filter(|table| there.iter().any(|name| name == table.name)) {
        let question = format!("SELECT EXISTS (SELECT 1 FROM {})", table.name);
        let question = sqlx::AssertSqlSafe(question);
        if sql::query_scalar::<bool>(question).fetch_one(session).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What this column holds in the row.
pub(crate) fn stored<'r>(row: &'r Row, column: &CopiedColumn) -> Result<Stored<'r>, Error> {
    row.stored(&*column.name)
}

#[cfg(test)]
mod tests {
    use vega_testing::PostgresServer;

    use super::*;
    use crate::database::data_source::DataSource;
    use crate::database::place::DatabasePlace;

    async fn both() -> (tempfile::TempDir, [Session; 2]) {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("config/vega.key");
        let file = format!("sqlite://{}", dir.path().join("data/vega_trade.db").display());
        let mut sessions = Vec::new();
        for url in [file, PostgresServer::shared().fresh_database()] {
            let place = DatabasePlace {
                folder: dir.path().join("data"),
                ..DatabasePlace::from(&url)
            };
            let data = DataSource::open(&place, key.as_path()).await.unwrap();
            sessions.push(data.session().await.unwrap());
        }
        (dir, sessions.try_into().ok().unwrap())
    }

    /// Whoever adds a table says here whether a copy has it, and a column is there in both engines.
    #[tokio::test]
    async fn no_table_and_no_column_is_left_out() {
        let (_dir, mut sessions) = both().await;
        for session in &mut sessions {
            let mut there = names(session).await.unwrap();
            there.retain(|name| !LEFT_OUT.contains(&&**name));
            there.sort();
            let mut copied = COPIED.map(|table| table.name).to_vec();
            copied.sort_unstable();
            assert_eq!(there, copied, "{:?}", session.engine_name());
        }
        let [file, server] = &mut sessions;
        for table in &COPIED {
            let columns_of_file = columns(file, table).await.unwrap();
            assert_eq!(
                columns_of_file,
                columns(server, table).await.unwrap(),
                "{}",
                table.name
            );
            for key in table.key {
                assert!(columns_of_file.iter().any(|column| column.name == *key), "{key}");
            }
        }
    }

    #[tokio::test]
    async fn every_number_that_a_server_counts_is_known() {
        let (_dir, [_, mut server]) = both().await;
        let question = "SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE table_schema = 'public' AND is_identity = 'YES' ORDER BY 1";
        let mut counted: Vec<(String, String)> =
            sql::query_as(question).fetch_all(&mut server).await.unwrap();
        counted.retain(|(table, _)| !LEFT_OUT.contains(&&**table));
        let mut known = COUNTED.map(|(table, column)| (table.to_owned(), column.to_owned()));
        known.sort();
        assert_eq!(counted, known);
    }
}
