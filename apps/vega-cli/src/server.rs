//! The server, as the commands that use tokens ask it at its socket. Decides how long an answer is waited for; where none comes that counts, the
//! database is asked instead. What is done with an answer is the command's to decide.

pub(crate) mod calls;
pub(crate) mod not_given;

use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use tokio::time::timeout;
use vega_api_types::{ReceivedRejection, ReceivedToken, RejectionBody};
use vega_bootstrap::{ANSWERS_WITHIN, ServerAtSocket};
use vega_domain::ids::{ApiName, ConsumerName, Generation};
use vega_domain::token_kind::{TokenKind, WantedKind};

use crate::program_token::ProgramToken;
use crate::server::calls::{Answer, Calls, Events, Method};
use crate::server::not_given::{NotGiven, read};

/// A report is answered when Upstox was asked, for 20 s about a new token.
const REPORT_WITHIN: Duration = Duration::from_mins(1);

/// The server that is asked, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) at: ServerAtSocket,
    /// What the program is called beside what the kernel says.
    pub(crate) consumer: Option<ConsumerName>,
}

/// A token that the server gave, and what tells it from every other one.
pub(crate) struct Given {
    pub(crate) token: ProgramToken,
    pub(crate) version: String,
}

impl Server {
    pub(crate) fn at(at: ServerAtSocket) -> Self {
        Self { at, consumer: None }
    }

    /// The token that programs get now who ask for these kinds.
    pub(crate) async fn token(&self, api: &ApiName, wanted: WantedKind) -> Result<Given, NotGiven> {
        let asking = async {
            let target = calls::target(api, "token", wanted);
            let answer = self.ask(Method::Get, &target, None).await?;
            let version = answer.version();
            let received: ReceivedToken = read(&self.body(answer).await?)?;
            let kind = TokenKind::from(received.kind);
            // Whoever asks for a token that can trade does so with what it gets.
            if !wanted.kinds().contains(&kind) {
                return Err(NotGiven::unreadable());
            }
            let token = ProgramToken {
                api: api.clone(),
                kind,
                access_token: received.access_token,
                generation: received.generation,
                valid_until: received.valid_until,
            };
            let version = version.unwrap_or_else(|| token.generation.to_string());
            Ok(Given { token, version })
        };
        within(ANSWERS_WITHIN, asking).await
    }

    /// Reports that Upstox refuses the token of this kind and generation.
    pub(crate) async fn report(
        &self,
        api: &ApiName,
        kind: TokenKind,
        generation: Generation,
    ) -> Result<ReceivedRejection, NotGiven> {
        let report = RejectionBody {
            generation: generation.get(),
            kind: Some(kind.into()),
        };
        let report = serde_json::to_string(&report).map_err(std::io::Error::from)?;
        let asking = async {
            let target = calls::target(api, "rejections", WantedKind::Trade);
            let answer = self.ask(Method::Post, &target, Some(report)).await?;
            read(&self.body(answer).await?)
        };
        within(REPORT_WITHIN, asking).await
    }

    /// The stream of how the token of `api` stands for who asks for these kinds.
    pub(crate) async fn events(&self, api: &ApiName, wanted: WantedKind) -> Result<Events, NotGiven> {
        let asking = async { self.begin().await?.events(api, wanted).await };
        within(ANSWERS_WITHIN, asking).await
    }

    async fn ask(&self, method: Method, target: &str, body: Option<String>) -> Result<Answer, NotGiven> {
        let mut calls = self.begin().await?;
        calls.ask(method, target, body).await
    }

    async fn begin(&self) -> Result<Calls<'_>, NotGiven> {
        Calls::begin(&self.at, self.consumer.as_ref()).await
    }

    /// The body of a good answer.
    async fn body(&self, answer: Answer) -> Result<Zeroizing<Vec<u8>>, NotGiven> {
        let is_good = answer.is_good();
        let body = answer.body().await?;
        if is_good {
            Ok(body)
        } else {
            Err(NotGiven::of_body(&body, self.at.is_own()))
        }
    }
}

async fn within<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T, NotGiven>>,
) -> Result<T, NotGiven> {
    timeout(limit, asking)
        .await
        .unwrap_or_else(|_| Err(NotGiven::late()))
}
