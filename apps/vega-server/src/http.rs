//! HTTP itself: the listening address, the hosts that are answered to, limits, and the form of requests and errors. What
//! the routes do is decided in `api`.

pub(crate) mod listening;
pub(crate) mod local_socket;

pub(crate) mod allowed_hosts;
pub(crate) mod host_check;

pub(crate) mod redirects;

pub(crate) mod request_metrics;
pub(crate) mod response_headers;
pub(crate) mod stream_limits;

pub(crate) mod error_responses;
pub(crate) mod extract;
pub(crate) mod problem;
