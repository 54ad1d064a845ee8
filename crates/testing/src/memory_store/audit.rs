//! The audit trail, and who reads it. An entry about a secret tells it apart from others and does not make it readable.

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use vega_domain::audit::{AuditEntry, AuditFilter, AuditOrder, AuditVerdict, RecordedEntry};
use vega_domain::ids::RunId;
use vega_domain::ports::{AuditHistory, AuditTrail, StoreError};
use vega_domain::secret::{AccessToken, AuthorizationCode, RawAnswer};

use super::store::{Done, MemoryStore};

/// Without it nobody can try out a guess.
const FINGERPRINT_KEY: &[u8] = b"the key of this store";

/// The secret that an entry speaks of.
pub(super) enum Subject<'a> {
    Code(&'a AuthorizationCode),
    Answer(&'a RawAnswer),
    Token(&'a AccessToken),
}

/// The entry with a fingerprint of what it speaks of.
pub(super) fn about(entry: &AuditEntry, subject: &Subject<'_>) -> AuditEntry {
    let (what, secret) = match subject {
        Subject::Code(code) => ("code", code.expose().as_bytes()),
        Subject::Answer(answer) => ("answer", answer.expose()),
        Subject::Token(token) => ("token", token.expose().as_bytes()),
    };
    let hash = Sha256::new_with_prefix(FINGERPRINT_KEY)
        .chain_update(secret)
        .finalize();
    let fingerprint: Vec<String> = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let divider = if entry.detail.is_empty() { "" } else { "; " };
    let detail = format!("{}{divider}{what} {}", entry.detail, fingerprint.concat());
    AuditEntry {
        detail,
        ..entry.clone()
    }
}

#[async_trait]
impl AuditTrail for MemoryStore {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("append {}", entry.kind.code()), |_| {
            Ok(Done::with((), entry))
        })
    }

    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError> {
        self.append(&about(entry, &Subject::Token(token))).await
    }

    async fn keep_checkpoint(&self, run: RunId, _at: DateTime<Utc>) -> Result<(), StoreError> {
        self.commit("keep_checkpoint", |tables| {
            tables.checkpoints.push((run, tables.audit.len()));
            Ok(Done::untold(()))
        })
    }
}

fn is_wanted(entry: &AuditEntry, filter: &AuditFilter) -> bool {
    filter.since.is_none_or(|since| entry.at >= since)
        && filter.until.is_none_or(|until| entry.at < until)
        && filter.kind.is_none_or(|kind| entry.kind == kind)
        && (filter.account.is_none() || entry.account == filter.account)
        && (filter.api.is_none() || entry.api == filter.api)
        && (filter.run.is_none() || entry.run == filter.run)
}

#[async_trait]
impl AuditHistory for MemoryStore {
    async fn page(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<RecordedEntry>, StoreError> {
        self.look("audit", |tables| {
            let entries = (1..).zip(&tables.audit);
            let mut wanted: Vec<RecordedEntry> = entries
                .filter(|(_, entry)| is_wanted(entry, filter))
                .map(|(id, entry)| RecordedEntry {
                    id,
                    entry: entry.clone(),
                })
                .collect();
            if order == AuditOrder::NewestFirst {
                wanted.reverse();
            }
            if let Some(after) = after {
                wanted.retain(|entry| match order {
                    AuditOrder::OldestFirst => entry.id > after,
                    AuditOrder::NewestFirst => entry.id < after,
                });
            }
            wanted.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            wanted
        })
    }

    /// Nobody can get at these entries but through the ports, which change none.
    async fn verify<'a>(&'a self, _checkpoints: Option<&'a Path>) -> Result<AuditVerdict, StoreError> {
        self.look("audit", |tables| AuditVerdict {
            entries: tables.audit.len() as u64,
            checkpoints: tables.checkpoints.len() as u64,
            other_checkpoints: 0,
            fault: None,
        })
    }
}
