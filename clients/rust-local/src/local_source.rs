//! The token of one stored API, by the same three calls as from a server.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream;
use vega_client::{Changes, Error, Generation, Token, TokenSource, Verdict};
use vega_domain::ids::{self, ApiName};
use vega_domain::token::StoredToken;
use vega_services::{HotToken, TokenReader};

use crate::store::Store;

/// The token of one API in the database. Clones share it.
#[derive(Clone)]
pub struct LocalSource(Arc<Source>);

struct Source {
    store: Arc<Store>,
    api: ApiName,
    reader: TokenReader,
    /// The newest one that was given, so that not every call makes a copy of a secret.
    given: Mutex<Option<(Arc<StoredToken>, Token)>>,
}

impl LocalSource {
    pub(crate) fn new(store: Arc<Store>, api: ApiName) -> Self {
        let reader = store.registry.reader(&api);
        Self(Arc::new(Source {
            store,
            api,
            reader,
            given: Mutex::default(),
        }))
    }

    /// The name of the API.
    pub fn api(&self) -> &str {
        self.0.api.as_str()
    }
}

impl Source {
    fn look(&self, min_valid: Duration) -> Result<Token, Error> {
        if self.store.has_ended() {
            return Err(Error::Ended);
        }
        let stored = self.reader.get().ok_or_else(|| self.why_not())?;
        let token = self.token_of(&stored);
        let now = SystemTime::from(self.store.reports.clock.now());
        let left = token.lives_for(now).ok_or_else(|| self.why_not())?;
        if left < min_valid {
            return Err(Error::TooShort {
                api: self.api.to_string(),
                generation: token.generation(),
                left,
                min_valid,
            });
        }
        Ok(token)
    }

    fn token_of(&self, stored: &Arc<StoredToken>) -> Token {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        match &*given {
            Some((of, token)) if Arc::ptr_eq(of, stored) => token.clone(),
            _ => {
                let generation = Generation::new(stored.generation.get());
                let token = Token::new(
                    stored.access_token.expose(),
                    generation,
                    stored.valid_until.into(),
                );
                *given = Some((Arc::clone(stored), token.clone()));
                token
            }
        }
    }

    fn why_not(&self) -> Error {
        let api = &self.api;
        if let Some(stale_for) = self.store.registry.stale_for() {
            let seconds = stale_for.as_secs();
            return Error::Unreachable {
                words: format!(
                    "there is no token of {api}, and Vega's database has not answered for {seconds} s. `vega status` says why"
                ),
            };
        }
        Error::NoToken {
            api: api.to_string(),
            code: "human_needed".to_owned(),
            words: format!("See `vega status`, and run `vega {api}` to sign in for it."),
            retry_at: None,
        }
    }

    /// What programs are told of: which token there is.
    fn told(&self) -> Option<(ids::Generation, String)> {
        let version = |hot: &HotToken| (hot.token().generation, hot.version().to_owned());
        self.store.registry.read(&self.api, version)
    }
}

#[async_trait]
impl TokenSource for LocalSource {
    async fn current(&self, min_valid: Duration) -> Result<Token, Error> {
        self.0.look(min_valid)
    }

    fn changes(&self) -> Changes {
        let source = Arc::clone(&self.0);
        let (changes, ended) = (source.store.registry.subscribe(), source.store.ended());
        let told: Option<Option<(ids::Generation, String)>> = None;
        Changes::new(stream::unfold(
            (source, changes, ended, told),
            async |(source, mut changes, mut ended, last)| {
                loop {
                    // Before the look, so that no change falls between the two.
                    changes.borrow_and_update();
                    let has_ended = *ended.borrow_and_update();
                    let told = Some(source.told().filter(|_| !has_ended));
                    if told != last {
                        let generation = told.as_ref().and_then(Option::as_ref);
                        let generation = generation.map(|(generation, _)| Generation::new(generation.get()));
                        return Some((generation, (source, changes, ended, told)));
                    }
                    if has_ended {
                        return None;
                    }
                    tokio::select! {
                        told = changes.changed() => told.ok()?,
                        told = ended.changed() => told.ok()?,
                    }
                }
            },
        ))
    }

    async fn report_rejected(&self, generation: Generation) -> Result<Verdict, Error> {
        if self.0.store.has_ended() {
            return Err(Error::Ended);
        }
        let api = self.0.api.clone();
        let unknown = || Error::Unexpected {
            words: format!("{generation} is no generation of {api}: it begins with 1"),
        };
        let reported = ids::Generation::new(generation.get()).map_err(|_| unknown())?;
        let (reports, follower) = (
            Arc::clone(&self.0.store.reports),
            Arc::clone(&self.0.store.follower),
        );
        let name = api.clone();
        // It is carried out whether or not the caller waits for it.
        let reporting = self.0.store.runtime.spawn(async move {
            let verdict = reports.report(&name, reported).await?;
            if verdict == Verdict::Newer {
                let caught_up = follower.catch_up().await;
                caught_up.map_err(|error| Error::Unreachable {
                    words: error.to_string(),
                })?;
            }
            Ok(verdict)
        });
        reporting.await.unwrap_or(Err(Error::Ended))
    }
}

impl fmt::Debug for LocalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalSource").field(&self.0.api).finish()
    }
}
