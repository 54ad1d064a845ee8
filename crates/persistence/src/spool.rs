//! Files beside the database that take an answer or a token while the database does not, and the repositories that fall back to
//! them.

pub(crate) mod slots;

pub(crate) mod records;

pub(crate) mod import;
pub(crate) mod spooling_attempts;
pub(crate) mod spooling_tokens;
