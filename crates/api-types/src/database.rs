//! What in the database is not what Vega wrote last.

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::row_faults::RowFaults;

/// Whether the database is what Vega wrote last.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DatabaseFaultsView {
    /// Why nothing in it counts, if it is so.
    pub problem: Option<String>,
    /// The rows that count for nothing.
    pub rows: Vec<RowView>,
    /// Why an older copy of the database could come back unnoticed, if it is so.
    pub checkpoint: Option<String>,
}

impl DatabaseFaultsView {
    pub fn of(faults: &RowFaults, checkpoint: Option<String>) -> Self {
        Self {
            problem: faults.database.clone(),
            rows: RowView::all_of(faults),
            checkpoint,
        }
    }
}

/// A row that counts for nothing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RowView {
    /// `changed`, `put_back` or `gone`.
    pub kind: &'static str,
    /// Which row, and what is wrong with it, in words.
    pub detail: String,
}

impl RowView {
    pub fn all_of(faults: &RowFaults) -> Vec<Self> {
        let rows = faults.rows.iter().map(|row| Self {
            kind: row.kind,
            detail: row.words.clone(),
        });
        rows.collect()
    }
}
