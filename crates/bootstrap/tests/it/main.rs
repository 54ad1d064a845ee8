//! Vega as its programs put it together, over a real database.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod access;
mod following;
mod other_vega;
