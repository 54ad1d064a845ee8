//! The own-browser route with real listeners and a browser that is a plain HTTP client; the journal and the human are in
//! memory.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod callback;
mod journal;
mod redirect_file;
mod router;
mod sign_in;
mod sign_in_fixture;
