//! The audit trail, entry by entry, and the verdict on whether it is what Vega wrote.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vega_domain::audit::{AuditVerdict, RecordedEntry};
use vega_domain::expiry::rfc3339_ist;
use vega_domain::row_faults::RowFaults;

use crate::codes::{AuditFault, AuditKind};
use crate::database::RowView;

/// Some of the trail.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AuditView {
    pub v: u8,
    /// In the order that was asked for.
    pub entries: Vec<EntryView>,
    /// Ask with `after` set to this for what follows; null at the end.
    pub next: Option<i64>,
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryOrder {
    /// As they were written.
    #[default]
    Oldest,
    /// The last one first.
    Newest,
}

/// As what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// An object with all entries, as the pages have them.
    #[default]
    Json,
    /// RFC 4180 with a header line. A cell that a spreadsheet would take for a formula begins with an apostrophe; characters
    /// that would steer a terminal stand there as their number, such as `\\u{1b}`.
    Csv,
}

/// An export as JSON; written entry by entry.
#[derive(ToSchema)]
pub struct AuditFile {
    pub v: u8,
    /// All that are wanted, oldest first.
    pub entries: Vec<EntryView>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EntryView {
    pub id: i64,
    pub at: String,
    pub at_unix: i64,
    pub kind: AuditKind,
    pub account: Option<String>,
    pub api: Option<String>,
    pub run: Option<String>,
    pub detail: String,
}

impl From<&RecordedEntry> for EntryView {
    fn from(recorded: &RecordedEntry) -> Self {
        let entry = &recorded.entry;
        Self {
            id: recorded.id,
            at: rfc3339_ist(entry.at),
            at_unix: entry.at.timestamp(),
            kind: AuditKind(entry.kind),
            account: entry.account.as_ref().map(ToString::to_string),
            api: entry.api.as_ref().map(ToString::to_string),
            run: entry.run.map(|run| run.to_string()),
            detail: entry.detail.clone(),
        }
    }
}

/// Whether the trail, and what else decides in the database, is what Vega wrote.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AuditVerdictView {
    pub v: u8,
    pub intact: bool,
    /// How many entries there are, or fit until the fault.
    pub entries: u64,
    /// How many checkpoints of this trail were compared, or fit until the fault.
    pub checkpoints: u64,
    /// How many checkpoints belong to trails of other databases.
    pub other_checkpoints: u64,
    /// The first thing in the trail that does not fit, if there is one.
    pub fault: Option<AuditFaultView>,
    /// Why nothing in the database counts, if it is so.
    pub database: Option<String>,
    /// The rows that count for nothing.
    pub rows: Vec<RowView>,
}

/// What does not fit in the trail.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AuditFaultView {
    pub kind: AuditFault,
    /// The entry at which it shows.
    pub entry: i64,
    /// The same in words.
    pub detail: String,
}

impl AuditVerdictView {
    pub fn of(verdict: &AuditVerdict, faults: &RowFaults) -> Self {
        Self {
            v: 1,
            intact: verdict.fault.is_none() && faults.is_none(),
            entries: verdict.entries,
            checkpoints: verdict.checkpoints,
            other_checkpoints: verdict.other_checkpoints,
            fault: verdict.fault.map(|fault| AuditFaultView {
                kind: fault.into(),
                entry: fault.entry(),
                detail: fault.to_string(),
            }),
            database: faults.database.clone(),
            rows: RowView::all_of(faults),
        }
    }
}
