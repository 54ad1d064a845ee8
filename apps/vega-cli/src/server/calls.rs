//! One connection to the server at its socket, and what is asked on it: who asks is told with each request. What a refusal means is decided
//! elsewhere.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use secrecy::zeroize::Zeroizing;
use sse_stream::SseByteStream;
use tokio::time::timeout;
use vega_api_types::{ReceivedProblem, ReceivedTokenState};
use vega_bootstrap::{ServerAtSocket, SocketAnswer, SocketConnection};
use vega_domain::ids::{ApiName, ConsumerName, Generation};
use vega_domain::token_kind::{TokenKind, WantedKind};

use crate::server::not_given::NotGiven;

/// No answer to a program is so long, and no event.
const LONGEST: usize = 64 * 1024;
/// A stream without a byte for so long is broken: the server sends one each 15 s.
const IDLE: Duration = Duration::from_secs(45);
/// What a program calls itself.
const OWN_NAME: &str = "x-vega-consumer";

/// How something is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method {
    Get,
    Post,
}

/// A connection to a server that is believed.
pub(crate) struct Calls<'s> {
    server: &'s ServerAtSocket,
    consumer: Option<&'s ConsumerName>,
    connection: SocketConnection,
}

/// What was answered.
pub(crate) struct Answer(SocketAnswer);

/// How the token of an API stands.
pub(crate) struct ToldState {
    pub(crate) kind: TokenKind,
    pub(crate) generation: Generation,
    pub(crate) version: String,
    pub(crate) valid_until: DateTime<Utc>,
}

/// What a stream of events tells.
pub(crate) enum Told {
    /// There is this token.
    There(ToldState),
    /// There is none, and why, once that is known.
    None(Option<String>),
    /// The server ends the stream for this.
    End(ReceivedProblem),
}

/// The events of one API. The connection goes with them.
pub(crate) struct Events {
    events: BoxStream<'static, Result<Told, NotGiven>>,
    _connection: SocketConnection,
}

/// Where to ask about the token of `api`, for who asks for these kinds.
pub(crate) fn target(api: &ApiName, route: &str, wanted: WantedKind) -> String {
    match wanted.query() {
        "" => format!("/api/v1/apis/{api}/{route}"),
        query => format!("/api/v1/apis/{api}/{route}?{query}"),
    }
}

impl<'s> Calls<'s> {
    pub(crate) async fn begin(
        server: &'s ServerAtSocket,
        consumer: Option<&'s ConsumerName>,
    ) -> Result<Self, NotGiven> {
        Ok(Self {
            server,
            consumer,
            connection: server.connect().await?,
        })
    }

    pub(crate) async fn ask(
        &mut self,
        method: Method,
        target: &str,
        body: Option<String>,
    ) -> Result<Answer, NotGiven> {
        let method = match method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let named: Vec<(&str, &str)> = self
            .consumer
            .map(|name| (OWN_NAME, name.as_str()))
            .into_iter()
            .collect();
        let answer = self.connection.ask(method, target, &named, body).await?;
        Ok(Answer(answer))
    }

    /// The stream of how the token of `api` stands.
    pub(crate) async fn events(mut self, api: &ApiName, wanted: WantedKind) -> Result<Events, NotGiven> {
        let target = target(api, "events", wanted);
        let answer = self.ask(Method::Get, &target, None).await?;
        if !answer.is_good() {
            let body = answer.body().await?;
            return Err(NotGiven::of_body(&body, self.server.is_own()));
        }
        let mut unended = 0;
        let parts = answer.0.parts().map(move |part| {
            let part = part?;
            let ends_an_event = part.windows(2).any(|pair| pair == b"\n\n");
            unended = if ends_an_event { 0 } else { unended + part.len() };
            if unended > LONGEST {
                return Err(io::Error::other("an event is too long"));
            }
            Ok(part)
        });
        let events = SseByteStream::new(Box::pin(parts)).filter_map(async |event| match event {
            Ok(event) => told(event.event.as_deref()?, event.data.as_deref().unwrap_or_default()),
            Err(broken) => Some(Err(NotGiven::NotAsked(format!(
                "the server's events broke off: {broken}"
            )))),
        });
        Ok(Events {
            events: events.boxed(),
            _connection: self.connection,
        })
    }
}

/// What an event tells; nothing of one that is not known here.
fn told(event: &str, data: &str) -> Option<Result<Told, NotGiven>> {
    match event {
        "token" => Some(
            serde_json::from_str::<ReceivedTokenState>(data)
                .ok()
                .and_then(state)
                .ok_or_else(NotGiven::unreadable),
        ),
        "end" => Some(
            serde_json::from_str(data)
                .map(Told::End)
                .map_err(|_| NotGiven::unreadable()),
        ),
        _ => None,
    }
}

fn state(received: ReceivedTokenState) -> Option<Told> {
    if !received.servable {
        return Some(Told::None(received.detail));
    }
    Some(Told::There(ToldState {
        kind: received.kind?.into(),
        generation: received.generation?,
        version: received.version?,
        valid_until: received.valid_until?,
    }))
}

impl Events {
    /// The next one; none where the stream ended.
    pub(crate) async fn next(&mut self) -> Result<Told, NotGiven> {
        let ended = || NotGiven::NotAsked("the server ended its events".into());
        match timeout(IDLE, self.events.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => Err(ended()),
            Err(_) => Err(NotGiven::NotAsked(format!(
                "the server sent nothing for {} s",
                IDLE.as_secs()
            ))),
        }
    }
}

impl Answer {
    pub(crate) fn is_good(&self) -> bool {
        self.0.status == 200
    }

    /// What tells the token in it from every other one.
    pub(crate) fn version(&self) -> Option<String> {
        let tag = self.0.headers.get("etag")?.to_str().ok()?;
        Some(tag.trim_matches('"').to_owned())
    }

    pub(crate) async fn body(self) -> Result<Zeroizing<Vec<u8>>, NotGiven> {
        Ok(self.0.body(LONGEST).await?)
    }
}
