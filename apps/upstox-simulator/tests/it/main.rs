//! The simulator seen from outside, over HTTP alone: the main path, its limits and locks, every scenario at the
//! endpoints, and the counters. The pages' scripts are left out; their private backend is called as they call it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails there, and its helpers are part of it"
)]

mod broker;
mod control;
mod exchange;
mod feeds;
mod login;
mod program;
mod scenarios;
mod sessions;
mod tls;
mod tokens;
