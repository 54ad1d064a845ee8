//! How the tokens of some APIs stand, for commands that go on: `vega exec` and `vega watch`. Follows the server at its socket while one of this
//! installation runs, else the database, and changes over by itself. Decides which of the two is believed when: the server while it is there; the
//! database for all but a token that is newer than what it holds and still lives.

mod from_database;
mod from_server;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::{interval, sleep};
use vega_bootstrap::{Environment, PortDecorator, ServerAtSocket, Settings, SystemClock, Vega};
use vega_domain::ids::{ApiName, ConsumerName, Generation};
use vega_domain::ports::Clock;
use vega_domain::token_kind::{TokenKind, WantedKind};

use crate::command_error::CommandError;
use crate::commands::token;
use crate::program_token::{ProgramToken, is_served};
use crate::server::Server;
use crate::server::not_given::NotGiven;
use crate::terminal::Terminal;

/// How often a server is looked for while there is none, and the clock at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same where it has been in vain for long.
const LOOK_AT_LAST: Duration = Duration::from_secs(30);

/// From whom a command gets tokens.
pub(crate) enum Installation {
    /// This user's own.
    Own(Box<Settings>),
    /// Another user's, whose server this one may ask.
    OfAnotherUser(ServerAtSocket),
}

/// What a command wants to know, and of which kinds of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) what: What,
    pub(crate) kind: WantedKind,
}

/// What a command wants to know of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The tokens.
    Tokens,
    /// Only how they stand: nobody is noted as having a token.
    States,
}

/// Who says now how the tokens stand.
#[derive(Clone)]
enum Source {
    /// Nobody does: what lives goes on.
    Nobody,
    /// The server. It says by itself when a token's last minute comes, and by its own clock.
    Server,
    /// The database.
    Database(Arc<Vega>),
}

/// What is known of one API.
#[derive(Clone)]
enum State {
    Unknown,
    There(Arc<Held>),
    /// There is none, and why, if the server said so.
    None(Option<String>),
}

/// A token that is there.
pub(crate) struct Held {
    pub(crate) kind: TokenKind,
    pub(crate) generation: Generation,
    /// Tells it from every other one of its API and kind.
    pub(crate) version: String,
    pub(crate) valid_until: DateTime<Utc>,
    /// The token itself, where it is wanted.
    pub(crate) token: Option<ProgramToken>,
}

/// What opens the database.
struct Opening {
    settings: Settings,
    environment: Environment,
    decorator: Arc<dyn PortDecorator>,
    terminal: Arc<Terminal>,
}

pub(crate) struct TokenFeed {
    apis: Vec<ApiName>,
    wants: Wants,
    states: watch::Sender<HashMap<ApiName, State>>,
    server: Option<Server>,
    /// None of another user's installation.
    database: Option<Opening>,
    source: Mutex<Source>,
    /// How often a server was begun to be followed.
    servers_met: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl TokenFeed {
    /// Of these APIs, each once. Nothing is known before `follow` is polled.
    pub(crate) fn new(
        installation: Installation,
        environment: &Environment,
        decorator: Arc<dyn PortDecorator>,
        apis: Vec<ApiName>,
        wants: Wants,
    ) -> Self {
        let clock = decorator.clock(Arc::new(SystemClock::new()));
        let (server, database) = match installation {
            Installation::Own(settings) => (
                ServerAtSocket::of_installation(&settings),
                Some(Opening {
                    settings: *settings,
                    environment: environment.clone(),
                    decorator,
                    terminal: Arc::new(Terminal::new(false)),
                }),
            ),
            Installation::OfAnotherUser(server) => (Some(server), None),
        };
        let states = apis.iter().map(|api| (api.clone(), State::Unknown)).collect();
        Self {
            apis,
            wants,
            states: watch::Sender::new(states),
            server: server.map(Server::at),
            database,
            source: Mutex::new(Source::Nobody),
            servers_met: AtomicU64::new(0),
            clock,
        }
    }

    /// The name by which the server shows the program.
    pub(crate) fn called(mut self, name: Option<ConsumerName>) -> Self {
        if let Some(server) = &mut self.server {
            server.consumer = name;
        }
        self
    }

    /// The APIs, in the order in which they were named.
    pub(crate) fn apis(&self) -> &[ApiName] {
        &self.apis
    }

    /// The time of whoever is followed, where it tells: a machine's own may be wrong.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        match self.source() {
            Source::Database(vega) => vega.clock.now(),
            Source::Server | Source::Nobody => self.clock.now(),
        }
    }

    /// Tells of changes.
    pub(crate) fn subscribe(&self) -> Changes {
        Changes(self.states.subscribe())
    }

    /// How an API stands now, if a program may have its token.
    pub(crate) fn held(&self, api: &ApiName) -> Option<Arc<Held>> {
        match self.states.borrow().get(api) {
            Some(State::There(held)) if self.is_good(held) => Some(Arc::clone(held)),
            _ => None,
        }
    }

    fn is_good(&self, held: &Held) -> bool {
        matches!(self.source(), Source::Server) || is_served(held.valid_until, self.now())
    }

    /// The newest token of each API, for a program that gets them now: that is when it is noted as having them. `None` where one is
    /// missing, or nobody can be asked at the moment.
    pub(crate) async fn tokens(&self) -> Option<Vec<Arc<Held>>> {
        let mut tokens = Vec::with_capacity(self.apis.len());
        for api in &self.apis {
            let held = match (self.source(), &self.server) {
                (Source::Server, Some(server)) => {
                    server.token(api, self.wants.kind).await.ok().map(Held::from)
                }
                (Source::Database(vega), _) => self
                    .names(&vega, api)
                    .iter()
                    .find_map(|name| Self::stored_as(&vega, api, name, What::Tokens)),
                _ => None,
            };
            tokens.push(Arc::new(held?));
        }
        Some(tokens)
    }

    /// Waits until it is known of each API how it stands.
    pub(crate) async fn first_answers(&self) {
        let mut states = self.states.subscribe();
        let are_known = |states: &HashMap<ApiName, State>| {
            let mut states = states.values();
            states.all(|state| !matches!(state, State::Unknown))
        };
        // The sender lives as long as this.
        let _ = states.wait_for(are_known).await;
    }

    /// What the server said of an API without a token.
    pub(crate) fn said(&self, api: &ApiName) -> Option<String> {
        match self.states.borrow().get(api) {
            Some(State::None(said)) => said.clone(),
            _ => None,
        }
    }

    /// Why there is no token, with the way out.
    pub(crate) async fn why_none(&self, api: &ApiName) -> Result<String, CommandError> {
        if let Some(said) = self.said(api) {
            return Ok(said);
        }
        match (self.source(), &self.server) {
            (Source::Database(vega), _) => Ok(token::no_token(&vega, api, self.wants.kind).await?.1),
            (Source::Server, Some(server)) => match server.token(api, self.wants.kind).await {
                Err(NotGiven::Refused(refused)) => Ok(refused.words),
                Ok(_) | Err(NotGiven::NotAsked(_)) => Ok(format!("{api} has no usable token")),
            },
            _ => Ok(format!("{api} has no usable token")),
        }
    }

    /// Keeps up with the server, or the database. Ends only where neither can be reached and nothing was ever known.
    pub(crate) async fn follow(&self) -> Result<Infallible, CommandError> {
        tokio::select! {
            never = self.watch_clock() => match never {},
            failed = self.change_over() => failed,
        }
    }

    async fn change_over(&self) -> Result<Infallible, CommandError> {
        let mut pause = LOOK_AGAIN;
        loop {
            let away = match &self.server {
                Some(server) => self.follow_server(server).await,
                None => String::new(),
            };
            self.is_followed(Source::Nobody);
            let Some(opening) = &self.database else {
                self.is_none_at_all(&away);
                sleep(LOOK_AGAIN).await;
                continue;
            };
            match Box::pin(self.follow_database(opening)).await {
                Ok(()) => pause = LOOK_AGAIN,
                Err(error) if !self.is_known() => return Err(error),
                Err(error) => {
                    tracing::warn!("{error}. It is tried again; the server at the socket too");
                    sleep(pause).await;
                    pause = (pause * 2).min(LOOK_AT_LAST);
                }
            }
        }
    }

    async fn server_is_there(&self) {
        let Some(server) = &self.server else {
            return pending().await;
        };
        let mut pause = LOOK_AGAIN;
        loop {
            sleep(pause).await;
            if server.at.connect().await.is_err() {
                pause = LOOK_AGAIN;
            } else if self.is_served_by(server).await {
                return;
            } else {
                // It is there, and has nothing to say: it does not know the API yet, say, or has no place for a stream.
                pause = (pause * 2).min(LOOK_AT_LAST);
            }
        }
    }

    /// Whether the server has a word for each API.
    async fn is_served_by(&self, server: &Server) -> bool {
        for api in &self.apis {
            if let Err(NotGiven::NotAsked(_)) = server.events(api, self.wants.kind).await {
                return false;
            }
        }
        true
    }

    /// While nobody else tells of a token's last minute.
    async fn watch_clock(&self) -> Infallible {
        let mut look = interval(LOOK_AGAIN);
        loop {
            look.tick().await;
            if matches!(self.source(), Source::Server) {
                continue;
            }
            let now = self.now();
            self.states.send_if_modified(|states| {
                let mut is_over = false;
                for state in states.values_mut() {
                    if matches!(state, State::There(held) if !is_served(held.valid_until, now)) {
                        *state = State::None(None);
                        is_over = true;
                    }
                }
                is_over
            });
        }
    }

    fn is_there(&self, api: &ApiName, new: Held) {
        let now = self.now();
        self.states.send_if_modified(|states| {
            if let Some(State::There(held)) = states.get(api) {
                // Each kind has a count of its own; of two kinds, whoever is asked knows which is given.
                let is_of_kind = held.kind == new.kind;
                let is_older = held.generation > new.generation && is_served(held.valid_until, now);
                if is_of_kind && (is_older || held.version == new.version) {
                    return false;
                }
            }
            states.insert(api.clone(), State::There(Arc::new(new)));
            true
        });
    }

    fn is_gone(&self, api: &ApiName, said: Option<String>) {
        self.states.send_if_modified(|states| {
            if matches!(states.get(api), Some(State::None(before)) if *before == said) {
                return false;
            }
            states.insert(api.clone(), State::None(said));
            true
        });
    }

    /// Nobody can be asked: what lives goes on.
    fn is_none_at_all(&self, why: &str) {
        for api in &self.apis {
            if self.held(api).is_none() {
                self.is_gone(api, Some(why.to_owned()));
            }
        }
    }

    fn source(&self) -> Source {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.clone()
    }

    /// Returns who was followed before.
    fn is_followed(&self, source: Source) -> Source {
        let is_server = matches!(source, Source::Server);
        let mut followed = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *followed, source);
        drop(followed);
        if is_server && !matches!(before, Source::Server) {
            self.servers_met.fetch_add(1, Ordering::Relaxed);
            self.states.send_modify(|_| {});
        }
        before
    }

    /// Another number for each server that is met: it does not know yet what a program has. Changes tell of it.
    pub(crate) fn servers_met(&self) -> u64 {
        self.servers_met.load(Ordering::Relaxed)
    }

    /// Whether it is known of each API how it stands.
    fn is_known(&self) -> bool {
        let states = self.states.borrow();
        let mut states = states.values();
        states.all(|state| !matches!(state, State::Unknown))
    }

    /// Closes the database properly, if it is open. `follow` must have been dropped.
    pub(crate) async fn close(&self) {
        if let Source::Database(vega) = self.is_followed(Source::Nobody) {
            vega.close().await;
        }
    }
}

/// Tells of changes of a feed.
pub(crate) struct Changes(watch::Receiver<HashMap<ApiName, State>>);

impl Changes {
    /// What is known by now is not told of.
    pub(crate) fn are_seen(&mut self) {
        self.0.borrow_and_update();
    }

    /// Waits for the next one. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        // The feed lives as long as its command.
        let _ = self.0.changed().await;
    }
}

#[cfg(test)]
mod tests;
