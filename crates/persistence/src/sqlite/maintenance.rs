//! What is done to a database as a whole: a copy, a new root key, erasure of what no longer counts, and reading when it does not
//! open.

pub(crate) mod backup;
pub(crate) mod degraded_reads;
pub(crate) mod erasure;
pub(crate) mod key_proof;
pub(crate) mod key_rotation;
