//! HTTP client of Upstox's public endpoints, without a browser: programs can link it alone.
//! It translates between HTTP and the domain's words; what follows from an answer is decided above.

mod answers;
mod date_header_clock;
mod http;
mod last_price_client;
mod no_answer;
mod profile_verifier;
mod proxy;
mod session_logout_client;
mod token_exchange_client;

pub use answers::claims_of;
pub use date_header_clock::DateHeaderClock;
pub use http::{ClientError, HttpClient};
pub use last_price_client::LastPriceClient;
pub use profile_verifier::ProfileVerifier;
pub use proxy::Proxy;
pub use session_logout_client::SessionLogoutClient;
pub use token_exchange_client::TokenExchangeClient;
