//! Access keys, console links and console sessions in SQLite. Only hashes of their secrets are stored. Expired links and
//! sessions are deleted when the next one is added; keys are kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;
use vega_domain::access::{ConsoleLink, ConsoleSession, SecretHash};
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccessKeyId, SessionId};
use vega_domain::ports::{AccessKeys, ConsoleSessions, StoreError, StoredKey, UnfitKey};

use crate::audit::latest_changes::Whose;
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Write;
use crate::integrity::row_values;
use crate::repositories::access_keys;
use crate::repositories::audit_trail;
use crate::sealing::row_values::{LINKS, SESSIONS};
use crate::sql;
use crate::sql::{FromRow, Row, record};
use crate::stored::unreadable;

/// `AccessKeys` and `ConsoleSessions` over SQLite.
#[derive(Debug, Clone)]
pub struct SqlAccessRepository(DataSource);

impl SqlAccessRepository {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl AccessKeys for SqlAccessRepository {
    async fn add_key(&self, new: &StoredKey, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.0.write().await?;
        access_keys::add(&mut tx, new).await?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed("store an access key"))
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        access_keys::load(self.0.read().await?).await
    }

    async fn unfit_keys(&self) -> Result<Vec<UnfitKey>, StoreError> {
        access_keys::unfit(self.0.read().await?).await
    }

    async fn revoke_key(&self, id: AccessKeyId, audit: &AuditEntry) -> Result<bool, StoreError> {
        const DOING: &str = "revoke an access key";
        let mut tx = self.0.write().await?;
        let revoked = access_keys::revoke(&mut tx, id, audit.at).await?;
        ended(tx, revoked, audit, DOING).await
    }

    async fn record_uses(&self, uses: &[(AccessKeyId, DateTime<Utc>)]) -> Result<(), StoreError> {
        const DOING: &str = "note when access keys were used";
        let mut tx = self.0.write().await?;
        for (id, at) in uses {
            sql::query(
                "UPDATE access_keys SET last_used_at = $2
                 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
            )
            .bind(id.as_uuid())
            .bind(at)
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        }
        tx.commit().await.map_err(failed(DOING))
    }
}

#[async_trait]
impl ConsoleSessions for SqlAccessRepository {
    async fn put_link(
        &self,
        link: &ConsoleLink,
        hash: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        const DOING: &str = "store a link into the console";
        let mut tx = self.0.write().await?;
        for other in row_values::all(&mut tx, &LINKS).await? {
            let (made_at, code) = link_of(&other).map_err(failed(DOING))?;
            if !(ConsoleLink { made_at }).is_live(link.made_at) {
                forget_link(&mut tx, &code).await?;
            }
        }
        let put: i64 = sql::query_scalar(
            "INSERT INTO console_links (code_hash, made_at) VALUES ($1, $2) RETURNING rowid",
        )
        .bind(&hash.as_bytes()[..])
        .bind(link.made_at)
        .fetch_one(&mut tx)
        .await
        .map_err(failed(DOING))?;
        let whose = Whose::Link(hash.as_bytes());
        tx.seal_and_mark(&LINKS, put, whose).await?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn redeem_link(
        &self,
        link: &SecretHash,
        session: &ConsoleSession,
        secret: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        const DOING: &str = "open a console session";
        let mut tx = self.0.write().await?;
        let stored = sql::query("SELECT * FROM console_links WHERE code_hash = $1")
            .bind(&link.as_bytes()[..])
            .fetch_optional(&mut tx)
            .await
            .map_err(failed(DOING))?;
        let Some(stored) = stored else {
            return Ok(false);
        };
        let fits = tx.fits(&LINKS, &stored, Whose::Link(link.as_bytes()))?;
        let (made_at, code) = link_of(&stored).map_err(failed(DOING))?;
        // Gone with the first look, also where it is too old.
        forget_link(&mut tx, &code).await?;
        if fits.is_err() || !(ConsoleLink { made_at }).is_live(session.opened_at) {
            tx.commit().await.map_err(failed(DOING))?;
            return Ok(false);
        }
        forget_dead_sessions(&mut tx, session.opened_at).await?;
        let opened: i64 = sql::query_scalar(
            "INSERT INTO console_sessions (id, secret_hash, opened_at, last_seen_at) VALUES ($1, $2, $3, $4) RETURNING rowid",
        )
        .bind(session.id.as_uuid())
        .bind(&secret.as_bytes()[..])
        .bind(session.opened_at)
        .bind(session.last_seen_at)
        .fetch_one(&mut tx)
        .await
        .map_err(failed(DOING))?;
        let whose = Whose::Session(session.id.as_uuid());
        tx.seal_and_mark(&SESSIONS, opened, whose).await?;
        audit_trail::insert(&mut tx, audit).await?;
        tx.commit().await.map_err(failed(DOING))?;
        Ok(true)
    }

    async fn session(&self, secret: &SecretHash) -> Result<Option<ConsoleSession>, StoreError> {
        let mut reading = self.0.read().await?;
        let row = sql::query("SELECT * FROM console_sessions WHERE secret_hash = $1")
            .bind(&secret.as_bytes()[..])
            .fetch_optional(&mut reading)
            .await
            .map_err(failed("read a console session"))?;
        let Some(row) = row else { return Ok(None) };
        let session = SessionRow::from_row(&row).map_err(unreadable)?.into_session();
        let whose = Whose::Session(session.id.as_uuid());
        match reading.judge.fits(&SESSIONS, &row, whose, "a console session") {
            Ok(()) => Ok(Some(session)),
            Err(error) => {
                tracing::error!(%error, "a console session counts no more");
                Ok(None)
            }
        }
    }

    async fn touch_session(&self, id: SessionId, at: DateTime<Utc>) -> Result<(), StoreError> {
        const DOING: &str = "note that a console session is used";
        let mut tx = self.0.write().await?;
        let stored = sql::query("SELECT rowid AS number, * FROM console_sessions WHERE id = $1")
            .bind(id.as_uuid())
            .fetch_optional(&mut tx)
            .await
            .map_err(failed(DOING))?;
        // One that was changed outside Vega stays so.
        let Some(stored) = stored else { return Ok(()) };
        if tx
            .fits(&SESSIONS, &stored, Whose::Session(id.as_uuid()))?
            .is_err()
        {
            return Ok(());
        }
        let (number, entry) = number_and_entry(&stored).map_err(failed(DOING))?;
        sql::query("UPDATE console_sessions SET last_seen_at = $2 WHERE id = $1")
            .bind(id.as_uuid())
            .bind(at)
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        // An earlier touch that is put back only ends the session sooner.
        tx.seal_as_of(&SESSIONS, number, entry).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn end_session(&self, id: SessionId, audit: &AuditEntry) -> Result<bool, StoreError> {
        const DOING: &str = "end a console session";
        let mut tx = self.0.write().await?;
        let removed = sql::query("DELETE FROM console_sessions WHERE id = $1")
            .bind(id.as_uuid())
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        // A session whose row was removed outside Vega must not return when the row does.
        let is_known = tx.marks()?.clear(Whose::Session(id.as_uuid()));
        ended(tx, is_known || removed > 0, audit, DOING).await
    }
}

/// Commits a change that ended something, with `audit`; where there was nothing to end, nothing is written.
async fn ended(
    mut tx: Write,
    is_ended: bool,
    audit: &AuditEntry,
    doing: &'static str,
) -> Result<bool, StoreError> {
    if !is_ended {
        return Ok(false);
    }
    audit_trail::insert(&mut tx, audit).await?;
    tx.commit().await.map_err(failed(doing))?;
    Ok(true)
}

async fn forget_dead_sessions(tx: &mut Write, now: DateTime<Utc>) -> Result<(), StoreError> {
    const DOING: &str = "forget dead console sessions";
    let rows: Vec<SessionRow> = sql::query_as("SELECT id, opened_at, last_seen_at FROM console_sessions")
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))?;
    for session in rows.into_iter().map(SessionRow::into_session) {
        if !session.is_live(now) {
            sql::query("DELETE FROM console_sessions WHERE id = $1")
                .bind(session.id.as_uuid())
                .execute(tx)
                .await
                .map_err(failed(DOING))?;
            tx.marks()?.clear(Whose::Session(session.id.as_uuid()));
        }
    }
    Ok(())
}

async fn forget_link(tx: &mut Write, code: &[u8]) -> Result<(), StoreError> {
    sql::query("DELETE FROM console_links WHERE code_hash = $1")
        .bind(code)
        .execute(tx)
        .await
        .map_err(failed("forget a link into the console"))?;
    tx.marks()?.clear(Whose::Link(code));
    Ok(())
}

fn link_of(row: &Row) -> Result<(DateTime<Utc>, Vec<u8>), sqlx::Error> {
    Ok((row.try_get("made_at")?, row.try_get("code_hash")?))
}

fn number_and_entry(row: &Row) -> Result<(i64, i64), sqlx::Error> {
    Ok((row.try_get("number")?, row.try_get("row_entry")?))
}

record! {
    struct SessionRow {
        id: Uuid,
        opened_at: DateTime<Utc>,
        last_seen_at: DateTime<Utc>,
    }
}

impl SessionRow {
    fn into_session(self) -> ConsoleSession {
        ConsoleSession {
            id: SessionId::from_uuid(self.id),
            opened_at: self.opened_at,
            last_seen_at: self.last_seen_at,
        }
    }
}
