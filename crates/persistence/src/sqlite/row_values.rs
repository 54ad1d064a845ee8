//! Rows of SQLite that bear values: how they are read, sealed and compared. What a value is, `sealing::row_values` says.

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Decode, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef};
use vega_domain::ports::StoreError;

use crate::hex::hex;
use crate::sealing::row_values::{ATTEMPTS, PRESSES, RowValues, SealedTable, Stored, TOKENS};
use crate::sqlite::causes::failed;

const EVERY_ONE: &str = "TRUE";

/// Which rows of a table decide something now.
fn deciding_of(table: &SealedTable) -> &'static str {
    match *table {
        TOKENS => {
            "generation = (SELECT max(generation) FROM upstox_tokens AS same WHERE same.api = upstox_tokens.api)"
        }
        PRESSES => "id IN (SELECT id FROM otp_requests ORDER BY id DESC LIMIT 50)",
        ATTEMPTS => {
            "closed_at IS NULL OR rowid IN
        (SELECT max(rowid) FROM sign_in_attempts WHERE closed_at IS NOT NULL GROUP BY api)"
        }
        _ => EVERY_ONE,
    }
}

/// What the sealed columns hold. `None`: SQLite holds what no Vega wrote.
fn columns<'r>(table: &SealedTable, row: &'r SqliteRow) -> Option<Vec<Stored<'r>>> {
    let columns = table.sealed.iter().map(|column| {
        let stored = row.try_get_raw(*column).ok()?;
        if stored.is_null() {
            return Some(Stored::Null);
        }
        let kind = stored.type_info().name().to_owned();
        match &*kind {
            "INTEGER" => <i64 as Decode<Sqlite>>::decode(stored).ok().map(Stored::Integer),
            "TEXT" => <&str as Decode<Sqlite>>::decode(stored).ok().map(Stored::Text),
            "BLOB" => <&[u8] as Decode<Sqlite>>::decode(stored).ok().map(Stored::Blob),
            _ => None,
        }
    });
    columns.collect()
}

impl RowValues {
    /// The number of the entry that changed this row last, if the row is what Vega wrote then.
    pub(crate) fn entry_of(&self, table: &SealedTable, row: &SqliteRow) -> Option<i64> {
        let entry: i64 = row.try_get("row_entry").ok()?;
        let value: Vec<u8> = row.try_get("row_value").ok()?;
        self.is_of(table, entry, &columns(table, row)?, &value)
            .then_some(entry)
    }

    /// Seals a row as it is stored now, as changed by this entry.
    pub(crate) async fn seal(
        &self,
        connection: &mut SqliteConnection,
        table: &SealedTable,
        row: i64,
        entry: i64,
    ) -> Result<(), StoreError> {
        let stored = stored(connection, table, row).await?;
        let value = stored
            .as_ref()
            .and_then(|stored| Some(self.of(table, entry, &columns(table, stored)?)));
        let Some(value) = value else {
            return Err(StoreError::Unreadable(format!(
                "a row of {} is gone or unreadable while it is written",
                table.name
            )));
        };
        let update = format!(
            "UPDATE {} SET row_entry = $2, row_value = $3 WHERE rowid = $1",
            table.name
        );
        sqlx::query(AssertSqlSafe(update))
            .bind(row)
            .bind(entry)
            .bind(value)
            .execute(connection)
            .await
            .map(drop)
            .map_err(failed("seal a row"))
    }
}

/// Tells one state of a row from another.
pub(crate) fn digest(table: &SealedTable, row: &SqliteRow) -> String {
    let mut digest = Sha256::new();
    for column in table.sealed.iter().chain(&["row_entry", "row_value"]) {
        let bytes = row
            .try_get_unchecked::<Option<Vec<u8>>, _>(*column)
            .ok()
            .flatten();
        let bytes = bytes.unwrap_or_default();
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    }
    hex(&digest.finalize()[..8])
}

/// A row as it is stored.
pub(crate) async fn stored(
    connection: &mut SqliteConnection,
    table: &SealedTable,
    row: i64,
) -> Result<Option<SqliteRow>, StoreError> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT rowid AS number, * FROM {} WHERE rowid = $1",
        table.name
    )))
    .bind(row)
    .fetch_optional(connection)
    .await
    .map_err(failed("read a row"))
}

/// Every row of a table, with its number.
pub(crate) async fn all(
    connection: &mut SqliteConnection,
    table: &SealedTable,
) -> Result<Vec<SqliteRow>, StoreError> {
    select(connection, table, EVERY_ONE).await
}

/// Those that decide something now.
pub(crate) async fn deciding(
    connection: &mut SqliteConnection,
    table: &SealedTable,
) -> Result<Vec<SqliteRow>, StoreError> {
    select(connection, table, deciding_of(table)).await
}

async fn select(
    connection: &mut SqliteConnection,
    table: &SealedTable,
    which: &str,
) -> Result<Vec<SqliteRow>, StoreError> {
    let name = table.name;
    sqlx::query(AssertSqlSafe(format!(
        "SELECT rowid AS number, * FROM {name} WHERE {which} ORDER BY rowid"
    )))
    .fetch_all(connection)
    .await
    .map_err(failed("read the rows"))
}
