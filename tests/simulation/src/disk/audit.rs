//! The audit trail of what happens without a change of its own.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::RunId;
use vega_domain::ports::{AuditTrail, StoreError};
use vega_domain::secret::{AccessToken, AuthorizationCode, RawAnswer};

use super::{Done, Store};
use crate::trace::hex;

/// Without it nobody can try out a guess.
const FINGERPRINT_KEY: &[u8] = b"the key of this desk";

/// The secret that an entry speaks of.
pub(super) enum Subject<'a> {
    Code(&'a AuthorizationCode),
    Answer(&'a RawAnswer),
    Token(&'a AccessToken),
}

/// The entry with a fingerprint of what it speaks of, as the database writes it.
pub(super) fn about(entry: &AuditEntry, subject: &Subject<'_>) -> AuditEntry {
    let (what, secret) = match subject {
        Subject::Code(code) => ("code", code.expose().as_bytes()),
        Subject::Answer(answer) => ("answer", answer.expose()),
        Subject::Token(token) => ("token", token.expose().as_bytes()),
    };
    let value = Sha256::new_with_prefix(FINGERPRINT_KEY)
        .chain_update(secret)
        .finalize();
    let divider = if entry.detail.is_empty() { "" } else { "; " };
    let detail = format!("{}{divider}{what} {}", entry.detail, hex(&value[..8]));
    AuditEntry {
        detail,
        ..entry.clone()
    }
}

#[async_trait]
impl AuditTrail for Store {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let what = format!("entry {}: {}", entry.kind.code(), entry.detail);
        self.commit(&what, AuditKind::ALL, |_| Ok(Done::with((), entry)))
            .await
    }

    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError> {
        self.append(&about(entry, &Subject::Token(token))).await
    }

    async fn keep_checkpoint(&self, _run: RunId, _at: DateTime<Utc>) -> Result<(), StoreError> {
        self.here.point().await;
        Ok(())
    }
}
