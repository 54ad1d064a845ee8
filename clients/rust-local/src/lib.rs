//! Upstox access tokens straight from Vega's database, for Rust programs of the same user on the same machine. `LocalTokens` opens what is
//! there, follows what any process stores, and gives the tokens by the three calls of [`TokenSource`]. It never
//! signs in, and makes no file.
#![warn(missing_docs)]

mod clock;

mod reports;

mod store;

mod local_source;
mod local_tokens;

pub use local_source::LocalSource;
pub use local_tokens::{LocalBuilder, LocalTokens};
pub use vega_client::{Changes, Error, Generation, Token, TokenSource, Verdict};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
