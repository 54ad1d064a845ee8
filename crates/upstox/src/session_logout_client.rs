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

use crate::answers;
use crate::http::{self, ClientError, Endpoint, HttpClient};

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
        let sent = self
            .endpoint
            .request(Method::DELETE)
            .header(AUTHORIZATION, bearer)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Err(self.endpoint.failure(error).await),
        };
        let status = response.status().as_u16();
        let body = http::read_body(response).await;
        match status {
            // A dead token answers 401, in a shape of its own: the session is over either way.
            200 | 401 if answers::is_object(&body.bytes) => Ok(()),
            // Something in between, such as a captive portal, says nothing of the token.
            _ => Err(answers::failure_from(status, &body)),
        }
    }
}
