//! The broker's host names that programs have fixed in their code, or are sent to. The certificate is for all of them.

pub(crate) const MARKET_DATA_HOST: &str = "wsfeeder-api.upstox.com";
pub(crate) const PORTFOLIO_HOST: &str = "wsportfolioupdate-api.upstox.com";

/// All that the simulator stands for.
pub(crate) const ALL: [&str; 3] = ["api.upstox.com", MARKET_DATA_HOST, PORTFOLIO_HOST];
