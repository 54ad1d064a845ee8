//! The database file: what is checked before SQLite touches it, opening, one writer, the causes of its errors, and facts for
//! the operator.

pub(crate) mod causes;
pub(crate) mod data_source;
pub(crate) mod database_facts;
pub(crate) mod database_file;
pub(crate) mod filesystem;
pub(crate) mod first_start;
pub(crate) mod open_error;
pub(crate) mod opening;
pub(crate) mod opening_to_read;
pub(crate) mod watch;
pub(crate) mod write;
