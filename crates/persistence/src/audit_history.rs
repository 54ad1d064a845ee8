//! The audit trail read and examined. Examination walks all entries in one snapshot and compares what it computes with
//! what is stored and with the heads that were kept; reading trusts what is stored.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;
use vega_domain::audit::{
    AuditEntry, AuditFault, AuditFilter, AuditKind, AuditOrder, AuditVerdict, RecordedEntry,
};
use vega_domain::ids::{AccountId, ApiName, InvalidValue, RunId};
use vega_domain::ports::{AuditHistory, StoreError};

use crate::audit_chain::{AuditChain, RAW_ROWS, RawRow, Value};
use crate::audit_heads::{Cause, Head, in_force};
use crate::audit_trail::{chain_id, stored_time};
use crate::data_source::{DataSource, failed, unreadable};
use crate::seal::Sealer;
use crate::sealed_values;

/// How many entries are held in memory at once.
const CHUNK: u32 = 500;

/// `AuditHistory` over SQLite and the file of heads.
#[derive(Debug, Clone)]
pub struct SqliteAuditHistory(DataSource);

impl SqliteAuditHistory {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }

    /// The verdict, and whether any entry was made by a Vega that keeps row values. A head that cannot be read is passed over.
    pub(crate) async fn examine(&self) -> Result<(AuditVerdict, bool), StoreError> {
        let file = self.0.heads().clone();
        let heads = tokio::task::spawn_blocking(move || file.readable()).await;
        // What cannot be read tells nothing; whoever needs it asks for it.
        let heads = heads.unwrap_or_else(|panicked| Err(unreadable(panicked)));
        self.walk(heads.unwrap_or_default()).await
    }

    async fn walk(&self, heads: Vec<Head>) -> Result<(AuditVerdict, bool), StoreError> {
        const DOING: &str = "examine the audit trail";
        let mut tx = self.0.reader().begin().await.map_err(failed(DOING))?;
        let chain_id = chain_id(&mut tx).await?;
        // One from before the first entry says nothing of any.
        let heads = heads.into_iter().filter(|head| head.entry > 0);
        let heads: Vec<Head> = heads.collect();
        let all = heads.len();
        let heads: Vec<Head> = heads
            .into_iter()
            .filter(|head| head.chain_id == chain_id)
            .collect();
        let of_others = (all - heads.len()) as u64;
        let heads = in_force(&heads);
        let chains = Chains {
            earlier: earlier_chains(&mut tx, self.0.sealer()).await?,
            in_force: self.0.chain(),
        };
        let mut walk = Walk::new(&chains, &chain_id, heads);
        let mut next = i64::MIN;
        loop {
            let rows: Vec<RawRow> = sqlx::query_as(RAW_ROWS)
                .bind(next)
                .bind(CHUNK)
                .fetch_all(&mut *tx)
                .await
                .map_err(failed(DOING))?;
            let fault = rows.iter().find_map(|row| walk.step(row).err());
            if fault.is_some() || rows.len() < CHUNK as usize {
                let fault = fault.or(walk.end(written_up_to(&mut tx).await?).err());
                let verdict = AuditVerdict {
                    entries: walk.entries,
                    heads: walk.heads,
                    other_heads: of_others,
                    fault,
                };
                return Ok((verdict, walk.is_beside_row_values));
            }
            next = walk.last + 1;
        }
    }

    async fn heads(&self, copy: Option<&Path>) -> Result<Vec<Head>, StoreError> {
        let (file, copy) = (self.0.heads().clone(), copy.map(PathBuf::from));
        tokio::task::spawn_blocking(move || file.read(copy.as_deref()))
            .await
            .unwrap_or_else(|panicked| Err(unreadable(panicked)))
    }
}

/// Reads the wanted entries that lie beyond the bound one, in an order.
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
impl AuditHistory for SqliteAuditHistory {
    async fn page(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<RecordedEntry>, StoreError> {
        let rows: Vec<EntryRow> = sqlx::query_as(match order {
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
        .fetch_all(self.0.reader())
        .await
        .map_err(failed("read the audit trail"))?;
        rows.into_iter().map(EntryRow::into_entry).collect()
    }

    async fn verify<'a>(&'a self, heads: Option<&'a Path>) -> Result<AuditVerdict, StoreError> {
        // First the heads: a run that ends meanwhile has its entries in the snapshot, or no head here.
        let heads = self.heads(heads).await?;
        Ok(self.walk(heads).await?.0)
    }
}

/// The greatest id that SQLite ever gave an entry.
async fn written_up_to(tx: &mut SqliteConnection) -> Result<i64, StoreError> {
    let seq: Option<i64> =
        sqlx::query_scalar("SELECT max(seq) FROM sqlite_sequence WHERE name = 'audit_events'")
            .fetch_one(tx)
            .await
            .map_err(failed("read how long the audit trail was"))?;
    Ok(seq.unwrap_or_default())
}

/// The chains of earlier root keys. One that does not open is left out, and its entries fit nothing.
async fn earlier_chains(
    tx: &mut SqliteConnection,
    sealer: &Sealer,
) -> Result<BTreeMap<i64, AuditChain>, StoreError> {
    let keys = sealed_values::CHAIN_KEYS.values(tx).await?;
    Ok(keys
        .iter()
        .filter_map(|key| {
            let place = key.place(&sealed_values::CHAIN_KEYS);
            let opened = sealer.open(place, &key.envelope).ok()?;
            Some((key.row, AuditChain::of_chain_key(&opened)))
        })
        .collect())
}

/// Which chain an entry belongs to.
struct Chains<'a> {
    /// By the last entry that each made.
    earlier: BTreeMap<i64, AuditChain>,
    in_force: &'a AuditChain,
}

impl Chains<'_> {
    fn of(&self, entry: i64) -> &AuditChain {
        let earlier = self.earlier.range(entry..).next();
        earlier.map_or(self.in_force, |(_, chain)| chain)
    }

    /// Each rotation is followed by the entry that tells of it.
    fn at_least(&self) -> i64 {
        self.earlier.keys().next_back().map_or(0, |last| last + 1)
    }
}

/// The way along the trail, up to the last entry that fits.
struct Walk<'a> {
    chains: &'a Chains<'a>,
    by_entry: HashMap<i64, Vec<&'a Head>>,
    value: Value,
    is_chained: bool,
    is_beside_row_values: bool,
    last: i64,
    entries: u64,
    heads: u64,
}

impl<'a> Walk<'a> {
    fn new(chains: &'a Chains<'a>, chain_id: &[u8], heads: &'a [Head]) -> Self {
        let mut by_entry: HashMap<i64, Vec<&Head>> = HashMap::new();
        for head in heads {
            by_entry.entry(head.entry).or_default().push(head);
        }
        Self {
            chains,
            by_entry,
            value: chains.of(1).beginning(chain_id),
            is_chained: false,
            is_beside_row_values: false,
            last: 0,
            entries: 0,
            heads: 0,
        }
    }

    fn step(&mut self, row: &RawRow) -> Result<(), AuditFault> {
        let entry = self.last + 1;
        if row.id < entry {
            return Err(AuditFault::Edited { entry: row.id });
        }
        if row.id > entry {
            return Err(AuditFault::Missing { entry });
        }
        let chain = self.chains.of(entry);
        let value = chain.of_stored(&self.value, row);
        self.is_beside_row_values = self.is_beside_row_values || chain.is_beside_row_values(&self.value, row);
        self.is_chained |= row.is_chained();
        // Only before the first value may there be entries without one: they are sealed by it.
        if self.is_chained && !row.bears(&value) {
            return Err(AuditFault::Edited { entry });
        }
        for head in self.by_entry.remove(&entry).unwrap_or_default() {
            if head.value != value {
                let run = match head.cause {
                    Cause::Run(run) => Some(run),
                    Cause::Revocation | Cause::Change | Cause::EitherOfBoth | Cause::Accepted => None,
                };
                return Err(AuditFault::Rewritten { entry, run });
            }
            self.heads += 1;
        }
        (self.value, self.last) = (value, entry);
        self.entries += 1;
        Ok(())
    }

    /// What is left of the heads was written once, and is not there.
    fn end(&self, written_up_to: i64) -> Result<(), AuditFault> {
        let last = self.last;
        let kept = self.by_entry.keys().copied().max().unwrap_or_default();
        let written = kept.max(written_up_to).max(self.chains.at_least());
        if written != last {
            return Err(AuditFault::Cut { last, written });
        }
        Ok(())
    }
}

#[derive(FromRow)]
struct EntryRow {
    id: i64,
    at: DateTime<Utc>,
    kind: String,
    account: Option<String>,
    api: Option<String>,
    run_id: Option<Uuid>,
    detail: String,
}

impl EntryRow {
    fn into_entry(self) -> Result<RecordedEntry, StoreError> {
        let id = self.id;
        self.parse().map_err(|error: InvalidValue| {
            StoreError::Unreadable(format!(
                "audit entry {id} cannot be read: {error}. Verify the trail, with `vega audit --verify` or in the console, to see \
                 whether it was changed"
            ))
        })
    }

    fn parse(self) -> Result<RecordedEntry, InvalidValue> {
        Ok(RecordedEntry {
            id: self.id,
            entry: AuditEntry {
                at: self.at,
                kind: AuditKind::parse(&self.kind)?,
                account: self.account.map(AccountId::new).transpose()?,
                api: self.api.map(ApiName::new).transpose()?,
                run: self.run_id.map(RunId::from_uuid),
                detail: self.detail,
            },
        })
    }
}
