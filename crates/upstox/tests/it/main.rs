//! The clients against servers that answer as Upstox does, or worse.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod broken_server;
mod causes;
mod date_header_clock;
mod last_price_client;
mod profile_verifier;
mod session_logout_client;
mod token_exchange_client;
