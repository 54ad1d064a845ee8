//! What is done to a database as a whole: a new root key, and erasure of what no longer counts.

pub(crate) mod erasure;
pub(crate) mod key_proof;
pub(crate) mod key_rotation;
