//! A stand-in for Upstox: its login pages, its token endpoints, and a switchboard for faults no live broker would
//! produce on request. It shares no type with Vega, because a shared type would hide a shared mistake.

mod clock;
mod connection;
mod http;
mod market_frames;
mod model;
mod names;
mod random;
mod seed;
mod server;
mod tls;
mod totp;

pub use seed::{Seed, SeedAccount, SeedApp};
pub use server::Simulator;
pub use tls::TestAuthority;
