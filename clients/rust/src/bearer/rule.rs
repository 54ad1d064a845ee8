//! The token in the `Authorization` header of calls to Upstox. Decides where a token may go, and what becomes of a call that Upstox
//! refused with 401; the middleware of reqwest and the layer of tower only translate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method};
use url::{Origin, Url};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::loopback::is_loopback;
use crate::source::TokenSource;
use crate::token::{Generation, Token};

const UPSTOX: &str = "upstox.com";

/// Puts the token into each call to Upstox, over https to `upstox.com` and names below it; other calls pass as they are. A call that Upstox
/// answers with 401 is reported, and made again once with the newer token if there is one, the method is idempotent and the body can be
/// sent again. Any other call that is refused is reported in the background.
///
/// It is a middleware of `reqwest-middleware` with the feature of that name, and a layer of `tower` with the feature `tower`.
///
#[cfg_attr(feature = "reqwest-middleware", doc = "```no_run")]
#[cfg_attr(not(feature = "reqwest-middleware"), doc = "```ignore")]
/// # use vega_client::{Bearer, Server};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let tokens = Server::local()?.build()?.tokens("PRIMARY")?;
/// let upstox = reqwest_middleware::ClientBuilder::new(reqwest::Client::builder().build()?)
///     .with(Bearer::new(tokens))
///     .build();
/// let profile = upstox.get("https://api.upstox.com/v2/user/profile").send().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Bearer {
    source: Arc<dyn TokenSource>,
    min_valid: Duration,
    also: Vec<Origin>,
}

impl Bearer {
    /// With the tokens of this source.
    pub fn new(source: impl TokenSource + 'static) -> Self {
        Self {
            source: Arc::new(source),
            min_valid: Duration::ZERO,
            also: Vec::new(),
        }
    }

    /// Only with tokens that live for so long at least.
    #[must_use]
    pub fn min_valid(mut self, min_valid: Duration) -> Self {
        self.min_valid = min_valid;
        self
    }

    /// Also in calls to this scheme, host and port: a simulator, or a proxy of one's own. Not over plain http to another machine.
    pub fn also_to(mut self, origin: &str) -> Result<Self, Error> {
        let url = Url::parse(origin).map_err(|_| {
            Error::setup(format!(
                "{origin} is no URL: give one such as https://proxy.example"
            ))
        })?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(Error::setup(format!(
                "a token is not sent to {}: everybody on the way could read it. Use https",
                url.origin().ascii_serialization()
            )));
        }
        self.also.push(url.origin());
        Ok(self)
    }

    /// Whether a call to there gets the token.
    pub(super) fn goes_to(&self, url: &Url) -> bool {
        let is_upstox =
            |host: &str| host == UPSTOX || host.strip_suffix(UPSTOX).is_some_and(|name| name.ends_with('.'));
        (url.scheme() == "https" && url.host_str().is_some_and(is_upstox))
            || self.also.contains(&url.origin())
    }

    pub(super) async fn token(&self) -> Result<Token, Error> {
        self.source.current(self.min_valid).await
    }

    /// Upstox refused the token that `used` was. Returns the newer one, for a call that may be made again.
    pub(super) async fn after_refusal(&self, used: Generation, may_repeat: bool) -> Option<Token> {
        let newer = async || self.token().await.ok().filter(|token| token.generation() != used);
        if !may_repeat {
            let source = Arc::clone(&self.source);
            // The answer is the caller's at once; examining a new token takes 20 s.
            tokio::spawn(async move { tell(&*source, used).await });
            return None;
        }
        if let Some(newer) = newer().await {
            return Some(newer);
        }
        tell(&*self.source, used).await;
        newer().await
    }
}

async fn tell(source: &dyn TokenSource, used: Generation) {
    if let Err(error) = source.report_rejected(used).await {
        tracing::warn!(generation = %used, %error, "a token that Upstox refused could not be reported");
    }
}

/// The value of `Authorization`, which no log shows.
pub(super) fn authorization(token: &Token) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Error::unexpected(format!(
            "generation {} is no text that fits into a header",
            token.generation()
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether making the call twice is as good as making it once.
pub(super) fn is_idempotent(method: &Method) -> bool {
    method.is_safe() || [Method::PUT, Method::DELETE].contains(method)
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer")
            .field("min_valid", &self.min_valid)
            .finish_non_exhaustive()
    }
}
