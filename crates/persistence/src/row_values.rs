//! A keyed value over all columns of a row that decide something, and over the number of the audit entry that changed the row
//! last: nobody without the root key edits, moves or makes a row unnoticed. What is sealed is what SQLite stores, type and
//! bytes. Whether a row that fits is also the newest of its kind is told by `latest_changes`.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Decode, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef};
use vega_domain::ports::StoreError;

use crate::data_source::failed;
use crate::root_key::RootKey;

/// Keeps this key apart from every other use of the root key.
const CONTEXT: &[u8] = b"vega row value 1";

/// A table whose rows bear values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SealedTable {
    pub(crate) name: &'static str,
    /// The columns that decide something, with those that name the row. A test compares them with the schema.
    pub(crate) sealed: &'static [&'static str],
    /// Which rows decide something now, in SQL.
    deciding: &'static str,
}

const EVERY_ONE: &str = "TRUE";

pub(crate) const TOKENS: SealedTable = SealedTable {
    name: "upstox_tokens",
    sealed: &[
        "api",
        "generation",
        "account",
        "client_id",
        "user_id",
        "sealed_access_token",
        "sealed_extended_token",
        "issued_at",
        "valid_until",
        "verified_at",
        "rejected_at",
        "revoked_at",
        "last_check_at",
        "last_check_result",
        "last_check_reason",
        "erased_at",
    ],
    deciding: "generation = (SELECT max(generation) FROM upstox_tokens AS same WHERE same.api = upstox_tokens.api)",
};

pub(crate) const KEYS: SealedTable = SealedTable {
    name: "access_keys",
    sealed: &[
        "id",
        "name",
        "sealed_hash",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
    ],
    deciding: EVERY_ONE,
};

pub(crate) const LINKS: SealedTable = SealedTable {
    name: "console_links",
    sealed: &["code_hash", "made_at"],
    deciding: EVERY_ONE,
};

pub(crate) const SESSIONS: SealedTable = SealedTable {
    name: "console_sessions",
    sealed: &["id", "secret_hash", "opened_at", "last_seen_at"],
    deciding: EVERY_ONE,
};

pub(crate) const COOLDOWNS: SealedTable = SealedTable {
    name: "cooldowns",
    sealed: &[
        "mobile_number",
        "account",
        "since",
        "boot",
        "since_boot_ms",
        "length_ms",
        "reason",
        "detail",
    ],
    deciding: EVERY_ONE,
};

pub(crate) const PRESSES: SealedTable = SealedTable {
    name: "otp_requests",
    sealed: &[
        "id",
        "attempt_id",
        "mobile_number",
        "position",
        "requested_at",
        "boot",
        "since_boot_ms",
    ],
    deciding: "id IN (SELECT id FROM otp_requests ORDER BY id DESC LIMIT 50)",
};

pub(crate) const ATTEMPTS: SealedTable = SealedTable {
    name: "sign_in_attempts",
    sealed: &[
        "id",
        "run_id",
        "account",
        "api",
        "client_id",
        "generation",
        "state_hash",
        "status",
        "opened_at",
        "exchange_sent_at",
        "answered_at",
        "closed_at",
        "failure",
        "failure_detail",
        "sealed_code",
        "answer_status",
        "answer_complete",
        "sealed_answer",
    ],
    deciding: "closed_at IS NULL OR rowid IN
        (SELECT max(rowid) FROM sign_in_attempts WHERE closed_at IS NOT NULL GROUP BY api)",
};

/// All of them.
pub(crate) const ALL: [&SealedTable; 7] =
    [&TOKENS, &KEYS, &LINKS, &SESSIONS, &COOLDOWNS, &PRESSES, &ATTEMPTS];

/// Makes and compares row values.
pub(crate) struct RowValues(Hmac<Sha256>);

impl fmt::Debug for RowValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowValues([redacted])")
    }
}

impl RowValues {
    pub(crate) fn new(key: &RootKey) -> Self {
        Self(key.derive(CONTEXT))
    }

    /// The number of the entry that changed this row last, if the row is what Vega wrote then.
    pub(crate) fn entry_of(&self, table: &SealedTable, row: &SqliteRow) -> Option<i64> {
        let entry: i64 = row.try_get("row_entry").ok()?;
        let value: Vec<u8> = row.try_get("row_value").ok()?;
        let mac = self.mac(table, row, entry)?;
        mac.verify_slice(&value).ok().map(|()| entry)
    }

    /// Each part with its length before it, so that no two rows give the same bytes. `None`: SQLite holds what no Vega wrote.
    fn mac(&self, table: &SealedTable, row: &SqliteRow, entry: i64) -> Option<Hmac<Sha256>> {
        let mut mac = self.0.clone();
        let mut part = |kind: &str, bytes: &[u8]| {
            mac.update(&(kind.len() as u64).to_be_bytes());
            mac.update(kind.as_bytes());
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part("table", table.name.as_bytes());
        part("entry", &entry.to_be_bytes());
        for column in table.sealed {
            let stored = row.try_get_raw(*column).ok()?;
            if stored.is_null() {
                part("null", &[]);
                continue;
            }
            let kind = stored.type_info().name().to_owned();
            match &*kind {
                "INTEGER" => {
                    let number = <i64 as Decode<Sqlite>>::decode(stored).ok()?;
                    part(&kind, &number.to_be_bytes());
                }
                "TEXT" => part(&kind, <&str as Decode<Sqlite>>::decode(stored).ok()?.as_bytes()),
                "BLOB" => part(&kind, <&[u8] as Decode<Sqlite>>::decode(stored).ok()?),
                _ => return None,
            }
        }
        Some(mac)
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
        let Some(mac) = stored.and_then(|stored| self.mac(table, &stored, entry)) else {
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
            .bind(&mac.finalize().into_bytes()[..])
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
    crate::audit_heads::hex(&digest.finalize()[..8])
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
    select(connection, table, table.deciding).await
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
