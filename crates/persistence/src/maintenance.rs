//! What is done to a database as a whole: a new root key, erasure of what no longer counts, copies of it, its way to another place, and
//! the machines that share it.

pub(crate) mod arrival;
pub(crate) mod backup;
pub(crate) mod backup_copy;
pub(crate) mod backup_examination;
pub(crate) mod copy;
pub(crate) mod erasure;
pub(crate) mod key_following;
pub(crate) mod key_proof;
pub(crate) mod key_rotation;
pub(crate) mod machines;
pub(crate) mod next_key;
pub(crate) mod relocation;
pub(crate) mod relocation_error;
pub(crate) mod restore;
pub(crate) mod restore_error;
pub(crate) mod rotation_error;
pub(crate) mod tables;
