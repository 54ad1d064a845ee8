//! The rows of access keys. A key's hash is sealed together with its name, scopes and times: a row that was made or changed
//! outside Vega does not open, and counts no more. One that was brought back from before its revocation does not fit.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row, SqliteConnection};
use uuid::Uuid;
use vega_domain::access::{AccessKey, Scope, SecretHash};
use vega_domain::ids::{AccessKeyId, KeyName};
use vega_domain::ports::{StoreError, StoredKey};

use crate::data_source::{failed, unreadable};
use crate::latest_changes::{Mark, Whose};
use crate::row_marks;
use crate::row_values::KEYS;
use crate::seal::Sealer;
use crate::sealed_values::{KEY_HASHES, SealedValue};
use crate::write::{Reading, Write};

/// Every key, oldest first. Those that do not open, or are not what Vega wrote last, are told of and left out.
pub(crate) async fn load(mut reading: Reading, sealer: &Sealer) -> Result<Vec<StoredKey>, StoreError> {
    if let Err(doubt) = &reading.marks {
        tracing::debug!("no access key counts: {doubt}");
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    for stored in rows(&mut reading, "ORDER BY id").await? {
        let row = KeyRow::from_row(&stored).map_err(unreadable)?;
        let name = row.name.clone();
        let called = row_marks::called(&KEYS, &stored);
        let fits = reading.fits(&KEYS, &stored, Whose::Key(row.id), called);
        match fits.and_then(|()| row.into_key(sealer)) {
            Ok(key) => keys.push(key),
            Err(error) => tracing::error!(name, %error, "an access key counts no more"),
        }
    }
    Ok(keys)
}

/// Stores a new key, unless a living one has its name.
pub(crate) async fn add(tx: &mut Write, sealer: &Sealer, new: &StoredKey) -> Result<(), StoreError> {
    let key = &new.key;
    for stored in rows(tx, "").await? {
        let row = KeyRow::from_row(&stored).map_err(unreadable)?;
        let fits = tx.fits(&KEYS, &stored, Whose::Key(row.id))?.is_ok();
        if !fits || row.name != key.name.as_str() {
            continue;
        }
        if row
            .into_key(sealer)
            .is_ok_and(|other| other.key.is_live(key.created_at))
        {
            return Err(StoreError::Conflict(format!(
                "there is a living key {} already",
                key.name
            )));
        }
    }
    let scopes: Vec<String> = key.scopes.iter().map(Scope::to_string).collect();
    let added = sqlx::query(
        "INSERT INTO access_keys (id, name, sealed_hash, scopes, created_at, expires_at, last_used_at, revoked_at)
         VALUES ($1, $2, x'', $3, $4, $5, $6, $7)",
    )
    .bind(key.id.as_uuid())
    .bind(key.name.as_str())
    .bind(scopes.join(","))
    .bind(key.created_at)
    .bind(key.expires_at)
    .bind(key.last_used_at)
    .bind(key.revoked_at)
    .execute(&mut **tx)
    .await
    .map_err(failed("store an access key"))?;
    seal(tx, sealer, key.id, new.hash).await?;
    tx.seal_and_mark(&KEYS, added.last_insert_rowid(), Whose::Key(key.id.as_uuid()))
        .await
}

/// Revokes a key. Returns whether there is one that was not.
pub(crate) async fn revoke(
    tx: &mut Write,
    sealer: &Sealer,
    id: AccessKeyId,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let whose = Whose::Key(id.as_uuid());
    let Some(stored) = row(tx, id).await? else {
        return Ok(false);
    };
    let row = KeyRow::from_row(&stored).map_err(unreadable)?;
    if row.revoked_at.is_some() {
        return Ok(false);
    }
    let fits = tx.fits(&KEYS, &stored, whose)?.is_ok();
    let number = row.sealed.row;
    sqlx::query("UPDATE access_keys SET revoked_at = $2 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(at)
        .execute(&mut **tx)
        .await
        .map_err(failed("revoke an access key"))?;
    // One that did not open, or fit, stays so, also when what it was before is put back.
    match row.into_key(sealer) {
        Ok(key) if fits => {
            seal(tx, sealer, id, key.hash).await?;
            tx.seal_and_mark(&KEYS, number, whose).await?;
        }
        _ => {
            let entry = tx.entry();
            tx.marks()?.set(whose, Mark::of(entry));
        }
    }
    Ok(true)
}

/// Seals a key's hash into its row as the row is now.
async fn seal(
    tx: &mut SqliteConnection,
    sealer: &Sealer,
    id: AccessKeyId,
    hash: SecretHash,
) -> Result<(), StoreError> {
    let stored = row(tx, id).await?;
    let stored = stored.ok_or_else(|| unreadable("an access key is gone while it is written"))?;
    let row = KeyRow::from_row(&stored).map_err(unreadable)?;
    let envelope = sealer.seal(row.sealed.place(&KEY_HASHES), hash.as_bytes())?;
    KEY_HASHES.replace(tx, row.sealed.row, envelope).await
}

async fn row(tx: &mut SqliteConnection, id: AccessKeyId) -> Result<Option<SqliteRow>, StoreError> {
    let all = rows(tx, "").await?;
    let is_this = |row: &SqliteRow| {
        row.try_get::<Uuid, _>("id")
            .is_ok_and(|this| this == id.as_uuid())
    };
    Ok(all.into_iter().find(is_this))
}

async fn rows(connection: &mut SqliteConnection, order: &str) -> Result<Vec<SqliteRow>, StoreError> {
    let sealed = KEY_HASHES.columns();
    let query = format!("SELECT {sealed}, * FROM access_keys {order}");
    sqlx::query(AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .map_err(failed("read the access keys"))
}

#[derive(FromRow)]
struct KeyRow {
    #[sqlx(flatten)]
    sealed: SealedValue,
    id: Uuid,
    name: String,
    scopes: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
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
