//! Real connections against the limits.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod serving;
mod socket_client;
mod transport;
mod who;
