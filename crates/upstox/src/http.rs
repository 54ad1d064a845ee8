//! How a request is made: one HTTP/1.1 connection per call, no redirects, no retries, bounded time and bounded bodies.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, Response, redirect, retry};
use secrecy::zeroize::Zeroizing;
use thiserror::Error;
use url::Url;
use vega_domain::secret::AccessToken;

/// No honest answer of these endpoints is near this size.
pub(crate) const BODY_CAP: usize = 256 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Honest and stable, because Upstox's protection looks at it.
const USER_AGENT: &str = concat!("vega/", env!("CARGO_PKG_VERSION"));

/// Why the HTTP client could not be built.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Usually: no trusted certificates on this machine.
    #[error("the HTTP client cannot start: {0}. Install the package ca-certificates")]
    Build(#[from] reqwest::Error),
    /// The base URL cannot carry a path.
    #[error("{0} cannot be the base of Upstox's API: it must look like https://api.upstox.com")]
    Base(Url),
}

/// A client that never repeats a request by itself: a pooled connection that died meanwhile would be such a repeat.
pub(crate) fn client(timeout: Duration) -> Result<Client, ClientError> {
    Ok(Client::builder()
        .user_agent(USER_AGENT)
        .http1_only()
        .pool_max_idle_per_host(0)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .build()?)
}

/// One of Upstox's endpoints under the given base.
pub(crate) fn endpoint(base: &Url, path: &str) -> Result<Url, ClientError> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| ClientError::Base(base.clone()))?
        .pop_if_empty()
        .extend(path.split('/'));
    Ok(url)
}

/// The `Authorization` header of a token, kept out of every `Debug` output.
pub(crate) fn bearer(token: &AccessToken) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A body as far as it came.
pub(crate) struct Body {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// False when the connection ended early or the cap was reached.
    pub(crate) complete: bool,
}

pub(crate) async fn read_body(mut response: Response) -> Body {
    let mut bytes = Zeroizing::new(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = BODY_CAP - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return Body {
                        bytes,
                        complete: false,
                    };
                }
            }
            Ok(None) => {
                return Body {
                    bytes,
                    complete: true,
                };
            }
            Err(_) => {
                return Body {
                    bytes,
                    complete: false,
                };
            }
        }
    }
}

/// An error's own words and its causes', without the URL, whose query could hold a secret.
pub(crate) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
