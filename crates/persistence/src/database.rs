//! The open database over either engine: its connections, its key, a write and a read of rows that decide something.

pub(crate) mod causes;
pub(crate) mod data_source;
pub(crate) mod database_facts;
pub(crate) mod engine;
pub(crate) mod key_in_use;
pub(crate) mod lease;
pub(crate) mod move_state;
pub(crate) mod open_error;
pub(crate) mod opening;
pub(crate) mod opening_to_read;
pub(crate) mod place;
pub(crate) mod write;
