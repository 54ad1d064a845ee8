//! Whose token is this? `GET /v2/user/profile`, with three results that are never mixed up. What is not clearly a profile or
//! clearly a death is neither.
//! Source: developer documentation "Get profile".

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use url::Url;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::UserId;
use vega_domain::ports::{ProfileAnswer, ProfileApi};
use vega_domain::secret::AccessToken;

use crate::answers::{self, ProfileBody};
use crate::http::{self, Body, ClientError, Endpoint, HttpClient};

/// The profile endpoint over HTTP.
#[derive(Debug, Clone)]
pub struct ProfileVerifier {
    endpoint: Endpoint,
}

impl ProfileVerifier {
    /// For the API at `base` (`https://api.upstox.com`); one call takes `timeout` at most.
    pub fn new(http: &HttpClient, base: &Url, timeout: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: http.endpoint(base, "v2/user/profile", timeout)?,
        })
    }
}

#[async_trait]
impl ProfileApi for ProfileVerifier {
    async fn profile(&self, token: &AccessToken) -> ProfileAnswer {
        let Some(bearer) = http::bearer(token) else {
            let words = "the stored token cannot be sent as a header";
            return ProfileAnswer::Unknown(Failure::new(FailureReason::NeedsReview, words));
        };
        let request = self.endpoint.request(Method::GET).header(AUTHORIZATION, bearer);
        match self.endpoint.send(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                read(status, &http::read_body(response).await)
            }
            Err(no_answer) => ProfileAnswer::Unknown(no_answer.failure),
        }
    }
}

fn read(status: u16, body: &Body) -> ProfileAnswer {
    if status == 200 && answers::broker_errors(&body.bytes).is_empty() {
        let profile: Option<ProfileBody> = if body.complete {
            serde_json::from_slice(&body.bytes).ok()
        } else {
            None
        };
        let user_id = profile
            .filter(|profile| !answers::is_error(profile.status.as_deref()))
            .and_then(|profile| profile.data)
            .and_then(|data| data.user_id);
        return match user_id.map(UserId::new) {
            Some(Ok(user_id)) => ProfileAnswer::Valid(user_id),
            _ if body.complete && !answers::is_object(&body.bytes) => {
                ProfileAnswer::Unknown(answers::failure_from(status, body))
            }
            _ => ProfileAnswer::Unknown(Failure::new(
                FailureReason::BrokerDown,
                "HTTP 200 without a profile",
            )),
        };
    }
    if answers::calls_token_dead(status, body) {
        return ProfileAnswer::Invalid;
    }
    ProfileAnswer::Unknown(answers::refusal_of(status, body))
}
