//! Always fresh Upstox access tokens from a Vega server. A [`TokenSource`] has three calls:
//! [`current`](TokenSource::current) gives a token that lives, from memory; [`changes`](TokenSource::changes) tells of each new one,
//! and of a lost one; [`report_rejected`](TokenSource::report_rejected) says that Upstox refused one. This crate never signs in.
//!
//! ```no_run
//! use std::time::Duration;
//! use vega_client::{Server, TokenSource};
//!
//! # async fn example() -> Result<(), vega_client::Error> {
//! let server = Server::local()?.consumer("strategy-a").build()?;
//! let tokens = server.tokens("PRIMARY")?;
//! loop {
//!     let token = tokens.current(Duration::ZERO).await?;
//!     let authorization = format!("Bearer {}", token.expose());
//!     // … call Upstox with it …
//! #   break Ok(());
//! }
//! # }
//! ```
#![warn(missing_docs)]

mod error;

mod clock;
mod loopback;
mod token;

mod changes;
mod source;

mod server;

#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
mod bearer;

#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
pub use bearer::Bearer;
#[cfg(feature = "tower")]
pub use bearer::BearerService;
pub use changes::Changes;
pub use clock::{Clock, SystemClock};
pub use error::Error;
pub use server::{Server, ServerBuilder, ServerTokens};
pub use source::{TokenSource, Verdict};
pub use token::{Generation, Token};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
