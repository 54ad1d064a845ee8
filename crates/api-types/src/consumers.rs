//! Consumers: which programs use which token, as a server saw them, and which of them the operator has stopped.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vega_domain::consumer::{ConsumerStop, ConsumerUse};
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ids::{ConsumerName, Generation};

use crate::codes::{AccessPath, ConsumerState};

/// Consumers, by name and API. Of the event `consumers` of the stream: those that stand otherwise now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ConsumersView {
    pub v: u8,
    pub consumers: Vec<ConsumerView>,
}

/// A program, and its token of one API.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ConsumerView {
    /// The name that is shown: what it calls itself, else what it is known as.
    pub name: String,
    /// Who it is, as nothing that it sends can change: `key:ID`, or `user:NUMBER/PROGRAM` for a program at the socket. A stop binds to
    /// this.
    pub consumer: String,
    /// What that is called: the access key's name, a systemd unit or an executable.
    pub known_as: String,
    /// What it calls itself (`X-Vega-Consumer`), if it does.
    pub own_name: Option<String>,
    pub access_path: AccessPath,
    /// The API's name.
    pub api: String,
    /// How it stands to the API's newest token.
    pub state: ConsumerState,
    /// The token that it got last.
    pub generation: Option<u32>,
    /// The API's newest one.
    pub newest_generation: Option<u32>,
    /// When it got its token first.
    pub moved_at: Option<String>,
    pub moved_at_unix: Option<i64>,
    /// When it was seen last.
    pub last_seen_at: String,
    pub last_seen_at_unix: i64,
    /// Whether it listens to this server for the next token.
    pub connected: bool,
    /// Since when and why it gets nothing, if so.
    pub stopped: Option<ConsumerStopView>,
}

/// The operator's word that a consumer gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConsumerStopView {
    pub since: String,
    pub since_unix: i64,
    /// In the operator's words; may be empty.
    pub reason: String,
}

impl ConsumerView {
    /// At `now`, where `newest` is the API's newest token.
    pub fn of(
        seen: &ConsumerUse,
        newest: Option<Generation>,
        connected: bool,
        stop: Option<&ConsumerStop>,
        now: DateTime<Utc>,
    ) -> Self {
        let consumer = &seen.consumer;
        Self {
            name: consumer.name().to_owned(),
            consumer: consumer.identity.to_string(),
            known_as: consumer.identity_name.clone(),
            own_name: consumer.own_name.as_ref().map(ConsumerName::to_string),
            access_path: consumer.access_path.into(),
            api: seen.api.to_string(),
            state: seen.state(newest, now).into(),
            generation: seen.generation.map(Generation::get),
            newest_generation: newest.map(Generation::get),
            moved_at: seen.moved_at.map(rfc3339_ist),
            moved_at_unix: seen.moved_at.map(|at| at.timestamp()),
            last_seen_at: rfc3339_ist(seen.last_seen_at),
            last_seen_at_unix: seen.last_seen_at.timestamp(),
            connected,
            stopped: stop.map(ConsumerStopView::of),
        }
    }

    /// Whether this one has an older token than the newest, and was seen lately.
    pub fn is_behind(&self) -> bool {
        self.state == ConsumerState::Behind
    }

    /// Whether nothing but the time at which it was seen has changed.
    pub fn stands_like(&self, other: &Self) -> bool {
        let mut same_time = self.clone();
        same_time.last_seen_at.clone_from(&other.last_seen_at);
        same_time.last_seen_at_unix = other.last_seen_at_unix;
        same_time == *other
    }
}

impl ConsumerStopView {
    pub fn of(stop: &ConsumerStop) -> Self {
        Self {
            since: rfc3339_ist(stop.since),
            since_unix: stop.since.timestamp(),
            reason: stop.reason.clone(),
        }
    }
}

/// Which consumer is to be stopped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopConsumerBody {
    /// Its `consumer`, as listed.
    pub consumer: String,
    /// Why; it is told this with each refusal.
    #[serde(default)]
    #[schema(max_length = 300)]
    pub reason: String,
}

/// Which consumer is to be opened again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenConsumerBody {
    /// Its `consumer`, as listed.
    pub consumer: String,
}
