//! Vega's state in PostgreSQL: finding and opening the server's database, one writer on all machines, news of commits, and the causes
//! of errors. Rows and statements are those of both engines and lie beside this folder.

pub(crate) mod causes;
pub(crate) mod connection;
pub(crate) mod engine;
pub(crate) mod fitness;
pub(crate) mod history;
#[cfg(feature = "injected-defects")]
pub(crate) mod injected_defects;
pub(crate) mod installation_clock;
pub(crate) mod lease;
pub(crate) mod lease_row;
pub(crate) mod machine_id;
pub(crate) mod machine_lock;
pub(crate) mod opening;
pub(crate) mod opening_to_read;
pub(crate) mod own_folder;
pub(crate) mod own_lease;
pub(crate) mod poll;
pub(crate) mod primary;
pub(crate) mod restore;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod unanswered_commit;
