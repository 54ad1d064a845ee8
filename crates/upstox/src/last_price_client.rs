//! Does Upstox take this token? `GET /v3/market-quote/ltp` for one index: a second kind of call, which works with every
//! kind of token and from every address. Its price is of no interest.
//! Source: developer documentation "LTP quotes V3".

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{LastPriceAnswer, LastPriceApi};
use vega_domain::secret::AccessToken;

use crate::answers;
use crate::http::{self, Body, ClientError, Endpoint, HttpClient};

/// An index that every account may see.
const INSTRUMENT: (&str, &str) = ("instrument_key", "NSE_INDEX|Nifty 50");

/// The last-price endpoint over HTTP.
#[derive(Debug, Clone)]
pub struct LastPriceClient {
    endpoint: Endpoint,
}

impl LastPriceClient {
    /// For the API at `base` (`https://api.upstox.com`); one call takes `timeout` at most.
    pub fn new(http: &HttpClient, base: &Url, timeout: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: http.endpoint(base, "v3/market-quote/ltp", timeout)?,
        })
    }
}

#[async_trait]
impl LastPriceApi for LastPriceClient {
    async fn last_price(&self, token: &AccessToken) -> LastPriceAnswer {
        let Some(bearer) = http::bearer(token) else {
            let words = "the stored token cannot be sent as a header";
            return LastPriceAnswer::Unknown(Failure::new(FailureReason::NeedsReview, words));
        };
        let request = self
            .endpoint
            .request(Method::GET)
            .query(&[INSTRUMENT])
            .header(AUTHORIZATION, bearer);
        match self.endpoint.send(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                read(status, &http::read_body(response).await)
            }
            Err(no_answer) => LastPriceAnswer::Unknown(no_answer.failure),
        }
    }
}

/// The envelope of prices, as far as it shows that the call was let through.
#[derive(Deserialize)]
struct PriceBody {
    status: Option<String>,
    data: Option<Map<String, Value>>,
}

fn read(status: u16, body: &Body) -> LastPriceAnswer {
    if status == 200 && answers::broker_errors(&body.bytes).is_empty() {
        let prices: Option<PriceBody> = if body.complete {
            serde_json::from_slice(&body.bytes).ok()
        } else {
            None
        };
        let prices = prices.filter(|prices| !answers::is_error(prices.status.as_deref()));
        return match prices.and_then(|prices| prices.data) {
            // Also an empty one: at some hours there may be no price to tell.
            Some(_) => LastPriceAnswer::Given,
            None => {
                LastPriceAnswer::Unknown(Failure::new(FailureReason::BrokerDown, "HTTP 200 without prices"))
            }
        };
    }
    if answers::calls_token_dead(status, body) {
        return LastPriceAnswer::TokenDead;
    }
    LastPriceAnswer::Unknown(answers::refusal_of(status, body))
}
