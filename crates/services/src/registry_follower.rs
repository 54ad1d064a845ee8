//! Keeps the hot registry in step with the database, whichever process changes it, and with the clock, however it is set. While
//! the database does not answer, proven tokens stay; tokens that expire are removed in any case.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use vega_domain::accounts::Accounts;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::ApiName;
use vega_domain::ports::{Clock, LoadedToken, StoreError, TokenChanges, UpstoxTokenRepository};
use vega_domain::token::StoredToken;

use crate::backoff::until_caught_up;
use crate::hot_token_registry::{HotTokenRegistry, Reconciled};

const LOOK_AT_CLOCK: Duration = Duration::from_millis(250);

/// How long a database is left alone that did not take a token back, at first and in the end.
const PUT_BACK_AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Which of the stored tokens are for the readers of a registry.
#[derive(Debug, Clone)]
pub enum RegistryScope {
    /// Those of the apps and persons that are configured.
    Configured(Accounts),
    /// All, for a program that knows no configuration.
    Everything,
}

/// Follows the stored tokens and the clock.
pub struct RegistryFollower {
    registry: Arc<HotTokenRegistry>,
    scope: RegistryScope,
    tokens: Arc<dyn UpstoxTokenRepository>,
    changes: Arc<dyn TokenChanges>,
    clock: Arc<dyn Clock>,
    /// How many losses were seen to.
    losses: AtomicU64,
    /// Served here, lost with a database server, and not put back yet.
    lost: Mutex<Vec<Arc<StoredToken>>>,
    found_lost: Notify,
}

impl RegistryFollower {
    /// `clock` is the registry's. `changes` must belong to this follower alone.
    pub fn new(
        registry: Arc<HotTokenRegistry>,
        scope: RegistryScope,
        tokens: Arc<dyn UpstoxTokenRepository>,
        changes: Arc<dyn TokenChanges>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            registry,
            scope,
            tokens,
            changes,
            clock,
            losses: AtomicU64::default(),
            lost: Mutex::default(),
            found_lost: Notify::new(),
        }
    }

    /// Makes the registry what the database is now. One token that does not open concerns its own API only, which then
    /// has none.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let caught_up = self.compare().await;
        match caught_up {
            Ok(()) => self.registry.staleness().ends(),
            Err(_) => self.registry.staleness().begins(began),
        }
        caught_up
    }

    async fn compare(&self) -> Result<(), StoreError> {
        loop {
            let mark = self.registry.mark();
            let losses = self.changes.losses();
            let stored = self.scope.of(self.tokens.load_all().await?);
            if self.changes.losses() != losses {
                // Noticed meanwhile: these may be from before it.
                continue;
            }
            if self.losses.load(Ordering::Relaxed) != losses {
                let lost = self.registry.keep_what_was_lost(&stored);
                self.lost().extend(lost);
                self.losses.store(losses, Ordering::Relaxed);
                self.found_lost.notify_one();
                continue;
            }
            if self.registry.reconcile(&mark, stored) == Reconciled::Wholly {
                return Ok(());
            }
        }
    }

    fn lost(&self) -> MutexGuard<'_, Vec<Arc<StoredToken>>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts back what is served here and was lost with a database server, as soon as the database takes it.
    async fn put_back_what_was_lost(&self) -> Infallible {
        let (at_first, in_the_end) = PUT_BACK_AGAIN;
        loop {
            let mut pause = at_first;
            while let Err((api, error)) = self.put_back().await {
                if pause == at_first {
                    tracing::error!(%api, "a token that was lost with a database server is served here and cannot be put back yet: {error}");
                }
                sleep(pause).await;
                pause = (pause * 2).min(in_the_end);
            }
            self.found_lost.notified().await;
        }
    }

    /// Those of them that are still served. Fails with the first one that the database did not take, when all were tried.
    async fn put_back(&self) -> Result<(), (ApiName, StoreError)> {
        let lost = self.lost().clone();
        let mut refused = None;
        for token in lost {
            let served = self.registry.get(&token.api);
            let is_served =
                served.is_some_and(|served| served.access_token.expose() == token.access_token.expose());
            if is_served && let Err(error) = self.changes.put_back(&token, &self.entry_of(&token)).await {
                refused.get_or_insert((token.api.clone(), error));
                continue;
            }
            // Once: it may have been lost for a second time meanwhile.
            let mut left = self.lost();
            if let Some(place) = left.iter().position(|kept| Arc::ptr_eq(kept, &token)) {
                left.swap_remove(place);
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn entry_of(&self, token: &StoredToken) -> AuditEntry {
        let words = format!(
            "generation {}, put back after the last commits were lost",
            token.generation
        );
        AuditEntry {
            account: Some(token.account.clone()),
            api: Some(token.api.clone()),
            ..AuditEntry::new(self.clock.now(), AuditKind::TokenStored, words)
        }
    }

    /// Keeps the registry in step for as long as it is polled. Dropping it is safe at any time.
    pub async fn follow(&self) -> Infallible {
        let set_back = Notify::new();
        // Beside each other: a database that keeps one waiting must not hold up the clock.
        tokio::select! {
            // In this order: what happens does not depend on chance.
            biased;
            never = self.watch_clock(&set_back) => never,
            never = self.watch_database(&set_back) => never,
            never = self.put_back_what_was_lost() => never,
        }
    }

    async fn watch_clock(&self, set_back: &Notify) -> Infallible {
        let mut look = interval(LOOK_AT_CLOCK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = self.clock.now();
        loop {
            look.tick().await;
            let now = self.clock.now();
            self.registry.expire();
            if now < last {
                // What seemed dead may be alive.
                set_back.notify_one();
            }
            last = now;
        }
    }

    async fn watch_database(&self, set_back: &Notify) -> Infallible {
        let mut published = self.registry.subscribe();
        let mut changed = self.changes.changed();
        loop {
            tokio::select! {
                biased;
                () = &mut changed => changed = self.changes.changed(),
                // A commit of this process came first, but another one may have changed the same token since.
                _ = published.changed() => {}
                () = set_back.notified() => {}
            }
            until_caught_up("the tokens", || self.catch_up()).await;
        }
    }
}

impl RegistryScope {
    fn of(&self, stored: Vec<LoadedToken>) -> Vec<StoredToken> {
        let stored = stored.into_iter().flatten();
        stored.filter(|token| self.fits(token)).collect()
    }

    /// Whether readers may have this token, if it is alive.
    pub(crate) fn fits(&self, token: &StoredToken) -> bool {
        match self {
            Self::Everything => true,
            Self::Configured(accounts) => accounts.fit(token),
        }
    }

    /// Whether tokens are kept under this name.
    pub(crate) fn includes(&self, name: &ApiName) -> bool {
        match self {
            Self::Everything => true,
            Self::Configured(accounts) => accounts.include(name),
        }
    }
}
