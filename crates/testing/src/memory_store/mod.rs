//! The storage ports in memory, with every contract that they state. A commit is made whole or not at all. What a store
//! does can be watched, and refused, which is how a test makes its database fail. Nothing here is sealed and nothing
//! survives the process.

mod tables;

mod store;

mod audit;
mod cooldowns;
mod deliveries;
mod journal;
mod runs;
mod tokens;

mod lease;
mod spool;

mod access;
mod changes;
mod consumers;
mod look;

pub use self::changes::MemoryChanges;
pub use self::spool::Kept;
pub use self::store::{MemoryStore, Watcher, full};
pub use self::tables::{AttemptRow, End, KeptToken, PressRow, Spool, Tables, TokenRow};
