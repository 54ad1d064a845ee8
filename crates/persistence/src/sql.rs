//! Statements, rows and transactions as the repositories use them, over each engine. What an engine's text, locks and errors are
//! like is decided in its own folder; values are of the three kinds that both engines store in the same bytes.

pub(crate) mod commit_error;
pub(crate) mod query;
pub(crate) mod row;
pub(crate) mod session;
pub(crate) mod value;

pub(crate) use commit_error::CommitError;
pub(crate) use query::{query, query_as, query_scalar};
pub(crate) use row::{FromRow, Row, record};
pub(crate) use session::{EngineName, Session};

/// Codes of an enum as a list for `IN (…)`: words of this program, never a caller's.
pub(crate) fn list_of_codes(codes: impl IntoIterator<Item = &'static str>) -> String {
    let quoted: Vec<String> = codes.into_iter().map(|code| format!("'{code}'")).collect();
    quoted.join(", ")
}
