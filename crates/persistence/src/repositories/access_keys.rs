//! Rows of access keys. A key's hash is sealed together with its name, scopes and times, so a row that was added or changed
//! outside Vega does not open; a row from before the key's revocation is not the latest one. Neither grants anything.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use vega_domain::access::{AccessKey, Scope, SecretHash};
use vega_domain::audit::AuditKind;
use vega_domain::ids::{AccessKeyId, KeyName};
use vega_domain::ports::{StoreError, StoredKey, UnfitKey};

use crate::audit::latest_changes::Whose;
use crate::database::causes::failed;
use crate::database::write::{Reading, Write};
use crate::integrity::row_marks;
use crate::integrity::sealed_values::{KEY_HASHES, SealedValue};
use crate::sealing::row_values::KEYS;
use crate::sealing::seal::Sealer;
use crate::sql;
use crate::sql::{FromRow, Row, Session};
use crate::stored::unreadable;

/// Every key, oldest first. Keys that do not open, or are not the latest version that Vega wrote, are reported and left
/// out.
pub(crate) async fn load(mut reading: Reading) -> Result<Vec<StoredKey>, StoreError> {
    if let Err(mistrust) = &reading.judge.marks {
        tracing::debug!("no access key counts: {mistrust}");
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    for stored in rows(&mut reading, "ORDER BY id").await? {
        match counting(&reading, &stored) {
            Ok(key) => keys.push(key),
            Err(error) => tracing::error!(%error, "an access key counts no more"),
        }
    }
    Ok(keys)
}

fn counting(reading: &Reading, stored: &Row) -> Result<StoredKey, StoreError> {
    let row = KeyRow::from_row(stored).map_err(unreadable)?;
    reading.judge.fits(
        &KEYS,
        stored,
        Whose::Key(row.id),
        row_marks::called(&KEYS, stored),
    )?;
    row.into_key(&reading.sealer)
}

/// The keys that are not accepted because their rows do not fit or are missing.
pub(crate) async fn unfit(mut reading: Reading) -> Result<Vec<UnfitKey>, StoreError> {
    let Ok(marks) = reading.judge.marks.clone() else {
        return Ok(Vec::new());
    };
    let mut gone: BTreeSet<Uuid> = marks
        .all_of("key")
        .filter_map(|(id, _)| Uuid::parse_str(id).ok())
        .collect();
    let mut unfit = Vec::new();
    for stored in rows(&mut reading, "ORDER BY id").await? {
        // Where the id was edited, the one that it had is missing.
        let Ok(id) = stored.try_get::<Uuid>("id") else {
            continue;
        };
        gone.remove(&id);
        if counting(&reading, &stored).is_err() {
            let name = stored.try_get("name").ok();
            unfit.push((id, name));
        }
    }
    unfit.extend(gone.into_iter().map(|id| (id, None)));
    let mut keys = Vec::with_capacity(unfit.len());
    for (id, name) in unfit {
        let mut names = names_on_record(&mut reading, id).await?;
        names.extend(name.filter(|name| !names.contains(name)));
        let id = AccessKeyId::from_uuid(id);
        keys.push(UnfitKey { id, names });
    }
    Ok(keys)
}

/// What a key was called when it was made.
async fn names_on_record(connection: &mut Session, id: Uuid) -> Result<Vec<String>, StoreError> {
    let details: Vec<String> =
        sql::query_scalar("SELECT detail FROM audit_events WHERE kind = $1 AND instr(detail, $2) > 0")
            .bind(AuditKind::KeyAdded.code())
            .bind(format!(" ({id})"))
            .fetch_all(connection)
            .await
            .map_err(failed("look for the name of an access key"))?;
    let names = details.iter().filter_map(|detail| detail.split_once(" ("));
    Ok(names.map(|(name, _)| name.to_owned()).collect())
}

/// Stores a new key, unless a key in force has its name.
pub(crate) async fn add(tx: &mut Write, new: &StoredKey) -> Result<(), StoreError> {
    let key = &new.key;
    for stored in rows(tx, "").await? {
        // One that cannot be read counts for nothing, and bars no other.
        let Ok(row) = KeyRow::from_row(&stored) else {
            continue;
        };
        let fits = tx.fits(&KEYS, &stored, Whose::Key(row.id))?.is_ok();
        if !fits || row.name != key.name.as_str() {
            continue;
        }
        if row
            .into_key(&tx.sealer)
            .is_ok_and(|other| other.key.is_live(key.created_at))
        {
            return Err(StoreError::Conflict(format!(
                "there is a living key {} already",
                key.name
            )));
        }
    }
    let scopes: Vec<String> = key.scopes.iter().map(Scope::to_string).collect();
    let added: i64 = sql::query_scalar(
        "INSERT INTO access_keys (id, name, sealed_hash, scopes, created_at, expires_at, last_used_at, revoked_at)
         VALUES ($1, $2, $8, $3, $4, $5, $6, $7) RETURNING rowid",
    )
    .bind(key.id.as_uuid())
    .bind(key.name.as_str())
    .bind(scopes.join(","))
    .bind(key.created_at)
    .bind(key.expires_at)
    .bind(key.last_used_at)
    .bind(key.revoked_at)
    // Sealed below, when the row has its number.
    .bind(Vec::new())
    .fetch_one(tx)
    .await
    .map_err(failed("store an access key"))?;
    seal(tx, key.id, new.hash).await?;
    tx.seal_and_mark(&KEYS, added, Whose::Key(key.id.as_uuid())).await
}

/// Revokes a key. Returns whether there was one in force. A key whose row does not fit, or is missing, is revoked too:
/// its former row is then an earlier version.
pub(crate) async fn revoke(tx: &mut Write, id: AccessKeyId, at: DateTime<Utc>) -> Result<bool, StoreError> {
    let whose = Whose::Key(id.as_uuid());
    let is_known = tx.marks()?.get(whose).is_some();
    let Some(stored) = row(tx, id).await? else {
        // Without a mark nothing is missing any more, and a row that is put back fits none.
        tx.marks()?.clear(whose);
        return Ok(is_known);
    };
    let row = KeyRow::from_row(&stored).map_err(unreadable);
    let fits = tx.fits(&KEYS, &stored, whose)?.is_ok();
    // Of one that does not fit nothing is believed, nor that it is revoked.
    if fits && row.as_ref().is_ok_and(|row| row.revoked_at.is_some()) {
        return Ok(false);
    }
    let opened = row.and_then(|row| Ok((row.sealed.row, row.into_key(&tx.sealer)?.hash)));
    // One that does not open, or fit, goes: without a mark it does not fit either when what it was before is put back.
    match opened {
        Ok((number, hash)) if fits => {
            sql::query("UPDATE access_keys SET revoked_at = $2 WHERE id = $1")
                .bind(id.as_uuid())
                .bind(at)
                .execute(tx)
                .await
                .map_err(failed("revoke an access key"))?;
            seal(tx, id, hash).await?;
            tx.seal_and_mark(&KEYS, number, whose).await?;
        }
        _ => {
            sql::query("DELETE FROM access_keys WHERE id = $1")
                .bind(id.as_uuid())
                .execute(tx)
                .await
                .map_err(failed("take an access key away"))?;
            tx.marks()?.clear(whose);
        }
    }
    Ok(true)
}

/// Seals a key's hash into its row as the row is now.
async fn seal(tx: &mut Write, id: AccessKeyId, hash: SecretHash) -> Result<(), StoreError> {
    let stored = row(tx, id).await?;
    let stored = stored.ok_or_else(|| unreadable("an access key is gone while it is written"))?;
    let row = KeyRow::from_row(&stored).map_err(unreadable)?;
    let envelope = tx.sealer.seal(row.sealed.place(&KEY_HASHES), hash.as_bytes())?;
    KEY_HASHES.replace(tx, row.sealed.row, envelope).await
}

async fn row(tx: &mut Session, id: AccessKeyId) -> Result<Option<Row>, StoreError> {
    let all = rows(tx, "").await?;
    let is_this = |row: &Row| row.try_get::<Uuid>("id").is_ok_and(|this| this == id.as_uuid());
    Ok(all.into_iter().find(is_this))
}

async fn rows(connection: &mut Session, order: &str) -> Result<Vec<Row>, StoreError> {
    let sealed = KEY_HASHES.columns();
    let query = format!("SELECT {sealed}, * FROM access_keys {order}");
    sql::query(AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .map_err(failed("read the access keys"))
}

struct KeyRow {
    sealed: SealedValue,
    id: Uuid,
    name: String,
    scopes: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl FromRow for KeyRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            sealed: SealedValue::from_row(row)?,
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            scopes: row.try_get("scopes")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            last_used_at: row.try_get("last_used_at")?,
            revoked_at: row.try_get("revoked_at")?,
        })
    }
}

impl KeyRow {
    fn into_key(self, sealer: &Sealer) -> Result<StoredKey, StoreError> {
        let hash = sealer.open(self.sealed.place(&KEY_HASHES), &self.sealed.envelope)?;
        let hash = <[u8; 32]>::try_from(hash.as_slice()).map_err(unreadable)?;
        let scopes = self.scopes.split(',').map(Scope::parse);
        Ok(StoredKey {
            hash: SecretHash::from_bytes(hash),
            key: AccessKey {
                id: AccessKeyId::from_uuid(self.id),
                name: KeyName::new(self.name).map_err(unreadable)?,
                scopes: scopes.collect::<Result<_, _>>().map_err(unreadable)?,
                created_at: self.created_at,
                expires_at: self.expires_at,
                last_used_at: self.last_used_at,
                revoked_at: self.revoked_at,
            },
        })
    }
}
