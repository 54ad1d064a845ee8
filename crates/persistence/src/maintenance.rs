//! What is done to a database as a whole: a new root key, erasure of what no longer counts, and the machines that
//! share it.

pub(crate) mod erasure;
pub(crate) mod key_proof;
pub(crate) mod key_rotation;
pub(crate) mod machines;
