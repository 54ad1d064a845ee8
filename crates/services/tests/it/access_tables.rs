//! Access keys and console sessions in memory, with the contract of their port, news of changes, and a database that can be
//! told not to answer.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use vega_domain::access::{ConsoleLink, ConsoleSession, SecretHash};
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccessKeyId, SessionId};
use vega_domain::ports::{AccessKeys, ConsoleSessions, StoreError, StoredKey, TokenChanges, UnfitKey};

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) keys: Vec<StoredKey>,
    pub(crate) links: Vec<(SecretHash, ConsoleLink)>,
    pub(crate) sessions: Vec<(SecretHash, ConsoleSession)>,
    pub(crate) audit: Vec<AuditEntry>,
    /// How often something was written without an entry: uses and touches.
    pub(crate) notes: usize,
    pub(crate) fails: bool,
}

#[derive(Default)]
pub(crate) struct AccessTables {
    tables: Mutex<Tables>,
    told: Notify,
}

impl AccessTables {
    pub(crate) fn look(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    /// Another process commits.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Tables)) {
        change(&mut self.look());
        self.told.notify_one();
    }

    fn open(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        let tables = self.look();
        if tables.fails {
            return Err(StoreError::Unreadable("the disk is gone".into()));
        }
        Ok(tables)
    }

    fn write(&self, audit: &AuditEntry) -> Result<MutexGuard<'_, Tables>, StoreError> {
        let mut tables = self.open()?;
        tables.audit.push(audit.clone());
        self.told.notify_one();
        Ok(tables)
    }
}

#[async_trait]
impl TokenChanges for AccessTables {
    async fn changed(&self) {
        self.told.notified().await;
    }
}

#[async_trait]
impl AccessKeys for AccessTables {
    async fn add_key(&self, new: &StoredKey, audit: &AuditEntry) -> Result<(), StoreError> {
        let (name, now) = (&new.key.name, new.key.created_at);
        let mut of_name = self
            .open()?
            .keys
            .clone()
            .into_iter()
            .filter(|stored| stored.key.name == *name);
        if of_name.any(|stored| stored.key.is_live(now)) {
            return Err(StoreError::Conflict("taken".into()));
        }
        self.write(audit)?.keys.push(new.clone());
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.open()?.keys.clone())
    }

    async fn unfit_keys(&self) -> Result<Vec<UnfitKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn revoke_key(&self, id: AccessKeyId, audit: &AuditEntry) -> Result<bool, StoreError> {
        let is_there = |stored: &&mut StoredKey| stored.key.id == id && stored.key.revoked_at.is_none();
        if self.open()?.keys.iter_mut().find(is_there).is_none() {
            return Ok(false);
        }
        let mut tables = self.write(audit)?;
        let key = tables.keys.iter_mut().find(is_there).unwrap();
        key.key.revoked_at = Some(audit.at);
        Ok(true)
    }

    async fn record_uses(&self, uses: &[(AccessKeyId, DateTime<Utc>)]) -> Result<(), StoreError> {
        let mut tables = self.open()?;
        tables.notes += 1;
        for stored in &mut tables.keys {
            if let Some((_, at)) = uses.iter().find(|(id, _)| *id == stored.key.id) {
                stored.key.last_used_at = stored.key.last_used_at.max(Some(*at));
            }
        }
        self.told.notify_one();
        Ok(())
    }
}

#[async_trait]
impl ConsoleSessions for AccessTables {
    async fn put_link(
        &self,
        link: &ConsoleLink,
        hash: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.write(audit)?.links.push((*hash, *link));
        Ok(())
    }

    async fn redeem_link(
        &self,
        link: &SecretHash,
        session: &ConsoleSession,
        secret: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let found = {
            let mut tables = self.open()?;
            let place = tables.links.iter().position(|(hash, _)| hash == link);
            place.map(|place| tables.links.remove(place).1)
        };
        if !found.is_some_and(|link| link.is_live(session.opened_at)) {
            return Ok(false);
        }
        self.write(audit)?.sessions.push((*secret, session.clone()));
        Ok(true)
    }

    async fn session(&self, secret: &SecretHash) -> Result<Option<ConsoleSession>, StoreError> {
        let tables = self.open()?;
        let mut sessions = tables.sessions.iter();
        let found = sessions.find(|(hash, _)| hash == secret);
        Ok(found.map(|(_, session)| session.clone()))
    }

    async fn touch_session(&self, id: SessionId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut tables = self.open()?;
        tables.notes += 1;
        let mut sessions = tables.sessions.iter_mut();
        if let Some((_, session)) = sessions.find(|(_, session)| session.id == id) {
            session.last_seen_at = at;
        }
        Ok(())
    }

    async fn end_session(&self, id: SessionId, audit: &AuditEntry) -> Result<bool, StoreError> {
        let is_there = self.open()?.sessions.iter().any(|(_, session)| session.id == id);
        if is_there {
            self.write(audit)?
                .sessions
                .retain(|(_, session)| session.id != id);
        }
        Ok(is_there)
    }
}
