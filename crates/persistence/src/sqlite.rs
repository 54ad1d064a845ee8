//! Vega's state in a SQLite file: what is checked before SQLite touches it, opening, one writer, the watch over its changes, the causes
//! of its errors, copies of it. Rows and statements are those of both engines and lie beside this folder.

pub(crate) mod causes;
pub(crate) mod database_file;
pub(crate) mod degraded_reads;
pub(crate) mod engine;
pub(crate) mod filesystem;
pub(crate) mod first_start;
pub(crate) mod login_lease;
pub(crate) mod opening;
pub(crate) mod opening_to_read;
pub(crate) mod restore;
pub(crate) mod wal;
pub(crate) mod watch;
