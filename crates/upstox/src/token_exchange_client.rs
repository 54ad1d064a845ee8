//! Code in, token out: `POST /v2/login/authorization/token`, sent once.
//! Source: developer documentation "Get token".

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use url::Url;
use vega_domain::account::Api;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::UserId;
use vega_domain::ports::{ExchangeError, TokenAnswer, TokenExchange};
use vega_domain::secret::{AccessToken, AuthorizationCode, ExtendedToken, RawAnswer};

use crate::answers::{self, TokenBody};
use crate::http::{self, ClientError, Endpoint, HttpClient};

/// The token endpoint over HTTP.
#[derive(Debug, Clone)]
pub struct TokenExchangeClient {
    endpoint: Endpoint,
}

impl TokenExchangeClient {
    /// For the API at `base` (`https://api.upstox.com`); one call takes `timeout` at most.
    pub fn new(http: &HttpClient, base: &Url, timeout: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: http.endpoint(base, "v2/login/authorization/token", timeout)?,
        })
    }
}

#[async_trait]
impl TokenExchange for TokenExchangeClient {
    async fn exchange(&self, api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError> {
        let form = [
            ("code", code.expose()),
            ("client_id", api.client_id.as_str()),
            ("client_secret", api.client_secret.expose()),
            ("redirect_uri", api.redirect_uri.as_str()),
            ("grant_type", "authorization_code"),
        ];
        let request = self.endpoint.request(Method::POST).form(&form);
        match self.endpoint.send(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                let body = http::read_body(response).await;
                Ok(RawAnswer::new(status, body.bytes.to_vec(), body.complete))
            }
            Err(no_answer) if no_answer.may_have_arrived => {
                Err(ExchangeError::OutcomeUnknown(no_answer.failure.detail))
            }
            Err(no_answer) => Err(ExchangeError::NotSent(no_answer.failure)),
        }
    }

    fn read(&self, answer: &RawAnswer) -> Result<TokenAnswer, Failure> {
        if answer.status == 200 {
            return read_success(answer);
        }
        let mut failure = answers::failure_of(answer.status, answer.expose());
        failure.reason = match failure.reason {
            // The call arrived and broke somewhere inside: a token may have been made.
            FailureReason::BrokerDown => FailureReason::OutcomeUnknown,
            // What other calls say of a token; here there is none, so it is the code that they refuse.
            FailureReason::ServiceHours | FailureReason::TokenRejected | FailureReason::WrongTokenKind => {
                FailureReason::CodeRejected
            }
            reason => reason,
        };
        Err(failure)
    }
}

fn read_success(answer: &RawAnswer) -> Result<TokenAnswer, Failure> {
    let review = |what: &str| Failure::new(FailureReason::NeedsReview, format!("HTTP 200: {what}"));
    if !answer.complete {
        return Err(review("the answer was cut off or too long"));
    }
    // The parser's own words could quote the body, so they are not repeated.
    let body: TokenBody =
        serde_json::from_slice(answer.expose()).map_err(|_| review("the answer is not the expected JSON"))?;
    let token = body.access_token.filter(|token| !token.is_empty());
    let access_token = token.ok_or_else(|| review("the answer has no access_token"))?;
    let user_id = body.user_id.ok_or_else(|| review("the answer has no user_id"))?;
    let access_token = AccessToken::new(access_token);
    Ok(TokenAnswer {
        exp: answers::claims_of(&access_token).ends_at,
        access_token,
        extended_token: body
            .extended_token
            .filter(|token| !token.is_empty())
            .map(ExtendedToken::new),
        user_id: UserId::new(user_id).map_err(|error| review(&error.to_string()))?,
    })
}
