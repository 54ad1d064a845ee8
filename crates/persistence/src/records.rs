//! Rows as structs, with their way into and out of domain types. Names no database engine.

pub(crate) mod audit_entry;
pub(crate) mod clock_columns;
pub(crate) mod cooldown;
pub(crate) mod file_delivery;
pub(crate) mod run;
pub(crate) mod token;
