//! The audit trail in SQLite. Other repositories write their entries through `insert`, inside their own commit, which
//! also makes the entry's chain value: one writer at a time, so the last entry stays the last until then.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::SqliteConnection;
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccountId, ApiName, RunId};
use vega_domain::ports::{AuditTrail, StoreError};
use vega_domain::secret::AccessToken;

use crate::audit_chain::{AuditChain, NewRow, RAW_ROWS, RawRow, Value};
use crate::audit_heads::{Cause, Head};
use crate::data_source::{DataSource, failed, unreadable};
use crate::fingerprint::Subject;
use crate::write::Write;

/// `AuditTrail` over SQLite.
#[derive(Debug, Clone)]
pub struct SqliteAuditTrail(DataSource);

impl SqliteAuditTrail {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl AuditTrail for SqliteAuditTrail {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        // On record also in a database that does not count.
        let mut tx = self.0.write_whatever_it_is().await?;
        insert(&mut tx, entry).await?;
        tx.commit().await.map_err(failed("append to the audit trail"))
    }

    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError> {
        let mut tx = self.0.write_whatever_it_is().await?;
        insert_about(&mut tx, entry, Subject::Token(token)).await?;
        tx.commit().await.map_err(failed("append to the audit trail"))
    }

    async fn keep_head(&self, run: RunId, at: DateTime<Utc>) -> Result<(), StoreError> {
        // A trail that does not count leaves no checkpoint.
        let mut reading = self.0.read().await?;
        if let Err(doubt) = &reading.marks {
            return Err(doubt.clone().into());
        }
        let last: Option<(i64, Option<Vec<u8>>, Vec<u8>)> = sqlx::query_as(
            "SELECT event.id, event.chain, audit_chain.chain_id FROM audit_events AS event, audit_chain
             ORDER BY event.id DESC LIMIT 1",
        )
        .fetch_optional(&mut *reading)
        .await
        .map_err(failed("read the head of the audit trail"))?;
        drop(reading);
        let Some((entry, value, chain_id)) = last else {
            return Err(unreadable("the audit trail is empty after a run"));
        };
        let value = Value::try_from(value.unwrap_or_default())
            .map_err(|_| unreadable(format!("audit entry {entry} has no chain value")))?;
        let head = Head {
            at,
            cause: Cause::Run(run),
            chain_id,
            entry,
            value,
        };
        self.0.heads().append_beside(head).await
    }
}

/// How times are stored. The same as sqlx writes, and said here because the chain seals the text.
pub(crate) fn stored_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// Writes one entry that speaks of a secret, which its fingerprint tells apart from others.
pub(crate) async fn insert_about(
    tx: &mut Write,
    entry: &AuditEntry,
    subject: Subject<'_>,
) -> Result<(), StoreError> {
    let noted = AuditEntry {
        detail: tx.fingerprints.note(&entry.detail, subject),
        ..entry.clone()
    };
    insert(tx, &noted).await
}

/// Writes one entry inside a transaction that is already open.
pub(crate) async fn insert(tx: &mut Write, entry: &AuditEntry) -> Result<(), StoreError> {
    const DOING: &str = "write an audit entry";
    let id = next_id(tx).await?;
    let chain = std::sync::Arc::clone(&tx.chain);
    let before = last_value(tx, &chain).await?;
    let at = stored_time(entry.at);
    let run = entry.run.map(|run| run.as_uuid());
    let row = NewRow {
        id,
        at: &at,
        kind: entry.kind.code(),
        account: entry.account.as_ref().map(AccountId::as_str),
        api: entry.api.as_ref().map(ApiName::as_str),
        run_id: run.as_ref().map(|run| &run.as_bytes()[..]),
        detail: &entry.detail,
    };
    let value = chain.of_new(&before, &row);
    // A trigger compares: so a Vega of before the list cannot leave it behind. Its value comes with the commit.
    sqlx::query("UPDATE latest_changes SET entry = $1")
        .bind(id)
        .execute(&mut **tx)
        .await
        .map_err(failed(DOING))?;
    sqlx::query(
        "INSERT INTO audit_events (id, at, kind, account, api, run_id, detail, chain)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(row.id)
    .bind(row.at)
    .bind(row.kind)
    .bind(row.account)
    .bind(row.api)
    .bind(row.run_id)
    .bind(row.detail)
    .bind(&value[..])
    .execute(&mut **tx)
    .await
    .map_err(failed(DOING))?;
    tx.made((id, value), entry.at, entry.kind);
    Ok(())
}

/// The number that the next entry gets: none is given twice, also after a cut.
pub(crate) async fn next_id(tx: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar(
        "SELECT 1 + max(coalesce((SELECT max(id) FROM audit_events), 0),
             coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit_events'), 0))",
    )
    .fetch_one(tx)
    .await
    .map_err(failed("number an audit entry"))
}

/// The value that the next entry seals. An entry that lost its value is passed over: the token work goes on, and
/// `AuditHistory::verify` finds it.
async fn last_value(tx: &mut SqliteConnection, chain: &AuditChain) -> Result<Vec<u8>, StoreError> {
    const DOING: &str = "read the end of the audit trail";
    let last: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT chain FROM audit_events WHERE chain IS NOT NULL ORDER BY id DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed(DOING))?;
    if let Some(last) = last {
        return Ok(last);
    }
    // The first one seals whatever an earlier Vega wrote without values.
    let mut value = chain.beginning(&chain_id(&mut *tx).await?);
    let rows: Vec<RawRow> = sqlx::query_as(RAW_ROWS)
        .bind(i64::MIN)
        .bind(i64::MAX)
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))?;
    for row in &rows {
        value = chain.of_stored(&value, row);
    }
    Ok(value.to_vec())
}

/// Which trail this is.
pub(crate) async fn chain_id(tx: &mut SqliteConnection) -> Result<Vec<u8>, StoreError> {
    let id: Option<Vec<u8>> = sqlx::query_scalar("SELECT chain_id FROM audit_chain")
        .fetch_optional(tx)
        .await
        .map_err(failed("read which audit trail this is"))?;
    // One that was taken away fits nothing, and `AuditHistory::verify` says so.
    Ok(id.unwrap_or_default())
}
