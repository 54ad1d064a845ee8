//! The audit trail as far as no database engine is needed: chain values, checkpoints beside the key, and why a database as a
//! whole is not trusted.

pub(crate) mod chain;
pub(crate) mod checkpoints;
pub(crate) mod database_mistrust;
pub(crate) mod latest_changes;
pub(crate) mod recorder;
pub(crate) mod row_trust;
pub(crate) mod walk;
