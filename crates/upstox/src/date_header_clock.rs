//! Upstox's time, from the `Date` header of a small public answer: `GET /v2/market/holidays`, which needs no token.
//! Source: developer documentation "Market holidays". What the answer says otherwise does not matter here.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{AGE, DATE, HeaderMap};
use url::Url;
use vega_domain::failure::Failure;
use vega_domain::ports::BrokerClock;

use crate::http::{ClientError, Endpoint, HttpClient};

/// `BrokerClock` over HTTP.
#[derive(Debug, Clone)]
pub struct DateHeaderClock {
    endpoint: Endpoint,
}

impl DateHeaderClock {
    /// For the API at `base` (`https://api.upstox.com`); one call takes `timeout` at most.
    pub fn new(http: &HttpClient, base: &Url, timeout: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: http.endpoint(base, "v2/market/holidays", timeout)?,
        })
    }
}

#[async_trait]
impl BrokerClock for DateHeaderClock {
    async fn time(&self) -> Result<Option<DateTime<Utc>>, Failure> {
        match self.endpoint.send(self.endpoint.request(Method::GET)).await {
            Ok(response) => Ok(date(response.headers())),
            Err(no_answer) => Err(no_answer.failure),
        }
    }
}

/// When the answer was sent. One that a cache kept is older than it looks by its `Age`.
fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = |name| headers.get(name)?.to_str().ok();
    let date = DateTime::parse_from_rfc2822(text(DATE)?).ok()?.to_utc();
    let age: i64 = text(AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    date.checked_add_signed(TimeDelta::try_seconds(age)?)
}
