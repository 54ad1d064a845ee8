//! The audit trail read and examined. Examination walks all entries in one snapshot and compares what it computes with
//! what is stored and with the checkpoints that were kept; reading trusts what is stored.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use vega_domain::audit::{AuditFilter, AuditKind, AuditOrder, AuditVerdict, RecordedEntry};
use vega_domain::ids::{AccountId, ApiName, RunId};
use vega_domain::ports::{AuditHistory, StoreError};

use crate::audit::chain::RawRow;
use crate::audit::checkpoints::{Checkpoint, in_force};
use crate::audit::walk::{Chains, Walk};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::records::audit_entry::AuditEntryRow;
use crate::repositories::audit_rows::{RAW_ROWS, chain_id, earlier_chains, written_up_to};
use crate::sql;
use crate::sql::value::stored_time;
use crate::stored::unreadable;

/// How many entries are held in memory at once.
const CHUNK: u32 = 500;

/// `AuditHistory` over SQLite and the file of checkpoints.
#[derive(Debug, Clone)]
pub struct SqlAuditHistory(DataSource);

impl SqlAuditHistory {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }

    /// The verdict, and whether any entry was made by a Vega that keeps row values. A checkpoint that cannot be read is passed over.
    pub(crate) async fn examine(&self) -> Result<(AuditVerdict, bool), StoreError> {
        let file = self.0.checkpoints().clone();
        let checkpoints = tokio::task::spawn_blocking(move || file.readable()).await;
        // What cannot be read tells nothing; whoever needs it asks for it.
        let checkpoints = checkpoints.unwrap_or_else(|panicked| Err(unreadable(panicked)));
        self.walk(checkpoints.unwrap_or_default()).await
    }

    /// The same with these checkpoints.
    pub(crate) async fn walk(
        &self,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<(AuditVerdict, bool), StoreError> {
        const DOING: &str = "examine the audit trail";
        let (mut tx, key) = self.0.read_whatever_it_is().await?;
        let chain_id = chain_id(&mut tx).await?;
        // One from before the first entry says nothing of any.
        let checkpoints = checkpoints.into_iter().filter(|checkpoint| checkpoint.entry > 0);
        let checkpoints: Vec<Checkpoint> = checkpoints.collect();
        let all = checkpoints.len();
        let checkpoints: Vec<Checkpoint> = checkpoints
            .into_iter()
            .filter(|checkpoint| checkpoint.chain_id == chain_id)
            .collect();
        let of_others = (all - checkpoints.len()) as u64;
        let checkpoints = in_force(&checkpoints);
        let chains = Chains {
            earlier: earlier_chains(&mut tx, &key.sealer).await?,
            in_force: &key.recorder.chain,
        };
        let mut walk = Walk::new(&chains, &chain_id, checkpoints);
        let mut next = i64::MIN;
        loop {
            let rows: Vec<RawRow> = sql::query_as(RAW_ROWS)
                .bind(next)
                .bind(CHUNK)
                .fetch_all(&mut tx)
                .await
                .map_err(failed(DOING))?;
            let fault = rows.iter().find_map(|row| walk.step(row).err());
            if fault.is_some() || rows.len() < CHUNK as usize {
                let fault = fault.or(walk.end(written_up_to(&mut tx).await?).err());
                let verdict = AuditVerdict {
                    entries: walk.entries,
                    checkpoints: walk.checkpoints,
                    other_checkpoints: of_others,
                    fault,
                };
                return Ok((verdict, walk.is_beside_row_values));
            }
            next = walk.last + 1;
        }
    }

    async fn checkpoints(&self, copy: Option<&Path>) -> Result<Vec<Checkpoint>, StoreError> {
        let (file, copy) = (self.0.checkpoints().clone(), copy.map(PathBuf::from));
        tokio::task::spawn_blocking(move || file.read(copy.as_deref()))
            .await
            .unwrap_or_else(|panicked| Err(unreadable(panicked)))
    }
}

/// Reads the wanted entries beyond the bound id, in an order.
macro_rules! wanted {
    ($beyond:literal, $order:literal) => {
        concat!(
            "SELECT id, at, kind, account, api, run_id, detail FROM audit_events WHERE ($1 IS NULL OR ",
            $beyond,
            ") AND ($2 IS NULL OR at >= $2) AND ($3 IS NULL OR at < $3) AND ($4 IS NULL OR kind = $4)
             AND ($5 IS NULL OR account = $5) AND ($6 IS NULL OR api = $6) AND ($7 IS NULL OR run_id = $7) ORDER BY ",
            $order,
            " LIMIT $8"
        )
    };
}

#[async_trait]
impl AuditHistory for SqlAuditHistory {
    async fn page(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<RecordedEntry>, StoreError> {
        let rows: Vec<AuditEntryRow> = sql::query_as(match order {
            AuditOrder::OldestFirst => wanted!("id > $1", "id"),
            AuditOrder::NewestFirst => wanted!("id < $1", "id DESC"),
        })
        .bind(after)
        .bind(filter.since.map(stored_time))
        .bind(filter.until.map(stored_time))
        .bind(filter.kind.map(AuditKind::code))
        .bind(filter.account.as_ref().map(AccountId::as_str))
        .bind(filter.api.as_ref().map(ApiName::as_str))
        .bind(filter.run.as_ref().map(RunId::as_uuid))
        .bind(limit)
        .fetch_all(&mut self.0.session().await?)
        .await
        .map_err(failed("read the audit trail"))?;
        rows.into_iter().map(AuditEntryRow::into_entry).collect()
    }

    async fn verify<'a>(&'a self, checkpoints: Option<&'a Path>) -> Result<AuditVerdict, StoreError> {
        // First the checkpoints: a run that ends meanwhile has its entries in the snapshot, or no checkpoint here.
        let checkpoints = self.checkpoints(checkpoints).await?;
        Ok(self.walk(checkpoints).await?.0)
    }
}
