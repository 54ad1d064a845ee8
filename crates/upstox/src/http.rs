//! How a request is made: one HTTP/1.1 connection per call, no redirects, no retries, bounded time and bounded bodies.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue, LOCATION, SERVER};
use reqwest::{Client, Method, RequestBuilder, Response, redirect, retry};
use secrecy::zeroize::Zeroizing;
use thiserror::Error;
use url::Url;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::secret::AccessToken;

use crate::no_answer::{self, SystemNames};
use crate::proxy::Proxy;

/// No honest answer of these endpoints is near this size.
pub(crate) const BODY_CAP: usize = 256 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Honest and stable, because Upstox's protection looks at it.
const USER_AGENT: &str = concat!("vega/", env!("CARGO_PKG_VERSION"));

/// Why the HTTP client could not be built.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Usually: no trusted certificates on this machine.
    #[error(
        "the HTTP client cannot start: {}. Install the package ca-certificates; where SSL_CERT_FILE or SSL_CERT_DIR is \
         set, it must name certificates that this user may read",
        no_answer::root_of(.0)
    )]
    Build(#[from] reqwest::Error),
    /// The base URL cannot carry a path.
    #[error("{0} cannot be the base of Upstox's API: it must look like https://api.upstox.com")]
    Base(Url),
}

/// What makes the requests. It never repeats one by itself: a pooled connection that died meanwhile would be such a repeat.
/// Clones share it; making one reads all certificates that this machine trusts.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client,
    proxy: Option<Arc<Proxy>>,
}

impl HttpClient {
    /// Without a proxy. Fails where no certificate is trusted.
    pub fn new() -> Result<Self, ClientError> {
        Self::through(None)
    }

    /// Through this proxy, where it is for the call, and no other one, whatever the environment says.
    pub fn through(proxy: Option<Proxy>) -> Result<Self, ClientError> {
        let proxy = proxy.map(Arc::new);
        let mut builder = Client::builder().no_proxy();
        if let Some(proxy) = &proxy {
            let proxy = Arc::clone(proxy);
            let way = move |url: &Url| proxy.url.clone().ok().filter(|_| proxy.is_for(url));
            builder = builder.proxy(reqwest::Proxy::custom(way));
        }
        let client = builder
            .user_agent(USER_AGENT)
            .http1_only()
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(Arc::new(SystemNames))
            .build()?;
        Ok(Self { client, proxy })
    }

    /// For one of Upstox's endpoints under `base`; one call takes `timeout` at most.
    pub(crate) fn endpoint(
        &self,
        base: &Url,
        path: &str,
        timeout: Duration,
    ) -> Result<Endpoint, ClientError> {
        let url = url_of(base, path)?;
        Ok(Endpoint {
            client: self.client.clone(),
            proxy: self.proxy.clone().filter(|proxy| proxy.is_for(&url)),
            url,
            timeout,
        })
    }
}

/// A call that got no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) failure: Failure,
    /// Whether Upstox may have taken the request all the same.
    pub(crate) may_have_arrived: bool,
}

/// One of Upstox's endpoints.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    client: Client,
    /// The one that its calls go through.
    proxy: Option<Arc<Proxy>>,
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

    /// Sends the request. Where its proxy cannot be used, nothing is sent: no call goes around a proxy.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, NoAnswer> {
        if let Some(refusal) = self.proxy.as_ref().and_then(|proxy| proxy.unusable()) {
            return Err(NoAnswer {
                failure: Failure::new(FailureReason::Proxy, refusal),
                may_have_arrived: false,
            });
        }
        match request.send().await {
            Ok(response) => Ok(response),
            Err(error) => Err(NoAnswer {
                // Without a connection no byte of the request can have left.
                may_have_arrived: !error.is_connect() && !error.is_builder(),
                failure: self.failure(error).await,
            }),
        }
    }

    /// Why a call to it got no answer: by the cause, with host, port and proxy, and without the URL, whose query could
    /// hold a secret.
    async fn failure(&self, error: reqwest::Error) -> Failure {
        let host = self.url.host_str().unwrap_or_default();
        let target = format!("{host}:{}", self.url.port_or_known_default().unwrap_or(443));
        let is_timeout = error.is_timeout();
        let error = error.without_url();
        let (reason, words) = no_answer::cause_of(&error);
        let words = words.unwrap_or_else(|| {
            if is_timeout {
                "no answer in time".into()
            } else {
                no_answer::root_of(&error)
            }
        });
        let Some(proxy) = &self.proxy else {
            return Failure::new(reason, format!("{target}: {words}"));
        };
        // What came out of TLS, or after a connection, came from beyond the proxy.
        if error.is_connect()
            && matches!(reason, FailureReason::Network | FailureReason::NameUnresolved)
            && let Some(refusal) = proxy.refusal(&target).await
        {
            return Failure::new(FailureReason::Proxy, refusal);
        }
        Failure::new(reason, format!("{target} through {}: {words}", proxy.shown()))
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

/// Who answered, as far as the answer says.
#[derive(Debug, Default)]
pub(crate) struct Speaker {
    server: Option<String>,
    /// The host that a redirect leads to.
    leads_to: Option<String>,
}

impl Speaker {
    fn of(response: &Response) -> Self {
        let text = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let leads_to = text(LOCATION)
            .and_then(|place| response.url().join(&place).ok())
            .and_then(|place| place.host_str().map(str::to_owned));
        Self {
            server: text(SERVER).filter(|server| !server.is_empty()),
            leads_to: leads_to.filter(|_| response.status().is_redirection()),
        }
    }

    pub(crate) fn is_cloudflare(&self) -> bool {
        self.server
            .as_deref()
            .is_none_or(|server| server.eq_ignore_ascii_case("cloudflare"))
    }

    /// To follow "HTTP 502": ` from nginx`, ` that leads to portal.example`.
    pub(crate) fn words(&self) -> String {
        let from = self.server.as_ref().map(|server| format!(" from {server}"));
        let leads = self
            .leads_to
            .as_ref()
            .map(|host| format!(" that leads to {host}"));
        [from, leads].into_iter().flatten().collect()
    }
}

/// A body as far as it came.
pub(crate) struct Body {
    pub(crate) speaker: Speaker,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// False when the connection ended early or the cap was reached.
    pub(crate) complete: bool,
}

pub(crate) async fn read_body(mut response: Response) -> Body {
    let speaker = Speaker::of(&response);
    let mut bytes = Zeroizing::new(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = BODY_CAP - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return Body {
                        speaker,
                        bytes,
                        complete: false,
                    };
                }
            }
            Ok(None) => {
                return Body {
                    speaker,
                    bytes,
                    complete: true,
                };
            }
            Err(_) => {
                return Body {
                    speaker,
                    bytes,
                    complete: false,
                };
            }
        }
    }
}
