//! The token in calls to Upstox, for the HTTP clients that programs have.

mod rule;

#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
#[cfg(feature = "tower")]
mod tower;

#[cfg(test)]
#[cfg(all(feature = "reqwest-middleware", feature = "tower"))]
mod tests;

pub use rule::Bearer;
#[cfg(feature = "tower")]
pub use tower::BearerService;
