//! The rows of the audit trail as they are stored: its identity, its end and the chains that made it.

use std::collections::BTreeMap;

use vega_domain::ports::StoreError;

use crate::audit::chain::{AuditChain, RawRow};
use crate::database::causes::failed;
use crate::integrity::sealed_values;
use crate::sealing::seal::Sealer;
use crate::sql;
use crate::sql::{EngineName, Session};

/// Selects the entries from an id on, as `RawRow`s. Ends in a limit.
pub(crate) const RAW_ROWS: &str = "SELECT id, at, kind, account, api, run_id, detail, chain
     FROM audit_events WHERE id >= $1 ORDER BY id LIMIT $2";

/// The number of the next entry: no number is used twice, also after the trail was cut.
pub(crate) async fn next_id(tx: &mut Session) -> Result<i64, StoreError> {
    let next = match tx.engine_name() {
        EngineName::Sqlite => {
            "SELECT 1 + max(coalesce((SELECT max(id) FROM audit_events), 0),
                 coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit_events'), 0))"
        }
        EngineName::Postgres => "SELECT 1 + last_entry FROM writer",
    };
    sql::query_scalar(next)
        .fetch_one(tx)
        .await
        .map_err(failed("number an audit entry"))
}

/// The value that the next entry is chained to. An entry that lost its value is skipped: work with tokens goes on, and
/// `AuditHistory::verify` finds the entry.
pub(crate) async fn last_value(tx: &mut Session, chain: &AuditChain) -> Result<Vec<u8>, StoreError> {
    const DOING: &str = "read the end of the audit trail";
    let last: Option<Vec<u8>> =
        sql::query_scalar("SELECT chain FROM audit_events WHERE chain IS NOT NULL ORDER BY id DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed(DOING))?;
    if let Some(last) = last {
        return Ok(last);
    }
    // The first one seals whatever an earlier Vega wrote without values.
    let mut value = chain.beginning(&chain_id(&mut *tx).await?);
    let rows: Vec<RawRow> = sql::query_as(RAW_ROWS)
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

/// The identity of this trail.
pub(crate) async fn chain_id(tx: &mut Session) -> Result<Vec<u8>, StoreError> {
    let id: Option<Vec<u8>> = sql::query_scalar("SELECT chain_id FROM audit_chain")
        .fetch_optional(tx)
        .await
        .map_err(failed("read which audit trail this is"))?;
    // One that was taken away fits nothing, and `AuditHistory::verify` says so.
    Ok(id.unwrap_or_default())
}

/// The greatest id that an entry ever had.
pub(crate) async fn written_up_to(tx: &mut Session) -> Result<i64, StoreError> {
    let written = match tx.engine_name() {
        EngineName::Sqlite => "SELECT max(seq) FROM sqlite_sequence WHERE name = 'audit_events'",
        EngineName::Postgres => "SELECT max(last_entry) FROM writer",
    };
    let seq: Option<i64> = sql::query_scalar(written)
        .fetch_one(tx)
        .await
        .map_err(failed("read how long the audit trail was"))?;
    Ok(seq.unwrap_or_default())
}

/// The chains of earlier root keys. One that does not open is left out, and its entries fit nothing.
pub(crate) async fn earlier_chains(
    tx: &mut Session,
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
