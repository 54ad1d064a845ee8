//! Ports: the audit trail. Changes carry their entry through their own port; `AuditTrail` is for what happens without a
//! change, `AuditHistory` for whoever reads the trail or checks it.

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::{AuditEntry, AuditFilter, AuditOrder, AuditVerdict, RecordedEntry};
use crate::ids::RunId;
use crate::secret::AccessToken;

/// Append-only record of what happened.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Appends one entry durably. An entry MUST never be changed or removed afterwards
    /// (`entries_stay_as_they_were_appended_and_in_their_order`,
    /// `audit_events_can_be_added_but_never_changed_or_removed`). A change of it, of its place or of the entries before
    /// it MUST be found by `AuditHistory::verify` (`every_single_bit_edit_of_a_small_audit_table_is_found`,
    /// `what_is_done_to_the_table_is_found_without_checkpoints`).
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Appends one entry about a token that is stored nowhere. The entry MUST tell it apart from other tokens, in the
    /// same way as the entries about stored ones do, and MUST NOT make it readable
    /// (`an_entry_about_a_token_tells_it_apart_and_does_not_show_it`).
    async fn append_about(&self, entry: &AuditEntry, token: &AccessToken) -> Result<(), StoreError>;

    /// Keeps the trail's last entry on record outside the database, at the end of a run. A trail that is cut before it
    /// MUST be found by `AuditHistory::verify` (`a_tail_that_was_cut_with_its_count_is_found_by_the_checkpoint`).
    async fn keep_checkpoint(&self, run: RunId, at: DateTime<Utc>) -> Result<(), StoreError>;
}

/// The record, read and examined.
#[async_trait]
pub trait AuditHistory: Send + Sync {
    /// The wanted entries that come after the entry `after` in this order, `limit` at most. Without `after` it begins with
    /// the first one of the order.
    async fn page(
        &self,
        filter: &AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<RecordedEntry>, StoreError>;

    /// Looks whether all entries are those that were written, and whether the trail goes on from each checkpoint that
    /// was kept: beside the key, or in a copy of that file. MUST find nothing wrong where nothing was changed
    /// (`a_trail_that_nobody_changed_is_intact`). Trails MUST NOT be compared with checkpoints of another database
    /// (`checkpoints_are_compared_with_their_own_trail_alone`).
    async fn verify<'a>(&'a self, checkpoints: Option<&'a Path>) -> Result<AuditVerdict, StoreError>;
}
