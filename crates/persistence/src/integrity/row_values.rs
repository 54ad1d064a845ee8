//! Rows with values in SQLite: which of them are looked at, and how they are read, sealed and compared. What a value covers is
//! decided in `sealing::row_values`.

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::hex::hex;
use crate::sealing::row_values::{ATTEMPTS, PRESSES, RowValues, SealedTable, TOKENS};
use crate::sql;
use crate::sql::value::Stored;
use crate::sql::{Row, Session};

const EVERY_ONE: &str = "TRUE";
const DOING: &str = "read the rows";

/// Which rows are examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowScope {
    /// The rows that decide something now: a few of each API.
    Deciding,
    /// Every one, however old.
    All,
}

/// Selects the newest token of each API by a skip scan: from one API to the next in the index, and within each to the
/// greatest generation. So the cost grows with the number of APIs, not with the number of their generations.
pub(crate) const NEWEST_TOKENS: &str = "rowid IN (
    WITH RECURSIVE each(api) AS (
        SELECT min(api) FROM upstox_tokens
        UNION ALL SELECT (SELECT min(api) FROM upstox_tokens WHERE api > each.api) FROM each WHERE api IS NOT NULL
    )
    SELECT (SELECT rowid FROM upstox_tokens WHERE api = each.api ORDER BY generation DESC LIMIT 1) FROM each)";

/// Selects the rows of a table that decide something now.
fn deciding_of(table: &SealedTable) -> &'static str {
    match *table {
        TOKENS => NEWEST_TOKENS,
        PRESSES => "id IN (SELECT id FROM otp_requests ORDER BY id DESC LIMIT 50)",
        ATTEMPTS => {
            "closed_at IS NULL OR rowid IN
        (SELECT max(rowid) FROM sign_in_attempts WHERE closed_at IS NOT NULL GROUP BY api)"
        }
        _ => EVERY_ONE,
    }
}

/// The contents of the sealed columns. `None`: the database holds something that no Vega wrote.
fn columns<'r>(table: &SealedTable, row: &'r Row) -> Option<Vec<Stored<'r>>> {
    let columns = table.sealed.iter().map(|column| row.stored(*column).ok());
    columns.collect()
}

impl RowValues {
    /// The number of the entry that changed this row last, if the row is what Vega wrote then.
    pub(crate) fn entry_of(&self, table: &SealedTable, row: &Row) -> Option<i64> {
        let entry: i64 = row.try_get("row_entry").ok()?;
        let value: Vec<u8> = row.try_get("row_value").ok()?;
        self.is_of(table, entry, &columns(table, row)?, &value)
            .then_some(entry)
    }

    /// Seals a row as it is stored now, as changed by this entry.
    pub(crate) async fn seal(
        &self,
        connection: &mut Session,
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
        sql::query(AssertSqlSafe(update))
            .bind(row)
            .bind(entry)
            .bind(value)
            .execute(connection)
            .await
            .map(drop)
            .map_err(failed("seal a row"))
    }
}

/// A digest that differs between two states of a row.
pub(crate) fn digest(table: &SealedTable, row: &Row) -> String {
    let mut digest = Sha256::new();
    for column in table.sealed.iter().chain(&["row_entry", "row_value"]) {
        let bytes = match row.stored(*column) {
            Ok(Stored::Integer(number)) => number.to_string().into_bytes(),
            Ok(stored) => stored.bytes().unwrap_or_default().to_vec(),
            Err(_) => Vec::new(),
        };
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    }
    hex(&digest.finalize()[..8])
}

/// A row as it is stored.
pub(crate) async fn stored(
    connection: &mut Session,
    table: &SealedTable,
    row: i64,
) -> Result<Option<Row>, StoreError> {
    sql::query(AssertSqlSafe(format!(
        "SELECT rowid AS number, * FROM {} WHERE rowid = $1",
        table.name
    )))
    .bind(row)
    .fetch_optional(connection)
    .await
    .map_err(failed("read a row"))
}

/// Every row of a table, with its number.
pub(crate) async fn all(connection: &mut Session, table: &SealedTable) -> Result<Vec<Row>, StoreError> {
    sql::query(AssertSqlSafe(query(table, EVERY_ONE)))
        .fetch_all(connection)
        .await
        .map_err(failed(DOING))
}

/// Looks at each row of a table, one after the other: of thousands of APIs all at once would be a lot of memory.
pub(crate) async fn for_each(
    connection: &mut Session,
    table: &SealedTable,
    scope: RowScope,
    mut look: impl FnMut(&Row),
) -> Result<(), StoreError> {
    let which = match scope {
        RowScope::Deciding => deciding_of(table),
        RowScope::All => EVERY_ONE,
    };
    let mut rows = sql::query(AssertSqlSafe(query(table, which))).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(failed(DOING))? {
        look(&row);
    }
    Ok(())
}

fn query(table: &SealedTable, which: &str) -> String {
    let name = table.name;
    format!("SELECT rowid AS number, * FROM {name} WHERE {which} ORDER BY rowid")
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    /// The same selection as `NEWEST_TOKENS`, read row by row.
    const ROW_BY_ROW: &str =
        "generation = (SELECT max(generation) FROM upstox_tokens AS same WHERE same.api = upstox_tokens.api)";

    async fn found(tokens: &sqlx::SqlitePool, which: &str) -> Vec<(String, i64)> {
        let query = format!("SELECT api, generation FROM upstox_tokens WHERE {which} ORDER BY api");
        sqlx::query_as(AssertSqlSafe(query))
            .fetch_all(tokens)
            .await
            .unwrap()
    }

    /// One connection, because the database is in its memory.
    async fn no_tokens() -> sqlx::SqlitePool {
        let tokens = SqlitePoolOptions::new()
            .max_connections(1)
            .connect("sqlite::memory:")
            .await
            .unwrap();
        let table = "CREATE TABLE upstox_tokens
            (api TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (api, generation)) STRICT";
        sqlx::query(table).execute(&tokens).await.unwrap();
        tokens
    }

    #[tokio::test]
    async fn the_skip_scan_finds_what_a_look_at_every_row_finds() {
        let tokens = no_tokens().await;
        for seed in 0_u32..200 {
            let digest = Sha256::digest(seed.to_be_bytes());
            let (count, bytes) = digest.split_first().unwrap();
            sqlx::query("DELETE FROM upstox_tokens")
                .execute(&tokens)
                .await
                .unwrap();
            for byte in bytes.iter().take(usize::from(count % 32)) {
                // Names of which one begins another, in both cases; generations with gaps, in any order.
                let api = ["A", "AB", "a", "Z9", "-", "\u{e9}"][usize::from(byte % 6)];
                sqlx::query("INSERT OR IGNORE INTO upstox_tokens VALUES ($1, $2)")
                    .bind(api)
                    .bind(i64::from(byte / 6) * 7 % 40 + 1)
                    .execute(&tokens)
                    .await
                    .unwrap();
            }
            let newest = found(&tokens, NEWEST_TOKENS).await;
            assert_eq!(newest, found(&tokens, ROW_BY_ROW).await, "seed {seed}");
        }
    }

    /// A scan of the table row by row would take longer each morning.
    #[tokio::test]
    async fn no_row_of_an_earlier_generation_is_looked_at() {
        let plan = |which: &str| {
            let query = format!("EXPLAIN QUERY PLAN SELECT * FROM upstox_tokens WHERE {which} ORDER BY api");
            async move {
                let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(query))
                    .fetch_all(&no_tokens().await)
                    .await
                    .unwrap();
                let steps: Vec<String> = steps.into_iter().map(|step| step.3).collect();
                steps.join("\n")
            }
        };
        let newest = plan(NEWEST_TOKENS).await;
        assert!(!newest.contains("SCAN upstox_tokens"), "{newest}");
        assert!(
            plan(ROW_BY_ROW).await.contains("SCAN upstox_tokens"),
            "the look tells them apart"
        );
    }
}
