//! Whether rows are what Vega wrote: the values that are kept beside them, their examination, and what the operator's word makes
//! of rows that do not fit.

pub(crate) mod loss;
mod missing_checkpoints;
pub(crate) mod revocations;
pub(crate) mod row_acceptance;
pub(crate) mod row_examination;
pub(crate) mod row_marks;
pub(crate) mod row_upgrade;
pub(crate) mod row_values;
pub(crate) mod seal_examination;
pub(crate) mod sealed_values;
pub(crate) mod standing;
