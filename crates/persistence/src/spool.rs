//! Files beside the database that store an answer or a token while the database accepts no writes, and the repositories
//! that fall back to them.

pub(crate) mod slots;

pub(crate) mod records;

pub(crate) mod import;
pub(crate) mod spooling_attempts;
pub(crate) mod spooling_tokens;
