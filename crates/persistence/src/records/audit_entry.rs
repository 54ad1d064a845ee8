//! A row of `audit_events`, and the entry in it.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vega_domain::InvalidValue;
use vega_domain::audit::{AuditEntry, AuditKind, RecordedEntry};
use vega_domain::ids::{AccountId, ApiName, RunId};
use vega_domain::ports::StoreError;

use crate::sql::record;

record! {
    pub(crate) struct AuditEntryRow {
        id: i64,
        at: DateTime<Utc>,
        kind: String,
        account: Option<String>,
        api: Option<String>,
        run_id: Option<Uuid>,
        detail: String,
    }
}

impl AuditEntryRow {
    /// The entry, if a Vega could have written it.
    pub(crate) fn into_entry(self) -> Result<RecordedEntry, StoreError> {
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
                api: self.api.map(ApiName::stored).transpose()?,
                run: self.run_id.map(RunId::from_uuid),
                detail: self.detail,
            },
        })
    }
}
