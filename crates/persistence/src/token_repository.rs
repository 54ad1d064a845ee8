//! Tokens in SQLite: one row per API and generation, newest wins, secrets sealed into their row.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, SqliteConnection, SqlitePool};
use vega_domain::audit::AuditEntry;
use vega_domain::failure::FailureReason;
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation, UserId};
use vega_domain::ports::{LoadedToken, StoreError, TokenCheck, UnreadableToken, UpstoxTokenRepository};
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken};

use crate::audit_trail;
use crate::data_source::{DataSource, failed, refuse_another_key, unreadable};
use crate::erasure;
use crate::fingerprint::Subject;
use crate::seal::{Place, Sealer};
use crate::seal_examination::unopened;

/// `UpstoxTokenRepository` over SQLite.
#[derive(Debug, Clone)]
pub struct SqliteTokenRepository(DataSource);

impl SqliteTokenRepository {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl UpstoxTokenRepository for SqliteTokenRepository {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        load_newest(self.0.reader(), self.0.sealer()).await
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        let mut reader = self
            .0
            .reader()
            .acquire()
            .await
            .map_err(failed("read the newest generation"))?;
        newest_generation(&mut reader, api).await
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        let owner: Option<String> = sqlx::query_scalar(
            "SELECT user_id FROM upstox_tokens WHERE account = $1 AND verified_at IS NOT NULL
             ORDER BY verified_at DESC LIMIT 1",
        )
        .bind(account.as_str())
        .fetch_optional(self.0.reader())
        .await
        .map_err(failed("read whose an account is"))?;
        owner.map(UserId::new).transpose().map_err(unreadable)
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        const DOING: &str = "store a token";
        let token = &new.token;
        let seal = |column, secret: &str| self.0.sealer().seal(place(token, column), secret.as_bytes());
        let access_token = seal("access_token", token.access_token.expose())?;
        let extended_token = new
            .extended_token
            .as_ref()
            .map(|extended| seal("extended_token", extended.expose()))
            .transpose()?;
        let (check_at, check_result, check_reason) = split(token.last_check);

        let mut tx = self.0.write().await?;
        let newest = newest_generation(&mut tx, &token.api).await?;
        if Generation::after(newest) != token.generation {
            return Err(StoreError::Conflict(format!(
                "{} has a newer token already: generation {} cannot follow {}",
                token.api,
                token.generation,
                newest.map_or(0, Generation::get)
            )));
        }
        sqlx::query(
            "INSERT INTO upstox_tokens (api, generation, account, client_id, user_id, sealed_access_token,
                 sealed_extended_token, issued_at, valid_until, verified_at, rejected_at,
                 last_check_at, last_check_result, last_check_reason, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(token.api.as_str())
        .bind(token.generation.get())
        .bind(token.account.as_str())
        .bind(token.client_id.as_str())
        .bind(token.user_id.as_str())
        .bind(access_token)
        .bind(extended_token)
        .bind(token.issued_at)
        .bind(token.valid_until)
        .bind(token.verified_at)
        .bind(token.rejected_at)
        .bind(check_at)
        .bind(check_result)
        .bind(check_reason)
        .bind(revocation(token.last_check))
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        let closed = sqlx::query(
            "UPDATE sign_in_attempts SET status = 'stored', closed_at = $2, sealed_code = NULL, sealed_answer = NULL
             WHERE id = $1 AND status IN ('code_sealed', 'answered')",
        )
        .bind(new.attempt.as_uuid())
        .bind(audit.at)
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        if closed.rows_affected() != 1 {
            return Err(StoreError::Conflict(format!(
                "the attempt behind the token of {} is not open",
                token.api
            )));
        }
        audit_trail::insert_about(&mut tx, audit, Subject::Token(&token.access_token)).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    async fn record_check(&self, check: &TokenCheck, audit: &AuditEntry) -> Result<bool, StoreError> {
        const DOING: &str = "record a profile check";
        let (at, result, reason) = split(Some(check.check));
        let mut tx = self.0.write().await?;
        sqlx::query(
            "UPDATE upstox_tokens SET last_check_at = $3, last_check_result = $4, last_check_reason = $5,
                 verified_at = CASE WHEN $4 = 'valid' THEN coalesce(verified_at, $3) ELSE verified_at END,
                 rejected_at = CASE $4 WHEN 'invalid' THEN coalesce(rejected_at, $3)
                                       WHEN 'valid' THEN NULL ELSE rejected_at END,
                 revoked_at = $6
             WHERE api = $1 AND generation = $2 AND revoked_at IS NULL",
        )
        .bind(check.api.as_str())
        .bind(check.generation.get())
        .bind(at)
        .bind(result)
        .bind(reason)
        .bind(revocation(Some(check.check)))
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
        let newest = newest_generation(&mut tx, &check.api).await?;
        match token_of(&mut tx, check, self.0.sealer()).await? {
            Some(token) => audit_trail::insert_about(&mut tx, audit, Subject::Token(&token)).await?,
            None => audit_trail::insert(&mut tx, audit).await?,
        }
        tx.commit().await.map_err(failed(DOING))?;
        Ok(newest == Some(check.generation))
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        erasure::erase_dead(&self.0, now).await
    }
}

/// The newest token of each API.
pub(crate) async fn load_newest(
    database: &SqlitePool,
    sealer: &Sealer,
) -> Result<Vec<LoadedToken>, StoreError> {
    let rows: Vec<TokenRow> = sqlx::query_as(
        "SELECT * FROM upstox_tokens AS token WHERE generation =
             (SELECT max(generation) FROM upstox_tokens WHERE api = token.api)
         ORDER BY api",
    )
    .fetch_all(database)
    .await
    .map_err(failed("load the tokens"))?;
    let mut connection = database.acquire().await.map_err(failed("load the tokens"))?;
    let mut loaded = Vec::with_capacity(rows.len());
    for row in rows {
        loaded.push(open_token(row, &mut connection, sealer).await?);
    }
    // That the key was rotated says nothing of the tokens: who has them keeps them.
    if loaded.iter().any(Result::is_err) {
        refuse_another_key(&mut connection, sealer).await?;
    }
    Ok(loaded)
}

async fn open_token(
    row: TokenRow,
    connection: &mut SqliteConnection,
    sealer: &Sealer,
) -> Result<LoadedToken, StoreError> {
    let api = ApiName::new(&*row.api).map_err(unreadable)?;
    let generation = Generation::new(row.generation).map_err(unreadable)?;
    let valid_until = row.valid_until;
    let refused = |error| UnreadableToken {
        api,
        generation,
        valid_until,
        error,
    };
    if row.erased_at.is_some() {
        return Ok(Err(refused(StoreError::Erased)));
    }
    let why = unopened(connection, sealer, row.place(), &row.sealed_access_token).await?;
    Ok(match why {
        Some(why) => Err(refused(why)),
        None => row.into_token(sealer).map_err(refused),
    })
}

fn place<'a>(token: &'a StoredToken, column: &'static str) -> Place<'a> {
    Place {
        table: "upstox_tokens",
        column,
        api: token.api.as_str(),
        client_id: token.client_id.as_str(),
        generation: token.generation.get(),
    }
}

/// The token that was checked. One that is not there, or does not open any more, leaves the entry without its fingerprint.
async fn token_of(
    tx: &mut SqliteConnection,
    check: &TokenCheck,
    sealer: &Sealer,
) -> Result<Option<AccessToken>, StoreError> {
    let row: Option<TokenRow> =
        sqlx::query_as("SELECT * FROM upstox_tokens WHERE api = $1 AND generation = $2")
            .bind(check.api.as_str())
            .bind(check.generation.get())
            .fetch_optional(tx)
            .await
            .map_err(failed("read the token that was checked"))?;
    let token = row.map(|row| row.into_token(sealer)).and_then(Result::ok);
    Ok(token.map(|token| token.access_token))
}

async fn newest_generation(
    tx: &mut SqliteConnection,
    api: &ApiName,
) -> Result<Option<Generation>, StoreError> {
    let newest: Option<u32> = sqlx::query_scalar("SELECT max(generation) FROM upstox_tokens WHERE api = $1")
        .bind(api.as_str())
        .fetch_one(tx)
        .await
        .map_err(failed("read the newest generation"))?;
    newest.map(Generation::new).transpose().map_err(unreadable)
}

type CheckColumns = (Option<DateTime<Utc>>, Option<&'static str>, Option<&'static str>);

fn split(check: Option<LastCheck>) -> CheckColumns {
    let Some(check) = check else {
        return (None, None, None);
    };
    let (result, reason) = match check.result {
        CheckResult::Valid => ("valid", None),
        CheckResult::Invalid | CheckResult::Revoked => ("invalid", None),
        CheckResult::Unknown(reason) => ("unknown", Some(reason.code())),
    };
    (Some(check.at), Some(result), reason)
}

/// When the operator took a token back, if that is what its newest check is. It has a column of its own.
fn revocation(check: Option<LastCheck>) -> Option<DateTime<Utc>> {
    check
        .filter(|check| check.result == CheckResult::Revoked)
        .map(|check| check.at)
}

#[derive(FromRow)]
struct TokenRow {
    api: String,
    generation: u32,
    account: String,
    client_id: String,
    user_id: String,
    sealed_access_token: Vec<u8>,
    issued_at: DateTime<Utc>,
    valid_until: DateTime<Utc>,
    verified_at: Option<DateTime<Utc>>,
    rejected_at: Option<DateTime<Utc>>,
    last_check_at: Option<DateTime<Utc>>,
    last_check_result: Option<String>,
    last_check_reason: Option<String>,
    erased_at: Option<DateTime<Utc>>,
    /// A database that was not opened may be of an earlier Vega, which has no such column.
    #[sqlx(default)]
    revoked_at: Option<DateTime<Utc>>,
}

impl TokenRow {
    fn last_check(&self) -> Result<Option<LastCheck>, StoreError> {
        if let Some(at) = self.revoked_at {
            let result = CheckResult::Revoked;
            return Ok(Some(LastCheck { at, result }));
        }
        let Some(at) = self.last_check_at else {
            return Ok(None);
        };
        let result = match (
            self.last_check_result.as_deref(),
            self.last_check_reason.as_deref(),
        ) {
            (Some("valid"), _) => CheckResult::Valid,
            (Some("invalid"), _) => CheckResult::Invalid,
            (Some("unknown"), Some(code)) => {
                CheckResult::Unknown(FailureReason::parse(code).map_err(unreadable)?)
            }
            other => return Err(unreadable(format!("check result {other:?}"))),
        };
        Ok(Some(LastCheck { at, result }))
    }

    fn place(&self) -> Place<'_> {
        Place {
            table: "upstox_tokens",
            column: "access_token",
            api: &self.api,
            client_id: &self.client_id,
            generation: self.generation,
        }
    }

    fn into_token(self, sealer: &Sealer) -> Result<StoredToken, StoreError> {
        let access_token = sealer.open_text(self.place(), &self.sealed_access_token)?;
        Ok(StoredToken {
            last_check: self.last_check()?,
            api: ApiName::new(self.api).map_err(unreadable)?,
            account: AccountId::new(self.account).map_err(unreadable)?,
            client_id: ClientId::new(self.client_id).map_err(unreadable)?,
            user_id: UserId::new(self.user_id).map_err(unreadable)?,
            generation: Generation::new(self.generation).map_err(unreadable)?,
            access_token: AccessToken::new(access_token),
            issued_at: self.issued_at,
            valid_until: self.valid_until,
            verified_at: self.verified_at,
            rejected_at: self.rejected_at,
        })
    }
}
