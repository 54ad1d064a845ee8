//! How a request is made: one HTTP/1.1 connection per call, no redirects, no retries, bounded time and bounded bodies.

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, redirect, retry};
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

/// What makes the requests. It never repeats one by itself: a pooled connection that died meanwhile would be such a repeat.
/// Clones share it; making one reads all certificates that this machine trusts.
#[derive(Debug, Clone)]
pub struct HttpClient(Client);

impl HttpClient {
    /// Fails where no certificate is trusted.
    pub fn new() -> Result<Self, ClientError> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .http1_only()
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()?;
        Ok(Self(client))
    }

    /// For one of Upstox's endpoints under `base`; one call takes `timeout` at most.
    pub(crate) fn endpoint(
        &self,
        base: &Url,
        path: &str,
        timeout: Duration,
    ) -> Result<Endpoint, ClientError> {
        let client = self.0.clone();
        let url = url_of(base, path)?;
        Ok(Endpoint { client, url, timeout })
    }
}

/// One of Upstox's endpoints.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    client: Client,
    url: Url,
    timeout: Duration,
}

impl Endpoint {
    /// A request for JSON.
    pub(crate) fn request(&self, method: Method) -> RequestBuilder {
        self.client
            .request(method, self.url.clone())
            .timeout(self.timeout)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
    }
}

fn url_of(base: &Url, path: &str) -> Result<Url, ClientError> {
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
