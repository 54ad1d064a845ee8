//! What the tests of several crates share. `MemoryStore` keeps the storage ports' contracts in memory, so that no test
//! rests on a fake that breaks them; `contract` states these contracts once, as tests for every store that there is.
//! Around them: builders of what is stored, clocks, and sinks that remember what they were told. No program depends on
//! this crate.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

pub mod builders;
pub mod clock;
pub mod contract;
pub mod keyed_proof;
pub mod memory_store;
pub mod nobody;
pub mod open_hours;
pub mod postgres;
pub mod postgres_link;
pub mod postgres_pooler;
pub mod sinks;

pub use clock::{PausedClock, TestClock};
pub use keyed_proof::KeyedProof;
pub use memory_store::{MemoryStore, Watcher};
pub use nobody::Nobody;
pub use postgres::PostgresServer;
pub use postgres_link::{Around, PostgresLink};
pub use postgres_pooler::PostgresPooler;
pub use sinks::{Effects, RecordedEvents};
