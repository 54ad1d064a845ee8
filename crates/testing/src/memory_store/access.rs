//! Access keys, console links and console sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::access::{ConsoleLink, ConsoleSession, SecretHash};
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccessKeyId, SessionId};
use vega_domain::ports::{AccessKeys, ConsoleSessions, StoreError, StoredKey, UnfitKey};

use super::store::{Done, MemoryStore, conflict};
use super::tables::AccessTables;

impl AccessTables {
    fn is_damaged(&self, stored: &StoredKey) -> bool {
        self.damaged_keys.contains(&stored.key.id)
    }

    fn fit_keys(&self) -> impl Iterator<Item = &StoredKey> {
        self.keys.iter().filter(|stored| !self.is_damaged(stored))
    }
}

#[async_trait]
impl AccessKeys for MemoryStore {
    async fn add_key(&self, new: &StoredKey, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit("add_key", |tables| {
            let (name, now) = (&new.key.name, new.key.created_at);
            let has_name = |stored: &StoredKey| stored.key.name == *name && stored.key.is_live(now);
            if tables.access.fit_keys().any(has_name) {
                return conflict("a living key has this name");
            }
            tables.access.keys.push(new.clone());
            Ok(Done::with((), audit))
        })
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.look("keys", |tables| {
            let mut keys: Vec<StoredKey> = tables.access.fit_keys().cloned().collect();
            keys.sort_by_key(|stored| stored.key.id);
            keys
        })
    }

    async fn unfit_keys(&self) -> Result<Vec<UnfitKey>, StoreError> {
        self.look("unfit_keys", |tables| {
            let access = &tables.access;
            let damaged = access.keys.iter().filter(|stored| access.is_damaged(stored));
            let mut unfit: Vec<UnfitKey> = damaged
                .map(|stored| UnfitKey {
                    id: stored.key.id,
                    names: vec![stored.key.name.to_string()],
                })
                .collect();
            unfit.sort_by_key(|key| key.id);
            unfit
        })
    }

    async fn revoke_key(&self, id: AccessKeyId, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.commit("revoke_key", |tables| {
            if tables.access.damaged_keys.remove(&id) {
                tables.access.keys.retain(|stored| stored.key.id != id);
                return Ok(Done::with(true, audit));
            }
            let mut keys = tables.access.keys.iter_mut();
            let living = keys.find(|stored| stored.key.id == id && stored.key.revoked_at.is_none());
            let Some(stored) = living else {
                return Ok(Done::nothing(false));
            };
            stored.key.revoked_at = Some(audit.at);
            Ok(Done::with(true, audit))
        })
    }

    async fn record_uses(&self, uses: &[(AccessKeyId, DateTime<Utc>)]) -> Result<(), StoreError> {
        self.commit("record_uses", |tables| {
            for stored in &mut tables.access.keys {
                let of_key = uses.iter().filter(|(id, _)| *id == stored.key.id);
                let latest = of_key.map(|(_, at)| *at).max();
                stored.key.last_used_at = stored.key.last_used_at.max(latest);
            }
            Ok(Done::untold(()))
        })
    }
}

#[async_trait]
impl ConsoleSessions for MemoryStore {
    async fn put_link(
        &self,
        link: &ConsoleLink,
        hash: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.commit("put_link", |tables| {
            let links = &mut tables.access.links;
            links.retain(|(_, old)| old.is_live(link.made_at));
            links.push((*hash, *link));
            Ok(Done::with((), audit))
        })
    }

    async fn redeem_link(
        &self,
        link: &SecretHash,
        session: &ConsoleSession,
        secret: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.commit("redeem_link", |tables| {
            let access = &mut tables.access;
            let Some(place) = access.links.iter().position(|(hash, _)| hash == link) else {
                return Ok(Done::nothing(false));
            };
            let (_, found) = access.links.remove(place);
            let now = session.opened_at;
            if !found.is_live(now) {
                // It is dead for good, however the clock is set.
                return Ok(Done::untold(false));
            }
            access.sessions.retain(|(_, old)| old.is_live(now));
            access.sessions.push((*secret, session.clone()));
            Ok(Done::with(true, audit))
        })
    }

    async fn session(&self, secret: &SecretHash) -> Result<Option<ConsoleSession>, StoreError> {
        self.look("session", |tables| {
            let mut sessions = tables.access.sessions.iter();
            let found = sessions.find(|(hash, _)| hash == secret);
            found.map(|(_, session)| session.clone())
        })
    }

    async fn touch_session(&self, id: SessionId, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.commit("touch_session", |tables| {
            let mut sessions = tables.access.sessions.iter_mut();
            let Some((_, session)) = sessions.find(|(_, session)| session.id == id) else {
                return Ok(Done::nothing(()));
            };
            session.last_seen_at = at;
            Ok(Done::untold(()))
        })
    }

    async fn end_session(&self, id: SessionId, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.commit("end_session", |tables| {
            let sessions = &mut tables.access.sessions;
            let before = sessions.len();
            sessions.retain(|(_, session)| session.id != id);
            Ok(if sessions.len() == before {
                Done::nothing(false)
            } else {
                Done::with(true, audit)
            })
        })
    }
}
