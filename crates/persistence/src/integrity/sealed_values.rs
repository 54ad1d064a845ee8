//! The list of all columns with sealed values, used by rotation and examination. A test compares it with the schema, so no
//! sealed column is left out.

use sqlx::AssertSqlSafe;
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::sealing::seal::Place;
use crate::sql;
use crate::sql::{FromRow, Row, Session};

/// A column of sealed values.
pub(crate) struct SealedColumn {
    pub(crate) table: &'static str,
    pub(crate) sql: &'static str,
    /// The column's name in `Place`.
    name: &'static str,
    /// The SQL for API, client id and generation in `Place`.
    identity: &'static str,
}

const OF_A_SIGN_IN: &str = "api, client_id, generation";

/// The chain keys of earlier root keys; a row's number is the last entry that was made with it.
pub(crate) const CHAIN_KEYS: SealedColumn = SealedColumn {
    table: "audit_chain_keys",
    sql: "sealed_key",
    name: "chain_key",
    identity: "'up to entry ' || last_entry AS api, '' AS client_id, 0 AS generation",
};

/// The hashes of access keys, each sealed together with the rights of its key.
pub(crate) const KEY_HASHES: SealedColumn = SealedColumn {
    table: "access_keys",
    sql: "sealed_hash",
    name: "key_hash",
    identity: "name || ' ' || scopes || ' ' || hex(id) AS api,
               created_at || ' ' || coalesce(expires_at, 'never') || ' ' || coalesce(revoked_at, 'never') AS client_id,
               0 AS generation",
};

/// All of them.
pub(crate) const ALL: [SealedColumn; 6] = [
    SealedColumn {
        table: "upstox_tokens",
        sql: "sealed_access_token",
        name: "access_token",
        identity: OF_A_SIGN_IN,
    },
    SealedColumn {
        table: "upstox_tokens",
        sql: "sealed_extended_token",
        name: "extended_token",
        identity: OF_A_SIGN_IN,
    },
    SealedColumn {
        table: "sign_in_attempts",
        sql: "sealed_code",
        name: "code",
        identity: OF_A_SIGN_IN,
    },
    SealedColumn {
        table: "sign_in_attempts",
        sql: "sealed_answer",
        name: "answer",
        identity: OF_A_SIGN_IN,
    },
    CHAIN_KEYS,
    KEY_HASHES,
];

/// One value, with the place that it was sealed for.
#[derive(Debug)]
pub(crate) struct SealedValue {
    pub(crate) row: i64,
    api: String,
    client_id: String,
    generation: u32,
    pub(crate) envelope: Vec<u8>,
}

impl FromRow for SealedValue {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            row: row.try_get("sealed_row")?,
            api: row.try_get("api")?,
            client_id: row.try_get("client_id")?,
            generation: row.try_get("generation")?,
            envelope: row.try_get::<Option<_>>("envelope")?.unwrap_or_default(),
        })
    }
}

impl SealedValue {
    pub(crate) fn place(&self, column: &SealedColumn) -> Place<'_> {
        Place {
            table: column.table,
            column: column.name,
            api: &self.api,
            client_id: &self.client_id,
            generation: self.generation,
        }
    }
}

impl SealedColumn {
    /// The values of this column, without erased ones.
    pub(crate) async fn values(&self, connection: &mut Session) -> Result<Vec<SealedValue>, StoreError> {
        self.select(connection, &format!("WHERE length({}) > 0", self.sql))
            .await
    }

    /// Every row, also rows in which nothing is sealed.
    pub(crate) async fn rows(&self, connection: &mut Session) -> Result<Vec<SealedValue>, StoreError> {
        self.select(connection, "").await
    }

    /// The columns from which a `SealedValue` is read.
    pub(crate) fn columns(&self) -> String {
        let Self { sql, identity, .. } = self;
        format!("rowid AS sealed_row, {identity}, {sql} AS envelope")
    }

    async fn select(&self, connection: &mut Session, which: &str) -> Result<Vec<SealedValue>, StoreError> {
        let (columns, table) = (self.columns(), self.table);
        let query = format!("SELECT {columns} FROM {table} {which} ORDER BY rowid");
        sql::query_as(AssertSqlSafe(query))
            .fetch_all(connection)
            .await
            .map_err(failed("read the sealed values"))
    }

    /// The place of a value that is about to be sealed in a row of `CHAIN_KEYS`.
    pub(crate) fn of_chain_key(last_entry: i64) -> SealedValue {
        SealedValue {
            row: last_entry,
            api: format!("up to entry {last_entry}"),
            client_id: String::new(),
            generation: 0,
            envelope: Vec::new(),
        }
    }

    /// Replaces the envelope in this row.
    pub(crate) async fn replace(
        &self,
        connection: &mut Session,
        row: i64,
        envelope: Vec<u8>,
    ) -> Result<(), StoreError> {
        let Self { table, sql, .. } = self;
        sql::query(AssertSqlSafe(format!(
            "UPDATE {table} SET {sql} = $2 WHERE rowid = $1"
        )))
        .bind(row)
        .bind(envelope)
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed("seal a value anew"))
    }
}
