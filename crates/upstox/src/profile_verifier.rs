//! Whose token is this? `GET /v2/user/profile`, with three results that are never mixed up.
//! Source: developer documentation "Get profile".

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use secrecy::zeroize::Zeroizing;
use url::Url;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::UserId;
use vega_domain::ports::{ProfileAnswer, ProfileApi};
use vega_domain::secret::AccessToken;

use crate::answers::{self, ProfileBody};
use crate::codes;
use crate::http::{self, Body, ClientError};

/// The profile endpoint over HTTP.
#[derive(Debug, Clone)]
pub struct ProfileVerifier {
    client: Client,
    url: Url,
}

impl ProfileVerifier {
    /// For the API at `base` (`https://api.upstox.com`); one call takes `timeout` at most.
    pub fn new(base: &Url, timeout: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            client: http::client(timeout)?,
            url: http::endpoint(base, "v2/user/profile")?,
        })
    }
}

#[async_trait]
impl ProfileApi for ProfileVerifier {
    async fn profile(&self, token: &AccessToken) -> ProfileAnswer {
        let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
        let Ok(mut bearer) = HeaderValue::from_str(&bearer) else {
            let words = "the stored token cannot be sent as a header";
            return ProfileAnswer::Unknown(Failure::new(FailureReason::NeedsReview, words));
        };
        bearer.set_sensitive(true);
        let sent = self
            .client
            .get(self.url.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, bearer)
            .send()
            .await;
        match sent {
            Ok(response) => {
                let status = response.status().as_u16();
                read(status, &http::read_body(response).await)
            }
            Err(error) => ProfileAnswer::Unknown(Failure::new(FailureReason::Network, http::words(error))),
        }
    }
}

fn read(status: u16, body: &Body) -> ProfileAnswer {
    let unknown = |reason, words: String| ProfileAnswer::Unknown(Failure::new(reason, words));
    let error = answers::broker_error(&body.bytes);
    match (status, error) {
        (200, None) if body.complete => {
            let profile: Option<ProfileBody> = serde_json::from_slice(&body.bytes).ok();
            let user_id = profile
                .and_then(|profile| profile.data)
                .and_then(|data| data.user_id);
            match user_id.map(UserId::new) {
                Some(Ok(user_id)) => ProfileAnswer::Valid(user_id),
                _ => unknown(FailureReason::BrokerDown, "HTTP 200 without a profile".into()),
            }
        }
        (401, Some(error)) if error.code == codes::EXTENDED_TOKEN_NOT_ALLOWED => {
            unknown(FailureReason::NeedsReview, error.to_string())
        }
        // A 401 that is not Upstox's own envelope comes from something in between and says nothing of the token.
        (401, Some(_)) => ProfileAnswer::Invalid,
        (429, _) => unknown(FailureReason::Throttled, format!("HTTP {status}")),
        (403, None) if answers::is_html(&body.bytes) => {
            unknown(FailureReason::Blocked, "HTTP 403 with a web page".into())
        }
        (_, Some(error)) => unknown(FailureReason::BrokerDown, format!("HTTP {status}: {error}")),
        (_, None) => unknown(
            FailureReason::BrokerDown,
            format!("HTTP {status} without Upstox's JSON"),
        ),
    }
}
