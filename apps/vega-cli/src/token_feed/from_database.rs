//! Follows the database for a feed, with all of Vega, until a server is there. What it has is taken unless the server gave a newer token that
//! lives.

use std::convert::Infallible;
use std::sync::Arc;

use vega_bootstrap::Vega;
use vega_domain::ids::ApiName;
use vega_domain::token_kind::TokenKind;

use super::{Held, Opening, Source, TokenFeed, What};
use crate::command_error::CommandError;
use crate::program_token::ProgramToken;

impl TokenFeed {
    /// Follows the database until a server is there.
    pub(super) async fn follow_database(&self, opening: &Opening) -> Result<(), CommandError> {
        let vega = Arc::new(opening.open().await?);
        let mistrust = match vega.maintenance.mistrust().await {
            Ok(None) => None,
            Ok(Some(mistrust)) => Some(CommandError::Mistrust(mistrust)),
            Err(error) => Some(error.into()),
        };
        if let Some(mistrust) = mistrust {
            vega.close().await;
            return Err(mistrust);
        }
        self.is_followed(Source::Database(Arc::clone(&vega)));
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
        for name in self.names(vega, api) {
            if let Some(stored) = Self::stored_as(vega, api, &name, self.wants.what) {
                return self.is_there(api, stored);
            }
            if self.holds_newer_than(vega, api, &name).await {
                return;
            }
        }
        self.is_gone(api, None);
    }

    /// The names under which the database keeps the wanted tokens, the preferred one first.
    pub(super) fn names(&self, vega: &Vega, api: &ApiName) -> Vec<ApiName> {
        let account = vega.settings.accounts.find(api);
        let names = account.map(|(account, _)| self.wants.kind.names(&account.id, api));
        names.unwrap_or_default()
    }

    pub(super) fn stored_as(vega: &Vega, api: &ApiName, name: &ApiName, what: What) -> Option<Held> {
        vega.registry.read(name, |hot| Held {
            kind: hot.token().kind(),
            generation: hot.token().generation,
            version: hot.version().to_owned(),
            valid_until: hot.token().valid_until,
            token: (what == What::Tokens).then(|| ProgramToken::of(api, hot.token())),
        })
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
