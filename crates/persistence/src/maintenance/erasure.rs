//! Erases sealed bytes that nobody can use any more: tokens that expired a day ago, and answers of the same age. The
//! rows stay, because generations are counted by them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::integrity::row_values;
use crate::repositories::audit_trail;
use crate::sealing::row_values::{ATTEMPTS, TOKENS};
use crate::sql;
use crate::sql::value::stored_time;

const DOING: &str = "erase dead tokens";

/// How long after its end a token is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// A token dies at the next 03:30 IST, so no token of an answer is alive a day after the answer came.
const LONGEST_LIFE: TimeDelta = TimeDelta::hours(24);
/// Upstox says that an extended token lives for a year.
const EXTENDED_LIFE: TimeDelta = TimeDelta::days(366);

pub(crate) async fn erase_dead(data: &DataSource, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let tokens = sql::query_as(
        "UPDATE upstox_tokens SET sealed_access_token = $3, erased_at = $2
         WHERE erased_at IS NULL AND valid_until < $1 RETURNING rowid, api || ' ' || generation",
    )
    .bind(stored_time(now - KEPT))
    .bind(stored_time(now))
    .bind(Vec::new());
    // One lives on after the access token that it came with, until it is as old itself or a newer one came.
    let extended_tokens = sql::query_as(
        "UPDATE upstox_tokens AS token SET sealed_extended_token = NULL
         WHERE sealed_extended_token IS NOT NULL AND erased_at IS NOT NULL AND (issued_at < $1
             OR EXISTS (SELECT 1 FROM upstox_tokens AS newer WHERE newer.api = token.api
                 AND newer.generation > token.generation AND newer.sealed_extended_token IS NOT NULL))
         RETURNING rowid, api || ' ' || generation",
    )
    .bind(stored_time(now - EXTENDED_LIFE - KEPT));
    let answers = sql::query_as(
        "UPDATE sign_in_attempts SET sealed_answer = NULL
         WHERE sealed_answer IS NOT NULL AND closed_at IS NOT NULL AND answered_at < $1
         RETURNING rowid, api || ' ' || generation",
    )
    .bind(stored_time(now - LONGEST_LIFE - KEPT));

    let mut tx = data.write().await?;
    let mut erased = Vec::new();
    for (what, table, query) in [
        ("token", &TOKENS, tokens),
        ("extended token", &TOKENS, extended_tokens),
        ("answer", &ATTEMPTS, answers),
    ] {
        let rows = row_values::all(&mut tx, table).await?;
        let entries: BTreeMap<i64, i64> = rows
            .iter()
            .filter_map(|row| Some((row.try_get("number").ok()?, tx.trust.values.entry_of(table, row)?)))
            .collect();
        let names: Vec<(i64, String)> = query.fetch_all(&mut tx).await.map_err(failed(DOING))?;
        for (row, name) in names {
            // It decides what it decided before: the entry that tells of it stays the same. A row that did not fit stays so.
            if let Some(entry) = entries.get(&row) {
                tx.seal_as_of(table, row, *entry).await?;
            }
            erased.push(format!("{what} {name}"));
        }
    }
    if erased.is_empty() {
        return Ok(0);
    }
    let entry = AuditEntry::new(now, AuditKind::TokensErased, erased.join(", "));
    audit_trail::insert(&mut tx, &entry).await?;
    tx.commit().await.map_err(failed(DOING))?;
    data.engine().leave_no_copies().await?;
    Ok(erased.len() as u64)
}
