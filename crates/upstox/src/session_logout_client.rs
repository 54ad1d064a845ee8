//! Ends one token's session: `DELETE /v2/logout`.
//! Source: developer documentation "Logout". Whether other apps' tokens end too is not stated there.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use url::Url;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::SessionLogout;
use vega_domain::secret::AccessToken;

use crate::answers::{self, LogoutBody, OAuthException};
use crate::http::{self, Body, ClientError, Endpoint, HttpClient};

/// The logout endpoint over HTTP.
#[derive(Debug, Clone)]
pub struct SessionLogoutClient {
    endpoint: Endpoint,
}

impl SessionLogoutClient {
    /// For the API at `base` (`https://api.upstox.com`); one call takes `timeout` at most.
    pub fn new(http: &HttpClient, base: &Url, timeout: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: http.endpoint(base, "v2/logout", timeout)?,
        })
    }
}

#[async_trait]
impl SessionLogout for SessionLogoutClient {
    async fn log_out(&self, token: &AccessToken) -> Result<(), Failure> {
        let bearer = http::bearer(token).ok_or_else(|| {
            Failure::new(FailureReason::NeedsReview, "the token cannot be sent as a header")
        })?;
        let request = self
            .endpoint
            .request(Method::DELETE)
            .header(AUTHORIZATION, bearer);
        let response = match self.endpoint.send(request).await {
            Ok(response) => response,
            Err(no_answer) => return Err(no_answer.failure),
        };
        let status = response.status().as_u16();
        read(status, &http::read_body(response).await)
    }
}

/// The session is over where Upstox ended it, or calls the token dead; any other refusal leaves it alive.
fn read(status: u16, body: &Body) -> Result<(), Failure> {
    let has_errors = !answers::broker_errors(&body.bytes).is_empty();
    if answers::calls_token_dead(status, body) {
        return Ok(());
    }
    match status {
        200 if !has_errors && is_ended(body) => Ok(()),
        401 if !has_errors && is_dead_already(body) => Ok(()),
        // Something in between, such as a captive portal, says nothing of the token.
        200 | 401 if !answers::is_object(&body.bytes) => Err(answers::failure_from(status, body)),
        200 | 401 if !has_errors => Err(Failure::new(
            FailureReason::BrokerDown,
            format!("HTTP {status} without an answer of Upstox's"),
        )),
        _ => Err(answers::refusal_of(status, body)),
    }
}

fn is_ended(body: &Body) -> bool {
    let answer: Option<LogoutBody> = serde_json::from_slice(&body.bytes).ok();
    answer.is_some_and(|answer| !answers::is_error(answer.status.as_deref()) && answer.data != Some(false))
}

/// By the stack trace that Upstox sends of a dead token; other words for it than `invalid_token` are not known to mean that.
fn is_dead_already(body: &Body) -> bool {
    let exception: Option<OAuthException> = serde_json::from_slice(&body.bytes).ok();
    exception.is_some_and(|exception| match exception.code {
        Some(code) => code == "invalid_token",
        None => exception.stack_trace.is_some(),
    })
}
