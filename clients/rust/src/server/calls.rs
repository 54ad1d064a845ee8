//! The server's routes for one API, and what their answers mean. Nothing is asked twice here, and no answer is remembered.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use sse_stream::SseByteStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::server::failure::Failure;
use crate::server::key_file::KeyFile;
use crate::server::kind::Kind;
use crate::server::memory::Answer;
use crate::server::timing::Timing;
use crate::server::wire::{ProblemBody, RejectionAnswer, RejectionBody, TokenBody, TokenEvent};
use crate::source::Verdict;
use crate::token::Generation;

/// No body of the server is so long, and no event.
const LONGEST: usize = 64 * 1024;

/// How the server of one API is called.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) http: reqwest::Client,
    /// What people call the server.
    pub(crate) server: String,
    pub(crate) origin: String,
    pub(crate) key: Option<KeyFile>,
    pub(crate) consumer: Option<HeaderValue>,
    pub(crate) api: String,
    pub(crate) kind: Kind,
    pub(crate) timing: Timing,
}

/// Why a stream of events ended before the server ended it.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("nothing came for {} s", .0.as_secs())]
    Idle(Duration),
    #[error("an event is longer than {LONGEST} bytes")]
    TooLong,
    #[error("{}", causes(.0))]
    Connection(#[source] reqwest::Error),
}

impl Calls {
    /// The stream of the token's state. Fails where the server does not give it; ends when the server ends it.
    pub(crate) async fn events(
        &self,
    ) -> Result<impl Stream<Item = Result<TokenEvent, Error>> + use<>, Failure> {
        let request = self
            .request(Method::GET, &format!("events{}", self.kind.query()))
            .await?;
        let request = request.header(header::ACCEPT, "text/event-stream");
        let response = self.answer(request, self.timing.answer).await?;
        let is_stream = content_type(&response).is_some_and(|kind| kind.starts_with("text/event-stream"));
        if response.status() != StatusCode::OK {
            return Err(self.problem(response).await);
        }
        if !is_stream {
            return Err(self.is_no_vega("its events are no stream of events").into());
        }
        let (server, idle) = (self.server.clone(), self.timing.idle);
        let bytes = stream::try_unfold((response, 0), move |(mut response, unended)| async move {
            let chunk = timeout(idle, response.chunk())
                .await
                .map_err(|_| Cut::Idle(idle))?;
            let Some(chunk) = chunk.map_err(Cut::Connection)? else {
                return Ok(None);
            };
            let ends_an_event = chunk.windows(2).any(|pair| pair == b"\n\n");
            let unended = if ends_an_event { 0 } else { unended + chunk.len() };
            if unended > LONGEST {
                return Err(Cut::TooLong);
            }
            Ok(Some((chunk, (response, unended))))
        });
        let events = SseByteStream::new(Box::pin(bytes)).filter_map(move |event| {
            let read = match event {
                Ok(event) if event.event.as_deref() != Some("token") => None,
                Ok(event) => Some(
                    event
                        .data
                        .as_deref()
                        .and_then(|data| serde_json::from_str(data).ok())
                        .ok_or_else(|| {
                            Error::unexpected(format!(
                                "an event of {server} cannot be read. Is this crate as new as the server?"
                            ))
                        }),
                ),
                Err(error) => Some(Err(Error::unreachable(format!(
                    "the stream of events of {server} broke: {error}. It is opened again by itself"
                )))),
            };
            async { read }
        });
        Ok(events)
    }

    /// The token, unless it is the one of `tag`.
    pub(crate) async fn token(&self, tag: Option<&str>) -> (Answer, Option<Duration>) {
        match self.try_token(tag).await {
            Ok(answer) => (answer, None),
            Err(failure) => {
                let answer = match failure.error {
                    error @ (Error::NoToken { .. } | Error::UnknownApi { .. }) => Answer::None(error),
                    error @ Error::Refused { .. } => Answer::Refused(error),
                    error => Answer::Trouble(error),
                };
                (answer, failure.retry_after)
            }
        }
    }

    async fn try_token(&self, tag: Option<&str>) -> Result<Answer, Failure> {
        let mut request = self
            .request(Method::GET, &format!("token{}", self.kind.query()))
            .await?;
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let response = self.answer(request, self.timing.answer).await?;
        match response.status() {
            StatusCode::NOT_MODIFIED => Ok(Answer::StillThat),
            StatusCode::OK => {
                let tag = response.headers().get(header::ETAG);
                let tag = tag.and_then(|tag| tag.to_str().ok()).map(str::to_owned);
                let body: TokenBody = self.json(response).await?;
                let token = body.token();
                let token = token.ok_or_else(|| self.is_no_vega("its token has no time of death"))?;
                Ok(Answer::Token(token, tag))
            }
            _ => Err(self.problem(response).await),
        }
    }

    /// What the server finds out about a token that Upstox refused.
    pub(crate) async fn report(&self, generation: Generation) -> Result<Verdict, Failure> {
        let request = self.request(Method::POST, "rejections").await?;
        let request = request.json(&RejectionBody {
            generation,
            kind: self.kind.told(),
        });
        let response = self.answer(request, self.timing.report).await?;
        if response.status() != StatusCode::OK {
            return Err(self.problem(response).await);
        }
        let answer: RejectionAnswer = self.json(response).await?;
        let why = answer.failure.map(|failure| failure.summary).unwrap_or_default();
        tracing::info!(api = self.api, %generation, verdict = ?answer.answer, why, "a token that Upstox refused was reported");
        Ok(answer.answer)
    }

    async fn request(&self, method: Method, route: &str) -> Result<RequestBuilder, Error> {
        let url = format!("{}/api/v1/apis/{}/{route}", self.origin, self.api);
        let mut request = self.http.request(method, url);
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, key.authorization().await?);
        }
        if let Some(consumer) = &self.consumer {
            request = request.header("x-vega-consumer", consumer);
        }
        Ok(request)
    }

    async fn answer(&self, request: RequestBuilder, within: Duration) -> Result<Response, Error> {
        let server = &self.server;
        match timeout(within, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Error::unreachable(format!(
                "the Vega server at {server} cannot be reached: {}. Is vega-server running there?",
                causes(&error)
            ))),
            Err(_) => Err(Error::unreachable(format!(
                "the Vega server at {server} did not answer within {} s",
                within.as_secs()
            ))),
        }
    }

    async fn json<T: DeserializeOwned>(&self, response: Response) -> Result<T, Error> {
        let body = self.body(response).await?;
        // Without the words of the parser: they may repeat a token.
        serde_json::from_slice(&body).map_err(|_| self.is_no_vega("its answer cannot be read"))
    }

    /// Wiped when it is dropped, for it may hold a token.
    async fn body(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, Error> {
        let broke =
            |words: String| Error::unreachable(format!("the answer of {} broke off: {words}", self.server));
        // At once as long as a token's answer, so that no copy is left where the body was before it grew.
        let room = response
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        let mut body = Zeroizing::new(Vec::with_capacity(room.unwrap_or(LONGEST).min(LONGEST)));
        let reading = async {
            while let Some(chunk) = response.chunk().await.map_err(|error| broke(causes(&error)))? {
                if body.len() + chunk.len() > LONGEST {
                    return Err(self.is_no_vega("its answer is too long"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        timeout(self.timing.answer, reading)
            .await
            .map_err(|_| broke("it takes too long".to_owned()))??;
        Ok(body)
    }

    async fn problem(&self, response: Response) -> Failure {
        let status = response.status();
        let retry_after =
            retry_after(response.headers()).map(|wait| wait.min(self.timing.longest_retry_after));
        let problem: Option<ProblemBody> = self.json(response).await.ok();
        let error = match problem {
            Some(problem) => self.meaning(status, problem),
            None if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Error::Refused {
                words: format!("{} answered {status}", self.server),
            },
            None => self.is_no_vega(&format!("it answered {status}")),
        };
        Failure {
            error,
            retry_after,
            is_answer: true,
        }
    }

    fn meaning(&self, status: StatusCode, problem: ProblemBody) -> Error {
        let (code, retry_at) = (problem.code.clone(), problem.retry_at());
        let words = problem.words();
        let api = self.api.clone();
        match (code.as_str(), status) {
            ("human_needed" | "cooling_down" | "token_unknown", _) => Error::NoToken {
                api,
                code,
                words,
                retry_at,
            },
            ("unknown_api", _) => Error::UnknownApi { api, words },
            (_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Error::Refused { words },
            (_, status) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Error::unreachable(format!(
                    "the Vega server at {} cannot answer now ({code}). {words}",
                    self.server
                ))
            }
            _ => Error::unexpected(format!(
                "the Vega server at {} refused a call ({code}). {words}",
                self.server
            )),
        }
    }

    fn is_no_vega(&self, words: &str) -> Error {
        Error::unexpected(format!(
            "what answers at {} does not answer as a Vega server: {words}. Look at the address",
            self.server
        ))
    }
}

fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(header::CONTENT_TYPE)?.to_str().ok()
}

/// In seconds; a date says nothing to a program whose clock may be another.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    seconds.parse().ok().map(Duration::from_secs)
}

/// An error with its causes, without the URL.
fn causes(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    match causes.pop() {
        Some(innermost) => innermost,
        None => error.to_string(),
    }
}
