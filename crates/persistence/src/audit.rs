//! The parts of the audit trail that need no database engine: chain values, checkpoints beside the key, and the reasons
//! not to trust a database as a whole.

pub(crate) mod chain;
pub(crate) mod checkpoints;
pub(crate) mod database_mistrust;
pub(crate) mod latest_changes;
pub(crate) mod recorder;
pub(crate) mod row_trust;
pub(crate) mod walk;
