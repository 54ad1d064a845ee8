//! HTTP itself: the address that the server listens at, which hosts it answers to, limits, and what requests and errors look
//! like. What the routes do is decided in `api`.

pub(crate) mod allowed_hosts;
pub(crate) mod error_responses;
pub(crate) mod extract;
pub(crate) mod listening;
pub(crate) mod problem;
pub(crate) mod redirects;
pub(crate) mod stream_limits;
