//! Follows the server at its socket for a feed: one stream of events for each API, and the token itself after each event, each on a connection
//! of its own whose other end has proved itself. Goes on while the server refuses: that is its word. Ends when it is away.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;
use vega_api_types::ProblemCode;
use vega_domain::ids::ApiName;

use super::{Held, Source, TokenFeed, What};
use crate::server::calls::{Told, ToldState};
use crate::server::not_given::NotGiven;
use crate::server::{Given, Server};

/// What is refused is opened by a human.
const REFUSED_AGAIN: Duration = Duration::from_secs(5);
/// Whether a token is good is asked again, of which no event may tell.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(5);

impl TokenFeed {
    /// Returns why the server cannot be followed any more.
    pub(super) async fn follow_server(&self, server: &Server) -> String {
        let each = self.apis.iter().map(|api| self.follow_api(server, api));
        let mut each: FuturesUnordered<_> = each.collect();
        match each.next().await {
            Some(away) => away,
            // There is nothing to follow.
            None => std::future::pending().await,
        }
    }

    async fn follow_api(&self, server: &Server, api: &ApiName) -> String {
        loop {
            match self.listen(server, api).await {
                NotGiven::NotAsked(why) => return why,
                NotGiven::Refused(refused) => {
                    self.is_gone(api, Some(refused.words));
                    sleep(REFUSED_AGAIN).await;
                }
            }
        }
    }

    /// One stream, until it ends, and why that is.
    async fn listen(&self, server: &Server, api: &ApiName) -> NotGiven {
        let mut events = match server.events(api, self.wants.kind).await {
            Ok(events) => events,
            Err(none) => return none,
        };
        self.is_followed(Source::Server);
        let mut is_unknown = false;
        loop {
            let told = tokio::select! {
                told = events.next() => told,
                () = sleep(UNKNOWN_AGAIN), if is_unknown => Ok(Told::None(None)),
            };
            let taken = match told {
                Ok(Told::There(state)) => self.take(server, api, state).await,
                Ok(Told::None(said)) => self.has_none(server, api, said).await,
                Ok(Told::End(end)) => Err(NotGiven::of(end, server.at.is_own())),
                Err(broken) => Err(broken),
            };
            match taken {
                Ok(()) => is_unknown = false,
                Err(NotGiven::Refused(refused)) if refused.is_of_the_token() => {
                    is_unknown = refused.code == ProblemCode::TokenUnknown;
                    self.is_gone(api, Some(refused.words));
                }
                Err(none) => return none,
            }
        }
    }

    /// Takes what an event told of. The token may be a newer one by now.
    async fn take(&self, server: &Server, api: &ApiName, state: ToldState) -> Result<(), NotGiven> {
        if !self.wants.kind.kinds().contains(&state.kind) {
            return Err(NotGiven::unreadable());
        }
        let held = match self.wants.what {
            What::States => Held {
                kind: state.kind,
                generation: state.generation,
                version: state.version,
                valid_until: state.valid_until,
                token: None,
            },
            What::Tokens => server.token(api, self.wants.kind).await?.into(),
        };
        self.is_there(api, held);
        Ok(())
    }

    /// There is none. Why may come with a later event; whoever waits for the first answer is told now.
    async fn has_none(&self, server: &Server, api: &ApiName, said: Option<String>) -> Result<(), NotGiven> {
        if said.is_none() && self.wants.what == What::Tokens {
            // Out of every reader at once; its cause may wait.
            if self.held(api).is_some() {
                self.is_gone(api, None);
            }
            let given = server.token(api, self.wants.kind).await?;
            self.is_there(api, given.into());
            return Ok(());
        }
        self.is_gone(api, said);
        Ok(())
    }
}

impl From<Given> for Held {
    fn from(given: Given) -> Self {
        Self {
            kind: given.token.kind,
            generation: given.token.generation,
            version: given.version,
            valid_until: given.token.valid_until,
            token: Some(given.token),
        }
    }
}
