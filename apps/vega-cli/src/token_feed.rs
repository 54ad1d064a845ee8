//! How the tokens of some APIs stand, for commands that go on: `vega exec` and `vega watch`. Follows the server at its socket while one of this
//! installation runs, else the database, and changes over by itself. Decides which of the two is believed when: the server while it is there; the
//! database for all but a token that is newer than what it holds and still lives.

mod from_server;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
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
use crate::terminal::Terminal;

/// How often a server is looked for while there is none, and the clock at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    /// While the database is followed.
    open: Mutex<Option<Arc<Vega>>>,
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
            open: Mutex::default(),
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

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Tells of changes.
    pub(crate) fn subscribe(&self) -> Changes {
        Changes(self.states.subscribe())
    }

    /// How an API stands now, if a program may have its token.
    pub(crate) fn held(&self, api: &ApiName) -> Option<Arc<Held>> {
        match self.states.borrow().get(api) {
            Some(State::There(held)) if is_served(held.valid_until, self.now()) => Some(Arc::clone(held)),
            _ => None,
        }
    }

    /// Its token, where tokens are wanted.
    pub(crate) fn token(&self, api: &ApiName) -> Option<ProgramToken> {
        self.held(api)?.token.clone()
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
        match self.opened() {
            Some(vega) => Ok(token::no_token(&vega, api, self.wants.kind).await?.1),
            None => Ok(format!("{api} has no usable token")),
        }
    }

    /// Keeps up with the server, or the database. Ends only where neither can be reached at the first attempt.
    pub(crate) async fn follow(&self) -> Result<Infallible, CommandError> {
        tokio::select! {
            never = self.watch_clock() => match never {},
            failed = self.change_over() => failed,
        }
    }

    async fn change_over(&self) -> Result<Infallible, CommandError> {
        let mut is_first = true;
        loop {
            let away = match &self.server {
                Some(server) => self.follow_server(server).await,
                None => String::new(),
            };
            let Some(opening) = &self.database else {
                self.is_none_at_all(&away);
                sleep(LOOK_AGAIN).await;
                continue;
            };
            match Box::pin(self.follow_database(opening)).await {
                Ok(()) => {}
                Err(error) if is_first => return Err(error),
                Err(error) => {
                    tracing::warn!("{error}. It is tried again; the server at the socket too");
                    sleep(LOOK_AGAIN).await;
                }
            }
            is_first = false;
        }
    }

    /// Follows the database until a server is there.
    async fn follow_database(&self, opening: &Opening) -> Result<(), CommandError> {
        let vega = Arc::new(opening.open().await?);
        if let Some(mistrust) = vega.maintenance.mistrust().await? {
            vega.close().await;
            return Err(CommandError::Mistrust(mistrust));
        }
        *self.slot() = Some(Arc::clone(&vega));
        tokio::select! {
            never = vega.follow_tokens() => match never {},
            never = self.take_over(&vega) => match never {},
            () = self.server_is_there() => {}
        }
        self.close().await;
        Ok(())
    }

    async fn take_over(&self, vega: &Vega) -> Infallible {
        let mut changes = vega.registry.subscribe();
        loop {
            changes.borrow_and_update();
            for api in &self.apis {
                self.take_stored(vega, api).await;
            }
            // The registry lives as long as Vega.
            let _ = changes.changed().await;
        }
    }

    /// Takes the first of the wanted tokens that the database has.
    async fn take_stored(&self, vega: &Vega, api: &ApiName) {
        let account = vega.settings.accounts.find(api);
        let names = account.map(|(account, _)| self.wants.kind.names(&account.id, api));
        for name in names.unwrap_or_default() {
            let stored = vega.registry.read(&name, |hot| Held {
                kind: hot.token().kind(),
                generation: hot.token().generation,
                version: hot.version().to_owned(),
                valid_until: hot.token().valid_until,
                token: (self.wants.what == What::Tokens).then(|| ProgramToken::of(api, hot.token())),
            });
            if let Some(stored) = stored {
                return self.is_there(api, stored);
            }
            if self.holds_newer_than(vega, api, &name).await {
                return;
            }
        }
        self.is_gone(api, None);
    }

    /// Whether the server gave a token that lives, is kept under this name, and that the database does not have.
    async fn holds_newer_than(&self, vega: &Vega, api: &ApiName, name: &ApiName) -> bool {
        let is_of_name = |held: &Arc<Held>| held.kind == TokenKind::kept_under(name);
        let Some(held) = self.held(api).filter(is_of_name) else {
            return false;
        };
        match vega.stored.validity.status(name).await {
            Ok(status) => status
                .and_then(|status| status.generation)
                .is_none_or(|stored| stored < held.generation),
            // It says nothing.
            Err(_) => true,
        }
    }

    async fn server_is_there(&self) {
        let Some(server) = &self.server else {
            return pending().await;
        };
        loop {
            sleep(LOOK_AGAIN).await;
            if server.at.connect().await.is_ok() {
                return;
            }
        }
    }

    /// While nobody else tells of a token's last minute.
    async fn watch_clock(&self) -> Infallible {
        let mut look = interval(LOOK_AGAIN);
        loop {
            look.tick().await;
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

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Vega>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> Option<Arc<Vega>> {
        self.slot().clone()
    }

    /// Closes the database properly, if it is open. `follow` must have been dropped.
    pub(crate) async fn close(&self) {
        let open = self.slot().take();
        if let Some(vega) = open {
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

impl Opening {
    async fn open(&self) -> Result<Vega, CommandError> {
        let started = Vega::start(
            self.settings.clone(),
            self.environment.clone(),
            self.terminal.clone(),
            self.terminal.clone(),
            Arc::clone(&self.decorator),
        );
        Ok(Box::pin(started).await?)
    }
}

#[cfg(test)]
mod tests;
