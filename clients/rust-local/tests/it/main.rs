//! Sources over a database beside which another process of Vega stores tokens.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod desk;
mod opening;
mod reports;
mod sources;
