//! The spool of one database as a port: allocates room, stores records, and moves them into the database when it accepts writes
//! again.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::ids::{ApiName, ClientId, Generation};
use vega_domain::ports::{SignInAttempts, StoreError, TokenSpool, UpstoxTokenRepository};
use vega_domain::token::StoredToken;

use crate::spool::records::{KeptAnswer, KeptToken, is_same};
use crate::spool::slots::{Kind, Spool};
use crate::stored::unreadable;

/// `TokenSpool` in files beside the database.
#[derive(Clone)]
pub struct FileTokenSpool {
    spool: Spool,
    attempts: Arc<dyn SignInAttempts>,
    tokens: Arc<dyn UpstoxTokenRepository>,
}

impl FileTokenSpool {
    /// Uses the files of one database, and the repositories that receive their contents.
    pub(crate) fn over(
        spool: Spool,
        attempts: Arc<dyn SignInAttempts>,
        tokens: Arc<dyn UpstoxTokenRepository>,
    ) -> Self {
        Self {
            spool,
            attempts,
            tokens,
        }
    }

    /// Wraps the repositories through which kept records are moved into the same database.
    #[must_use]
    pub fn moving_through(
        self,
        attempts: impl FnOnce(Arc<dyn SignInAttempts>) -> Arc<dyn SignInAttempts>,
        tokens: impl FnOnce(Arc<dyn UpstoxTokenRepository>) -> Arc<dyn UpstoxTokenRepository>,
    ) -> Self {
        Self {
            spool: self.spool,
            attempts: attempts(self.attempts),
            tokens: tokens(self.tokens),
        }
    }

    pub(crate) async fn tokens(&self) -> Result<Vec<KeptToken>, StoreError> {
        self.with_files(|spool| spool.load(Kind::Token)).await
    }

    pub(crate) async fn keep_token(&self, kept: KeptToken) -> Result<(), StoreError> {
        let token = kept.token()?.token;
        self.with_files(move |spool| {
            let place = (&token.api, token.client_id.as_str(), token.generation.get());
            spool.keep(Kind::Token, place, &kept)
        })
        .await
    }

    pub(crate) async fn keep_answer(
        &self,
        kept: KeptAnswer,
        api: &ApiName,
        client_id: &ClientId,
        generation: Generation,
    ) -> Result<(), StoreError> {
        let (api, client_id) = (api.clone(), client_id.clone());
        self.with_files(move |spool| {
            let place = (&api, client_id.as_str(), generation.get());
            spool.keep(Kind::Answer, place, &kept)
        })
        .await
    }

    async fn clear(&self, kind: Kind, api: &ApiName) -> Result<(), StoreError> {
        let api = api.clone();
        self.with_files(move |spool| spool.clear(kind, &api)).await
    }

    /// Reads and writes the files on a thread where blocking is allowed.
    async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Spool) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let spool = self.spool.clone();
        tokio::task::spawn_blocking(move || work(&spool))
            .await
            .unwrap_or_else(|panicked| Err(unreadable(panicked)))
    }

    /// Moves the rejection of a kept token, also one that came while the token was moved, or after: the database must
    /// not show the token as valid.
    async fn move_rejection(&self, token: &StoredToken, at: DateTime<Utc>) -> Result<(), StoreError> {
        let kept = self.tokens().await?;
        let kept = kept.iter().find(|kept| kept.is(&token.api, token.generation));
        if let Some(rejection) = kept.map(KeptToken::rejection).transpose()?.flatten() {
            let audit = rejection.audit.written_at(at)?;
            self.tokens.record_checks(&[(rejection.check, audit)]).await?;
        }
        Ok(())
    }

    /// Whether this very token is in its row, and not another one of its generation.
    async fn is_stored(&self, token: &StoredToken) -> Result<bool, StoreError> {
        let rows = self.tokens.load_all().await?;
        Ok(rows.iter().flatten().any(|row| is_same(row, token)))
    }

    /// A conflict means that the database already has newer knowledge.
    async fn moved(
        &self,
        kind: Kind,
        api: &ApiName,
        taken: Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        let is_moved = match taken {
            Ok(()) => true,
            Err(StoreError::Conflict(words)) => {
                tracing::info!(%api, words, "the database knows more than the spool");
                false
            }
            Err(error) => return Err(error),
        };
        self.clear(kind, api).await?;
        Ok(is_moved)
    }
}

#[async_trait]
impl TokenSpool for FileTokenSpool {
    async fn prepare(&self, apis: &[ApiName]) -> Result<(), StoreError> {
        let apis = apis.to_vec();
        self.with_files(move |spool| apis.iter().try_for_each(|api| spool.prepare(api)))
            .await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(!self.with_files(Spool::holds_anything).await?)
    }

    async fn import(&self, at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError> {
        let mut moved = Vec::new();
        let answers: Vec<KeptAnswer> = self.with_files(|spool| spool.load(Kind::Answer)).await?;
        for kept in answers {
            let api = ApiName::new(&*kept.api).map_err(unreadable)?;
            let audit = kept.audit.written_at(at)?;
            let taken = self
                .attempts
                .seal_answer(kept.attempt(), &kept.answer()?, kept.received_at(), &audit)
                .await;
            if self.moved(Kind::Answer, &api, taken).await? {
                moved.push(api);
            }
        }
        for kept in self.tokens().await? {
            let new = kept.token()?;
            let audit = kept.audit.written_at(at)?;
            let taken = self.tokens.store(&new, &audit).await;
            let is_in_its_row = match &taken {
                Ok(()) => true,
                Err(StoreError::Conflict(_)) => self.is_stored(&new.token).await?,
                Err(_) => false,
            };
            if is_in_its_row {
                self.move_rejection(&new.token, at).await?;
            }
            if self.moved(Kind::Token, &new.token.api, taken).await? {
                moved.push(new.token.api);
            }
        }
        moved.dedup();
        Ok(moved)
    }
}
