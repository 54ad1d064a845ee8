//! The rows of access keys. A key's hash is sealed together with its name, scopes and times: a row that was made or changed
//! outside Vega does not open, and counts no more.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection, SqlitePool};
use uuid::Uuid;
use vega_domain::access::{AccessKey, Scope, SecretHash};
use vega_domain::ids::{AccessKeyId, KeyName};
use vega_domain::ports::{StoreError, StoredKey};

use crate::data_source::{failed, refuse_another_key, unreadable};
use crate::seal::Sealer;
use crate::sealed_values::{KEY_HASHES, SealedValue};

/// Every key, oldest first. Those that do not open are told of and left out.
pub(crate) async fn load(database: &SqlitePool, sealer: &Sealer) -> Result<Vec<StoredKey>, StoreError> {
    let mut connection = database.acquire().await.map_err(failed("read the access keys"))?;
    let mut keys = Vec::new();
    for row in rows(&mut connection, "ORDER BY id").await? {
        let name = row.name.clone();
        match row.into_key(sealer) {
            Ok(key) => keys.push(key),
            Err(error) => {
                // That the key of the database was rotated says nothing of these: who has them in memory keeps them.
                refuse_another_key(&mut connection, sealer).await?;
                tracing::error!(name, %error, "an access key counts no more");
            }
        }
    }
    Ok(keys)
}

/// Stores a new key, unless a living one has its name.
pub(crate) async fn add(
    tx: &mut SqliteConnection,
    sealer: &Sealer,
    new: &StoredKey,
) -> Result<(), StoreError> {
    let key = &new.key;
    let same_name = |row: &KeyRow| row.name == key.name.as_str();
    let others = rows(tx, "").await?.into_iter().filter(same_name);
    let mut others = others.filter_map(|row| row.into_key(sealer).ok());
    if others.any(|other| other.key.is_live(key.created_at)) {
        return Err(StoreError::Conflict(format!(
            "there is a living key {} already",
            key.name
        )));
    }
    let scopes: Vec<String> = key.scopes.iter().map(Scope::to_string).collect();
    sqlx::query(
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
    .execute(&mut *tx)
    .await
    .map_err(failed("store an access key"))?;
    seal(tx, sealer, key.id, new.hash).await
}

/// Revokes a key. Returns whether there is one that was not.
pub(crate) async fn revoke(
    tx: &mut SqliteConnection,
    sealer: &Sealer,
    id: AccessKeyId,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(row) = row(tx, id).await?.filter(|row| row.revoked_at.is_none()) else {
        return Ok(false);
    };
    sqlx::query("UPDATE access_keys SET revoked_at = $2 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(at)
        .execute(&mut *tx)
        .await
        .map_err(failed("revoke an access key"))?;
    // One that did not open stays so.
    if let Ok(key) = row.into_key(sealer) {
        seal(tx, sealer, id, key.hash).await?;
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
    let row = row(tx, id).await?;
    let row = row.ok_or_else(|| unreadable("an access key is gone while it is written"))?;
    let envelope = sealer.seal(row.sealed.place(&KEY_HASHES), hash.as_bytes())?;
    KEY_HASHES.replace(tx, row.sealed.row, envelope).await
}

async fn row(tx: &mut SqliteConnection, id: AccessKeyId) -> Result<Option<KeyRow>, StoreError> {
    let all = rows(tx, "").await?;
    Ok(all.into_iter().find(|row| row.id == id.as_uuid()))
}

async fn rows(connection: &mut SqliteConnection, order: &str) -> Result<Vec<KeyRow>, StoreError> {
    let sealed = KEY_HASHES.columns();
    let query = format!(
        "SELECT {sealed}, id, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM access_keys {order}"
    );
    sqlx::query_as(AssertSqlSafe(query))
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
