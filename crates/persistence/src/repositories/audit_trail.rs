//! The audit trail in SQLite. Other repositories write their entries through `insert`, inside their own commit.
//! `insert` also makes the entry's chain value: there is one writer at a time, so the last entry stays the last until
//! the commit.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccountId, ApiName, RunId};
use vega_domain::ports::{AuditTrail, StoreError};
use vega_domain::secret::AccessToken;

use crate::audit::chain::{NewRow, Value};
use crate::audit::checkpoints::{Cause, Checkpoint};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Write;
use crate::repositories::audit_rows::{last_value, next_id};
use crate::sealing::fingerprint::Subject;
use crate::sql;
use crate::sql::value::stored_time;
use crate::stored::unreadable;

/// `AuditTrail` over SQLite.
#[derive(Debug, Clone)]
pub struct SqlAuditTrail(DataSource);

impl SqlAuditTrail {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl AuditTrail for SqlAuditTrail {
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

    async fn keep_checkpoint(&self, run: RunId, at: DateTime<Utc>) -> Result<(), StoreError> {
        // A trail that does not count leaves no checkpoint.
        let mut reading = self.0.read().await?;
        if let Err(mistrust) = &reading.judge.marks {
            return Err(mistrust.clone().into());
        }
        let last: Option<(i64, Option<Vec<u8>>, Vec<u8>)> = sql::query_as(
            "SELECT event.id, event.chain, audit_chain.chain_id FROM audit_events AS event, audit_chain
             ORDER BY event.id DESC LIMIT 1",
        )
        .fetch_optional(&mut reading)
        .await
        .map_err(failed("read the end of the audit trail"))?;
        drop(reading);
        let Some((entry, value, chain_id)) = last else {
            return Err(unreadable("the audit trail is empty after a run"));
        };
        let value = Value::try_from(value.unwrap_or_default())
            .map_err(|_| unreadable(format!("audit entry {entry} has no chain value")))?;
        let checkpoint = Checkpoint {
            at,
            cause: Cause::Run(run),
            chain_id,
            entry,
            value,
        };
        self.0.checkpoints().append_beside(checkpoint).await
    }
}

/// Writes one entry about a secret, with the secret's fingerprint.
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
    let value = chain.of_entry(&before, &row);
    // A trigger compares this number with the entry's, so an older Vega, which does not keep the list, cannot write. The
    // list's value is set at the commit.
    sql::query("UPDATE latest_changes SET entry = $1")
        .bind(id)
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
    sql::query(
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
    .execute(tx)
    .await
    .map_err(failed(DOING))?;
    tx.made((id, value), entry.at, entry.kind);
    Ok(())
}
