//! Tokens in SQLite: one row per API and generation, newest wins, secrets sealed into their row.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use vega_domain::audit::AuditEntry;
use vega_domain::ids::{AccountId, ApiName, Generation, UserId};
use vega_domain::ports::{LoadedToken, RecordedCheck, StoreError, UnreadableToken, UpstoxTokenRepository};
use vega_domain::token::NewToken;

use crate::audit::latest_changes::{Mark, Misfit, Whose};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::{Judge, Reading, Write, changed_outside};
use crate::integrity::row_marks;
use crate::integrity::row_values::NEWEST_TOKENS;
use crate::integrity::seal_examination::why_unreadable;
use crate::maintenance::erasure;
use crate::records::token::{TokenRow, revocation};
use crate::repositories::attempt_rows;
use crate::repositories::audit_trail;
use crate::repositories::lost_tokens;
use crate::repositories::token_checks;
use crate::repositories::token_rows::{
    self, SealedToken, generation_of, known_generation, newest_generation, place, seal_newest,
};
use crate::sealing::fingerprint::Subject;
use crate::sealing::row_values::TOKENS;
use crate::sql;
use crate::sql::{FromRow, Row};
use crate::stored::unreadable;

/// `UpstoxTokenRepository` over SQLite.
#[derive(Debug, Clone)]
pub struct SqlTokenRepository(pub(super) DataSource);

impl SqlTokenRepository {
    /// Over an open database.
    pub fn new(data: DataSource) -> Self {
        Self(data)
    }
}

#[async_trait]
impl UpstoxTokenRepository for SqlTokenRepository {
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError> {
        load_newest(self.0.read().await?).await
    }

    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError> {
        let mut reading = self.0.read().await?;
        let marks = reading.judge.marks.clone().unwrap_or_default();
        let revoked = marks.get(Whose::Revoked(api.as_str())).and_then(generation_of);
        let known = known_generation(&marks, api);
        Ok(newest_generation(&mut reading, known, api).await?.max(revoked))
    }

    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError> {
        let mut reading = self.0.read().await?;
        let rows = sql::query(
            "SELECT * FROM upstox_tokens WHERE account = $1 AND verified_at IS NOT NULL AND api NOT LIKE '@%'
             ORDER BY verified_at DESC",
        )
        .bind(account.as_str())
        .fetch_all(&mut reading)
        .await
        .map_err(failed("read whose an account is"))?;
        // Nobody becomes somebody else by an edit.
        let ours = rows.iter().find(|row| reading.judge.is_ours(&TOKENS, row));
        let owner = ours.map(|row| row.try_get::<String>("user_id"));
        match owner {
            None if !rows.is_empty() => Err(StoreError::ChangedOutside(format!(
                "whose account {account} is was changed outside Vega"
            ))),
            owner => owner
                .transpose()
                .map_err(unreadable)?
                .map(UserId::new)
                .transpose()
                .map_err(unreadable),
        }
    }

    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let token = &new.token;
        let mut tx = self.0.write_of_sign_in().await?;
        let seal = |column, secret: &str| tx.sealer.seal(place(token, column), secret.as_bytes());
        let access_token = seal("access_token", token.access_token.expose())?;
        let extended_token = new
            .extended_token
            .as_ref()
            .map(|extended| seal("extended_token", extended.expose()))
            .transpose()?;
        let marks = tx.marks()?.clone();
        let revoked_at = revocation(token.last_check).or(marks.revoked_since(new));
        let newest = newest_generation(&mut tx, known_generation(&marks, &token.api), &token.api).await?;
        // One that was revoked before it came here has its number already.
        let revoked = marks
            .get(Whose::Revoked(token.api.as_str()))
            .and_then(generation_of);
        let next = Generation::after(newest)..=Generation::after(newest.max(revoked));
        // Only a loss with a database server leaves a token whose sign-in has not ended.
        if newest == Some(token.generation)
            && marks.get(Whose::Lost).is_some()
            && attempt_rows::awaits_token(&mut tx, new.attempt).await?
            && lost_tokens::is_back(&mut tx, token).await?
        {
            return end_with_token(tx, new, audit).await;
        }
        if !next.contains(&token.generation) {
            let words = format!(
                "{} has a newer token already: generation {} cannot follow {}",
                token.api,
                token.generation,
                newest.map_or(0, Generation::get)
            );
            return Err(refused(tx, new, audit, words).await?);
        }
        if !attempt_rows::awaits_token(&mut tx, new.attempt).await? {
            let words = format!("the attempt behind the token of {} is not open", token.api);
            return Err(refused(tx, new, audit, words).await?);
        }
        let sealed = SealedToken {
            access_token,
            extended_token,
            revoked_at,
        };
        let stored = token_rows::insert(&mut tx, token, sealed).await?;
        let entry = tx.entry();
        seal_newest(&mut tx, stored, entry).await?;
        end_with_token(tx, new, audit).await
    }

    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError> {
        let mut tx = self.0.write().await?;
        let newest = token_checks::record(&mut tx, checks).await?;
        tx.commit().await.map_err(failed("record profile checks"))?;
        Ok(newest)
    }

    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        erasure::erase_dead(&self.0, now).await
    }
}

/// The sign-in of this token is at its end.
async fn end_with_token(mut tx: Write, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError> {
    const DOING: &str = "store a token";
    let attempt = attempt_rows::before(&mut tx, new.attempt).await?;
    sql::query(
        "UPDATE sign_in_attempts SET status = 'stored', closed_at = $2, sealed_code = NULL, sealed_answer = NULL,
             failure = NULL, failure_detail = NULL
         WHERE id = $1",
    )
    .bind(new.attempt.as_uuid())
    .bind(audit.at)
    .execute(&mut tx)
    .await
    .map_err(failed(DOING))?;
    attempt_rows::changed(&mut tx, new.attempt, attempt).await?;
    audit_trail::insert_about(&mut tx, audit, Subject::Token(&new.token.access_token)).await?;
    tx.commit().await.map_err(failed(DOING))
}

/// A token that is not stored. Whoever has it erases it then, so one whose attempt was closed meanwhile is told apart here.
async fn refused(
    mut tx: Write,
    new: &NewToken,
    audit: &AuditEntry,
    words: String,
) -> Result<StoreError, StoreError> {
    if attempt_rows::is_closed(&mut tx, new.attempt).await? {
        let late = AuditEntry {
            detail: format!("{}; it came too late, and is not stored", audit.detail),
            ..audit.clone()
        };
        audit_trail::insert_about(&mut tx, &late, Subject::Token(&new.token.access_token)).await?;
        tx.commit().await.map_err(failed("refuse a token"))?;
    }
    Ok(StoreError::Conflict(words))
}

/// The newest token of each API, or why it is unusable: its row does not fit, or is missing.
pub(crate) async fn load_newest(mut reading: Reading) -> Result<Vec<LoadedToken>, StoreError> {
    let judge = reading.judge.clone();
    let query = format!("SELECT * FROM upstox_tokens WHERE {NEWEST_TOKENS} ORDER BY api");
    let mut rows = sql::query(AssertSqlSafe(query)).fetch(&mut reading);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed("load the tokens"))? {
        found.push(FoundToken::read(&row, &judge)?);
    }
    drop(rows);
    let marks = judge.marks.unwrap_or_default();
    let mut known: BTreeMap<&str, &Mark> = marks.all_of("token").collect();
    let mut loaded = Vec::with_capacity(found.len());
    for token in found {
        let mark = known.remove(token.api.as_str());
        loaded.push(token.open(mark, &mut reading).await?);
    }
    for (api, mark) in known {
        loaded.push(Err(gone(api, mark)?));
    }
    Ok(loaded)
}

/// A token whose row was removed outside Vega.
fn gone(api: &str, mark: &Mark) -> Result<UnreadableToken, StoreError> {
    Ok(UnreadableToken {
        api: ApiName::stored(api).map_err(unreadable)?,
        generation: generation_of(mark).unwrap_or(Generation::FIRST),
        valid_until: mark.time.unwrap_or_default(),
        error: changed_outside(row_marks::token(api, mark.number), Misfit::Gone),
    })
}

/// A token's row, and whether it is the last version that Vega wrote.
struct FoundToken {
    api: ApiName,
    row: Result<TokenRow, StoreError>,
    fits: Result<(), StoreError>,
}

impl FoundToken {
    fn read(row: &Row, judge: &Judge) -> Result<Self, StoreError> {
        let api: String = row.try_get("api").map_err(unreadable)?;
        let api = ApiName::stored(api).map_err(unreadable)?;
        let called = row_marks::called(&TOKENS, row);
        Ok(Self {
            fits: judge.fits(&TOKENS, row, Whose::Token(api.as_str()), called),
            row: TokenRow::from_row(row).map_err(unreadable),
            api,
        })
    }

    async fn open(self, mark: Option<&Mark>, reading: &mut Reading) -> Result<LoadedToken, StoreError> {
        let sealer = Arc::clone(&reading.sealer);
        let Self { api, row, fits } = self;
        let stored = row
            .as_ref()
            .ok()
            .and_then(|row| Some((Generation::new(row.generation).ok()?, row.valid_until)));
        // What the row says of itself counts only where nothing better is known.
        let (generation, valid_until) = match (mark, stored) {
            (Some(mark), stored) if fits.is_err() => (
                generation_of(mark).or(stored.map(|(generation, _)| generation)),
                mark.time.or(stored.map(|(_, until)| until)),
            ),
            (_, stored) => (
                stored.map(|(generation, _)| generation),
                stored.map(|(_, until)| until),
            ),
        };
        let refused = |error| UnreadableToken {
            api: api.clone(),
            generation: generation.unwrap_or(Generation::FIRST),
            valid_until: valid_until.unwrap_or_default(),
            error,
        };
        let row = match row {
            Ok(row) => row,
            Err(error) => return Ok(Err(refused(fits.err().unwrap_or(error)))),
        };
        // The words of a value that was moved tell more than those of its row.
        let why = match row.erased_at {
            None => why_unreadable(reading, &sealer, row.place(), &row.sealed_access_token).await?,
            Some(_) => None,
        };
        match (fits, why) {
            (Err(StoreError::ChangedOutside(_)), Some(StoreError::Unreadable(words))) => {
                return Ok(Err(refused(StoreError::ChangedOutside(words))));
            }
            (Err(misfit), _) => return Ok(Err(refused(misfit))),
            (Ok(()), Some(why)) => return Ok(Err(refused(why))),
            (Ok(()), None) => {}
        }
        if row.erased_at.is_some() {
            return Ok(Err(refused(StoreError::Erased)));
        }
        Ok(row.into_token(&sealer).map_err(refused))
    }
}
