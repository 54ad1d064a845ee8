//! Rows of tokens: which one is an API's newest, whether it is what Vega wrote last, and how it is sealed. Used by whoever
//! writes them.

use chrono::{DateTime, Utc};
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::StoreError;
use vega_domain::token::StoredToken;

use crate::audit::latest_changes::{Mark, Marks, Whose};
use crate::database::causes::failed;
use crate::database::write::Write;
use crate::records::token::check_columns;
use crate::sealing::row_values::TOKENS;
use crate::sealing::seal::Place;
use crate::sql;
use crate::sql::{Row, Session};
use crate::stored::unreadable;

/// Whether Vega wrote this row; for the newest token, also whether it is the latest version that Vega wrote.
pub(crate) fn fits(tx: &Write, row: &Row, newest: Option<Generation>) -> bool {
    let generation: Option<u32> = row.try_get("generation").ok();
    let api: Option<String> = row.try_get("api").ok();
    match api {
        Some(api) if generation == newest.map(Generation::get) => {
            matches!(tx.fits(&TOKENS, row, Whose::Token(&api)), Ok(Ok(())))
        }
        _ => tx.trust.values.entry_of(&TOKENS, row).is_some(),
    }
}

/// What of a token is sealed, and whether it is revoked.
pub(crate) struct SealedToken {
    pub(crate) access_token: Vec<u8>,
    pub(crate) extended_token: Option<Vec<u8>>,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
}

/// Inserts the row of a token. Returns its number.
pub(crate) async fn insert(
    tx: &mut Session,
    token: &StoredToken,
    sealed: SealedToken,
) -> Result<i64, StoreError> {
    let (check_at, check_result, check_reason) = check_columns(token.last_check);
    sql::query_scalar(
        "INSERT INTO upstox_tokens (api, generation, account, client_id, user_id, sealed_access_token,
             sealed_extended_token, issued_at, valid_until, verified_at, rejected_at,
             last_check_at, last_check_result, last_check_reason, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING rowid",
    )
    .bind(token.api.as_str())
    .bind(token.generation.get())
    .bind(token.account.as_str())
    .bind(token.client_id.as_str())
    .bind(token.user_id.as_str())
    .bind(sealed.access_token)
    .bind(sealed.extended_token)
    .bind(token.issued_at)
    .bind(token.valid_until)
    .bind(token.verified_at)
    .bind(token.rejected_at.or(sealed.revoked_at))
    .bind(check_at)
    .bind(check_result)
    .bind(check_reason)
    .bind(sealed.revoked_at)
    .fetch_one(tx)
    .await
    .map_err(failed("store a token"))
}

/// Seals the row of an API's newest token as it is now, as changed by this entry.
pub(crate) async fn seal_newest(tx: &mut Write, row: i64, entry: i64) -> Result<(), StoreError> {
    match tx.row(&TOKENS, row).await? {
        Some(row) => tx.seal_and_note_as_of(&TOKENS, &row, entry).await,
        None => Err(unreadable("a token is gone while it is written")),
    }
}

/// The generation of the token that the marks call an API's newest.
pub(crate) fn known_generation(marks: &Marks, api: &ApiName) -> Option<Generation> {
    marks.get(Whose::Token(api.as_str())).and_then(generation_of)
}

/// The greatest generation of the rows and the one that the marks know: a number is used once, also if its row was removed.
pub(crate) async fn newest_generation(
    tx: &mut Session,
    known: Option<Generation>,
    api: &ApiName,
) -> Result<Option<Generation>, StoreError> {
    let newest: Option<u32> = sql::query_scalar("SELECT max(generation) FROM upstox_tokens WHERE api = $1")
        .bind(api.as_str())
        .fetch_one(tx)
        .await
        .map_err(failed("read the newest generation"))?;
    let newest = newest.map(Generation::new).transpose().map_err(unreadable)?;
    Ok(newest.max(known))
}

pub(crate) fn generation_of(mark: &Mark) -> Option<Generation> {
    let number = mark.number.and_then(|number| u32::try_from(number).ok())?;
    Generation::new(number).ok()
}

/// Where a sealed value of a token belongs.
pub(crate) fn place<'a>(token: &'a StoredToken, column: &'static str) -> Place<'a> {
    Place {
        table: "upstox_tokens",
        column,
        api: token.api.as_str(),
        client_id: token.client_id.as_str(),
        generation: token.generation.get(),
    }
}
