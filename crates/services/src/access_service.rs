//! Who may call the server: makes, knows and revokes access keys, makes links into the console, opens and ends console
//! sessions. Keys are looked up in memory, which follows the database whichever process changes it; sessions in the
//! database. What a key or a session may do is asked of them by whoever serves the call.

mod keyring;
mod secrets;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use vega_domain::access::{AccessKey, ConsoleLink, ConsoleSession, Scope};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry::in_ist;
use vega_domain::ids::{AccessKeyId, KeyName, SessionId};
use vega_domain::ports::{AccessKeys, Clock, ConsoleSessions, StoreError, StoredKey, TokenChanges, UnfitKey};
use vega_domain::secret::{KeySecret, LinkCode, SessionSecret};

use self::keyring::Keyring;
use self::secrets::{hash_of, random_key, random_link, random_session};
use crate::backoff::until_caught_up;

/// How often it is looked for uses of keys that are to be stored.
const LOOK_AT_USES: Duration = Duration::from_secs(1);

/// A session's last call is stored to this.
const SEEN_WITHIN: TimeDelta = TimeDelta::seconds(30);

/// Why an access key was not made.
#[derive(Debug, Error)]
pub enum AccessError {
    /// Another living key has the name.
    #[error(
        "there is a living key named {0} already. Take another name, or revoke that one with `vega key revoke {0}`"
    )]
    NameTaken(KeyName),
    /// It could do nothing.
    #[error("a key without a scope may do nothing. Name at least one scope")]
    NoScope,
    /// It would be worthless at once.
    #[error("the key would expire before it is made. Give it an end that is to come")]
    ExpiresAtOnce,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who may call.
pub struct AccessService {
    keys: Arc<dyn AccessKeys>,
    sessions: Arc<dyn ConsoleSessions>,
    changes: Arc<dyn TokenChanges>,
    clock: Arc<dyn Clock>,
    keyring: Keyring,
    /// What is stored and what is in memory change together, one after the other. Whoever looks up takes no part in this.
    changing: Mutex<()>,
}

impl AccessService {
    /// Without any key in memory; `catch_up` reads them. `changes` must belong to this service alone.
    pub fn new(
        keys: Arc<dyn AccessKeys>,
        sessions: Arc<dyn ConsoleSessions>,
        changes: Arc<dyn TokenChanges>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            keys,
            sessions,
            changes,
            clock,
            keyring: Keyring::default(),
            changing: Mutex::default(),
        }
    }

    /// Makes a key. Its text is returned this once and is nowhere kept. It counts at once in this process, and in others as
    /// soon as they follow.
    pub async fn add_key(
        &self,
        name: KeyName,
        mut scopes: Vec<Scope>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(AccessKey, KeySecret), AccessError> {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(AccessError::NoScope);
        }
        let now = self.clock.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(AccessError::ExpiresAtOnce);
        }
        let key = AccessKey {
            id: AccessKeyId::at(now),
            name,
            scopes,
            created_at: now,
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        let secret = random_key();
        let new = StoredKey {
            key: key.clone(),
            hash: hash_of(secret.expose()),
        };
        let audit = AuditEntry::new(now, AuditKind::KeyAdded, words_of_new(&key));
        let _alone = self.changing.lock().await;
        match self.keys.add_key(&new, &audit).await {
            Err(StoreError::Conflict(_)) => return Err(AccessError::NameTaken(key.name)),
            stored => stored?,
        }
        self.keyring.add(new);
        Ok((key, secret))
    }

    /// Every key, also revoked and expired ones, oldest first.
    pub async fn keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        let stored = self.keys.keys().await?;
        Ok(stored
            .into_iter()
            .map(|StoredKey { mut key, .. }| {
                key.last_used_at = key.last_used_at.max(self.keyring.last_use(key.id));
                key
            })
            .collect())
    }

    /// The keys that are on record and count no more, because somebody changed or took away their records.
    pub async fn unfit_keys(&self) -> Result<Vec<UnfitKey>, StoreError> {
        self.keys.unfit_keys().await
    }

    /// Makes a key worthless: at once in this process, in others as soon as they follow. Returns whether there was one that
    /// was not revoked yet. One of `unfit_keys` is revoked too: it stays worthless also when its record comes back.
    pub async fn revoke_key(&self, id: AccessKeyId) -> Result<bool, StoreError> {
        let _alone = self.changing.lock().await;
        let stored = self.keys.keys().await?;
        let name = if let Some(stored) = stored.into_iter().find(|stored| stored.key.id == id) {
            stored.key.name.to_string()
        } else {
            let unfit = self.keys.unfit_keys().await?;
            let names = unfit.into_iter().find(|key| key.id == id).map(|key| key.names);
            names.unwrap_or_default().join(" or ")
        };
        let words = format!("{name} ({id})");
        let audit = AuditEntry::new(self.clock.now(), AuditKind::KeyRevoked, words.trim_start());
        let is_revoked = self.keys.revoke_key(id, &audit).await?;
        self.keyring.remove(id);
        Ok(is_revoked)
    }

    /// The key that is presented, if it counts now. Answers from memory, waits for nobody, and notes the use.
    pub fn key(&self, presented: &str) -> Option<Arc<AccessKey>> {
        self.keyring.show(&hash_of(presented), self.clock.now())
    }

    /// Whether this key counts now. Asking does not use it.
    pub fn key_counts(&self, id: AccessKeyId) -> bool {
        self.keyring.counts(id, self.clock.now())
    }

    /// Reads the stored keys into memory.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let _alone = self.changing.lock().await;
        self.keyring.replace(self.keys.keys().await?);
        Ok(())
    }

    /// Keeps the keys in memory in step with the stored ones, and stores when they were used, for as long as it is polled. A
    /// database that does not answer takes no key away. Dropping it is safe at any time.
    pub async fn follow(&self) -> Infallible {
        tokio::select! {
            never = self.watch_database() => never,
            never = self.watch_uses() => never,
        }
    }

    /// Makes a link into the console.
    pub async fn make_link(&self) -> Result<LinkCode, StoreError> {
        let now = self.clock.now();
        let code = random_link();
        let audit = AuditEntry::new(now, AuditKind::ConsoleLinkMade, "");
        let link = ConsoleLink { made_at: now };
        self.sessions
            .put_link(&link, &hash_of(code.expose()), &audit)
            .await?;
        Ok(code)
    }

    /// Opens a session by a link's code. `None`: the code is unknown, too old, or was used.
    pub async fn open_session(&self, code: &str) -> Result<Option<SessionSecret>, StoreError> {
        let now = self.clock.now();
        let session = ConsoleSession {
            id: SessionId::at(now),
            opened_at: now,
            last_seen_at: now,
        };
        let secret = random_session();
        let words = format!("session {}", session.id);
        let audit = AuditEntry::new(now, AuditKind::ConsoleSessionOpened, words);
        let (code, hash) = (hash_of(code), hash_of(secret.expose()));
        let is_open = self.sessions.redeem_link(&code, &session, &hash, &audit).await?;
        Ok(is_open.then_some(secret))
    }

    /// The session whose secret is presented, if it counts now. That alone is no use of it: a page that nobody touches asks too.
    pub async fn unused_session(&self, presented: &str) -> Result<Option<ConsoleSession>, StoreError> {
        let found = self.sessions.session(&hash_of(presented)).await?;
        Ok(found.filter(|session| session.is_live(self.clock.now())))
    }

    /// The session whose secret is presented, if it counts now. It then counts as used.
    pub async fn session(&self, presented: &str) -> Result<Option<ConsoleSession>, StoreError> {
        let Some(mut session) = self.unused_session(presented).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        if (now - session.last_seen_at).abs() >= SEEN_WITHIN {
            match self.sessions.touch_session(session.id, now).await {
                Ok(()) => session.last_seen_at = now,
                // A full disk must not lock the operator out.
                Err(error) => tracing::warn!(%error, "that the console is used is not on record"),
            }
        }
        Ok(Some(session))
    }

    /// Whether this session counts now. Asking does not use it. A database that does not answer takes it from nobody.
    pub async fn session_counts(&self, secret: &SessionSecret) -> bool {
        match self.unused_session(secret.expose()).await {
            Ok(found) => found.is_some(),
            Err(error) => {
                tracing::warn!(%error, "whether a console session counts could not be read");
                true
            }
        }
    }

    /// Ends the session whose secret is presented, if there is one.
    pub async fn end_session(&self, presented: &str) -> Result<(), StoreError> {
        let Some(session) = self.sessions.session(&hash_of(presented)).await? else {
            return Ok(());
        };
        let words = format!("session {}", session.id);
        let audit = AuditEntry::new(self.clock.now(), AuditKind::ConsoleSessionEnded, words);
        self.sessions.end_session(session.id, &audit).await.map(drop)
    }

    async fn watch_database(&self) -> Infallible {
        loop {
            self.changes.changed().await;
            until_caught_up("the access keys", || self.catch_up()).await;
        }
    }

    async fn watch_uses(&self) -> Infallible {
        let mut look = interval(LOOK_AT_USES);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let uses = self.keyring.unstored_uses(self.clock.now());
            if uses.is_empty() {
                continue;
            }
            match self.keys.record_uses(&uses).await {
                Ok(()) => self.keyring.uses_are_stored(&uses),
                Err(error) => tracing::warn!(%error, "when access keys were used is not on record yet"),
            }
        }
    }
}

fn words_of_new(key: &AccessKey) -> String {
    let scopes: Vec<String> = key.scopes.iter().map(Scope::to_string).collect();
    let end = match key.expires_at {
        Some(end) => format!("until {} IST", in_ist(end).format("%Y-%m-%d %H:%M:%S")),
        None => "without an end".into(),
    };
    format!("{} ({}): {}, {end}", key.name, key.id, scopes.join(","))
}
