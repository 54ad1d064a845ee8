//! Tokens that were durable and were lost with a database server: a process that serves one puts it back. Its sign-in may be finished
//! after that.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::ports::StoreError;
use vega_domain::token::StoredToken;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Write;
use crate::records::token::revocation;
use crate::repositories::audit_trail;
use crate::repositories::token_rows::{
    self, SealedToken, known_generation, newest_generation, place, seal_newest,
};
use crate::sealing::fingerprint::Subject;
use crate::sql;
use crate::sql::{Session, record};

record! {
    struct Newest {
        issued_at: DateTime<Utc>,
        revoked_at: Option<DateTime<Utc>>,
    }
}

/// Puts the token back, unless its API has one of this generation or a newer one, or somebody signed in or revoked after it was issued.
/// It is no part of a sign-in: whoever holds it may.
pub(super) async fn put_back(
    data: &DataSource,
    token: &StoredToken,
    audit: &AuditEntry,
) -> Result<bool, StoreError> {
    let access_token = token.access_token.expose().as_bytes();
    let mut tx = data.write().await?;
    let sealed = SealedToken {
        access_token: tx.sealer.seal(place(token, "access_token"), access_token)?,
        // Whoever serves a token does not hold this one.
        extended_token: None,
        revoked_at: revocation(token.last_check),
    };
    let known = known_generation(tx.marks()?, &token.api);
    let newest = newest_generation(&mut tx, known, &token.api).await?;
    if newest >= Some(token.generation) || is_past(&mut tx, token).await? {
        return Ok(false);
    }
    let stored = token_rows::insert(&mut tx, token, sealed).await?;
    let entry = tx.entry();
    seal_newest(&mut tx, stored, entry).await?;
    audit_trail::insert_about(&mut tx, audit, Subject::Token(&token.access_token)).await?;
    tx.commit().await.map_err(failed("put a token back"))?;
    Ok(true)
}

/// Whether the newest row of its API is of after this token: numbers do not tell, as those of lost tokens are used again.
async fn is_past(tx: &mut Session, token: &StoredToken) -> Result<bool, StoreError> {
    let newest: Option<Newest> = sql::query_as(
        "SELECT issued_at, revoked_at FROM upstox_tokens WHERE api = $1 ORDER BY generation DESC LIMIT 1",
    )
    .bind(token.api.as_str())
    .fetch_optional(tx)
    .await
    .map_err(failed("look for a later token"))?;
    Ok(newest.is_some_and(|newest| {
        newest.issued_at > token.issued_at || newest.revoked_at > Some(token.issued_at)
    }))
}

/// Whether the row of this token is there already: put back before the sign-in was finished whose answer it came with, and which was not
/// lost.
pub(super) async fn is_back(tx: &mut Write, token: &StoredToken) -> Result<bool, StoreError> {
    let sealer = Arc::clone(&tx.sealer);
    let kept: Option<Vec<u8>> =
        sql::query_scalar("SELECT sealed_access_token FROM upstox_tokens WHERE api = $1 AND generation = $2")
            .bind(token.api.as_str())
            .bind(token.generation.get())
            .fetch_optional(tx)
            .await
            .map_err(failed("look for a token that was put back"))?;
    let opened = kept.and_then(|kept| sealer.open(place(token, "access_token"), &kept).ok());
    Ok(opened.is_some_and(|opened| *opened == token.access_token.expose().as_bytes()))
}
